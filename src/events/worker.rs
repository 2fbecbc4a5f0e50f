//! Handles what the journal has: what is held is forgotten at once, in the order of arrival; what else follows from an event
//! follows in order for each contact, is tried again when it fails, and is left to a person in the end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::journal::{Entry, Outcome, Trouble};
use super::{Event, Events, hearing, intake};

/// What follows from an event beside that what is held is forgotten. Why it failed, where it is worth another try.
pub type Follow = Box<dyn Fn(Entry, Event) -> BoxFuture<'static, Result<(), Later>> + Send + Sync>;

/// Why something is to be done at another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    pub why: String,
    /// Not before this, where that is known.
    pub from: Option<Timestamp>,
}

impl From<String> for Later {
    fn from(why: String) -> Self {
        Self { why, from: None }
    }
}

/// Most entries that are looked at together.
const BATCH: usize = 256;

/// Most events that are handled at one time.
const AT_ONCE: usize = 32;

/// How often an event is handled before it is left to a person.
const TRIES: u32 = 8;

/// The wait after the first failure; each is four times the one before, up to an hour.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Most time for what is being done when the gateway ends.
const LAST: Duration = Duration::from_secs(5);

/// Where the worker hears that there is something to do.
#[derive(Default)]
pub struct Inbox {
    wake: Notify,
    /// From this number on it is to be looked once more.
    from: AtomicU64,
    /// Those that somebody wants to be handled again, until they are.
    wanted: Mutex<HashSet<u64>>,
    /// There is another one of them.
    more: watch::Sender<()>,
}

impl Inbox {
    /// Something arrived.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// An event that was looked at is to be handled again.
    pub fn again(&self, id: u64) {
        self.wanted().insert(id);
        self.more.send_replace(());
        self.look_from(id);
        self.wake();
    }

    fn look_from(&self, id: u64) {
        self.from.fetch_min(id, Ordering::AcqRel);
    }

    fn wanted(&self) -> MutexGuard<'_, HashSet<u64>> {
        // A panic of somebody else leaves the set as it is.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody wanted it again. From now on nobody does.
    fn take_wanted(&self, id: u64) -> bool {
        self.wanted().remove(&id)
    }

    /// Waits for the time of an event, or until somebody wants it now.
    async fn wait(&self, id: u64, time: Duration) {
        let mut more = self.more.subscribe();
        let now = async { while !self.take_wanted(id) && more.changed().await.is_ok() {} };
        let _ = timeout(time, now).await;
    }
}

/// Whose events are handled one after the other.
type Whose = (Arc<str>, Box<str>);

/// An event and whose it is. What was sent is read when it is handled: many may wait.
type Item = (Whose, Entry);

/// What is being handled, and what waits for that.
#[derive(Default)]
struct Desk<'a> {
    busy: FuturesUnordered<BoxFuture<'a, (Whose, u64)>>,
    queues: HashMap<Whose, VecDeque<Item>>,
    ids: HashSet<u64>,
    /// From this number on nothing was looked at yet.
    from: u64,
}

