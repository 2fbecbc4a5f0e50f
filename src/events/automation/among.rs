//! What automations of several gateways tell each other: which effects one of them has begun, and what they made, of which the
//! upstream may tell another one. Digests alone; who cannot be told goes by its own ledger.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use sha2::{Digest, Sha256};

use super::store::{OWN_FOR, Own};
use crate::events::journal::EffectId;
use crate::replicas::{Link, Trouble};

static AMONG: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("among.lua")));

/// No copy of an event comes later.
const EFFECTS_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The other gateways, if there are any.
pub struct Among(pub Option<Link>);

impl Among {
    /// Whether no other gateway has begun this effect, as far as anybody can tell.
    pub async fn begin(&self, id: &EffectId) -> bool {
        !matches!(self.ask("begin", &effect(id), "", EFFECTS_FOR).await, Some(Ok(first)) if first.is_empty())
    }

    /// It was surely not made.
    pub async fn release(&self, id: &EffectId) {
        self.ask("release", &effect(id), "", EFFECTS_FOR).await;
    }

    /// Something was made or changed.
    pub async fn note(&self, own: &Own) {
        let time = Duration::try_from(OWN_FOR).unwrap_or(EFFECTS_FOR);
        self.ask("note", &made(own), &tags(own), time).await;
    }

    /// Whether another gateway noted this. Of a contact's tags: if they are those that it had after that, or `any` are meant.
    pub async fn is_own(&self, own: &Own, any: bool) -> bool {
        let noted = self.ask("own", &made(own), "", EFFECTS_FOR).await;
        noted.and_then(Result::ok).is_some_and(|noted| noted.iter().any(|noted| any || *noted == tags(own)))
    }

    async fn ask(&self, op: &str, what: &str, value: &str, time: Duration) -> Option<Result<Vec<String>, Trouble>> {
        let link = self.0.as_ref()?;
        let (key, time) = (link.name(what), u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let with = |ask: &mut redis::ScriptInvocation<'_>, _: &str| {
            ask.key(&key).arg(op).arg(value).arg(time);
        };
        Some(link.script(&AMONG, with).await)
    }
}

fn effect(id: &EffectId) -> String {
    format!("effect:{}", digest(&[&id.event, &id.automation, &id.step.to_string()]))
}

fn made(own: &Own) -> String {
    format!("own:{}", digest(&[&own.key]))
}

fn tags(own: &Own) -> String {
    let tags: Vec<&str> = own.tags.iter().flatten().map(|tag| &**tag).collect();
    digest(&tags)
}

fn digest(parts: &[&str]) -> String {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    sum.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
