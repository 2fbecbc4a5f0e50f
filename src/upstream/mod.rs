//! The way out: a question is answered from the cache, by a reading that is under way, or by a new one.

mod account;
mod client;
mod error;
mod id;
mod retry;
pub mod wire;

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use account::{Account, Limits};
pub use client::{Call, Client, Route};
pub use error::{Error, Fault};
pub use id::{Id, NoId};
pub use retry::Policy;

use crate::cache::{EntityCache, EntityKey, Epoch, Flight, Flights, Joined, Reading, Value};

/// How long it is remembered that something does not exist, at most: it may be created at any moment.
const MISSING_TTL: Duration = Duration::from_secs(5);

/// The time to live of each kind of value.
#[derive(Clone, Copy, Debug)]
pub struct Ttls {
    /// A contact.
    pub contact: Duration,
    /// A contact's tasks, and one task.
    pub tasks: Duration,
    /// A contact's notes, and one note.
    pub notes: Duration,
    /// A contact's appointments.
    pub appointments: Duration,
    /// A page of a list of contacts.
    pub pages: Duration,
}

/// A typed key: something that can be asked upstream, and how.
pub trait Question: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// What it is answered with.
    type Answer: Send + Sync + 'static;

    /// The location that is asked.
    fn account(&self) -> &Arc<Account>;

    /// Where the answer is held.
    fn key(&self) -> EntityKey;

    /// The route that answers it.
    fn route(&self) -> Route;

    /// How long the answer holds.
    fn ttl(&self, ttls: &Ttls) -> Duration;

    /// Whether an answer that is held tells enough. A contact that a list row told may not.
    fn is_satisfied_by(&self, _held: &Self::Answer) -> bool {
        true
    }

    /// Asks the upstream; `None` when there is no such thing. The number is the answer's size in bytes.
    fn fetch(self, session: Session) -> impl Future<Output = Result<Option<(Self::Answer, usize)>, Error>> + Send;
}

/// What a flight lands with, whatever the question was.
type Landed = Result<Option<Value>, Error>;

/// Whether, and from where, an answer can be had.
pub enum Asked<T> {
    /// It is there; `None`: there is no such thing.
    Known(Option<Arc<T>>),
    /// Somebody else's reading brings it.
    Shared(Pending),
    /// A new reading brings it.
    Started(Pending),
}

impl<T> Clone for Asked<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Known(value) => Self::Known(value.clone()),
            Self::Shared(pending) => Self::Shared(pending.clone()),
            Self::Started(pending) => Self::Started(pending.clone()),
        }
    }
}

/// A share in a reading that is under way. While one is held, the reading goes on.
#[derive(Clone)]
pub struct Pending {
    flight: Flight<Landed>,
    route: &'static str,
}

impl Pending {
    /// Waits for the reading. `T` must be the answer of the question that was asked.
    pub async fn landed<T: Send + Sync + 'static>(self) -> Result<Option<Arc<T>>, Error> {
        let lost = |why: &str| Error::new(self.route, Fault::Gateway(why.into()));
        match self.flight.landed().await {
            None => Err(lost("the reading ended without a result")),
            Some(Err(error)) => Err(error),
            Some(Ok(None)) => Ok(None),
            Some(Ok(Some(value))) => {
                value.downcast().map(Some).map_err(|_| lost("the reading brought another kind of value"))
            }
        }
    }
}

struct Parts {
    client: Client,
    cache: EntityCache,
    flights: Flights<Landed>,
    retry: Policy,
    ttls: Ttls,
}

/// The upstream with its cache. Clones share everything.
#[derive(Clone)]
pub struct Upstream(Arc<Parts>);

impl Upstream {
    /// Puts the parts together.
    pub fn new(client: Client, cache: EntityCache, retry: Policy, ttls: Ttls) -> Self {
        Self(Arc::new(Parts { client, cache, flights: Flights::default(), retry, ttls }))
    }

    /// The answer, if it is held. `Some(None)`: there is no such thing.
    pub fn held<Q: Question>(&self, question: &Q) -> Option<Option<Arc<Q::Answer>>> {
        let held = self.0.cache.get::<Q::Answer>(&question.key())?;
        match held {
            Some(answer) if !question.is_satisfied_by(&answer) => None,
            known => Some(known),
        }
    }

