//! What was changed lately. The upstream's lists follow changes with a delay of seconds: for a while after a change, a row
//! may show what was before it. And a change of which nobody knows what came may still be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::Account;
use crate::cache::Slot;
use crate::clock::Clock;
use crate::remembered::{Bound, Digest, Remembered};

/// For so long after a change, lists may not show it yet (CONTRACT: seconds).
const LAG: Duration = Duration::from_secs(10);

/// For so long after a change whose answer was lost, it may still be made: as long as the upstream has to answer, by default.
const DOUBT: Duration = Duration::from_secs(10);

/// More changes than so many in that time are not remembered: then rows are taken as they are.
const MOST: u64 = 100_000;

struct Change {
    location: Box<str>,
    /// Whether it is that of a row.
    is_row: bool,
    until: Instant,
}

/// What a change may be missing from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind<'a> {
    /// From no list: they do not show what it changed.
    Nothing,
    /// From the lists of the location.
    Lists,
    /// From the row of this contact, in whichever list.
    Row(&'a str),
    /// From the tasks of this contact, where those of several are searched for.
    Tasks(&'a str),
}

/// The changes of the last seconds.
pub struct Lately {
    changes: Remembered<Change>,
    began: Instant,
    /// Until when, in milliseconds after the beginning, any change counts: mostly none does, and then none is looked for.
    any_until: AtomicU64,
    /// What a change may still touch.
    doubts: Remembered<Instant>,
    /// Whether there ever was a doubt: mostly not, and then no row is looked up.
    ever_doubted: AtomicBool,
    clock: Clock,
}

impl Lately {
    /// Nothing was changed yet.
    pub fn new(clock: Clock) -> Self {
        // What is over leaves, so that those that count can be counted. The clock is no slower than that of the caches, unless a test stops it.
        let within = |lives| Bound { lives: Some(lives), ..Bound::weight(MOST) };
        let (changes, doubts) = (Remembered::within(within(LAG)), Remembered::within(within(DOUBT)));
        let (began, any_until) = (clock.now(), AtomicU64::new(0));
        Self { changes, began, any_until, doubts, ever_doubted: AtomicBool::new(false), clock }
    }

    /// How many contacts of a location may have rows that are behind, at most.
    pub fn count(&self, account: &Account) -> usize {
        if !self.are_lists_behind(account) {
            return 0;
        }
        let now = self.clock.now();
        let counts = |change: &Change| change.is_row && change.location == account.location && change.until > now;
        let changes = self.changes.values().filter(|change| counts(change)).count();
        let doubts = self.doubts.values().filter(|until| **until > now).count();
        changes + doubts
    }

    /// Notes that what has this slot may still be changed.
    pub fn doubt(&self, slot: Slot) {
        self.ever_doubted.store(true, Ordering::Relaxed);
        self.doubts.insert(numbered(slot), Arc::new(self.clock.now() + DOUBT), 1);
    }

    /// Whether something that has one of these slots may still be changed.
    pub fn is_in_doubt(&self, slots: &[Slot]) -> bool {
        let any = slots.last().map(|last| last.of_any());
        slots.iter().copied().chain(any).any(|slot| self.is_itself_in_doubt(slot))
    }

    /// The same for one slot, and not because any contact of its location may be the one that is changed.
    pub fn is_itself_in_doubt(&self, slot: Slot) -> bool {
        self.ever_doubted.load(Ordering::Relaxed)
            && self.doubts.get(&numbered(slot)).is_some_and(|until| *until > self.clock.now())
    }

    /// Notes a change that was made now.
    pub fn note(&self, location: &str, behind: Behind<'_>) {
        let until = self.clock.now() + LAG;
        let note = |behind: Behind<'_>| {
            self.any_until.fetch_max(self.millis(until) + 1, Ordering::Relaxed);
            let change = Change { location: location.into(), is_row: matches!(behind, Behind::Row(_)), until };
            self.changes.insert(behind.digest(location), Arc::new(change), 1);
        };
        match behind {
            Behind::Nothing => {}
            Behind::Lists | Behind::Tasks(_) => note(behind),
            Behind::Row(_) => [Behind::Lists, behind].into_iter().for_each(note),
        }
    }

    /// Whether the row of a contact may be older than its last change.
    pub fn is_row_behind(&self, account: &Account, id: &str) -> bool {
        self.holds(account, Behind::Row(id))
    }

    /// Whether a search for the tasks of a contact may show them as they were before their last change.
    pub fn are_tasks_behind(&self, account: &Account, contact: &str) -> bool {
        self.holds(account, Behind::Tasks(contact))
    }

    /// Whether a list of the location may lack a contact, or show one that it should not.
    pub fn are_lists_behind(&self, account: &Account) -> bool {
        self.holds(account, Behind::Lists)
    }

    fn holds(&self, account: &Account, behind: Behind<'_>) -> bool {
        let now = self.clock.now();
        self.millis(now) < self.any_until.load(Ordering::Relaxed)
            && self.changes.get(&behind.digest(&account.location)).is_some_and(|change| change.until > now)
    }

    fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_millis() as u64
    }
}

