//! For whom something is asked upstream: how urgent it is, who pays for the calls, and until when an answer is of use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tracing::field::{DisplayValue, display};

use super::timeline::{Sent, Timeline};
use crate::cache::{EntityKey, Held, HeldAny};
use crate::traces::{TraceId, Within};

/// Who goes before whom where calls have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Changes, and what has to be looked up for them.
    Writes,
    /// Readings that somebody waits for.
    Reads,
    /// Changes that nobody waits for, and what has to be looked up for them.
    Background,
    /// Readings that nobody waits for.
    Renewals,
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them, in the order in which they go.
    pub const ALL: [Self; 4] = [Self::Writes, Self::Reads, Self::Background, Self::Renewals];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Reads => "reads",
            Self::Background => "background",
            Self::Renewals => "renewals",
        }
    }
}

/// Who pays for calls. Inside a lane all who pay get the same share, however much each of them asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payer(pub u64);

/// For whom something is asked. Clones are of one bill.
#[derive(Clone, Debug)]
pub struct Errand {
    /// How urgent it is.
    pub lane: Lane,
    /// Who pays.
    pub payer: Payer,
    /// Until when an answer is of use; `None`: whenever it comes.
    pub deadline: Option<Instant>,
    /// The operation that it is for, where that is traced.
    pub within: Option<Within>,
    bill: Arc<Bill>,
}

/// What came of an errand so far.
#[derive(Debug, Default)]
struct Bill {
    calls: AtomicU32,
    /// What was read for it; nothing where it has no end, since that would never leave.
    read: Mutex<HashMap<EntityKey, HeldAny, RandomState>>,
    /// Only where somebody asked for it.
    timeline: OnceLock<Timeline>,
}

impl Errand {
    /// Readings for somebody who waits until then.
    pub fn new(payer: Payer, deadline: Option<Instant>) -> Self {
        Self { lane: Lane::Reads, payer, deadline, within: None, bill: Arc::default() }
    }

    /// The same errand in another lane.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// The same errand for a change: before all readings, if somebody waits for it.
    #[must_use]
    pub fn of_a_change(&self) -> Self {
        match self.lane {
            Lane::Background => self.clone(),
            _ => self.in_lane(Lane::Writes),
        }
    }

    /// The same errand, for which it is never too late.
    #[must_use]
    pub fn without_end(&self) -> Self {
        Self { deadline: None, ..self.clone() }
    }

    /// The id of the trace that it is in, for log lines.
    pub fn trace_id(&self) -> Option<DisplayValue<TraceId>> {
        self.within.as_ref().map(|within| display(within.trace_id()))
    }

    /// Whether there is time left.
    pub fn has_time(&self) -> bool {
        self.has_time_for(Duration::ZERO)
    }

    /// Whether so much time is left.
    pub fn has_time_for(&self, wait: Duration) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() + wait < deadline)
    }

    /// What comes of it, if that is there in time.
    pub async fn in_time<F: Future>(&self, what: F) -> Result<F::Output, Elapsed> {
        match self.deadline {
            Some(deadline) => timeout_at(deadline, what).await,
            None => Ok(what.await),
        }
    }

    /// Tells its bill from those of others, for as long as it lives.
    pub fn bill(&self) -> usize {
        Arc::as_ptr(&self.bill).addr()
    }

    /// The calls that were sent for it so far, each try counted.
    pub fn calls(&self) -> u32 {
        self.bill.calls.load(Ordering::Relaxed)
    }

    /// From now on, when its calls are sent and how they end is noted.
    pub fn keep_timeline(&self) {
        self.bill.timeline.get_or_init(|| Timeline::since(Instant::now()));
    }

    /// Its calls, if they were noted, and since when they are.
    pub fn timeline(&self) -> Option<(Vec<Sent>, Duration)> {
        self.bill.timeline.get().map(Timeline::told)
    }

    /// Whether its calls are noted.
    pub fn keeps_timeline(&self) -> bool {
        self.bill.timeline.get().is_some()
    }

    /// Remembers what was read for it, so that it reads nothing twice, even if the cache keeps it for a shorter time, or not at all.
    pub fn remember(&self, key: EntityKey, held: HeldAny) {
        if self.deadline.is_some() {
            self.read().insert(key, held);
        }
    }

    /// What was read for it.
    pub(super) fn recall<T: Send + Sync + 'static>(&self, key: &EntityKey) -> Option<Held<T>> {
        let held = self.read().get(key)?.clone();
        held.downcast()
    }

    fn read(&self) -> MutexGuard<'_, HashMap<EntityKey, HeldAny, RandomState>> {
        self.bill.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same errand at the gateway's own expense.
    #[must_use]
    pub(super) fn at_no_cost(&self) -> Self {
        let bill = Bill::default();
        if let Some(timeline) = self.bill.timeline.get() {
            bill.timeline.get_or_init(|| timeline.anew());
        }
        Self { bill: Arc::new(bill), ..self.clone() }
    }

    /// Takes the calls of one that was begun at no cost.
    pub(super) fn pay_for(&self, other: &Self) {
        self.bill.calls.fetch_add(other.calls(), Ordering::Relaxed);
        if let (Some(own), Some(others)) = (self.bill.timeline.get(), other.bill.timeline.get()) {
            own.take_over(others);
        }
    }

    /// Notes that a call is sent; what it gives is for [`Self::note_end`].
    pub(super) fn note_call(&self, route: &'static str) -> Option<usize> {
        self.bill.calls.fetch_add(1, Ordering::Relaxed);
        self.bill.timeline.get()?.begin(route)
    }

    /// Notes how a call ended.
    pub(super) fn note_end(&self, call: Option<usize>, outcome: &'static str) {
        if let (Some(timeline), Some(place)) = (self.bill.timeline.get(), call) {
            timeline.end(place, outcome);
        }
    }
}
