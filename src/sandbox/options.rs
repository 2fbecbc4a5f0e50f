//! What a sandbox plays: how much data, how slow, how flaky, how strict.

use super::{data::Seed, quirks::Quirks};
use jiff::tz::TimeZone;
use reqwest::Url;
use std::{str::FromStr, time::Duration};

/// Everything a sandbox can be told. The default is fast, never fails and has no limit.
#[derive(Clone, Debug)]
pub struct Options {
    /// Contacts in each location.
    pub contacts: usize,
    /// Contacts of a seed file, instead of made ones.
    pub written: Option<Seed>,
    /// The same seed gives the same data, on every machine.
    pub seed: u64,
    /// Locations, each with a token of its own. The same contact ids exist in all of them, with other contents.
    pub locations: usize,
    /// The zone of appointment times, which by default are sent without naming one.
    pub timezone: TimeZone,
    /// How long every data call takes.
    pub latency: Duration,
    /// Up to so much is added to the latency.
    pub jitter: Duration,
    /// Share of the data calls that answer 500, from 0 to 1.
    pub fail_rate: f64,
    /// Calls in a window, for each token. Without it nothing is limited and no header tells a limit.
    pub rate_limit: Option<RateLimit>,
    /// Calls in a day, for each token.
    pub daily_limit: Option<u64>,
    /// Whether an app can be granted access: `/oauth/...` answers then.
    pub oauth: bool,
    /// So much older than the contacts themselves is what lists and searches show.
    pub list_lag: Duration,
    /// What the tokens may do.
    pub scopes: Vec<String>,
    /// Where signed events about changes are sent; nowhere by default.
    pub webhooks: Option<Url>,
    /// Which of the API's known behaviours are played.
    pub quirks: Quirks,
}

/// The scopes of a token by default: those of every route.
pub const SCOPES: &str = "contacts.readonly contacts.write locations/tasks.readonly calendars/events.readonly";

impl Default for Options {
    fn default() -> Self {
        Self {
            contacts: 250,
            written: None,
            seed: 1,
            locations: 1,
            timezone: TimeZone::UTC,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            fail_rate: 0.0,
            rate_limit: None,
            daily_limit: None,
            oauth: false,
            list_lag: Duration::ZERO,
            scopes: SCOPES.split(' ').map(String::from).collect(),
            webhooks: None,
            quirks: Quirks::default(),
        }
    }
}

/// So many calls in so long a window. Read from `MAX/SECONDS`, for example `100/10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls that a window admits.
    pub max: u64,
    /// Length of the window.
    pub window: Duration,
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |part: &str| part.trim().parse::<u64>().ok().filter(|n| *n > 0);
        let parts = text.split_once('/');
        let limit = parts.and_then(|(max, seconds)| Some((whole(max)?, whole(seconds)?)));
        let (max, seconds) = limit.ok_or_else(|| {
            format!("`{text}` is not a rate limit: write MAX/SECONDS in whole numbers above 0, for example 100/10")
        })?;
        Ok(Self { max, window: Duration::from_secs(seconds) })
    }
}
