//! The refusals that look alike by their status and mean different things, each by a name that a rule can give.

use super::answer::Refusal;
use serde::Deserialize;

/// A 401 or 403 in the API's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// `invalid-jwt`: an access token that is not, or not any more, accepted.
    InvalidJwt,
    /// `invalid-token`: the same in other words.
    InvalidToken,
    /// `invalid-private-token`: a private integration token that is not accepted.
    InvalidPrivateToken,
    /// `scope`: the token lacks the route's scope.
    Scope,
    /// `no-version`: as if the version header had not been sent.
    NoVersion,
    /// `bad-version`: as if its value were not known.
    BadVersion,
    /// `timed-out`: the API was too slow, and says so with 401.
    TimedOut,
    /// `unauthorized`: no reason, as for a path in the wrong case.
    Unauthorized,
    /// `wrong-location`: 403, the token is another location's.
    WrongLocation,
    /// `forbidden`: 403, for companies only.
    Forbidden,
}

impl Variant {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::InvalidJwt => Refusal::Unauthorized("Invalid JWT"),
            Self::InvalidToken => Refusal::Unauthorized("Invalid token: access token is invalid"),
            Self::InvalidPrivateToken => Refusal::Unauthorized("Invalid Private Integration token"),
            Self::Scope => Refusal::Unauthorized("The token is not authorized for this scope."),
            Self::NoVersion => Refusal::Version("version header was not found."),
            Self::BadVersion => Refusal::Version("version header is invalid"),
            Self::TimedOut => Refusal::TimedOut,
            Self::Unauthorized => Refusal::Unauthorized("Unauthorized"),
            Self::WrongLocation => Refusal::WrongLocation,
            Self::Forbidden => Refusal::Forbidden,
        }
    }
}
