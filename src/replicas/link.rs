//! The way to Redis: one connection for all commands, opened and opened again behind everybody's back.
//!
//! Nobody waits for a Redis that is known to be away, and nobody for longer than a bound. Start-up does not need one.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, Script, ScriptInvocation};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::config::Redis;

/// Most time for a command.
const BOUND: Duration = Duration::from_millis(500);

/// Most time for making a connection, which nobody waits for.
const OPENING: Duration = Duration::from_secs(2);

/// How long it is before a connection is tried again, at first and at most. Replicas do not come back all at once.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Messages that wait to be taken from a subscription. When there are more, Redis keeps them, and in the end closes it.
const MOST_WAITING: usize = 1024;

/// The form of names, values and messages. Gateways with another one do not hear each other.
const VERSION: u32 = 1;

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
    client: Client,
    prefix: Box<str>,
    state: watch::Sender<State>,
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
    pub fn open(redis: &Redis, whose: &str) -> Result<Self, RedisError> {
        let client = Client::open(redis.url.expose_secret())?;
        let whose =
            Sha256::digest(whose).iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let prefix = format!("contacts-gateway:{VERSION}:{whose}:").into();
        let parts = Arc::new(Parts { client, prefix, state: watch::Sender::new(State::Opening) });
        tokio::spawn(keep_open(Arc::downgrade(&parts)));
        Ok(Self(parts))
    }

    /// What a key or a channel is called.
    pub fn name(&self, what: &str) -> String {
        format!("{}{what}", self.0.prefix)
    }

    /// The answer to a command.
    pub async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        self.bounded(async |mut up: Up| command.query_async(&mut up.connection).await).await
    }

    /// The answer of a script. `with` adds its keys and arguments; it is told which life of the server it is that is asked.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        with: impl FnOnce(&mut ScriptInvocation<'_>, &str),
    ) -> Result<T, Trouble> {
        self.bounded(async |mut up: Up| {
            let mut invocation = script.prepare_invoke();
            with(&mut invocation, &up.run);
            invocation.invoke_async(&mut up.connection).await
        })
        .await
    }

    async fn bounded<T>(&self, ask: impl AsyncFnOnce(Up) -> Result<T, RedisError>) -> Result<T, Trouble> {
        let mut number = None;
        let asked = timeout(BOUND, async {
            let up = self.up().await?;
            number = Some(up.number);
            Some(ask(up).await)
        });
        let why = match asked.await {
            Ok(Some(Ok(answer))) => return Ok(answer),
            Ok(Some(Err(error))) if is_refusal(&error) => {
                return Err(Trouble::Refused(error.code().unwrap_or("an answer that was not expected").into()));
            }
            Ok(Some(Err(error))) => Some(error),
            Ok(None) | Err(_) => None,
        };
        if let Some(number) = number {
            self.0.lost(number, why.as_ref());
        }
        Err(Trouble::Away)
    }

    /// The connection. While nobody knows yet, this waits.
    async fn up(&self) -> Option<Up> {
        let mut states = self.0.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Opening)).await.ok()?;
        match &*state {
            State::Up(up) => Some(up.clone()),
            State::Opening | State::Away => None,
        }
    }

    /// Hears what is said on channels, on a connection of its own, until the subscription is dropped.
    pub fn subscribe(&self, channels: Vec<String>) -> Subscription {
        let (tell, heard) = mpsc::channel(MOST_WAITING);
        let again = Arc::<Notify>::default();
        tokio::spawn(listen(self.0.client.clone(), channels, tell, again.clone()));
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
    fn lost(&self, number: u64, why: Option<&RedisError>) {
        self.state.send_if_modified(|state| {
            let is_it = matches!(state, State::Up(up) if up.number == number);
            if is_it {
                // The kind alone: what is wrong with a connection may be told with its address.
                let why = why.map_or_else(|| "no answer in time".to_owned(), |error| format!("{:?}", error.kind()));
                tracing::warn!(why, "Redis is away; this gateway goes on alone");
                *state = State::Away;
            }
            is_it
        });
    }
}

/// Whether Redis said no, and the connection is as good as before.
fn is_refusal(error: &RedisError) -> bool {
    !error.is_io_error() && !error.is_unrecoverable_error() && !error.is_timeout() && !error.is_connection_dropped()
}

async fn keep_open(parts: Weak<Parts>) {
    let mut pauses = Pauses::default();
    for number in 0.. {
        let Some(client) = parts.upgrade().map(|parts| parts.client.clone()) else { return };
        let opened = timeout(OPENING, open(&client, number)).await;
        let Some(kept) = parts.upgrade() else { return };
        match opened {
            Ok(Ok(up)) => {
                tracing::info!("Redis is there");
                pauses = Pauses::default();
                let mut states = kept.state.subscribe();
                kept.state.send_replace(State::Up(up));
                drop(kept);
                // Ends with the link, whose drop ends the sender.
                if states.wait_for(|state| matches!(state, State::Away)).await.is_err() {
                    return;
                }
            }
            failed => {
                let why = match &failed {
                    Ok(Err(error)) => format!("{:?}", error.kind()),
                    _ => "no answer in time".to_owned(),
                };
                kept.state.send_if_modified(|state| {
                    let is_news = matches!(state, State::Opening);
                    if is_news {
                        tracing::warn!(why, "Redis is away; this gateway goes on alone");
                        *state = State::Away;
                    }
                    is_news
                });
                drop(kept);
                sleep(pauses.next()).await;
            }
        }
    }
}

async fn open(client: &Client, number: u64) -> Result<Up, RedisError> {
    // The bound is one for both, and for every command the link's own.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().into();
    Ok(Up { connection, run, number })
}

async fn listen(client: Client, channels: Vec<String>, tell: mpsc::Sender<Heard>, again: Arc<Notify>) {
    let mut pauses = Pauses::default();
    while !tell.is_closed() {
        if let Ok(Ok(heard)) = timeout(OPENING, begin(&client, &channels)).await {
            pauses = Pauses::default();
            let mut messages = heard.into_on_message();
            if tell.send(Heard::Gap).await.is_err() {
                return;
            }
            loop {
                let message = tokio::select! {
                    message = messages.next() => message,
                    () = again.notified() => None,
                    () = tell.closed() => return,
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

async fn begin(client: &Client, channels: &[String]) -> Result<PubSub, RedisError> {
    let mut heard = client.get_async_pubsub().await?;
    heard.subscribe(channels).await?;
    Ok(heard)
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
