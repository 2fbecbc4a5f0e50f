//! A WebSocket that speaks `graphql-transport-ws`, from its opening to its end.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::events::STALLED;
use super::feed::{Asking, Ended, Opened};
use super::message::{self, Close, Said};
use super::outbox::Outbox;
use crate::app::App;
use crate::graph::{Code, Error};
use crate::http::identify::{LOCATION, identify};
use crate::http::track::RequestId;
use crate::metrics::Transport;
use crate::operation::{Asked, Refusal, Way};
use crate::spawn;

/// A client has so long until it has said who it is.
const INIT: Duration = Duration::from_secs(10);

/// As often as this it is looked whether the peer is there; who was not heard for twice as long is not.
const PING: Duration = Duration::from_secs(30);

/// A close frame has so long to arrive and be answered.
const LINGER: Duration = Duration::from_secs(2);

/// Speaks with a client until the socket is closed. `headers`: those that it was opened with.
pub async fn serve(socket: WebSocket, app: Arc<App>, headers: HeaderMap, id: RequestId, room: OwnedSemaphorePermit) {
    app.metrics().opened(Transport::WebSocket);
    let outbox = Arc::new(Outbox::new(app.clone()));
    let (sink, stream) = socket.split();
    let running = Arc::new(Running::default());
    let (headers, now) = (presented(&headers), Instant::now());
    let mut connection =
        Connection { app: app.clone(), headers, id, outbox: outbox.clone(), running, asking: None, heard: now };
    let over = async {
        outbox.closing().await;
        sleep(LINGER).await;
    };
    tokio::select! {
        () = send(sink, &outbox) => {}
        () = connection.listen(stream) => {}
        () = over => {}
    }
    drop(connection);
    app.metrics().closed(Transport::WebSocket);
    drop(room);
}

