//! Answers that are ready, with what tells a caller's own cache how long they are good, and 304 for those who have them.

use std::time::Instant;

use axum::body::Body;
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::negotiate::Media;
use crate::operation::{Ready, Way};

/// The request headers that an answer depends on, beside what is asked.
const VARIES: HeaderValue = HeaderValue::from_static("accept, authorization, x-location-id");

/// The answer as it goes out. Only who asks by GET can have it already: other methods do not ask whether it changed.
pub fn send(ready: &Ready, way: Way, media: Media, asked: &HeaderMap, now: Instant) -> Response {
    let mut response = Response::new(Body::empty());
    let mut unchanged = false;
    let headers = response.headers_mut();
    // With those that every answer gets.
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, media.content_type());
    headers.insert(CACHE_CONTROL, ready.cache_control().clone());
    if ready.is_kept() {
        headers.insert(VARY, VARIES);
        headers.insert(AGE, HeaderValue::from(ready.age(now).as_secs()));
        if way != Way::Post {
            headers.insert(ETAG, ready.etag().clone());
            unchanged = has(asked, ready.etag());
        }
    }
    match unchanged {
        true => *response.status_mut() = StatusCode::NOT_MODIFIED,
        false => *response.body_mut() = Body::from(ready.body.clone()),
    }
    response
}

/// Whether the caller has an answer with this entity tag.
fn has(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',').map(str::trim))
        // Weak or not makes no difference to whether an answer has to be sent.
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}
