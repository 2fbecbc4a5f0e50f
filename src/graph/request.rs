//! What one GraphQL request carries along: for which location, until when, and the way to load things.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use crate::caller::Caller;
use crate::upstream::{Account, Asked, Pending, Question, Upstream};

/// Gathers the keys that resolvers ask for at one moment, across fields and requests.
///
/// What a key gets is not its value but a share in the reading that brings it, so no key waits for another
/// of its batch.
pub struct Batch(Upstream);

impl<Q: Question> Loader<Q> for Batch {
    type Value = Asked<Q::Answer>;
    type Error = Infallible;

    async fn load(&self, keys: &[Q]) -> Result<HashMap<Q, Self::Value>, Infallible> {
        let ask = |key: &Q| (key.clone(), self.0.ask(key));
        Ok(keys.iter().map(ask).collect())
    }
}

/// Loads typed keys in batches, for all requests of the gateway.
#[derive(Clone)]
pub struct Loaders {
    upstream: Upstream,
    batch: Arc<DataLoader<Batch>>,
}

impl Loaders {
    /// One for the gateway.
    pub fn new(upstream: Upstream) -> Self {
        let batch = DataLoader::new(Batch(upstream.clone()), tokio::spawn).delay(Duration::ZERO);
        Self { upstream, batch: Arc::new(batch) }
    }
}

/// Where the values of a request came from.
#[derive(Debug, Default)]
pub struct Tally {
    held: AtomicU32,
    shared: AtomicU32,
    started: AtomicU32,
}

impl Tally {
    /// Values that the cache held, readings that somebody else had under way, readings started.
    pub fn counts(&self) -> (u32, u32, u32) {
        let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (of(&self.held), of(&self.shared), of(&self.started))
    }

    fn add(count: &AtomicU32) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// One GraphQL request.
#[derive(Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// Where its values came from.
    pub tally: Arc<Tally>,
    loaders: Loaders,
    deadline: Instant,
}

impl Request {
    /// `deadline`: what is not there by then is answered as timed out.
    pub fn new(caller: Caller, loaders: Loaders, deadline: Instant) -> Self {
        Self { caller, tally: Arc::default(), loaders, deadline }
    }

    /// The request that a field is resolved for.
    pub fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked::<Self>()
    }

    /// The location that is asked.
    pub fn account(&self) -> &Arc<Account> {
        &self.caller.account
    }

    /// When its time is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The value, if it is held. `Some(None)`: there is no such thing.
    pub fn held<Q: Question>(&self, key: &Q) -> Option<Option<Arc<Q::Answer>>> {
        self.loaders.upstream.held(key)
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
        if let Some(pending) = started {
            return self.wait(pending).await;
        }
        if let Some(held) = self.held(&key) {
            Tally::add(&self.tally.held);
            return Ok(held);
        }
        match self.ask(key).await {
            Asked::Known(value) => {
                Tally::add(&self.tally.held);
                Ok(value)
            }
            Asked::Shared(pending) => {
                Tally::add(&self.tally.shared);
                self.wait(pending).await
            }
            Asked::Started(pending) => {
                Tally::add(&self.tally.started);
                self.wait(pending).await
            }
        }
    }

    /// Begins to load a value that will be asked for; the reading goes on while the share is held.
    pub async fn start<Q: Question>(&self, key: Q) -> Option<Pending> {
        if self.held(&key).is_some() {
            return None;
        }
        match self.ask(key).await {
            Asked::Known(_) => None,
            Asked::Shared(pending) => Some(pending),
            Asked::Started(pending) => {
                Tally::add(&self.tally.started);
                Some(pending)
            }
        }
    }

    fn ask<Q: Question>(&self, key: Q) -> impl Future<Output = Asked<Q::Answer>> + Send {
        let loaders = &self.loaders;
        async move {
            // A batch answers each of its keys; asking once more is for a loader that does not.
            match loaders.batch.load_one(key.clone()).await {
                Ok(Some(asked)) => asked,
                Ok(None) => loaders.upstream.ask(&key),
                Err(never) => match never {},
            }
        }
    }

    async fn wait<T: Send + Sync + 'static>(&self, pending: Pending) -> Result<Option<Arc<T>>, Error> {
        match timeout_at(self.deadline, pending.landed()).await {
            Ok(landed) => Ok(landed?),
            Err(_) => Err(Error::out_of_time()),
        }
    }
}
