//! `graphql-transport-ws`: the handshake, the messages, and each close code.

use super::*;
use tokio_tungstenite::tungstenite::Error;

/// The HTTP status and the error's code of a request that did not become a socket.
fn refused(opened: Opened) -> (u16, String) {
    let Err(Error::Http(response)) = opened else { panic!("{opened:?}") };
    let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
    (response.status().as_u16(), body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_socket_needs_its_subprotocol_and_a_page_of_an_origin_that_may() {
    let stage = still(&[("CORS_ORIGINS", "https://crm.example, http://localhost:3000")]).await;
    assert_eq!(refused(open(&stage, &[]).await), (400, "BAD_USER_INPUT".to_owned()));
    let old = ("sec-websocket-protocol", "graphql-ws");
    assert_eq!(refused(open(&stage, &[old]).await), (400, "BAD_USER_INPUT".to_owned()));
    let own = stage.url.clone();
    for origin in ["https://crm.example", "http://localhost:3000", &own] {
        assert!(open(&stage, &[PROTOCOL, ("origin", origin)]).await.is_ok(), "{origin}");
    }
    for origin in ["https://evil.example", "null", "http://localhost:3001", "https://crm.example.evil.example", ""] {
        let refused = refused(open(&stage, &[PROTOCOL, ("origin", origin)]).await);
        assert_eq!(refused, (403, "FORBIDDEN".to_owned()), "{origin}");
    }
    let both = ("sec-websocket-protocol", "graphql-ws, graphql-transport-ws");
    let (_, response) = open(&stage, &[both]).await.expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
}

#[tokio::test]
async fn each_mistake_has_its_close_code() {
    let stage = still(&[]).await;
    let init = json!({ "type": "connection_init" });
    let sub = json!({ "id": "1", "type": "subscribe", "payload": { "query": ALL } });
    let rows = [
        (4401, vec![sub.to_string()]),
        (4400, vec![init.to_string(), "}{".to_owned()]),
        (4400, vec![init.to_string(), r#"{"type":"sing"}"#.to_owned()]),
        (4400, vec![init.to_string(), r#"{"id":"1","type":"subscribe","payload":{"query":1}}"#.to_owned()]),
        (4400, vec![init.to_string(), r#"{"type":"subscribe","payload":{"query":"{a}"}}"#.to_owned()]),
        (4400, vec![r#"{"type":"connection_init","payload":"text"}"#.to_owned()]),
        (4409, vec![init.to_string(), sub.to_string(), sub.to_string()]),
        (4429, vec![init.to_string(), init.to_string()]),
    ];
    for (code, said) in rows {
        let mut socket = Socket::silent(&stage).await;
        for text in &said {
            socket.send(Message::text(text.clone())).await;
        }
        assert_eq!(socket.closed().await.0, code, "{said:?}");
    }
    let mut socket = Socket::ready(&stage, json!({})).await;
    socket.send(Message::binary(b"binary".to_vec())).await;
    assert_eq!(socket.closed().await.0, 4400);
    until(&stage, "gateway_sockets{transport=\"websocket\"} ", 0).await;
    assert_eq!(stage.metric("gateway_subscriptions ").await, 0);
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_the_socket() {
    let stage = still(&[]).await;
    let text = |length: usize| {
        let bare = json!({ "type": "ping", "payload": { "x": "" } }).to_string();
        json!({ "type": "ping", "payload": { "x": "x".repeat(length - bare.len()) } }).to_string()
    };
    let mut socket = Socket::ready(&stage, json!({})).await;
    socket.send(Message::text(text(64 << 10))).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
    socket.send(Message::text(text((64 << 10) + 1))).await;
    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn who_says_nothing_is_sent_away_after_ten_seconds() {
    let stage = still(&[]).await;
    let mut silent = Socket::silent(&stage).await;
    let mut ready = Socket::ready(&stage, json!({})).await;
    pass(Duration::from_secs(9)).await;
    silent.heard_nothing().await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(silent.closed().await, (4408, "Connection initialisation timeout".to_owned()));
    ready.heard_nothing().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up_and_one_that_does_stays() {
    let stage = still(&[]).await;
    let mut there = Socket::ready(&stage, json!({})).await;
    // Its side of the connection is open, and nobody is there to answer.
    let gone = Socket::ready(&stage, json!({})).await;
    for _ in 0..3 {
        pass(Duration::from_secs(31)).await;
        assert!(matches!(there.frame().await, Some(Ok(Message::Ping(_)))));
        // The answer to it goes out with what is sent next.
        there.heard_nothing().await;
    }
    until(&stage, "gateway_sockets{transport=\"websocket\"} ", 1).await;
    drop(gone);
    there.heard_nothing().await;
}

#[tokio::test]
async fn a_bad_query_is_an_error_of_its_own_and_the_socket_lives_on() {
    let stage = still(&[]).await;
    let mut socket = Socket::watching(&stage, ALL, json!({})).await;
    let rows = [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription", "GRAPHQL_PARSE_FAILED"),
        ("subscription { contactsChanged { kind } contactChanged(id: \"a\") { kind } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { contactChanged(id: \"a/b\") { kind } }", "BAD_USER_INPUT"),
        ("subscription { ...F } fragment F on Subscription { contactsChanged { kind } }", "BAD_USER_INPUT"),
        (
            "subscription A { contactsChanged { kind } } subscription B { contactsChanged { kind } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ];
    for (query, code) in rows {
        socket.ask("bad", query, json!({})).await;
        assert_eq!(error_of(&socket.hear().await, "bad"), code, "{query}");
    }
    stage.update(DEMO_CONTACT);
    assert_eq!(socket.told("1").await["kind"], "UPDATED");
}

#[tokio::test]
async fn queries_and_mutations_are_answered_and_complete() {
    let stage = still(&[]).await;
    let mut socket = Socket::ready(&stage, json!({})).await;
    let name = "query N($id: ID!) { contact(id: $id) { name } }";
    for calls in [1, 0] {
        stage.calls();
        socket.ask("q", name, json!({ "id": DEMO_CONTACT })).await;
        assert_eq!(socket.told("q").await["name"], "Amara Lindqvist");
        assert_eq!(socket.hear().await, json!({ "id": "q", "type": "complete" }));
        assert_eq!(stage.calls().values().sum::<usize>(), calls);
    }
    socket.ask("m", ADD_TAG, json!({ "id": DEMO_CONTACT, "tag": "new" })).await;
    assert_eq!(socket.told("m").await["contact"]["id"], DEMO_CONTACT);
    assert_eq!(socket.hear().await["type"], "complete");
    socket
        .ask(
            "m",
            "mutation { addContactTags(input: { contactId: \"a/b\", tags: [\"x\"] }) { contact { id } } }",
            json!({}),
        )
        .await;
    let answer = socket.hear().await;
    assert_eq!((&answer["type"], errors(&answer["payload"])[0].1.as_str()), (&json!("next"), "BAD_USER_INPUT"));
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn what_a_client_completes_is_over_and_its_id_free() {
    let stage = still(&[]).await;
    let mut socket = Socket::watching(&stage, ALL, json!({})).await;
    socket.say(json!({ "id": "1", "type": "complete" })).await;
    until(&stage, "gateway_subscriptions ", 0).await;
    assert!(!stage.app.changes().are_watched());
    stage.update(DEMO_CONTACT);
    socket.heard_nothing().await;
    socket.subscribe(&stage, "1", ALL, json!({})).await;
    stage.update(DEMO_CONTACT);
    socket.told("1").await;
    drop(socket);
    until(&stage, "gateway_subscriptions ", 0).await;
    assert!(!stage.app.changes().are_watched());
}

#[tokio::test]
async fn a_subscription_that_comes_by_plain_http_is_told_how_to_come() {
    let stage = still(&[]).await;
    let answer = stage.ask(ALL, json!({})).await;
    assert_eq!(errors(&answer), one_error("", "BAD_USER_INPUT"));
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("text/event-stream") && message.contains("graphql-transport-ws"), "{message}");
    let query: String = form_urlencoded::byte_serialize(ALL.as_bytes()).collect();
    let answer = stage.get(&format!("/graphql?query={query}")).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(errors(&answer), one_error("", "BAD_USER_INPUT"));
}
