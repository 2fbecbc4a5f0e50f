//! What is waited for, told on a terminal once it takes more than a second.

use std::future::Future;
use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::time::Duration;

/// Whoever waits for less does not wonder.
const NOTICED: Duration = Duration::from_secs(1);

/// Waits for the work. On standard error, so that what is printed stays as it is.
pub async fn waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    match stderr().is_terminal() {
        true => told(what, work, &mut anstream::stderr()).await,
        false => work.await,
    }
}

async fn told<T>(what: &str, work: impl Future<Output = T>, to: &mut impl Write) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(NOTICED, &mut work).await {
        return done;
    }
    // Nobody misses it where it cannot be written.
    let mut write = |text: &str| to.write_all(text.as_bytes()).and_then(|()| to.flush());
    let _ = write(what);
    let done = work.await;
    // Blanks, and not an escape code: there are terminals that know none.
    let _ = write(&format!("\r{}\r", " ".repeat(what.chars().count())));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_takes_more_than_a_second_is_told_and_nothing_of_it_stays() {
        let mut seen = Vec::new();
        told("Trying ...", tokio::time::sleep(Duration::from_millis(900)), &mut seen).await;
        assert!(seen.is_empty());
        let answer = told("Trying ...", async { tokio::time::sleep(Duration::from_millis(1100)).await }, &mut seen);
        answer.await;
        assert_eq!(seen, b"Trying ...\r          \r");
    }
}
