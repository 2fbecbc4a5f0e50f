//! The way to Redis: one connection for all commands, opened and opened again behind everybody's back.
//!
//! Nobody waits for a Redis that is known to be away, and nobody for longer than a bound: the first command that has no answer in its time ends
//! all others with it, and whether Redis is back is found out by nobody who waits. Start-up does not need one.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, Script, ScriptInvocation, ServerErrorKind};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::way::{Moves, Way};
use crate::config::Redis;
use crate::metrics::Metrics;
use crate::spawn;

/// Most time for a command. Where one takes longer, Redis is away.
const BOUND: Duration = Duration::from_millis(250);

/// How often Redis is asked for its time, which also tells that it is there.
const OFTEN: Duration = Duration::from_secs(1);

/// Most time for making a connection, which nobody waits for.
const OPENING: Duration = Duration::from_secs(2);

/// How long it is before a connection is tried again, at first and at most. Replicas do not come back all at once.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Begins a script that is not done when Redis comes to it after its asker has given it up. A Redis that stood still finds all that in
/// its sockets, and would give turns and leave to nobody.
const IN_TIME: &str = "do local now = redis.call('TIME') \
     if now[1] * 1000 + now[2] / 1000 > tonumber(ARGV[#ARGV]) then return redis.error_reply('LATE nobody waits') end end ";

/// Messages that wait to be taken from a subscription. When there are more, Redis keeps them, and in the end closes it.
const MOST_WAITING: usize = 1024;

/// The form of names, values and messages. Gateways with another one do not hear each other.
const VERSION: u32 = 1;

/// What a server begins its refusal of a write with that follows another one.
const READ_ONLY: &str = "READONLY";

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Redis cannot be reached, or did not answer in time: what was sent may have been done.
    #[error("Redis is away")]
    Away,
    /// It answered with an error, which begins with this word.
    #[error("Redis refused a command: {0}")]
    Refused(Box<str>),
}

/// What comes of a subscription.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It begins, again or for the first time: whatever was said before may have been missed.
    Gap,
    /// What was said, and on which channel.
    Message { channel: Box<str>, said: Vec<u8> },
}

#[derive(Clone)]
enum State {
    /// Nobody knows yet whether Redis is there.
    Opening,
    Away,
    Up(Up),
}

#[derive(Clone)]
struct Up {
    connection: MultiplexedConnection,
    /// Which life of which server it is: another one may have lost what this one was told.
    run: Arc<str>,
    number: u64,
}

struct Parts {
    way: Way,
    prefix: Box<str>,
    state: watch::Sender<State>,
    /// What Redis' clock, in milliseconds, is ahead of the time since then.
    began: Instant,
    ahead: AtomicU64,
    metrics: Arc<Metrics>,
}

