//! Bounds: on sockets, on what goes on at one, on what waits for who does not read; and the end of the gateway.

use contacts_gateway::http;
use tokio::sync::oneshot;

use super::*;
use tokio_tungstenite::tungstenite::Error;

#[tokio::test]
async fn a_socket_has_room_for_so_many_operations_and_is_told_when_there_are_more() {
    let stage = still(&[("MAX_SUBSCRIPTIONS", "3")]).await;
    let mut socket = Socket::ready(&stage, json!({})).await;
    for id in ["1", "2", "3"] {
        socket.subscribe(&stage, id, ALL, json!({})).await;
    }
    socket.ask("4", ALL, json!({})).await;
    assert_eq!(error_of(&socket.hear().await, "4"), "RATE_LIMITED");
    assert_eq!(stage.metric("gateway_refused_total{guard=\"subscriptions\"} ").await, 1);
    socket.say(json!({ "id": "2", "type": "complete" })).await;
    until(&stage, "gateway_subscriptions ", 2).await;
    socket.subscribe(&stage, "4", ALL, json!({})).await;
    // Another socket has room of its own.
    Socket::watching(&stage, ALL, json!({})).await;
}

#[tokio::test]
async fn the_gateway_has_room_for_so_many_sockets_and_streams() {
    let stage = still(&[("MAX_SOCKETS", "2")]).await;
    let first = Socket::ready(&stage, json!({})).await;
    let stream = events::Stream::open(&stage, ALL, json!({})).await;
    let Err(Error::Http(response)) = open(&stage, &[PROTOCOL]).await else { panic!("a third socket") };
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    let request = stage.post().header("accept", "text/event-stream").json(&json!({ "query": ALL }));
    let response = request.send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(stage.metric("gateway_refused_total{guard=\"sockets\"} ").await, 2);
    // What else there is to ask is answered.
    stage.profile().await;
    drop(first);
    until(&stage, "gateway_sockets{transport=\"websocket\"} ", 0).await;
    Socket::ready(&stage, json!({})).await;
    drop(stream);
    until(&stage, "gateway_sockets{transport=\"event_stream\"} ", 0).await;
}

/// Notes that are larger than what systems keep for a connection, and a reader who does not read.
#[tokio::test]
async fn who_does_not_read_is_dropped_and_costs_nobody_else_anything() {
    let stage = still(&[]).await;
    let location = stage.sandbox.info().location_id.clone();
    stage.sandbox.update_contact(&location, DEMO_CONTACT, |contact| contact["website"] = json!("x".repeat(200_000)));
    let large = "subscription($id: ID!) { contactChanged(id: $id) { contact { name website } } }";
    let mut stalled = Socket::watching(&stage, large, json!({ "id": DEMO_CONTACT })).await;
    let mut fast = Socket::watching(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    let mut rounds = 0;
    while stage.metric("gateway_slow_readers_total ").await == 0 {
        rounds += 1;
        assert!(rounds < 200, "it is never too slow");
        stage.rename(&format!("Amy{rounds}"));
        stage.update(DEMO_CONTACT);
        assert_eq!(fast.told("1").await["contact"]["name"], format!("Amy{rounds} Changed"));
    }
    // What was sent before is there to be read, and then the close frame.
    assert_eq!(stalled.closed().await.0, 1013);
    until(&stage, "gateway_sockets{transport=\"websocket\"} ", 1).await;
    stage.update(DEMO_CONTACT);
    fast.told("1").await;
}

#[tokio::test]
async fn when_the_gateway_ends_sockets_are_told_streams_end_and_nothing_holds_it_up() {
    let stage = still(&[]).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = local().await;
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = stage.app.clone();
    let server = tokio::spawn(async move {
        http::serve(app, listener, async move { drop(stopped.await) }).await.expect("a server");
    });
    let mut socket = Socket::watching(&stage, ALL, json!({})).await;
    let mut stream = events::Stream::open(&stage, ALL, json!({})).await;
    let mut other = events::Stream::open_at(&url, &stage, ALL).await;
    stop.send(()).expect("a server");
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
    for stream in [&mut stream, &mut other] {
        assert_eq!(stream.event().await, None, "it ends without a `complete`, so that clients come back");
    }
    timeout(LONG, server).await.expect("it ends").expect("without a panic");
    assert_eq!(stage.metric("gateway_sockets{transport=\"websocket\"} ").await, 0);
    assert_eq!(stage.metric("gateway_subscriptions ").await, 0);
}
