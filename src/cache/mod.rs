//! The entity cache: values by key, bounded in bytes, each with its time to live, none of them older than the
//! last forgetting of what it is about. Knows nothing of contacts or HTTP.

mod epochs;
mod flights;
mod key;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;
use moka::Expiry;
use moka::sync::Cache;

pub use epochs::{Epoch, Epochs, Slot, Slots};
pub use flights::{Flight, Flights, Joined};
pub use key::{EntityKey, Kind, Tag, View};

use crate::clock::Clock;

/// A value of any kind. Only the kind that a key names is ever stored under it.
pub type Value = Arc<dyn Any + Send + Sync>;

/// What moka itself needs for an entry, by its own documentation of its data structures.
pub const ENTRY_OVERHEAD: usize = 160;

/// How long a value is good: what it was made from, as of when, and its time.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What it was made from.
    pub slots: Slots,
    /// When its reading began.
    pub as_of: Epoch,
    /// When it was there.
    pub read: Instant,
    /// When it is to be read again.
    pub expires: Instant,
}

/// A value and how long it is good.
#[derive(Debug)]
pub struct Held<T: ?Sized> {
    /// `None`: known not to exist.
    pub value: Option<Arc<T>>,
    /// How long it is good.
    pub origin: Origin,
}

// By hand: the value is shared, whether or not it can be cloned itself.
impl<T: ?Sized> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), origin: self.origin.clone() }
    }
}

/// A value of whatever kind.
pub type HeldAny = Held<dyn Any + Send + Sync>;

impl<T: Any + Send + Sync> Held<T> {
    /// The same, whatever it is.
    pub fn any(&self) -> HeldAny {
        Held { value: self.value.clone().map(|value| value as Value), origin: self.origin.clone() }
    }
}

impl HeldAny {
    /// The value as what it is; `None` if it is something else.
    pub fn downcast<T: Any + Send + Sync>(self) -> Option<Held<T>> {
        let value = match self.value {
            None => None,
            Some(value) => Some(value.downcast::<T>().ok()?),
        };
        Some(Held { value, origin: self.origin })
    }
}

#[derive(Clone)]
struct Entry {
    held: HeldAny,
    bytes: u32,
}

/// Lets what is of no use any more leave memory, and not wait there until its room is needed.
struct Lifetime {
    /// How long after its time a value may still be of use.
    beyond: Duration,
}

impl Lifetime {
    fn of(&self, Entry { held, .. }: &Entry) -> Option<Duration> {
        Some(held.origin.expires - held.origin.read + self.beyond)
    }
}

impl Expiry<EntityKey, Entry> for Lifetime {
    fn expire_after_create(&self, _: &EntityKey, entry: &Entry, _: Instant) -> Option<Duration> {
        self.of(entry)
    }

    fn expire_after_update(&self, _: &EntityKey, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        self.of(entry)
    }
}

/// The values that are held.
pub struct EntityCache {
    entries: Cache<EntityKey, Entry, RandomState>,
    epochs: Arc<Epochs>,
    clock: Clock,
}

