//! A location's grant: the one of the settings or the one that an installation brought, and what a company's comes to.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::Bearer;
use super::common::Common;
use super::endpoint::{App, Endpoint};
use super::exchange::Exchange;
use super::grant::{Grant, Means};
use super::pending::StateKey;
use super::store::Store;
use super::tokens::{Tokens, UserType, digest};
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::replicas::Heard;
use crate::spawn;
use crate::upstream::error::Fault;

/// How often the store is asked whether an installation through another process helps.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the settings say of a location's grant.
#[derive(Clone)]
pub struct Settings {
    /// The app that is granted access.
    pub app: App,
    /// For whom the first token is.
    pub user_type: UserType,
    /// The first refresh token; later ones are in the store.
    pub first: Option<SecretString>,
    /// How consent is asked for, where that is possible.
    pub consent: Option<Consent>,
}

/// How a person is asked to grant access.
#[derive(Clone)]
pub struct Consent {
    /// The upstream's page.
    pub page: Url,
    /// Where it sends the person back to.
    pub redirect: String,
    /// The scopes that are asked for.
    pub scopes: String,
}

impl Consent {
    /// The address of the page, for an app and a state.
    fn address(&self, app: &App, state: &str) -> String {
        let mut page = self.page.clone();
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &app.id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.scopes)
            .append_pair("state", state);
        page.into()
    }
}

/// Opens the grants of all locations. Those that begin with the same token share one: it works once.
pub struct Grants {
    means: Means,
    configured: Vec<(String, Grant)>,
}

impl Grants {
    /// `endpoint`: the upstream's OAuth routes. `store`: where later tokens are kept. `common`: where other replicas have them.
    pub fn new(endpoint: Endpoint, store: Store, common: Option<Common>, clock: Clock) -> Self {
        Self { means: Means { endpoint, store, common, clock }, configured: Vec::new() }
    }

    /// The grant of a location.
    pub fn open(&mut self, location: &str, settings: Settings) -> Result<OAuth, Trouble> {
        let Settings { app, user_type, first, consent } = settings;
        let means = Means { common: self.means.common.as_ref().map(|common| common.of(&app)), ..self.means.clone() };
        let first_digest = first.as_ref().map(digest);
        let key = key(&["installed", &app.id, location]);
        let row = means.store.read(&key)?;
        // An installation outlives the token that it came after, and no other: who sets a new one means that one.
        let goes_on = row.is_some_and(|row| first_digest.is_none() || row.replaces == first_digest);
        let installed = Grant::open(key, app.clone(), user_type, location, None, first_digest.clone(), means.clone())?;
        let configured = match first {
            Some(first) => Some(self.configured(location, &app, user_type, first, means.clone())?),
            None => None,
        };
        let grant = configured.filter(|_| !goes_on).unwrap_or_else(|| installed.clone());
        Ok(OAuth(Arc::new(Parts {
            location: location.to_owned(),
            state_key: StateKey::new(&app, location),
            app,
            user_type,
            consent,
            means: means.clone(),
            installed,
            replaces: first_digest,
            grant: Mutex::new(grant),
            exchange: Exchange::new(location, means),
            looked: Mutex::default(),
        })))
    }

    fn configured(
        &mut self,
        location: &str,
        app: &App,
        user_type: UserType,
        first: SecretString,
        means: Means,
    ) -> Result<Grant, Trouble> {
        let key = key(&["configured", &app.id, &digest(&first)]);
        if let Some((_, grant)) = self.configured.iter().find(|(other, _)| *other == key) {
            return Ok(grant.clone());
        }
        let grant = Grant::open(key.clone(), app.clone(), user_type, location, Some(first), None, means)?;
        self.configured.push((key, grant.clone()));
        Ok(grant)
    }
}

/// Compares these grants with those of other replicas, for as long as anybody has them: when something is said of one, when
/// something may have been said that was not heard, and when something could not be said.
pub async fn compare(common: Common, grants: Vec<OAuth>) {
    let grants: Vec<Weak<Parts>> = grants.iter().map(|grant| Arc::downgrade(&grant.0)).collect();
    let (link, channel) = common.link();
    let mut heard = link.subscribe(vec![channel]);
    loop {
        let named = tokio::select! {
            heard = heard.next() => match heard {
                Some(Heard::Message { said, .. }) => Some(said),
                Some(Heard::Gap) => None,
                None => return,
            },
            () = common.behind() => None,
        };
        for grant in &grants {
            let Some(grant) = grant.upgrade().map(OAuth) else { return };
            grant.compare(named.as_deref()).await;
        }
    }
}

