//! How a gateway ends: what is in progress is answered, who is connected is answered meanwhile, and nobody is waited for who asks nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contacts_gateway::sandbox::DEMO_CONTACT;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::support::*;

/// A gateway that is told to end.
struct Ending {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Ending {
    async fn of(stage: &Stage) -> Self {
        Self::at(stage, local().await)
    }

    fn at(stage: &Stage, listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(contacts_gateway::http::serve(stage.app.clone(), listener, async move {
            let _ = stopped.await;
        }));
        Self { address, stop, server }
    }
}

/// Longer than anything takes here, and shorter than the time that a request has.
const LONG: Duration = Duration::from_secs(20);

/// A connection that had an answer, and is kept open.
async fn kept_open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        .await
        .expect("a connection that takes it");
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"live\"}") {
        assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
    }
    assert!(!String::from_utf8_lossy(&answer).contains("connection: close"));
    stream
}

/// What is answered until the connection is closed.
async fn last_answer(mut stream: TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("a connection that takes it");
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    answer
}

#[tokio::test]
async fn who_is_connected_is_answered_as_long_as_a_request_is_in_progress() {
    let stage = Stage::new().await;
    let Ending { address, stop, server } = Ending::of(&stage).await;
    let (probe, asks, mut silent) = (kept_open(address).await, kept_open(address).await, kept_open(address).await);
    let over_http2 = Client::builder().http2_prior_knowledge().build().expect("a client");
    let ready = || over_http2.get(format!("http://{address}/health/ready")).send();
    assert_eq!(ready().await.expect("an answer").status(), 200);
    let hold = stage.sandbox.hold(NOTES);
    let body = json!({ "query": PROFILE, "variables": { "id": DEMO_CONTACT } });
    let ask = tokio::spawn(Client::new().post(format!("http://{address}/graphql")).json(&body).send());
    hold.arrived(1).await;
    stop.send(()).expect("a server that waits for it");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let answer = last_answer(probe, "GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"status":"not ready","why":"draining"}"#), "{answer}");
    let request =
        "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n";
    let answer = last_answer(asks, &format!(r#"{request}{{"query":"{{ __typename }}"}}"#)).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"data":{"__typename":"Query"}}"#), "{answer}");
    for _ in 0..2 {
        assert_eq!(ready().await.expect("an answer").status(), 503);
    }
    assert!(silent.try_read(&mut [0; 1]).is_err_and(|why| why.kind() == ErrorKind::WouldBlock), "it is open");
    hold.release();
    let answer = ask.await.expect("no panic").expect("an answer");
    assert_eq!(answer.headers()["connection"], "close");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["data"]["contact"]["notes"].as_array().map(Vec::len), Some(3));
    assert_eq!(timeout(LONG, silent.read(&mut [0; 1])).await.expect("an end").expect("an end without an error"), 0);
    timeout(LONG, server).await.expect("an end").expect("no panic").expect("an end without an error");
    assert!(ready().await.is_err());
}

#[tokio::test]
async fn who_asks_nothing_is_not_waited_for() {
    let stage = Stage::new().await;
    let Ending { address, stop, server } = Ending::of(&stage).await;
    let mut silent = kept_open(address).await;
    let over_http2 = Client::builder().http2_prior_knowledge().build().expect("a client");
    let live = over_http2.get(format!("http://{address}/health/live")).send().await.expect("an answer");
    assert_eq!(live.status(), 200);
    stop.send(()).expect("a server that waits for it");
    timeout(LONG, server).await.expect("an end").expect("no panic").expect("an end without an error");
    assert_eq!(silent.read(&mut [0; 1]).await.expect("an end without an error"), 0);
}

#[tokio::test]
async fn half_a_request_does_not_keep_the_gateway_from_ending() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "200ms")]).await;
    let Ending { address, stop, server } = Ending::of(&stage).await;
    let mut half = TcpStream::connect(address).await.expect("a connection");
    half.write_all(b"GET /he").await.expect("a connection that takes it");
    stop.send(()).expect("a server that waits for it");
    server.await.expect("no panic").expect("an end without an error");
}

/// As in a rolling restart: who connects when the gateway ends is answered, or finds nobody who listens, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_when_the_gateway_ends() {
    let stage = Arc::new(Stage::new().await);
    stage.profile().await;
    let (told, address) = (Arc::new(AtomicBool::new(false)), local().await.local_addr().expect("an address"));
    let body = json!({ "query": PROFILE, "variables": { "id": DEMO_CONTACT } }).to_string();
    // Each request by a connection of its own; one that is refused was not sent.
    let caller = |told: Arc<AtomicBool>, body: String| async move {
        let (mut answered, mut lost) = (0, Vec::new());
        while !told.load(Ordering::Relaxed) {
            let client = Client::builder().pool_max_idle_per_host(0).build().expect("a client");
            let request = client.post(format!("http://{address}/graphql")).header("content-type", "application/json");
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status() == 200 => answered += usize::from(answer.bytes().await.is_ok()),
                Ok(answer) => lost.push(answer.status().to_string()),
                Err(why) if why.is_connect() => tokio::task::yield_now().await,
                Err(why) => lost.push(format!("{why:?}")),
            }
        }
        (answered, lost)
    };
    let callers: Vec<_> = (0..6).map(|_| tokio::spawn(caller(told.clone(), body.clone()))).collect();
    for _ in 0..5 {
        let listener = TcpListener::bind(address).await.expect("the address that the last one had");
        let Ending { stop, server, .. } = Ending::at(&stage, listener);
        let before = kept(&stage).await;
        while kept(&stage).await < before + 20 {
            tokio::task::yield_now().await;
        }
        stop.send(()).expect("a server that waits for it");
        server.await.expect("no panic").expect("an end without an error");
    }
    told.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for caller in callers {
        let (some, lost) = caller.await.expect("no panic");
        assert_eq!(lost, Vec::<String>::new());
        answered += some;
    }
    assert!(answered >= 100, "{answered}");
}

async fn kept(stage: &Stage) -> u64 {
    stage.metric("gateway_answers_total{outcome=\"kept\"}").await
}