impl Events {
    /// Handles events until `stop`, and then what is being done to its end; answers who asks about them meanwhile.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = self.handle_all(stop) => {}
            () = self.answer() => {}
        }
    }

    async fn handle_all(&self, stop: impl Future<Output = ()>) {
        let (tell, stopping) = watch::channel(false);
        let places = Semaphore::new(AT_ONCE);
        let mut desk = Desk::default();
        let mut stop = pin!(stop);
        loop {
            if self.look(&mut desk, &places, &stopping).await {
                yield_now().await;
                continue;
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.inbox.wake.notified() => {}
                Some((whose, id)) = desk.busy.next() => self.next(&mut desk, &whose, id, &places, &stopping),
            }
        }
        // Who waits for another try does not wait any longer.
        let _ = tell.send(true);
        let rest = async { while desk.busy.next().await.is_some() {} };
        if timeout(LAST, rest).await.is_err() {
            tracing::warn!("some events were still being handled; they are handled again at the next start");
        }
    }

    /// Looks at the next entries that wait. Whether there may be more.
    async fn look<'a>(&'a self, desk: &mut Desk<'a>, places: &'a Semaphore, stopping: &watch::Receiver<bool>) -> bool {
        let from = desk.from.min(self.inbox.from.swap(u64::MAX, Ordering::AcqRel));
        let entries = match self.read(from) {
            Ok(entries) => entries,
            Err(trouble) => {
                tracing::error!(%trouble, "the journal of events could not be read");
                self.inbox.look_from(from);
                return false;
            }
        };
        let Some(last) = entries.last().map(|(entry, _)| entry.id) else { return false };
        let more = entries.len() == BATCH;
        let mut settled = Vec::new();
        for (entry, event) in entries {
            if desk.ids.contains(&entry.id) {
                continue;
            }
            self.inbox.take_wanted(entry.id);
            match self.tell(event.as_ref()) {
                Err(why) => settled.push((entry, Outcome::Ignored(why))),
                Ok(_) if self.follow.is_none() => settled.push((entry, Outcome::Done)),
                Ok(whose) => {
                    desk.ids.insert(entry.id);
                    self.enqueue(desk, (whose, entry), places, stopping);
                }
            }
        }
        self.settle(settled).await;
        desk.from = desk.from.max(last + 1);
        if more {
            self.inbox.look_from(last + 1);
        }
        more
    }

    /// The next entries that wait, with what was sent.
    fn read(&self, from: u64) -> Result<Vec<(Entry, Option<Event>)>, Trouble> {
        let entries = self.journal.waiting(from.checked_sub(1), BATCH)?;
        entries.into_iter().map(|entry| self.event(entry.id).map(|event| (entry, event))).collect()
    }

    fn event(&self, id: u64) -> Result<Option<Event>, Trouble> {
        let body = self.journal.body(id)?;
        Ok(body.and_then(|body| Event::read(&body).ok()))
    }

    /// What follows from every event at once: what is held of it is forgotten, and then whoever watches hears of it.
    fn tell(&self, event: Option<&Event>) -> Result<Whose, &'static str> {
        let change = hearing::change(event, &self.served)?;
        hearing::forget(&self.upstream, &change);
        let whose = (change.location.clone(), change.contact.clone());
        if !event.is_some_and(Event::is_due) {
            self.upstream.tell_of(change);
        }
        Ok(whose)
    }

    fn enqueue<'a>(&'a self, desk: &mut Desk<'a>, item: Item, places: &'a Semaphore, stopping: &watch::Receiver<bool>) {
        match desk.queues.get_mut(&item.0) {
            Some(queue) => queue.push_back(item),
            None => {
                desk.queues.insert(item.0.clone(), VecDeque::new());
                desk.busy.push(Box::pin(self.handle(item, places, stopping.clone())));
            }
        }
    }

    /// After one event of a contact, the next of it.
    fn next<'a>(
        &'a self,
        desk: &mut Desk<'a>,
        whose: &Whose,
        id: u64,
        places: &'a Semaphore,
        stopping: &watch::Receiver<bool>,
    ) {
        desk.ids.remove(&id);
        // Somebody may have wanted it again while its end was on its way: then it was passed over.
        if self.inbox.take_wanted(id) {
            self.inbox.look_from(id);
            self.inbox.wake();
        }
        match desk.queues.get_mut(whose).and_then(VecDeque::pop_front) {
            Some(item) => desk.busy.push(Box::pin(self.handle(item, places, stopping.clone()))),
            None => {
                desk.queues.remove(whose);
            }
        }
    }

    /// Handles one event, as often as it takes.
    async fn handle(
        &self,
        (whose, mut entry): Item,
        places: &Semaphore,
        mut stopping: watch::Receiver<bool>,
    ) -> (Whose, u64) {
        let id = entry.id;
        loop {
            let wait = entry.due.map_or(Duration::ZERO, |due| self.until(due));
            let place = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return (whose, id),
                place = async { self.inbox.wait(id, wait).await; places.acquire().await } => place,
            };
            // It may be a new one again, which somebody wanted while it waited.
            if let Ok(Some(known)) = self.journal.entry(id) {
                entry = known;
            }
            let done = self.follow(&entry).await;
            drop(place);
            let outcome = match done {
                Ok(()) => Outcome::Done,
                Err(later) => self.failed(&entry, later),
            };
            self.settle(vec![(entry.clone(), outcome.clone())]).await;
            entry.settle(outcome);
            if entry.due.is_none() {
                return (whose, id);
            }
        }
    }

    async fn follow(&self, entry: &Entry) -> Result<(), Later> {
        let event = self.event(entry.id).map_err(|trouble| trouble.to_string())?;
        let (Some(follow), Some(event)) = (&self.follow, event) else {
            return Err("what was sent is not there any more".to_owned().into());
        };
        let done = AssertUnwindSafe(follow(entry.clone(), event)).catch_unwind().await;
        // The others are handled all the same.
        done.unwrap_or_else(|_| Err("it ended in a panic".to_owned().into()))
    }

    fn failed(&self, entry: &Entry, Later { why, from }: Later) -> Outcome {
        if entry.tries + 1 >= TRIES {
            tracing::error!(
                id = entry.id,
                kind = &*entry.kind,
                why,
                "an event failed for the last time; `events replay` handles it again"
            );
            return Outcome::Dead { why };
        }
        let wait = backoff(entry.tries).max(from.map_or(Duration::ZERO, |from| self.until(from)));
        tracing::warn!(id = entry.id, kind = &*entry.kind, why, ?wait, "an event failed and is handled again");
        let due = self.now().saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
        Outcome::Failed { why, due: due.unwrap_or(Timestamp::MAX) }
    }

    /// Writes down what came of it. What cannot be written is handled again at the next start, and what was done is not done again.
    async fn settle(&self, settled: Vec<(Entry, Outcome)>) {
        if settled.is_empty() {
            return;
        }
        for (entry, outcome) in &settled {
            let word = match outcome {
                Outcome::Done => "done",
                Outcome::Ignored(_) => "ignored",
                Outcome::Failed { .. } => "failed",
                Outcome::Dead { .. } => "dead",
            };
            self.metrics.heard(intake::counted(&entry.kind), word);
        }
        let settled = settled.into_iter().map(|(entry, outcome)| (entry.id, outcome)).collect();
        if let Err(trouble) = self.journal.settle(settled).await {
            tracing::error!(%trouble, "what came of events could not be written down");
        }
    }

    /// Lets an event be handled again. `None`: there is none.
    pub async fn replay(&self, id: u64) -> Result<Option<Entry>, Trouble> {
        let entry = self.journal.replay(id).await?;
        if entry.is_some() {
            self.inbox.again(id);
        }
        Ok(entry)
    }

    fn until(&self, due: Timestamp) -> Duration {
        due.duration_since(self.now()).try_into().unwrap_or(Duration::ZERO)
    }
}

fn backoff(tries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(4_u32.saturating_pow(tries)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests;
