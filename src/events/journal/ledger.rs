//! The ledger: what was begun and what was done because of an event, so that nothing is done twice.

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{Journal, Trouble};

/// Event, automation, step.
type Key = (&'static str, &'static str, u32);

/// JSON.
const EFFECTS: TableDefinition<Key, &[u8]> = TableDefinition::new("effects");

/// By when they were begun, in milliseconds: the oldest are forgotten first.
const BEGUN: TableDefinition<(i64, &str, &str, u32), ()> = TableDefinition::new("effects_begun");

/// Most effects that are remembered.
const MOST: u64 = 1_000_000;

/// One thing that is done because of an event, at most once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EffectId {
    /// `Entry::event`, or another name for why it is done.
    pub event: Box<str>,
    /// The automation that wants it.
    pub automation: Box<str>,
    /// Which of the automation's actions.
    pub step: u32,
}

/// Whether an effect may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It was never begun.
    New,
    /// It was begun then, first, and nobody knows what came of it: look before it is made again.
    Interrupted { began: Timestamp },
    /// It was finished.
    Done,
}

/// What is known of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub automation: Box<str>,
    pub step: u32,
    pub began: Timestamp,
    /// What came of it, once it was finished.
    pub outcome: Option<Box<str>>,
}

impl Journal {
    /// Notes that an effect is about to be made; on the disk when it returns.
    pub async fn begin(&self, id: &EffectId, now: Timestamp) -> Result<Begun, Trouble> {
        let id = id.clone();
        let work = move |transaction: &WriteTransaction| begin(transaction, &id, now, MOST);
        self.file().write(work).await
    }

    /// Notes that an effect was made, or that it will not be: it is not begun again. On the disk when it returns.
    pub async fn finish(&self, id: &EffectId, outcome: &str) -> Result<(), Trouble> {
        let (id, outcome) = (id.clone(), outcome.into());
        self.file().write(move |transaction| finish(transaction, &id, outcome)).await
    }

    /// The same, with what else has to be written down at the same moment.
    pub(in crate::events) async fn finish_with(
        &self,
        id: &EffectId,
        outcome: &str,
        along: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error> + Send + 'static,
    ) -> Result<(), Trouble> {
        let (id, outcome) = (id.clone(), outcome.into());
        let work = move |transaction: &WriteTransaction| {
            along(transaction)?;
            finish(transaction, &id, outcome)
        };
        self.file().write(work).await
    }

    /// Notes that an effect was surely not made: it may be begun as a new one.
    pub(in crate::events) async fn release(&self, id: &EffectId) -> Result<(), Trouble> {
        let id = id.clone();
        let work = move |transaction: &WriteTransaction| {
            let mut effects = transaction.open_table(EFFECTS)?;
            let known = effects.remove(key(&id))?.and_then(|row| serde_json::from_slice::<Effect>(row.value()).ok());
            if let Some(Effect { began, .. }) = known {
                transaction.open_table(BEGUN)?.remove((
                    began.as_millisecond(),
                    &*id.event,
                    &*id.automation,
                    id.step,
                ))?;
            }
            Ok(())
        };
        self.file().write(work).await
    }

    /// Everything that was begun because of an event.
    pub fn effects(&self, event: &str) -> Result<Vec<Effect>, Trouble> {
        self.file().read(|transaction| {
            let table = match transaction.open_table(EFFECTS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut found = Vec::new();
            for row in table.range((event, "", 0)..)? {
                let (key, row) = row?;
                if key.value().0 != event {
                    break;
                }
                found.extend(serde_json::from_slice::<Effect>(row.value()).ok());
            }
            Ok(found)
        })
    }
}

fn key(id: &EffectId) -> (&str, &str, u32) {
    (&id.event, &id.automation, id.step)
}

fn begin(transaction: &WriteTransaction, id: &EffectId, now: Timestamp, most: u64) -> Result<Begun, redb::Error> {
    let mut effects = transaction.open_table(EFFECTS)?;
    let known = effects.get(key(id))?.and_then(|row| serde_json::from_slice::<Effect>(row.value()).ok());
    match known {
        Some(Effect { outcome: Some(_), .. }) => return Ok(Begun::Done),
        Some(Effect { began, .. }) => return Ok(Begun::Interrupted { began }),
        None => {}
    }
    let effect = Effect { automation: id.automation.clone(), step: id.step, began: now, outcome: None };
    effects.insert(key(id), &*super::json(&effect))?;
    let mut begun = transaction.open_table(BEGUN)?;
    begun.insert((now.as_millisecond(), &*id.event, &*id.automation, id.step), ())?;
    while effects.len()? > most {
        let Some((oldest, _)) = begun.pop_first()? else { break };
        let (_, event, automation, step) = oldest.value();
        effects.remove((event, automation, step))?;
    }
    Ok(Begun::New)
}

fn finish(transaction: &WriteTransaction, id: &EffectId, outcome: Box<str>) -> Result<(), redb::Error> {
    let mut effects = transaction.open_table(EFFECTS)?;
    let known = effects.get(key(id))?.and_then(|row| serde_json::from_slice::<Effect>(row.value()).ok());
    if let Some(effect) = known {
        effects.insert(key(id), &*super::json(&Effect { outcome: Some(outcome), ..effect }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, journal};
    use super::*;

    fn effect(event: &str, step: u32) -> EffectId {
        EffectId { event: event.into(), automation: "welcome".into(), step }
    }

    #[tokio::test]
    async fn an_effect_is_new_once_and_interrupted_until_it_is_finished() {
        let (dir, journal) = journal();
        let id = effect("e", 0);
        assert_eq!(journal.begin(&id, at(1)).await, Ok(Begun::New));
        assert_eq!(journal.begin(&id, at(2)).await, Ok(Begun::Interrupted { began: at(1) }));
        assert_eq!(journal.begin(&effect("e", 1), at(3)).await, Ok(Begun::New));
        assert_eq!(journal.begin(&effect("f", 0), at(3)).await, Ok(Begun::New));
        // Another process finds it as it was left.
        drop(journal);
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.begin(&id, at(4)).await, Ok(Begun::Interrupted { began: at(1) }));
        journal.finish(&id, "made task t1").await.unwrap();
        assert_eq!(journal.begin(&id, at(5)).await, Ok(Begun::Done));
        let known: Vec<_> = journal.effects("e").unwrap().into_iter().map(|effect| effect.outcome).collect();
        assert_eq!(known, [Some("made task t1".into()), None]);
        assert_eq!(journal.effects("nothing").unwrap(), []);
        journal.release(&effect("e", 1)).await.unwrap();
        assert_eq!(journal.begin(&effect("e", 1), at(6)).await, Ok(Begun::New));
    }

    #[tokio::test]
    async fn of_too_many_the_oldest_are_forgotten() {
        let (_dir, journal) = journal();
        for n in 0..5 {
            let id = effect("e", n);
            let begun = journal.file().write(move |transaction| begin(transaction, &id, at(n.into()), 3)).await;
            assert_eq!(begun, Ok(Begun::New));
        }
        let steps: Vec<_> = journal.effects("e").unwrap().into_iter().map(|effect| effect.step).collect();
        assert_eq!(steps, [2, 3, 4]);
    }
}
