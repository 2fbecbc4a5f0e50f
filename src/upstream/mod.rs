//! The way out: a question is answered from the cache, by a reading that is under way, or by a new one.

mod account;
mod call;
mod client;
mod connections;
pub mod credential;
mod elsewhere;
mod errand;
mod error;
mod governor;
mod id;
mod lately;
mod question;
mod refused;
mod retry;
mod session;
#[cfg(test)]
mod simulation;
mod timeline;
mod together;
pub mod wire;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

pub use account::Account;
pub use call::{Call, Route};
pub use client::Client;
pub use credential::{Credential, Trouble};
pub use elsewhere::Ear;
pub use errand::{Errand, Lane, Payer};
pub use error::{Error, Fault};
pub use governor::{Allowance, Limits, Standing};
pub use id::{Id, NoId};
pub use lately::Behind;
pub use question::{Question, Ttls};
pub use retry::Policy;
pub use session::Session;
pub use timeline::Sent;
pub use together::{Several, Together};
pub use write::{Shelf, Write};

use elsewhere::Carried;
use governor::Permit;
use lately::Lately;
use together::{Knowledge, Share};

use crate::cache::{EntityCache, EntityKey, Epoch, Flight, Flights, Held, HeldAny, Joined, Origin, Slots};
use crate::changes::Changes;
use crate::replicas::Replicas;
use crate::spawn;

/// How long it is remembered that something does not exist, at most: it may be created at any moment.
const MISSING_TTL: Duration = Duration::from_secs(5);

/// How long what lags behind, or may still be changed by a change whose answer was lost, is kept, at most.
const PASSING_TTL: Duration = Duration::from_secs(1);

/// What a flight lands with, whatever the question was.
type Landed = Result<HeldAny, Error>;

/// Whether, and from where, an answer can be had.
pub enum Asked<T> {
    /// It is there.
    Known(Held<T>),
    /// Somebody else's reading brings it.
    Shared(Pending),
    /// A new reading brings it.
    Started(Pending),
}

/// A share in a reading that is under way. While one is held, the reading goes on.
#[derive(Clone)]
pub struct Pending {
    flight: Flight<Landed>,
    route: &'static str,
}

impl Pending {
    /// Waits for the reading. `T` must be the answer of the question that was asked.
    pub async fn landed<T: Send + Sync + 'static>(self) -> Result<Held<T>, Error> {
        let lost = |why: &str| Error::new(self.route, Fault::Gateway(why.into()));
        match self.flight.landed().await {
            None => Err(lost("the reading ended without a result")),
            Some(Err(error)) => Err(error),
            Some(Ok(held)) => held.downcast().ok_or_else(|| lost("the reading brought another kind of value")),
        }
    }
}

struct Parts {
    client: Client,
    cache: EntityCache,
    flights: Flights<EntityKey, Landed>,
    retry: Policy,
    ttls: Ttls,
    /// Held by who forgets, so that a change can see what was forgotten while it was made.
    forgetting: Mutex<()>,
    lately: Lately,
    together: Knowledge,
    changes: Arc<Changes>,
    replicas: Option<Replicas>,
}

/// What the cache has of an answer.
pub enum Look<T> {
    /// It is there.
    Fresh(Held<T>),
    /// Its time is over, but not so long that it could not be given out while it is renewed.
    Stale(Held<T>),
    /// It has to be asked for.
    Nothing,
}

impl<T> Look<T> {
    fn fresh(self) -> Option<Held<T>> {
        match self {
            Self::Fresh(held) => Some(held),
            Self::Stale(_) | Self::Nothing => None,
        }
    }
}

/// The upstream with its cache, for somebody. Clones share everything.
#[derive(Clone)]
pub struct Upstream {
    parts: Arc<Parts>,
    errand: Errand,
}

