//! A grant: the newest pair of tokens, and the one way to the next.
//!
//! A refresh token works once. So one renewal of a grant is under way at a time, in this process (`turn`) and among
//! those that share the state directory (`Store::hold`) or a Redis (`Common::turn`); whoever needs a token meanwhile waits for that one; and
//! a new pair is on the disk before anybody is given it. docs/decisions/0041 goes through what a crash
//! leaves, and 0104 through what several replicas come to.

mod installed;
mod others;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use secrecy::SecretString;
use tokio::time::sleep;

use super::Bearer;
use super::common::{Common, Lock};
use super::endpoint::{App, Endpoint};
use super::store::Store;
use super::tokens::{Row, Tokens, UserType, digest};
use super::trouble::{Failed, Trouble};
use super::turn::Turn;
use crate::clock::Clock;
use crate::upstream::error::Fault;
use others::Whose;

/// A token that was renewed less than this ago and was never let in is not renewed again.
const FRESH: Duration = Duration::from_secs(30);

/// So many renewals for refused tokens may follow each other within a minute. An upstream that accepts a token here and
/// refuses it there would otherwise cost one for every call.
const QUICK: u32 = 5;

/// How often a token is asked for before that has failed.
const TRIES: u32 = 3;

/// What all grants share.
#[derive(Clone)]
pub struct Means {
    pub endpoint: Endpoint,
    pub store: Store,
    /// What is shared with other replicas, where there are some.
    pub common: Option<Common>,
    pub clock: Clock,
}

/// A grant. Clones are the same one.
#[derive(Clone)]
pub struct Grant(Arc<Parts>);

struct Parts {
    key: String,
    app: App,
    /// What to ask for, until an answer said what it is.
    user_type: UserType,
    /// The location that may ask for a new code when all is lost.
    location: String,
    /// The token of the settings.
    first: Option<SecretString>,
    /// What an installed row says beside its tokens.
    replaces: Option<String>,
    means: Means,
    state: Mutex<State>,
    turn: Turn<Result<Arc<Tokens>, Trouble>>,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Tokens>>,
    /// Whether the upstream refused what is held.
    refused: bool,
    /// A pair that the upstream gave and the disk did not take. It is not used before it did.
    unkept: Option<Arc<Tokens>>,
    failed: Option<Failed>,
    /// The digest of a refresh token that was refused for good.
    dead: Option<String>,
    /// Whether what is held was sent under a lock that was not kept: another replica may have sent it since.
    is_shaken: bool,
    renewed: Option<Instant>,
    quick: u32,
}

impl State {
    fn is_usable(&self, now: SystemTime) -> bool {
        !self.refused && self.held.as_ref().is_some_and(|held| held.can_be_used(now))
    }
}

impl Grant {
    /// The grant that is kept under `key`; without a row, the one of the settings.
    pub fn open(
        key: String,
        app: App,
        user_type: UserType,
        location: &str,
        first: Option<SecretString>,
        replaces: Option<String>,
        means: Means,
    ) -> Result<Self, Trouble> {
        let held = means.store.read(&key)?.map(Tokens::kept).transpose()?.map(Arc::new);
        let state = Mutex::new(State { held, ..State::default() });
        let location = location.to_owned();
        let parts = Parts { key, app, user_type, location, first, replaces, means, state, turn: Turn::default() };
        Ok(Self(Arc::new(parts)))
    }

    /// The pair of the moment. One that is about to expire is renewed, and waited for only if it cannot be used any more.
    pub async fn current(&self) -> Result<Arc<Tokens>, Trouble> {
        let now = self.0.means.clock.wall();
        let seen = {
            let state = self.state();
            let waits = state.failed.as_ref().filter(|failed| failed.waits(self.0.means.clock.now()));
            match (&state.held, waits) {
                (Some(held), _) if state.is_usable(now) => {
                    let held = held.clone();
                    if held.should_be_renewed(now) && waits.is_none() {
                        drop(state);
                        // Goes on by itself.
                        drop(self.0.turn.take(self.clone().renewal(Some(held.clone()))));
                    }
                    return Ok(held);
                }
                (_, Some(failed)) => return Err(failed.why.clone()),
                (held, None) => held.clone(),
            }
        };
        self.renew_from(seen).await
    }

