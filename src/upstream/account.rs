//! One location and the credential that reads it: what all calls for it share.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::credential::{Credential, Trouble};
use super::governor::{Allowance, Governor, Limits, Standing};
use crate::cache::View;
use crate::changes::{Change, ChangeKind, ChangedResource};

/// A credential that was refused is tried again for readiness as often as this, at most.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A location of the gateway.
pub struct Account {
    /// The location's id upstream.
    pub location: Box<str>,
    /// What people call it.
    pub name: Option<Box<str>>,
    /// The zone of upstream times that name none.
    pub timezone: TimeZone,
    /// Whose cached values these are.
    pub view: View,
    /// Lets its calls go.
    pub(super) governor: Arc<Governor>,
    /// What opens it.
    pub credential: Credential,
    /// When the credential was last tried, if the upstream refused it and took it for no call since.
    refused: Mutex<Option<Instant>>,
    /// The scopes that the credential was found to lack, a bit for each. Whether it lacks them still is looked up where
    /// a bit is set, so that all others pay no more than a look at none.
    lacking: AtomicU8,
    /// Whether the credential is the caller's own, and not the gateway's.
    pub(super) is_callers: bool,
    /// Whether it is the gateway's only one, opened by a key: then whatever the key opens is meant.
    is_only: bool,
    /// Whether its key is given for other locations, too.
    opens_others: bool,
}

impl Account {
    /// With a token that stays as it is.
    pub fn new(
        location: &str,
        name: Option<&str>,
        timezone: TimeZone,
        token: SecretString,
        allowance: Allowance,
    ) -> Self {
        Self::opened_by(location, name, timezone, token.into(), allowance)
    }

    /// `allowance`: what is set for its calls.
    pub fn opened_by(
        location: &str,
        name: Option<&str>,
        timezone: TimeZone,
        credential: Credential,
        allowance: Allowance,
    ) -> Self {
        // By name, not by token: a rotated key sees the same location with the same eyes.
        let view = View::new(location, "configured");
        Self {
            location: location.into(),
            name: name.map(Into::into),
            timezone,
            view,
            governor: Governor::new(allowance, &view.name(), None),
            credential,
            refused: Mutex::default(),
            lacking: AtomicU8::new(0),
            is_callers: false,
            is_only: false,
            opens_others: false,
        }
    }

    /// The same, if it is the gateway's only one.
    #[must_use]
    pub fn only(self, is_only: bool) -> Self {
        let is_only = is_only && self.credential.oauth().is_none();
        Self { is_only, ..self }
    }

    /// The same, if its key is given for other locations, too.
    #[must_use]
    pub fn opening_others(self, opens_others: bool) -> Self {
        Self { opens_others, ..self }
    }

    /// Whether it is the gateway's only one, opened by a key.
    pub fn is_only(&self) -> bool {
        self.is_only
    }

    /// Whether the credential is the caller's own, and not the gateway's.
    pub fn is_callers(&self) -> bool {
        self.is_callers
    }

    /// Whether its key opens other locations, too.
    pub fn opens_others(&self) -> bool {
        self.opens_others
    }

    /// Whether a record of this location may be shown. A credential may reach further than the location that it was named
    /// for, and then what is elsewhere does not exist here.
    pub fn shows(&self, location: &str) -> bool {
        self.is_only || *self.location == *location
    }

    /// What those are told who watch this location, when something of a contact changed. `id`: the id of what changed.
    pub fn change(&self, kind: ChangeKind, resource: ChangedResource, id: Option<&str>, contact: &str) -> Change {
        Change {
            location: (&*self.location).into(),
            kind,
            resource,
            resource_id: id.map(Into::into),
            contact: contact.into(),
        }
    }

    /// A location as a caller's own credential sees it. `places`: for the calls of all who ask the location.
    pub fn of_caller(
        location: &str,
        timezone: TimeZone,
        token: SecretString,
        allowance: Allowance,
        places: Arc<Semaphore>,
    ) -> Self {
        let view = View::new(location, &format!("of a caller: {}", token.expose_secret()));
        let governor = Governor::new(allowance.clone(), &view.name(), Some(places));
        Self { view, governor, is_callers: true, ..Self::new(location, None, timezone, token, allowance) }
    }

    /// What the upstream last said of its limits.
    pub fn limits(&self) -> Limits {
        self.governor.limits()
    }

    /// What is known of its calls.
    pub fn standing(&self) -> Standing {
        self.governor.standing()
    }

    /// Whether calls may be sent that nobody asked for.
    pub fn has_plenty(&self) -> bool {
        self.governor.has_plenty()
    }

    /// How many calls may still be sent in this window, as far as the upstream told its limit.
    pub fn quota_left(&self) -> Option<u32> {
        self.standing().left
    }

    /// Whether the upstream refused the credential when it was last used. A grant in trouble stays so until it is out of it.
    pub fn is_refused(&self) -> bool {
        self.refused().is_some() || self.credential.trouble().is_some()
    }

    /// Whether a refused credential is to be tried again now. Who is told so does it: nobody else is for a while.
    pub(super) fn takes_look(&self) -> bool {
        let now = self.governor.now();
        let mut refused = self.refused();
        let is_due = refused.is_some_and(|tried| now.saturating_duration_since(tried) >= LOOK_EVERY);
        if is_due {
            *refused = Some(now);
        }
        is_due
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known that the credential lacks a scope: from what was granted, or because the upstream said so not long
    /// ago. What is not known, the upstream tells.
    pub fn lacks(&self, scope: &str) -> bool {
        let lacking = self.lacking.load(Ordering::Relaxed);
        lacking != 0 && lacking & bit(scope) != 0 && self.lacks_still(scope)
    }

    /// The same, also where no call needed the scope yet. Goes by the bearer of the moment: of another token, nothing is known of
    /// the one before.
    pub fn lacks_still(&self, scope: &str) -> bool {
        let held = self.credential.held();
        let lacks = held.is_some_and(|bearer| !bearer.was_granted(scope) || bearer.was_refused(scope));
        if !lacks {
            self.lacking.fetch_and(!bit(scope), Ordering::Relaxed);
        }
        lacks
    }

    pub(super) fn note_lacking(&self, scope: &str) {
        self.lacking.fetch_or(bit(scope), Ordering::Relaxed);
    }

    /// Takes the code that consent gave, where the location is opened by a grant. What was refused before is over.
    pub async fn install(&self, code: SecretString) -> Result<(), Trouble> {
        let oauth = self.credential.oauth().ok_or(Trouble::NotInstalled)?;
        oauth.install(code).await?;
        self.note_refused(false);
        Ok(())
    }

    /// Finds out whether a grant is out of trouble.
    pub fn look_again(&self) {
        if let Some(oauth) = self.credential.oauth().filter(|oauth| oauth.trouble().is_some()) {
            oauth.look_again();
        }
    }

    pub(super) fn note_refused(&self, refused: bool) {
        *self.refused() = refused.then(|| self.governor.now());
    }
}

/// The scope's place among those that are asked for.
fn bit(scope: &str) -> u8 {
    match scope {
        "contacts.readonly" => 1,
        "contacts.write" => 2,
        _ => 0,
    }
}

// One view, one account: what differs besides is the state of its calls.
impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.view == other.view
    }
}

impl Eq for Account {}

impl Hash for Account {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view.hash(state);
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("location", &self.location).finish_non_exhaustive()
    }
}
