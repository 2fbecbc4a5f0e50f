//! What automations keep beside the journal: what was decided for an event, what they made themselves, and what is due when.

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::action::Planned;
use crate::events::Journal;
use crate::events::journal::{Trouble, existing, json};

/// By event, JSON; and by when it was decided, so that the oldest are forgotten first.
const RUNS: TableDefinition<&str, &[u8]> = TableDefinition::new("runs");
const RUNS_AT: TableDefinition<(i64, &str), ()> = TableDefinition::new("runs_at");

/// How many bytes they are.
const RUNS_SIZE: TableDefinition<&str, u64> = TableDefinition::new("runs_size");

/// Automation, contact, when, event: the runs that did something.
type Run = (&'static str, &'static str, i64, &'static str);
const RUNS_FOR: TableDefinition<Run, ()> = TableDefinition::new("runs_for");

/// What automations made or changed, JSON, and until when that is remembered.
const OWN: TableDefinition<&str, &[u8]> = TableDefinition::new("own");
const OWN_UNTIL: TableDefinition<(i64, &str), ()> = TableDefinition::new("own_until");

/// What is due, JSON, and when.
const TIMERS: TableDefinition<&str, &[u8]> = TableDefinition::new("timers");
const TIMERS_DUE: TableDefinition<(i64, &str), ()> = TableDefinition::new("timers_due");

/// Most events whose decisions are kept, and most timers.
const MOST: u64 = 100_000;

/// Most bytes of the decisions that are kept: a rendered text is in them whole.
const MOST_BYTES: u64 = 64 << 20;

/// So many changes of a contact's tags are told apart from those of others.
const MOST_CHANGES: usize = 8;

/// In milliseconds.
const HOUR: i64 = 3_600_000;

/// The upstream tells of a change within minutes, and again for an hour (CONTRACT).
pub const OWN_FOR: SignedDuration = SignedDuration::from_hours(3);

/// What an automation decided to do because of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub automation: Box<str>,
    /// Why it does nothing.
    pub skipped: Option<String>,
    /// What it does, or why an action cannot be done.
    pub steps: Vec<Result<Planned, String>>,
}

/// Everything that was decided because of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    pub at: Timestamp,
    pub location: Box<str>,
    pub contact: Option<Box<str>>,
    pub decisions: Vec<Decision>,
    /// The automations that are judged again when the event is handled again.
    #[serde(default)]
    pub undecided: Vec<Box<str>>,
}

impl Decided {
    fn whose(&self) -> String {
        format!("{} {}", self.location, self.contact.as_deref().unwrap_or_default())
    }
}

/// Something that an automation made or changed. The event that tells of it sets nothing off.
#[derive(Clone, Debug)]
pub struct Own {
    pub key: String,
    /// The tags that the contact has since.
    pub tags: Option<Vec<String>>,
}

/// What is kept of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Those after each of the last changes.
    pub tags: Vec<Vec<String>>,
    until: i64,
}

/// A moment at which an automation is to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// The type of the event that it becomes.
    pub kind: Box<str>,
    pub automation: Box<str>,
    pub location: Box<str>,
    pub contact: Box<str>,
    /// What has the date.
    pub record: Box<str>,
    pub date: Timestamp,
    pub due: Timestamp,
}

impl Timer {
    fn key(&self) -> String {
        // No id and no location has a blank in it.
        format!("{} {} {}", self.location, self.record, self.automation)
    }
}

/// What was decided because of an event.
pub fn decided(journal: &Journal, event: &str) -> Result<Option<Decided>, Trouble> {
    journal.file().read(|transaction| {
        let Some(table) = existing(transaction.open_table(RUNS))? else { return Ok(None) };
        Ok(table.get(event)?.and_then(|row| serde_json::from_slice(row.value()).ok()))
    })
}

/// Writes down what is to be done, less what is too much for one contact in an hour, before anything of it is done.
/// `fresh`: what is decided beside what was, each with the most for an hour.
pub async fn decide(
    journal: &Journal,
    event: &str,
    decided: Decided,
    fresh: Vec<(Decision, u32)>,
) -> Result<Decided, Trouble> {
    let (event, most) = (event.to_owned(), (MOST, MOST_BYTES));
    journal.file().write(move |transaction| write_decided(transaction, &event, decided, fresh, most)).await
}