/// Sends what waits; after the close frame it waits for the peer to answer that.
async fn send(mut sink: SplitSink<WebSocket, Message>, outbox: &Outbox) {
    while let Some(message) = outbox.next().await {
        match timeout(STALLED, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            // What is being sent is counted nowhere, so nobody may hold it for ever.
            Err(_) => {
                outbox.too_slow();
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// The operations under way, by their ids, each with a number that tells it from others of its id.
#[derive(Default)]
struct Running(Mutex<HashMap<Box<str>, (u64, AbortHandle)>>);

impl Running {
    /// A panic elsewhere leaves it whole: every change is one insert or removal.
    fn map(&self) -> MutexGuard<'_, HashMap<Box<str>, (u64, AbortHandle)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, id: &str, number: u64) {
        let mut map = self.map();
        if map.get(id).is_some_and(|(known, _)| *known == number) {
            map.remove(id);
        }
    }
}

struct Connection {
    app: Arc<App>,
    /// What the caller presents.
    headers: HeaderMap,
    id: RequestId,
    outbox: Arc<Outbox>,
    running: Arc<Running>,
    /// Who asks; nobody before that was said.
    asking: Option<Arc<Asking>>,
    /// When the peer was last heard.
    heard: Instant,
}

impl Connection {
    async fn listen(&mut self, mut stream: SplitStream<WebSocket>) {
        let app = self.app.clone();
        let mut ending = pin!(app.live().ending());
        let mut is_ending = false;
        let began = Instant::now();
        let (mut ping, mut look) = (began + PING, Asking::next_look());
        loop {
            let init = if self.asking.is_none() { began + INIT } else { look };
            tokio::select! {
                // What has come counts before it is said that nothing came; and one who never stops sending is looked at all the same.
                biased;
                () = &mut ending, if !is_ending => {
                    is_ending = true;
                    self.outbox.close(Close::GOING);
                }
                read = stream.next() => {
                    self.heard = Instant::now();
                    match read {
                        None => return,
                        Some(Ok(message)) => self.hear(message).await,
                        Some(Err(why)) => {
                            let too_big = why.to_string().contains("too long");
                            self.outbox.close(if too_big { Close::TOO_BIG } else { Close::PROTOCOL });
                            self.end_all();
                            // What comes after cannot be read any more.
                            return std::future::pending().await;
                        }
                    }
                }
                () = sleep_until(ping.min(look).min(init)) => {}
            }
            let now = Instant::now();
            if self.asking.is_none() && now >= began + INIT {
                self.outbox.close(Close::LATE);
            }
            if now >= ping {
                ping = now + PING;
                self.look_for_peer(now);
            }
            if now >= look {
                look = Asking::next_look();
                self.look_at_caller().await;
            }
            if self.outbox.is_closing() {
                self.end_all();
                return drain(stream).await;
            }
        }
    }

    fn look_for_peer(&self, now: Instant) {
        if now - self.heard > 2 * PING {
            self.outbox.close(Close::SILENT);
        } else {
            self.outbox.ping();
        }
    }

    /// Whether what was presented is still good.
    async fn look_at_caller(&self) {
        if let Some(asking) = &self.asking
            && let Err(why) = asking.look_again(&self.headers).await
        {
            self.outbox.close(Close::unidentified(why));
        }
    }

    async fn hear(&mut self, message: Message) {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => "",
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return,
        };
        match message::read(text) {
            None => {
                self.outbox.close(Close::NO_MESSAGE);
            }
            Some(Said::Init(params)) => self.init(params).await,
            Some(Said::Ping) => self.outbox.send(message::PONG),
            Some(Said::Pong) => {}
            Some(Said::Subscribe(id, payload)) => self.subscribe(&id, payload),
            Some(Said::Complete(id)) => {
                if let Some((_, task)) = self.running.map().remove(&*id) {
                    task.abort();
                }
            }
        }
    }

    async fn init(&mut self, params: Option<&RawValue>) {
        if self.asking.is_some() {
            self.outbox.close(Close::AGAIN);
            return;
        }
        let params: Result<Option<Map<String, Value>>, _> =
            params.map(|json| serde_json::from_str(json.get())).transpose();
        let Ok(params) = params else {
            self.outbox.close(Close::NO_MESSAGE);
            return;
        };
        for (name, value) in params.unwrap_or_default() {
            self.take_param(&name, &value);
        }
        match identify(&self.app, &self.headers).await {
            Ok((caller, payer)) => {
                let (app, id) = (self.app.clone(), self.id.clone());
                self.asking = Some(Arc::new(Asking { app, caller, payer, id }));
                self.outbox.send(message::ACK);
            }
            Err(why) => {
                self.outbox.close(Close::unidentified(why));
            }
        }
    }

    /// Takes what the caller presents, which a browser cannot send as headers.
    fn take_param(&mut self, name: &str, value: &Value) {
        let header = match name.to_ascii_lowercase().as_str() {
            "authorization" => AUTHORIZATION,
            LOCATION => axum::http::HeaderName::from_static(LOCATION),
            _ => return,
        };
        // What is no text of a header is there, and opens nothing.
        let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        let mut value = value.unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(header == AUTHORIZATION);
        self.headers.insert(header, value);
    }

    fn subscribe(&self, id: &str, payload: &RawValue) {
        let Some(asking) = &self.asking else {
            self.outbox.close(Close::UNACKNOWLEDGED);
            return;
        };
        let asked = message::is_object(payload.get()).then(|| serde_json::from_str::<Asked>(payload.get()));
        let Some(asked) = asked.and_then(Result::ok).filter(Asked::has_document) else {
            self.outbox.close(Close::NO_MESSAGE);
            return;
        };
        let mut running = self.running.map();
        if running.contains_key(id) {
            self.outbox.close(Close::in_use(id));
            return;
        }
        let most = self.app.live().most_operations();
        if running.len() >= most {
            self.app.metrics().refused("subscriptions");
            let message = format!(
                "There are {most} operations on this socket: complete one before the next, or open another socket."
            );
            let refusal = Refusal::new(400, Error::new(Code::RateLimited, message), self.id.as_str());
            self.outbox.send(message::error(id, &refusal.errors));
            return;
        }
        let number = fastrand::u64(..);
        let operation = Operation { asking: asking.clone(), outbox: self.outbox.clone(), id: id.into() };
        let (bytes, ended, key) = (Bytes::copy_from_slice(payload.get().as_bytes()), self.running.clone(), id.into());
        let task = spawn::boxed(async move {
            operation.run(asked, bytes, || ended.ended(&operation.id, number)).await;
        });
        running.insert(key, (number, task.abort_handle()));
    }

    fn end_all(&self) {
        self.running.map().drain().for_each(|(_, (_, task))| task.abort());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// One operation of a socket.
struct Operation {
    asking: Arc<Asking>,
    outbox: Arc<Outbox>,
    id: Box<str>,
}

impl Operation {
    /// `over`: called when its id may be used again, before the client can know.
    async fn run(&self, asked: Asked, bytes: Bytes, over: impl FnOnce()) {
        // What the opening needs is not there any more while the subscription waits.
        match Box::pin(open(self.asking.clone(), asked, bytes)).await {
            Opened::Refused(errors) => {
                over();
                self.outbox.send(message::error(&self.id, &errors));
            }
            Opened::Answered(answer) => {
                over();
                self.outbox.send(message::next(&self.id, &answer));
                self.outbox.send(message::complete(&self.id));
            }
            Opened::Feed(mut feed) => {
                let ended = loop {
                    match feed.next().await {
                        Ok(answer) => self.outbox.send(message::next(&self.id, &answer)),
                        Err(ended) => break ended,
                    }
                };
                drop(feed);
                match ended {
                    Ended::Behind => self.outbox.too_slow(),
                    Ended::Refused(errors) => {
                        over();
                        self.outbox.send(message::error(&self.id, &errors));
                    }
                }
            }
        }
    }
}

async fn open(asking: Arc<Asking>, asked: Asked, bytes: Bytes) -> Opened {
    asking.open(&asked, Way::Post, bytes).await
}

/// Those of the headers that say who asks.
fn presented(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [AUTHORIZATION.as_str(), LOCATION] {
        for value in headers.get_all(name) {
            let mut value = value.clone();
            value.set_sensitive(name == AUTHORIZATION.as_str());
            kept.append(
                if name == LOCATION { axum::http::HeaderName::from_static(LOCATION) } else { AUTHORIZATION },
                value,
            );
        }
    }
    kept
}

/// Reads on until the peer has closed its side: a socket that is dropped with something unread would be reset, and the close
/// frame lost.
async fn drain(mut stream: SplitStream<WebSocket>) {
    while let Some(Ok(_)) = stream.next().await {}
}
