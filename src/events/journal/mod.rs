//! The journal: every event that was taken, until everything that follows from it was done; and what was done.
//!
//! What a function returned is on the disk, whatever happens to the process. An event is handled at least once: it waits
//! until what came of it was written down. What is done because of it is done at most once: see `ledger`.

mod entry;
mod file;
mod ledger;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, WriteTransaction};
use sha2::{Digest, Sha256};

pub use entry::{Entry, Outcome, State, name};
pub use ledger::{Begun, Effect, EffectId};

use super::Event;
use crate::state;
use file::File;

/// Where it is, below the state directory.
pub const FOLDER: &str = "events";
pub const FILE: &str = "journal.redb";

/// By number, JSON.
const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries");

/// By number, as they were sent.
const BODIES: TableDefinition<u64, &[u8]> = TableDefinition::new("bodies");

/// The numbers of the entries in each state, so that nothing has to be searched for.
const WAITING: TableDefinition<u64, ()> = TableDefinition::new("waiting");
const HANDLED: TableDefinition<u64, ()> = TableDefinition::new("handled");
const DEAD: TableDefinition<u64, ()> = TableDefinition::new("dead");

/// Digests of the events that are not taken again, and until when, in milliseconds.
const SEEN: TableDefinition<&[u8], i64> = TableDefinition::new("seen");
const SEEN_UNTIL: TableDefinition<(i64, &[u8]), ()> = TableDefinition::new("seen_until");

/// What is counted: `next` is the next number, `bytes` are those of all bodies.
const COUNTS: TableDefinition<&str, u64> = TableDefinition::new("counts");

/// An event without a time that can be read could be sent again at any time.
const UNDATED: Duration = Duration::from_secs(30 * 24 * 3600);

/// An event is not taken again for so long: longer than it takes to be too old for the window.
const SEEN_FOR: Duration = Duration::from_secs(3 * 3600);

/// Why something was not written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Everything in it waits to be handled.
    #[error("the journal is full of events that are not handled yet")]
    Full,
    /// Another process has it open.
    #[error("another process holds it: a gateway that runs with the same GATEWAY_STATE_DIR")]
    Held,
    /// The disk, or what is on it.
    #[error("{0}")]
    Storage(String),
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub entries: u64,
    /// Of bodies.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 100_000, bytes: 256 << 20 }
    }
}

/// Whether an event is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is, and has this number.
    New(u64),
    /// It was taken before.
    Seen,
}

/// How many events there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub waiting: u64,
    pub handled: u64,
    pub dead: u64,
    pub bytes: u64,
    /// When the one that waits for the longest arrived.
    pub oldest: Option<Timestamp>,
}

/// The journal, open. Clones share it.
#[derive(Clone)]
pub struct Journal {
    file: Arc<File>,
    bounds: Bounds,
}

impl Journal {
    /// Opens the journal of a state directory, or makes it. No other process can open it meanwhile.
    pub fn open(state_dir: &Path) -> Result<Self, Trouble> {
        Self::bounded(state_dir, Bounds::default())
    }

    fn bounded(state_dir: &Path, bounds: Bounds) -> Result<Self, Trouble> {
        let told = |error: std::io::Error| Trouble::Storage(error.to_string());
        let dir = state::directory(state_dir, FOLDER).map_err(told)?;
        let file = File::open(&dir.join(FILE))?;
        state::sync(&dir).and_then(|()| state::sync(state_dir)).map_err(told)?;
        Ok(Self { file: Arc::new(file), bounds })
    }

    /// Where what follows from events is kept beside them.
    pub(in crate::events) fn file(&self) -> &File {
        &self.file
    }

    /// Takes an event, unless it was taken before; on the disk when it returns.
    pub async fn take(&self, event: Option<&Event>, body: Vec<u8>, arrived: Timestamp) -> Result<Taken, Trouble> {
        let (entry, bounds) = (Entry::new(event, &body, arrived), self.bounds);
        self.file.write(move |transaction| take(transaction, entry, &body, bounds)).await?
    }

    /// Lets the same event be taken again.
    pub(in crate::events) async fn unsee(&self, event: &str) -> Result<(), Trouble> {
        let mark = mark(event);
        let work = move |transaction: &WriteTransaction| {
            let when = transaction.open_table(SEEN)?.remove(&mark[..])?.map(|when| when.value());
            if let Some(when) = when {
                transaction.open_table(SEEN_UNTIL)?.remove((when, &mark[..]))?;
            }
            Ok(())
        };
        self.file.write(work).await
    }

