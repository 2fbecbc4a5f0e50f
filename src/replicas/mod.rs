//! What joins the gateways that share a Redis: what one of them forgets, all forget, and what one has read, none reads again. Knows
//! Redis, and nothing of contacts.

mod acks;
mod entry;
mod link;
mod queue;
mod seal;
mod second;
mod sentinels;
mod voices;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

pub use entry::{Entry, Place};
pub use link::{Heard, Link, Restart, Subscription, Trouble, in_time};
pub use seal::Seal;
pub use second::{Found, Look, Reading};
#[cfg(test)]
pub use way::Dial;

use crate::metrics::Metrics;
use crate::spawn;
use acks::Acks;
use queue::Queue;

/// A gateway that was not heard of for so long is not waited for, and one that does not hear itself for so long is cut off.
const SILENT: Duration = Duration::from_secs(1);

/// Most time that a change waits for the others. Who takes longer is not there any more.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Who is told what the others say.
pub trait Hears: Send + Sync + 'static {
    /// Something may have been missed: whatever was read before is not to be believed.
    fn forget_all(&self);

    /// What another one told.
    fn told(&self, text: &str);
}

/// How far the others are.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Everything up to this number was taken by all.
    done: u64,
    /// Whether this gateway cannot speak or does not hear.
    is_cut_off: bool,
}

struct Inner {
    link: Link,
    seal: Seal,
    /// Which of the gateways this one is, for as long as it runs.
    member: Box<str>,
    queue: Mutex<Queue>,
    put: Notify,
    acks: Mutex<Acks>,
    heard: Mutex<acks::Heard>,
    /// When it last heard itself.
    heard_at: Mutex<Option<Instant>>,
    /// Has it say so before it is time.
    stir: Notify,
    is_leaving: AtomicBool,
    progress: watch::Sender<Progress>,
    /// Who waits for which reading of another one.
    waiting: Mutex<BTreeMap<String, Arc<Notify>>>,
    metrics: Arc<Metrics>,
}

/// This gateway among the others. It leaves when this is dropped.
pub struct Replicas {
    inner: Arc<Inner>,
    tasks: [AbortHandle; 3],
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").field("link", &self.inner.link).finish_non_exhaustive()
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Replicas {
    /// Joins those who share the link's Redis, on the runtime of the caller.
    pub fn join(link: Link, seal: Seal, metrics: Arc<Metrics>, hears: impl Hears) -> Self {
        let inner = Arc::new(Inner {
            link,
            seal,
            member: format!("{:032x}", fastrand::u128(..)).into(),
            queue: Mutex::default(),
            put: Notify::default(),
            acks: Mutex::default(),
            heard: Mutex::default(),
            heard_at: Mutex::default(),
            stir: Notify::default(),
            is_leaving: AtomicBool::new(false),
            progress: watch::Sender::default(),
            waiting: Mutex::default(),
            metrics,
        });
        let channels = [inner.news(), inner.over(), inner.own(&inner.member)];
        let subscription = inner.link.subscribe(channels.into());
        let tasks = [
            spawn::boxed(voices::beat(inner.clone(), subscription.restart())).abort_handle(),
            spawn::boxed(voices::listen(inner.clone(), subscription, hears)).abort_handle(),
            spawn::boxed(voices::speak(inner.clone())).abort_handle(),
        ];
        Self { inner, tasks }
    }

    /// Tells all others, before what has these places is forgotten here. What is told while Redis is away is told later.
    pub fn tell(&self, places: BTreeSet<Place>, text: Box<str>) {
        lock(&self.inner.queue).put(places, text);
        self.inner.put.notify_one();
    }

    /// Waits until all others have taken what was told so far: all that are there, and not while this one is cut off.
    pub async fn taken(&self) {
        let last = lock(&self.inner.queue).last();
        let mut progress = self.inner.progress.subscribe();
        let taken = progress.wait_for(|progress| progress.done >= last || progress.is_cut_off);
        // Who did not answer in time will be found to have gone.
        let _ = timeout(PATIENCE, taken).await;
    }

    /// Nobody is to wait for this one any more: it is about to end.
    pub fn leave(&self) {
        self.inner.is_leaving.store(true, Ordering::Relaxed);
        self.inner.stir.notify_one();
    }
}

impl Inner {
    /// The channel of what all are told.
    fn news(&self) -> String {
        self.link.name("news")
    }

    /// The channel of readings that are over.
    fn over(&self) -> String {
        self.link.name("over")
    }

    /// The channel of one of them.
    fn own(&self, member: &str) -> String {
        self.link.name(&format!("to:{member}"))
    }

    /// Whether this gateway hears itself.
    fn hears(&self) -> bool {
        lock(&self.heard_at).is_some_and(|at| at.elapsed() <= SILENT)
    }

    fn note_done(&self, done: u64) {
        self.progress.send_if_modified(|progress| {
            let is_more = done > progress.done;
            progress.done = done.max(progress.done);
            is_more
        });
    }

    fn note_cut_off(&self, is_cut_off: bool) {
        let changed = self.progress.send_if_modified(|progress| {
            let changed = progress.is_cut_off != is_cut_off;
            progress.is_cut_off = is_cut_off;
            changed
        });
        if changed {
            match is_cut_off {
                true => tracing::info!("cut off from the gateways that share the Redis"),
                false => tracing::info!("joined the gateways that share the Redis"),
            }
        }
    }
}

/// The table of forgettings. A server that was started again may have an old copy, and begins another.
fn table(link: &Link, run: &str) -> String {
    link.name(&format!("forgotten:{run}"))
}

/// A name for a table, if a script has to begin one.
fn new_table() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// How long the table is kept after it was last used. What is kept by it is kept for less.
const TABLE_MS: u64 = 24 * 3600 * 1000;

/// A panic elsewhere leaves them whole: every change of them is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
