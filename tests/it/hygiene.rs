//! The server among peers that are slow, half-open, greedy, or gone: each loses its own connection, and nobody else's.

use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::*;

/// So long nothing may last that ends by itself.
const LONG: Duration = Duration::from_secs(20);

async fn connect(stage: &Stage) -> TcpStream {
    TcpStream::connect(stage.url.trim_start_matches("http://")).await.expect("a connection")
}

async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("a connection that takes it");
}

/// Everything until the gateway ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // Reset or closed, it has ended.
    let _ = timeout(LONG, stream.read_to_end(&mut all)).await.expect("the gateway ends the connection");
    String::from_utf8_lossy(&all).into_owned()
}

/// The status of one answer on a connection that stays.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LONG, stream.read_u8()).await.expect("an answer").expect("a connection"));
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).await.expect("a body");
    head[9..12].parse().expect("a status")
}

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn who_never_sends_a_request_is_cut_off() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "80ms")]).await;
    let beginnings: [&[u8]; 5] = [
        b"",
        b"G",
        b"GET /health/live HTTP/1.1\r\nhost: x\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for beginning in beginnings {
        let mut half = connect(&stage).await;
        say(&mut half, beginning).await;
        let told = rest(&mut half).await;
        assert!(!told.contains("200"), "{told}");
    }
    // A byte now and then is no request either.
    let mut slow = connect(&stage).await;
    let drip = async {
        while slow.write_all(b"x").await.is_ok() {
            // Others are served between two bytes, so that it is no flood.
            assert_eq!(stage.get("/health/live").send().await.expect("an answer").status(), 200);
        }
    };
    timeout(LONG, drip).await.expect("the gateway ends the connection");
    assert_eq!(stage.get("/health/live").send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed_and_one_that_is_used_is_not() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "400ms")]).await;
    let mut used = connect(&stage).await;
    let mut idle = connect(&stage).await;
    say(&mut idle, LIVE).await;
    assert_eq!(status(&mut idle).await, 200);
    let is_over = std::cell::Cell::new(false);
    let waits = async {
        assert_eq!(rest(&mut idle).await, "");
        is_over.set(true);
    };
    let uses = async {
        while !is_over.get() {
            say(&mut used, LIVE).await;
            assert_eq!(status(&mut used).await, 200);
        }
    };
    tokio::join!(waits, uses);
    say(&mut used, LIVE).await;
    assert_eq!(status(&mut used).await, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_when_its_time_is_over() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "80ms")]).await;
    let mut half = connect(&stage).await;
    say(
        &mut half,
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
    )
    .await;
    let told = rest(&mut half).await;
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("BAD_USER_INPUT"), "{told}");
}

