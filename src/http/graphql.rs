//! `/graphql`: GraphQL over HTTP, by POST and by GET; what is told of changes begins here, too.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use async_graphql_axum::GraphQLResponse;
use axum::body::{Body, Bytes};
use axum::extract::{self, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::Instant;

use super::execution::{Answered, end, execute, traced};
use super::freshness;
use super::identify::identify;
use super::live;
use super::negotiate::Media;
use super::read::{self, Unread};
use super::track::RequestId;
use crate::app::App;
use crate::caller::{Caller, Payer};
use crate::graph::{Error, Request};
use crate::metrics::Outcome;
use crate::operation::{Answer, Asked, Incoming, Ready, Refusal, Way};
use crate::traces::Operation;

/// Asks for what an answer cost, by `1`.
const EXPLAIN: HeaderName = HeaderName::from_static("x-gateway-explain");

/// When a request that there is no room for may be sent again. Most of those in progress are answered by then.
pub const RETRY: Duration = Duration::from_secs(1);

/// `POST /graphql`.
pub async fn post(State(app): State<Arc<App>>, request: extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    let response = match Exchange::open(&app, &parts.headers, &id).await {
        Ok(exchange) => exchange.post(body).await,
        Err(refused) => *refused,
    };
    id.put(response)
}

/// `GET /graphql`.
pub async fn get(State(app): State<Arc<App>>, request: extract::Request) -> Response {
    let (parts, _) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    if live::is_asked(&parts.headers) {
        let response = live::upgrade(app, parts, id.clone()).await;
        return id.put(response);
    }
    let query = parts.uri.query().unwrap_or_default();
    let response = match Exchange::open(&app, &parts.headers, &id).await {
        Ok(exchange) => exchange.answer(Way::Get, Bytes::copy_from_slice(query.as_bytes())).await,
        Err(refused) => *refused,
    };
    id.put(response)
}

/// A request whose caller is known, and in what form its answer goes out.
pub struct Exchange<'a> {
    app: &'a Arc<App>,
    pub headers: &'a HeaderMap,
    id: &'a RequestId,
    media: Media,
    caller: Arc<Caller>,
    payer: Payer,
    began: Instant,
}

impl<'a> Exchange<'a> {
    /// Finds out who asks; or the refusal.
    pub async fn open(app: &'a Arc<App>, headers: &'a HeaderMap, id: &'a RequestId) -> Result<Self, Box<Response>> {
        let began = Instant::now();
        let Some(media) = Media::of(headers) else {
            let message = "Answers come as application/graphql-response+json or application/json.";
            return Err(refuse(Media::Json, (406, Error::bad_input(message)), id).into());
        };
        match identify(app, headers).await {
            Ok((caller, payer)) => {
                app.metrics().entered();
                Ok(Self { app, headers, id, media, caller, payer, began })
            }
            Err(why) => Err(refuse(media, why, id).into()),
        }
    }

    /// When the request's time is over.
    fn deadline(&self) -> Instant {
        self.began + self.app.request_timeout()
    }

    /// The answer to a request that is not run.
    pub fn refuse(&self, why: Unread) -> Response {
        if let Some(guard) = why.1.guard() {
            self.app.metrics().refused(guard);
        }
        refuse(self.media, why, self.id)
    }

    fn note_crowd(&self) {
        self.app.admission().tell_refused();
        self.app.metrics().refused("in_progress");
    }

    /// There is no room for it.
    fn crowded(&self) -> Response {
        self.count(Outcome::Refused);
        let mut response = self.refuse((503, Error::crowded(RETRY)));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
        response
    }

    async fn post(self, body: Body) -> Response {
        match self.read(body).await {
            Ok(bytes) => self.answer(Way::Post, bytes).await,
            Err(refused) => *refused,
        }
    }

