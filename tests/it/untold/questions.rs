//! Requests of every sort, so that everything that is answered can be looked at.

use std::collections::BTreeSet;

use contacts_gateway::sandbox::{Cut, Fault};
use reqwest::Client;
use serde_json::{Value, json};

use super::Recorder;
use crate::support::CONTACT;

const NAME: &str = "query N($id: ID!) { contact(id: $id) { name tasks { id } } }";
const RENAME: &str = "mutation M($input: UpdateContactInput!) { updateContact(input: $input) { contact { name } } }";
const UPDATE: &str = "PUT /contacts/{contactId}";

/// Whoever asks, over a wire that is looked at.
pub struct Asker {
    client: Client,
    pub url: String,
    bearer: Option<String>,
}

impl Asker {
    pub fn new(wire: &Recorder, bearer: Option<&str>) -> Self {
        Self { client: Client::new(), url: wire.url.clone(), bearer: bearer.map(str::to_owned) }
    }

    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let request = self.client.post(self.url.clone() + "/graphql");
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let request = self.bearer.iter().fold(request, |request, bearer| request.bearer_auth(bearer));
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    pub async fn read(&self, contact: &str) -> Value {
        self.ask(NAME, json!({ "id": contact })).await
    }

    pub async fn rename(&self, contact: &str) -> Value {
        self.ask(RENAME, json!({ "input": { "id": contact, "lastName": "New" } })).await
    }

    /// Everything that is answered without a contact, and everything that is refused over HTTP; the statuses.
    pub async fn ask_for_everything_else(&self) -> BTreeSet<u16> {
        let get = |path: &str| self.client.get(self.url.clone() + path);
        let post = || self.client.post(self.url.clone() + "/graphql");
        let json = |body: &'static str| post().header("content-type", "application/json").body(body);
        let mut requests: Vec<_> = [
            "/",
            "/schema.graphql",
            "/metrics",
            "/health/live",
            "/health/ready",
            "/nowhere",
            "/graphql",
            "/graphql?query=%7B__typename%7D",
            "/graphql?query=mutation%7B__typename%7D",
            "/oauth/install?location=none",
            "/oauth/callback?code=x&state=y",
        ]
        .map(get)
        .into();
        requests.extend(["{nope", "[]", r#"{"query": "{"}"#, r#"{"query": "{ nothing }"}"#].map(json));
        requests.extend([
            self.client.delete(self.url.clone() + "/graphql"),
            post().body("{}"),
            post().json(&json!({ "query": "x".repeat(2_000) })),
            json(r#"{"query": "{ __typename }"}"#).header("accept", "text/html"),
            json(r#"{"query": "{"}"#).header("accept", "application/graphql-response+json"),
            json(r#"{"query": "{ __typename }"}"#).header("x-location-id", "elsewhere"),
            json(r#"{"query": "{ __typename }"}"#).header("x-location-id", "a").header("x-location-id", "b"),
        ]);
        if let Some(bearer) = &self.bearer {
            requests = requests.into_iter().map(|request| request.bearer_auth(bearer)).collect();
            let odd = [vec![bearer.clone()], vec![format!("Basic {bearer}")], vec![format!("Bearer {bearer}"); 2]];
            requests.extend(odd.iter().map(|headers| {
                let request = json(r#"{"query": "{ gateway { version } }"}"#);
                headers.iter().fold(request, |request, value| request.header("authorization", value))
            }));
        }
        let mut statuses = BTreeSet::new();
        for request in requests {
            let answer = request.send().await.expect("an answer");
            statuses.insert(answer.status().as_u16());
            answer.bytes().await.expect("a whole answer");
        }
        statuses
    }
}

/// What an upstream can answer to a read and to a write, once each, that quotes what it was sent.
pub fn quoting(quoted: &str) -> Vec<Fault> {
    let bodies = [
        json!({ "message": format!("{quoted} is not a path"), "error": "Unauthorized", "traceId": quoted }),
        json!({ "message": [format!("Invalid JWT {quoted}")], "error": quoted, "meta": { "contactId": quoted } }),
        json!(format!("<html>{quoted}</html>")),
        json!({ "contact": quoted }),
    ];
    let mut faults = Vec::new();
    for route in [CONTACT, UPDATE] {
        let fault = || Fault::on(route).times(1);
        for status in [200, 400, 401, 403, 422, 429, 500] {
            faults.extend(bodies.iter().map(|body| fault().status(status).body(body.clone())));
        }
        faults.push(fault().status(404).body(json!({ "message": format!("{quoted} not found") })));
        faults.extend([fault().cut(Cut::Before), fault().cut(Cut::Mid), fault().html()]);
    }
    faults
}

/// The codes of the errors that went over a wire.
pub fn codes(wire: &Recorder) -> BTreeSet<String> {
    let said = String::from_utf8_lossy(&wire.answers()).into_owned();
    let rest = said.split("\"code\":\"").skip(1);
    rest.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}
