//! What was forgotten when. A value is stale once something that it was made from was forgotten after its
//! reading began, however long that reading took.

use std::ops::Deref;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;
use bytemuck::allocation::zeroed_slice_box;

use super::key::Tag;

/// Two tags that share a slot are forgotten together, which costs a call and is never wrong; so the table can
/// stay at this size (2 MiB, of which nothing is touched before something is forgotten) whatever callers ask for.
const SLOTS: usize = 1 << 18;

/// Floors for the contacts of locations. Locations that share one are forgotten together, as tags that share a slot are.
const FLOORS: usize = 1 << 12;

/// A moment in the order of forgettings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Epoch(u64);

impl Epoch {
    /// Its place in the order.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where the forgettings of a tag are noted: its own place in the table, and above that the floor of its location, which is
/// the first for everything but contacts and lists of them, and is only raised when all are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(u32);

impl Slot {
    fn new(floor: usize, place: usize) -> Self {
        Self((floor * SLOTS + place) as u32)
    }

    fn place(self) -> usize {
        self.0 as usize % SLOTS
    }

    fn floor(self) -> usize {
        self.0 as usize / SLOTS
    }

    /// The slot of any contact of the location, if this is of one.
    pub fn of_any(self) -> Self {
        Self::new(self.floor(), 0)
    }

    /// Its number, which no other has.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The slots of everything that a value was made from: mostly one.
#[derive(Clone, Debug)]
pub enum Slots {
    One(Slot),
    Many(Arc<[Slot]>),
}

impl Deref for Slots {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        match self {
            Self::One(slot) => slice::from_ref(slot),
            Self::Many(slots) => slots,
        }
    }
}

impl From<Vec<Slot>> for Slots {
    fn from(slots: Vec<Slot>) -> Self {
        match slots[..] {
            [slot] => Self::One(slot),
            _ => Self::Many(slots.into()),
        }
    }
}

/// The table of forgettings.
pub struct Epochs {
    last: AtomicU64,
    forgetting: Mutex<()>,
    forgotten: Box<[AtomicU64]>,
    floors: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            last: AtomicU64::new(0),
            forgetting: Mutex::default(),
            forgotten: zeroed_slice_box(SLOTS),
            floors: zeroed_slice_box(FLOORS),
            hasher: RandomState::new(),
        }
    }
}

impl Epochs {
    /// Now. A reading that begins takes this along.
    pub fn now(&self) -> Epoch {
        Epoch(self.last.load(Ordering::SeqCst))
    }

    /// Makes stale every value of this tag whose reading began before.
    ///
    /// The slot is written before the epoch is told: whoever takes an epoch along finds every forgetting up to it in its
    /// slot. So what is checked after `now` and found to hold, holds as of that `now`.
    pub fn forget(&self, tag: Tag<'_>) {
        let slot = self.slot(tag);
        let _one_at_a_time = self.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.last.load(Ordering::SeqCst) + 1;
        match tag.is_any() {
            true => self.floors[slot.floor()].store(epoch, Ordering::SeqCst),
            false => self.forgotten[slot.place()].store(epoch, Ordering::SeqCst),
        }
        self.last.store(epoch, Ordering::SeqCst);
    }

    /// Makes stale every value whose reading began before.
    pub fn forget_all(&self) {
        let _one_at_a_time = self.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.last.load(Ordering::SeqCst) + 1;
        self.floors.iter().for_each(|floor| floor.store(epoch, Ordering::SeqCst));
        self.last.store(epoch, Ordering::SeqCst);
    }

    /// Whether a value of this slot's tags, whose reading began at `as_of`, still holds.
    pub fn holds(&self, slot: Slot, as_of: Epoch) -> bool {
        self.all_hold(&[slot], as_of)
    }

    /// The same for all of what a value or an answer was made from. That is of one location, so the last has the floor that
    /// any of them has: of a value all have the same one, and the slots of an answer are in order.
    pub fn all_hold(&self, slots: &[Slot], as_of: Epoch) -> bool {
        let is_before = |forgotten: &AtomicU64| forgotten.load(Ordering::SeqCst) <= as_of.0;
        slots.last().is_none_or(|last| is_before(&self.floors[last.floor()]))
            && slots.iter().all(|slot| is_before(&self.forgotten[slot.place()]))
    }

    /// Where the forgettings of `tag` are noted.
    pub fn slot(&self, tag: Tag<'_>) -> Slot {
        // The first floor is nobody's.
        let floor = tag.place_of_contacts().map_or(0, |place| 1 + self.hasher.hash_one(place) as usize % (FLOORS - 1));
        match tag.is_any() {
            true => Slot::new(floor, 0),
            false => Slot::new(floor, self.hasher.hash_one(tag) as usize % SLOTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::{EntityKey, Kind, View};
    use super::*;

    #[test]
    fn a_reading_that_began_before_a_forgetting_is_stale_and_one_after_it_holds() {
        let epochs = Epochs::default();
        let key = EntityKey::new(View::new("L", "c"), Kind::Contact, "a");
        let slot = epochs.slot(key.tag());
        let before = epochs.now();
        assert!(epochs.holds(slot, before));
        epochs.forget(key.tag());
        assert!(!epochs.holds(slot, before));
        assert!(epochs.holds(slot, epochs.now()));
    }

    #[test]
    fn what_is_forgotten_of_any_contact_is_every_contact_and_list_of_its_location_and_nothing_else() {
        let epochs = Epochs::default();
        let here = View::new("L", "c");
        let floor = |view: View| epochs.slot(view.any_contact()).floor();
        // Locations can share a floor.
        let other = (0..).map(|number| View::new(&number.to_string(), "c")).find(|view| floor(*view) != floor(here));
        let elsewhere = other.expect("another location");
        let before = epochs.now();
        epochs.forget(here.any_contact());
        let holds = |view: View, kind| epochs.holds(epochs.slot(view.tag(kind, "a")), before);
        assert!(!holds(here, Kind::Contact) && !holds(here, Kind::Page) && !holds(View::new("L", "d"), Kind::Contact));
        assert!(holds(here, Kind::Tasks) && holds(here, Kind::Task) && holds(elsewhere, Kind::Contact));
        // In whichever order they were told, and beside things that are not contacts.
        let mut slots = [Kind::Notes, Kind::Contact, Kind::Task].map(|kind| epochs.slot(here.tag(kind, "b")));
        slots.sort_unstable();
        assert!(!epochs.all_hold(&slots, before) && epochs.all_hold(&slots, epochs.now()));
    }

    #[test]
    fn whatever_there_is_can_be_forgotten_at_once() {
        let epochs = Epochs::default();
        let view = View::new("L", "c");
        let slots = [Kind::Contact, Kind::Page, Kind::Tasks, Kind::Task].map(|kind| epochs.slot(view.tag(kind, "a")));
        let before = epochs.now();
        epochs.forget_all();
        assert!(slots.iter().all(|slot| !epochs.holds(*slot, before) && epochs.holds(*slot, epochs.now())));
    }

    #[test]
    fn a_forgetting_reaches_every_credential_of_the_location_and_no_other_location() {
        let epochs = Epochs::default();
        let key = |location, credential| EntityKey::new(View::new(location, credential), Kind::Tasks, "a");
        let before = epochs.now();
        epochs.forget(key("L", "one").tag());
        assert!(!epochs.holds(epochs.slot(key("L", "two").tag()), before));
        assert!(epochs.holds(epochs.slot(key("M", "one").tag()), before));
    }
}
