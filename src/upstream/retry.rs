//! When a read is sent again, and after how long.

use std::time::Duration;

use super::error::{Error, Fault};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// How often, and within what time.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Tries after the first.
    pub retries: u32,
    /// No try begins later than so long after the first.
    pub within: Duration,
}

impl Policy {
    /// How long to wait before try number `tried + 1`, or `None` to give up. `chance` is from 0 to 1.
    pub fn wait(&self, tried: u32, spent: Duration, error: &Error, chance: f64) -> Option<Duration> {
        if tried > self.retries || !error.is_transient() {
            return None;
        }
        let wait = match error.fault {
            // A window has to pass; a little chance keeps those who wait from coming back as one.
            Fault::RateLimited(window) => window + FIRST.mul_f64(chance),
            _ => backoff(tried).mul_f64(chance),
        };
        (spent + wait < self.within).then_some(wait)
    }
}

fn backoff(tried: u32) -> Duration {
    FIRST.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retries: 3, within: Duration::from_secs(30) };

    fn error(fault: Fault) -> Error {
        Error::new("GET /x", fault)
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_the_tries_end() {
        let patient = Policy { retries: 9, ..POLICY };
        let wait = |tried| patient.wait(tried, Duration::ZERO, &error(Fault::Unavailable), 1.0);
        let waits: Vec<_> = (1..=7).filter_map(wait).map(|d| d.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(wait(10), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let wait = |fault| POLICY.wait(1, Duration::ZERO, &error(fault), 0.5);
        assert!(wait(Fault::Timeout).is_some());
        assert!(wait(Fault::Unavailable).is_some());
        assert!(wait(Fault::NotFound).is_none());
        assert!(wait(Fault::Credential).is_none());
        assert!(wait(Fault::BadResponse("x".into())).is_none());
    }

    #[test]
    fn a_spent_window_is_waited_for_when_there_is_time() {
        let limited = error(Fault::RateLimited(Duration::from_secs(10)));
        let wait = |spent| POLICY.wait(1, Duration::from_secs(spent), &limited, 0.0);
        assert_eq!(wait(0), Some(Duration::from_secs(10)));
        assert_eq!(wait(25), None);
    }
}
