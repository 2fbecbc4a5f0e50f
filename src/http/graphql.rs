//! `/graphql`: GraphQL over HTTP, by POST and by GET.

use std::sync::Arc;

use apollo_compiler::response::JsonMap;
use async_graphql::ServerError;
use async_graphql_axum::GraphQLResponse;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::identify::identify;
use super::negotiate::Media;
use super::track::RequestId;
use crate::app::App;
use crate::graph::error::brief;
use crate::graph::{Error, Request};
use crate::operation::{Answer, Asked, May, Refusal};

/// `POST /graphql`.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let deadline = app.deadline();
    let asked = match is_json(&headers) {
        true => read_body(body, app.body_limit(), deadline).await,
        false => {
            let message = "The body has to be JSON: send content-type: application/json.";
            Err((415, Error::bad_input(message)))
        }
    };
    unshared(answer(&app, &headers, asked, May::Everything, deadline, &id).await)
}

/// `GET /graphql`.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = read_query(query.as_deref().unwrap_or_default());
    let deadline = app.deadline();
    unshared(answer(&app, &headers, asked, May::Read, deadline, &id).await)
}

/// What one caller may see is not for the caches between it and the gateway.
fn unshared(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    asked: Result<Asked, (u16, Error)>,
    may: May,
    deadline: Instant,
    id: &RequestId,
) -> Response {
    let refuse = |media, (status, error)| refused(media, Refusal::new(status, error, id.as_str()), Told::Always);
    let Some(media) = Media::of(headers) else {
        let message = "Answers come as application/graphql-response+json or application/json.";
        return refuse(Media::Json, (406, Error::bad_input(message)));
    };
    let (asked, caller) = match (asked, identify(app, headers)) {
        (Err(why), _) | (_, Err(why)) => return refuse(media, why),
        (Ok(asked), Ok(caller)) => (asked, caller),
    };
    let request = Request::new(caller, app.loaders(), deadline);
    let trail = request.trail.clone();
    let answer = app.operations().run(request, asked, may, id.as_str()).await;
    let (held, shared, started) = trail.counts();
    tracing::debug!(request_id = id.as_str(), held, shared, started, "executed");
    match answer {
        Answer::Executed(response) => {
            let mut response = GraphQLResponse::from(response).into_response();
            response.headers_mut().insert(CONTENT_TYPE, media.content_type());
            response
        }
        Answer::Refused(refusal) => refused(media, refusal, Told::ByMedia),
    }
}

/// Whether the HTTP status tells of a refusal also where `application/json` was asked for: there, a well-formed
/// request that GraphQL refuses is answered with 200.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Always,
    ByMedia,
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
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = sent.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    json && charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8")
}

async fn read_body(body: Body, limit: usize, deadline: Instant) -> Result<Asked, (u16, Error)> {
    let bytes = match timeout_at(deadline, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("The body is larger than {limit} bytes, or broke off.");
            return Err((413, Error::bad_input(message)));
        }
        Err(_) => return Err((408, Error::bad_input("The body did not come in time."))),
    };
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err((400, Error::bad_input("The body is a list: batches are off.")));
    }
    from_json(&bytes, "The body")
}

fn from_json<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T, (u16, Error)> {
    serde_json::from_slice(json).map_err(|why| {
        let message = format!("{what} is not a GraphQL request in JSON: {}.", brief(&why.to_string()));
        (400, Error::bad_input(message))
    })
}

fn read_query(query: &str) -> Result<Asked, (u16, Error)> {
    let mut asked = Asked { query: String::new(), operation_name: None, variables: None, _extensions: None };
    let object = |name: &str, text: &str| -> Result<Option<JsonMap>, (u16, Error)> {
        from_json(text.as_bytes(), &format!("`{name}`"))
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "query" => asked.query = value.into_owned(),
            "operationName" if !value.is_empty() => asked.operation_name = Some(value.into_owned()),
            "variables" if !value.is_empty() => asked.variables = object("variables", &value)?,
            "extensions" if !value.is_empty() => asked._extensions = object("extensions", &value)?,
            _ => {}
        }
    }
    match asked.query.is_empty() {
        true => Err((400, Error::bad_input("There is no `query` in the address."))),
        false => Ok(asked),
    }
}
