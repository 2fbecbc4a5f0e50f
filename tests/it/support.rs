//! Starts a sandbox and a gateway over it, asks, and counts.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contacts_gateway::app::App;
use contacts_gateway::clock::Clock;
use contacts_gateway::sandbox::{DEMO_CONTACT, Options, RateLimit, Sandbox};
use contacts_gateway::{config, http};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const CONTACT: &str = "GET /contacts/{contactId}";
pub const TASKS: &str = "GET /contacts/{contactId}/tasks";
pub const NOTES: &str = "GET /contacts/{contactId}/notes";
pub const APPOINTMENTS: &str = "GET /contacts/{contactId}/appointments";
pub const SEARCH: &str = "POST /locations/{locationId}/tasks/search";
pub const LIST: &str = "GET /contacts/";
pub const BUSINESS: &str = "GET /contacts/business/{businessId}";

pub const PROFILE: &str = "query Profile($id: ID!) { contact(id: $id) { id name email \
     tasks { id title status } notes { id note } appointments { id title status startTime } } }";

pub const LIST_WITH_ALL: &str = "query List($n: Int!) { contacts(first: $n) { nodes { id name \
     tasks { id } notes { id } appointments { id } } pageInfo { hasNextPage endCursor } } }";

/// A sandbox and a gateway over it.
pub struct Stage {
    pub sandbox: Arc<Sandbox>,
    pub app: Arc<App>,
    pub clock: Clock,
    pub url: String,
    client: Client,
    server: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stage {
    /// With a sandbox of 250 contacts and no setting but those that it needs.
    pub async fn new() -> Self {
        Self::with(Options::default(), &[]).await
    }

    /// With a sandbox that has these quirks.
    pub async fn quirky(quirks: &str) -> Self {
        let quirks = quirks.parse().expect("names of quirks");
        Self::with(Options { quirks, ..Options::default() }, &[]).await
    }

    /// With a token that may not search for tasks, which the gateway has found out.
    pub async fn without_search() -> Self {
        let scopes = ["contacts.readonly", "contacts.write"].map(String::from).into();
        let stage = Self::with(Options { scopes, ..Options::default() }, &[]).await;
        let ids = stage.ids().split_off(240);
        stage.data("query W($ids: [ID!]!) { contactsByIds(ids: $ids) { tasks { id } } }", json!({ "ids": ids })).await;
        assert_eq!(stage.calls().get(SEARCH), Some(&1));
        stage
    }

    /// With these settings, without their prefix.
    pub async fn set(settings: &[(&str, &str)]) -> Self {
        Self::with(Options::default(), settings).await
    }

    /// With all of it chosen.
    pub async fn with(options: Options, settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(options, local().await);
        let info = sandbox.info();
        let needed = [
            ("UPSTREAM_URL", sandbox.url()),
            ("LOCATION_ID", info.location_id.clone()),
            ("API_KEY", info.token.clone()),
        ];
        let mut env: HashMap<String, String> =
            needed.into_iter().map(|(name, value)| (format!("GATEWAY_{name}"), value)).collect();
        env.extend(settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), (*value).to_owned())));
        Self::start(sandbox, env, None).await
    }

    /// With a settings file instead of the one location.
    pub async fn with_file(sandbox: Sandbox, file: &Path) -> Self {
        let env = HashMap::from([("GATEWAY_UPSTREAM_URL".to_owned(), sandbox.url())]);
        Self::start(sandbox, env, Some(file)).await
    }

    /// Over this sandbox, with these settings and no other, without their prefix.
    pub async fn over(sandbox: Sandbox, settings: &[(&str, &str)], file: Option<&Path>) -> Self {
        let mut env = HashMap::from([("GATEWAY_UPSTREAM_URL".to_owned(), sandbox.url())]);
        env.extend(settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), (*value).to_owned())));
        Self::start(sandbox, env, file).await
    }

    /// Another gateway over the same upstream, with these settings and no other, without their prefix.
    pub async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        let mut env = HashMap::from([("GATEWAY_UPSTREAM_URL".to_owned(), self.sandbox.url())]);
        env.extend(settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), (*value).to_owned())));
        Self::start(self.sandbox.clone(), env, None).await
    }

    async fn start(sandbox: impl Into<Arc<Sandbox>>, env: HashMap<String, String>, file: Option<&Path>) -> Self {
        let config = config::load(env, file).config.expect("settings that can be used");
        let clock = Clock::default();
        let app = Arc::new(App::new(&config, clock.clone()).expect("an app"));
        let listener = local().await;
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = app.clone();
        let server = tokio::spawn(async move {
            http::serve(serving, listener, pending()).await.expect("a server");
        });
        Self { sandbox: sandbox.into(), app, clock, url, client: Client::new(), server }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn method(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub fn post(&self) -> RequestBuilder {
        self.client.post(format!("{}/graphql", self.url))
    }

    /// The answer, whatever it is.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        ask(self.post(), query, variables).await
    }

    /// The answer at one of several locations.
    pub async fn ask_at(&self, location: &str, query: &str, variables: Value) -> Value {
        ask(self.post().header("x-location-id", location), query, variables).await
    }

    /// The answer to a caller who presents this, at the location that it names, with the HTTP status.
    pub async fn ask_as(&self, bearer: &str, location: Option<&str>, query: &str, variables: Value) -> (u16, Value) {
        let mut request = self.post().bearer_auth(bearer).json(&json!({ "query": query, "variables": variables }));
        if let Some(location) = location {
            request = request.header("x-location-id", location);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The data of an answer without errors.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// The profile of the demo's contact.
    pub async fn profile(&self) -> Value {
        self.data(PROFILE, json!({ "id": DEMO_CONTACT })).await
    }

    /// How often each route was called since the last look; the look clears it.
    pub fn calls(&self) -> BTreeMap<&'static str, usize> {
        let mut calls = BTreeMap::new();
        for call in self.sandbox.calls() {
            *calls.entry(call.route).or_default() += 1;
        }
        self.sandbox.reset();
        calls
    }

    /// A number that `/metrics` tells; zero when it is not told yet.
    pub async fn metric(&self, series: &str) -> u64 {
        let text = self.get("/metrics").send().await.expect("an answer").text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().expect("a whole number"))
    }

    /// The ids of the first location's contacts, in the order of lists.
    pub fn ids(&self) -> Vec<String> {
        self.sandbox.contact_ids(&self.sandbox.info().location_id)
    }
}