#[tokio::test]
async fn who_hangs_up_in_the_middle_harms_nobody() {
    let stage = Stage::new().await;
    let hold = stage.sandbox.hold(CONTACT);
    let body =
        json!({ "query": "query Q($id: ID!) { contact(id: $id) { id } }", "variables": { "id": stage.ids()[7] } })
            .to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut gone = connect(&stage).await;
    say(&mut gone, format!("{head}{body}").as_bytes()).await;
    hold.arrived(1).await;
    // With what it was sent unread, the peer is told by a reset.
    gone.set_zero_linger().expect("a connection");
    drop(gone);
    let mut part = connect(&stage).await;
    say(&mut part, &head.as_bytes()[..40]).await;
    drop(part);
    hold.release();
    stage.profile().await;
    until(&stage, "gateway_requests_in_progress", 0).await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let stage = Stage::set(&[("HEAD_LIMIT", "16KiB")]).await;
    let many: String = (0..2_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let few: String = (0..90).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let long = "a".repeat(20_000);
    let rows = [
        (format!("GET /health/live HTTP/1.1\r\nhost: x\r\n{few}connection: close\r\n\r\n"), 200),
        (format!("GET /health/live HTTP/1.1\r\nhost: x\r\n{many}\r\n"), 431),
        (format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: {long}\r\n\r\n"), 431),
        (format!("GET /graphql?query={long} HTTP/1.1\r\nhost: x\r\n\r\n"), 431),
        // It never ends.
        (format!("GET /health/live HTTP/1.1\r\nx: {long}"), 431),
    ];
    for (request, status) in rows {
        let mut stream = connect(&stage).await;
        say(&mut stream, request.as_bytes()).await;
        let told = rest(&mut stream).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {told}");
    }
    let client = Client::builder().http2_prior_knowledge().build().expect("a client");
    for (length, status) in [(10_000, 200), (20_000, 431)] {
        let get = client.get(format!("{}/health/live", stage.url)).header("x-a", "a".repeat(length));
        assert_eq!(get.send().await.expect("an answer").status(), status);
    }
}

#[tokio::test]
async fn an_address_has_an_end() {
    let stage = Stage::set(&[("HEAD_LIMIT", "256KiB")]).await;
    let mut stream = connect(&stage).await;
    say(&mut stream, format!("GET /graphql?query={} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)).as_bytes())
        .await;
    let told = rest(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 414 "), "{told}");
}

#[tokio::test]
async fn connections_have_a_bound_and_wait_for_room() {
    let stage = Stage::set(&[("MAX_CONNECTIONS", "2")]).await;
    let (mut first, mut second, mut third) = (connect(&stage).await, connect(&stage).await, connect(&stage).await);
    for stream in [&mut first, &mut second] {
        say(stream, LIVE).await;
        assert_eq!(status(stream).await, 200);
    }
    say(&mut third, LIVE).await;
    let waits = timeout(Duration::from_millis(50), third.read_u8()).await;
    assert!(waits.is_err(), "it is not answered yet");
    drop(first);
    assert_eq!(status(&mut third).await, 200);
}

/// What a request could hide in another is not read as one.
#[tokio::test]
async fn a_request_of_unclear_length_is_the_last_of_its_connection() {
    let stage = Stage::new().await;
    let rows = [
        "content-length: 4\r\ncontent-length: 60\r\n\r\n{}  ",
        "content-length: -1\r\n\r\n",
        "content-length : 0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        // Of these, one is the length for some, and the other for others.
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 60\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ];
    for row in rows {
        let mut stream = connect(&stage).await;
        let hidden = String::from_utf8_lossy(LIVE);
        let post = format!("POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{row}{hidden}");
        say(&mut stream, post.as_bytes()).await;
        stream.shutdown().await.expect("a connection");
        let told = rest(&mut stream).await;
        assert!(!told.contains("200 OK") && !told.contains("live"), "{row}: {told}");
    }
    let mut honest = connect(&stage).await;
    say(&mut honest, &LIVE.repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(status(&mut honest).await, 200);
    }
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn who_begins_and_calls_off_streams_without_end_loses_the_connection() {
    let stage = Stage::new().await;
    let mut attack = connect(&stage).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for stream in (1..8_000).step_by(2) {
        // `GET /` with its end, and the end of it all by CANCEL.
        bytes.extend(frame(1, 5, stream, &[0x82, 0x86, 0x84]));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    // It may be cut off before all of it is sent.
    let _ = attack.write_all(&bytes).await;
    rest(&mut attack).await;
    let client = Client::builder().http2_prior_knowledge().build().expect("a client");
    let honest = client.get(format!("{}/health/live", stage.url)).send().await.expect("an answer");
    assert_eq!((honest.status().as_u16(), honest.version()), (200, reqwest::Version::HTTP_2));
}

/// A body that ends before its end was not sent by who meant it so: it is told to be cut, and nothing of it is done.
#[tokio::test]
async fn a_body_that_breaks_off_is_told_so_and_does_nothing() {
    let stage = Stage::new().await;
    let create = "mutation { createNote(input: { contactId: \"C\", note: \"x\" }) { note { id } } }";
    let body = json!({ "query": create.replace('C', &stage.ids()[0]) }).to_string();
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    let rows = [
        (format!("content-length: {}\r\n\r\n{}", body.len(), &body[..body.len() / 2]), 400),
        // All that it needs came, and not all that was said to come.
        (format!("content-length: {}\r\n\r\n{body}", body.len() + 1), 400),
        (format!("transfer-encoding: chunked\r\n\r\n{}", &chunk[..chunk.len() / 2]), 400),
        (format!("transfer-encoding: chunked\r\n\r\n{chunk}"), 400),
        (format!("transfer-encoding: chunked\r\n\r\n{chunk}no length\r\n"), 400),
        // What is compressed is refused whether or not it can be read.
        ("content-encoding: gzip\r\ncontent-length: 5\r\n\r\n\x1f\u{b}\x08..".to_owned(), 415),
    ];
    for (row, wanted) in &rows {
        for path in ["/graphql", "/operations/None"] {
            let mut half = connect(&stage).await;
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n");
            say(&mut half, format!("{head}{row}").as_bytes()).await;
            // Who has sent all and ends its side is taken to have gone.
            if *wanted == 400 {
                half.shutdown().await.expect("a connection");
            }
            let told = rest(&mut half).await;
            assert!(
                told.starts_with(&format!("HTTP/1.1 {wanted} ")) && told.contains("BAD_USER_INPUT"),
                "{row}: {told}"
            );
            assert!(*wanted != 400 || told.contains("broke off"), "{row}: {told}");
        }
    }
    assert_eq!(stage.calls(), [].into());
    assert_eq!(stage.metric("gateway_refused_total{guard=\"bytes\"}").await, 0);
    until(&stage, "gateway_requests_in_progress", 0).await;
}
