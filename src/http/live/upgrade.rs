//! `GET /graphql` upgraded: whether a request becomes a WebSocket.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::{HOST, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_KEY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::socket;
use crate::app::App;
use crate::graph::{Code, Error};
use crate::http::graphql::{RETRY, refuse};
use crate::http::negotiate::Media;
use crate::http::pages::refuse_strangers;
use crate::http::track::RequestId;

/// The protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// Largest message of a client.
const MOST_BYTES: usize = 64 << 10;

/// Clients send little, and idle sockets are many.
const BUFFER: usize = 4 << 10;

/// Whether a request asks for a WebSocket. Few headers are looked through faster than one is looked up.
pub fn is_asked(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, _)| name == SEC_WEBSOCKET_KEY)
}

/// Makes a WebSocket of a request, if that may be.
pub async fn upgrade(app: Arc<App>, mut parts: Parts, id: RequestId) -> Response {
    let refuse = |status, error| refuse(Media::Json, (status, error), &id);
    // The messages that follow have no headers that could tell.
    if app.is_open()
        && let Err((status, why)) = refuse_strangers(&app, &parts.headers)
    {
        return refuse(status, why);
    }
    if !may_come_from_there(&app, &parts.headers) {
        let message = "Pages of this origin may not use the gateway: GATEWAY_CORS_ORIGINS has to name it.";
        return refuse(403, Error::new(Code::Forbidden, message));
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]),
        Err(refused) => return refused.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        return refuse(400, Error::bad_input(format!("Ask for the subprotocol {PROTOCOL}: no other is spoken here.")));
    }
    let Some(room) = app.live().room() else {
        app.metrics().refused("sockets");
        let mut response = refuse(503, Error::crowded(RETRY));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
        return response;
    };
    let upgrade = upgrade.max_message_size(MOST_BYTES).max_frame_size(MOST_BYTES);
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    upgrade.on_upgrade(move |socket| socket::serve(socket, app, parts.headers, id, room))
}

/// Browsers say where a page comes from, and send no cookie or token of ours by themselves; but a gateway that is open to whoever
/// reaches it would be open to every page that such a person looks at.
fn may_come_from_there(app: &App, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").zip(host).is_some_and(|((_, named), host)| named.eq_ignore_ascii_case(host));
    own || app.admits(origin)
}
