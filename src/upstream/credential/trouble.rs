//! Why a credential gives no bearer, by what can be done about it.

use std::fmt;
use std::time::{Duration, Instant};

use crate::upstream::error::{Error, Fault};

/// Why there is no bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No grant was given yet.
    NotInstalled,
    /// The upstream refuses the refresh token for good: it was used by somebody else, or the grant was taken back.
    Lost,
    /// The location is suspended upstream.
    Inactive,
    /// The upstream does not know the app, or its secret.
    App,
    /// The grant is another location's.
    OtherLocation,
    /// A company's grant that does not reach this location.
    NotReached,
    /// A company's grant without the scope that exchanging it for a location's takes.
    NotExchanged,
    /// The upstream refuses to renew, and does not say why in words that are known.
    Refused(u16),
    /// Tokens could not be written down or read, and what was not written down is not used.
    Storage(String),
    /// Another replica may have a newer token, and nobody can tell while Redis is away; this passes.
    Away,
    /// The token has characters that a header cannot carry.
    Unsendable,
    /// The upstream could not be asked; this passes.
    Upstream(Fault),
}

impl Trouble {
    /// Whether nothing but a person, or the upstream's mind, changes it.
    pub fn stays(&self) -> bool {
        !matches!(self, Self::Upstream(_) | Self::Storage(_) | Self::Away)
    }

    /// What a call to `route` fails with. It was not carried out: it had nothing to be let in with.
    pub(in crate::upstream) fn to_error(&self, route: &'static str) -> Error {
        let fault = match self {
            Self::OtherLocation => Fault::Location,
            Self::Upstream(fault) => fault.clone(),
            Self::Away => Fault::Unavailable,
            Self::Storage(_) | Self::Unsendable => Fault::Gateway(self.to_string()),
            // As if the upstream had refused the call itself: without a bearer it would have.
            _ => return Error { status: Some(401), reached: false, ..Error::new(route, Fault::Credential) },
        };
        Error { reached: false, ..Error::new(route, fault) }
    }

    /// Why access that was just granted is of no use; in words that anybody may read.
    pub fn why_not_installed(&self) -> &'static str {
        match self {
            Self::Lost | Self::NotInstalled => "The code was refused. Open /oauth/install to begin again.",
            Self::OtherLocation => "Access was granted to another location than the one that is served here.",
            Self::NotReached => "Access was granted to a company that this location does not belong to.",
            Self::NotExchanged => "The app lacks the scope oauth.write: the settings have to be mended.",
            Self::App => "The upstream does not know the app or its secret: the settings have to be mended.",
            Self::Storage(_) => "The tokens could not be kept yet: the state directory has to be mended.",
            Self::Inactive => "The location is not active upstream.",
            Self::Refused(_) | Self::Unsendable => "The upstream refused. Open /oauth/install to begin again.",
            Self::Upstream(_) | Self::Away => "The upstream could not be asked. Open /oauth/install to begin again.",
        }
    }

    /// What helps.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::NotInstalled | Self::Lost => {
                "open /oauth/install of the running gateway and allow the app, or set a new GATEWAY_OAUTH_REFRESH_TOKEN"
            }
            Self::Inactive => {
                "it goes on by itself once the location is active again; if it does not, open /oauth/install"
            }
            Self::App => "set GATEWAY_OAUTH_CLIENT_ID and GATEWAY_OAUTH_CLIENT_SECRET as the app's page shows them",
            Self::OtherLocation => {
                "open /oauth/install and choose the location of GATEWAY_LOCATION_ID, or set the id of the other one"
            }
            Self::NotReached => "install the app for this location, then open /oauth/install",
            Self::NotExchanged => "have oauth.write in GATEWAY_OAUTH_SCOPES and open /oauth/install",
            Self::Refused(_) => "try again later; if it stays, open /oauth/install",
            Self::Storage(_) => "make GATEWAY_STATE_DIR a directory that this user can write, on a disk with room",
            Self::Unsendable => "set the token again, as visible ASCII without blanks",
            Self::Away => "can GATEWAY_REDIS_URL be reached from here?",
            Self::Upstream(_) => "can GATEWAY_UPSTREAM_URL be reached from here?",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str("the app was not granted access yet"),
            Self::Lost => f.write_str("the grant is lost: its refresh token is refused"),
            Self::Inactive => f.write_str("the location is not active upstream"),
            Self::App => f.write_str("the app's id or secret is refused"),
            Self::OtherLocation => f.write_str("the grant is another location's"),
            Self::NotReached => f.write_str("the company's grant does not reach this location"),
            Self::NotExchanged => f.write_str("the company's grant lacks the scope oauth.write"),
            Self::Refused(status) => write!(f, "the upstream refuses to renew the token (HTTP {status})"),
            Self::Storage(why) => write!(f, "tokens cannot be kept in GATEWAY_STATE_DIR: {why}"),
            Self::Away => f.write_str("another replica may have a newer token, and Redis is away"),
            Self::Unsendable => f.write_str("the credential has characters that a header cannot carry"),
            Self::Upstream(fault) => write!(f, "the token could not be renewed: {fault:?}"),
        }
    }
}

impl std::error::Error for Trouble {}

/// A failure, and how long nothing is tried after it.
pub struct Failed {
    pub why: Trouble,
    until: Instant,
    times: u32,
}

impl Failed {
    /// After the one `before`, if that is not over.
    pub fn new(why: Trouble, before: Option<&Self>, now: Instant) -> Self {
        let times = before.map_or(0, |before| before.times);
        let pause = match &why {
            // Costs a look into the store, and no call, for as long as the same token is there.
            Trouble::Lost | Trouble::NotInstalled => Duration::from_secs(5),
            // It was waited for.
            Trouble::Away => Duration::from_secs(1),
            why if why.stays() => Duration::from_secs(30),
            _ => Duration::from_millis(200).saturating_mul(1 << times.min(8)).min(Duration::from_secs(30)),
        };
        Self { why, until: now + pause, times: times + 1 }
    }

    /// Whether it is too early to try again.
    pub fn waits(&self, now: Instant) -> bool {
        now < self.until
    }

    /// Tells the log, unless it was told of the same `before`.
    pub fn tell(&self, location: &str, before: Option<&Self>) {
        if before.is_none_or(|before| before.why != self.why) {
            tracing::error!(location, why = %self.why, mend = self.why.mend(), "no token");
        }
    }
}
