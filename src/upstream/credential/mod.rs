//! What opens a location upstream: a token that stays as it is, one in a file that may be replaced, or a grant of
//! OAuth 2.0 whose tokens are renewed.
//!
//! A call takes the [`Bearer`] of the moment. Where the upstream refuses that one, the call asks once for another.

mod common;
mod endpoint;
mod exchange;
mod file;
mod grant;
mod oauth;
mod pending;
mod store;
mod tokens;
mod trouble;
mod turn;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

pub use common::Common;
pub use endpoint::{App, Endpoint};
pub use file::KeyFile;
pub use oauth::{Consent, Grants, OAuth, Settings, compare};
pub use pending::{Pending, StateKey};
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
            // In boxes: each call would have room for a renewal.
            Self::OAuth(oauth) => Box::pin(oauth.bearer()).await,
        }
    }

    /// Another bearer than the one that was refused; `None`: there is no other.
    pub(super) async fn instead_of(&self, refused: &Bearer) -> Result<Option<Bearer>, Trouble> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::File(file) => Ok(file.instead_of(refused)),
            Self::OAuth(oauth) => Box::pin(oauth.instead_of(refused)).await,
        }
    }

    /// Why there is no bearer, where that will not pass by itself.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::OAuth(oauth) => oauth.trouble(),
            Self::Fixed(_) | Self::File(_) => None,
        }
    }

    /// The bearer that the next call is sent with, as far as that is known without asking anybody.
    pub(super) fn held(&self) -> Option<Bearer> {
        match self {
            Self::Fixed(bearer) => bearer.clone(),
            Self::File(file) => Some(file.bearer()),
            Self::OAuth(oauth) => oauth.held(),
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
    /// The scopes that it was granted, with blanks between, where that was told.
    granted: Option<Box<str>>,
    /// What the upstream refused it for lack of a scope, and when.
    refused: Mutex<Vec<(&'static str, Instant)>>,
}

/// How long a refusal for lack of a scope holds: a scope can be added without another token.
const REFUSED_FOR: Duration = Duration::from_secs(30);

const SCHEME: &str = "Bearer ";

impl Bearer {
    /// `None` where a header cannot carry it.
    pub fn new(token: &SecretString) -> Option<Self> {
        Self::granted(token, "")
    }

    /// The same, with these scopes; without any, it is not known which it has.
    fn granted(token: &SecretString, scopes: &str) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("{SCHEME}{}", token.expose_secret())).ok()?;
        header.set_sensitive(true);
        let granted = Some(scopes.trim()).filter(|scopes| !scopes.is_empty()).map(Into::into);
        Some(Self(Arc::new(Sent { header, accepted: AtomicBool::new(false), granted, refused: Mutex::default() })))
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

    /// Whether it may have a scope: those that it was granted were not told, or this is one of them.
    pub(super) fn was_granted(&self, scope: &str) -> bool {
        self.0.granted.as_ref().is_none_or(|granted| granted.split_whitespace().any(|one| one == scope))
    }

    /// Whether the upstream refused it this for lack of a scope not long ago.
    pub(super) fn was_refused(&self, what: &str) -> bool {
        let refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().any(|(other, at)| *other == what && at.elapsed() < REFUSED_FOR)
    }

    /// Notes that the upstream refused it this for lack of a scope.
    pub(super) fn note_refused(&self, what: &'static str) {
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|(other, _)| *other != what);
        refused.push((what, Instant::now()));
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
