//! A location's grant: the one of the settings or the one that an installation brought, and what a company's comes to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::Bearer;
use super::endpoint::{App, Endpoint};
use super::grant::{Grant, Means};
use super::store::Store;
use super::tokens::{Tokens, UserType, digest};
use super::trouble::Trouble;
use super::turn::Turn;
use crate::clock::Clock;

/// How often the store is asked whether an installation through another process helps.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A location's token that is younger and was never let in is not exchanged anew.
const FRESH: Duration = Duration::from_secs(30);

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
    /// `endpoint`: the upstream's OAuth routes. `store`: where later tokens are kept.
    pub fn new(endpoint: Endpoint, store: Store, clock: Clock) -> Self {
        Self { means: Means { endpoint, store, clock }, configured: Vec::new() }
    }

    /// The grant of a location.
    pub fn open(&mut self, location: &str, settings: Settings) -> Result<OAuth, Trouble> {
        let Settings { app, user_type, first, consent } = settings;
        let first_digest = first.as_ref().map(digest);
        let key = key(&["installed", &app.id, location]);
        let row = self.means.store.read(&key)?;
        // An installation outlives the token that it came after, and no other: who sets a new one means that one.
        let goes_on = row.is_some_and(|row| first_digest.is_none() || row.replaces == first_digest);
        let installed =
            Grant::open(key, app.clone(), user_type, location, None, first_digest.clone(), self.means.clone())?;
        let configured = match first {
            Some(first) => Some(self.configured(location, &app, user_type, first)?),
            None => None,
        };
        let grant = configured.filter(|_| !goes_on).unwrap_or_else(|| installed.clone());
        Ok(OAuth(Arc::new(Parts {
            location: location.to_owned(),
            app,
            user_type,
            consent,
            means: self.means.clone(),
            installed,
            replaces: first_digest,
            grant: Mutex::new(grant),
            exchanged: Mutex::default(),
            turn: Turn::default(),
            looked: Mutex::default(),
        })))
    }

    fn configured(
        &mut self,
        location: &str,
        app: &App,
        user_type: UserType,
        first: SecretString,
    ) -> Result<Grant, Trouble> {
        let key = key(&["configured", &app.id, &digest(&first)]);
        if let Some((_, grant)) = self.configured.iter().find(|(other, _)| *other == key) {
            return Ok(grant.clone());
        }
        let means = self.means.clone();
        let grant = Grant::open(key.clone(), app.clone(), user_type, location, Some(first), None, means)?;
        self.configured.push((key, grant.clone()));
        Ok(grant)
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
    means: Means,
    installed: Grant,
    /// The digest of the configured token, which an installation replaces.
    replaces: Option<String>,
    /// The one in use.
    grant: Mutex<Grant>,
    exchanged: Mutex<Option<Exchanged>>,
    turn: Turn<Result<Arc<Tokens>, Trouble>>,
    looked: Mutex<Option<Instant>>,
}

/// A location's token that a company's was exchanged for.
struct Exchanged {
    tokens: Arc<Tokens>,
    at: Instant,
}

