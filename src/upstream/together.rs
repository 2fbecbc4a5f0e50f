//! Readings of many things at once, where the upstream has a route for that: instead of one call for each of them.
//!
//! Whether a credential may use the route is found out by using it. The first reading is a look, which others wait for.
//! Whatever goes wrong, each thing is then read by itself, as if there were no such route.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::account::Account;
use super::client::{Call, Route};
use super::errand::Errand;
use super::error::{Error, Fault};
use super::governor::{End, Held as HeldBack};
use super::{Asked, Parts, Question, Session, Upstream};
use crate::cache::{EntityKey, Kind, View};

/// How many things are read together.
#[derive(Clone, Copy, Debug)]
pub struct Together {
    /// By which route.
    pub route: Route,
    /// Fewer are read one by one.
    pub least: usize,
    /// Most that are asked for in one call.
    pub most: usize,
}

/// How long a route is left alone that failed without having been refused.
const REST: Duration = Duration::from_secs(30);

/// Most time for one call, and it takes no more than half of what the request has left: the other half is for the calls that
/// are made when this one fails.
const PATIENCE: Duration = Duration::from_secs(3);

/// More credentials than so many are not remembered.
const MOST: u64 = 10_000;

/// Several answers, each with its question and its size in bytes; or why there are none.
pub type Several<Q> = Result<Vec<(Q, <Q as Question>::Answer, usize)>, Error>;

/// What a reading brought of each thing, with its size in bytes.
type Brought<Q> = HashMap<EntityKey, (Arc<<Q as Question>::Answer>, usize)>;

/// A share in a reading of many. When the last one is dropped, the reading ends.
pub struct Share<Q: Question>(Shared<BoxFuture<'static, Arc<Brought<Q>>>>);

/// What a reading of many brings of this, or else one of its own.
pub async fn fetch<Q: Question>(
    question: Q,
    session: Session,
    together: Option<Share<Q>>,
) -> Result<Option<(Arc<Q::Answer>, usize)>, Error> {
    // Looked at after the reading began: a change is noted before what it touched is forgotten.
    if let Some(together) = together.filter(|_| !question.is_behind_together(&session))
        && let Some(brought) = together.0.await.get(&question.key())
    {
        return Ok(Some(brought.clone()));
    }
    let read = question.fetch(session).await?;
    Ok(read.map(|(answer, bytes)| (Arc::new(answer), bytes)))
}

impl<Q: Question> Clone for Share<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What is known of a route with a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing.
    #[default]
    Untried,
    /// It works.
    Works,
    /// It was refused, and is not tried any more.
    Off,
    /// It failed, and is not tried before then.
    Resting(Instant),
}

impl State {
    /// Whether the route may be used.
    fn is_open(self, now: Instant) -> bool {
        match self {
            Self::Untried | Self::Works => true,
            Self::Off => false,
            Self::Resting(until) => until <= now,
        }
    }

    /// What it is after a reading with this outcome.
    fn after(self, outcome: Result<(), &Error>, now: Instant) -> Self {
        let Err(error) = outcome else {
            return if self.is_open(now) { Self::Works } else { self };
        };
        let passes = matches!(
            error.fault,
            Fault::Timeout
                | Fault::Unavailable
                | Fault::RateLimited(_)
                | Fault::Credential
                | Fault::CallersCredential
                | Fault::BadResponse(_)
        );
        match error.status {
            // It was not even sent.
            None if !error.reached && error.fault != Fault::Unavailable => self,
            Some(400..500) if !passes => Self::Off,
            _ if self == Self::Off => self,
            _ => Self::Resting(now + REST),
        }
    }
}

/// What is known of each credential's routes.
pub struct Knowledge(Cache<[u8; 32], Arc<Mutex<State>>>);

