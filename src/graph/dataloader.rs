//! A dataloader: the keys that fields and requests ask for at one moment are gathered by their type, and asked for
//! together when the moment is over.
//!
//! What a key gets is not its value but a share in the reading that brings it, so no key waits for another of its
//! batch, and a failed one fails alone.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::spawn;
use crate::upstream::{Asked, Errand, Question, Upstream};

/// With fewer keys than this nobody was interrupted.
pub const INTERRUPTED: usize = 32;

/// Turns that a moment lasts at most: enough for a list of 500 contacts with everything.
pub const MOST_TURNS: usize = 40;

/// Loads keys of any type in batches. Clones share them.
#[derive(Clone)]
pub struct DataLoader {
    upstream: Upstream,
    gathered: Arc<Mutex<Vec<Box<dyn Gathered>>>>,
}

/// A key, for whom it is asked, and who waits for it.
struct Wanted<Q: Question> {
    key: Q,
    errand: Errand,
    to: oneshot::Sender<Asked<Q::Answer>>,
}

/// The keys of one type.
struct Batch<Q: Question>(Vec<Wanted<Q>>);

trait Gathered: Any + Send {
    fn count(&self) -> usize;
    fn ask(self: Box<Self>, upstream: &Upstream);
}

impl<Q: Question> Gathered for Batch<Q> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn ask(self: Box<Self>, upstream: &Upstream) {
        let (wanted, to): (Vec<_>, Vec<_>) =
            self.0.into_iter().map(|Wanted { key, errand, to }| ((key, errand), to)).unzip();
        for (asked, to) in upstream.ask_all(wanted).into_iter().zip(to) {
            // Who asked may have gone.
            let _ = to.send(asked);
        }
    }
}

impl DataLoader {
    /// One for the gateway.
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream, gathered: Arc::default() }
    }

    /// What it asks.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Whether nothing is gathered that is not asked for yet.
    pub fn is_idle(&self) -> bool {
        self.gathered().is_empty()
    }

    /// Where the key's value is, or the reading that brings it. `None`: the batch was given up, which only the end of the
    /// gateway or a panic can make happen.
    pub async fn load<Q: Question>(&self, key: Q, errand: Errand) -> Option<Asked<Q::Answer>> {
        let (to, asked) = oneshot::channel();
        if self.gather(Wanted { key, errand, to }) {
            // As a rule it runs when the task that asks waits, which by then has asked for all that it needs now. When another thread is
            // quicker, there are two batches.
            let this = self.clone();
            spawn::boxed(async move {
                this.wait_for_all().await;
                let batches = std::mem::take(&mut *this.gathered());
                batches.into_iter().for_each(|batch| batch.ask(&this.upstream));
            });
        }
        asked.await.ok()
    }

    /// Lets a task go on that asks for much: the runtime interrupts it every hundred keys or so, and then it is not sure to have
    /// its turn before this one has two. But not for ever, for there are others.
    async fn wait_for_all(&self) {
        let mut seen = [0; 2];
        for _ in 0..MOST_TURNS {
            let count = self.gathered().iter().map(|batch| batch.count()).sum();
            if count < INTERRUPTED || seen == [count; 2] {
                return;
            }
            seen = [count, seen[0]];
            yield_now().await;
        }
    }

    /// Whether this key is the first of its moment.
    fn gather<Q: Question>(&self, wanted: Wanted<Q>) -> bool {
        let mut gathered = self.gathered();
        let is_first = gathered.is_empty();
        let batch = gathered.iter_mut().find_map(|batch| (&mut **batch as &mut dyn Any).downcast_mut::<Batch<Q>>());
        match batch {
            Some(batch) => batch.0.push(wanted),
            None => gathered.push(Box::new(Batch(vec![wanted]))),
        }
        is_first
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<Box<dyn Gathered>>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
