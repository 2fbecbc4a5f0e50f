//! A location's token that a company's is exchanged for: got when it is needed, held in memory, one at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Bearer;
use super::grant::{Grant, Means, tried};
use super::tokens::Tokens;
use super::trouble::{Failed, Trouble};
use super::turn::Turn;

/// A location's token that is younger and was never let in is not exchanged anew.
const FRESH: Duration = Duration::from_secs(30);

/// What a company's grant comes to at one location. Clones are the same one.
#[derive(Clone)]
pub struct Exchange(Arc<Parts>);

struct Parts {
    location: String,
    means: Means,
    state: Mutex<State>,
    turn: Turn<Result<Arc<Tokens>, Trouble>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
}

struct Held {
    tokens: Arc<Tokens>,
    at: Instant,
}

impl Exchange {
    pub fn new(location: &str, means: Means) -> Self {
        let parts = Parts { location: location.to_owned(), means, state: Mutex::default(), turn: Turn::default() };
        Self(Arc::new(parts))
    }

    /// The token of the moment, whether or not it can be used.
    pub fn held(&self) -> Option<Arc<Tokens>> {
        self.state().held.as_ref().map(|held| held.tokens.clone())
    }

    /// Why there will be no token.
    pub fn trouble(&self) -> Option<Trouble> {
        self.state().failed.as_ref().map(|failed| failed.why.clone()).filter(Trouble::stays)
    }

    /// Begins anew, with what another company's grant came to, if that is known.
    pub fn begin(&self, tokens: Option<Arc<Tokens>>) {
        let held = tokens.map(|tokens| Held { tokens, at: self.0.means.clock.now() });
        *self.state() = State { held, failed: None };
    }

    /// The token of the moment; got where there is none that can be used.
    pub async fn current(&self, grant: &Grant, company: Arc<Tokens>) -> Result<Bearer, Trouble> {
        match self.held().filter(|held| held.can_be_used(self.0.means.clock.wall())) {
            Some(held) => Ok(held.bearer.clone()),
            None => self.renew(grant, company).await,
        }
    }

    /// The token after the one that was refused; `None` where another would not help.
    pub async fn instead_of(
        &self,
        refused: &Bearer,
        grant: &Grant,
        company: Arc<Tokens>,
    ) -> Result<Option<Bearer>, Trouble> {
        {
            let now = self.0.means.clock.now();
            let mut state = self.state();
            match &state.held {
                Some(held) if !held.tokens.bearer.is(refused) => return Ok(Some(held.tokens.bearer.clone())),
                Some(held) if now.saturating_duration_since(held.at) < FRESH && !refused.is_accepted() => {
                    return Ok(None);
                }
                _ => state.held = None,
            }
        }
        self.renew(grant, company).await.map(Some)
    }

    async fn renew(&self, grant: &Grant, company: Arc<Tokens>) -> Result<Bearer, Trouble> {
        if let Some(failed) = self.state().failed.as_ref().filter(|failed| failed.waits(self.0.means.clock.now())) {
            return Err(failed.why.clone());
        }
        let done = self.0.turn.take(self.clone().renewal(grant.clone(), company)).await;
        done.unwrap_or(Err(Trouble::Refused(0))).map(|tokens| tokens.bearer.clone())
    }

    /// Exchanges, and notes how that went.
    async fn renewal(self, grant: Grant, company: Arc<Tokens>) -> Result<Arc<Tokens>, Trouble> {
        let clock = &self.0.means.clock;
        // Somebody was faster.
        if let Some(held) = self.held().filter(|held| held.can_be_used(clock.wall())) {
            return Ok(held);
        }
        let done = match self.buy(&company).await {
            Err(Trouble::Lost) => match grant.after(&company.bearer).await {
                Ok(Some(company)) => self.buy(&company).await,
                Ok(None) => Err(Trouble::Lost),
                Err(trouble) => Err(trouble),
            },
            done => done,
        };
        match &done {
            Ok(tokens) => self.begin(Some(tokens.clone())),
            Err(why) => {
                let mut state = self.state();
                let before = state.failed.take();
                let failed = Failed::new(why.clone(), before.as_ref(), clock.now());
                failed.tell(&self.0.location, before.as_ref());
                state.failed = Some(failed);
            }
        }
        done
    }

    /// The location's token for the company's.
    pub async fn buy(&self, company: &Tokens) -> Result<Arc<Tokens>, Trouble> {
        let Parts { means: Means { endpoint, clock, .. }, location, .. } = &*self.0;
        let id = company.company_id.as_deref().unwrap_or_default();
        let tokens =
            tried(location, || true, || endpoint.exchange(&company.bearer, id, location, clock.wall())).await?;
        company.bearer.accept();
        match tokens.is_of_another(location) {
            true => Err(Trouble::OtherLocation),
            false => Ok(Arc::new(tokens)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
