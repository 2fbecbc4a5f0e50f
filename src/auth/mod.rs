//! Who may ask: what a request presents becomes a caller of one location, or a refusal.
//!
//! Everything about a caller is settled before a request comes: a key has its callers ready, one for each location that
//! it opens. What a known caller costs is a digest, a look into a map, and a count of one more reference.

mod jwt;
mod keys;
mod passthrough;
mod reach;

use std::sync::Arc;

use crate::caller::{Caller, Scopes};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::upstream::{Account, Allowance, Payer};
use jwt::Jwt;
use keys::Keys;
use passthrough::Passthrough;
use reach::{Callers, Reach};

/// Why a request has no caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was presented, or something that opens nothing; what to do about it.
    Unauthenticated(&'static str),
    /// The caller has to name a location; the ids of those that it may use, where the gateway knows them.
    Unnamed(Vec<Box<str>>),
    /// The caller may not use the location that it named, or there is none such.
    Elsewhere,
    /// The caller may use no location of this gateway.
    Nowhere,
    /// What was presented cannot be checked at the moment.
    Unable,
}

/// A caller, which all share who may do the same, and who of them it is.
pub type Admitted = (Arc<Caller>, Payer);

/// The gateway's way to tell callers.
pub enum Auth {
    /// Whoever reaches the gateway may do everything.
    Open(Arc<Reach>),
    /// Those who present a key of the keys file.
    Keys(Keys),
    /// Those who present a token of an issuer.
    Jwt(Box<Jwt>),
    /// Those who present an upstream credential.
    Passthrough(Passthrough),
}

impl Auth {
    /// `accounts`: the locations that are served with the gateway's own credentials; `allowance`: for the calls of others.
    pub fn new(config: &Config, accounts: &[Arc<Account>], allowance: Allowance, clock: Clock) -> anyhow::Result<Self> {
        let callers = Callers::new(accounts);
        Ok(match &config.auth {
            config::Auth::Open { .. } => Self::Open(callers.everywhere(Scopes::ALL)),
            config::Auth::Keys(path) => Self::Keys(Keys::open(path, callers, clock)?),
            config::Auth::Jwt(settings) => Self::Jwt(Jwt::open(settings, callers, clock)?.into()),
            config::Auth::Passthrough(settings) => Self::Passthrough(Passthrough::new(settings, allowance)),
        })
    }

    /// The caller who presents `bearer` and names `location`, and who pays for what it asks.
    pub async fn caller(&self, bearer: Option<&[u8]>, location: Option<&[u8]>) -> Result<Admitted, Refusal> {
        match self {
            Self::Open(reach) => Ok((reach.at(location)?, Payer::default())),
            Self::Keys(keys) => keys.caller(bearer, location).await,
            Self::Jwt(jwt) => jwt.caller(bearer, location).await,
            // An upstream credential has a quota of its own.
            Self::Passthrough(passthrough) => Ok((passthrough.caller(bearer, location)?, Payer::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Scope;

    /// `config` knows nothing of callers, so it has the names once more.
    #[test]
    fn a_keys_file_can_name_the_scopes_that_there_are() {
        assert_eq!(Scope::ALL.map(Scope::as_str), config::keys::SCOPES);
    }
}
