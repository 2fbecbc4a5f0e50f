//! Gives every request an id, and writes a line when it is answered.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id of a caller that is taken over.
const LONGEST: usize = 64;

/// The id of a request: in its answer's header, in each of its errors, and in its log lines.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// As text.
    pub fn as_str(&self) -> &str {
        // Only made of visible ASCII.
        self.0.to_str().unwrap_or_default()
    }

    fn of(request: &Request) -> Self {
        let plain = |id: &HeaderValue| {
            let bytes = id.as_bytes();
            let mark = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(mark)
        };
        match request.headers().get(X_REQUEST_ID).filter(|id| plain(id)) {
            Some(id) => Self(id.clone()),
            None => Self::new(),
        }
    }

    fn new() -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-")))
    }
}

/// The layer around all routes.
pub async fn track(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = RequestId::of(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(request_id = id.as_str(), %method, path, status, duration_ms, "answered");
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    response
}