fn write_decided(
    transaction: &WriteTransaction,
    event: &str,
    mut decided: Decided,
    fresh: Vec<(Decision, u32)>,
    (most_runs, most_bytes): (u64, u64),
) -> Result<Decided, redb::Error> {
    let (now, whose) = (decided.at.as_millisecond(), &*decided.whose());
    let mut runs_for = transaction.open_table(RUNS_FOR)?;
    for (mut decision, most) in fresh {
        if decision.skipped.is_some() {
            decided.decisions.push(decision);
            continue;
        }
        let name = &*decision.automation;
        let ago = now - HOUR;
        runs_for.retain_in((name, whose, i64::MIN, "")..(name, whose, ago, ""), |_, ()| false)?;
        if runs_for.range((name, whose, ago, "")..(name, whose, i64::MAX, ""))?.count() >= most as usize {
            decision.skipped = Some(format!("it ran {most} times for this contact in an hour already"));
            decision.steps.clear();
        } else {
            runs_for.insert((name, whose, now, event), ())?;
        }
        decided.decisions.push(decision);
    }
    let mut runs = transaction.open_table(RUNS)?;
    let mut runs_at = transaction.open_table(RUNS_AT)?;
    let mut size = transaction.open_table(RUNS_SIZE)?;
    let mut bytes = match size.get("bytes")?.map(|bytes| bytes.value()) {
        Some(bytes) => bytes,
        // Nobody has counted them yet.
        None => runs.iter()?.try_fold(0, |sum, row| Ok::<_, redb::Error>(sum + row?.1.value().len() as u64))?,
    };
    let row = json(&decided);
    let before = runs.insert(event, &*row)?.map_or(0, |before| before.value().len() as u64);
    bytes = (bytes + row.len() as u64).saturating_sub(before);
    runs_at.insert((now, event), ())?;
    while runs.len()? > 1 && (runs.len()? > most_runs || bytes > most_bytes) {
        let Some((oldest, _)) = runs_at.pop_first()? else { break };
        let (at, event) = oldest.value();
        let row = runs.remove(event)?;
        bytes = bytes.saturating_sub(row.as_ref().map_or(0, |row| row.value().len() as u64));
        let old = row.and_then(|row| serde_json::from_slice::<Decided>(row.value()).ok());
        for (old, decision) in old.iter().flat_map(|old| old.decisions.iter().map(move |one| (old, one))) {
            runs_for.remove((&*decision.automation, &*old.whose(), at, event))?;
        }
    }
    size.insert("bytes", bytes)?;
    Ok(decided)
}

/// Remembers something that an automation made.
pub fn note_own(transaction: &WriteTransaction, own: &Own, now: Timestamp) -> Result<(), redb::Error> {
    let (mut table, mut ends) = (transaction.open_table(OWN)?, transaction.open_table(OWN_UNTIL)?);
    let over: Vec<(i64, String)> = ends
        .range(..(now.as_millisecond(), ""))?
        .take(100)
        .map(|row| row.map(|(key, _)| (key.value().0, key.value().1.to_owned())))
        .collect::<Result<_, _>>()?;
    for (when, key) in over {
        ends.remove((when, &*key))?;
        let known = table.get(&*key)?.and_then(|row| serde_json::from_slice::<Kept>(row.value()).ok());
        // It may have been made anew since.
        if known.is_none_or(|known| known.until == when) {
            table.remove(&*key)?;
        }
    }
    let until = now.saturating_add(OWN_FOR).unwrap_or(Timestamp::MAX).as_millisecond();
    let known = table.get(&*own.key)?.and_then(|row| serde_json::from_slice::<Kept>(row.value()).ok());
    let mut tags = known.map(|known| known.tags).unwrap_or_default();
    tags.extend(own.tags.clone());
    let tags = tags.split_off(tags.len().saturating_sub(MOST_CHANGES));
    table.insert(&*own.key, &*json(&Kept { tags, until }))?;
    ends.insert((until, &*own.key), ())?;
    Ok(())
}

