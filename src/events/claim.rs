//! Which of several replicas takes an event that was sent to more than one of them.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use tokio::time::{Instant, sleep};

use crate::replicas::{Link, Trouble};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));

/// A claim lapses after so long: whoever has it writes the event down in a fraction of that, or is gone.
const LAPSES: Duration = Duration::from_secs(5);

/// How often it is looked what became of another's claim.
const SOON: Duration = Duration::from_millis(20);

/// The events that replicas take between them.
#[derive(Clone, Debug)]
pub struct Claims {
    link: Link,
    who: String,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This replica takes the event. Nobody may know, if Redis is away: then the journal alone tells what was taken.
    Ours,
    /// Another one took it.
    Taken,
}

impl Claims {
    pub fn new(link: Link) -> Self {
        Self { link, who: format!("{:016x}", fastrand::u64(..)) }
    }

    /// Claims an event; where another replica is about to take it, waits for what comes of that.
    pub async fn claim(&self, event: &str) -> Claim {
        let began = Instant::now();
        loop {
            match self.ask("claim", event, LAPSES).await {
                Ok(1) => return Claim::Taken,
                Ok(2) if began.elapsed() < 2 * LAPSES => sleep(SOON).await,
                Ok(_) | Err(_) => return Claim::Ours,
            }
        }
    }

    /// The event was written down, and is known for so long.
    pub async fn taken(&self, event: &str, known_for: Duration) {
        // If nobody hears of it, a copy may be taken once more: as often as there are replicas.
        let _ = self.ask("taken", event, known_for).await;
    }

    /// The event was not written down: another replica may.
    pub async fn give(&self, event: &str) {
        let _ = self.ask("give", event, LAPSES).await;
    }

    async fn ask(&self, op: &str, event: &str, time: Duration) -> Result<u8, Trouble> {
        let key = self.link.name(&format!("event:{event}"));
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let with = |ask: &mut redis::ScriptInvocation<'_>, _: &str| {
            ask.key(&key).arg(op).arg(&self.who).arg(time);
        };
        self.link.script(&CLAIM, with).await
    }
}
