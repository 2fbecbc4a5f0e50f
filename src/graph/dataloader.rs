//! A dataloader: the keys that fields and requests ask for at one moment are gathered by their type, and asked for
//! together when the moment is over.
//!
//! What a key gets is not its value but a share in the reading that brings it, so no key waits for another of its
//! batch, and a failed one fails alone.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::upstream::{Asked, Errand, Question, Upstream};

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
    fn ask(self: Box<Self>, upstream: &Upstream);
}

impl<Q: Question> Gathered for Batch<Q> {
    fn ask(self: Box<Self>, upstream: &Upstream) {
        for Wanted { key, errand, to } in self.0 {
            // Who asked may have gone.
            let _ = to.send(upstream.on(errand).ask(&key));
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

    /// Where the key's value is, or the reading that brings it. `None`: the batch was given up, which only the end of the
    /// gateway or a panic can make happen.
    pub async fn load<Q: Question>(&self, key: Q, errand: Errand) -> Option<Asked<Q::Answer>> {
        let (to, asked) = oneshot::channel();
        if self.gather(Wanted { key, errand, to }) {
            // As a rule it runs when the task that asks waits, which by then has asked for all that it needs now. When another thread is
            // quicker, there are two batches.
            let this = self.clone();
            tokio::spawn(async move {
                let batches = std::mem::take(&mut *this.gathered());
                batches.into_iter().for_each(|batch| batch.ask(&this.upstream));
            });
        }
        asked.await.ok()
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
