//! The newest pair of each grant where replicas share it, and the lock under which one of them gets the next.
//!
//! A refresh token works once, whoever sends it. So a replica renews a grant only while it has the grant's lock and knows that there
//! is no newer pair; and the version of a pair keeps one that comes late from taking the place of a newer one.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use redis::Script;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::endpoint::App;
use super::tokens::Row;
use crate::replicas::{Link, Seal, Trouble};
use crate::spawn;

static COMMON: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("common.lua")));

/// What is said when a grant has a newer pair, or somebody looks for one. The name of the grant is all of it.
const CHANNEL: &str = "grants";

/// How long a Redis that is away is waited for. One that stands still comes back, mostly; to renew twice would be worse.
const PATIENCE: Duration = Duration::from_secs(8);

/// Most time that another replica may take to renew a grant.
const LONGEST: Duration = Duration::from_secs(25);

/// How often it is asked again.
const SOON: Duration = Duration::from_millis(50);

/// How often a lock is prolonged.
const BEAT: Duration = Duration::from_millis(300);

/// How long a lock lasts. Nobody else gets it for as long again.
const LASTS: Duration = Duration::from_secs(3);

/// How long after that Redis is told what it could not be told, at the earliest.
const AGAIN: Duration = Duration::from_secs(1);

/// What replicas share of their grants. Clones are the same.
#[derive(Clone)]
pub struct Common {
    link: Link,
    seal: Seal,
    /// Whether there is a pair that Redis could not be told of.
    is_behind: Arc<watch::Sender<bool>>,
}

/// Whose turn it is to renew a grant.
pub enum Turn {
    /// Nobody's: there is a newer pair.
    Newer(Row),
    /// This replica's, for as long as it has the lock.
    Mine(Lock),
    /// Another one has it, and does not come to an end.
    Others,
    /// Nobody can tell.
    Away,
}

enum Answer {
    Done,
    Newer(Row),
    NotNow,
    Away,
}

impl Common {
    /// `seal`: with the keys of the settings.
    pub fn new(link: Link, seal: Seal) -> Self {
        Self { link, seal, is_behind: Arc::default() }
    }

    /// The same for the grants of an app. Tokens are never in Redis as they are: without a key for it, they are sealed with what
    /// the app proves itself with, which all replicas have.
    pub fn of(&self, app: &App) -> Self {
        Self { seal: self.seal.clone().or_by(app.secret.expose_secret().as_bytes()), ..self.clone() }
    }

    /// The way that grants are spoken of.
    pub fn link(&self) -> (&Link, String) {
        (&self.link, self.link.name(CHANNEL))
    }

    /// What a grant is called there.
    pub fn name(&self, key: &str) -> String {
        self.link.name(&format!("grant:{key}"))
    }

    /// Waits for the turn to get the pair after this one.
    pub async fn turn(&self, key: &str, newest: Option<Row>) -> Turn {
        let version = newest.as_ref().map_or(0, |row| row.version);
        let (began, owner) = (Instant::now(), format!("{:016x}", fastrand::u64(..)));
        let mut away_since = None;
        loop {
            let asked = Instant::now();
            match self.ask("take", key, version, newest.as_ref(), &owner).await {
                Answer::Done => return Turn::Mine(Lock::new(self.clone(), key, owner, asked)),
                Answer::Newer(row) => return Turn::Newer(row),
                Answer::NotNow if began.elapsed() >= LONGEST => return Turn::Others,
                Answer::NotNow => away_since = None,
                Answer::Away if away_since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE => return Turn::Away,
                Answer::Away => {}
            }
            sleep(SOON).await;
        }
    }

    /// The pair that is newer than this version, as far as anybody can tell.
    pub async fn newer(&self, key: &str, version: u64) -> Option<Row> {
        match self.ask("look", key, version, None, "").await {
            Answer::Newer(row) => Some(row),
            _ => None,
        }
    }

    /// Says what this replica has; the answer is what is newer. What is said on a channel may be heard before Redis can be asked
    /// again, so that is waited for.
    pub async fn offer(&self, key: &str, row: &Row) -> Option<Row> {
        self.say("offer", key, row, "").await
    }