    /// The body, where it is said to be JSON and there is room for it.
    pub async fn read(&self, body: Body) -> Result<Bytes, Box<Response>> {
        if !read::is_json(self.headers) {
            let message = "The body has to be JSON: send content-type: application/json.";
            return Err(self.refuse((415, Error::bad_input(message))).into());
        }
        let Some(room) = self.app.admission().body() else {
            read::drain(body, self.app.body_limit()).await;
            self.note_crowd();
            return Err(self.crowded().into());
        };
        let read = read::body(body, self.app.body_limit(), self.deadline()).await;
        drop(room);
        read.map_err(|why| self.refuse(why).into())
    }

    /// Answers what came as these bytes.
    pub async fn answer(self, way: Way, bytes: Bytes) -> Response {
        let operations = self.app.operations();
        if operations.has_manifest() {
            operations.keep_up().await;
        }
        if self.media == Media::EventStream {
            return Box::pin(self.stream(way, bytes)).await;
        }
        let incoming = Incoming { eyes: self.caller.eyes(), way, bytes };
        let explains = explains(self.headers);
        if let Some(ready) = operations.known(&incoming).filter(|_| !explains) {
            return self.kept(&ready, self.send(&ready, way));
        }
        // In a place of its own, so that an answer that is kept is not moved about with the room that this one needs.
        Box::pin(self.execute(incoming, explains)).await
    }

    async fn execute(self, incoming: Incoming, explains: bool) -> Response {
        let Some(_place) = self.app.admission().place(self.deadline()).await else {
            self.note_crowd();
            return self.crowded();
        };
        let way = incoming.way;
        if way == Way::Post && read::is_batch(&incoming.bytes) {
            return Box::pin(self.batch(&incoming.bytes, explains)).await;
        }
        let asked = match self.asked(way, &incoming.bytes) {
            Ok(asked) => asked,
            Err(refused) => return *refused,
        };
        let operation = self.begin_trace();
        let trace = operation.as_ref().map(Operation::trace);
        let response = match self.run(incoming, &asked, explains, operation).await {
            Answer::Ready(ready) => self.send(&ready, way),
            Answer::Executed(response) => {
                let mut response = GraphQLResponse::from(response).into_response();
                response.headers_mut().insert(CONTENT_TYPE, self.media.content_type());
                unshared(response)
            }
            Answer::Refused(refusal) => refused(self.media, refusal, StatusTold::ByMedia),
        };
        traced(response, trace)
    }

    /// Where operations are traced, its own begins.
    fn begin_trace(&self) -> Option<Operation> {
        Some(self.app.traces()?.begin(Some(self.headers), self.began))
    }

    /// An answer that was kept is counted, and traced where that is wanted.
    fn kept(&self, ready: &Ready, response: Response) -> Response {
        self.count(Outcome::Kept);
        ready.named.count(Outcome::Kept);
        match self.app.traces().and_then(|traces| traces.begin_kept(self.headers, self.began)) {
            None => response,
            Some(operation) => {
                let trace = operation.trace();
                let answered = Answered { named: Some(&ready.named), outcome: Outcome::Kept, values: (0, 0, 0) };
                end(operation, &answered, self.id.as_str(), &self.caller);
                traced(response, Some(trace))
            }
        }
    }

    async fn run(&self, incoming: Incoming, asked: &Asked, explains: bool, operation: Option<Operation>) -> Answer {
        let request = Request::new(self.caller.clone(), self.payer, self.app.loader(), self.deadline());
        if explains {
            request.explain();
        }
        execute(self.app, request, operation, (incoming, asked), self.id.as_str(), self.began).await
    }

    fn asked(&self, way: Way, bytes: &[u8]) -> Result<Asked, Box<Response>> {
        let asked = match way {
            Way::Post => read::is_plain(self.headers).and_then(|()| read::from_body(bytes)),
            Way::Get => read::from_query(bytes),
            Way::Named => read::from_name(self.app.operations(), bytes),
        };
        asked.map_err(|why| {
            self.count(Outcome::Refused);
            self.refuse(why).into()
        })
    }

