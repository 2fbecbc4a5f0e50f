//! The time that caches go by: the system's, plus what a test adds to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A clock that can be put forward, never back. Clones share their offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// The instant that everything in the gateway agrees on.
    pub fn now(&self) -> Instant {
        // The one of the runtime, which tests can stop.
        tokio::time::Instant::now().into_std() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// The time of day, for what was written with a date.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else takes it from")]
    pub fn wall(&self) -> SystemTime {
        SystemTime::now() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }
}
