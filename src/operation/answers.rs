//! Answers kept as bytes ready to send. Each knows what it was made from, so that a change of one thing makes exactly the
//! answers stale that show it; and each belongs to callers who see the same.
//!
//! An answer is found in two ways: by the very bytes of a request, which costs no parsing, and by what the request comes to
//! (document, operation, variables), however it was spelled. The first owns the answers, the second only knows of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_graphql::Response;
use axum::body::Bytes;
use axum::http::HeaderValue;
use moka::Expiry;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::named::Named;
use super::outcome::Failed;
use crate::cache::{ENTRY_OVERHEAD, Epoch, Epochs, Flight, Flights, Joined, Slot};
use crate::caller::Eyes;
use crate::clock::Clock;
use crate::graph::{Sources, json};

/// How a request came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// In the query of the address.
    Get,
    /// By the name of a trusted operation in the path, its variables in the query.
    Named,
    /// In the body.
    Post,
}

/// A request as it came, from somebody who sees what others with the same eyes see.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Incoming {
    pub eyes: Eyes,
    pub way: Way,
    pub bytes: Bytes,
}

/// What a request comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    eyes: Eyes,
    digest: [u8; 32],
}

impl Key {
    /// `document`: the digest of its text; `variables`: as their types have them, in JSON.
    pub fn new(eyes: Eyes, document: &[u8; 32], operation: Option<&str>, variables: &[u8]) -> Self {
        let operation = operation.unwrap_or_default();
        let digest = Sha256::new()
            .chain_update(document)
            .chain_update((operation.len() as u64).to_be_bytes())
            .chain_update(operation)
            .chain_update(variables)
            .finalize();
        Self { eyes, digest: digest.into() }
    }
}

/// An answer as bytes, and until when it may be given out again.
#[derive(Debug)]
pub struct Ready {
    /// The body of the answer.
    pub body: Bytes,
    /// The operation that it answers.
    pub named: Arc<Named>,
    etag: OnceLock<HeaderValue>,
    cache_control: HeaderValue,
    made: Instant,
    expires: Instant,
    slots: Box<[Slot]>,
    as_of: Epoch,
    /// The last epoch at which everything was found to hold.
    checked: AtomicU64,
}

impl Ready {
    /// Whether it was to be kept when it was made.
    pub fn is_kept(&self) -> bool {
        self.expires > self.made
    }

    /// For how long a caller may keep it, from when it was made.
    pub fn cache_control(&self) -> &HeaderValue {
        &self.cache_control
    }

    /// How long ago it was made.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.made)
    }

    /// The entity tag: a digest of the body. Only those who ask by GET need it.
    pub fn etag(&self) -> &HeaderValue {
        self.etag.get_or_init(|| {
            let digest = Sha256::digest(&self.body);
            let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            HeaderValue::try_from(format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
        })
    }

    fn holds(&self, epochs: &Epochs) -> bool {
        let now = epochs.now();
        if self.checked.load(Ordering::Acquire) == now.number() {
            return true;
        }
        let holds = epochs.all_hold(&self.slots, self.as_of);
        if holds {
            self.checked.store(now.number(), Ordering::Release);
        }
        holds
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.len() + size_of_val(&*self.slots)
    }
}

/// Lets an answer leave memory when its time is over, and not wait there until its room is needed.
struct Lifetime;

impl Expiry<Incoming, Arc<Ready>> for Lifetime {
    fn expire_after_create(&self, _: &Incoming, ready: &Arc<Ready>, _: Instant) -> Option<Duration> {
        Some(ready.expires - ready.made)
    }

    fn expire_after_update(
        &self,
        _: &Incoming,
        ready: &Arc<Ready>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(ready.expires - ready.made)
    }
}

/// Answers by what their requests come to. Those that are not kept any more are swept out when there are many of them.
#[derive(Default)]
struct Index {
    known: HashMap<Key, Weak<Ready>>,
    sweep_at: usize,
}

impl Index {
    /// What it takes for an answer, at most: there is one that is gone for each that is kept.
    const ENTRY: usize = 2 * size_of::<(Key, Weak<Ready>)>() + size_of::<Ready>();

    fn put(&mut self, key: Key, ready: &Arc<Ready>) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, ready| ready.strong_count() > 0);
            self.sweep_at = (2 * self.known.len()).max(1024);
        }
        self.known.insert(key, Arc::downgrade(ready));
    }
}

/// What an execution comes to.
#[derive(Clone)]
pub enum Outcome {
    /// An answer without errors.
    Ready(Arc<Ready>),
    /// An answer with errors, which is for those who wait for it and nobody else.
    Failed(Arc<Failed>),
}

/// The answers that are kept, and those that are being made.
pub struct Answers {
    kept: Cache<Incoming, Arc<Ready>, ahash::RandomState>,
    index: Mutex<Index>,
    making: Flights<Key, Outcome>,
    epochs: Arc<Epochs>,
    clock: Clock,
}