impl Upstream {
    /// Puts the parts together. `changes`: who is told of the changes that are made; `join`: the way to the other gateways.
    pub fn new(
        client: Client,
        cache: EntityCache,
        (retry, ttls): (Policy, Ttls),
        changes: Arc<Changes>,
        join: impl FnOnce(Ear) -> Option<Replicas>,
    ) -> Self {
        let lately = Lately::new(cache.clock().clone());
        let (flights, forgetting, together) = (Flights::default(), Mutex::default(), Knowledge::default());
        let parts = Arc::new_cyclic(|parts| {
            let replicas = join(Ear(parts.clone()));
            Parts { client, cache, flights, retry, ttls, forgetting, lately, together, changes, replicas }
        });
        Self { parts, errand: Errand::new(Payer::default(), None) }
    }

    /// The same upstream for somebody else.
    #[must_use]
    pub fn on(&self, errand: Errand) -> Self {
        Self { parts: self.parts.clone(), errand }
    }

    /// For whom it is asked.
    pub fn errand(&self) -> &Errand {
        &self.errand
    }

    /// The answer, if the cache has it, or it was read for this errand.
    pub fn look<Q: Question>(&self, question: &Q) -> Look<Q::Answer> {
        self.look_under(&question.key(), question)
    }

    fn look_under<Q: Question>(&self, key: &EntityKey, question: &Q) -> Look<Q::Answer> {
        let Parts { cache, ttls, .. } = &*self.parts;
        let read = || self.recall(key, question).map_or(Look::Nothing, Look::Fresh);
        let Some(held) = cache.get::<Q::Answer>(key).filter(|held| question.is_answered_by(held)) else {
            return read();
        };
        let now = cache.clock().now();
        match held.origin.expires {
            expires if expires > now => Look::Fresh(held),
            // What was missing may have been created at any moment since.
            expires if held.value.is_some() && expires + ttls.stale_while_revalidate > now => Look::Stale(held),
            _ => read(),
        }
    }

    /// What was read for this errand, unless it was forgotten since.
    fn recall<Q: Question>(&self, key: &EntityKey, question: &Q) -> Option<Held<Q::Answer>> {
        let held = self.errand.recall::<Q::Answer>(key)?;
        (question.is_answered_by(&held) && self.parts.cache.holds(&held.origin)).then_some(held)
    }

    /// The answer that was held last, if it may be given out where nothing newer can be had.
    pub fn last<Q: Question>(&self, question: &Q) -> Option<Held<Q::Answer>> {
        let Parts { cache, ttls, .. } = &*self.parts;
        let held = cache.get::<Q::Answer>(&question.key())?;
        let answer = held.value.as_deref()?;
        let in_time = held.origin.expires + ttls.stale_if_error > cache.clock().now();
        (in_time && question.is_satisfied_by(answer)).then_some(held)
    }

    /// The answer, if it is there and its time is not over.
    pub fn held<Q: Question>(&self, question: &Q) -> Option<Held<Q::Answer>> {
        self.look(question).fresh()
    }

    /// The answer from the cache, a share in a reading under way, or a new reading; never two at once.
    pub fn ask<Q: Question>(&self, question: &Q) -> Asked<Q::Answer> {
        self.ask_in(question, None)
    }

    /// The same, where a new reading may have its answer from one of many things.
    fn ask_in<Q: Question>(&self, question: &Q, together: Option<Share<Q>>) -> Asked<Q::Answer> {
        let key = question.key();
        let route = question.route().template;
        let epochs = self.parts.cache.epochs();
        // A reading that shows other things has to be younger than the last change of anything.
        let holds = |as_of| match Q::SHOWS_OTHERS {
            true => as_of == epochs.now(),
            false => epochs.all_hold(&self.slots(question, None), as_of),
        };
        // Mostly it is not there.
        let known = || match self.parts.cache.contains(&key) {
            true => self.look_under(&key, question).fresh(),
            false => self.recall(&key, question),
        };
        let reading = |as_of| self.clone().read(question.clone(), as_of, together);
        let joined = self.parts.flights.join(&key, known, holds, || epochs.now(), reading);
        match joined {
            Joined::Known(held) => Asked::Known(held),
            Joined::Shared(flight) => Asked::Shared(Pending { flight, route }),
            Joined::Started(flight) => Asked::Started(Pending { flight, route }),
        }
    }

