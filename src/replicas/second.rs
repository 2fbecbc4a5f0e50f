//! The second level of the cache: what one gateway has read, and that one of them reads at a time.
//!
//! A value holds while nothing that it was made from was forgotten since its reading began, by the table that `tell.lua` writes. So a
//! reading that was under way at a forgetting brings nothing back, here as in memory.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::entry::{Entry, TABLE};
use super::link::{Trouble, in_time};
use super::{Inner, Replicas, TABLE_MS, lock, new_table, table};
use crate::spawn;

/// For how long a reading has its turn. While it goes on it is given another one; after a crash, the others wait for so long.
const TURN: Duration = Duration::from_secs(3);

/// The turn's end may be told on a connection that is none, so it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long it is before it is said again that a reading is over, where Redis was away.
const SAY_AGAIN: Duration = Duration::from_millis(50);

/// Nobody waits longer for a reading of another gateway.
const PATIENCE: Duration = Duration::from_secs(30);

static LOOK: LazyLock<Script> = LazyLock::new(|| in_time(include_str!("lua/look.lua")));
static END: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/end.lua")));
static READ_ON: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/read_on.lua")));

/// What another gateway has read.
#[derive(Debug)]
pub struct Found {
    /// The body of the answer; `None`: there is no such thing.
    pub body: Option<Vec<u8>>,
    /// How long ago it was read.
    pub age: Duration,
    /// For how long it is good.
    pub left: Duration,
}

/// What came of a look.
pub enum Look {
    /// It is there.
    Found(Found),
    /// Whoever looked is to read it; the others wait for that, or were not asked.
    Read(Reading),
    /// It is not known, and whoever looked goes alone.
    Alone,
}

/// A reading that others may wait for. They are told when it is dropped.
pub struct Reading {
    inner: Arc<Inner>,
    key: String,
    lock: String,
    /// Empty: nobody waits.
    owner: String,
    head: Vec<u8>,
    read_on: Option<AbortHandle>,
    brought: Option<Entry>,
}

impl Reading {
    /// One that may get its turn.
    fn new(inner: Arc<Inner>, [key, lock, owner]: [&String; 3]) -> Self {
        let (key, lock, owner) = (key.clone(), lock.clone(), owner.clone());
        Self { inner, key, lock, owner, head: Vec::new(), read_on: None, brought: None }
    }

    /// It has its turn, at this state of the table.
    fn begin(&mut self, head: &[u8]) {
        self.head = head.into();
        if !self.owner.is_empty() {
            let read_on = read_on(self.inner.clone(), self.lock.clone(), self.owner.clone());
            self.read_on = Some(spawn::boxed(read_on).abort_handle());
        }
    }

    /// It did not get it.
    fn is_nobodys(&mut self) {
        self.owner.clear();
    }

    /// Has what was read kept for all, unless it was forgotten meanwhile. Nobody has to wait for that.
    pub fn keep(mut self, entry: Entry) {
        self.brought = Some(entry);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(read_on) = self.read_on.take() {
            read_on.abort();
        }
        let brought = self.brought.take();
        if brought.is_none() && self.owner.is_empty() {
            return;
        }
        // Without a runtime the process ends, and the turn does by itself.
        if Handle::try_current().is_ok() {
            let (key, lock, owner) = (self.key.clone(), self.lock.clone(), self.owner.clone());
            spawn::boxed(end(self.inner.clone(), [key, lock, owner], self.head.clone(), brought));
        }
    }
}

async fn end(inner: Arc<Inner>, [key, lock, owner]: [String; 3], head: Vec<u8>, brought: Option<Entry>) {
    let ttl = brought.as_ref().map_or(Duration::ZERO, |entry| entry.ttl);
    let text = brought.and_then(|entry| entry.write(&key, &head, &inner.seal)).unwrap_or_default();
    let until = Instant::now() + TURN;
    loop {
        let ended = inner.link.script(&END, |script, run| {
            script.key(table(&inner.link, run)).key(&key).key(&lock);
            script.arg(&owner).arg(inner.over()).arg(&text).arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        });
        let ended: Result<i64, _> = ended.await;
        // The turn ends by itself where this cannot be said for so long.
        if ended != Err(Trouble::Away) || Instant::now() >= until {
            return;
        }
        sleep(SAY_AGAIN).await;
    }
}

async fn read_on(inner: Arc<Inner>, lock: String, owner: String) {
    loop {
        sleep(TURN / 3).await;
        let kept = inner.link.script(&READ_ON, |script, _| {
            script.key(&lock).arg(&owner).arg(TURN.as_millis() as u64);
        });
        let _ = kept.await as Result<i64, _>;
    }
}

/// Takes who waits off the list.
struct Waiting<'a> {
    inner: &'a Inner,
    lock: &'a str,
    over: Arc<Notify>,
}

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner, lock_: &'a str) -> Self {
        let over = lock(&inner.waiting).entry(lock_.to_owned()).or_default().clone();
        Self { inner, lock: lock_, over }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.inner.waiting).remove(self.lock);
    }
}

impl Replicas {
    /// Looks for what is called this. `takes_turns`: where it is not there, one reads it and the others wait.
    pub async fn look(&self, name: &str, takes_turns: bool) -> Look {
        let looked = self.look_or_wait(name, takes_turns).await;
        self.inner.metrics.redis.looked(match looked {
            Look::Found(_) => "found",
            Look::Read(_) => "read",
            Look::Alone => "alone",
        });
        looked
    }

    async fn look_or_wait(&self, name: &str, takes_turns: bool) -> Look {
        let inner = &*self.inner;
        let (key, lock_) = (inner.link.name(&format!("value:{name}")), inner.link.name(&format!("turn:{name}")));
        let owner = if takes_turns { format!("{:032x}", fastrand::u128(..)) } else { String::new() };
        let until = Instant::now() + PATIENCE;
        // Before the first look: what is over right after it is heard.
        let waiting = takes_turns.then(|| Waiting::new(inner, &lock_));
        while Instant::now() < until {
            // Before the look: what others were told of meanwhile, the table has.
            let untold = lock(&inner.queue).untold();
            // It may be given up while the turn is on its way to it.
            let mut reading = Reading::new(self.inner.clone(), [&key, &lock_, &owner]);
            let looked = inner.link.script(&LOOK, |script, run| {
                script.key(table(&inner.link, run)).key(&key).key(&lock_);
                script.arg(new_table()).arg(TABLE_MS).arg(&owner).arg(TURN.as_millis() as u64);
            });
            let looked: Result<(u8, Vec<u8>, i64), _> = looked.await;
            if let Ok((1, head, _)) = &looked
                && head.len() == TABLE
            {
                reading.begin(head);
                return Look::Read(reading);
            }
            reading.is_nobodys();
            match looked {
                Ok((0, text, left)) => {
                    let entry = Entry::read(&key, &text, &inner.seal).filter(|entry| !untold.concerns(&entry.places));
                    let Some(entry) = entry else { return Look::Alone };
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    return Look::Found(Found { body: entry.body, age: entry.ttl.saturating_sub(left), left });
                }
                Ok((2, _, left)) => {
                    let Some(Waiting { over, .. }) = &waiting else { return Look::Alone };
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    // Whatever it is, it is looked for again.
                    let _ = timeout(left.min(LOOK_AGAIN), over.notified()).await;
                }
                _ => return Look::Alone,
            }
        }
        Look::Alone
    }
}
