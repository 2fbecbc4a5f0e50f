//! What is remembered by a digest, within a bound.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

/// What stands for something: its SHA-256, or a number that is its own.
pub type Digest = [u8; 32];

/// Values by digests. Which type they have is forgotten inside, since a copy of the cache's code is compiled for each type of entry
/// (docs/decisions/0010).
pub struct Remembered<V> {
    entries: Cache<Digest, Entry, ahash::RandomState>,
    values: PhantomData<fn() -> V>,
}

#[derive(Clone)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    weight: u32,
}

/// How much is remembered, and how long.
#[derive(Clone, Copy)]
pub struct Bound {
    /// The most that all may weigh together.
    pub weight: u64,
    /// How long one is remembered after it came.
    pub lives: Option<Duration>,
    /// How long one is remembered that is not asked for.
    pub idle: Option<Duration>,
}

impl Bound {
    /// Without an end in time.
    pub const fn weight(weight: u64) -> Self {
        Self { weight, lives: None, idle: None }
    }
}

impl<V: Send + Sync + 'static> Remembered<V> {
    pub fn within(bound: Bound) -> Self {
        Self { entries: cache(bound), values: PhantomData }
    }

    pub fn get(&self, digest: &Digest) -> Option<Arc<V>> {
        self.entries.get(digest).and_then(typed)
    }

    /// `weight`: of the value, in the unit of the bound.
    pub fn insert(&self, digest: Digest, value: Arc<V>, weight: u32) {
        self.entries.insert(digest, Entry { value, weight });
    }

    /// Made once, with a weight of one, if it is not there.
    pub fn get_or(&self, digest: Digest, make: impl Fn() -> Arc<V>) -> Arc<V> {
        let make: &dyn Fn() -> Entry = &|| Entry { value: make(), weight: 1 };
        typed(self.entries.get_with(digest, make)).unwrap_or_else(|| unreachable!("whatever is put in is a `V`"))
    }

    pub fn remove(&self, digest: &Digest) {
        self.entries.invalidate(digest);
    }

    /// All that are there now.
    pub fn values(&self) -> impl Iterator<Item = Arc<V>> {
        self.entries.iter().filter_map(|(_, entry)| typed(entry))
    }

    /// What all weigh together.
    pub fn weight(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

fn typed<V: Send + Sync + 'static>(entry: Entry) -> Option<Arc<V>> {
    entry.value.downcast().ok()
}

fn cache(bound: Bound) -> Cache<Digest, Entry, ahash::RandomState> {
    let mut builder = Cache::builder().max_capacity(bound.weight).weigher(|_, entry: &Entry| entry.weight);
    if let Some(lives) = bound.lives {
        builder = builder.time_to_live(lives);
    }
    if let Some(idle) = bound.idle {
        builder = builder.time_to_idle(idle);
    }
    builder.build_with_hasher(ahash::RandomState::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_and_its_weight_is_bounded() {
        let words = Remembered::<String>::within(Bound::weight(10));
        let digest = |n: u8| [n; 32];
        words.insert(digest(1), Arc::new("one".into()), 4);
        assert_eq!(*words.get_or(digest(1), || Arc::new("other".into())), "one");
        assert_eq!(*words.get_or(digest(2), || Arc::new("two".into())), "two");
        assert_eq!((words.weight(), words.values().count()), (5, 2));
        words.remove(&digest(1));
        assert!(words.get(&digest(1)).is_none());
        (0..100).for_each(|n| words.insert(digest(n), Arc::new("many".into()), 3));
        assert!(words.weight() <= 10);
    }
}