impl Default for Knowledge {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Knowledge {
    /// A token is known by itself, wherever it is used; a grant by its location, since its tokens come and go.
    fn of(&self, account: &Account, route: Route) -> Arc<Mutex<State>> {
        let whose = Sha256::new().chain_update(route.template).chain_update([0]);
        let bearer = account.credential.held().filter(|_| account.credential.oauth().is_none());
        let whose = match &bearer {
            Some(bearer) => whose.chain_update("token").chain_update(bearer.token()),
            None => whose.chain_update("grant").chain_update(&*account.location),
        };
        self.0.get_with(whose.finalize().into(), Arc::default)
    }
}

/// The questions of one request, of which those that nobody reads yet are read together. Not those of several: each pays for its own
/// calls, and many who ask for one thing each are no list.
struct Group<Q: Question> {
    share: Share<Q>,
    started: Vec<Q>,
    errand: Option<Errand>,
    tell: oneshot::Sender<(Vec<Q>, Errand)>,
}

impl<Q: Question> Group<Q> {
    fn new(upstream: &Upstream, how: Together, account: &Arc<Account>) -> Self {
        let (tell, told) = oneshot::channel();
        let (upstream, account) = (upstream.clone(), account.clone());
        let reading = async move {
            match told.await {
                Ok((asked, errand)) => upstream.on(errand).read_together(how, account, asked).await,
                Err(_) => Arc::default(),
            }
        };
        Self { share: Share(reading.boxed().shared()), started: Vec::new(), errand: None, tell }
    }

    /// Tells the reading what to read, after each of them has its flight: what is forgotten from now on was.
    fn begin(self, how: Together) {
        if let Some(errand) = self.errand.filter(|_| self.started.len() >= how.least) {
            // Nobody may be waiting any more.
            let _ = self.tell.send((self.started, errand));
        }
    }
}

impl Upstream {
    /// Asks for many things of one moment.
    pub fn ask_all<Q: Question>(&self, wanted: Vec<(Q, Errand)>) -> Vec<Asked<Q::Answer>> {
        let one = |(question, errand): (Q, Errand)| self.on(errand).ask(&question);
        let Some(how) = Q::TOGETHER.filter(|how| wanted.len() >= how.least) else {
            return wanted.into_iter().map(one).collect();
        };
        let whose = |question: &Q, errand: &Errand| (question.account().view, errand.bill());
        let mut counts = HashMap::<(View, usize), usize>::new();
        for (question, errand) in &wanted {
            *counts.entry(whose(question, errand)).or_default() += 1;
        }
        counts.retain(|_, count| *count >= how.least);
        let mut groups = HashMap::<(View, usize), Group<Q>>::new();
        let ask = |(question, errand): (Q, Errand)| {
            let key = whose(&question, &errand);
            if !counts.contains_key(&key) {
                return one((question, errand));
            }
            let group = groups.entry(key).or_insert_with(|| Group::new(self, how, question.account()));
            let asked = self.on(errand.clone()).ask_in(&question, Some(group.share.clone()));
            if let Asked::Started(_) = asked {
                group.errand.get_or_insert(errand);
                group.started.push(question);
            }
            asked
        };
        let asked = wanted.into_iter().map(ask).collect();
        groups.into_values().for_each(|group| group.begin(how));
        asked
    }

    async fn read_together<Q: Question>(self, how: Together, account: Arc<Account>, asked: Vec<Q>) -> Arc<Brought<Q>> {
        if account.credential.held().is_some_and(|bearer| !bearer.was_granted(how.route.scope)) {
            return Arc::default();
        }
        let known = self.parts.together.of(&account, how.route);
        // A look keeps the others waiting.
        let state = known.clone().lock_owned().await;
        if !state.is_open(self.parts.cache.clock().now()) {
            return Arc::default();
        }
        // All of about the same size.
        let size = asked.len().div_ceil(asked.len().div_ceil(how.most));
        let mut parts = asked.chunks(size).map(<[Q]>::to_vec);
        let mut brought = Brought::<Q>::new();
        if *state == State::Works {
            drop(state);
        } else if let Some(part) = parts.next() {
            // It goes on when nobody waits for it any more: a look that is given up would have to be made again.
            match tokio::spawn(self.clone().read_first(account.clone(), part, state)).await {
                Ok(Some(part)) => brought.extend(part),
                Ok(None) | Err(_) => return Arc::default(),
            }
        }
        let each = async |part| {
            let read = self.read_part::<Q>(&account, part).await;
            self.note(&mut *known.lock().await, &read);
            read.ok()
        };
        join_all(parts.map(each)).await.into_iter().flatten().for_each(|part| brought.extend(part));
        Arc::new(brought)
    }