/// The way to Redis. Clones share the connection; when the last one is dropped, it is closed.
#[derive(Clone)]
pub struct Link(Arc<Parts>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

impl Link {
    /// A link that opens itself, on the runtime of the caller. `whose`: gateways with another one share nothing.
    pub fn open(redis: &Redis, whose: &str, metrics: Arc<Metrics>) -> Result<Self, RedisError> {
        let way = Way::to(redis)?;
        let whose =
            Sha256::digest(whose).iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let prefix = format!("contacts-gateway:{VERSION}:{whose}:").into();
        Ok(Self::by(way, prefix, metrics))
    }

    /// A link to a stand-in for a server.
    #[cfg(test)]
    pub fn to_model(dial: super::Dial) -> Self {
        Self::by(Way::Model(dial), "model:".into(), Arc::default())
    }

    fn by(way: Way, prefix: Box<str>, metrics: Arc<Metrics>) -> Self {
        let (state, began) = (watch::Sender::new(State::Opening), Instant::now());
        let parts = Arc::new(Parts { way, prefix, state, began, ahead: AtomicU64::default(), metrics });
        spawn::boxed(keep_open(Arc::downgrade(&parts)));
        Self(parts)
    }

    /// What a key or a channel is called.
    pub fn name(&self, what: &str) -> String {
        format!("{}{what}", self.0.prefix)
    }

    /// Waits until Redis is there.
    pub async fn there(&self) {
        // It can only fail when the sender is gone, and this has it.
        let _ = self.0.state.subscribe().wait_for(|state| matches!(state, State::Up(_))).await;
    }

    /// The answer to a command.
    pub async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        self.bounded(async |mut up: Up, _| command.query_async(&mut up.connection).await).await
    }

    /// The answer of a script. `with` adds its keys and arguments; it is told which life of the server it is that is asked.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        with: impl FnOnce(&mut ScriptInvocation<'_>, &str),
    ) -> Result<T, Trouble> {
        self.bounded(async |mut up: Up, until: u64| {
            let mut invocation = script.prepare_invoke();
            with(&mut invocation, &up.run);
            // See `IN_TIME`.
            invocation.arg(until);
            invocation.invoke_async(&mut up.connection).await
        })
        .await
    }

    async fn bounded<T>(&self, ask: impl AsyncFnOnce(Up, u64) -> Result<T, RedisError>) -> Result<T, Trouble> {
        let parts = &*self.0;
        let mut number = None;
        let mut states = parts.state.subscribe();
        let asked = async {
            let up = up(&mut states).await?;
            number = Some(up.number);
            let until = parts.redis_time() + BOUND.as_millis() as u64;
            let is_lost = states.wait_for(|state| !matches!(state, State::Up(other) if other.number == up.number));
            tokio::select! {
                biased;
                answer = ask(up.clone(), until) => Some(answer),
                _ = is_lost => None,
            }
        };
        let answer = {
            let mut asked = pin!(asked);
            let mut answer = timeout(BOUND / 2, &mut asked).await;
            // In two halves: if it was this process that stood still, Redis has the other half.
            if answer.is_err() {
                answer = timeout(BOUND / 2, asked).await;
            }
            answer
        };
        match answer {
            Ok(Some(Ok(answer))) => return Ok(answer),
            // It was the primary, and is not any more: the address may lead to another one now.
            Ok(Some(Err(error))) if error.code() == Some(READ_ONLY) => parts.lost(number, "it takes no writes"),
            Ok(Some(Err(error))) if is_refusal(&error) => {
                return Err(Trouble::Refused(error.code().unwrap_or("an answer that was not expected").into()));
            }
            Ok(Some(Err(error))) => parts.lost(number, &format!("{:?}", error.kind())),
            // It was known to be away, or somebody else found out.
            Ok(None) => {}
            Err(_) => parts.lost(number, "no answer in time"),
        }
        Err(Trouble::Away)
    }

    /// Hears what is said on channels, on a connection of its own, until the subscription is dropped.
    pub fn subscribe(&self, channels: Vec<String>) -> Subscription {
        let (tell, heard) = mpsc::channel(MOST_WAITING);
        let again = Arc::<Notify>::default();
        spawn::boxed(listen(self.0.way.clone(), channels, tell, again.clone()));
        Subscription { heard, again }
    }
}

/// What is heard. It goes on by itself whatever becomes of Redis, and tells where something may have been missed.
pub struct Subscription {
    heard: mpsc::Receiver<Heard>,
    again: Arc<Notify>,
}

impl Subscription {
    /// What comes next.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// The way to begin it anew.
    pub fn restart(&self) -> Restart {
        Restart(self.again.clone())
    }
}

/// Begins a subscription anew, when nothing came of it for so long that its connection may be none.
pub struct Restart(Arc<Notify>);

impl Restart {
    pub fn now(&self) {
        self.0.notify_one();
    }
}

impl Parts {
    /// Notes that nothing comes of a connection, or of waiting for one. The kind alone of what is wrong is told: the rest may have its address.
    fn lost(&self, number: Option<u64>, why: &str) {
        self.state.send_if_modified(|state| {
            let is_it = match state {
                State::Opening => number.is_none(),
                State::Away => false,
                State::Up(up) => Some(up.number) == number,
            };
            if is_it {
                tracing::warn!(why, "Redis is away; this gateway goes on alone");
                self.metrics.redis.lost();
                *state = State::Away;
            }
            is_it
        });
    }

    /// The time by Redis' clock: what it was last told, and what went by since. Never too early, for as long as that clock goes on.
    fn redis_time(&self) -> u64 {
        self.ahead.load(Ordering::Relaxed).wrapping_add(self.began.elapsed().as_millis() as u64)
    }

    fn note_time(&self, asked: Instant, (seconds, micros): (u64, u64)) {
        let since = asked.duration_since(self.began).as_millis() as u64;
        self.ahead.store((seconds * 1000 + micros.div_ceil(1000)).wrapping_sub(since), Ordering::Relaxed);
    }
}

/// A script that gives whoever asks something to hold: it is not done for who has given it up.
pub fn in_time(text: &str) -> Script {
    match text.split_once('\n') {
        Some((flags, rest)) if flags.starts_with("#!") => Script::new(&format!("{flags}\n{IN_TIME}{rest}")),
        _ => Script::new(&format!("{IN_TIME}{text}")),
    }
}

