//! The keys that an issuer publishes, fetched over HTTP and kept.
//!
//! A set is fetched anew every minute, so that a key that the issuer has withdrawn opens nothing for long. A token
//! that no key of the set signed brings a fetch forward, for the issuer may have begun to use a new key, but no more than one each
//! fifteen seconds, whatever callers send. While the issuer cannot be reached, the last set goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::{Client, Url, redirect};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::keys::KeySet;
use crate::clock::Clock;
use crate::spawn;

/// How old a set gets before it is fetched anew, behind the requests.
const FRESH: Duration = Duration::from_secs(60);
/// How old it gets, when nothing came for long, before a request waits for a new one.
const OLD: Duration = Duration::from_secs(300);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(15);
/// The same while there is no set at all, and nobody can be let in.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
/// Most time for a fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest set, in bytes.
const LARGEST: usize = 1 << 20;

pub struct Jwks {
    url: Url,
    http: Client,
    clock: Clock,
    opened: Instant,
    held: RwLock<Option<Held>>,
    /// When the last fetch began.
    fetched: Mutex<Option<Instant>>,
    /// When the next one is due, in milliseconds since `opened`.
    due: AtomicU64,
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    digest: [u8; 32],
    version: u64,
    as_of: Instant,
}

impl Jwks {
    pub fn new(url: Url, clock: Clock) -> reqwest::Result<Arc<Self>> {
        let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let mut http = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if loopback {
            // A proxy of the environment has another loopback than this machine.
            http = http.no_proxy();
        } else if url.scheme() == "http" {
            tracing::warn!(%url, "the issuer's keys come without encryption: who is in between can let anybody in");
        }
        let http = http.user_agent(concat!("contacts-gateway/", env!("CARGO_PKG_VERSION"))).build()?;
        Ok(Arc::new(Self {
            url,
            http,
            opened: clock.now(),
            clock,
            held: RwLock::default(),
            fetched: Mutex::default(),
            due: AtomicU64::new(0),
        }))
    }

    /// The set and its number, if one was ever fetched.
    pub fn keys(&self) -> Option<(Arc<KeySet>, u64)> {
        self.held().map(|held| (held.keys, held.version))
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sees to it that the set is not too old. The first request waits for it, and hardly any other.
    pub async fn keep_up(self: &Arc<Self>) {
        let now = self.clock.now();
        let since = now.duration_since(self.opened).as_millis() as u64;
        let due = self.due.load(Ordering::Relaxed);
        if since < due {
            return;
        }
        let Some(held) = self.held() else {
            return self.fetch().await;
        };
        let next = since + PAUSE.as_millis() as u64;
        if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            match now.duration_since(held.as_of) < OLD {
                true => drop(spawn::boxed(self.clone().fetch_if_not_just_done())),
                false => self.fetch().await,
            }
        }
    }

    /// Fetches the set, unless that was done just now. Others who ask meanwhile wait for the same.
    pub async fn fetch(self: &Arc<Self>) {
        // In a task of its own: a caller who goes away does not end what others wait for.
        let _ = spawn::boxed(self.clone().fetch_if_not_just_done()).await;
    }

    async fn fetch_if_not_just_done(self: Arc<Self>) {
        let mut fetched = self.fetched.lock().await;
        let now = self.clock.now();
        let held = self.held();
        let pause = if held.is_some() { PAUSE } else { SHORT_PAUSE };
        if fetched.is_some_and(|at| now.duration_since(at) < pause) {
            return;
        }
        *fetched = Some(now);
        let next = match self.read().await {
            Ok(text) => match self.keep(&text, held, now) {
                Ok(()) => FRESH,
                Err(why) => self.failed(&why, pause),
            },
            Err(why) => self.failed(&why, pause),
        };
        // Without a set nothing is ever not due: whoever comes waits for the one that is on its way.
        let next = if self.held().is_some() { now + next } else { self.opened };
        self.due.store(next.duration_since(self.opened).as_millis() as u64, Ordering::Relaxed);
    }

    fn failed(&self, why: &str, again_in: Duration) -> Duration {
        tracing::error!(url = %self.url, why, "the issuer's keys could not be fetched; the ones that are held go on");
        again_in
    }

    fn keep(&self, text: &[u8], before: Option<Held>, as_of: Instant) -> Result<(), String> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let held = match before {
            Some(before) if before.digest == digest => Held { as_of, ..before },
            before => {
                let keys = Arc::new(KeySet::from_jwks(text)?);
                tracing::info!(url = %self.url, "the issuer's keys are in force");
                Held { keys, digest, version: before.map_or(0, |before| before.version + 1), as_of }
            }
        };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    async fn read(&self) -> Result<Vec<u8>, String> {
        let failed = |why: reqwest::Error| why.without_url().to_string();
        let mut answer = self.http.get(self.url.clone()).send().await.map_err(failed)?;
        if answer.status().as_u16() != 200 {
            return Err(format!("the answer's status is {}", answer.status().as_u16()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if text.len() + chunk.len() > LARGEST {
                return Err(format!("the answer is larger than {LARGEST} bytes"));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}