    async fn read_first<Q: Question>(
        self,
        account: Arc<Account>,
        part: Vec<Q>,
        mut state: OwnedMutexGuard<State>,
    ) -> Option<Brought<Q>> {
        // What finds out nothing but that there is no such way is no part of what was asked for.
        let look = self.on(self.errand.at_no_cost());
        let read = look.read_part(&account, part).await;
        self.note(&mut state, &read);
        let brought = read.ok()?;
        self.errand.pay_for(&look.errand);
        Some(brought)
    }

    async fn read_part<Q: Question>(&self, account: &Arc<Account>, asked: Vec<Q>) -> Result<Brought<Q>, Error> {
        let (upstream, account, as_of) = (self.clone(), account.clone(), self.parts.cache.epochs().now());
        let session = Session { upstream, account, as_of, passing: Arc::default() };
        let read = Q::fetch_together(asked, session).await?;
        let each = |(question, answer, bytes): (Q, Q::Answer, usize)| (question.key(), (Arc::new(answer), bytes));
        Ok(read.into_iter().map(each).collect())
    }

    fn note<T>(&self, state: &mut State, read: &Result<T, Error>) {
        *state = state.after(read.as_ref().map(|_| ()), self.parts.cache.clock().now());
        if let Err(error) = read {
            tracing::debug!(%error, after = ?*state, "nothing was read together");
        }
    }
}

impl Session {
    /// Whether a search may show a contact's tasks as they were before they were changed through the gateway, or may still
    /// be.
    pub fn are_tasks_behind(&self, contact: &str) -> bool {
        let Parts { lately, cache, .. } = &*self.upstream.parts;
        let slot = || cache.epochs().slot(self.account.view.tag(Kind::Tasks, contact));
        lately.are_tasks_behind(&self.account, contact)
            || lately.is_itself_in_doubt(slot())
            || self.is_row_behind(contact)
    }

    /// The body of the answer to a call that may well be refused or fail: it is made once, and nothing is concluded from it of
    /// other calls.
    pub async fn try_once(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let errand = &self.upstream.errand;
        let held = |held: HeldBack| held.to_error(call.route(), None);
        let mut permit = self.account.governor.admit(errand).await.map_err(held)?;
        if permit.tries() {
            // Whether the upstream is there again is for a call that is known to work.
            permit.end(End::Untold, false);
            return Err(held(HeldBack::Down));
        }
        let half = errand.deadline.map(|at| at.saturating_duration_since(tokio::time::Instant::now()) / 2);
        let within = half.map_or(PATIENCE, |half| half.min(PATIENCE));
        let sent = self.upstream.parts.client.send_once(errand, &self.account, call, &mut permit);
        tokio::time::timeout(within, sent).await.map_err(|_| Error::new(call.route(), Fault::Timeout))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_used_as_what_came_of_it_allows() {
        let now = Instant::now();
        let after = |state: State, fault: &Fault, status| {
            state.after(Err(&Error { status, ..Error::new("POST /x", fault.clone()) }), now)
        };
        for (fault, status) in [
            (Fault::Timeout, None),
            (Fault::Unavailable, Some(500)),
            (Fault::Timeout, Some(401)),
            (Fault::Credential, Some(401)),
            (Fault::RateLimited(REST), Some(429)),
            (Fault::BadResponse("x".into()), Some(200)),
        ] {
            for before in [State::Untried, State::Works] {
                let state = after(before, &fault, status);
                assert!(
                    !state.is_open(now + REST - Duration::from_millis(1)) && state.is_open(now + REST),
                    "{fault:?}"
                );
                // Another part of the same reading.
                assert_eq!(state.after(Ok(()), now), state);
                assert_eq!(state.after(Ok(()), now + REST), State::Works);
            }
        }
        for (fault, status) in [
            (Fault::Scope("x"), 401),
            (Fault::Location, 403),
            (Fault::Refused(Vec::new()), 422),
            (Fault::NotFound, 400),
            (Fault::Gateway("x".into()), 404),
        ] {
            let state = after(State::Untried, &fault, Some(status));
            assert_eq!(state, State::Off, "{fault:?}");
            assert_eq!(after(state, &Fault::Timeout, None), State::Off);
            assert_eq!(state.after(Ok(()), now + REST), State::Off);
        }
        // What was not sent tells nothing.
        let unsent = Error { reached: false, ..Error::new("POST /x", Fault::Scope("x")) };
        assert_eq!(State::Untried.after(Err(&unsent), now), State::Untried);
    }
}
