//! Where the values of one answer came from: how many were held, what they were made from, and how long they are good.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::{PathSegment, QueryPathNode, QueryPathSegment};

use crate::cache::{Epoch, Kind, Origin, Slot};

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

/// What values are of: each kind that is cached, and changes, which are not.
const KINDS: [&str; CHANGE + 1] = ["contact", "tasks", "task", "notes", "note", "appointments", "page", "change"];
const CHANGE: usize = Kind::Page as usize + 1;

/// What is noted while a request is executed.
#[derive(Debug, Default)]
pub struct Trail {
    values: [[AtomicU32; 3]; KINDS.len()],
    untraced: AtomicBool,
    out_of_time: AtomicBool,
    sources: Mutex<Sources>,
}

impl Trail {
    /// Values that the cache held, readings that somebody else had under way, readings started.
    pub fn counts(&self) -> (u32, u32, u32) {
        self.counts_by_kind()
            .fold((0, 0, 0), |sum, (_, [held, shared, started])| (sum.0 + held, sum.1 + shared, sum.2 + started))
    }

    /// The same, by what they are values of.
    pub fn counts_by_kind(&self) -> impl Iterator<Item = (&'static str, [u32; 3])> {
        let of = |counts: &[AtomicU32; 3]| counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        KINDS.into_iter().zip(self.values.iter().map(of))
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

    pub(super) fn held(&self, kind: Kind) {
        self.note(kind as usize, 0);
    }

    pub(super) fn shared(&self, kind: Kind) {
        self.note(kind as usize, 1);
    }

    pub(super) fn started(&self, kind: Kind) {
        self.note(kind as usize, 2);
    }

    pub(super) fn changed(&self) {
        self.note(CHANGE, 2);
    }

    fn note(&self, kind: usize, from: usize) {
        self.values[kind][from].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn used(&self, origin: &Origin) {
        let mut sources = self.sources();
        sources.things.extend(origin.slots.iter().map(|slot| (*slot, origin.as_of)));
        sources.expires = Some(sources.expires.map_or(origin.expires, |first| first.min(origin.expires)));
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
