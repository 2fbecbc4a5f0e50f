//! The sandbox keeps the contract's promises: what is tested against it is tested against the API as it is known.

mod bulk;
mod data;
mod hands;
mod knobs;
mod many;
mod oauth;
mod reads;
mod refusals;
mod webhooks;
mod writes;

use contacts_gateway::sandbox::{Options, Sandbox};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;

const ONE: &str = "GET /contacts/{contactId}";
const TASKS: &str = "GET /contacts/{contactId}/tasks";

/// A sandbox and a client that knows its first location.
struct Stage {
    sandbox: Sandbox,
    client: Client,
    location: String,
    token: String,
}

impl Stage {
    async fn new(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox = Sandbox::start(options, listener);
        let info = sandbox.info().clone();
        Self { sandbox, client: Client::new(), location: info.location_id, token: info.token }
    }

    async fn with(quirks: &str) -> Self {
        Self::new(Options { contacts: 40, quirks: quirks.parse().unwrap(), ..Options::default() }).await
    }

    /// Without credentials or version.
    fn bare(&self, path: &str) -> RequestBuilder {
        self.client.get(self.sandbox.url() + path)
    }

    fn ask(&self, path: &str) -> RequestBuilder {
        self.bare(path).bearer_auth(&self.token).header("version", "2021-07-28")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.ask(path).send().await.unwrap()).await
    }

    async fn list(&self, more: &str) -> Value {
        let (status, body) = self.get(&format!("/contacts/?locationId={}{more}", self.location)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn control(&self, path: &str) -> Value {
        self.bare(&format!("/__sandbox/{path}")).send().await.unwrap().json().await.unwrap()
    }

    async fn send_faults(&self, rules: &str) -> (u16, Value) {
        let url = self.sandbox.url() + "/__sandbox/faults";
        read(self.client.post(url).body(rules.to_owned()).send().await.unwrap()).await
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["contacts"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap()).collect()
}
