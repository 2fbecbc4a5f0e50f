//! What the upstream tells by itself: who may tell it, what follows from it, and that nothing is lost.

mod automations;
mod crash;
mod forgetting;
mod intake;
mod journal;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contacts_gateway::clock::Clock;
use contacts_gateway::sandbox::{Options, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::*;

/// Who sends events.
pub struct Sender {
    pair: Ed25519KeyPair,
    pub folder: TempDir,
}

impl Sender {
    pub fn new() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], pair.public_key().as_ref()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        std::fs::write(folder.path().join("key.pem"), pem).expect("a file");
        Self { pair, folder }
    }

    /// The settings of a gateway that takes its events.
    fn settings(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        [("WEBHOOK_KEYS", path("key.pem")), ("STATE_DIR", path("state"))]
    }

    pub async fn stage(&self, options: Options, more: &[(&str, &str)]) -> Stage {
        let settings = self.settings();
        let mut settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.extend(more);
        Stage::with(options, &settings).await
    }

    fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(body))
    }

    /// Sends a body, signed.
    async fn send(&self, url: &str, body: Vec<u8>) -> u16 {
        let signature = self.sign(&body);
        post(url, body, &[("x-ghl-signature", &signature)]).await
    }

    pub async fn tell(&self, stage: &Stage, event: &Value) -> u16 {
        self.send(&stage.url, event.to_string().into_bytes()).await
    }
}

async fn post(url: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> u16 {
    let mut request = reqwest::Client::new().post(format!("{url}/webhooks/contacts")).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer").status().as_u16()
}

fn ago(seconds: i64) -> String {
    let now: Timestamp = Clock::default().wall().try_into().expect("a time");
    (now - SignedDuration::from_secs(seconds)).to_string()
}

/// An event with an id of its own, of the first location, with these keys.
pub fn event(sandbox: &Sandbox, kind: &str, more: &Value) -> Value {
    let id = format!("w-{:016x}", fastrand::u64(..));
    let mut event = json!({ "type": kind, "locationId": sandbox.info().location_id, "appId": "app",
                            "timestamp": ago(0), "webhookId": id });
    event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    event
}

/// Waits until this many events were handled, in whatever way.
pub async fn handled(stage: &Stage, wanted: u64) {
    until(stage, "gateway_journal_events{state=\"handled\"}", wanted).await;
}

pub async fn outcomes(stage: &Stage, kind: &str, outcome: &str) -> u64 {
    stage.metric(&format!("gateway_events_total{{type=\"{kind}\",outcome=\"{outcome}\"}}")).await
}
