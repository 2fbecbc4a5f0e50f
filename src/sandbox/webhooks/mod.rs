//! Signed events about what is changed, sent in the background to one address.
//!
//! They go one after the other, in the order of the changes, unless a test holds them and says what goes when. An event that the
//! receiver has no time for (429) is sent again, as the API does it; whatever else goes wrong, it is lost.

mod events;

use super::{data::random::Random, grant, lock, options::Options, quirks::Quirks, store::Record, world::World};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{Ed25519KeyPair, KeyPair},
};
use axum::{body::Bytes, http::header::CONTENT_TYPE};
use base64::{Engine, engine::general_purpose::STANDARD};
use events::Style;
use jiff::{Timestamp, tz::TimeZone};
use reqwest::{Client, Url, redirect};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    future::pending,
    sync::{Mutex, RwLock},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::sleep,
};

/// What the signature is sent as.
const SIGNATURE: &str = "x-ghl-signature";
/// Which version of the app gets the events.
const VERSION_ID: &str = "v6A7b8C9d0E1f2G3h4J5";

/// More events than so many that wait, or are held, are lost.
const MOST: usize = 10_000;
/// A receiver that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often an event is sent again, each time after so long and up to so many seconds more.
const AGAIN: u32 = 6;
const AFTER: Duration = Duration::from_secs(600);
const JITTER: i64 = 100;

/// What became of events since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// The receiver took them.
    pub delivered: usize,
    /// Nobody took them, and they are not sent again.
    pub lost: usize,
    /// Tries that the receiver had no time for.
    pub put_off: usize,
    /// How many are held now.
    pub held: usize,
}

/// An event as it goes out, each time the same.
#[derive(Clone)]
struct Letter {
    body: Bytes,
    signature: String,
    tries: u32,
}

/// All that is sent, and to whom.
pub(super) struct Webhooks {
    key: Ed25519KeyPair,
    to: RwLock<Option<Url>>,
    quirks: Quirks,
    zone: TimeZone,
    held: Mutex<Option<Vec<Letter>>>,
    queue: mpsc::Sender<Letter>,
    /// Taken by who sends them.
    queued: Mutex<Option<mpsc::Receiver<Letter>>>,
    clock_was_moved: Notify,
    posted: watch::Sender<Posted>,
}

