//! Bounds on those who are told of changes, and their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config;

/// What waits on all sockets together may take so many bytes. When it is more, each may only have the least.
const MOST_WAITING: usize = 64 << 20;

/// Room for sockets and event streams.
pub struct Live {
    settings: config::Live,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    ending: watch::Sender<bool>,
}

impl Live {
    pub fn new(settings: &config::Live) -> Self {
        let room = Arc::new(Semaphore::new(settings.sockets));
        Self { settings: settings.clone(), room, waiting: Arc::default(), ending: watch::Sender::new(false) }
    }

    /// Room for a socket or an event stream, if there is some. It is given back when it is dropped.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Most operations at one time on one socket.
    pub fn most_operations(&self) -> usize {
        self.settings.subscriptions
    }

    /// Notes that so many bytes wait, and tells whether that is more than there is room for.
    pub fn wait(&self, bytes: usize) -> bool {
        self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_WAITING
    }

    /// Notes that so many bytes wait no more.
    pub fn waited(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Lets all sockets and event streams end.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until they are to end.
    pub async fn ending(&self) {
        // The sender is here as long as anybody can wait.
        let _ = self.ending.subscribe().wait_for(|is_ending| *is_ending).await;
    }

    /// Waits until all have ended.
    pub async fn ended(&self) {
        let all = u32::try_from(self.settings.sockets).unwrap_or(u32::MAX);
        let _ = self.room.acquire_many(all).await;
    }
}
