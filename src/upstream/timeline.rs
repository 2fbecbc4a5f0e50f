//! When the calls of an errand were sent and how they ended, for who asked to be told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Most calls that are told. An operation may take more, and then their number tells so.
const MOST: usize = 200;

/// One call as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The route's template: it names nobody.
    pub route: &'static str,
    /// When it was sent, after the errand's beginning.
    pub start: Duration,
    /// How long it took; of a call without an outcome, until now.
    pub took: Duration,
    /// How it ended, in a word; `None`: it has not, or nobody waited for it any more.
    pub outcome: Option<&'static str>,
}

/// The calls of an errand, in the order in which they were sent.
#[derive(Debug)]
pub struct Timeline {
    since: Instant,
    calls: Mutex<Vec<Sent>>,
}

impl Timeline {
    /// Of calls after this moment.
    pub fn since(since: Instant) -> Self {
        Self { since, calls: Mutex::default() }
    }

    /// One like it, without its calls.
    pub fn anew(&self) -> Self {
        Self::since(self.since)
    }

    /// Notes that a call is sent; gives its place, if there is one left.
    pub fn begin(&self, route: &'static str) -> Option<usize> {
        let mut calls = self.calls();
        let place = Some(calls.len()).filter(|place| *place < MOST)?;
        calls.push(Sent { route, start: self.since.elapsed(), took: Duration::ZERO, outcome: None });
        Some(place)
    }

    /// Notes how the call at a place ended.
    pub fn end(&self, place: usize, outcome: &'static str) {
        if let Some(call) = self.calls().get_mut(place) {
            call.took = self.since.elapsed().saturating_sub(call.start);
            call.outcome = Some(outcome);
        }
    }

    /// Takes the calls of another with the same beginning, all of which are over.
    pub fn take_over(&self, other: &Self) {
        let mut calls = self.calls();
        let room = MOST - calls.len();
        calls.extend(other.calls().drain(..).take(room));
    }

    /// The calls so far, by when they were sent, and how long it is since the beginning.
    pub fn told(&self) -> (Vec<Sent>, Duration) {
        let now = self.since.elapsed();
        let mut calls = self.calls().clone();
        for call in calls.iter_mut().filter(|call| call.outcome.is_none()) {
            call.took = now.saturating_sub(call.start);
        }
        calls.sort_by_key(|call| call.start);
        (calls, now)
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn calls_are_told_by_when_they_were_sent_and_as_they_stand() {
        let timeline = Timeline::since(Instant::now());
        let look = timeline.anew();
        let first = timeline.begin("GET /a").expect("a place");
        advance(MS).await;
        let looked = look.begin("POST /b").expect("a place");
        advance(MS).await;
        timeline.begin("GET /c").expect("a place");
        look.end(looked, "ok");
        advance(3 * MS).await;
        timeline.end(first, "timeout");
        timeline.take_over(&look);
        let sent = |route, start, took, outcome| Sent { route, start: start * MS, took: took * MS, outcome };
        let told =
            [sent("GET /a", 0, 5, Some("timeout")), sent("POST /b", 1, 1, Some("ok")), sent("GET /c", 2, 3, None)];
        assert_eq!(timeline.told(), (told.into(), 5 * MS));
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_an_end() {
        let timeline = Timeline::since(Instant::now());
        let look = timeline.anew();
        look.begin("GET /a");
        for _ in 0..MOST + 5 {
            timeline.begin("GET /a");
        }
        timeline.take_over(&look);
        assert_eq!((timeline.told().0.len(), timeline.begin("GET /a")), (MOST, None));
    }
}
