//! For whom something is asked upstream: how urgent it is, who pays for the calls, and until when an answer is of use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::cache::{EntityKey, Held, HeldAny};

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
    pub const COUNT: usize = 4;
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
    bill: Arc<Bill>,
}

/// What came of an errand so far.
#[derive(Debug, Default)]
struct Bill {
    calls: AtomicU32,
    /// What was read for it; nothing where it has no end, since that would never leave.
    read: Mutex<HashMap<EntityKey, HeldAny, RandomState>>,
}

impl Errand {
    /// Readings for somebody who waits until then.
    pub fn new(payer: Payer, deadline: Option<Instant>) -> Self {
        Self { lane: Lane::Reads, payer, deadline, bill: Arc::default() }
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
        Self { bill: Arc::default(), ..self.clone() }
    }

    /// Notes that calls are sent.
    pub(super) fn note_calls(&self, count: u32) {
        self.bill.calls.fetch_add(count, Ordering::Relaxed);
    }
}
