//! GraphQL over HTTP, and everything else that is answered over HTTP.

use contacts_gateway::sandbox::DEMO_CONTACT;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::support::*;

const RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

fn content_type(response: &Response) -> String {
    response.headers()["content-type"].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn the_media_type_follows_accept() {
    let stage = Stage::new().await;
    let query = json!({ "query": "{ __typename }" });
    for (accept, want) in [(RESPONSE, RESPONSE), (JSON, JSON), ("*/*", JSON)] {
        let response = send(stage.post().header("accept", accept).json(&query)).await;
        assert_eq!((response.status(), content_type(&response)), (StatusCode::OK, format!("{want}; charset=utf-8")));
    }
    assert_eq!(send(stage.post().header("accept", "text/html").json(&query)).await.status(), 406);
}

#[tokio::test]
async fn what_is_wrong_before_execution_has_its_code_its_place_and_no_data() {
    let stage = Stage::new().await;
    let long = format!("{{ {} }}", "__typename ".repeat(16_000));
    let deep = format!("{{ contacts(search: {}1{}) {{ nodes {{ id }} }} }}", "[".repeat(2_000), "]".repeat(2_000));
    let rows = [
        ("{ contact(", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        (long.as_str(), "GRAPHQL_PARSE_FAILED"),
        (deep.as_str(), "GRAPHQL_PARSE_FAILED"),
        ("{ contact(id: 1) { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ contact { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ contact(id: 1) { a: id a: name } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A($x: ID!) { contact(id: $x) { id } }", "BAD_USER_INPUT"),
    ];
    for (query, code) in rows {
        let body = json!({ "query": query });
        let response = send(stage.post().header("accept", RESPONSE).json(&body)).await;
        assert_eq!(response.status(), 400, "{}", &query[..query.len().min(60)]);
        let answer: Value = response.json().await.expect("JSON");
        assert!(answer.get("data").is_none());
        assert!(errors(&answer).iter().all(|(path, seen)| path.is_empty() && seen == code), "{answer}");
        // Whoever asks for application/json is told by the body alone.
        let response = send(stage.post().header("accept", JSON).json(&body)).await;
        assert_eq!(response.status(), 200);
    }
    let long_name = stage.ask(&format!("{{ {} }}", "x".repeat(100_000)), json!({})).await;
    assert!(long_name.to_string().len() < 1_000);
    let answer = stage.ask("{ contact(id: 1) { nothing } }", json!({})).await;
    assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 1, "column": 20 }]));
}

/// Each level spreads the next one twice.
fn doubling(levels: usize) -> String {
    let fragments = (0..levels).map(|n| {
        let next = n + 1;
        format!("fragment F{n} on Gateway {{ a{n}: version ...F{next} b{n}: version ...F{next} }} ")
    });
    format!("{{ gateway {{ ...F0 }} }} {}fragment F{levels} on Gateway {{ version }}", fragments.collect::<String>())
}

#[tokio::test]
async fn what_a_document_comes_to_is_counted_before_it_is_walked() {
    let stage = Stage::set(&[("MAX_ALIASES", "1000000"), ("MAX_ROOT_FIELDS", "1000000")]).await;
    assert_eq!(stage.ask(&doubling(8), json!({})).await.get("errors"), None);
    let chain = |length: usize| {
        let fragments = (0..length).map(|n| format!("fragment F{n} on Gateway {{ ...F{} }} ", n + 1));
        format!(
            "{{ gateway {{ ...F0 }} }} {}fragment F{length} on Gateway {{ version }}",
            fragments.collect::<String>()
        )
    };
    assert_eq!(stage.ask(&chain(60), json!({})).await.get("errors"), None);
    // Twice the levels, by way of a fragment that is looked at first where it is not deep.
    let sneaky = format!("query B {{ gateway {{ ...F70 }} }} query A {}", chain(140));
    for query in [doubling(12), doubling(22), doubling(60), doubling(127), chain(130), chain(1_500), sneaky] {
        let answer = stage.ask(&query, json!({})).await;
        assert_eq!(errors(&answer), one_error("", "OPERATION_TOO_EXPENSIVE"), "{} bytes", query.len());
    }
    let deep = |pairs: usize| {
        let (open, close) = ("tasks { contact { ".repeat(pairs), "} } ".repeat(pairs));
        format!("{{ contact(id: \"{DEMO_CONTACT}\") {{ {open} id {close} }} }}")
    };
    assert_eq!(stage.ask(&deep(2), json!({})).await.get("errors"), None);
    for pairs in [7, 18, 30] {
        let answer = stage.ask(&deep(pairs), json!({})).await;
        assert_eq!(errors(&answer), one_error("", "OPERATION_TOO_EXPENSIVE"), "{pairs}");
    }
    let circle = "{ gateway { ...F } } fragment F on Gateway { ...G } fragment G on Gateway { ...F }";
    let answer = stage.ask(circle, json!({})).await;
    assert!(errors(&answer).iter().all(|(_, code)| code == "GRAPHQL_VALIDATION_FAILED"), "{answer}");
}

