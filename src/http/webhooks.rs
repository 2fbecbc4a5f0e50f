//! `/webhooks/contacts`: the upstream tells of a change. It is answered once that is written down, and before anything is done.

use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::read;
use crate::app::App;
use crate::events::{Heard, Signed};

/// Most time for a body to come: whoever sends events sends them at once.
const LONGEST: Duration = Duration::from_secs(10);

/// `POST /webhooks/contacts`. Never 429: that would let the sender send it again, for more than an hour.
pub async fn contacts(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    let Some(events) = app.events() else {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::warn!("an event was sent, and GATEWAY_WEBHOOK_KEYS names no key: none is taken"));
        return refuse(StatusCode::NOT_FOUND, "No events are taken here: GATEWAY_WEBHOOK_KEYS is not set.");
    };
    let deadline = Instant::now() + LONGEST;
    let room = timeout_at(deadline, events.room()).await;
    let body = match read::body(body, app.body_limit(), deadline).await {
        Ok(body) => body,
        Err((status, why)) => {
            return refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &why.message);
        }
    };
    drop(room);
    let signed = Signed { current: only(&headers, "x-ghl-signature"), legacy: only(&headers, "x-wh-signature") };
    match events.hear(&body, signed).await {
        Heard::Taken | Heard::Seen | Heard::Late => StatusCode::OK.into_response(),
        Heard::Unsigned => refuse(StatusCode::UNAUTHORIZED, "The body is not signed by a key that is known here."),
        Heard::Lost => refuse(StatusCode::SERVICE_UNAVAILABLE, "The event could not be written down."),
    }
}

/// The value of a header that was sent once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