/// What is remembered under a key.
pub fn own(journal: &Journal, key: &str) -> Result<Option<Kept>, Trouble> {
    journal.file().read(|transaction| {
        let Some(table) = existing(transaction.open_table(OWN))? else { return Ok(None) };
        Ok(table.get(key)?.and_then(|row| serde_json::from_slice(row.value()).ok()))
    })
}

/// Sets timers, each in the place of the one before for the same thing.
pub async fn set_timers(journal: &Journal, timers: Vec<Timer>) -> Result<(), Trouble> {
    let work = move |transaction: &WriteTransaction| {
        let (mut table, mut dues) = (transaction.open_table(TIMERS)?, transaction.open_table(TIMERS_DUE)?);
        for timer in &timers {
            let key = timer.key();
            let before = table.insert(&*key, &*json(timer))?.and_then(|row| serde_json::from_slice(row.value()).ok());
            if let Some(Timer { due, .. }) = before {
                dues.remove((due.as_millisecond(), &*key))?;
            }
            dues.insert((timer.due.as_millisecond(), &*key), ())?;
            while table.len()? > MOST {
                // The one that is furthest away.
                let Some((last, _)) = dues.pop_last()? else { break };
                table.remove(last.value().1)?;
                tracing::warn!("there are too many timers of automations: the one that is furthest away is dropped");
            }
        }
        Ok(())
    };
    journal.file().write(work).await
}

/// The timers that are due by now, the first ones first; and when the next one is.
pub fn due(journal: &Journal, now: Timestamp, most: usize) -> Result<(Vec<Timer>, Option<Timestamp>), Trouble> {
    journal.file().read(|transaction| {
        let tables = existing(transaction.open_table(TIMERS))?.zip(existing(transaction.open_table(TIMERS_DUE))?);
        let Some((table, dues)) = tables else { return Ok((Vec::new(), None)) };
        let mut timers = Vec::new();
        for row in dues.iter()? {
            let (key, _) = row?;
            let (due, key) = key.value();
            if due > now.as_millisecond() || timers.len() == most {
                return Ok((timers, Timestamp::from_millisecond(due).ok()));
            }
            let timer = table.get(key)?;
            timers.extend(timer.and_then(|row| serde_json::from_slice::<Timer>(row.value()).ok()));
        }
        Ok((timers, None))
    })
}

/// Takes timers away, unless they were set anew meanwhile.
pub async fn end_timers(journal: &Journal, timers: Vec<Timer>) -> Result<(), Trouble> {
    let work = move |transaction: &WriteTransaction| {
        let (mut table, mut dues) = (transaction.open_table(TIMERS)?, transaction.open_table(TIMERS_DUE)?);
        for timer in &timers {
            let key = timer.key();
            let known = table.get(&*key)?.and_then(|row| serde_json::from_slice::<Timer>(row.value()).ok());
            if known.as_ref() == Some(timer) {
                table.remove(&*key)?;
                dues.remove((timer.due.as_millisecond(), &*key))?;
            }
        }
        Ok(())
    };
    journal.file().write(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_too_many_bytes_the_oldest_decisions_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let write = async |event: &'static str, at: i64, note: usize, most: u64| {
            let decided = Decided {
                at: Timestamp::from_second(at).unwrap(),
                location: "L".into(),
                contact: None,
                decisions: Vec::new(),
                undecided: Vec::new(),
            };
            let steps = vec![Ok(Planned::AddNote { note: "x".repeat(note) })];
            let fresh = vec![(Decision { automation: "a".into(), skipped: None, steps }, 100)];
            let work =
                move |transaction: &WriteTransaction| write_decided(transaction, event, decided, fresh, (100, most));
            journal.file().write(work).await.unwrap();
        };
        let known = || ["a", "b", "c"].map(|event| decided(&journal, event).unwrap().is_some());
        write("a", 1, 400, 2_000).await;
        write("b", 2, 400, 2_000).await;
        assert_eq!(known(), [true, true, false]);
        write("c", 3, 1_000, 2_000).await;
        assert_eq!(known(), [false, true, true]);
        // The same once more is in its own place, and one that is larger than all room is kept alone.
        write("c", 3, 1_000, 2_000).await;
        assert_eq!(known(), [false, true, true]);
        write("a", 4, 5_000, 2_000).await;
        assert_eq!(known(), [true, false, false]);
    }
}
