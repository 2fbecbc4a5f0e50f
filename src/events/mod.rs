//! What the upstream tells by itself: events, and what follows from them.
//!
//! An event is checked and written down before it is answered (`intake`, `journal`). Then what it concerns is forgotten, whoever
//! watches hears of it, and what else is wanted of it is done (`worker`, `automation`).

pub mod admin;
pub mod automation;
mod claim;
mod event;
mod hearing;
mod intake;
pub mod journal;
mod poll;
pub(crate) mod signatures;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use event::{Event, Unreadable};
pub use intake::Heard;
pub use journal::Journal;
pub use poll::Poll;
pub use signatures::Signed;
pub use worker::{Follow, Later};

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::{self, Metrics};
use crate::replicas::Link;
use crate::upstream::Upstream;
use claim::Claims;
use hearing::Served;
use signatures::Signatures;
use worker::Inbox;

/// Most bodies that are read at one time; others wait for their turn.
const BODIES: usize = 256;

/// The events of this gateway.
pub struct Events {
    signatures: Signatures,
    journal: Journal,
    /// Where other replicas are sent the same events.
    claims: Option<Claims>,
    served: Served,
    upstream: Upstream,
    follow: Option<Follow>,
    inbox: Inbox,
    folder: PathBuf,
    room: Semaphore,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Events {
    /// Opens the journal; `None`: no events are taken, and the state directory is not touched. `link`: to replicas that are sent
    /// the same events.
    pub fn open(
        config: &Config,
        upstream: Upstream,
        clock: Clock,
        metrics: Arc<Metrics>,
        link: Option<Link>,
    ) -> anyhow::Result<Option<Self>> {
        if !config.webhooks.are_on() {
            return Ok(None);
        }
        let journal = Journal::open(&config.state_dir).with_context(|| {
            format!("GATEWAY_STATE_DIR is {}, and no events can be kept there", config.state_dir.display())
        })?;
        let (signatures, served) = (Signatures::new(config.webhooks.clone()), Served::new(config));
        let folder = config.state_dir.join(journal::FOLDER);
        let (follow, inbox, room) = (None, Inbox::default(), Semaphore::new(BODIES));
        let claims = link.map(Claims::new);
        Ok(Some(Self { signatures, journal, claims, served, upstream, follow, inbox, folder, room, clock, metrics }))
    }

    /// The same, with what follows from events beside that what is held is forgotten.
    #[must_use]
    pub fn followed_by(self, follow: Follow) -> Self {
        Self { follow: Some(follow), ..self }
    }

    /// There is something new in the journal.
    pub fn wake(&self) {
        self.inbox.wake();
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Room to read a body into, in turn.
    pub async fn room(&self) -> Option<SemaphorePermit<'_>> {
        self.room.acquire().await.ok()
    }

    /// How many events there are, as far as that can be read.
    pub fn levels(&self) -> Option<metrics::Events> {
        let counts = self.journal.counts().ok()?;
        let lag = counts
            .oldest
            .map_or(Duration::ZERO, |oldest| self.now().duration_since(oldest).try_into().unwrap_or(Duration::ZERO));
        let states = [("waiting", counts.waiting), ("handled", counts.handled), ("dead", counts.dead)];
        Some(metrics::Events { states, bytes: counts.bytes, lag })
    }

    fn now(&self) -> Timestamp {
        self.clock.wall().try_into().unwrap_or(Timestamp::MAX)
    }
}
