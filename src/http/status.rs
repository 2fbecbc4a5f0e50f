//! What is answered without GraphQL: health, the schema's text, and what does not exist.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::metrics::plain;

/// `GET /health/live`: the process answers.
pub async fn live() -> Response {
    Json(json!({ "status": "live" })).into_response()
}

/// `GET /health/ready`: requests can be answered; from what is held, for locations whose calls are kept back because the upstream is
/// down: those are named.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let why = if app.is_draining() {
        "draining"
    } else if !app.accounts().is_empty() && app.accounts().iter().all(|account| account.is_refused()) {
        // No call comes that would find out otherwise.
        let upstream = app.upstream();
        app.accounts().iter().for_each(|account| upstream.look_at_refused(account));
        "the upstream accepts no credential"
    } else {
        let down = app.accounts().iter().filter(|account| account.standing().is_down);
        let down: Vec<&str> = down.map(|account| &*account.location).collect();
        return match down.is_empty() {
            true => Json(json!({ "status": "ready" })),
            false => Json(json!({ "status": "ready", "upstreamDown": down })),
        }
        .into_response();
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "why": why }))).into_response()
}

/// `GET /schema.graphql`.
pub async fn sdl(State(app): State<Arc<App>>) -> Response {
    if !app.tells_schema() {
        return (StatusCode::NOT_FOUND, "The schema is not told here: introspection is off.\n").into_response();
    }
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], app.sdl().to_owned()).into_response()
}

/// Every other path.
pub async fn not_found() -> Response {
    let known = [
        "/",
        "/graphql",
        "/operations/{name}",
        "/schema.graphql",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/webhooks/contacts",
        "/oauth/install",
    ];
    (StatusCode::NOT_FOUND, Json(json!({ "error": "There is nothing here.", "paths": known }))).into_response()
}

/// `GET /metrics`: OpenMetrics for who asks for it, as Prometheus does, and Prometheus' older text for everybody else.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut wanted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let openmetrics = wanted.any(|wanted| wanted.contains("application/openmetrics-text"));
    let text = app.metrics().text(&app.levels());
    let (kind, text) = match openmetrics {
        true => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        false => ("text/plain; version=0.0.4; charset=utf-8", text.as_deref().map(plain)),
    };
    match text {
        Some(text) => ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
