//! Callers who bring their own upstream credential: it is sent upstream as it came, and decides what they may do.
//!
//! The gateway cannot tell a good credential from a bad one, only the upstream can. So nothing is held back for callers whose
//! credential was refused, and what is cached belongs to one credential at one location.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{Caller, Refusal};
use crate::caller::Scopes;
use crate::config::Passthrough as Settings;
use crate::remembered::{Bound, Remembered};
use crate::upstream::{Account, Allowance};

/// Longest credential, in bytes.
const LONGEST: usize = 8 << 10;
/// Longest id of a location.
const LONGEST_ID: usize = 64;
/// Most callers, and most locations, that are remembered at once. One that is forgotten is made anew and finds what
/// is cached of it.
const MOST: u64 = 10_000;
/// How long one is remembered that does not come again.
const IDLE: Duration = Duration::from_secs(600);

/// What makes callers of credentials.
pub struct Passthrough {
    settings: Settings,
    /// By a digest of location and credential.
    callers: Remembered<Caller>,
    /// The places for the calls of a location, whoever asks, by a digest of its id.
    places: Remembered<Semaphore>,
    allowance: Allowance,
}

impl Passthrough {
    /// `allowance`: what is set for the calls of one location.
    pub fn new(settings: &Settings, allowance: Allowance) -> Self {
        Self {
            settings: settings.clone(),
            callers: Remembered::within(Bound { idle: Some(IDLE), ..Bound::weight(MOST) }),
            // Never forgotten for idleness: callers who stay would go on with the one that they have.
            places: Remembered::within(Bound::weight(MOST)),
            allowance,
        }
    }

    pub fn caller(&self, bearer: Option<&[u8]>, location: Option<&[u8]>) -> Result<Arc<Caller>, Refusal> {
        let bearer = bearer
            .and_then(sendable)
            .ok_or(Refusal::Unauthenticated("Send your own upstream credential: `Authorization: Bearer TOKEN`."))?;
        let location = self.location(location)?;
        // No id of a location has a zero in it, so no two pairs have one digest.
        let digest = Sha256::new().chain_update(location).chain_update([0]).chain_update(bearer).finalize().into();
        Ok(self.callers.get_or(digest, || self.admit(location, bearer)))
    }

    fn location<'a>(&'a self, named: Option<&'a [u8]>) -> Result<&'a str, Refusal> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        match (named, self.settings.location.as_deref()) {
            (None, None) => Err(Refusal::Unnamed(Vec::new())),
            (None, Some(only)) => Ok(only),
            (Some(named), Some(only)) if named != only.as_bytes() => Err(Refusal::Elsewhere),
            (Some(named), _) => {
                let good = (1..=LONGEST_ID).contains(&named.len()) && named.iter().all(plain);
                std::str::from_utf8(named).ok().filter(|_| good).ok_or(Refusal::Elsewhere)
            }
        }
    }

    fn admit(&self, location: &str, bearer: &str) -> Arc<Caller> {
        let most = self.allowance.concurrency;
        let places = self.places.get_or(Sha256::digest(location).into(), || Arc::new(Semaphore::new(most)));
        let zone: TimeZone = self.settings.timezone.clone();
        let account = Account::of_caller(location, zone, SecretString::from(bearer), self.allowance.clone(), places);
        Arc::new(Caller { account: Arc::new(account), scopes: Scopes::ALL })
    }
}

fn sendable(bearer: &[u8]) -> Option<&str> {
    let good = bearer.len() <= LONGEST && bearer.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(bearer).ok().filter(|_| good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_without_end_are_not_remembered_without_end() {
        let settings = Settings { location: None, timezone: TimeZone::UTC };
        let passthrough = Passthrough::new(&settings, Allowance::default());
        for n in 0..MOST + 2_000 {
            let (bearer, location) = (format!("pit-{n}"), format!("L{n}"));
            assert!(passthrough.caller(Some(bearer.as_bytes()), Some(location.as_bytes())).is_ok());
        }
        assert!(passthrough.callers.weight() <= MOST && passthrough.places.weight() <= MOST);
    }
}