/// Waits until the gateway tells this number.
pub async fn until(stage: &Stage, series: &str, wanted: u64) {
    while stage.metric(series).await != wanted {
        tokio::task::yield_now().await;
    }
}

/// A limit that nobody uses up, and windows that are over at once: whoever is refused for the limit waits for no time.
pub fn soon_over() -> Option<RateLimit> {
    Some(RateLimit { max: 100_000, window: Duration::from_millis(10) })
}

pub async fn local() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

async fn ask(request: RequestBuilder, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let answer = request.json(&body).send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

/// The calls of one cold profile.
pub fn one_of_each() -> BTreeMap<&'static str, usize> {
    BTreeMap::from([(CONTACT, 1), (TASKS, 1), (NOTES, 1), (APPOINTMENTS, 1)])
}

/// `(path, code)` of each error.
pub fn errors(answer: &Value) -> Vec<(String, String)> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|error| {
            assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
            assert!(error["extensions"]["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{error}");
            let path: Vec<String> = error["path"]
                .as_array()
                .map(|path| path.iter().map(|segment| segment.to_string().replace('"', "")).collect())
                .unwrap_or_default();
            (path.join("."), error["extensions"]["code"].as_str().unwrap_or("none").to_owned())
        })
        .collect()
}

/// One error at `path` with `code`.
pub fn one_error(path: &str, code: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), code.to_owned())]
}