    /// The pair after the one whose bearer was refused; `None` where a renewal would not help.
    pub async fn after(&self, refused: &Bearer) -> Result<Option<Arc<Tokens>>, Trouble> {
        let seen = {
            let mut state = self.state();
            let now = self.0.means.clock.now();
            let since = state.renewed.map(|at| now.saturating_duration_since(at));
            match &state.held {
                Some(held) if !held.bearer.is(refused) && !state.refused => return Ok(Some(held.clone())),
                _ if since.is_some_and(|since| since < FRESH) && !refused.is_accepted() => return Ok(None),
                _ => {}
            }
            // Of all who were refused, the first decides; the others join.
            if !state.refused {
                match since {
                    Some(since) if since < Duration::from_secs(60) => state.quick += 1,
                    _ => state.quick = 0,
                }
                if state.quick > QUICK {
                    return Ok(None);
                }
                state.refused = true;
            }
            if let Some(failed) = state.failed.as_ref().filter(|failed| failed.waits(now)) {
                return Err(failed.why.clone());
            }
            state.held.clone()
        };
        self.renew_from(seen).await.map(Some)
    }

    /// The newest pair, whether or not it can be used.
    pub fn held(&self) -> Option<Arc<Tokens>> {
        self.state().held.clone()
    }

    /// Why there will be no token.
    pub fn trouble(&self) -> Option<Trouble> {
        let state = self.state();
        if state.is_usable(self.0.means.clock.wall()) {
            return None;
        }
        let failed = state.failed.as_ref().map(|failed| &failed.why);
        let never = (state.held.is_none() && self.0.first.is_none()).then_some(Trouble::NotInstalled);
        failed.filter(|why| why.stays()).cloned().or(never)
    }

    async fn renew_from(&self, seen: Option<Arc<Tokens>>) -> Result<Arc<Tokens>, Trouble> {
        let ended = "the renewal ended without a result";
        let done = self.0.turn.take(self.clone().renewal(seen)).await;
        done.unwrap_or_else(|| Err(Trouble::Upstream(Fault::Gateway(ended.into()))))
    }

    /// Renews, and notes how that went. `seen`: the pair that is not good enough.
    async fn renewal(self, seen: Option<Arc<Tokens>>) -> Result<Arc<Tokens>, Trouble> {
        let done = self.renew(seen).await;
        let mut state = self.state();
        match &done {
            Ok(_) => state.failed = None,
            Err(why) => {
                let before = state.failed.take();
                let failed = Failed::new(why.clone(), before.as_ref(), self.0.means.clock.now());
                failed.tell(&self.0.location, before.as_ref());
                state.failed = Some(failed);
            }
        }
        done
    }

    async fn renew(&self, seen: Option<Arc<Tokens>>) -> Result<Arc<Tokens>, Trouble> {
        let Means { store, clock, .. } = &self.0.means;
        let is_seen = |tokens: &Tokens| seen.as_ref().is_some_and(|seen| seen.bearer.token() == tokens.bearer.token());
        // Somebody was faster: in this process, ...
        if let Some(held) = self.held().filter(|held| !is_seen(held) && held.can_be_used(clock.wall())) {
            return Ok(held);
        }
        let _hold = store.hold(&self.0.key).await?;
        if let Some(kept) = self.keep_unkept().await? {
            return Ok(kept);
        }
        let kept = store.get(&self.0.key).await?.map(Tokens::kept).transpose()?;
        // ... or in another one.
        if let Some(kept) = kept.filter(|kept| !is_seen(kept)) {
            let kept = Arc::new(kept);
            self.take_over(&kept);
            if kept.can_be_used(clock.wall()) {
                return Ok(kept);
            }
        }
        // Or at another replica.
        loop {
            match self.turn().await? {
                Whose::Mine(lock) => {
                    if let Some(done) = self.buy(lock).await {
                        return done;
                    }
                }
                Whose::Others(newer) => {
                    let newer = self.take_from_others(newer).await?;
                    if newer.can_be_used(clock.wall()) && !is_seen(&newer) {
                        return Ok(newer);
                    }
                }
            }
        }
    }

    /// Gets the next pair; `None`: none came, and it is no longer certain whose turn it is.
    async fn buy(&self, lock: Option<Lock>) -> Option<Result<Arc<Tokens>, Trouble>> {
        let Means { endpoint, clock, .. } = &self.0.means;
        let held = self.held();
        let version = held.as_ref().map_or(0, |held| held.version);
        let Some(token) = held.as_ref().map(|held| &held.refresh).or(self.0.first.as_ref()) else {
            return Some(Err(Trouble::NotInstalled));
        };
        let user_type = held.as_ref().map_or(self.0.user_type, |held| held.user_type);
        if self.state().dead.as_ref().is_some_and(|dead| *dead == digest(token)) {
            return Some(Err(Trouble::Lost));
        }
        // Again where no answer came: if the token was used, its successor is lost anyway, and if it was not, the next
        // try brings it. But another replica may have used it since, if it could get its turn.
        let may_again = || lock.as_ref().is_none_or(Lock::is_held);
        let ask = || endpoint.refresh(&self.0.app, token, user_type, clock.wall());
        match tried(&self.0.location, may_again, ask).await {
            Ok(tokens) => Some(self.keep(Arc::new(tokens.after(version)), lock).await),
            Err(Trouble::Lost) => Some(self.replace(version, user_type, held.as_deref(), digest(token), lock).await),
            Err(Trouble::Upstream(_)) if !may_again() => {
                self.state().is_shaken = true;
                None
            }
            Err(trouble) => Some(Err(trouble)),
        }
    }

