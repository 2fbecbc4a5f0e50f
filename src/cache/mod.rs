//! The entity cache: values by key, bounded in bytes, each with its time to live, none of them older than the
//! last forgetting of what it is about. Knows nothing of contacts or HTTP.

mod epochs;
mod flights;
mod key;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;

pub use epochs::{Epoch, Epochs};
pub use flights::{Flight, Flights, Joined};
pub use key::{EntityKey, Kind, Tag, View};

use crate::clock::Clock;

/// A value of any kind. Only the kind that a key names is ever stored under it.
pub type Value = Arc<dyn Any + Send + Sync>;

/// What moka itself needs for an entry, by its own documentation of its data structures.
const ENTRY_OVERHEAD: usize = 160;

#[derive(Clone)]
struct Entry {
    /// `None`: known not to exist.
    value: Option<Value>,
    as_of: Epoch,
    expires: Instant,
    bytes: u32,
}

/// What was read, and for how long it may be given out.
pub struct Reading<T> {
    /// `None`: there is no such thing upstream.
    pub value: Option<Arc<T>>,
    /// About how many bytes `value` takes.
    pub bytes: usize,
    /// How long it may be given out; zero: not at all.
    pub ttl: Duration,
}

/// The values that are held.
pub struct EntityCache {
    entries: Cache<EntityKey, Entry>,
    epochs: Epochs,
    clock: Clock,
}

impl EntityCache {
    /// A cache of at most `bytes`.
    pub fn new(bytes: u64, clock: Clock) -> Self {
        let entries = Cache::builder().max_capacity(bytes).weigher(|_, entry: &Entry| entry.bytes).build();
        Self { entries, epochs: Epochs::default(), clock }
    }

    /// The value, if it is held, neither expired nor forgotten. `Some(None)`: known not to exist.
    pub fn get<T: Any + Send + Sync>(&self, key: &EntityKey) -> Option<Option<Arc<T>>> {
        let entry = self.entries.get(key)?;
        if entry.expires <= self.clock.now() || !self.epochs.holds(key.tag(), entry.as_of) {
            return None;
        }
        match entry.value {
            None => Some(None),
            Some(value) => value.downcast::<T>().ok().map(Some),
        }
    }

    /// Keeps what was read, unless it was forgotten since the reading began.
    pub fn insert<T: Any + Send + Sync>(&self, key: EntityKey, as_of: Epoch, reading: &Reading<T>) {
        if reading.ttl.is_zero() || !self.epochs.holds(key.tag(), as_of) {
            return;
        }
        let bytes = reading.bytes + key.bytes() + ENTRY_OVERHEAD;
        let entry = Entry {
            value: reading.value.clone().map(|value| value as Value),
            as_of,
            expires: self.clock.now() + reading.ttl,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        };
        self.entries.insert(key, entry);
    }

    /// Makes the value stale, at once, for every credential of its location; a reading that is under way
    /// cannot bring it back.
    pub fn forget(&self, key: &EntityKey) {
        self.epochs.forget(key.tag());
    }

    /// The order of forgettings.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
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

    fn cache(bytes: u64) -> (EntityCache, Clock) {
        let clock = Clock::default();
        (EntityCache::new(bytes, clock.clone()), clock)
    }

    fn key(id: &str) -> EntityKey {
        EntityKey::new(View::new("L", "c"), Kind::Contact, id)
    }

    fn reading(value: Option<&str>, ttl: u64) -> Reading<String> {
        Reading { value: value.map(|text| Arc::new(text.to_owned())), bytes: 10, ttl: Duration::from_secs(ttl) }
    }

    #[test]
    fn a_value_is_given_out_until_its_time_is_over() {
        let (cache, clock) = cache(1 << 20);
        cache.insert(key("a"), cache.epochs().now(), &reading(Some("x"), 60));
        clock.advance(Duration::from_secs(59));
        assert_eq!(cache.get::<String>(&key("a")), Some(Some(Arc::new("x".into()))));
        clock.advance(Duration::from_secs(1));
        assert_eq!(cache.get::<String>(&key("a")), None);
    }

    #[test]
    fn what_is_known_not_to_exist_is_told_from_what_is_not_known() {
        let (cache, _) = cache(1 << 20);
        cache.insert(key("a"), cache.epochs().now(), &reading(None, 60));
        assert_eq!(cache.get::<String>(&key("a")), Some(None));
        assert_eq!(cache.get::<String>(&key("b")), None);
    }

    #[test]
    fn a_reading_that_was_under_way_when_its_value_was_forgotten_is_not_kept() {
        let (cache, _) = cache(1 << 20);
        let began = cache.epochs().now();
        cache.forget(&key("a"));
        cache.insert(key("a"), began, &reading(Some("old"), 60));
        assert_eq!(cache.get::<String>(&key("a")), None);
    }

    #[test]
    fn a_late_old_reading_does_not_replace_a_newer_one() {
        let (cache, _) = cache(1 << 20);
        let began = cache.epochs().now();
        cache.forget(&key("a"));
        cache.insert(key("a"), cache.epochs().now(), &reading(Some("new"), 60));
        cache.insert(key("a"), began, &reading(Some("old"), 60));
        assert_eq!(cache.get::<String>(&key("a")), Some(Some(Arc::new("new".into()))));
    }

    #[test]
    fn a_time_to_live_of_zero_turns_the_cache_off() {
        let (cache, _) = cache(1 << 20);
        cache.insert(key("a"), cache.epochs().now(), &reading(Some("x"), 0));
        assert_eq!(cache.get::<String>(&key("a")), None);
    }

    #[test]
    fn the_bytes_held_stay_under_the_bound() {
        let (cache, _) = cache(20_000);
        for n in 0..1_000 {
            cache.insert(key(&n.to_string()), cache.epochs().now(), &reading(Some("x"), 60));
        }
        assert!(cache.bytes() <= 20_000, "{} bytes held", cache.bytes());
    }
}