    /// The events that wait to be handled, in the order of their arrival, after this one.
    pub fn waiting(&self, after: Option<u64>, most: usize) -> Result<Vec<Entry>, Trouble> {
        let from = after.map_or(0, |after| after + 1);
        self.numbered(|transaction| {
            let Some(waiting) = existing(transaction.open_table(WAITING))? else { return Ok(Vec::new()) };
            waiting.range(from..)?.take(most).map(|row| Ok(row?.0.value())).collect()
        })
    }

    /// The last events, the newest first.
    pub fn last(&self, most: usize) -> Result<Vec<Entry>, Trouble> {
        self.numbered(|transaction| {
            let Some(entries) = existing(transaction.open_table(ENTRIES))? else { return Ok(Vec::new()) };
            entries.iter()?.rev().take(most).map(|row| Ok(row?.0.value())).collect()
        })
    }

    /// The last that failed as often as they are tried, the newest first.
    pub fn dead(&self, most: usize) -> Result<Vec<Entry>, Trouble> {
        self.numbered(|transaction| {
            let Some(dead) = existing(transaction.open_table(DEAD))? else { return Ok(Vec::new()) };
            dead.iter()?.rev().take(most).map(|row| Ok(row?.0.value())).collect()
        })
    }

    /// One event.
    pub fn entry(&self, id: u64) -> Result<Option<Entry>, Trouble> {
        Ok(self.numbered(|_| Ok(vec![id]))?.pop())
    }

    /// What was sent.
    pub fn body(&self, id: u64) -> Result<Option<Vec<u8>>, Trouble> {
        self.file.read(|transaction| {
            let Some(bodies) = existing(transaction.open_table(BODIES))? else { return Ok(None) };
            Ok(bodies.get(id)?.map(|body| body.value().to_vec()))
        })
    }

    /// Notes what came of handling events; on the disk when it returns.
    pub async fn settle(&self, settled: Vec<(u64, Outcome)>) -> Result<(), Trouble> {
        let work = move |transaction: &WriteTransaction| {
            settled.into_iter().try_for_each(|(id, outcome)| {
                update(transaction, id, |entry| entry.settle(outcome))?;
                Ok(())
            })
        };
        self.file.write(work).await
    }

    /// Lets an event be handled again; `None`: there is none with this number. What was done because of it is not done again.
    pub async fn replay(&self, id: u64) -> Result<Option<Entry>, Trouble> {
        self.file.write(move |transaction| update(transaction, id, Entry::renew)).await
    }

    /// How many events there are.
    pub fn counts(&self) -> Result<Counts, Trouble> {
        let oldest = self.waiting(None, 1)?.first().map(|entry| entry.arrived);
        self.file.read(|transaction| {
            let count = |table| -> Result<u64, redb::Error> {
                existing(transaction.open_table(table))?.map_or(Ok(0), |table| Ok(table.len()?))
            };
            let bytes = match existing(transaction.open_table(COUNTS))? {
                Some(counts) => counts.get("bytes")?.map_or(0, |bytes| bytes.value()),
                None => 0,
            };
            Ok(Counts { waiting: count(WAITING)?, handled: count(HANDLED)?, dead: count(DEAD)?, bytes, oldest })
        })
    }

    fn numbered(
        &self,
        numbers: impl FnOnce(&ReadTransaction) -> Result<Vec<u64>, redb::Error>,
    ) -> Result<Vec<Entry>, Trouble> {
        self.file.read(|transaction| {
            let numbers = numbers(transaction)?;
            let Some(entries) = existing(transaction.open_table(ENTRIES))? else { return Ok(Vec::new()) };
            let mut found = Vec::with_capacity(numbers.len());
            for number in numbers {
                let row = entries.get(number)?;
                found.extend(row.and_then(|row| serde_json::from_slice::<Entry>(row.value()).ok()));
            }
            Ok(found)
        })
    }
}

/// A table that nobody wrote to yet does not exist, and has nothing in it.
pub(in crate::events) fn existing<T>(table: Result<T, TableError>) -> Result<Option<T>, redb::Error> {
    match table {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        table => Ok(Some(table?)),
    }
}

/// Rows are made of texts and numbers, and those can always be written.
pub(in crate::events) fn json(row: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}