/// Under which a grant is kept: tells nothing, and has no part that another could run into.
fn key(parts: &[&str]) -> String {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A location's grant. Clones are the same one.
#[derive(Clone)]
pub struct OAuth(Arc<Parts>);

struct Parts {
    location: String,
    app: App,
    user_type: UserType,
    consent: Option<Consent>,
    state_key: StateKey,
    means: Means,
    installed: Grant,
    /// The digest of the configured token, which an installation replaces.
    replaces: Option<String>,
    /// The one in use.
    grant: Mutex<Grant>,
    exchange: Exchange,
    looked: Mutex<Option<Instant>>,
}

impl OAuth {
    pub(super) async fn bearer(&self) -> Result<Bearer, Trouble> {
        match self.bearer_now().await {
            Err(trouble) if trouble.stays() && self.was_installed_meanwhile().await => self.bearer_now().await,
            done => done,
        }
    }

    pub(super) async fn instead_of(&self, refused: &Bearer) -> Result<Option<Bearer>, Trouble> {
        let grant = self.grant();
        let Some(held) = grant.held() else {
            return self.bearer().await.map(Some);
        };
        if held.user_type == UserType::Company {
            return self.0.exchange.instead_of(refused, &grant, held).await;
        }
        match grant.after(refused).await? {
            Some(tokens) => self.bearer_of(&grant, tokens).await.map(Some),
            None => Ok(None),
        }
    }

    /// Why there is no token, where that stays.
    pub fn trouble(&self) -> Option<Trouble> {
        let grant = self.grant();
        let of_what_is_held = || match grant.held()? {
            held if held.user_type == UserType::Company => self.0.exchange.trouble(),
            held => held.is_of_another(&self.0.location).then_some(Trouble::OtherLocation),
        };
        grant.trouble().or_else(of_what_is_held)
    }

    /// Finds out whether trouble is over. A gateway that is not ready is sent no call that would.
    pub fn look_again(&self) {
        let this = self.clone();
        spawn::boxed(async move { this.bearer().await.is_ok() });
    }

    /// The location's bearer, if there is one that can be used. A company's own opens no location.
    pub(super) fn held(&self) -> Option<Bearer> {
        let held = self.grant().held()?;
        let held = match held.user_type {
            UserType::Company => self.0.exchange.held()?,
            UserType::Location => held,
        };
        held.can_be_used(self.0.means.clock.wall()).then(|| held.bearer.clone())
    }

    /// Where a person grants access; `None` where the settings do not say how to come back.
    pub fn consent_page(&self, state: &str) -> Option<String> {
        self.0.consent.as_ref().map(|consent| consent.address(&self.0.app, state))
    }

    /// What proves that it was here, or at another gateway of the app, that a person was sent there.
    pub fn state_key(&self) -> &StateKey {
        &self.0.state_key
    }

    /// Whether whoever comes back from consent comes by TLS.
    pub fn comes_back_by_tls(&self) -> bool {
        self.0.consent.as_ref().is_some_and(|consent| consent.redirect.starts_with("https://"))
    }

    /// Takes what consent gave. It goes on when whoever waits for it has gone: a code works once.
    pub async fn install(&self, code: SecretString) -> Result<(), Trouble> {
        let this = self.clone();
        let done = spawn::boxed(async move { this.redeem(&code).await }).await;
        done.unwrap_or_else(|_| {
            Err(Trouble::Upstream(Fault::Gateway("the installation ended without a result".into())))
        })
    }

    /// Buys the tokens, makes sure that they are this location's, keeps them, uses them.
    async fn redeem(&self, code: &SecretString) -> Result<(), Trouble> {
        let Parts { app, user_type, consent, means, installed, location, exchange, .. } = &*self.0;
        let redirect = consent.as_ref().map_or("", |consent| &consent.redirect);
        let tokens = means.endpoint.redeem(app, code, redirect, *user_type, means.clock.wall()).await?;
        let exchanged = match tokens.user_type {
            // Whoever gave consent may have chosen another location than the one that is served here.
            UserType::Location if tokens.location_id.as_deref() != Some(location) => {
                return Err(Trouble::OtherLocation);
            }
            UserType::Location => None,
            UserType::Company => Some(exchange.buy(&tokens).await?),
        };
        installed.install(tokens).await?;
        self.use_installed(exchanged);
        tracing::info!(location, "the app was granted access");
        Ok(())
    }

    async fn bearer_now(&self) -> Result<Bearer, Trouble> {
        let grant = self.grant();
        let tokens = grant.current().await?;
        self.bearer_of(&grant, tokens).await
    }

    async fn bearer_of(&self, grant: &Grant, tokens: Arc<Tokens>) -> Result<Bearer, Trouble> {
        match tokens.user_type {
            UserType::Company => self.0.exchange.current(grant, tokens).await,
            // It would be answered with another location's contacts.
            UserType::Location if tokens.is_of_another(&self.0.location) => Err(Trouble::OtherLocation),
            UserType::Location => Ok(tokens.bearer.clone()),
        }
    }

    /// Whether access was granted meanwhile: by way of another process of this state directory, or of this one, when
    /// the disk did not take it at once.
    async fn was_installed_meanwhile(&self) -> bool {
        {
            let now = self.0.means.clock.now();
            let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|at| now.saturating_duration_since(at) < LOOK_EVERY) {
                return false;
            }
            *looked = Some(now);
        }
        let Ok(true) = self.0.installed.adopt(self.0.replaces.as_deref()).await else {
            return false;
        };
        self.use_installed(None);
        true
    }

    /// Compares what is here of it with what other replicas have. `named`: only if it is called that.
    async fn compare(&self, named: Option<&[u8]>) {
        let Parts { installed, replaces, .. } = &*self.0;
        let is_meant =
            |grant: &Grant| named.is_none_or(|named| grant.name().is_some_and(|name| name.as_bytes() == named));
        let grant = self.grant();
        if is_meant(&grant)
            && let Err(trouble) = grant.compare().await
        {
            tracing::warn!(location = self.0.location, %trouble, "what another replica has of a grant could not be taken over");
        }
        let is_other = grant.name() != installed.name();
        if is_other && is_meant(installed) && installed.adopt(replaces.as_deref()).await == Ok(true) {
            self.use_installed(None);
        }
    }

    /// `exchanged`: what a company's tokens came to.
    fn use_installed(&self, exchanged: Option<Arc<Tokens>>) {
        *self.0.grant.lock().unwrap_or_else(PoisonError::into_inner) = self.0.installed.clone();
        self.0.exchange.begin(exchanged);
    }

    fn grant(&self) -> Grant {
        self.0.grant.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
