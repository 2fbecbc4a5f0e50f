//! Subscriptions: who is told what, over WebSockets and event streams, and what it costs.

mod events;
mod limits;
mod polling;
mod protocol;
mod telling;
mod tokens;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::changes::{ChangeKind, ChangedResource};
use contacts_gateway::sandbox::DEMO_CONTACT;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::support::*;

const ONE: &str = "subscription One($id: ID!) { contactChanged(id: $id) { kind resource resourceId contactId contact { id name tags } } }";
const ALL: &str = "subscription All($filter: ContactChangeFilter) { contactsChanged(filter: $filter) \
    { kind resource resourceId contactId } }";

const ADD_TAG: &str = "mutation A($id: ID!, $tag: String!) { addContactTags(input: { contactId: $id, tags: [$tag] }) \
    { contact { id } } }";
const ADD_TAGS: &str = "POST /contacts/{contactId}/tags";

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

/// A gateway with these settings that looks at nothing by itself.
async fn still(settings: &[(&str, &str)]) -> Stage {
    Stage::set(&[settings, &[("POLL_INTERVAL", "0s")]].concat()).await
}

/// A client's side of a WebSocket.
struct Socket(WebSocketStream<TcpStream>);

/// What a request for a WebSocket is answered with.
type Opened = Result<(WebSocketStream<TcpStream>, Response), Error>;

async fn open(stage: &Stage, headers: &[(&'static str, &str)]) -> Opened {
    let address = stage.url.strip_prefix("http://").expect("an address");
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    let stream = TcpStream::connect(address).await.expect("a connection");
    // So that a reader who does not read is one at once.
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    client_async_with_config(request, stream, Some(config)).await
}

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

impl Socket {
    /// One that is open, where nothing was said yet.
    async fn silent(stage: &Stage) -> Self {
        let (socket, response) = open(stage, &[PROTOCOL]).await.expect("a socket");
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        Self(socket)
    }

    /// One that is acknowledged.
    async fn ready(stage: &Stage, params: Value) -> Self {
        let mut socket = Self::silent(stage).await;
        socket.say(json!({ "type": "connection_init", "payload": params })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// One that is acknowledged, with a subscription that has begun.
    async fn watching(stage: &Stage, query: &str, variables: Value) -> Self {
        let mut socket = Self::ready(stage, json!({})).await;
        socket.subscribe(stage, "1", query, variables).await;
        socket
    }

    /// Begins a subscription, and waits until it has begun.
    async fn subscribe(&mut self, stage: &Stage, id: &str, query: &str, variables: Value) {
        let open = stage.metric("gateway_subscriptions ").await;
        self.ask(id, query, variables).await;
        until(stage, "gateway_subscriptions ", open + 1).await;
    }

    async fn ask(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("an open socket");
    }

    async fn frame(&mut self) -> Option<Result<Message, Error>> {
        timeout(LONG, self.0.next()).await.expect("something in time")
    }

    /// The next message.
    async fn hear(&mut self) -> Value {
        loop {
            match self.frame().await.expect("an open socket").expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// The change that the next message tells, of the operation with this id.
    async fn told(&mut self, id: &str) -> Value {
        let mut message = self.hear().await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("next")), "{message}");
        assert_eq!(message["payload"].get("errors"), None, "{message}");
        let data = message["payload"]["data"].as_object_mut().expect("data");
        assert_eq!(data.len(), 1);
        data.values_mut().next().expect("a field").take()
    }

    /// Nothing was sent before the answer to a ping, which is sent now.
    async fn heard_nothing(&mut self) {
        self.say(json!({ "type": "ping" })).await;
        assert_eq!(self.hear().await, json!({ "type": "pong" }));
    }

    /// Code and reason of the close frame that comes next; what comes before it is of no interest.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.frame().await {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}

impl Stage {
    /// What a webhook would do: a contact is forgotten, and its change told.
    fn happen(&self, contact: &str, kind: ChangeKind, resource: ChangedResource) {
        let account = &self.app.accounts()[0];
        if resource == ChangedResource::Contact {
            self.forget(contacts_gateway::cache::Kind::Contact, contact);
        }
        let change = account.change(kind, resource, (resource == ChangedResource::Contact).then_some(contact), contact);
        self.app.changes().publish(change);
    }

    fn update(&self, contact: &str) {
        self.happen(contact, ChangeKind::Updated, ChangedResource::Contact);
    }
}

/// A change as the subscriptions of these tests ask for it.
fn change(kind: &str, resource: &str, id: impl Into<Value>, contact: &str) -> Value {
    json!({ "kind": kind, "resource": resource, "resourceId": id.into(), "contactId": contact })
}

/// The code of an error message of the operation with this id.
fn error_of(message: &Value, id: &str) -> String {
    assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("error")), "{message}");
    let codes = errors(&json!({ "errors": message["payload"] }));
    assert_eq!(codes.len(), 1, "{message}");
    codes[0].1.clone()
}

/// Lets a time pass that nobody waits for.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
