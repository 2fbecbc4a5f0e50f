//! What can be asked upstream: where its answer is held, how long that is good, what makes it stale, and how it is read.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::together::{Several, Together};
use super::{Account, Error, Route, Session};
use crate::cache::{EntityKey, Held, Kind, Tag};

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
    /// How long after its time anything may still be given out, while it is renewed.
    pub stale_while_revalidate: Duration,
    /// How long after its time anything may still be given out, when nothing newer can be had.
    pub stale_if_error: Duration,
}

/// A typed key: something that can be asked upstream, and how.
pub trait Question: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// What it is answered with.
    type Answer: Send + Sync + 'static;

    /// What sort of thing it asks for.
    const KIND: Kind;

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

    /// The same, where it may be held that there is no such thing.
    fn is_answered_by(&self, held: &Held<Self::Answer>) -> bool {
        held.value.as_ref().is_none_or(|answer| self.is_satisfied_by(answer))
    }

    /// Whether its answer shows other things too, of which nobody knows before it is there.
    const SHOWS_OTHERS: bool = false;

    /// Tells everything that has to be forgotten for the answer to become stale: before it is there, as far as
    /// the question tells, and then all of it.
    fn made_of(&self, _answer: Option<&Self::Answer>, tell: &mut dyn FnMut(Tag<'_>)) {
        tell(self.key().tag());
    }

    /// Asks the upstream; `None` when there is no such thing. The number is the answer's size in bytes.
    fn fetch(&self, session: &Session) -> impl Future<Output = Result<Option<(Self::Answer, usize)>, Error>> + Send;

    /// How many of them are read together, if there is a route for that.
    const TOGETHER: Option<Together> = None;

    /// Whether it may be one of them.
    fn may_be_together(&self) -> bool {
        true
    }

    /// Another such route that is looked at first, since whoever asks needs it more.
    fn looks_after(&self) -> Option<Route> {
        None
    }

    /// Whether that route may not show a late change of it yet.
    fn is_behind_together(&self, _session: &Session) -> bool {
        false
    }

    /// Asks the upstream for several at once. What is not among the answers is asked for by itself.
    fn fetch_together(_: Vec<Self>, _: Session) -> impl Future<Output = Several<Self>> + Send + 'static {
        std::future::ready(Ok(Vec::new()))
    }
}