impl Behind<'_> {
    fn digest(self, location: &str) -> Digest {
        let (kind, id) = match self {
            Self::Nothing => ("nothing", ""),
            Self::Lists => ("lists", ""),
            Self::Row(id) => ("row", id),
            Self::Tasks(contact) => ("tasks", contact),
        };
        // No id of a location has a zero in it, so no two have one digest.
        Sha256::new().chain_update(kind).chain_update(location).chain_update([0]).chain_update(id).finalize().into()
    }
}

fn numbered(slot: Slot) -> Digest {
    let mut digest = Digest::default();
    digest[..4].copy_from_slice(&slot.number().to_le_bytes());
    digest
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::cache::{Epochs, Kind, View};
    use crate::upstream::Allowance;

    #[test]
    fn what_may_still_be_changed_is_in_doubt_for_a_while() {
        let (clock, epochs) = (Clock::default(), Epochs::default());
        let lately = Lately::new(clock.clone());
        let view = View::new("L", "c");
        let slot = |kind, id| epochs.slot(view.tag(kind, id));
        let (task, contact) = ([slot(Kind::Task, "1")], [slot(Kind::Page, "all"), slot(Kind::Contact, "1")]);
        lately.doubt(task[0]);
        assert!(lately.is_in_doubt(&task) && !lately.is_in_doubt(&contact));
        lately.doubt(epochs.slot(view.any_contact()));
        assert!(lately.is_in_doubt(&contact));
        clock.advance(DOUBT);
        assert!(!lately.is_in_doubt(&task) && !lately.is_in_doubt(&contact));
    }

    #[test]
    fn a_change_is_remembered_for_its_contact_and_its_location_and_then_forgotten() {
        let account = |location| Account::new(location, None, TimeZone::UTC, "t".into(), Allowance::default());
        let (a, b) = (account("A"), account("B"));
        let clock = Clock::default();
        let lately = Lately::new(clock.clone());
        lately.note("A", Behind::Nothing);
        assert!(!lately.are_lists_behind(&a));
        lately.note("A", Behind::Row("1"));
        assert!(lately.is_row_behind(&a, "1") && lately.are_lists_behind(&a));
        assert!(!lately.is_row_behind(&a, "2") && !lately.is_row_behind(&b, "1") && !lately.are_lists_behind(&b));
        lately.note("A", Behind::Lists);
        lately.note("A", Behind::Row("1"));
        lately.note("B", Behind::Row("3"));
        assert_eq!((lately.count(&a), lately.count(&b)), (1, 1));
        lately.note("B", Behind::Tasks("1"));
        assert!(lately.are_tasks_behind(&b, "1") && !lately.are_tasks_behind(&a, "1"));
        assert!(!lately.are_tasks_behind(&b, "2"));
        clock.advance(LAG);
        assert!(!lately.are_tasks_behind(&b, "1"));
        assert!(!lately.is_row_behind(&a, "1") && !lately.are_lists_behind(&a));
        assert_eq!(lately.count(&a), 0);
    }
}
