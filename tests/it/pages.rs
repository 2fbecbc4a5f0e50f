//! Pages in browsers: which may ask, and what a page of a stranger cannot make a browser do.

use std::collections::BTreeMap;
use std::io::Write;

use contacts_gateway::sandbox::DEMO_CONTACT;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::support::*;

const OURS: &str = "https://app.example";

const STRANGERS: [&str; 7] = [
    "https://evil.example",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:8443",
    "null",
    "http://localhost:3000",
];

async fn preflight(stage: &Stage, origin: &str, path: &str) -> Response {
    let ask = stage.method(Method::OPTIONS, path).header("origin", origin);
    let ask = ask.header("access-control-request-method", "POST");
    ask.header("access-control-request-headers", "content-type,authorization").send().await.expect("an answer")
}

async fn from_page(stage: &Stage, origin: &str) -> Response {
    let body = json!({ "query": "{ __typename }" });
    stage.post().header("origin", origin).json(&body).send().await.expect("an answer")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

const ALLOWS: &str = "access-control-allow-origin";

#[tokio::test]
async fn no_page_may_ask_unless_its_origin_is_named() {
    let stage = Stage::new().await;
    for origin in STRANGERS.into_iter().chain([OURS]) {
        for answer in [preflight(&stage, origin, "/graphql").await, from_page(&stage, origin).await] {
            assert_eq!(header(&answer, ALLOWS), "", "{origin}");
        }
    }
    let stage = Stage::set(&[("CORS_ORIGINS", "https://app.example, http://127.0.0.1:3000")]).await;
    for origin in STRANGERS {
        for answer in [preflight(&stage, origin, "/graphql").await, from_page(&stage, origin).await] {
            assert_eq!(header(&answer, ALLOWS), "", "{origin}");
        }
    }
    for origin in [OURS, "http://127.0.0.1:3000"] {
        let asked = preflight(&stage, origin, "/graphql").await;
        assert_eq!((asked.status().as_u16(), header(&asked, ALLOWS)), (200, origin));
        assert_eq!(header(&asked, "access-control-allow-headers"), "content-type,authorization");
        assert_eq!(header(&asked, "access-control-allow-methods"), "GET,POST");
        let answer = from_page(&stage, origin).await;
        assert_eq!((answer.status().as_u16(), header(&answer, ALLOWS)), (200, origin));
        let varies: Vec<&str> = answer.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(varies.join(",").contains("origin"), "{varies:?}");
        let exposed = header(&answer, "access-control-expose-headers");
        assert!(["x-request-id", "etag", "age", "retry-after"].iter().all(|name| exposed.contains(name)), "{exposed}");
        assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    }
    // A page has no business with these, wherever it comes from.
    for path in ["/metrics", "/oauth/install", "/"] {
        assert_eq!(header(&preflight(&stage, OURS, path).await, ALLOWS), "", "{path}");
    }
}

/// What a page can send elsewhere without asking first: forms, plain text, and addresses.
#[tokio::test]
async fn a_page_cannot_change_anything_by_what_it_may_send_unasked() {
    let stage = Stage::new().await;
    let write = format!(
        "mutation {{ addContactTags(input: {{ contactId: \"{DEMO_CONTACT}\", tags: [\"csrf\"] }}) {{ contact {{ id }} }} }}"
    );
    let body = json!({ "query": write }).to_string();
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("query", &write).finish();
    let kinds = [
        ("text/plain", body.clone()),
        ("text/plain; x=application/json", body.clone()),
        ("application/x-www-form-urlencoded", query.clone()),
        (
            "multipart/form-data; boundary=b",
            format!("--b\r\ncontent-disposition: form-data; name=\"query\"\r\n\r\n{write}\r\n--b--\r\n"),
        ),
        ("application/graphql", write.clone()),
        ("*/*", body.clone()),
    ];
    for (kind, body) in kinds {
        let answer = stage.post().header("content-type", kind).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 415, "{kind}");
    }
    assert_eq!(stage.post().body(body.clone()).send().await.expect("an answer").status(), 415);
    let by_address = stage.method(Method::POST, &format!("/graphql?{query}")).send().await.expect("an answer");
    assert_eq!(by_address.status(), 415);
    assert_eq!(stage.get(&format!("/graphql?{query}")).send().await.expect("an answer").status(), 405);
    assert_eq!(stage.calls(), BTreeMap::new());
    // Said to be JSON, it does change something: without that, nothing was shown.
    let answer = stage.post().header("content-type", "application/json").body(body).send().await.expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON").get("errors"), None);
    assert!(!stage.calls().is_empty());
}