    /// What takes the place of a pair whose refresh token was refused for good.
    async fn replace(
        &self,
        version: u64,
        user_type: UserType,
        held: Option<&Tokens>,
        refused: String,
        lock: Option<Lock>,
    ) -> Result<Arc<Tokens>, Trouble> {
        // Its successor may be there, if it was used by a replica that could not say so.
        if let Some(newer) = self.newer(version).await {
            return self.take_from_others(newer).await;
        }
        match self.reconnect(user_type, held).await {
            Some(tokens) => self.keep(Arc::new(tokens.after(version)), lock).await,
            None => {
                self.state().dead = Some(refused);
                Err(Trouble::Lost)
            }
        }
    }

    /// The upstream gives a new code to an app whose tokens are gone while it is still installed. A company's is asked for by
    /// the company, where an answer ever told which that is.
    async fn reconnect(&self, user_type: UserType, held: Option<&Tokens>) -> Option<Tokens> {
        let Means { endpoint, clock, .. } = &self.0.means;
        let company = held.filter(|_| user_type == UserType::Company).and_then(|held| held.company_id.as_deref());
        let whose = company.map_or(("locationId", &*self.0.location), |company| ("companyId", company));
        let code = endpoint.reconnect(&self.0.app, whose).await?;
        let tokens = endpoint.redeem(&self.0.app, &code, "", user_type, clock.wall()).await.ok()?;
        // A location's in the place of a company's would open that location alone.
        if tokens.user_type != user_type {
            return None;
        }
        tracing::warn!(location = self.0.location, "the grant was lost; the upstream gave a new one");
        Some(tokens)
    }

    /// Writes the pair down, here and for the other replicas, and only then gives it to anybody.
    async fn keep(&self, tokens: Arc<Tokens>, lock: Option<Lock>) -> Result<Arc<Tokens>, Trouble> {
        match self.put(&tokens, lock).await? {
            Some(newer) => self.take_from_others(newer).await,
            None => {
                self.begin(&tokens);
                Ok(tokens)
            }
        }
    }

    /// The same with a pair that the disk did not take, if there is one.
    async fn keep_unkept(&self) -> Result<Option<Arc<Tokens>>, Trouble> {
        let unkept = self.state().unkept.clone();
        match unkept {
            Some(unkept) => self.keep(unkept, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// Writes the pair down; gives what other replicas have that is newer.
    async fn put(&self, tokens: &Arc<Tokens>, lock: Option<Lock>) -> Result<Option<Row>, Trouble> {
        let Means { store, common, .. } = &self.0.means;
        let row = tokens.row(self.0.replaces.clone());
        if let Err(trouble) = store.put(&self.0.key, row.clone()).await {
            self.state().unkept = Some(tokens.clone());
            return Err(trouble);
        }
        match common {
            Some(common) => Ok(common.put(&self.0.key, &row, lock).await),
            None => Ok(None),
        }
    }

    /// Uses a pair from now on that was got here.
    fn begin(&self, tokens: &Arc<Tokens>) {
        self.take_over(tokens);
        self.state().renewed = Some(self.0.means.clock.now());
    }

    fn take_over(&self, tokens: &Arc<Tokens>) {
        let mut state = self.state();
        state.held = Some(tokens.clone());
        (state.refused, state.is_shaken) = (false, false);
        (state.unkept, state.failed, state.dead) = (None, None, None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks, and again where no answer came and `may_again`.
pub async fn tried<T, F: Future<Output = Result<T, Trouble>>>(
    location: &str,
    may_again: impl Fn() -> bool,
    ask: impl Fn() -> F,
) -> Result<T, Trouble> {
    let mut tried = 0;
    loop {
        let done = ask().await;
        tried += 1;
        match done {
            Err(Trouble::Upstream(fault)) if tried < TRIES => {
                tracing::warn!(location, ?fault, tried, "there is no token yet; trying again");
                sleep(Duration::from_millis(100 << tried).mul_f64(fastrand::f64())).await;
                if !may_again() {
                    return Err(Trouble::Upstream(fault));
                }
            }
            done => return done,
        }
    }
}
