//! `graphql-sse`: an operation for each connection, its answers as events.

use contacts_gateway::sandbox::Fault;
use reqwest::Response;

use super::*;
use crate::callers::{READ, row};

/// A client's side of an event stream.
pub struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    pub async fn open(stage: &Stage, query: &str, variables: Value) -> Self {
        let body = json!({ "query": query, "variables": variables });
        Self::of(stage, stage.post().json(&body)).await
    }

    pub async fn open_at(url: &str, stage: &Stage, query: &str) -> Self {
        let request = reqwest::Client::new().post(format!("{url}/graphql")).json(&json!({ "query": query }));
        Self::of(stage, request).await
    }

    pub async fn with_key(stage: &Stage, key: &str, query: &str) -> Self {
        Self::of(stage, stage.post().bearer_auth(key).json(&json!({ "query": query }))).await
    }

    async fn of(stage: &Stage, request: reqwest::RequestBuilder) -> Self {
        let open = stage.metric("gateway_sockets{transport=\"event_stream\"} ").await;
        let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!((response.status().as_u16(), content_type(&response)), (200, "text/event-stream; charset=utf-8"));
        until(stage, "gateway_sockets{transport=\"event_stream\"} ", open + 1).await;
        Self { response, text: String::new() }
    }

    /// The next event with its data; `None` at the end. Comments are passed over.
    pub async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = event.strip_prefix("event: ") {
                    let (name, data) = event.split_once("\ndata:").expect("data");
                    return Some((name.to_owned(), serde_json::from_str(data).unwrap_or_default()));
                }
                assert_eq!(event, ":");
            }
            let chunk = timeout(LONG, self.response.chunk()).await.expect("something in time").ok()??;
            self.text += std::str::from_utf8(&chunk).expect("text");
        }
    }

    async fn told(&mut self) -> Value {
        let (name, mut data) = self.event().await.expect("an event");
        assert_eq!((name.as_str(), data.get("errors")), ("next", None), "{data}");
        data["data"].as_object_mut().expect("data").values_mut().next().expect("a field").take()
    }
}

fn content_type(response: &Response) -> &str {
    response.headers()["content-type"].to_str().expect("text")
}

/// All events of an operation that ends.
async fn all(request: reqwest::RequestBuilder) -> Vec<(String, Value)> {
    let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), content_type(&response)), (200, "text/event-stream; charset=utf-8"));
    let mut stream = Stream { response, text: String::new() };
    let mut events = Vec::new();
    while let Some(event) = stream.event().await {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn changes_are_events_and_streams_and_sockets_share_what_they_cost() {
    let stage = still(&[]).await;
    let variables = json!({ "id": DEMO_CONTACT });
    let mut stream = Stream::open(&stage, ONE, variables.clone()).await;
    let mut socket = Socket::watching(&stage, ONE, variables.clone()).await;
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", ONE)
        .append_pair("variables", &variables.to_string())
        .finish();
    let mut by_get = Stream::of(&stage, stage.get(&format!("/graphql?{query}"))).await;
    stage.calls();
    stage.rename("Amy");
    stage.update(DEMO_CONTACT);
    let told = stream.told().await;
    assert_eq!(told["contact"]["name"], "Amy Changed");
    assert_eq!(by_get.told().await, told);
    assert_eq!(socket.told("1").await, told);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    drop((stream, by_get));
    until(&stage, "gateway_sockets{transport=\"event_stream\"} ", 0).await;
    until(&stage, "gateway_subscriptions ", 1).await;
}

#[tokio::test]
async fn other_operations_are_one_event_and_the_end() {
    let stage = still(&[]).await;
    let body =
        json!({ "query": "query N($id: ID!) { contact(id: $id) { name } }", "variables": { "id": DEMO_CONTACT } });
    let answer = json!({ "data": { "contact": { "name": "Amara Lindqvist" } } });
    let want = [("next".to_owned(), answer), ("complete".to_owned(), Value::Null)];
    assert_eq!(all(stage.post().json(&body)).await, want);
    let events =
        all(stage.post().json(&json!({ "query": ADD_TAG, "variables": { "id": DEMO_CONTACT, "tag": "new" } }))).await;
    assert_eq!(events[0].1["data"]["addContactTags"]["contact"]["id"], DEMO_CONTACT);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1), (ADD_TAGS, 1)]));
    until(&stage, "gateway_sockets{transport=\"event_stream\"} ", 0).await;
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_is_told_in_the_stream() {
    let stage = still(&[]).await;
    let rows = [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { contactChanged(id: \"a/b\") { kind } }", "BAD_USER_INPUT"),
    ];
    for (query, code) in rows {
        let events = all(stage.post().json(&json!({ "query": query }))).await;
        let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["next", "complete"], "{query}");
        assert_eq!(errors(&events[0].1)[0].1, code, "{query}");
    }
    // By GET nothing is changed.
    let query: String =
        form_urlencoded::byte_serialize("mutation { deleteContact(input: { id: \"a\" }) { deletedId } }".as_bytes())
            .collect();
    let events = all(stage.get(&format!("/graphql?query={query}"))).await;
    assert_eq!(errors(&events[0].1), one_error("", "BAD_USER_INPUT"));
    assert_eq!(stage.calls(), BTreeMap::new());
    // What is no request is told in the way of HTTP.
    let answer = stage
        .post()
        .header("accept", "text/event-stream")
        .json(&json!({ "query": 1 }))
        .send()
        .await
        .expect("an answer");
    assert_eq!((answer.status().as_u16(), content_type(&answer)), (400, "application/json; charset=utf-8"));
}

#[tokio::test]
async fn who_has_no_good_key_is_refused_before_there_is_a_stream() {
    let keys = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keys.path(), row("good", &[READ], None, "")).expect("a file that can be written");
    let stage = still(&[("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))]).await;
    let request = stage.post().header("accept", "text/event-stream").bearer_auth("bad").json(&json!({ "query": ALL }));
    let answer = request.send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), content_type(&answer)), (401, "application/json; charset=utf-8"));
    let mut stream = Stream::with_key(&stage, "good", ALL).await;
    stage.update(DEMO_CONTACT);
    stream.told().await;
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_also_while_an_answer_is_made() {
    let stage = still(&[("UPSTREAM_RETRIES", "0")]).await;
    let mut stream = Stream::open(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    let first = stream.response.chunk().await.expect("a chunk");
    assert_eq!(first.as_deref(), Some(&b":\n\n"[..]));
    for _ in 0..2 {
        pass(Duration::from_secs(16)).await;
        assert_eq!(stream.response.chunk().await.expect("a chunk").as_deref(), Some(&b":\n\n"[..]));
    }
    stage.sandbox.fault(Fault::on(CONTACT).status(503).times(1));
    stage.update(DEMO_CONTACT);
    let (name, answer) = stream.event().await.expect("an event");
    assert_eq!(name, "next");
    assert_eq!(errors(&answer), one_error("contactChanged.contact", "UPSTREAM_UNAVAILABLE"));
}