async fn asked_with(stage: &Stage, headers: &[(&str, &str)]) -> u16 {
    let mut get = stage.get("/graphql?query=%7Bgateway%7Bversion%7D%7D");
    for (name, value) in headers {
        get = get.header(*name, *value);
    }
    get.send().await.expect("an answer").status().as_u16()
}

/// The status of a request for a WebSocket with these headers.
async fn socket_with(stage: &Stage, headers: &[(&str, &str)]) -> u16 {
    let mut get = stage.get("/graphql").header("connection", "upgrade").header("upgrade", "websocket");
    get = get.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    get = get.header("sec-websocket-protocol", "graphql-transport-ws");
    for (name, value) in headers {
        get = get.header(*name, *value);
    }
    get.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_gateway_that_is_open_gives_no_socket_to_a_page_that_a_strangers_name_brought() {
    let stage = Stage::new().await;
    let own = stage.url.strip_prefix("http://").expect("a host").to_owned();
    let page = stage.url.clone();
    let rows: [(&[(&str, &str)], u16); 4] = [
        (&[], 101),
        (&[("host", &own), ("origin", &page)], 101),
        (&[("host", "evil.example:4000"), ("origin", "http://evil.example:4000")], 421),
        (&[("origin", "http://evil.example:4000")], 403),
    ];
    for (headers, want) in rows {
        assert_eq!(socket_with(&stage, headers).await, want, "{headers:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_open_answers_under_names_of_its_machine_and_to_its_own_pages() {
    let rows: [(&[(&str, &str)], u16); 11] = [
        (&[], 200),
        (&[("host", "localhost:4000")], 200),
        (&[("host", "[::1]:4000")], 200),
        (&[("host", "gateway:4000")], 200),
        (&[("host", "evil.example:4000")], 421),
        (&[("host", "127.0.0.1.evil.example")], 421),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example")], 403),
        (&[("sec-fetch-site", "cross-site"), ("origin", OURS)], 403),
    ];
    let stage = Stage::new().await;
    for (headers, status) in rows {
        assert_eq!(asked_with(&stage, headers).await, status, "{headers:?}");
    }
    let named = Stage::set(&[("CORS_ORIGINS", OURS)]).await;
    assert_eq!(asked_with(&named, &[("sec-fetch-site", "cross-site"), ("origin", OURS)]).await, 200);
    // Where others guard it, or callers say who they are, it has no names of its own.
    let anywhere = Stage::set(&[("AUTH_OPEN_ANYWHERE", "true")]).await;
    assert_eq!(asked_with(&anywhere, &[("host", "gateway.example"), ("sec-fetch-site", "cross-site")]).await, 200);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "key = []").expect("room");
    let keys = Stage::set(&[("AUTH", "keys"), ("KEYS_FILE", file.path().to_str().expect("a path"))]).await;
    assert_eq!(asked_with(&keys, &[("host", "gateway.example"), ("sec-fetch-site", "cross-site")]).await, 401);
}

#[tokio::test]
async fn every_answer_is_what_it_is_said_to_be_and_for_no_shared_cache() {
    let stage = Stage::new().await;
    for path in
        ["/", "/graphql", "/graphql?query=%7B__typename%7D", "/schema.graphql", "/metrics", "/health/live", "/none"]
    {
        let answer = stage.get(path).send().await.expect("an answer");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "server"), "");
    }
    let profile = stage.post().json(&json!({ "query": PROFILE, "variables": { "id": DEMO_CONTACT } }));
    let answer = profile.send().await.expect("an answer");
    assert!(header(&answer, "cache-control").starts_with("private"));
}

#[tokio::test]
async fn metrics_can_have_a_listener_of_their_own() {
    let stage = Stage::set(&[("METRICS_LISTEN", "127.0.0.1:0")]).await;
    assert_eq!(stage.get("/metrics").send().await.expect("an answer").status(), 404);
    let listener = local().await;
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(contacts_gateway::http::serve_metrics(stage.app.clone(), listener));
    let text = Client::new().get(format!("{url}/metrics")).send().await.expect("an answer").text().await.expect("text");
    assert!(text.contains("gateway_requests_in_progress"), "{text}");
    assert_eq!(Client::new().get(format!("{url}/graphql")).send().await.expect("an answer").status(), 404);
    server.abort();
}
