//! What the gateways say to each other: what was told, that it was taken, and that one is there.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::join_all;
use redis::Script;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::acks::Member;
use super::entry::spell;
use super::link::{Heard, Restart, Subscription, Trouble, in_time};
use super::queue::Batch;
use super::{Hears, Inner, SILENT, TABLE_MS, lock, new_table, table};
use crate::spawn;

/// How often each says that it is there.
const OFTEN: Duration = Duration::from_millis(250);

/// A subscription of which nothing came for so long is begun anew.
const DEAF: Duration = Duration::from_secs(3);

/// How long it is before something is told again that could not be.
const PAUSE: Duration = Duration::from_millis(50);

static TELL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/tell.lua")));
static BEAT: LazyLock<Script> = LazyLock::new(|| in_time(include_str!("lua/beat.lua")));

#[derive(Serialize, Deserialize)]
enum Message {
    /// To all: what was forgotten and what happened; without texts, everything is to be forgotten. To one, as a reminder: nothing, with
    /// numbers that follow what was told last.
    Told { by: Member, numbers: (u64, u64), texts: Option<Vec<Box<str>>> },
    /// To who told it.
    Took { by: Member, up_to: u64 },
    /// To oneself.
    Beat,
}

impl Inner {
    fn spell(&self, channel: &str, message: &Message) -> Option<Vec<u8>> {
        self.seal.seal(channel, &serde_json::to_vec(message).ok()?)
    }

    fn read(&self, channel: &str, said: &[u8]) -> Option<Message> {
        serde_json::from_slice(&self.seal.open(channel, said)?).ok()
    }

    /// Notes what is forgotten and tells it, at once for all who ask Redis; gives those who are to hear it.
    async fn tell(&self, batch: &Batch) -> Result<Vec<Member>, Trouble> {
        let channel = self.news();
        let texts = batch.places.is_some().then(|| batch.texts.clone());
        let message = Message::Told { by: self.member.clone(), numbers: batch.numbers, texts };
        let message = self.spell(&channel, &message).ok_or(Trouble::Away)?;
        let places = batch.places.as_ref().map_or_else(|| "all".to_owned(), spell);
        let told = self.link.script(&TELL, |script, run| {
            script.key(table(&self.link, run)).key(self.link.name("members"));
            script.arg(new_table()).arg(TABLE_MS).arg(places).arg(channel).arg(message).arg(SILENT.as_millis() as u64);
        });
        told.await.map(|members: Vec<String>| members.into_iter().map(Member::from).collect())
    }

    /// Reminds those who were waited for at the last beat already: who missed something sees that by the numbers, and who took it says so
    /// once more.
    async fn remind(&self, waited: &mut Option<u64>) {
        let (first, members, last) = {
            let acks = lock(&self.acks);
            let first = acks.first().map(|(number, _)| number);
            let again = acks.first().filter(|_| first == *waited);
            (first, again.map(|(_, members)| members.clone()), acks.last())
        };
        *waited = first;
        let reminded = members.into_iter().flatten().map(|member| async move {
            let (channel, numbers) = (self.own(&member), (last + 1, last));
            let reminder = Message::Told { by: self.member.clone(), numbers, texts: Some(Vec::new()) };
            if let Some(reminder) = self.spell(&channel, &reminder) {
                let _ = self.link.call::<i64>(redis::cmd("PUBLISH").arg(channel).arg(reminder)).await;
            }
        });
        join_all(reminded).await;
    }

    /// Has this one hear itself and says whether it is to be waited for; gives all who are. `life`: becomes that of the server that was asked.
    async fn beat(&self, is_there: bool, life: &mut Box<str>) -> Result<BTreeSet<Member>, Trouble> {
        let channel = self.own(&self.member);
        let beat = self.spell(&channel, &Message::Beat).ok_or(Trouble::Away)?;
        let there = self.link.script(&BEAT, |script, run| {
            *life = run.into();
            script.key(self.link.name("members"));
            script.arg(&*self.member).arg(channel).arg(beat).arg(SILENT.as_millis() as u64).arg(u8::from(is_there));
        });
        there.await.map(|members: Vec<String>| members.into_iter().map(Member::from).collect())
    }
}