impl OAuth {
    pub(super) async fn bearer(&self) -> Result<Bearer, Trouble> {
        let grant = self.grant();
        match grant.current().await {
            Ok(tokens) => self.bearer_of(&grant, tokens).await,
            Err(trouble) if trouble.stays() && self.was_installed_elsewhere().await => {
                let grant = self.grant();
                let tokens = grant.current().await?;
                self.bearer_of(&grant, tokens).await
            }
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn instead_of(&self, refused: &Bearer) -> Result<Option<Bearer>, Trouble> {
        let grant = self.grant();
        let Some(held) = grant.held() else {
            return self.bearer().await.map(Some);
        };
        if held.user_type == UserType::Company {
            return self.exchanged_instead_of(refused, &grant, held).await;
        }
        match grant.after(refused).await? {
            Some(tokens) => self.bearer_of(&grant, tokens).await.map(Some),
            None => Ok(None),
        }
    }

    /// Why there is no token, where that stays.
    pub fn trouble(&self) -> Option<Trouble> {
        self.grant().trouble()
    }

    /// Finds out whether trouble is over. A gateway that is not ready is sent no call that would.
    pub fn look_again(&self) {
        let this = self.clone();
        tokio::spawn(async move { this.bearer().await.is_ok() });
    }

    pub(super) fn scopes(&self) -> Option<Vec<String>> {
        let exchanged = self.exchanged().as_ref().map(|exchanged| exchanged.tokens.clone());
        let tokens = exchanged.or_else(|| self.grant().held())?;
        Some(tokens.scope.split_whitespace().map(str::to_owned).collect())
    }

    /// Where a person grants access; `None` where the settings do not say how to come back.
    pub fn consent_page(&self, state: &str) -> Option<String> {
        self.0.consent.as_ref().map(|consent| consent.address(&self.0.app, state))
    }

    /// Whether whoever comes back from consent comes by TLS.
    pub fn comes_back_by_tls(&self) -> bool {
        self.0.consent.as_ref().is_some_and(|consent| consent.redirect.starts_with("https://"))
    }

    /// Takes what consent gave: buys the tokens, makes sure that they are this location's, keeps them, uses them.
    pub async fn install(&self, code: &SecretString) -> Result<(), Trouble> {
        let Parts { app, user_type, consent, means, installed, location, .. } = &*self.0;
        let redirect = consent.as_ref().map_or("", |consent| &consent.redirect);
        let tokens = means.endpoint.redeem(app, code, redirect, *user_type, means.clock.wall()).await?;
        let exchanged = match tokens.user_type {
            // Whoever gave consent may have chosen another location than the one that is served here.
            UserType::Location if tokens.location_id.as_deref() != Some(location) => {
                return Err(Trouble::OtherLocation);
            }
            UserType::Location => None,
            UserType::Company => Some(self.exchange(&tokens).await?),
        };
        installed.install(tokens).await?;
        *self.exchanged() = exchanged.map(|tokens| Exchanged { tokens, at: means.clock.now() });
        *self.0.grant.lock().unwrap_or_else(PoisonError::into_inner) = installed.clone();
        tracing::info!(location, "the app was granted access");
        Ok(())
    }

    async fn bearer_of(&self, grant: &Grant, tokens: Arc<Tokens>) -> Result<Bearer, Trouble> {
        match tokens.user_type {
            // It would be answered with another location's contacts.
            UserType::Location if tokens.location_id.as_ref().is_some_and(|id| *id != self.0.location) => {
                Err(Trouble::OtherLocation)
            }
            UserType::Location => Ok(tokens.bearer.clone()),
            UserType::Company => {
                let now = self.0.means.clock.wall();
                let held = self.exchanged().as_ref().map(|exchanged| exchanged.tokens.clone());
                match held.filter(|held| held.can_be_used(now)) {
                    Some(held) => Ok(held.bearer.clone()),
                    None => self.exchange_from(grant, tokens, None).await,
                }
            }
        }
    }

    async fn exchanged_instead_of(
        &self,
        refused: &Bearer,
        grant: &Grant,
        company: Arc<Tokens>,
    ) -> Result<Option<Bearer>, Trouble> {
        let now = self.0.means.clock.now();
        match &*self.exchanged() {
            Some(held) if !held.tokens.bearer.is(refused) => return Ok(Some(held.tokens.bearer.clone())),
            Some(held) if now.saturating_duration_since(held.at) < FRESH && !refused.is_accepted() => return Ok(None),
            _ => {}
        }
        self.exchange_from(grant, company, Some(refused.clone())).await.map(Some)
    }

    /// One exchange at a time. `refused`: the location's token that is not good enough.
    async fn exchange_from(
        &self,
        grant: &Grant,
        company: Arc<Tokens>,
        refused: Option<Bearer>,
    ) -> Result<Bearer, Trouble> {
        let (this, grant) = (self.clone(), grant.clone());
        let work = async move {
            let held = this.exchanged().as_ref().map(|exchanged| exchanged.tokens.clone());
            let is_refused = |tokens: &Tokens| refused.as_ref().is_some_and(|refused| tokens.bearer.is(refused));
            let now = this.0.means.clock.wall();
            if let Some(held) = held.filter(|held| !is_refused(held) && held.can_be_used(now)) {
                return Ok(held);
            }
            let tokens = match this.exchange(&company).await {
                Err(Trouble::Lost) => match grant.after(&company.bearer).await? {
                    Some(company) => this.exchange(&company).await?,
                    None => return Err(Trouble::Lost),
                },
                done => done?,
            };
            *this.exchanged() = Some(Exchanged { tokens: tokens.clone(), at: this.0.means.clock.now() });
            Ok(tokens)
        };
        let done = self.0.turn.take(work).await.unwrap_or(Err(Trouble::Refused(0)));
        done.map(|tokens| tokens.bearer.clone())
    }

    async fn exchange(&self, company: &Tokens) -> Result<Arc<Tokens>, Trouble> {
        let Parts { means, location, .. } = &*self.0;
        let company_id = company.company_id.as_deref().unwrap_or_default();
        let tokens = means.endpoint.exchange(&company.bearer, company_id, location, means.clock.wall()).await?;
        company.bearer.accept();
        match tokens.location_id.as_ref().is_some_and(|id| id != location) {
            true => Err(Trouble::OtherLocation),
            false => Ok(Arc::new(tokens)),
        }
    }

    /// Whether another process of this state directory was granted access meanwhile.
    async fn was_installed_elsewhere(&self) -> bool {
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
        *self.0.grant.lock().unwrap_or_else(PoisonError::into_inner) = self.0.installed.clone();
        true
    }

    fn grant(&self) -> Grant {
        self.0.grant.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn exchanged(&self) -> MutexGuard<'_, Option<Exchanged>> {
        self.0.exchanged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
