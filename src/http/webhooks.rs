//! `/webhooks/contacts`: the upstream tells of a change. It is answered once that is written down, and before anything is done.

use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::read;
use crate::app::App;
use crate::events::{Events, Heard, Signed};

/// Most time until there is room for a body.
const LONGEST: Duration = Duration::from_secs(10);

/// Most time for a body to come then: whoever sends events sends them at once, and who does not keeps others from their room.
const COMING: Duration = Duration::from_secs(2);

/// `POST /webhooks/contacts`. Never 429: that would let the sender send it again, for more than an hour.
pub async fn contacts(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    let Some(events) = app.events() else {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::warn!("an event was sent, and GATEWAY_WEBHOOK_KEYS names no key: none is taken"));
        return refuse(StatusCode::NOT_FOUND, "No events are taken here: GATEWAY_WEBHOOK_KEYS is not set.");
    };
    let signed = Signed { current: only(&headers, "x-ghl-signature"), legacy: only(&headers, "x-wh-signature") };
    // Nobody's bytes have room before there is a signature that they may have.
    let body = match signed.is_there() {
        true => match read(&app, events, body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        },
        false => Bytes::new(),
    };
    match events.hear(&body, signed).await {
        Heard::Taken | Heard::Seen | Heard::Late => StatusCode::OK.into_response(),
        Heard::Unsigned => refuse(StatusCode::UNAUTHORIZED, "The body is not signed by a key that is known here."),
        Heard::Lost => refuse(StatusCode::SERVICE_UNAVAILABLE, "The event could not be written down."),
    }
}

async fn read(app: &App, events: &Events, body: Body) -> Result<Bytes, Response> {
    let Ok(_room) = timeout(LONGEST, events.room()).await else {
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "Too many bodies are on their way."));
    };
    read::body(body, app.body_limit(), Instant::now() + COMING)
        .await
        .map_err(|(status, why)| refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &why.message))
}

/// The value of a header that was sent once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
