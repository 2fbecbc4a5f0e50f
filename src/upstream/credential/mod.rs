//! What opens a location upstream: a token that stays as it is, one in a file that may be replaced, or a grant of
//! OAuth 2.0 whose tokens are renewed.
//!
//! A call takes the [`Bearer`] of the moment. Where the upstream refuses that one, the call asks once for another.

mod endpoint;
mod file;
mod grant;
mod oauth;
mod pending;
mod store;
mod tokens;
mod trouble;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

pub use endpoint::{App, Endpoint};
pub use file::KeyFile;
pub use oauth::{Consent, Grants, OAuth, Settings};
pub use pending::Pending;
pub use store::Store;
pub use tokens::UserType;
pub use trouble::Trouble;

/// What opens a location.
pub enum Credential {
    /// A token that stays as it is: a private integration's, or a caller's own.
    Fixed(Option<Bearer>),
    /// A token in a file.
    File(KeyFile),
    /// A grant to an app.
    OAuth(OAuth),
}

impl From<SecretString> for Credential {
    fn from(token: SecretString) -> Self {
        Self::Fixed(Bearer::new(&token))
    }
}

impl From<KeyFile> for Credential {
    fn from(file: KeyFile) -> Self {
        Self::File(file)
    }
}

impl From<OAuth> for Credential {
    fn from(oauth: OAuth) -> Self {
        Self::OAuth(oauth)
    }
}

impl Credential {
    /// The bearer of the moment. Waits where it has to be renewed first.
    pub(super) async fn bearer(&self) -> Result<Bearer, Trouble> {
        match self {
            Self::Fixed(bearer) => bearer.clone().ok_or(Trouble::Unsendable),
            Self::File(file) => Ok(file.bearer()),
            Self::OAuth(oauth) => oauth.bearer().await,
        }
    }

    /// Another bearer than the one that was refused; `None`: there is no other.
    pub(super) async fn instead_of(&self, refused: &Bearer) -> Result<Option<Bearer>, Trouble> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::File(file) => Ok(file.instead_of(refused)),
            Self::OAuth(oauth) => oauth.instead_of(refused).await,
        }
    }

    /// Why there is no bearer, where that will not pass by itself.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::OAuth(oauth) => oauth.trouble(),
            Self::Fixed(_) | Self::File(_) => None,
        }
    }

    /// The scopes that the upstream said were granted; a private integration's are not told.
    pub fn scopes(&self) -> Option<Vec<String>> {
        match self {
            Self::OAuth(oauth) => oauth.scopes(),
            Self::Fixed(_) | Self::File(_) => None,
        }
    }

    /// The grant, if it is one.
    pub fn oauth(&self) -> Option<&OAuth> {
        match self {
            Self::OAuth(oauth) => Some(oauth),
            Self::Fixed(_) | Self::File(_) => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::File(_) => "File",
            Self::OAuth(_) => "OAuth",
        })
    }
}

/// A token as it is sent. Clones are the same bearer.
#[derive(Clone)]
pub struct Bearer(Arc<Sent>);

struct Sent {
    /// Made once, and marked so that no library writes it into a log.
    header: HeaderValue,
    accepted: AtomicBool,
}

const SCHEME: &str = "Bearer ";

impl Bearer {
    /// `None` where a header cannot carry it.
    pub fn new(token: &SecretString) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("{SCHEME}{}", token.expose_secret())).ok()?;
        header.set_sensitive(true);
        Some(Self(Arc::new(Sent { header, accepted: AtomicBool::new(false) })))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.header.clone()
    }

    /// The token itself.
    pub(super) fn token(&self) -> &str {
        self.0.header.to_str().ok().and_then(|text| text.strip_prefix(SCHEME)).unwrap_or_default()
    }

    /// Notes that the upstream let it in.
    pub(super) fn accept(&self) {
        self.0.accepted.store(true, Ordering::Relaxed);
    }

    /// Whether the upstream ever let it in. One that it never did is not made better by another renewal.
    fn is_accepted(&self) -> bool {
        self.0.accepted.load(Ordering::Relaxed)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}
