//! Around everything that is served: gives every request an id, answers it should the code that does so panic, and
//! writes a line when it is answered.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use pin_project_lite::pin_project;
use tower::Service;
use tracing::Level;

use super::graphql::refuse;
use super::negotiate::Media;
use crate::graph::Error;
use crate::traces::TraceId;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is answered is what it is said to be, whatever it may look like.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Longest id of a caller that is taken over.
const LONGEST: usize = 64;

/// The id of a request: in its answer's header, in each of its errors, and in its log lines.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own id, or a new one. Who takes one for a request puts it into the answer.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::given(headers).unwrap_or_else(Self::new)
    }

    /// The answer with this id.
    pub fn put(self, mut response: Response) -> Response {
        response.headers_mut().insert(X_REQUEST_ID, self.0);
        response
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        // Only made of visible ASCII.
        self.0.to_str().unwrap_or_default()
    }

    /// The caller's own id, if it is a plain one.
    fn given(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(X_REQUEST_ID)?;
        let mark = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let plain = (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(mark);
        plain.then(|| Self(id.clone()))
    }

    fn new() -> Self {
        let mut number = fastrand::u128(..);
        let id: [u8; 32] = std::array::from_fn(|_| {
            let digit = b"0123456789abcdef"[(number & 15) as usize];
            number >>= 4;
            digit
        });
        Self(HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("-")))
    }
}

/// The routes, with what every request gets.
#[derive(Clone)]
pub struct Tracked(pub Router);

impl Service<Request> for Tracked {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router always is.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let began = Instant::now();
        let given = RequestId::given(request.headers());
        let line = Line { given, method: request.method().clone(), uri: request.uri().clone(), began };
        Answering { inner: self.0.call(request), line }
    }
}

struct Line {
    given: Option<RequestId>,
    method: Method,
    uri: Uri,
    began: Instant,
}

impl Line {
    /// One for each refused or failed request, and for every other one when somebody looks closer: a line for each
    /// answer would cost more than the answer. Those that there is no room for are many at once, and counted.
    fn write(&self, response: &Response) {
        let (status, headers) = (response.status(), response.headers());
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request_id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default(),
                    method = %self.method,
                    path = self.uri.path(),
                    status = status.as_u16(),
                    trace_id = response.extensions().get::<TraceId>().map(tracing::field::display),
                    duration_ms = self.began.elapsed().as_secs_f64() * 1000.0,
                    "answered"
                )
            };
        }
        if status.is_server_error() && !headers.contains_key(RETRY_AFTER) {
            line!(Level::WARN);
        } else if status.is_client_error() {
            line!(Level::INFO);
        } else {
            line!(Level::DEBUG);
        }
    }
}

pin_project! {
    /// A request that is being answered.
    pub struct Answering {
        #[pin]
        inner: RouteFuture<Infallible>,
        line: Line,
    }
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut new = || this.line.given.take().unwrap_or_else(RequestId::new);
        // Unwinding further would take the other requests of the connection along.
        let mut response = match catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
            Ok(answered) => ready!(answered)?,
            Err(_) => {
                let id = new();
                id.clone().put(refuse(Media::Json, (500, Error::internal()), &id))
            }
        };
        let headers = response.headers_mut();
        headers.entry(X_REQUEST_ID).or_insert_with(|| new().0);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        this.line.write(&response);
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_answer_to_its_request_and_to_no_other() {
        let fails = get(|| async {
            tokio::task::yield_now().await;
            if true {
                panic!("a secret of the code");
            }
        });
        let gateway = Tracked(Router::new().route("/fails", fails).route("/holds", get(|| async { "held" })));
        let ask = |path: &str| gateway.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
        let (failed, held) = tokio::join!(ask("/fails"), ask("/holds"));
        let (failed, Ok(held)) = (failed.unwrap(), held);
        assert_eq!((failed.status(), held.status()), (StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK));
        let id = failed.headers()[X_REQUEST_ID].to_str().unwrap().to_owned();
        let body = String::from_utf8(to_bytes(failed.into_body(), 1024).await.unwrap().into()).unwrap();
        assert!(body.contains("\"INTERNAL\"") && body.contains(&id) && !body.contains("secret"), "{body}");
        assert_eq!(held.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