impl Webhooks {
    pub fn new(options: &Options) -> Self {
        let mut random = Random::new(&[options.seed, 79]);
        let seed: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
        let (queue, queued) = mpsc::channel(MOST);
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a key"),
            to: RwLock::new(options.webhooks.clone()),
            quirks: options.quirks.clone(),
            zone: options.timezone.clone(),
            held: Mutex::default(),
            queue,
            queued: Mutex::new(Some(queued)),
            clock_was_moved: Notify::new(),
            posted: watch::Sender::default(),
        }
    }

    /// What signatures are verified with, as PEM.
    pub fn public_key(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().expect("a public key has a form");
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    /// From now on events go there, or nowhere.
    pub fn send_to(&self, url: Option<Url>) {
        *lock::write(&self.to) = url;
    }

    pub fn are_sent(&self) -> bool {
        lock::read(&self.to).is_some()
    }

    pub fn posted(&self) -> watch::Receiver<Posted> {
        self.posted.subscribe()
    }

    pub fn reset(&self) {
        self.posted.send_modify(|posted| *posted = Posted { held: posted.held, ..Posted::default() });
    }

    pub fn clock_was_moved(&self) {
        self.clock_was_moved.notify_one();
    }

    /// Tells of a change of a record.
    pub fn tell(&self, location: &str, before: Option<&Record>, after: Option<&Record>) {
        if !self.are_sent() {
            return;
        }
        let now = now();
        let style = Style { quirks: &self.quirks, zone: &self.zone, now: &now };
        for (kind, told) in style.events(before, after) {
            let letter = self.letter(kind, location, &now, told);
            if self.quirks.doubled_events {
                self.post(letter.clone());
            }
            self.post(letter);
        }
    }

    fn letter(&self, kind: &str, location: &str, now: &str, told: Map<String, Value>) -> Letter {
        let mut body =
            if self.quirks.wrapped_events { Map::from_iter([("data".to_owned(), told.into())]) } else { told };
        for (key, value) in [
            ("type", kind),
            ("locationId", location),
            ("appId", grant::app_id()),
            ("versionId", VERSION_ID),
            ("timestamp", now),
            ("webhookId", &uuid()),
        ] {
            body.insert(key.into(), json!(value));
        }
        let body = Value::Object(body).to_string();
        let signature = STANDARD.encode(self.key.sign(body.as_bytes()));
        Letter { body: body.into(), signature, tries: 0 }
    }

    fn post(&self, letter: Letter) {
        // Kept locked, so that what is let go meanwhile goes first.
        match &mut *lock::lock(&self.held) {
            None => self.enqueue(letter),
            Some(held) if held.len() < MOST => {
                held.push(letter);
                self.posted.send_modify(|posted| posted.held += 1);
            }
            Some(_) => self.lose(1),
        }
    }

    fn enqueue(&self, letter: Letter) {
        if self.queue.try_send(letter).is_err() {
            self.lose(1);
        }
    }

    fn lose(&self, count: usize) {
        self.posted.send_modify(|posted| posted.lost += count);
    }

    /// From now on events wait.
    pub fn hold(&self) {
        lock::lock(&self.held).get_or_insert_default();
    }

    /// The events that wait, as they will be sent.
    pub fn held(&self) -> Vec<Value> {
        let body = |letter: &Letter| serde_json::from_slice(&letter.body).unwrap_or_default();
        lock::lock(&self.held).iter().flatten().map(body).collect()
    }

    /// Sends those that wait at these places, in this order and as often as they are named. The others wait on.
    pub fn send_held(&self, order: &[usize]) {
        let mut held = lock::lock(&self.held);
        let Some(waiting) = held.as_mut() else { return };
        order.iter().filter_map(|at| waiting.get(*at)).for_each(|letter| self.enqueue(letter.clone()));
        let mut at = 0..;
        waiting.retain(|_| at.next().is_some_and(|at| !order.contains(&at)));
        self.posted.send_modify(|posted| posted.held = waiting.len());
    }

    /// Those that wait are sent or lost, and later ones do not wait.
    pub fn release(&self, sends: bool) {
        let mut waiting = lock::lock(&self.held);
        let held = waiting.take().unwrap_or_default();
        self.posted.send_modify(|posted| posted.held = 0);
        match sends {
            true => held.into_iter().for_each(|letter| self.enqueue(letter)),
            false => self.lose(held.len()),
        }
    }

    /// Sends events as long as it is polled.
    pub async fn run(&self, world: &World) {
        let queued = lock::lock(&self.queued).take();
        let (Some(mut queued), Ok(http)) = (queued, client()) else { return pending().await };
        let mut jitter = Random::new(&[world.options.seed, 80]);
        let mut put_off: Vec<(Duration, Letter)> = Vec::new();
        loop {
            let now = world.uptime();
            let due = put_off.iter().position(|(when, _)| *when <= now).map(|at| put_off.remove(at).1);
            let next = put_off.iter().map(|(when, _)| *when).min();
            let letter = match due {
                Some(letter) => letter,
                None => tokio::select! {
                    Some(letter) = queued.recv() => letter,
                    () = self.clock_was_moved.notified() => continue,
                    () = sleep(next.unwrap_or_default().saturating_sub(now)), if next.is_some() => continue,
                },
            };
            if let Some(letter) = self.send(&http, letter).await {
                let more = Duration::from_secs(jitter.between(0, JITTER).unsigned_abs());
                put_off.push((world.uptime() + AFTER + more, letter));
            }
        }
    }

    /// The event, if it is to be sent again.
    async fn send(&self, http: &Client, letter: Letter) -> Option<Letter> {
        let to = lock::read(&self.to).clone();
        let Some(to) = to else {
            self.lose(1);
            return None;
        };
        let request = http.post(to).header(CONTENT_TYPE, "application/json").header(SIGNATURE, &letter.signature);
        let status = match request.body(letter.body.clone()).send().await {
            Ok(answer) => answer.status().as_u16(),
            Err(error) => {
                tracing::debug!(%error, "a receiver of events failed");
                0
            }
        };
        let tries = letter.tries + 1;
        let again = status == 429 && tries <= AGAIN;
        self.posted.send_modify(|posted| {
            posted.put_off += usize::from(status == 429);
            posted.delivered += usize::from((200..300).contains(&status));
            posted.lost += usize::from(!again && !(200..300).contains(&status));
        });
        again.then_some(Letter { tries, ..letter })
    }
}

fn client() -> reqwest::Result<Client> {
    let http = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).retry(reqwest::retry::never());
    // A receiver is on this machine, as a rule, and a proxy has another loopback.
    http.no_proxy().build()
}

/// The time of day: receivers refuse what is old, or not yet.
#[expect(clippy::disallowed_methods, reason = "an event is dated as by the API, whose clock is its own")]
fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// Another one each time: receivers remember them, longer than a sandbox runs.
fn uuid() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
