//! Answers of the upstream that are larger or deeper than any is: they fail what asked for them, and hold no more memory than an answer may.

use std::convert::Infallible;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderName, StatusCode};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde_json::json;

use super::support::*;

/// So much at most is under way of an answer that nobody reads on.
const ON_THE_WAY: usize = 32 << 20;

#[derive(Clone)]
enum Says {
    /// Blanks, for as long as they are taken.
    Endless(u16),
    Whole(Bytes),
    Compressed(Bytes),
}

#[tokio::test]
async fn an_answer_without_end_or_bottom_is_an_error_and_is_not_held() {
    let (calls, sent) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let says = Arc::new(Mutex::new(Says::Endless(200)));
    let (counts, counted, told) = (calls.clone(), sent.clone(), says.clone());
    let answer = move || {
        counts.fetch_add(1, Ordering::Relaxed);
        let (sent, says) = (counted.clone(), told.lock().unwrap().clone());
        let blanks = move || {
            sent.fetch_add(64 << 10, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(&[b' '; 64 << 10]))
        };
        let plain = [(CONTENT_ENCODING, "identity")];
        let answer: (StatusCode, [(HeaderName, &str); 1], Body) = match says {
            Says::Endless(status) => {
                (StatusCode::from_u16(status).unwrap(), plain, Body::from_stream(stream::repeat_with(blanks)))
            }
            Says::Whole(body) => (StatusCode::OK, plain, body.into()),
            Says::Compressed(body) => (StatusCode::OK, [(CONTENT_ENCODING, "gzip")], body.into()),
        };
        async move { answer }
    };
    let listener = local().await;
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(answer)).await.expect("a server");
    });
    let sandbox = Sandbox::start(Options::default(), local().await);
    let info = sandbox.info().clone();
    let settings = [
        ("UPSTREAM_URL", &*url),
        ("UPSTREAM_RETRIES", "0"),
        ("LOCATION_ID", &info.location_id),
        ("API_KEY", &info.token),
    ];
    let stage = Stage::over(sandbox, &settings, None).await;

    let deep = |open: &str| Bytes::from(format!("{{\"contact\":{}", open.repeat(1 << 17)));
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&vec![b' '; 4 << 20]).expect("memory");
    let bomb = bomb.finish().expect("memory").into();
    for (answers, code) in [
        (Says::Endless(200), "UPSTREAM_BAD_RESPONSE"),
        (Says::Endless(500), "UPSTREAM_UNAVAILABLE"),
        (Says::Whole(deep("[")), "UPSTREAM_BAD_RESPONSE"),
        (Says::Whole(deep("{\"a\":")), "UPSTREAM_BAD_RESPONSE"),
        // Nothing was said of what could be read, and it is not read.
        (Says::Compressed(bomb), "UPSTREAM_BAD_RESPONSE"),
    ] {
        *says.lock().unwrap() = answers;
        let answer = stage.ask("query N($id: ID!) { contact(id: $id) { name } }", json!({ "id": DEMO_CONTACT })).await;
        assert_eq!(errors(&answer), one_error("contact", code));
        assert_eq!(calls.swap(0, Ordering::Relaxed), 1);
        assert!(sent.swap(0, Ordering::Relaxed) < ON_THE_WAY);
    }
    server.abort();
}
