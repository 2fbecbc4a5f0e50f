//! An operation of a socket or an event stream: what it is answered with, once or for every change.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use axum::body::Bytes;
use axum::http::HeaderMap;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::caller::{Caller, Payer};
use crate::changes::Watch;
use crate::graph::{Code, Error, Request};
use crate::http::execution::execute;
use crate::http::graphql::RETRY;
use crate::http::identify::identify;
use crate::http::track::RequestId;
use crate::metrics::Outcome;
use crate::operation::{Answer, Asked, Incoming, Refusal, Subscription, Way};

/// Who asks, by a socket or an event stream, for as long as that is open.
pub struct Asking {
    pub app: Arc<App>,
    pub caller: Arc<Caller>,
    pub payer: Payer,
    pub id: RequestId,
}

/// What an operation comes to.
pub enum Opened {
    /// It is refused, and nothing was executed.
    Refused(Vec<ServerError>),
    /// It is answered.
    Answered(Bytes),
    /// It is answered anew for every change.
    Feed(Feed),
}

impl Asking {
    /// A request that begins now.
    fn request(&self) -> Request {
        let deadline = Instant::now() + self.app.request_timeout();
        Request::new(self.caller.clone(), self.payer, self.app.loader(), deadline)
    }

    /// Begins an operation. `bytes`: all of it as it came.
    pub async fn open(self: &Arc<Self>, asked: &Asked, way: Way, bytes: Bytes) -> Opened {
        let began = Instant::now();
        let Some(_place) = self.app.admission().place(began + self.app.request_timeout()).await else {
            self.app.admission().tell_refused();
            self.app.metrics().refused("in_progress");
            return self.refused(Refusal::new(503, Error::crowded(RETRY), self.id.as_str()), began);
        };
        let (operations, id) = (self.app.operations(), self.id.as_str());
        if operations.has_manifest() {
            operations.keep_up().await;
        }
        match operations.subscribe(self.request(), asked, id).await {
            Ok(Some(subscription)) => {
                let location = &self.caller.account.location;
                let (contact, about) = (subscription.wanted().contact.as_deref(), subscription.about());
                let watch = self.app.changes().watch(location, contact, about);
                self.app.metrics().answered(Outcome::Executed, began.elapsed());
                self.app.metrics().subscribed();
                let may_end = self.caller.account.is_callers() || operations.has_manifest();
                let look = may_end.then(Self::next_look);
                Opened::Feed(Feed { asking: self.clone(), subscription: Box::new(subscription), watch, look })
            }
            Ok(None) => {
                let incoming = Incoming { eyes: self.caller.eyes(), way, bytes };
                let operation = self.app.traces().map(|traces| traces.begin(None, began));
                match execute(&self.app, self.request(), operation, (incoming, asked), id, began).await {
                    Answer::Refused(refusal) => Opened::Refused(refusal.errors),
                    answer => Opened::Answered(json(answer)),
                }
            }
            Err(Answer::Refused(refusal)) => self.refused(refusal, began),
            Err(Answer::Executed(response)) => {
                self.app.metrics().answered(Outcome::Failed, began.elapsed());
                Opened::Refused(response.errors)
            }
            Err(answer @ Answer::Ready(_)) => Opened::Answered(json(answer)),
        }
    }

    fn refused(&self, refusal: Refusal, began: Instant) -> Opened {
        if let Some(guard) = refusal.guard {
            self.app.metrics().refused(guard);
        }
        self.app.metrics().answered(Outcome::Refused, began.elapsed());
        Opened::Refused(refusal.errors)
    }

    /// Whether what was presented still makes the same caller; why not, with the HTTP status that fits.
    pub async fn look_again(&self, headers: &HeaderMap) -> Result<(), (u16, Error)> {
        let (caller, _) = identify(&self.app, headers).await?;
        match caller.eyes() == self.caller.eyes() {
            true => Ok(()),
            false => Err((403, Error::new(Code::Forbidden, "What the token opens has changed."))),
        }
    }

    /// When that is looked at next. Those that came at one moment do not all come back at one.
    pub fn next_look() -> Instant {
        // A token is good for half a minute longer than it says, and is gone within 75 seconds.
        Instant::now() + Duration::from_millis(fastrand::u64(30_000..40_000))
    }
}

/// A subscription, and what waits for it.
pub struct Feed {
    asking: Arc<Asking>,
    subscription: Box<Subscription>,
    watch: Watch,
    /// When it is looked again whether it may go on: what the caller's own credential opens, and what the manifest has.
    look: Option<Instant>,
}

/// Why a subscription ends.
pub enum Ended {
    /// So many changes waited that some were lost.
    Behind,
    /// The caller may not be told any more.
    Refused(Vec<ServerError>),
}

impl Feed {
    /// The answer to the next change.
    pub async fn next(&mut self) -> Result<Bytes, Ended> {
        loop {
            let look = self.look;
            let due = async {
                match look {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let notice = tokio::select! {
                notice = self.watch.next() => notice.ok_or(Ended::Behind)?,
                () = due => {
                    Box::pin(self.look_again()).await.map_err(Ended::Refused)?;
                    self.look = Some(Asking::next_look());
                    continue;
                }
            };
            if self.subscription.wanted().wants(&notice.change) {
                let Self { asking, subscription, .. } = self;
                let operations = asking.app.operations();
                // Those who wait are many; what the telling needs is only there while it goes on.
                let telling = Box::pin(operations.tell(asking.request(), subscription, &notice, asking.id.as_str()));
                let answer = telling.await;
                asking.app.metrics().told();
                return Ok(json(answer));
            }
        }
    }

    async fn look_again(&self) -> Result<(), Vec<ServerError>> {
        let Self { asking, subscription, .. } = self;
        let operations = asking.app.operations();
        operations.keep_up().await;
        operations.look_again(asking.request(), subscription, asking.id.as_str()).await
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.asking.app.metrics().unsubscribed();
    }
}

/// What stands for errors where nothing was executed.
#[derive(Serialize)]
struct Errors {
    errors: Vec<ServerError>,
}

/// A refusal as an answer.
pub fn errors(errors: Vec<ServerError>) -> Bytes {
    serde_json::to_vec(&Errors { errors }).unwrap_or_default().into()
}

fn json(answer: Answer) -> Bytes {
    match answer {
        Answer::Ready(ready) => ready.body.clone(),
        Answer::Executed(response) => serde_json::to_vec(&response).unwrap_or_default().into(),
        Answer::Refused(refusal) => errors(refusal.errors),
    }
}
