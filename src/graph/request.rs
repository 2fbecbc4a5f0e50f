//! What one GraphQL request carries along: for which location, until when, and the way to load things.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, QueryPathNode};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::dataloader::DataLoader;
use super::error::{Code, Error};
use super::live::Live;
use super::scope::Scope;
use super::trail::Trail;
use crate::cache::{Held, Kind};
use crate::caller::Caller;
use crate::traces::Within;
use crate::upstream::{
    self, Account, Asked, Errand, Fault, Lane, Look, Payer, Pending, Question, Sent, Upstream, Write,
};

/// One GraphQL request.
#[derive(Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// Where its values came from.
    pub trail: Arc<Trail>,
    /// Whether values of its fields may have to be merged. Then they have to be the library's, for it merges no other.
    pub merges: bool,
    /// The fields that it may have to ask upstream for, at any place; `None`: that is not known.
    pub asks: Option<Arc<[&'static str]>>,
    /// What it has to do with changes.
    pub live: Live,
    loader: DataLoader,
    upstream: Upstream,
    deadline: Instant,
}

/// A request at the field that is resolved.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    request: &'a Request,
    path: Option<QueryPathNode<'a>>,
}

impl Deref for Here<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.request
    }
}

impl Request {
    /// `deadline`: what is not there by then is answered as timed out.
    pub fn new(caller: Arc<Caller>, payer: Payer, loader: DataLoader, deadline: Instant) -> Self {
        let upstream = loader.upstream().on(Errand::new(payer, Some(deadline)));
        Self { caller, trail: Arc::default(), merges: true, asks: None, live: Live::No, loader, upstream, deadline }
    }

    /// The same request, for which nobody waits: its changes go after everything that somebody waits for, and are sent by `until` or
    /// not at all.
    #[must_use]
    pub fn in_background(mut self, until: Instant) -> Self {
        let mut errand = self.upstream.errand().in_lane(Lane::Background);
        errand.deadline = Some(until);
        self.upstream = self.upstream.on(errand);
        self
    }

    /// What is asked upstream for it is in this trace from now on.
    pub fn trace(&mut self, within: Within) {
        let mut errand = self.upstream.errand().clone();
        errand.within = Some(within);
        self.upstream = self.upstream.on(errand);
    }

    /// The calls that were sent upstream for it so far, each try counted.
    pub fn calls(&self) -> u32 {
        self.upstream.errand().calls()
    }

    /// Lets its answer tell what it cost, call by call.
    pub fn explain(&self) {
        self.upstream.errand().keep_timeline();
    }

    /// Whether its answer is to tell what it cost.
    pub fn explains(&self) -> bool {
        self.upstream.errand().keeps_timeline()
    }

    /// The calls that were sent upstream for it so far, one by one, and how long it takes already, if its answer is to tell
    /// what it cost.
    pub fn timeline(&self) -> Option<(Vec<Sent>, Duration)> {
        self.upstream.errand().timeline()
    }

    /// The request that a field is resolved for.
    pub fn of<'a>(ctx: &Context<'a>) -> Here<'a> {
        Here { request: ctx.data_unchecked::<Self>(), path: ctx.path_node }
    }

    /// The location that is asked.
    pub fn account(&self) -> &Arc<Account> {
        &self.caller.account
    }

    /// When its time is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether its time is not over yet.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// The value, if it is held and its time is not over. `Some(None)`: there is no such thing.
    pub fn held<Q: Question>(&self, key: &Q) -> Option<Option<Arc<Q::Answer>>> {
        let held = self.upstream.held(key)?;
        self.trail.used(&held.origin);
        Some(held.value)
    }

    /// The same, where nothing of the answer is made of it.
    pub fn has<Q: Question>(&self, key: &Q) -> Option<Option<Arc<Q::Answer>>> {
        self.upstream.held(key).map(|held| held.value)
    }

    /// How many contacts of the location were changed so lately that lists may not show it, at most.
    pub fn changed_lately(&self) -> usize {
        self.upstream.changed_lately(self.account())
    }

    /// Begins to load a value that will be asked for, if that takes a reading; it goes on while the share is held.
    pub async fn start<Q: Question>(&self, key: Q) -> Option<Pending> {
        if self.may(Scope::ContactsReadonly).is_err() || !matches!(self.upstream.look(&key), Look::Nothing) {
            return None;
        }
        match self.ask(key).await.ok()? {
            Asked::Known(_) => None,
            Asked::Shared(pending) => {
                self.trail.shared(Q::KIND);
                Some(pending)
            }
            Asked::Started(pending) => {
                self.trail.started(Q::KIND);
                Some(pending)
            }
        }
    }

    /// Gives a turn away to the calls that were asked for just now. Whether there are some that have not gone.
    pub async fn let_calls_go(&self) -> bool {
        let before = self.calls();
        yield_now().await;
        !self.loader.is_idle() || self.calls() != before
    }

    async fn ask<Q: Question>(&self, key: Q) -> Result<Asked<Q::Answer>, Error> {
        let lost = || Error::new(Code::Internal, "The gateway gave up asking for this.");
        self.loader.load(key, self.upstream.errand().clone()).await.ok_or_else(lost)
    }

    /// Waits for a reading, as long as there is time.
    async fn wait<Q: Question>(&self, pending: Pending) -> Result<Held<Q::Answer>, Missed> {
        timeout_at(self.deadline, pending.landed()).await.map_err(|_| Missed::Time)?.map_err(Missed::Failed)
    }
}