impl Answers {
    /// At most `bytes` of memory for them.
    pub fn new(bytes: u64, epochs: Arc<Epochs>, clock: Clock) -> Self {
        let kept = Cache::builder()
            .max_capacity(bytes)
            .weigher(|incoming: &Incoming, ready: &Arc<Ready>| {
                let bytes = size_of::<Incoming>() + incoming.bytes.len() + ready.bytes();
                u32::try_from(bytes + ENTRY_OVERHEAD + Index::ENTRY).unwrap_or(u32::MAX)
            })
            .expire_after(Lifetime)
            .build_with_hasher(ahash::RandomState::new());
        let index = Mutex::default();
        Self { kept, index, making: Flights::default(), epochs, clock }
    }

    /// The answer to the same bytes, if one is kept and still good.
    pub fn known(&self, incoming: &Incoming) -> Option<Arc<Ready>> {
        self.kept.get(incoming).filter(|ready| self.is_good(ready))
    }

    /// Gives none of those out again that are kept now.
    pub fn forget_all(&self) {
        *self.index() = Index::default();
        self.kept.invalidate_all();
    }

    /// The answer to a request that comes to the same, if one is kept and still good.
    pub fn get(&self, key: &Key) -> Option<Arc<Ready>> {
        self.index().known.get(key)?.upgrade().filter(|ready| self.is_good(ready))
    }

    /// Keeps an answer for these bytes, if it is to be kept.
    pub fn keep(&self, mut incoming: Incoming, key: Key, ready: &Arc<Ready>) {
        if ready.is_kept() && self.is_good(ready) {
            // What came in may be a part of a larger buffer, which would be kept with it.
            incoming.bytes = Bytes::copy_from_slice(&incoming.bytes);
            self.index().put(key, ready);
            self.kept.insert(incoming, ready.clone());
        }
    }

    /// A share in the execution under way for `key`, if it began after the last forgetting of anything.
    pub fn making(&self, key: &Key) -> Option<Flight<Outcome>> {
        self.making.share(key, |as_of| as_of == self.epochs.now())
    }

    /// Joins the execution under way for `key` if it began after the last forgetting of anything; or lets `execution`
    /// be the one, which began at `as_of`.
    pub fn join<E>(&self, key: &Key, as_of: Epoch, execution: E) -> Joined<Outcome, Arc<Ready>>
    where
        E: Future<Output = Outcome> + Send + 'static,
    {
        let holds = |as_of| as_of == self.epochs.now();
        self.making.join(key, || self.get(key), holds, || as_of, |_| execution)
    }

    /// The moment at which an execution begins.
    pub fn now(&self) -> Epoch {
        self.epochs.now()
    }

    /// An answer without errors as bytes, with how long it is good.
    pub fn ready(
        &self,
        named: Arc<Named>,
        response: &Response,
        sources: &Sources,
        is_traced: bool,
    ) -> serde_json::Result<Ready> {
        let body = body(response)?;
        let made = self.clock.now();
        // Taken before it is seen whether everything holds: a later forgetting is one after this.
        let as_of = self.epochs.now();
        let good = is_traced
            && sources.stale.is_empty()
            && sources.things.iter().all(|(slot, began)| self.epochs.holds(*slot, *began));
        let expires = sources.expires.filter(|expires| good && *expires > made).unwrap_or(made);
        let cache_control = match (expires - made).as_secs() {
            _ if expires == made => HeaderValue::from_static("private, no-store"),
            seconds => HeaderValue::try_from(format!("private, max-age={seconds}"))
                .unwrap_or(HeaderValue::from_static("private, no-store")),
        };
        let mut slots: Vec<Slot> = sources.things.iter().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        Ok(Ready {
            body,
            named,
            etag: OnceLock::new(),
            cache_control,
            made,
            expires,
            slots: slots.into(),
            as_of,
            checked: AtomicU64::new(as_of.number()),
        })
    }

    /// A panic elsewhere leaves it whole: every change is one insert, or a sweep that may be done again.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_good(&self, ready: &Ready) -> bool {
        ready.expires > self.clock.now() && ready.holds(&self.epochs)
    }

    /// Bytes held, as weighed.
    pub fn bytes(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.weighted_size()
    }
}

/// The response in JSON.
fn body(response: &Response) -> serde_json::Result<Bytes> {
    let mut body = Vec::with_capacity(32 + json::room(&response.data));
    body.extend_from_slice(b"{\"data\":");
    json::write(&response.data, &mut body);
    if !response.extensions.is_empty() {
        body.extend_from_slice(b",\"extensions\":");
        serde_json::to_writer(&mut body, &response.extensions)?;
    }
    body.push(b'}');
    // What grew may be twice as large as it has to be for as long as it is kept, and allocators leave it so.
    Ok(match body.capacity() - body.len() > body.len() / 8 {
        true => Bytes::copy_from_slice(&body),
        false => Bytes::from(body),
    })
}
