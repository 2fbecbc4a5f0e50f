//! `/graphql`: GraphQL over HTTP, by POST and by GET; what is told of changes begins here, too.

use std::sync::Arc;
use std::time::Duration;

use apollo_compiler::response::JsonMap;
use async_graphql::ServerError;
use async_graphql_axum::GraphQLResponse;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{self, RawQuery, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout, timeout_at};

use super::freshness;
use super::identify::identify;
use super::live;
use super::negotiate::Media;
use super::track::RequestId;
use crate::app::{App, LONGEST_WAIT};
use crate::caller::{Caller, Payer};
use crate::graph::error::brief;
use crate::graph::{Code, Error, Request};
use crate::metrics::Outcome;
use crate::operation::{Answer, Asked, Incoming, Operations, Ready, Refusal, Way};

/// Asks for what an answer cost, by `1`.
const EXPLAIN: HeaderName = HeaderName::from_static("x-gateway-explain");

/// When a request that there is no room for may be sent again. Most of those in progress are answered by then.
pub const RETRY: Duration = Duration::from_secs(1);

/// Why a request is not run, with the HTTP status that fits.
type Unread = (u16, Error);

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

/// `GET /operations/{name}`.
pub async fn named(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    extract::Path(name): extract::Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let id = RequestId::of(&headers);
    let response = match Exchange::open(&app, &headers, &id).await {
        Ok(exchange) => {
            let asked = format!("{name}?{}", query.unwrap_or_default());
            exchange.answer(Way::Named, asked.into()).await
        }
        Err(refused) => *refused,
    };
    id.put(response)
}

/// A request whose caller is known, and in what form its answer goes out.
struct Exchange<'a> {
    app: &'a Arc<App>,
    headers: &'a HeaderMap,
    id: &'a RequestId,
    media: Media,
    caller: Arc<Caller>,
    payer: Payer,
    began: Instant,
}

