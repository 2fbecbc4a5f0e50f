//! Where the values of one answer came from: how many were held, what they were made from, and how long they are good.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::{PathSegment, QueryPathNode, QueryPathSegment};

use ahash::RandomState;

use crate::cache::{EntityKey, Epoch, Held, HeldAny, Origin, Slot, Value};

/// A part of an answer whose time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The field that is answered with it.
    pub path: Vec<PathSegment>,
    /// How long ago it was read.
    pub age: Duration,
}

/// What an answer was made from.
#[derive(Debug, Default)]
pub struct Sources {
    /// Each thing, with the moment at which its reading began.
    pub things: Vec<(Slot, Epoch)>,
    /// When the first of them is to be read again; `None`: there are none.
    pub expires: Option<Instant>,
    /// The parts whose time was over.
    pub stale: Vec<Stale>,
}

/// What is noted while a request is executed.
#[derive(Debug, Default)]
pub struct Trail {
    held: AtomicU32,
    shared: AtomicU32,
    started: AtomicU32,
    untraced: AtomicBool,
    out_of_time: AtomicBool,
    sources: Mutex<Sources>,
    read: Mutex<HashMap<EntityKey, HeldAny, RandomState>>,
}

impl Trail {
    /// Values that the cache held, readings that somebody else had under way, readings started.
    pub fn counts(&self) -> (u32, u32, u32) {
        let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (of(&self.held), of(&self.shared), of(&self.started))
    }

    /// Notes that something in the answer is of this moment, so that the answer is not to be kept.
    pub fn note_untraced(&self) {
        self.untraced.store(true, Ordering::Relaxed);
    }

    /// Whether all of the answer is made from what the sources name.
    pub fn is_traced(&self) -> bool {
        !self.untraced.load(Ordering::Relaxed)
    }

    /// Notes that a field was answered with an error because the request's time was over.
    pub(super) fn note_out_of_time(&self) {
        self.out_of_time.store(true, Ordering::Relaxed);
    }

    /// Whether the answer would be another if there had been more time.
    pub fn is_out_of_time(&self) -> bool {
        self.out_of_time.load(Ordering::Relaxed)
    }

    /// What the answer was made from. Leaves nothing behind.
    pub fn take_sources(&self) -> Sources {
        std::mem::take(&mut *self.sources())
    }

    pub(super) fn held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn shared(&self) {
        self.shared.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn used(&self, origin: &Origin) {
        let mut sources = self.sources();
        sources.things.extend(origin.slots.iter().map(|slot| (*slot, origin.as_of)));
        sources.expires = Some(sources.expires.map_or(origin.expires, |first| first.min(origin.expires)));
    }

    /// Remembers what was read for the request.
    pub(super) fn remember<T: Send + Sync + 'static>(&self, key: EntityKey, held: &Held<T>) {
        let held = Held { value: held.value.clone().map(|value| value as Value), origin: held.origin.clone() };
        self.read().insert(key, held);
    }

    /// What was read for the request.
    pub(super) fn recall<T: Send + Sync + 'static>(&self, key: &EntityKey) -> Option<Held<T>> {
        let held = self.read().get(key)?.clone();
        held.downcast()
    }

    fn read(&self) -> MutexGuard<'_, HashMap<EntityKey, HeldAny, RandomState>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn used_stale(&self, path: Option<&QueryPathNode<'_>>, age: Duration) {
        let path = path.map(segments).unwrap_or_default();
        self.sources().stale.push(Stale { path, age });
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn segments(path: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut segments: Vec<PathSegment> = std::iter::successors(Some(path), |node| node.parent)
        .map(|node| match node.segment {
            QueryPathSegment::Index(index) => PathSegment::Index(index),
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
        })
        .collect();
    segments.reverse();
    segments
}
