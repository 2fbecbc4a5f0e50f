//! What is known of the routes for many things, with each credential: whether they work, and whether one was refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::super::account::Account;
use super::super::call::Route;
use super::super::error::{Error, Fault};
use crate::remembered::{Bound, Digest, Remembered};

/// How long a route is left alone that failed without having been refused.
const REST: Duration = Duration::from_secs(30);

/// More credentials than so many are not remembered.
const MOST: u64 = 10_000;

/// What is known of a route with a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Untried,
    /// It works.
    Works,
    /// It was refused, and is not tried any more.
    Off,
    /// It failed, and is not tried before then.
    Resting(Instant),
}

impl State {
    /// Whether the route may be used.
    pub fn is_open(self, now: Instant) -> bool {
        match self {
            Self::Untried | Self::Works => true,
            Self::Off => false,
            Self::Resting(until) => until <= now,
        }
    }

    /// What it is after a reading with this outcome.
    pub fn after(self, outcome: Result<(), &Error>, now: Instant) -> Self {
        let Err(error) = outcome else {
            return if self.is_open(now) { Self::Works } else { self };
        };
        match error.status {
            // It was not even sent.
            None if !error.reached && error.fault != Fault::Unavailable => self,
            // It answered, and not as the route would that is meant.
            None if matches!(error.fault, Fault::Gateway(_)) => Self::Off,
            _ if is_refusal(error) => Self::Off,
            _ if self == Self::Off => self,
            _ => Self::Resting(now + REST),
        }
    }
}

/// Whether an answer says that the route is not for this credential, and not that something failed.
pub fn is_refusal(error: &Error) -> bool {
    let passes = matches!(
        error.fault,
        Fault::Timeout
            | Fault::Unavailable
            | Fault::RateLimited(_)
            | Fault::Credential
            | Fault::CallersCredential
            | Fault::BadResponse(_)
    );
    matches!(error.status, Some(400..500)) && !passes
}

/// What is known of each credential.
pub struct Knowledge {
    /// By route.
    states: Remembered<Mutex<State>>,
    /// Whether a route was refused. Held during a look: two of them could both be refused.
    refused: Remembered<Mutex<bool>>,
}

impl Default for Knowledge {
    fn default() -> Self {
        let bound = Bound::weight(MOST);
        Self { states: Remembered::within(bound), refused: Remembered::within(bound) }
    }
}

impl Knowledge {
    /// What is known of a route.
    pub fn of(&self, account: &Account, route: Route) -> Arc<Mutex<State>> {
        self.states.get_or(whose(account, route.template), Arc::default)
    }

    /// Whether any route was refused.
    pub fn refused(&self, account: &Account) -> Arc<Mutex<bool>> {
        self.refused.get_or(whose(account, ""), Arc::default)
    }

    /// Whether there will yet be a look at a route, or is one now.
    pub fn is_unknown(&self, account: &Account, route: Route) -> bool {
        may_use(account, route) && self.of(account, route).try_lock().map_or(true, |state| *state == State::Untried)
    }
}

/// A token is known by itself, wherever it is used; a grant by its location, since its tokens come and go.
fn whose(account: &Account, route: &str) -> Digest {
    let whose = Sha256::new().chain_update(route).chain_update([0]);
    let bearer = account.credential.held().filter(|_| account.credential.oauth().is_none());
    let whose = match &bearer {
        Some(bearer) => whose.chain_update("token").chain_update(bearer.token()),
        None => whose.chain_update("grant").chain_update(&*account.location),
    };
    whose.finalize().into()
}

/// Whether the credential is not known to lack what the route needs.
pub fn may_use(account: &Account, route: Route) -> bool {
    account.credential.held().is_none_or(|bearer| bearer.was_granted(route.scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_used_as_what_came_of_it_allows() {
        let now = Instant::now();
        let after = |state: State, fault: &Fault, status| {
            state.after(Err(&Error { status, ..Error::new("POST /x", fault.clone()) }), now)
        };
        for (fault, status) in [
            (Fault::Timeout, None),
            (Fault::Unavailable, Some(500)),
            (Fault::Timeout, Some(401)),
            (Fault::Credential, Some(401)),
            (Fault::RateLimited(REST), Some(429)),
            (Fault::BadResponse("x".into()), Some(200)),
        ] {
            for before in [State::Untried, State::Works] {
                let state = after(before, &fault, status);
                assert!(
                    !state.is_open(now + REST - Duration::from_millis(1)) && state.is_open(now + REST),
                    "{fault:?}"
                );
                // Another part of the same reading.
                assert_eq!(state.after(Ok(()), now), state);
                assert_eq!(state.after(Ok(()), now + REST), State::Works);
            }
        }
        for (fault, status) in [
            (Fault::Scope("x"), 401),
            (Fault::Location, 403),
            (Fault::Refused(Vec::new()), 422),
            (Fault::NotFound, 400),
            (Fault::Gateway("x".into()), 404),
        ] {
            let state = after(State::Untried, &fault, Some(status));
            assert_eq!(state, State::Off, "{fault:?}");
            assert_eq!(after(state, &Fault::Timeout, None), State::Off);
            assert_eq!(state.after(Ok(()), now + REST), State::Off);
        }
        // It answered, and not as such a route would.
        let other = Error::new("POST /x", Fault::Gateway("x".into()));
        assert_eq!(State::Works.after(Err(&other), now), State::Off);
        // What was not sent tells nothing.
        let unsent = Error { reached: false, ..Error::new("POST /x", Fault::Scope("x")) };
        assert_eq!(State::Untried.after(Err(&unsent), now), State::Untried);
    }
}