    /// Answers with a stream of events.
    async fn stream(self, way: Way, bytes: Bytes) -> Response {
        let asked = match self.asked(way, &bytes) {
            Ok(asked) => asked,
            Err(refused) => return *refused,
        };
        let Some(room) = self.app.live().room() else {
            self.app.metrics().refused("sockets");
            return self.crowded();
        };
        let (app, caller, id) = (self.app.clone(), self.caller.clone(), self.id.clone());
        let asking = Arc::new(live::Asking { app, caller, payer: self.payer, id });
        live::stream(asking, (asked, way, bytes), self.headers, room).await
    }

    /// Several requests at once, each with an answer of its own, in their order. Each is what it would be by itself, but for the
    /// status: that is 200 for all of them.
    async fn batch(&self, bytes: &Bytes, explains: bool) -> Response {
        let plain = read::is_plain(self.headers);
        let requests = match plain.and_then(|()| read::batch(bytes, self.app.max_batch())) {
            Ok(requests) => requests,
            Err(why) => {
                self.count(Outcome::Refused);
                return self.refuse(why);
            }
        };
        let answers = join_all(requests.into_iter().map(|bytes| self.one_of_batch(bytes, explains))).await;
        let mut body = vec![b'['];
        for answer in answers {
            body.extend_from_slice(&answer);
            body.push(b',');
        }
        *body.last_mut().unwrap_or(&mut 0) = b']';
        unshared(([(CONTENT_TYPE, self.media.content_type())], body).into_response())
    }

    async fn one_of_batch(&self, bytes: Bytes, explains: bool) -> Bytes {
        let incoming = Incoming { eyes: self.caller.eyes(), way: Way::Post, bytes };
        if let Some(ready) = self.app.operations().known(&incoming).filter(|_| !explains) {
            self.kept(&ready, Response::default());
            return ready.body.clone();
        }
        let body = match read::from_body(&incoming.bytes) {
            Ok(asked) => match self.run(incoming, &asked, explains, self.begin_trace()).await {
                Answer::Ready(ready) => return ready.body.clone(),
                Answer::Executed(response) => serde_json::to_vec(&response),
                Answer::Refused(refusal) => to_json(refusal.errors),
            },
            Err((status, error)) => {
                self.count(Outcome::Refused);
                to_json(Refusal::new(status, error, self.id.as_str()).errors)
            }
        };
        body.unwrap_or_default().into()
    }

    /// Counts an answer.
    pub fn count(&self, outcome: Outcome) {
        self.app.metrics().answered(outcome, self.began.elapsed());
    }

    fn send(&self, ready: &Ready, way: Way) -> Response {
        freshness::send(ready, way, self.media, self.headers, self.app.clock().now())
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.app.metrics().left();
    }
}

/// Whether the answer is to tell what it cost. Few headers are looked through faster than one is looked up.
fn explains(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| name == EXPLAIN && value == "1")
}

/// What one caller may see is not for the caches between it and the gateway.
fn unshared(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Whether the HTTP status tells of a refusal also where `application/json` was asked for: there, a well-formed
/// request that GraphQL refuses is answered with 200.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StatusTold {
    Always,
    ByMedia,
}

/// The answer to a request that is not run.
pub fn refuse(media: Media, (status, error): Unread, id: &RequestId) -> Response {
    refused(media, Refusal::new(status, error, id.as_str()), StatusTold::Always)
}

/// An answer of errors alone.
fn to_json(errors: Vec<ServerError>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Errors {
        errors: Vec<ServerError>,
    }
    serde_json::to_vec(&Errors { errors })
}

fn refused(media: Media, refusal: Refusal, told: StatusTold) -> Response {
    let quiet = told == StatusTold::ByMedia && media == Media::Json && refusal.status == 400;
    let status = match quiet {
        true => StatusCode::OK,
        false => StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST),
    };
    let body = to_json(refusal.errors).unwrap_or_default();
    let mut response = (status, [(CONTENT_TYPE, media.content_type())], body).into_response();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    unshared(response)
}