/// The connection. While nobody knows yet, this waits.
async fn up(states: &mut watch::Receiver<State>) -> Option<Up> {
    let state = states.wait_for(|state| !matches!(state, State::Opening)).await.ok()?;
    match &*state {
        State::Up(up) => Some(up.clone()),
        State::Opening | State::Away => None,
    }
}

/// Whether Redis said no, and the connection is as good as before.
fn is_refusal(error: &RedisError) -> bool {
    !error.is_io_error() && !error.is_unrecoverable_error() && !error.is_timeout() && !error.is_connection_dropped()
}

async fn keep_open(parts: Weak<Parts>) {
    let mut pauses = Pauses::default();
    for number in 0.. {
        let Some(way) = parts.upgrade().map(|parts| parts.way.clone()) else { return };
        let opened = timeout(OPENING, open(&way, number)).await;
        let Some(kept) = parts.upgrade() else { return };
        match opened {
            Ok(Ok((up, asked, time))) => {
                tracing::info!("Redis is there");
                pauses = Pauses::default();
                kept.note_time(asked, time);
                kept.state.send_replace(State::Up(up));
                drop(kept);
                while is_there(&parts, number).await {}
            }
            failed => {
                let why = match &failed {
                    Ok(Err(error)) => format!("{:?}", error.kind()),
                    _ => "no answer in time".to_owned(),
                };
                kept.lost(None, &why);
                drop(kept);
                sleep(pauses.next()).await;
            }
        }
    }
}

/// Whether the connection is good for a while more. Ends with the link, whose drop ends the sender.
async fn is_there(parts: &Weak<Parts>, number: u64) -> bool {
    let Some(mut states) = parts.upgrade().map(|parts| parts.state.subscribe()) else { return false };
    if timeout(OFTEN, states.wait_for(|state| matches!(state, State::Away))).await.is_ok() {
        return false;
    }
    let Some(link) = parts.upgrade().map(Link) else { return false };
    let asked = Instant::now();
    match link.call(&redis::cmd("TIME")).await {
        Ok(time) => link.0.note_time(asked, time),
        Err(why) => tracing::debug!(%why, "Redis did not tell the time"),
    }
    if link.0.way.has_moved().await {
        link.0.lost(Some(number), "another server is the primary");
    }
    true
}

async fn open(way: &Way, number: u64) -> Result<(Up, Instant, (u64, u64)), RedisError> {
    let mut connection = way.commands().await?;
    let role: String = redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
    if role.lines().any(|line| line.trim() == "role:slave") {
        return Err((ErrorKind::Server(ServerErrorKind::ReadOnly), "it is a replica").into());
    }
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let asked = Instant::now();
    let time = redis::cmd("TIME").query_async(&mut connection).await?;
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().into();
    Ok((Up { connection, run, number }, asked, time))
}

async fn listen(way: Way, channels: Vec<String>, tell: mpsc::Sender<Heard>, again: Arc<Notify>) {
    let mut pauses = Pauses::default();
    while !tell.is_closed() {
        if let Ok(Ok((heard, mut moves))) = timeout(OPENING, begin(&way, &channels)).await {
            pauses = Pauses::default();
            let mut messages = heard.into_on_message();
            if tell.send(Heard::Gap).await.is_err() {
                return;
            }
            loop {
                let message = tokio::select! {
                    biased;
                    () = tell.closed() => return,
                    () = again.notified() => None,
                    () = moves.next() => None,
                    message = messages.next() => message,
                };
                let Some(message) = message else { break };
                let channel = message.get_channel_name().into();
                let said = message.get_payload_bytes().to_vec();
                if tell.send(Heard::Message { channel, said }).await.is_err() {
                    return;
                }
            }
        }
        sleep(pauses.next()).await;
    }
}

async fn begin(way: &Way, channels: &[String]) -> Result<(PubSub, Moves), RedisError> {
    let (mut heard, moves) = way.messages().await?;
    heard.subscribe(channels).await?;
    Ok((heard, moves))
}

/// How long to wait before the next try: longer each time, up to a most, and not the same for all.
#[derive(Default)]
struct Pauses(u32);

impl Pauses {
    fn next(&mut self) -> Duration {
        let [first, most] = PAUSES;
        let pause = (first * 2_u32.pow(self.0.min(8))).min(most);
        self.0 += 1;
        pause.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}
