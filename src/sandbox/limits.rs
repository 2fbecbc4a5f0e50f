//! How many calls a token has left, and the headers that tell it.

use super::options::{Options, RateLimit};
use axum::http::{HeaderMap, HeaderValue};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What the API's accounts have, told when only the burst is limited.
const USUAL_DAY: u64 = 200_000;

/// The limits in force, and what each location has used of them.
pub(super) struct Limits {
    burst: Option<RateLimit>,
    daily: Option<u64>,
    used: HashMap<String, Used>,
}

struct Used {
    window_since: Instant,
    in_window: u64,
    day_since: Instant,
    in_day: u64,
}

/// The state of one bucket just after a call was counted in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Left {
    pub over: bool,
    burst: Option<(RateLimit, u64)>,
    daily: (u64, u64),
    day_resets_in: Duration,
}

impl Limits {
    pub fn new(options: &Options) -> Self {
        Self { burst: options.rate_limit, daily: options.daily_limit, used: HashMap::new() }
    }

    pub fn any(&self) -> bool {
        self.burst.is_some() || self.daily.is_some()
    }

    /// Counts one call. A call over the limit counts too.
    pub fn take(&mut self, location: &str, now: Instant) -> Left {
        if !self.used.contains_key(location) {
            let new = Used { window_since: now, in_window: 0, day_since: now, in_day: 0 };
            self.used.insert(location.to_owned(), new);
        }
        let used = self.used.get_mut(location).expect("it was put there above");
        used.count(now, self.burst.map(|burst| burst.window));
        let daily = self.daily.unwrap_or(USUAL_DAY);
        let too_fast = self.burst.is_some_and(|burst| used.in_window > burst.max);
        Left {
            over: too_fast || used.in_day > daily,
            burst: self.burst.map(|burst| (burst, burst.max.saturating_sub(used.in_window))),
            daily: (daily, daily.saturating_sub(used.in_day)),
            day_resets_in: DAY.saturating_sub(now - used.day_since),
        }
    }
}

impl Used {
    fn count(&mut self, now: Instant, window: Option<Duration>) {
        if window.is_some_and(|window| now - self.window_since >= window) {
            (self.window_since, self.in_window) = (now, 0);
        }
        if now - self.day_since >= DAY {
            (self.day_since, self.in_day) = (now, 0);
        }
        self.in_window += 1;
        self.in_day += 1;
    }
}

impl Left {
    pub fn tell(&self, headers: &mut HeaderMap) {
        let mut tell = |name, value| headers.insert(name, HeaderValue::from(value));
        if let Some((burst, left)) = self.burst {
            tell("x-ratelimit-max", burst.max);
            tell("x-ratelimit-remaining", left);
            tell("x-ratelimit-interval-milliseconds", millis(burst.window));
        }
        tell("x-ratelimit-limit-daily", self.daily.0);
        tell("x-ratelimit-daily-remaining", self.daily.1);
        tell("x-ratelimit-daily-reset", millis(self.day_resets_in));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: Option<&str>, daily: Option<u64>) -> Limits {
        let rate_limit = rate.map(|text| text.parse().unwrap());
        Limits::new(&Options { rate_limit, daily_limit: daily, ..Options::default() })
    }

    #[test]
    fn a_window_that_has_passed_is_forgotten() {
        let (mut limits, now) = (limits(Some("2/10"), None), Instant::now());
        let over: Vec<bool> = (0..3).map(|_| limits.take("a", now).over).collect();
        assert_eq!(over, [false, false, true]);
        assert!(!limits.take("b", now).over, "each location has its own");
        assert!(limits.take("a", now + Duration::from_secs(9)).over);
        assert!(!limits.take("a", now + Duration::from_secs(10)).over);
    }

    #[test]
    fn a_day_is_longer_than_a_window() {
        let (mut limits, now) = (limits(Some("9/1"), Some(1)), Instant::now());
        assert!(!limits.take("a", now).over);
        assert!(limits.take("a", now + Duration::from_secs(3600)).over);
        assert!(!limits.take("a", now + DAY).over);
    }
}
