//! An event stream: `graphql-sse`, each operation by a connection of its own.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, sleep_until, timeout};

use super::feed::{Asking, Ended, Feed, Opened, errors};
use crate::metrics::Transport;
use crate::operation::{Asked, Way};
use crate::spawn;

/// As often as this something is sent, so that nobody between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who takes nothing for so long is too slow.
pub const STALLED: Duration = Duration::from_secs(30);

const COMPLETE: &str = "event: complete\ndata:\n\n";

/// Asks proxies that gather answers to let this one through as it comes.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers an operation with a stream of events. `headers`: what the caller presents.
pub async fn stream(
    asking: Arc<Asking>,
    (asked, way, bytes): (Asked, Way, Bytes),
    headers: &HeaderMap,
    room: OwnedSemaphorePermit,
) -> Response {
    let body = match Box::pin(asking.open(&asked, way, bytes)).await {
        Opened::Feed(feed) => {
            let (events, body) = mpsc::channel(1);
            let stream = Stream { asking, headers: headers.clone(), events, room };
            spawn::boxed(stream.feed(feed));
            // No async closure: with optimizations the compiler finds a circle in it.
            let next = |mut body: mpsc::Receiver<Bytes>| async move {
                let bytes = body.recv().await?;
                Some((Ok::<_, Infallible>(bytes), body))
            };
            Body::from_stream(unfold(body, next))
        }
        Opened::Refused(problems) => once(&errors(problems)),
        Opened::Answered(answer) => once(&answer),
    };
    let headers = [(CONTENT_TYPE, "text/event-stream; charset=utf-8"), (CACHE_CONTROL, "no-store"), (UNBUFFERED, "no")];
    (headers, body).into_response()
}

fn once(answer: &Bytes) -> Body {
    Body::from([&*next(answer), COMPLETE.as_bytes()].concat())
}

/// An event with an answer. JSON as it is written here has no line breaks.
fn next(answer: &[u8]) -> Bytes {
    [b"event: next\ndata: ", answer, b"\n\n"].concat().into()
}

/// A stream that is open.
struct Stream {
    asking: Arc<Asking>,
    headers: HeaderMap,
    events: mpsc::Sender<Bytes>,
    room: OwnedSemaphorePermit,
}

impl Stream {
    /// Sends events until the caller has gone, may not be told any more, or the gateway ends. The stream then ends without
    /// the event that says so: clients come back, to another gateway or to be told why not.
    async fn feed(self, feed: Feed) {
        let app = self.asking.app.clone();
        app.metrics().opened(Transport::EventStream);
        let ending = app.live().ending();
        tokio::select! {
            () = self.send_all(feed) => {}
            () = self.until_refused() => {}
            () = self.events.closed() => {}
            () = ending => {}
        }
        app.metrics().closed(Transport::EventStream);
        drop(self.room);
    }

    async fn send_all(&self, mut feed: Feed) {
        // The head of the answer is only sent with the first of its body.
        let mut on_time = self.send(Bytes::from_static(b":\n\n")).await;
        while on_time {
            let mut answer = pin!(feed.next());
            let answer = loop {
                tokio::select! {
                    answer = &mut answer => break answer,
                    () = sleep(KEEP_ALIVE) => {}
                }
                if !self.send(Bytes::from_static(b":\n\n")).await {
                    break Err(Ended::Behind);
                }
            };
            on_time = match answer {
                Ok(answer) => self.send(next(&answer)).await,
                Err(Ended::Behind) => false,
                // Who comes back is told why not.
                Err(Ended::Refused(_)) => return,
            };
        }
        if !self.events.is_closed() {
            self.asking.app.metrics().slow_reader();
        }
    }

    /// Whether it was taken in time.
    async fn send(&self, event: Bytes) -> bool {
        timeout(STALLED, self.events.send(event)).await.is_ok_and(|sent| sent.is_ok())
    }

    async fn until_refused(&self) {
        loop {
            sleep_until(Asking::next_look()).await;
            if self.asking.look_again(&self.headers).await.is_err() {
                return;
            }
        }
    }
}
