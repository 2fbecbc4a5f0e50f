//! When a read is sent again, and after how long.

use std::time::Duration;

use super::error::{Error, Fault};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Tries after the first.
    pub retries: u32,
}

impl Policy {
    /// How long to wait before try number `tried + 1`, or `None` to give up. `chance` is from 0 to 1.
    pub fn wait(&self, tried: u32, error: &Error, chance: f64) -> Option<Duration> {
        if tried > self.retries || !error.is_transient() {
            return None;
        }
        Some(match error.fault {
            // The governor lets nothing go before the window is over.
            Fault::RateLimited(_) => Duration::ZERO,
            _ => backoff(tried).mul_f64(chance).max(error.retry_after.unwrap_or_default()),
        })
    }
}

fn backoff(tried: u32) -> Duration {
    FIRST.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retries: 3 };

    fn error(fault: Fault) -> Error {
        Error::new("GET /x", fault)
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_the_tries_end() {
        let patient = Policy { retries: 9 };
        let wait = |tried| patient.wait(tried, &error(Fault::Unavailable), 1.0);
        let waits: Vec<_> = (1..=7).filter_map(wait).map(|d| d.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(wait(10), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let wait = |fault| POLICY.wait(1, &error(fault), 0.5);
        assert!(wait(Fault::Timeout).is_some());
        assert!(wait(Fault::Unavailable).is_some());
        assert!(wait(Fault::NotFound).is_none());
        assert!(wait(Fault::Credential).is_none());
        assert!(wait(Fault::BadResponse("x".into())).is_none());
    }

    #[test]
    fn what_the_upstream_asks_for_is_waited_for() {
        let asked = Error { retry_after: Some(Duration::from_secs(7)), ..error(Fault::Unavailable) };
        assert_eq!(POLICY.wait(1, &asked, 1.0), Some(Duration::from_secs(7)));
        let limited = error(Fault::RateLimited(Duration::from_secs(10)));
        assert_eq!(POLICY.wait(1, &limited, 1.0), Some(Duration::ZERO), "the governor waits");
    }
}
