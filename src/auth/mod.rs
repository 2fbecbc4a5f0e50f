//! Who may ask: what a request presents becomes a caller of one location, or a refusal.
//!
//! Everything about a caller is settled before a request comes: a key has its callers ready, one for each location that
//! it opens. What a known caller costs is a digest, a look into a map, and a count of one more reference.

mod file;
mod keys;
mod reach;

use std::sync::Arc;

use crate::caller::{Caller, Scopes};
use crate::clock::Clock;
use crate::config;
use crate::upstream::Account;
use keys::Keys;
use reach::{Callers, Reach};

/// Why a request has no caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was presented, or something that opens nothing; what to do about it.
    Unauthenticated(&'static str),
    /// The caller may use several locations and named none; their ids.
    Unnamed(Vec<Box<str>>),
    /// The caller may not use the location that it named, or there is none such.
    Elsewhere,
    /// The caller may use no location of this gateway.
    Nowhere,
}

/// The gateway's way to tell callers.
pub enum Auth {
    /// Whoever reaches the gateway may do everything.
    Open(Arc<Reach>),
    /// Those who present a key of the keys file.
    Keys(Keys),
}

impl Auth {
    /// `accounts`: the locations that are served.
    pub fn new(config: &config::Auth, accounts: &[Arc<Account>], clock: Clock) -> anyhow::Result<Self> {
        let callers = Callers::new(accounts);
        Ok(match config {
            config::Auth::Open => Self::Open(callers.everywhere(Scopes::ALL)),
            config::Auth::Keys(path) => Self::Keys(Keys::open(path, callers, clock)?),
        })
    }

    /// The caller who presents `bearer` and names `location`.
    pub async fn caller(&self, bearer: Option<&[u8]>, location: Option<&[u8]>) -> Result<Arc<Caller>, Refusal> {
        match self {
            Self::Open(reach) => reach.at(location),
            Self::Keys(keys) => keys.caller(bearer, location).await,
        }
    }
}