    /// The answer from the cache, a share in a reading under way, or a new reading; never two at once.
    pub fn ask<Q: Question>(&self, question: &Q) -> Asked<Q::Answer> {
        let key = question.key();
        let route = question.route().template;
        let joined = self.0.flights.join(
            &key,
            self.0.cache.epochs(),
            || self.held(question),
            |as_of| self.clone().read(question.clone(), as_of),
        );
        match joined {
            Joined::Known(value) => Asked::Known(value),
            Joined::Shared(flight) => Asked::Shared(Pending { flight, route }),
            Joined::Started(flight) => Asked::Started(Pending { flight, route }),
        }
    }

    /// Reads from the upstream and keeps what it read.
    async fn read<Q: Question>(self, question: Q, as_of: Epoch) -> Landed {
        let key = question.key();
        let ttl = question.ttl(&self.0.ttls);
        let session = Session { upstream: self.clone(), account: question.account().clone(), as_of };
        let (value, bytes, ttl) = match question.fetch(session).await? {
            Some((answer, bytes)) => (Some(Arc::new(answer)), bytes, ttl),
            None => (None, 0, ttl.min(MISSING_TTL)),
        };
        let reading = Reading { value, bytes, ttl };
        self.0.cache.insert(key, as_of, &reading);
        Ok(reading.value.map(|value| value as Value))
    }

    /// Makes what is held of this question stale, for every caller.
    pub fn forget<Q: Question>(&self, question: &Q) {
        self.0.cache.forget(&question.key());
    }

    /// Readings under way.
    pub fn in_flight(&self) -> usize {
        self.0.flights.count()
    }
}

/// What one reading may use.
pub struct Session {
    upstream: Upstream,
    account: Arc<Account>,
    as_of: Epoch,
}

impl Session {
    /// The location that is read.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The body of the answer, after retries. `None`: the upstream says that there is no such record.
    pub async fn get(&self, call: Call) -> Result<Option<Vec<u8>>, Error> {
        match self.try_until_it_works(&call).await {
            Ok(body) => Ok(Some(body)),
            // A list cannot be missing; whoever says so of one is not the Contacts API.
            Err(error) if error.fault == Fault::NotFound && call.names_a_record() => Ok(None),
            Err(error) if error.fault == Fault::NotFound => {
                let why = "the upstream has no such list".into();
                Err(Error { fault: Fault::Gateway(why), ..error })
            }
            Err(error) => Err(error),
        }
    }

    async fn try_until_it_works(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let Parts { client, retry, .. } = &*self.upstream.0;
        let began = Instant::now();
        let mut tried = 0;
        loop {
            let error = {
                let _permit = self
                    .account
                    .permits
                    .acquire()
                    .await
                    .map_err(|_| Error::new(call.route(), Fault::Gateway("the location is closed".into())))?;
                match client.send(&self.account, call).await {
                    Ok(body) => return Ok(body),
                    Err(error) => error,
                }
            };
            tried += 1;
            match retry.wait(tried, began.elapsed(), &error, fastrand::f64()) {
                Some(wait) => {
                    tracing::debug!(%error, tried, wait_ms = wait.as_millis() as u64, "trying again");
                    sleep(wait).await;
                }
                None if error.fault == Fault::NotFound => return Err(error),
                None => {
                    tracing::warn!(%error, tried, location = &*self.account.location, "upstream call failed");
                    return Err(error);
                }
            }
        }
    }

    /// Keeps another thing that this reading carried, if what is held of it does not tell more.
    pub fn prime<Q: Question>(&self, question: &Q, answer: Arc<Q::Answer>, bytes: usize) {
        let cache = &self.upstream.0.cache;
        let key = question.key();
        match cache.get::<Q::Answer>(&key) {
            // The lists' index lags behind: a row of what was just found missing is older than that.
            Some(None) => return,
            Some(Some(held)) if question.is_satisfied_by(&held) => return,
            _ => {}
        }
        let reading = Reading { value: Some(answer), bytes, ttl: question.ttl(&self.upstream.0.ttls) };
        cache.insert(key, self.as_of, &reading);
    }
}