/// Tells the others what waits to be told, in order.
pub async fn speak(inner: Arc<Inner>) {
    loop {
        let batch = lock(&inner.queue).next();
        let Some(batch) = batch else {
            inner.put.notified().await;
            continue;
        };
        match inner.tell(&batch).await {
            Ok(members) => {
                lock(&inner.queue).told(&batch);
                let others = members.into_iter().filter(|member| *member != inner.member);
                let done = lock(&inner.acks).told(batch.numbers.1, others);
                inner.note_done(done);
            }
            Err(_) => {
                inner.note_cut_off(true);
                sleep(PAUSE).await;
            }
        }
    }
}

/// Says every now and then that this one is there, and finds out who else is.
pub async fn beat(inner: Arc<Inner>, restart: Restart) {
    let mut often = interval(OFTEN);
    often.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut since, mut waited, mut life) = (Instant::now(), None, Box::<str>::default());
    loop {
        tokio::select! {
            // In order here and in `link`, so that what is simulated takes the same course each time.
            biased;
            _ = often.tick() => {}
            () = inner.stir.notified() => {}
        }
        let is_there = inner.hears() && !inner.is_leaving.load(Ordering::Relaxed);
        let asked_after = lock(&inner.acks).last();
        let mut now = Box::default();
        let there = inner.beat(is_there, &mut now).await;
        if let Ok(there) = &there {
            // What was told to another server may have been told to nobody: the others go to the new one at other times.
            let before = mem::replace(&mut life, now);
            if !before.is_empty() && before != life {
                lock(&inner.queue).again();
                inner.put.notify_one();
            }
            let done = lock(&inner.acks).there(there, asked_after);
            inner.note_done(done);
            lock(&inner.heard).there(there);
            inner.remind(&mut waited).await;
        }
        let hears = inner.hears();
        // A Redis that takes no writes does not note it: the others do not wait for this one, nor this one for them.
        let is_noted = there.as_ref().is_ok_and(|there| !is_there || there.contains(&inner.member));
        inner.note_cut_off(!is_noted || !hears);
        inner.metrics.redis.joined(is_noted && is_there);
        if hears {
            since = Instant::now();
        } else if since.elapsed() > DEAF {
            restart.now();
            since = Instant::now();
        }
    }
}

/// Hears what is said, and answers.
pub async fn listen(inner: Arc<Inner>, mut subscription: Subscription, hears: impl Hears) {
    let (over, mut was_told) = (inner.over(), false);
    while let Some(heard) = subscription.next().await {
        match heard {
            Heard::Gap => {
                hears.forget_all();
                *lock(&inner.heard) = super::acks::Heard::default();
                *lock(&inner.heard_at) = Some(Instant::now());
                inner.stir.notify_one();
                lock(&inner.waiting).values().for_each(|waiting| waiting.notify_one());
            }
            Heard::Message { channel, said } if *channel == over => {
                let waiting = str::from_utf8(&said).ok().and_then(|lock_| lock(&inner.waiting).get(lock_).cloned());
                if let Some(waiting) = waiting {
                    waiting.notify_one();
                }
            }
            Heard::Message { channel, said } => match inner.read(&channel, &said) {
                Some(Message::Beat) => *lock(&inner.heard_at) = Some(Instant::now()),
                Some(Message::Took { by, up_to }) => {
                    let done = lock(&inner.acks).took(&by, up_to);
                    inner.note_done(done);
                }
                Some(Message::Told { by, .. }) if by == inner.member => {}
                Some(Message::Told { by, numbers, texts }) => {
                    let follows = lock(&inner.heard).follows(&by, numbers);
                    if !follows || texts.is_none() {
                        hears.forget_all();
                    }
                    texts.into_iter().flatten().for_each(|text| hears.told(&text));
                    spawn::boxed(take(inner.clone(), by, numbers.1));
                }
                // Somebody forgot something, and nobody here can tell what.
                None => {
                    hears.forget_all();
                    if !was_told {
                        was_told = true;
                        tracing::warn!("a gateway with another encryption key shares this Redis");
                    }
                }
            },
        }
    }
}

/// Says that what another one told was taken.
async fn take(inner: Arc<Inner>, by: Member, up_to: u64) {
    let channel = inner.own(&by);
    let took = Message::Took { by: inner.member.clone(), up_to };
    if let Some(took) = inner.spell(&channel, &took) {
        // Whoever waits for it does so for a while only.
        let _ = inner.link.call::<i64>(redis::cmd("PUBLISH").arg(channel).arg(took)).await;
    }
}