/// Why a reading brought nothing.
enum Missed {
    /// The request's time was over first.
    Time,
    /// It failed.
    Failed(upstream::Error),
}

impl Missed {
    /// Whether nothing newer can be had than what was held.
    fn is_for_now(&self) -> bool {
        match self {
            Self::Time => true,
            Self::Failed(error) => error.is_transient(),
        }
    }

    /// Whether a reading that somebody else began was not even sent, for lack of time that this request may have.
    fn is_unsent(&self) -> bool {
        matches!(self, Self::Failed(error) if !error.reached && matches!(error.fault, Fault::RateLimited(_) | Fault::Timeout))
    }
}

impl Here<'_> {
    /// Makes a change; what it may have touched is forgotten when this returns. Where the upstream has several reasons to
    /// refuse it, each is an error of the field that is resolved.
    pub async fn change<W: Write>(&self, ctx: &Context<'_>, write: W) -> Result<W::Done, Error> {
        self.trail.changed();
        let error = match self.upstream.change(write).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let (last, others) = Error::each(error);
        others.into_iter().for_each(|other| other.add(ctx));
        Err(last)
    }

    /// The value, from wherever it comes first. `None`: there is no such thing.
    pub async fn load<Q: Question>(&self, key: Q) -> Result<Option<Arc<Q::Answer>>, Error> {
        self.load_started(key, None).await
    }

    /// The same, when its reading may have been begun ahead: that one is waited for, also if it has failed since.
    pub async fn load_started<Q: Question>(
        &self,
        key: Q,
        started: Option<Pending>,
    ) -> Result<Option<Arc<Q::Answer>>, Error> {
        // A request whose values are all held never waits, and what never waits no deadline can end.
        tokio::task::consume_budget().await;
        // Here too, for what is not below a field of `Query`: a write brings back what it changed, and that has fields.
        self.may(Scope::ContactsReadonly)?;
        if let Some(pending) = started {
            let landed = Box::pin(self.wait_for_shared(&key, pending)).await?;
            return self.come_to(&key, landed);
        }
        let upstream = &self.upstream;
        match upstream.look(&key) {
            Look::Fresh(held) => return Ok(self.held_value(Q::KIND, held)),
            Look::Stale(held) => {
                if upstream.renew(&key) {
                    self.trail.started(Q::KIND);
                }
                return Ok(self.stale_value(Q::KIND, held));
            }
            Look::Nothing => {}
        }
        let landed = match self.ask(key.clone()).await? {
            Asked::Known(held) => return Ok(self.held_value(Q::KIND, held)),
            Asked::Started(pending) => {
                self.trail.started(Q::KIND);
                self.wait::<Q>(pending).await
            }
            Asked::Shared(pending) => {
                self.trail.shared(Q::KIND);
                // In a box, like all that is seldom: each field that waits would have room for it.
                Box::pin(self.wait_for_shared(&key, pending)).await?
            }
        };
        self.come_to(&key, landed)
    }

    /// Waits for a reading that may be somebody else's, and asks once more when it failed for reasons of theirs.
    async fn wait_for_shared<Q: Question>(
        &self,
        key: &Q,
        pending: Pending,
    ) -> Result<Result<Held<Q::Answer>, Missed>, Error> {
        let mut landed = self.wait::<Q>(pending).await;
        if landed.as_ref().is_err_and(|missed| missed.is_unsent() && self.has_time()) {
            landed = self.wait_again(key).await?;
        }
        // Theirs may have been content with less.
        while landed.as_ref().is_ok_and(|held| !key.is_answered_by(held)) {
            landed = self.wait_again(key).await?;
        }
        if let Ok(held) = &landed {
            // What was read for others is not on the bill yet.
            self.upstream.errand().remember(key.key(), held.any());
        }
        Ok(landed)
    }

    async fn wait_again<Q: Question>(&self, key: &Q) -> Result<Result<Held<Q::Answer>, Missed>, Error> {
        match self.ask(key.clone()).await? {
            Asked::Known(held) => Ok(Ok(held)),
            Asked::Shared(pending) | Asked::Started(pending) => Ok(self.wait::<Q>(pending).await),
        }
    }

    fn held_value<T>(&self, kind: Kind, held: Held<T>) -> Option<Arc<T>> {
        self.trail.held(kind);
        self.trail.used(&held.origin);
        held.value
    }

    fn stale_value<T>(&self, kind: Kind, held: Held<T>) -> Option<Arc<T>> {
        self.trail.used_stale(self.path.as_ref(), self.upstream.age(&held.origin));
        self.held_value(kind, held)
    }

    /// What a reading brought; where it cannot be had for now, what was held last.
    fn come_to<Q: Question>(
        &self,
        key: &Q,
        landed: Result<Held<Q::Answer>, Missed>,
    ) -> Result<Option<Arc<Q::Answer>>, Error> {
        let missed = match landed {
            Ok(held) => {
                self.trail.used(&held.origin);
                return Ok(held.value);
            }
            Err(missed) => missed,
        };
        if let Some(held) = self.upstream.last(key).filter(|_| missed.is_for_now()) {
            return Ok(self.stale_value(Q::KIND, held));
        }
        match missed {
            Missed::Failed(error) => Err(error.into()),
            Missed::Time => {
                self.trail.note_out_of_time();
                Err(Error::out_of_time())
            }
        }
    }
}