impl EntityCache {
    /// A cache of at most `bytes`, in which values hold as `epochs` tells and are kept until `beyond` their time.
    pub fn new(bytes: u64, beyond: Duration, epochs: Arc<Epochs>, clock: Clock) -> Self {
        let entries = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, entry: &Entry| entry.bytes)
            .expire_after(Lifetime { beyond })
            .build_with_hasher(RandomState::new());
        Self { entries, epochs, clock }
    }

    /// The value, if it is held and was not forgotten. Its time may be over.
    pub fn get<T: Any + Send + Sync>(&self, key: &EntityKey) -> Option<Held<T>> {
        let entry = self.entries.get(key)?;
        if !self.holds(&entry.held.origin) {
            return None;
        }
        entry.held.downcast()
    }

    /// Whether there is anything under the key, which is cheaper to see than what it is.
    pub fn contains(&self, key: &EntityKey) -> bool {
        self.entries.contains_key(key)
    }

    /// The value, if it is held, was not forgotten and its time is not over.
    pub fn fresh<T: Any + Send + Sync>(&self, key: &EntityKey) -> Option<Held<T>> {
        self.get(key).filter(|held| held.origin.expires > self.clock.now())
    }

    /// How long a value is good that was read just now, by a reading that began at `as_of`.
    pub fn origin(&self, slots: Slots, as_of: Epoch, ttl: Duration) -> Origin {
        let read = self.clock.now();
        Origin { slots, as_of, read, expires: read + ttl }
    }

    /// Keeps what was read, of about so many bytes, unless it was forgotten since its reading began.
    pub fn insert<T: Any + Send + Sync>(&self, key: EntityKey, held: Held<T>, bytes: usize) {
        let Held { value, origin } = held;
        if origin.expires <= origin.read || !self.holds(&origin) {
            return;
        }
        let bytes = bytes + key.bytes() + origin.slots.len() * size_of::<Slot>() + ENTRY_OVERHEAD;
        let held = Held { value: value.map(|value| value as Value), origin };
        self.entries.insert(key, Entry { held, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) });
    }

    /// Whether nothing that the value was made from was forgotten since its reading began.
    pub fn holds(&self, origin: &Origin) -> bool {
        self.epochs.all_hold(&origin.slots, origin.as_of)
    }

    /// The order of forgettings. A forgetting makes values stale at once, for every credential of a location; a
    /// reading that is under way cannot bring them back.
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    /// The time that values go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Bytes held, as weighed.
    pub fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf {
        cache: EntityCache,
        clock: Clock,
    }

    impl Shelf {
        fn new(bytes: u64) -> Self {
            let clock = Clock::default();
            Self { cache: EntityCache::new(bytes, Duration::ZERO, Arc::default(), clock.clone()), clock }
        }

        fn now(&self) -> Epoch {
            self.cache.epochs().now()
        }

        fn forget(&self, id: &str) {
            self.cache.epochs().forget(key(id).tag());
        }

        fn put(&self, id: &str, as_of: Epoch, value: Option<&str>, ttl: u64) {
            let slots = Slots::One(self.cache.epochs().slot(key(id).tag()));
            let origin = self.cache.origin(slots, as_of, Duration::from_secs(ttl));
            self.cache.insert(key(id), Held { value: value.map(|text| Arc::new(text.to_owned())), origin }, 10);
        }

        /// `Some(None)`: known not to exist.
        fn fresh(&self, id: &str) -> Option<Option<String>> {
            self.cache.fresh::<String>(&key(id)).map(|held| held.value.map(|text| text.to_string()))
        }
    }

    fn key(id: &str) -> EntityKey {
        EntityKey::new(View::new("L", "c"), Kind::Contact, id)
    }

    fn some(text: &str) -> Option<Option<String>> {
        Some(Some(text.to_owned()))
    }

    #[test]
    fn a_value_is_fresh_until_its_time_is_over_and_held_after_it() {
        let shelf = Shelf::new(1 << 20);
        shelf.put("a", shelf.now(), Some("x"), 60);
        shelf.clock.advance(Duration::from_secs(59));
        assert_eq!(shelf.fresh("a"), some("x"));
        shelf.clock.advance(Duration::from_secs(1));
        assert_eq!(shelf.fresh("a"), None);
        assert!(shelf.cache.get::<String>(&key("a")).is_some());
    }

    #[test]
    fn what_is_known_not_to_exist_is_told_from_what_is_not_known() {
        let shelf = Shelf::new(1 << 20);
        shelf.put("a", shelf.now(), None, 60);
        assert_eq!(shelf.fresh("a"), Some(None));
        assert_eq!(shelf.fresh("b"), None);
    }

    #[test]
    fn a_reading_that_was_under_way_when_its_value_was_forgotten_is_not_kept() {
        let shelf = Shelf::new(1 << 20);
        let began = shelf.now();
        shelf.forget("a");
        shelf.put("a", began, Some("old"), 60);
        assert!(shelf.cache.get::<String>(&key("a")).is_none());
    }

    #[test]
    fn a_late_old_reading_does_not_replace_a_newer_one() {
        let shelf = Shelf::new(1 << 20);
        let began = shelf.now();
        shelf.forget("a");
        shelf.put("a", shelf.now(), Some("new"), 60);
        shelf.put("a", began, Some("old"), 60);
        assert_eq!(shelf.fresh("a"), some("new"));
    }

    #[test]
    fn a_value_of_several_things_goes_with_each_of_them() {
        for forgotten in ["a", "b"] {
            let shelf = Shelf::new(1 << 20);
            let slots = ["a", "b"].map(|id| shelf.cache.epochs().slot(key(id).tag()));
            let origin = shelf.cache.origin(Vec::from(slots).into(), shelf.now(), Duration::from_secs(60));
            shelf.cache.insert(key("both"), Held { value: Some(Arc::new("x".to_owned())), origin }, 10);
            shelf.forget("c");
            assert_eq!(shelf.fresh("both"), some("x"));
            shelf.forget(forgotten);
            assert_eq!(shelf.fresh("both"), None);
        }
    }

    #[test]
    fn a_time_to_live_of_zero_turns_the_cache_off() {
        let shelf = Shelf::new(1 << 20);
        shelf.put("a", shelf.now(), Some("x"), 0);
        assert!(shelf.cache.get::<String>(&key("a")).is_none());
    }

    #[test]
    fn the_bytes_held_stay_under_the_bound() {
        let shelf = Shelf::new(20_000);
        for n in 0..1_000 {
            shelf.put(&n.to_string(), shelf.now(), Some("x"), 60);
        }
        assert!(shelf.cache.bytes() <= 20_000, "{} bytes held", shelf.cache.bytes());
    }
}
