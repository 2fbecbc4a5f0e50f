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

/// A moment in the order of forgettings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Epoch(u64);

impl Epoch {
    /// Its place in the order.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where the forgettings of a tag are noted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(u32);

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
    hasher: RandomState,
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            last: AtomicU64::new(0),
            forgetting: Mutex::default(),
            forgotten: zeroed_slice_box(SLOTS),
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
        let Slot(at) = self.slot(tag);
        let _one_at_a_time = self.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.last.load(Ordering::SeqCst) + 1;
        self.forgotten[at as usize].store(epoch, Ordering::SeqCst);
        self.last.store(epoch, Ordering::SeqCst);
    }

    /// Whether a value of this slot's tags, whose reading began at `as_of`, still holds.
    pub fn holds(&self, Slot(at): Slot, as_of: Epoch) -> bool {
        self.forgotten[at as usize].load(Ordering::SeqCst) <= as_of.0
    }

    /// Where the forgettings of `tag` are noted.
    pub fn slot(&self, tag: Tag<'_>) -> Slot {
        Slot((self.hasher.hash_one(tag) as usize % SLOTS) as u32)
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
    fn a_forgetting_reaches_every_credential_of_the_location_and_no_other_location() {
        let epochs = Epochs::default();
        let key = |location, credential| EntityKey::new(View::new(location, credential), Kind::Tasks, "a");
        let before = epochs.now();
        epochs.forget(key("L", "one").tag());
        assert!(!epochs.holds(epochs.slot(key("L", "two").tag()), before));
        assert!(epochs.holds(epochs.slot(key("M", "one").tag()), before));
    }
}