    /// Puts a pair there for all; the answer is one that is newer. Where Redis does not come back, it is told when it does.
    pub async fn put(&self, key: &str, row: &Row, lock: Option<Lock>) -> Option<Row> {
        let owner = lock.as_ref().map_or("", |lock| &lock.owner);
        self.say("put", key, row, owner).await
    }

    /// Waits until Redis can be told what it could not be told. Its connections may have stayed open meanwhile, so that nobody heard of a gap.
    pub async fn behind(&self) {
        // It can only fail when the sender is gone, and this has it.
        let _ = self.is_behind.subscribe().wait_for(|is_behind| *is_behind).await;
        sleep(AGAIN).await;
        self.link.there().await;
        self.is_behind.send_replace(false);
    }

    async fn say(&self, op: &str, key: &str, row: &Row, owner: &str) -> Option<Row> {
        let began = Instant::now();
        loop {
            match self.ask(op, key, row.version, Some(row), owner).await {
                Answer::Newer(row) => return Some(row),
                Answer::Away if began.elapsed() < PATIENCE => sleep(SOON).await,
                Answer::Away => {
                    self.is_behind.send_replace(true);
                    return None;
                }
                Answer::Done | Answer::NotNow => return None,
            }
        }
    }

    async fn ask(&self, op: &str, key: &str, version: u64, row: Option<&Row>, owner: &str) -> Answer {
        let name = self.name(key);
        let sealed = row.and_then(|row| self.seal.seal(&name, &serde_json::to_vec(row).ok()?)).unwrap_or_default();
        let with = |ask: &mut redis::ScriptInvocation<'_>, _: &str| {
            ask.key(&name).arg(op).arg(version).arg(sealed).arg(owner).arg(self.link.name(CHANNEL));
        };
        match self.link.script::<(u8, Vec<u8>)>(&COMMON, with).await {
            Ok((0, _)) => Answer::Done,
            Ok((1, sealed)) => match self.opened(&name, &sealed) {
                Some(row) => Answer::Newer(row),
                None => {
                    tracing::error!("a token in Redis cannot be opened: have all replicas the same settings?");
                    Answer::NotNow
                }
            },
            Ok(_) => Answer::NotNow,
            Err(Trouble::Refused(why)) => {
                tracing::warn!(%why, "Redis takes no tokens");
                Answer::Away
            }
            Err(Trouble::Away) => Answer::Away,
        }
    }

    fn opened(&self, name: &str, sealed: &[u8]) -> Option<Row> {
        serde_json::from_slice(&self.seal.open(name, sealed)?).ok()
    }
}

/// The lock of a grant. It is prolonged while this lives, and given back when it is dropped.
pub struct Lock {
    common: Common,
    key: String,
    owner: String,
    sure: Sure,
    beat: JoinHandle<()>,
}

/// When Redis was last asked and said that the lock was never anybody else's; `None`: it may have been.
type Sure = Arc<Mutex<Option<Instant>>>;

impl Lock {
    fn new(common: Common, key: &str, owner: String, since: Instant) -> Self {
        let sure = Sure::new(Mutex::new(Some(since)));
        let beat = spawn::boxed(keep(common.clone(), key.to_owned(), owner.clone(), sure.clone()));
        Self { common, key: key.to_owned(), owner, sure, beat }
    }

    /// Whether it is certainly this replica's. What is sent now has arrived before another one may begin: that takes as long again
    /// as the lock lasts.
    pub fn is_held(&self) -> bool {
        let sure = self.sure.lock().unwrap_or_else(PoisonError::into_inner);
        sure.is_some_and(|since| since.elapsed() < LASTS)
    }
}

async fn keep(common: Common, key: String, owner: String, sure: Sure) {
    loop {
        sleep(BEAT).await;
        let asked = Instant::now();
        let answer = common.ask("hold", &key, 0, None, &owner).await;
        let mut sure = sure.lock().unwrap_or_else(PoisonError::into_inner);
        *sure = match answer {
            Answer::Done => sure.map(|_| asked),
            Answer::Away => *sure,
            Answer::NotNow | Answer::Newer(_) => None,
        };
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.beat.abort();
        let (common, key, owner) = (self.common.clone(), self.key.clone(), self.owner.clone());
        spawn::boxed(async move { common.ask("give", &key, 0, None, &owner).await });
    }
}
