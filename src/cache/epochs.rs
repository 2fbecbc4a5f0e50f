//! What was forgotten when. A value is stale once something that it was made from was forgotten after its
//! reading began, however long that reading took.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::key::Tag;

/// Two tags that share a slot are forgotten together, which costs a call and is never wrong; so the table can
/// stay at this size (1 MiB) whatever callers ask for.
const SLOTS: usize = 1 << 17;

/// A moment in the order of forgettings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Epoch(u64);

/// The table of forgettings.
pub struct Epochs {
    last: AtomicU64,
    forgotten: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            last: AtomicU64::new(0),
            forgotten: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
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
    pub fn forget(&self, tag: Tag<'_>) {
        let epoch = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        self.slot(tag).fetch_max(epoch, Ordering::SeqCst);
    }

    /// Whether a value of this tag, whose reading began at `as_of`, still holds.
    pub fn holds(&self, tag: Tag<'_>, as_of: Epoch) -> bool {
        self.slot(tag).load(Ordering::SeqCst) <= as_of.0
    }

    fn slot(&self, tag: Tag<'_>) -> &AtomicU64 {
        let at = self.hasher.hash_one(tag) as usize % SLOTS;
        &self.forgotten[at]
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
        let before = epochs.now();
        assert!(epochs.holds(key.tag(), before));
        epochs.forget(key.tag());
        assert!(!epochs.holds(key.tag(), before));
        assert!(epochs.holds(key.tag(), epochs.now()));
    }

    #[test]
    fn a_forgetting_reaches_every_credential_of_the_location_and_no_other_location() {
        let epochs = Epochs::default();
        let key = |location, credential| EntityKey::new(View::new(location, credential), Kind::Tasks, "a");
        let before = epochs.now();
        epochs.forget(key("L", "one").tag());
        assert!(!epochs.holds(key("L", "two").tag(), before));
        assert!(epochs.holds(key("M", "one").tag(), before));
    }
}
