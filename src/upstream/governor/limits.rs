//! What answers tell of the upstream's limits.

use std::time::Duration;

use super::quota::USUAL_WINDOW;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const MAX: HeaderName = HeaderName::from_static("x-ratelimit-max");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const WINDOW: HeaderName = HeaderName::from_static("x-ratelimit-interval-milliseconds");
const DAILY_MAX: HeaderName = HeaderName::from_static("x-ratelimit-limit-daily");
const DAILY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-daily-remaining");
const DAILY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-daily-reset");

/// What the upstream last said of its limits. Each part is absent until it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls allowed in one window.
    pub max: Option<u32>,
    /// Calls left in this window.
    pub remaining: Option<u32>,
    /// Length of the window.
    pub window: Option<Duration>,
    /// Calls allowed in a day.
    pub daily_max: Option<u32>,
    /// Calls left today.
    pub daily_remaining: Option<u32>,
    /// Time until the day's limit starts anew.
    pub daily_reset: Option<Duration>,
}

impl Limits {
    /// What these headers tell.
    pub(in crate::upstream) fn told(headers: &HeaderMap) -> Self {
        let number = |name: &HeaderName| headers.get(name).and_then(whole_number);
        let count = |name: &HeaderName| number(name).and_then(|n| u32::try_from(n).ok());
        let time = |name: &HeaderName| number(name).map(Duration::from_millis);
        Self {
            max: count(&MAX),
            remaining: count(&REMAINING),
            // A window without length would never let anything wait.
            window: time(&WINDOW).filter(|window| !window.is_zero()),
            daily_max: count(&DAILY_MAX),
            daily_remaining: count(&DAILY_REMAINING),
            daily_reset: time(&DAILY_RESET),
        }
    }

    /// How long a call has to wait that was refused for a limit; `asked`: if the answer says so itself.
    pub(in crate::upstream) fn wait(&self, asked: Option<Duration>) -> Duration {
        let day = self.daily_reset.filter(|_| self.daily_remaining == Some(0));
        asked.or(day).or(self.window).unwrap_or(USUAL_WINDOW)
    }

    /// Takes over what is told, and keeps the rest.
    pub(in crate::upstream) fn learn(&mut self, told: &Self) {
        *self = Self {
            max: told.max.or(self.max),
            remaining: told.remaining.or(self.remaining),
            window: told.window.or(self.window),
            daily_max: told.daily_max.or(self.daily_max),
            daily_remaining: told.daily_remaining.or(self.daily_remaining),
            daily_reset: told.daily_reset.or(self.daily_reset),
        };
    }
}

fn whole_number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}
