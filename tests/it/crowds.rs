//! More requests than `GATEWAY_MAX_IN_PROGRESS` allows: who is answered, who is refused, and what goes on meanwhile.

use contacts_gateway::sandbox::DEMO_CONTACT;
use futures_util::future::join_all;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::support::*;

const NAME: &str = "query Name($id: ID!) { contact(id: $id) { name } }";

async fn crowd(most: &str) -> Stage {
    Stage::set(&[("MAX_IN_PROGRESS", most)]).await
}

fn name_of(stage: &Stage, id: &str) -> RequestBuilder {
    stage.post().json(&json!({ "query": NAME, "variables": { "id": id } }))
}

fn send(request: RequestBuilder) -> JoinHandle<Response> {
    tokio::spawn(async { request.send().await.expect("an answer") })
}

/// The answer has to be a refusal that tells when to come again.
async fn refused(answer: Response) {
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(errors(&body), one_error("", "RATE_LIMITED"));
    assert_eq!(body["errors"][0]["extensions"]["retryAfterMs"], 1000);
    assert!(body.get("data").is_none());
}

#[tokio::test]
async fn who_is_too_many_is_refused_and_nobody_is_lost() {
    let stage = crowd("2").await;
    let ids = stage.ids();
    let hold = stage.sandbox.hold(CONTACT);
    let held: Vec<_> = ids[..2].iter().map(|id| send(name_of(&stage, id))).collect();
    hold.arrived(2).await;
    // Two of them wait for a place in vain, the others find the queue full.
    let more = join_all(ids[2..9].iter().map(|id| send(name_of(&stage, id)))).await;
    for answer in more {
        refused(answer.expect("no panic")).await;
    }
    assert_eq!(stage.metric("gateway_refused_total{guard=\"in_progress\"}").await, 7);
    assert_eq!(stage.metric("gateway_requests_waiting").await, 0);
    hold.release();
    for answer in join_all(held).await {
        let body: Value = answer.expect("no panic").json().await.expect("JSON");
        assert!(body["data"]["contact"]["name"].is_string(), "{body}");
    }
    assert_eq!(stage.calls(), [(CONTACT, 2)].into());
    for id in &ids[2..9] {
        assert_eq!(name_of(&stage, id).send().await.expect("an answer").status(), 200);
    }
    assert_eq!(stage.calls(), [(CONTACT, 7)].into());
}

#[tokio::test]
async fn in_a_crowd_everything_that_needs_no_place_is_answered() {
    let stage = crowd("1").await;
    let known = stage.profile().await;
    let by_get = format!("/graphql?query={{contact(id:\"{DEMO_CONTACT}\"){{name}}}}");
    assert_eq!(stage.get(&by_get).send().await.expect("an answer").status(), 200);
    let ids = stage.ids();
    let hold = stage.sandbox.hold(CONTACT);
    stage.calls();
    let held = send(name_of(&stage, &ids[1]));
    hold.arrived(1).await;
    let waits = send(name_of(&stage, &ids[2]));
    for path in ["/health/live", "/health/ready", "/metrics", "/schema.graphql", "/", &by_get] {
        assert_eq!(stage.get(path).send().await.expect("an answer").status(), 200, "{path}");
    }
    // An answer that is kept costs next to nothing.
    assert_eq!(stage.profile().await, known);
    // Nor has who may not ask at all to wait to be told so.
    let nobody = name_of(&stage, &ids[3]).header("x-location-id", "elsewhere").send().await.expect("an answer");
    assert_eq!(nobody.status(), 403);
    refused(waits.await.expect("no panic")).await;
    for media in ["application/json", "application/graphql-response+json"] {
        let answer = name_of(&stage, &ids[2]).header("accept", media).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], format!("{media}; charset=utf-8"));
        refused(answer).await;
    }
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
    hold.release();
    assert_eq!(held.await.expect("no panic").status(), 200);
}

/// A request on a connection of its own, of which so much is sent.
async fn open(stage: &Stage, body: &str, sent: usize) -> TcpStream {
    let address = stage.url.strip_prefix("http://").expect("plain HTTP");
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let length = body.len();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("a connection that takes it");
    connection.write_all(&body.as_bytes()[..sent]).await.expect("a connection that takes it");
    connection
}

/// What comes back up to and with the end of a body of JSON.
async fn read(connection: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"}]}") && !text.ends_with(b"}}}") {
        assert!(connection.read_buf(&mut text).await.expect("no reset") > 0, "{}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn a_place_is_given_back_by_who_hangs_up() {
    let stage = crowd("1").await;
    let ids = stage.ids();
    let hold = stage.sandbox.hold(CONTACT);
    let body = json!({ "query": NAME, "variables": { "id": ids[0] } }).to_string();
    let connection = open(&stage, &body, body.len()).await;
    hold.arrived(1).await;
    assert_eq!(stage.metric("gateway_requests_in_progress").await, 1);
    drop(connection);
    until(&stage, "gateway_requests_in_progress", 0).await;
    hold.release();
    assert_eq!(name_of(&stage, &ids[1]).send().await.expect("an answer").status(), 200);
    assert_eq!(stage.metric("gateway_refused_total{guard=\"in_progress\"}").await, 0);
}

#[tokio::test]
async fn bodies_that_there_is_no_room_for_pass_by_and_their_connections_stay() {
    let stage = crowd("1").await;
    let small = json!({ "query": "{ gateway { version } }" }).to_string();
    // Half a body takes up the room for bodies.
    let mut slow = open(&stage, &small, 10).await;
    until(&stage, "gateway_requests_in_progress", 1).await;
    let large = json!({ "query": "{ gateway { version } }", "variables": { "x": "y".repeat(200_000) } }).to_string();
    let mut connection = open(&stage, &large, large.len()).await;
    let answer = read(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("RATE_LIMITED"), "{answer}");
    slow.write_all(&small.as_bytes()[10..]).await.expect("a connection that takes it");
    assert!(read(&mut slow).await.starts_with("HTTP/1.1 200 "));
    // The refused one may use its connection again.
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        small.len()
    );
    connection.write_all(format!("{head}{small}").as_bytes()).await.expect("a connection that takes it");
    assert!(read(&mut connection).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(stage.metric("gateway_refused_total{guard=\"in_progress\"}").await, 1);
}