    /// How many contacts of a location were changed so lately that lists may not show it, at most.
    pub fn changed_lately(&self, account: &Account) -> usize {
        self.parts.lately.count(account)
    }

    /// How long ago something was read.
    pub fn age(&self, origin: &Origin) -> Duration {
        self.parts.cache.clock().now().saturating_duration_since(origin.read)
    }

    /// Begins to read the answer anew, unless that is under way; nobody has to wait for it.
    pub fn renew<Q: Question>(&self, question: &Q) -> bool {
        let upstream = self.on(self.errand.in_lane(Lane::Renewals));
        let Asked::Started(pending) = upstream.ask(question) else {
            return false;
        };
        spawn::boxed(async move {
            // What comes of it is in the cache, or in the log.
            let _ = pending.flight.landed().await;
        });
        true
    }

    fn slots<Q: Question>(&self, question: &Q, answer: Option<&Q::Answer>) -> Slots {
        let mut slots = Vec::new();
        question.made_of(answer, &mut |tag| slots.push(self.parts.cache.epochs().slot(tag)));
        slots.into()
    }

    fn session_now(&self, account: &Arc<Account>) -> Session {
        self.session(account, self.parts.cache.epochs().now())
    }

    fn session(&self, account: &Arc<Account>, as_of: Epoch) -> Session {
        Session {
            upstream: self.clone(),
            account: account.clone(),
            as_of,
            passing: AtomicBool::new(false),
            carried: None,
        }
    }

    /// Reads from the upstream and keeps what it read.
    async fn read<Q: Question>(self, question: Q, as_of: Epoch, together: Option<Share<Q>>) -> Landed {
        let Parts { cache, ttls, .. } = &*self.parts;
        let ttl = question.ttl(ttls);
        let mut session = self.session(question.account(), as_of);
        if self.parts.replicas.is_some() && !ttl.is_zero() {
            session.carried = Box::pin(self.look_elsewhere(&question, together.is_none())).await;
        }
        let is_found = session.carried.as_ref().is_some_and(Carried::is_found);
        let mut fetched = together::fetch(&question, &session, together.filter(|_| !is_found)).await;
        if fetched.is_err() && is_found {
            // A gateway of another version may have read it.
            session = self.session_now(question.account());
            fetched = Box::pin(together::fetch(&question, &session, None)).await;
        }
        let (value, bytes, ttl) = match fetched? {
            Some((answer, bytes)) => (Some(answer), bytes, ttl),
            None => (None, 0, ttl.min(MISSING_TTL)),
        };
        let slots = self.slots(&question, value.as_deref());
        let passes = session.passing.load(Ordering::Relaxed) || self.parts.lately.is_in_doubt(&slots);
        if let Some(carried) = session.carried.as_ref().filter(|_| !passes) {
            self.keep_elsewhere(&question, value.as_deref(), carried, ttl);
        }
        let ttl = if passes { ttl.min(PASSING_TTL) } else { ttl };
        let origin = elsewhere::origin(cache, session.carried.as_ref(), slots, as_of, ttl);
        let held = Held { value, origin };
        // Before the flight is over: who asks again for the same errand has to find it.
        self.errand.remember(question.key(), held.any());
        let landed = held.any();
        cache.insert(question.key(), held, bytes);
        Ok(landed)
    }

    /// Bytes that are held, as weighed.
    pub fn bytes(&self) -> u64 {
        self.parts.cache.bytes()
    }

    /// Whether the location's credential may write, without writing, and the upstream's time.
    pub async fn try_write(&self, account: &Account) -> (Result<bool, Error>, Option<Timestamp>) {
        self.parts.client.try_write(&self.errand, account).await
    }

    /// Sends a call for nothing but to see whether the upstream is there again.
    fn try_aside(&self, account: Arc<Account>, call: Call, mut permit: Permit) {
        let this = self.on(self.errand.without_end());
        spawn::boxed(async move {
            // What comes of it is noted by the permit.
            let _ = this.parts.client.send(&this.errand, &account, &call, &mut permit).await;
        });
    }

    /// Readings under way.
    pub fn in_flight(&self) -> usize {
        self.parts.flights.count()
    }
}