#[tokio::test]
async fn a_value_that_a_scalar_cannot_read_is_told_and_fails_its_field_alone() {
    let stage = Stage::new().await;
    let query = "query T($id: ID!, $at: DateTime) { contact(id: $id) { id tasks(dueAfter: $at) { id } notes(createdBefore: 7) { id } } }";
    let answer = stage.ask(query, json!({ "id": DEMO_CONTACT, "at": "tomorrow" })).await;
    let bad = |path: &str| (path.to_owned(), "BAD_USER_INPUT".to_owned());
    assert_eq!(errors(&answer), [bad("contact.notes"), bad("contact.tasks")]);
    assert_eq!(answer["data"], json!({ "contact": { "id": DEMO_CONTACT, "tasks": null, "notes": null } }));
    let message = answer["errors"][1]["message"].as_str().expect("text");
    assert!(message.contains("`dueAfter`") && message.contains("RFC 3339"), "{message}");
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let stage = Stage::new().await;
    let rows: [(&str, &str, u16); 8] = [
        (JSON, "{nope", 400),
        (JSON, "[]", 400),
        (JSON, r#"[{"query":"{ __typename }"}]"#, 400),
        (JSON, r#"{"query": 7}"#, 400),
        (JSON, r#"{"query": "{ __typename }", "variables": "x"}"#, 400),
        (JSON, r#"{"variables": {}}"#, 400),
        ("text/plain", r#"{"query":"{ __typename }"}"#, 415),
        ("application/x-www-form-urlencoded", "query={__typename}", 415),
    ];
    for (content_type, body, status) in rows {
        let response = send(stage.post().header("content-type", content_type).body(body)).await;
        assert_eq!(response.status(), status, "{body}");
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(errors(&answer), one_error("", "BAD_USER_INPUT"), "{body}");
    }
    for (size, status) in [(200_000, 200), (300_000, 413)] {
        let body = json!({ "query": "{ __typename }", "extensions": { "x": "y".repeat(size) } });
        assert_eq!(send(stage.post().json(&body)).await.status(), status);
    }
}

#[tokio::test]
async fn bodies_are_utf_8_and_not_compressed() {
    let stage = Stage::new().await;
    let query: &[u8] = br#"{"query":"{ __typename }"}"#;
    let broken: [&[u8]; 3] = [b"\xff\xfe", b"\xc0\xaf", b"\xe2\x82"];
    for bytes in broken {
        let body = [b"{\"query\":\"{ __typename #", bytes, b"\\n}\"}"].concat();
        assert_eq!(send(stage.post().header("content-type", JSON).body(body)).await.status(), 400, "{bytes:?}");
    }
    for (kind, status) in [
        ("application/json; charset=UTF-8", 200),
        ("Application/JSON;charset=\"utf-8\"", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=iso-8859-1", 415),
        ("application/jsonx", 415),
    ] {
        assert_eq!(send(stage.post().header("content-type", kind).body(query)).await.status(), status, "{kind}");
    }
    for (coding, status) in [("identity", 200), ("gzip", 415), ("x-none", 415), ("identity, gzip", 415)] {
        let post = stage.post().header("content-type", JSON).header("content-encoding", coding).body(query);
        assert_eq!(send(post).await.status(), status, "{coding}");
    }
    let lone = json!({ "query": "{ __typename }", "variables": {} }).to_string().replace("{}", r#"{"a":"\ud800"}"#);
    assert_eq!(send(stage.post().header("content-type", JSON).body(lone)).await.status(), 400);
    assert_eq!(send(stage.get("/graphql?query=%7B__typename%20%23%FF%0A%7D")).await.status(), 400);
    assert_eq!(send(stage.get("/graphql?query=%7B__typename%20%23%C3%A9%0A%7D")).await.status(), 200);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_where_batches_are_on() {
    let stage = Stage::set(&[("MAX_BATCH", "3")]).await;
    let ids = stage.ids();
    let one = |id: &str| json!({ "query": "query Q($id: ID!) { contact(id: $id) { id } }", "variables": { "id": id } });
    let all: Vec<Value> = ids.iter().take(3).map(|id| one(id)).collect();
    let response = send(stage.post().json(&all)).await;
    assert_eq!((response.status(), content_type(&response)), (StatusCode::OK, format!("{JSON}; charset=utf-8")));
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    let want: Vec<Value> = ids.iter().take(3).map(|id| json!({ "data": { "contact": { "id": id } } })).collect();
    assert_eq!(response.json::<Value>().await.expect("JSON"), json!(want));
    assert_eq!(stage.calls().get(CONTACT), Some(&3));
    // What was asked in a batch is known to who asks by itself, and the other way round.
    assert_eq!(send(stage.post().json(&all[0])).await.json::<Value>().await.expect("JSON"), want[0]);
    let many: String = (0..40).map(|n| format!("a{n}: __typename ")).collect();
    let mixed = json!([all[1], { "query": format!("{{ {many} }}") }, { "quer": 1 }]);
    let answer: Value = send(stage.post().json(&mixed)).await.json().await.expect("JSON");
    assert_eq!(answer[0], want[1]);
    assert_eq!(errors(&answer[1]), one_error("", "OPERATION_TOO_EXPENSIVE"));
    assert_eq!(errors(&answer[2]), one_error("", "BAD_USER_INPUT"));
    assert_eq!(stage.calls().get(CONTACT), None);
    let refused =
        [(json!([one("a"), one("b"), one("c"), one("d")]), "OPERATION_TOO_EXPENSIVE"), (json!([]), "BAD_USER_INPUT")];
    for (body, code) in refused {
        let response = send(stage.post().json(&body)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(errors(&response.json().await.expect("JSON")), one_error("", code));
    }
    assert_eq!(stage.metric("gateway_refused_total{guard=\"batch\"}").await, 1);
    assert_eq!(stage.calls().get(CONTACT), None);
}

#[tokio::test]
async fn get_runs_queries_and_nothing_else() {
    let stage = Stage::new().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let refused = send(stage.method(method, "/graphql").json(&json!({ "query": "{ __typename }" }))).await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"GET,HEAD,POST".parse().unwrap()));
    }
    let query = "query A { gateway { version } } query B($id: ID!) { contact(id: $id) { name } }";
    let variables = json!({ "id": DEMO_CONTACT }).to_string();
    let pairs = [("query", query), ("variables", &variables), ("operationName", "B")];
    let address: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let answer: Value = send(stage.get(&format!("/graphql?{address}"))).await.json().await.expect("JSON");
    assert_eq!(answer, json!({ "data": { "contact": { "name": "Amara Lindqvist" } } }));
    assert_eq!(send(stage.get("/graphql")).await.status(), 400);
    let refused = send(stage.get("/graphql?query=mutation%7B__typename%7D")).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let answer: Value = refused.json().await.expect("JSON");
    assert!(answer.get("data").is_none() && !errors(&answer).is_empty());
}

#[tokio::test]
async fn every_answer_has_an_id_which_is_the_callers_own_if_it_is_plain() {
    let stage = Stage::new().await;
    let broken = json!({ "query": "{" });
    let response = send(stage.post().header("x-request-id", "abc-1.2_3").json(&broken)).await;
    assert_eq!(response.headers()["x-request-id"], "abc-1.2_3");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["requestId"], "abc-1.2_3");
    for id in ["", "a b", "<script>", &"x".repeat(65)] {
        let response = send(stage.post().header("x-request-id", id).json(&broken)).await;
        let given = response.headers()["x-request-id"].to_str().expect("text").to_owned();
        assert!(given != id && given.len() == 32, "{given}");
    }
}

#[tokio::test]
async fn the_page_the_schema_and_the_health_are_there_and_nothing_else_is() {
    let stage = Stage::new().await;
    let page = send(stage.get("/")).await;
    assert!(content_type(&page).starts_with("text/html"));
    assert!(page.text().await.expect("text").contains("GraphiQL"));
    let sdl = send(stage.get("/schema.graphql")).await.text().await.expect("text");
    assert_eq!(sdl, contacts_gateway::schema::sdl());
    for (path, status) in [("/health/live", 200), ("/health/ready", 200), ("/no/such/page", 404), ("/graphql/", 404)] {
        assert_eq!(send(stage.get(path)).await.status(), status, "{path}");
    }
    stage.app.drain();
    assert_eq!(send(stage.get("/health/ready")).await.status(), 503);
}