fn take(
    transaction: &WriteTransaction,
    mut entry: Entry,
    body: &[u8],
    bounds: Bounds,
) -> Result<Result<Taken, Trouble>, redb::Error> {
    if is_seen(transaction, &entry)? {
        return Ok(Ok(Taken::Seen));
    }
    if !make_room(transaction, entry.bytes, bounds)? {
        return Ok(Err(Trouble::Full));
    }
    note_seen(transaction, &entry)?;
    let mut counts = transaction.open_table(COUNTS)?;
    entry.id = counts.get("next")?.map_or(1, |next| next.value());
    counts.insert("next", entry.id + 1)?;
    transaction.open_table(ENTRIES)?.insert(entry.id, &*json(&entry))?;
    transaction.open_table(BODIES)?.insert(entry.id, body)?;
    transaction.open_table(WAITING)?.insert(entry.id, ())?;
    Ok(Ok(Taken::New(entry.id)))
}

/// For how long an event is not taken again.
pub fn known_for(event: Option<&Event>) -> Duration {
    if event.is_some_and(|event| event.timestamp.is_some()) { SEEN_FOR } else { UNDATED }
}

/// What an event is known by.
fn mark(event: &str) -> [u8; 16] {
    let mut mark = [0; 16];
    mark.copy_from_slice(&Sha256::digest(event)[..16]);
    mark
}

fn is_seen(transaction: &WriteTransaction, entry: &Entry) -> Result<bool, redb::Error> {
    let (mut seen, mut until) = (transaction.open_table(SEEN)?, transaction.open_table(SEEN_UNTIL)?);
    let now = entry.arrived.as_millisecond();
    let over: Vec<_> = until
        .range(..(now, &[][..]))?
        .take(100)
        .map(|row| Ok(row?.0.value().1.to_vec()))
        .collect::<Result<_, redb::Error>>()?;
    for mark in over {
        if let Some(when) = seen.remove(&*mark)?.map(|when| when.value()) {
            until.remove((when, &*mark))?;
        }
    }
    Ok(seen.get(&mark(&entry.event)[..])?.is_some())
}

fn note_seen(transaction: &WriteTransaction, entry: &Entry) -> Result<(), redb::Error> {
    let time = if entry.timestamp.is_some() { SEEN_FOR } else { UNDATED };
    let when = entry.arrived.saturating_add(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX));
    let when = when.unwrap_or(Timestamp::MAX).as_millisecond();
    let mark = mark(&entry.event);
    transaction.open_table(SEEN)?.insert(&mark[..], when)?;
    transaction.open_table(SEEN_UNTIL)?.insert((when, &mark[..]), ())?;
    Ok(())
}

/// Lets go of the oldest that were handled, and then of the oldest that are dead, until there is room for one more. What waits
/// is never let go: then there is none.
fn make_room(transaction: &WriteTransaction, bytes: u64, bounds: Bounds) -> Result<bool, redb::Error> {
    let mut counts = transaction.open_table(COUNTS)?;
    let mut entries = transaction.open_table(ENTRIES)?;
    let mut held = counts.get("bytes")?.map_or(0, |bytes| bytes.value());
    while entries.len()? >= bounds.entries || held + bytes > bounds.bytes {
        let handled = transaction.open_table(HANDLED)?.pop_first()?.map(|(id, _)| id.value());
        let id = match handled {
            Some(id) => id,
            None => match transaction.open_table(DEAD)?.pop_first()?.map(|(id, _)| id.value()) {
                Some(id) => {
                    tracing::warn!(id, "the journal is full: an event that failed is let go, the oldest of them");
                    id
                }
                None => {
                    counts.insert("bytes", held)?;
                    return Ok(false);
                }
            },
        };
        entries.remove(id)?;
        held = held
            .saturating_sub(transaction.open_table(BODIES)?.remove(id)?.map_or(0, |body| body.value().len() as u64));
    }
    counts.insert("bytes", held + bytes)?;
    Ok(true)
}

/// Changes an entry, and which state it is known to be in.
fn update(
    transaction: &WriteTransaction,
    id: u64,
    change: impl FnOnce(&mut Entry),
) -> Result<Option<Entry>, redb::Error> {
    let mut entries = transaction.open_table(ENTRIES)?;
    let known = entries.get(id)?.and_then(|row| serde_json::from_slice::<Entry>(row.value()).ok());
    let Some(mut entry) = known else { return Ok(None) };
    let table = |state| match state {
        State::Waiting => WAITING,
        State::Done | State::Ignored => HANDLED,
        State::Dead => DEAD,
    };
    transaction.open_table(table(entry.state))?.remove(id)?;
    change(&mut entry);
    transaction.open_table(table(entry.state))?.insert(id, ())?;
    entries.insert(id, &*json(&entry))?;
    Ok(Some(entry))
}
