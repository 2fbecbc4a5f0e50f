//! A file that may change while the gateway runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::clock::Clock;

/// How long a change may go unseen.
const EVERY: Duration = Duration::from_secs(1);

/// What a file says, by its text as it was last understood.
///
/// The file is read again by the first request after a second has passed, away from the threads that answer. It is read, not
/// looked at: a few hundred kilobytes a second cost nothing, and what a change of the time stamp means differs
/// between file systems. While the file cannot be read or understood, what it said before goes on, and the log tells.
pub struct LiveFile<T> {
    path: PathBuf,
    understand: Understand<T>,
    said: RwLock<Said<T>>,
    trouble: Mutex<Option<String>>,
    clock: Clock,
    opened: Instant,
    /// In milliseconds since `opened`.
    due: AtomicU64,
}

/// The text's meaning, or what is wrong with it.
type Understand<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

struct Said<T> {
    value: T,
    digest: [u8; 32],
    /// How many texts there were before.
    version: u64,
}

impl<T: Send + Sync + 'static> LiveFile<T> {
    /// Reads the file, which has to be there and make sense.
    pub fn open(
        path: &Path,
        clock: Clock,
        understand: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> anyhow::Result<Arc<Self>> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(shown)?;
        let value = understand(&text).map_err(anyhow::Error::msg).with_context(shown)?;
        let opened = clock.now();
        Ok(Arc::new(Self {
            path: path.to_owned(),
            understand: Box::new(understand),
            said: RwLock::new(Said { value, digest: Sha256::digest(&text).into(), version: 0 }),
            trouble: Mutex::default(),
            clock,
            opened,
            due: AtomicU64::new(EVERY.as_millis() as u64),
        }))
    }

    /// Reads the file again if that is due. One request waits for it; the others take what is there.
    pub async fn keep_up(self: &Arc<Self>) {
        let now = self.clock.now().duration_since(self.opened).as_millis() as u64;
        let due = self.due.load(Ordering::Relaxed);
        if now < due {
            return;
        }
        let next = now + EVERY.as_millis() as u64;
        if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let this = self.clone();
            let _ = tokio::task::spawn_blocking(move || this.read()).await;
        }
    }

    /// Looks at what the file says, and at how many texts there were before this one.
    pub fn with<R>(&self, look: impl FnOnce(&T, u64) -> R) -> R {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        look(&said.value, said.version)
    }

    fn read(&self) {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(why) => return self.tell(Some(why.to_string())),
        };
        let digest: [u8; 32] = Sha256::digest(&text).into();
        if self.said.read().unwrap_or_else(PoisonError::into_inner).digest == digest {
            return self.tell(None);
        }
        match (self.understand)(&text) {
            Ok(value) => {
                let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
                let version = said.version + 1;
                let before = std::mem::replace(&mut *said, Said { value, digest, version });
                drop(said);
                // A large one takes a while, which nobody should wait for.
                drop(before);
                tracing::info!(path = %self.path.display(), "the file has changed and is in force");
                self.tell(None);
            }
            Err(why) => self.tell(Some(why)),
        }
    }

    /// Logs what is wrong when it begins, not every second.
    fn tell(&self, trouble: Option<String>) {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = trouble.as_ref().filter(|_| *told != trouble) {
            tracing::error!(path = %self.path.display(), why, "the file cannot be used; what it said before goes on");
        }
        *told = trouble;
    }
}
