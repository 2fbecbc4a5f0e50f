//! Readings of many things at once, where the upstream has a route for that: instead of one call for each of them.
//!
//! Whether a credential may use the route is found out by using it. The first reading is a look, which others wait for. Of all
//! looks with a credential one may be refused. Whatever goes wrong, each thing is then read by itself, as if there were no such
//! route.

mod known;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::account::Account;
use super::call::{Call, Route};
use super::errand::Errand;
use super::error::{Error, Fault};
use super::governor::{End, Held as HeldBack};
use super::{Asked, Parts, Question, Session, Upstream};
use crate::cache::{EntityKey, Kind, View};
use crate::spawn;
pub use known::Knowledge;
use known::{State, is_refusal, may_use};

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

/// Most time for one call, and it takes no more than half of what the request has left: the other half is for the calls that
/// are made when this one fails.
const PATIENCE: Duration = Duration::from_secs(3);

/// Several answers, each with its question and its size in bytes; or why there are none.
pub type Several<Q> = Result<Vec<(Q, <Q as Question>::Answer, usize)>, Error>;

/// What a reading brought of each thing, with its size in bytes.
type Brought<Q> = HashMap<EntityKey, (Arc<<Q as Question>::Answer>, usize)>;

/// A share in a reading of many. When the last one is dropped, the reading ends.
pub struct Share<Q: Question>(Shared<BoxFuture<'static, Arc<Brought<Q>>>>);

/// What a reading of many brings of this, or else one of its own.
pub async fn fetch<Q: Question>(
    question: &Q,
    session: &Session,
    together: Option<Share<Q>>,
) -> Result<Option<(Arc<Q::Answer>, usize)>, Error> {
    // Looked at after the reading began: a change is noted before what it touched is forgotten.
    if let Some(together) = together.filter(|_| !question.is_behind_together(session))
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
        for (question, errand) in wanted.iter().filter(|(question, _)| question.may_be_together()) {
            *counts.entry(whose(question, errand)).or_default() += 1;
        }
        counts.retain(|_, count| *count >= how.least);
        let mut groups = HashMap::<(View, usize), Group<Q>>::new();
        let ask = |(question, errand): (Q, Errand)| {
            let key = whose(&question, &errand);
            if !question.may_be_together() || !counts.contains_key(&key) {
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

    async fn read_together<Q: Question>(
        self,
        how: Together,
        account: Arc<Account>,
        mut asked: Vec<Q>,
    ) -> Arc<Brought<Q>> {
        let session = self.session_now(&account);
        // These are read one by one whatever is brought of them.
        asked.retain(|question| !question.is_behind_together(&session));
        if asked.len() < how.least || !may_use(&account, how.route) {
            return Arc::default();
        }
        let known = self.parts.together.of(&account, how.route);
        // A look keeps the others waiting.
        let mut state = known.clone().lock_owned().await;
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
            let unknown = |route| self.parts.together.is_unknown(&account, route);
            if part.first().and_then(Q::looks_after).is_some_and(unknown) {
                return Arc::default();
            }
            let refused = self.parts.together.refused(&account).lock_owned().await;
            if *refused {
                *state = State::Off;
                return Arc::default();
            }
            // It goes on when nobody waits for it any more: a look that is given up would have to be made again.
            match spawn::boxed(self.clone().read_first(how, account.clone(), part, (state, refused))).await {
                Ok(Some(part)) => brought.extend(part),
                Ok(None) | Err(_) => return Arc::default(),
            }
        }
        let each = async |part| {
            let read = self.read_part::<Q>(how, &account, part).await;
            if self.note(&mut *known.lock().await, &read) {
                *self.parts.together.refused(&account).lock().await = true;
            }
            read.ok()
        };
        join_all(parts.map(each)).await.into_iter().flatten().for_each(|part| brought.extend(part));
        Arc::new(brought)
    }

    async fn read_first<Q: Question>(
        self,
        how: Together,
        account: Arc<Account>,
        part: Vec<Q>,
        (mut state, mut refused): (OwnedMutexGuard<State>, OwnedMutexGuard<bool>),
    ) -> Option<Brought<Q>> {
        let read = self.read_part(how, &account, part).await;
        *refused |= self.note(&mut state, &read);
        read.ok()
    }

    async fn read_part<Q: Question>(
        &self,
        how: Together,
        account: &Arc<Account>,
        asked: Vec<Q>,
    ) -> Result<Brought<Q>, Error> {
        // What brings nothing is no part of what was asked for.
        let own = self.on(self.errand.at_no_cost());
        let read = Q::fetch_together(asked, own.session_now(account)).await?;
        if read.is_empty() {
            return Err(Error::bad_response(how.route.template, "nothing of what was asked for"));
        }
        self.errand.pay_for(&own.errand);
        let each = |(question, answer, bytes): (Q, Q::Answer, usize)| (question.key(), (Arc::new(answer), bytes));
        Ok(read.into_iter().map(each).collect())
    }

    /// Notes what came of a reading; whether it was refused.
    fn note<T>(&self, state: &mut State, read: &Result<T, Error>) -> bool {
        *state = state.after(read.as_ref().map(|_| ()), self.parts.cache.clock().now());
        if let Err(error) = read {
            tracing::debug!(%error, after = ?*state, "nothing was read together");
        }
        read.as_ref().is_err_and(is_refusal)
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
