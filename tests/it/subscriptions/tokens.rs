//! Who may watch: what is presented, with which scope, and what happens when it is good no more.

use contacts_gateway::clock::Clock;
use tempfile::NamedTempFile;

use super::*;
use crate::callers::{READ, WRITE, row};

async fn with_keys(rows: &[String]) -> (Stage, NamedTempFile) {
    let keys = NamedTempFile::new().expect("a file");
    std::fs::write(keys.path(), rows.concat()).expect("a file that can be written");
    let stage = still(&[("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))]).await;
    (stage, keys)
}

fn bearer(key: &str) -> Value {
    json!({ "authorization": format!("Bearer {key}") })
}

#[tokio::test]
async fn a_key_comes_in_the_parameters_or_in_the_header_and_a_bad_one_closes_the_socket() {
    let (stage, _keys) = with_keys(&[row("good", &[READ], None, ""), row("other", &[READ], None, "")]).await;
    Socket::ready(&stage, bearer("good")).await;
    Socket::ready(&stage, json!({ "Authorization": "bearer good" })).await;
    let by_header = async |header: &str, params: Value| {
        let (socket, _) = open(&stage, &[PROTOCOL, ("authorization", header)]).await.expect("a socket");
        let mut socket = Socket(socket);
        socket.say(json!({ "type": "connection_init", "payload": params })).await;
        socket
    };
    assert_eq!(by_header("Bearer good", json!(null)).await.hear().await["type"], "connection_ack");
    assert_eq!(by_header("Bearer bad", bearer("good")).await.hear().await["type"], "connection_ack");
    assert_eq!(by_header("Bearer good", bearer("bad")).await.closed().await.0, 4403);
    for params in
        [json!(null), json!({}), bearer("bad"), json!({ "authorization": 5 }), json!({ "authorization": "good\n" })]
    {
        let mut socket = Socket::silent(&stage).await;
        socket.say(json!({ "type": "connection_init", "payload": params })).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4403, "{params}");
        assert!(!reason.contains("bad"), "{reason}");
    }
}

#[tokio::test]
async fn who_may_not_read_is_told_which_scope_is_missing() {
    let (stage, _keys) = with_keys(&[row("writer", &[WRITE], None, "")]).await;
    let mut socket = Socket::ready(&stage, bearer("writer")).await;
    for (query, variables) in [(ALL, json!({})), (ONE, json!({ "id": DEMO_CONTACT }))] {
        socket.ask("1", query, variables).await;
        let message = socket.hear().await;
        assert_eq!(error_of(&message, "1"), "FORBIDDEN");
        assert_eq!(message["payload"][0]["extensions"]["missingScopes"], json!([READ]));
    }
    assert!(!stage.app.changes().are_watched());
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_location_that_the_caller_may_not_use_closes_the_socket() {
    let (stage, _keys) = with_keys(&[row("good", &[READ], None, "")]).await;
    let mut socket = Socket::silent(&stage).await;
    let params = json!({ "authorization": "Bearer good", "x-location-id": "LOC_elsewhere" });
    socket.say(json!({ "type": "connection_init", "payload": params })).await;
    assert_eq!(socket.closed().await.0, 4403);
}

#[tokio::test]
async fn a_socket_and_a_stream_end_when_their_key_does() {
    let now = jiff::Timestamp::try_from(Clock::default().wall()).expect("a time");
    let soon = now + jiff::SignedDuration::from_secs(60);
    let expires = format!("expires = {soon:.0}");
    let (stage, _keys) = with_keys(&[row("good", &[READ], None, &expires), row("always", &[READ], None, "")]).await;
    let mut socket = Socket::ready(&stage, bearer("good")).await;
    socket.subscribe(&stage, "1", ALL, json!({})).await;
    let mut stream = events::Stream::with_key(&stage, "good", ALL).await;
    let mut stays = Socket::ready(&stage, bearer("always")).await;
    stays.subscribe(&stage, "1", ALL, json!({})).await;
    // It is looked at more than once before its time is over.
    pass(Duration::from_secs(40)).await;
    stage.update(DEMO_CONTACT);
    socket.told("1").await;
    // By then its answer to the ping was read.
    socket.heard_nothing().await;
    stays.told("1").await;
    stays.heard_nothing().await;
    stage.clock.advance(Duration::from_secs(61));
    pass(Duration::from_secs(40)).await;
    assert_eq!(socket.closed().await, (4403, "The key has expired.".to_owned()));
    assert_eq!(stream.event().await.expect("the change").0, "next");
    assert_eq!(stream.event().await, None);
    stage.update(DEMO_CONTACT);
    stays.told("1").await;
}

#[tokio::test]
async fn a_key_that_is_taken_out_of_its_file_or_may_less_than_before_closes_its_sockets() {
    let rows = [row("gone", &[READ], None, ""), row("less", &[READ, WRITE], None, ""), row("same", &[READ], None, "")];
    let (stage, keys) = with_keys(&rows).await;
    let mut sockets = Vec::new();
    for key in ["gone", "less", "same"] {
        sockets.push(Socket::ready(&stage, bearer(key)).await);
    }
    let rows = [row("less", &[READ], None, ""), row("same", &[READ], None, "")];
    std::fs::write(keys.path(), rows.concat()).expect("a file that can be written");
    pass(Duration::from_secs(2)).await;
    // Whoever comes first after a second lets the file be read again.
    assert_eq!(stage.ask_as("same", None, "{ __typename }", json!({})).await.0, 200);
    pass(Duration::from_secs(38)).await;
    assert_eq!(sockets[0].closed().await, (4403, "This gateway does not know the key.".to_owned()));
    assert_eq!(sockets[1].closed().await.0, 4403);
    sockets[2].heard_nothing().await;
}