impl<'a> Exchange<'a> {
    async fn open(app: &'a Arc<App>, headers: &'a HeaderMap, id: &'a RequestId) -> Result<Self, Box<Response>> {
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

    fn refuse(&self, why: Unread) -> Response {
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
        if !is_json(self.headers) {
            let message = "The body has to be JSON: send content-type: application/json.";
            return self.refuse((415, Error::bad_input(message)));
        }
        let Some(room) = self.app.admission().body() else {
            drain(body, self.app.body_limit()).await;
            self.note_crowd();
            return self.crowded();
        };
        let read = read_body(body, self.app.body_limit(), self.deadline()).await;
        drop(room);
        match read {
            Ok(bytes) => self.answer(Way::Post, bytes).await,
            Err(why) => self.refuse(why),
        }
    }

    async fn answer(self, way: Way, bytes: Bytes) -> Response {
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
            self.count(Outcome::Kept);
            return self.send(&ready, way);
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
        let asked = match self.asked(way, &incoming.bytes) {
            Ok(asked) => asked,
            Err(refused) => return *refused,
        };
        let mut request = Request::new(self.caller.clone(), self.payer, self.app.loader(), self.deadline());
        request.explains = explains;
        match execute(self.app, request, incoming, &asked, self.id.as_str(), self.began).await {
            Answer::Ready(ready) => self.send(&ready, way),
            Answer::Executed(response) => {
                let mut response = GraphQLResponse::from(response).into_response();
                response.headers_mut().insert(CONTENT_TYPE, self.media.content_type());
                unshared(response)
            }
            Answer::Refused(refusal) => refused(self.media, refusal, Told::ByMedia),
        }
    }

    fn asked(&self, way: Way, bytes: &[u8]) -> Result<Asked, Box<Response>> {
        let asked = match way {
            Way::Post => from_body(bytes),
            Way::Get => from_query(bytes),
            Way::Named => from_name(self.app.operations(), bytes),
        };
        let asked = asked.and_then(|asked| match asked.has_document() {
            true => Ok(asked),
            false => {
                Err((400, Error::bad_input("There is no `query` in it, and no `documentId` that stands for one.")))
            }
        });
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

    fn count(&self, outcome: Outcome) {
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
enum Told {
    Always,
    ByMedia,
}

/// Executes an operation, and counts it.
pub async fn execute(
    app: &App,
    request: Request,
    incoming: Incoming,
    asked: &Asked,
    id: &str,
    began: Instant,
) -> Answer {
    let trail = request.trail.clone();
    let answer = app.operations().run(request, incoming, asked, id).await;
    let (held, shared, started) = trail.counts();
    tracing::debug!(request_id = id, held, shared, started, "executed");
    app.metrics().valued((held, shared, started));
    let outcome = match &answer {
        Answer::Ready(_) => Outcome::Executed,
        Answer::Executed(response) if response.errors.is_empty() => Outcome::Executed,
        Answer::Executed(_) => Outcome::Failed,
        Answer::Refused(_) => Outcome::Refused,
    };
    app.metrics().answered(outcome, began.elapsed());
    if let Answer::Refused(Refusal { guard: Some(guard), .. }) = &answer {
        app.metrics().refused(guard);
    }
    answer
}

pub fn refuse(media: Media, (status, error): Unread, id: &RequestId) -> Response {
    refused(media, Refusal::new(status, error, id.as_str()), Told::Always)
}

fn refused(media: Media, refusal: Refusal, told: Told) -> Response {
    #[derive(Serialize)]
    struct Errors {
        errors: Vec<ServerError>,
    }
    let quiet = told == Told::ByMedia && media == Media::Json && refusal.status == 400;
    let status = match quiet {
        true => StatusCode::OK,
        false => StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST),
    };
    let body = serde_json::to_vec(&Errors { errors: refusal.errors }).unwrap_or_default();
    let mut response = (status, [(CONTENT_TYPE, media.content_type())], body).into_response();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    unshared(response)
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = sent.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    json && charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8")
}

async fn read_body(body: Body, limit: usize, deadline: Instant) -> Result<Bytes, Unread> {
    match timeout_at(deadline, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message = format!("The body is larger than {limit} bytes, or broke off.");
            Err((413, Error::bad_input(message)))
        }
        Err(_) => Err((408, Error::bad_input("The body did not come in time."))),
    }
}

/// Lets a body that nobody wants pass by, for a while: with some of it unread the connection would be reset, and the caller
/// might never see the answer.
async fn drain(body: Body, limit: usize) {
    let mut frames = body.into_data_stream();
    let pass = async {
        let mut left = limit;
        while let Some(Ok(frame)) = frames.next().await
            && frame.len() <= left
        {
            left -= frame.len();
        }
    };
    // Who is slower than this is cut off.
    let _ = timeout(LONGEST_WAIT, pass).await;
}

fn from_body(bytes: &[u8]) -> Result<Asked, Unread> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err((400, Error::bad_input("The body is a list: batches are off.")));
    }
    from_json(bytes, "The body")
}

fn from_json<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T, Unread> {
    serde_json::from_slice(json).map_err(|why| {
        let message = format!("{what} is not a GraphQL request in JSON: {}.", brief(&why.to_string()));
        (400, Error::bad_input(message))
    })
}

fn from_query(query: &[u8]) -> Result<Asked, Unread> {
    let mut asked = Asked::default();
    let object = |name: &str, text: &str| -> Result<Option<JsonMap>, Unread> {
        from_json(text.as_bytes(), &format!("`{name}`"))
    };
    for (name, value) in form_urlencoded::parse(query) {
        match &*name {
            "query" if !value.is_empty() => asked.query = Some(value.into_owned()),
            "documentId" => asked.document_id = Some(value.into_owned()),
            "doc_id" => asked.doc_id = Some(value.into_owned()),
            "operationName" if !value.is_empty() => asked.operation_name = Some(value.into_owned()),
            "variables" if !value.is_empty() => asked.variables = object("variables", &value)?,
            "extensions" if !value.is_empty() => asked.extensions = object("extensions", &value)?,
            _ => {}
        }
    }
    Ok(asked)
}

/// A trusted operation by its name, then `?`, then a query that may have `variables`.
fn from_name(operations: &Operations, bytes: &[u8]) -> Result<Asked, Unread> {
    let text = String::from_utf8_lossy(bytes);
    let (name, query) = text.split_once('?').unwrap_or((&text, ""));
    let Some(document) = operations.text_with(name) else {
        let message = format!("There is no trusted document with one operation `{}`.", brief(name));
        return Err((404, Error::new(Code::NotFound, message)));
    };
    let Asked { variables, .. } = from_query(query.as_bytes())?;
    let query = Some(document.to_string());
    Ok(Asked { query, operation_name: Some(name.to_owned()), variables, ..Asked::default() })
}
