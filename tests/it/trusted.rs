//! Documents that are named instead of sent: by the ids of a manifest, by digests, and by the names of operations.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{StatusCode, Url};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::commands::{gateway, told};
use super::support::*;

const TRUSTED: &str = "query Trusted($id: ID!) { contact(id: $id) { id name } }";
const OTHER: &str = "query Other { contacts(first: 2) { nodes { id } } }";
const FREE: &str = "{ gateway { version } }";
const CHANGE: &str = "mutation Change($id: ID!) { deleteContact(input: { id: $id }) { deletedId } }";

fn sha(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn persisted(digest: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": digest } })
}

fn apollo(documents: &[(&str, &str)]) -> String {
    let operations = documents.iter().map(|(id, body)| json!({ "id": id, "name": "n", "type": "query", "body": body }));
    let operations: Vec<_> = operations.collect();
    json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations }).to_string()
}

/// As Relay and graphql-codegen write it.
fn by_id(documents: &[(&str, &str)]) -> String {
    let documents = documents.iter().map(|(id, text)| ((*id).to_owned(), json!(text)));
    Value::Object(documents.collect::<Map<_, _>>()).to_string()
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("a file that can be written");
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("a path")
}

async fn with_manifest(file: &NamedTempFile, only: &str) -> Stage {
    Stage::set(&[("TRUSTED_DOCUMENTS", path(file)), ("TRUSTED_ONLY", only)]).await
}

impl Stage {
    /// The status, and the answer to a body with the variables that all of these documents take.
    async fn send(&self, mut body: Value) -> (u16, Value) {
        body["variables"] = json!({ "id": self.ids()[0] });
        let request = self.post().header("accept", "application/graphql-response+json").json(&body);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    async fn refusal(&self, body: Value) -> (u16, String) {
        let (status, answer) = self.send(body).await;
        assert_eq!(answer.get("data"), None, "{answer}");
        (status, errors(&answer).remove(0).1)
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> String {
        let address = Url::parse_with_params(&format!("{}{path}", self.url), query).expect("an address");
        address.as_str().strip_prefix(&self.url).expect("a path").to_owned()
    }
}

#[tokio::test]
async fn a_document_of_the_manifest_is_run_by_its_id_however_that_is_sent() {
    for write in [apollo, by_id] {
        for id in [&sha(TRUSTED), "d41d8cd98f00b204e9800998ecf8427e"] {
            let manifest = file(&write(&[(id, TRUSTED), ("another", OTHER)]));
            let stage = with_manifest(&manifest, "true").await;
            let (status, want) = stage.send(json!({ "query": TRUSTED })).await;
            assert_eq!((status, &want["data"]["contact"]["id"]), (200, &json!(stage.ids()[0])), "the text itself, too");
            for named in [
                json!({ "documentId": id }),
                json!({ "documentId": format!("sha256:{id}") }),
                json!({ "doc_id": id }),
                json!({ "extensions": persisted(id) }),
                json!({ "documentId": id, "query": TRUSTED, "operationName": "Trusted" }),
            ] {
                assert_eq!(stage.send(named.clone()).await, (200, want.clone()), "{named}");
            }
            let variables = json!({ "id": stage.ids()[0] }).to_string();
            for name in ["documentId", "doc_id"] {
                let address = stage.address("/graphql", &[(name, id), ("variables", &variables)]);
                let answer = stage.get(&address).send().await.expect("an answer");
                assert_eq!(answer.json::<Value>().await.expect("JSON"), want);
            }
            assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "all of them come to the same");
        }
    }
}

#[tokio::test]
async fn nothing_but_the_manifest_is_run_where_that_is_asked_for() {
    let manifest = file(&apollo(&[("t", TRUSTED), ("o", OTHER)]));
    let stage = with_manifest(&manifest, "true").await;
    let forbidden = (403, "FORBIDDEN".to_owned());
    let unknown = (400, "PERSISTED_QUERY_NOT_FOUND".to_owned());
    let bad = (400, "BAD_USER_INPUT".to_owned());
    for (body, want) in [
        (json!({ "query": FREE }), &forbidden),
        (json!({ "query": format!("{TRUSTED} ") }), &forbidden),
        (json!({ "query": "{ broken" }), &forbidden),
        (json!({ "query": FREE, "extensions": persisted(&sha(FREE)) }), &forbidden),
        (json!({ "extensions": persisted(&sha(FREE)) }), &unknown),
        (json!({ "documentId": "x" }), &unknown),
        (json!({ "documentId": "", "query": FREE }), &unknown),
        (json!({ "doc_id": "x", "query": FREE }), &unknown),
        (json!({ "documentId": "t", "query": FREE }), &bad),
        (json!({ "documentId": 7, "query": FREE }), &bad),
        (json!({ "documentId": "t", "doc_id": "t" }), &bad),
        (json!({ "documentId": "t", "extensions": persisted("o") }), &bad),
        (json!({ "extensions": { "persistedQuery": { "version": 2, "sha256Hash": "t" } } }), &bad),
        (json!({ "extensions": { "persistedQuery": "t" } }), &bad),
        (json!({}), &bad),
    ] {
        assert_eq!(stage.refusal(body.clone()).await, *want, "{body}");
    }
    let by_get = stage.address("/graphql", &[("query", FREE)]);
    assert_eq!(stage.get(&by_get).send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    assert_eq!(stage.calls(), BTreeMap::new());
    // Without that, other texts are run beside the manifest.
    let stage = with_manifest(&manifest, "false").await;
    assert_eq!(stage.send(json!({ "query": FREE })).await.0, 200);
    assert_eq!(stage.refusal(json!({ "documentId": "x" })).await, unknown);
}

#[tokio::test]
async fn a_digest_stands_for_a_text_that_was_valid_and_only_for_its_own() {
    let stage = Stage::new().await;
    let digest = json!({ "extensions": persisted(&sha(TRUSTED)) });
    let unknown = (400, "PERSISTED_QUERY_NOT_FOUND".to_owned());
    let (status, missing) = stage.send(digest.clone()).await;
    // The message is what clients look for.
    assert_eq!((status, &missing["errors"][0]["message"]), (400, &json!("PersistedQueryNotFound")));
    let told = stage.post().json(&digest).send().await.expect("an answer");
    assert_eq!(told.status(), StatusCode::OK, "for those who take application/json");
    let sent = json!({ "query": TRUSTED, "extensions": persisted(&sha(TRUSTED)) });
    let (status, want) = stage.send(sent).await;
    assert_eq!((status, &want["data"]["contact"]["id"]), (200, &json!(stage.ids()[0])));
    assert_eq!(stage.send(digest.clone()).await, (200, want.clone()));
    let upper = json!({ "extensions": persisted(&sha(TRUSTED).to_uppercase()) });
    assert_eq!(stage.send(upper).await, (200, want.clone()));
    let variables = json!({ "id": stage.ids()[0] }).to_string();
    let extensions = persisted(&sha(TRUSTED)).to_string();
    let by_get = stage.address("/graphql", &[("extensions", &extensions), ("variables", &variables)]);
    let answer = stage.get(&by_get).send().await.expect("an answer").json::<Value>().await.expect("JSON");
    assert_eq!(answer, want);
    // Another text is not taken for it, and what is not valid is not taken at all.
    let wrong = json!({ "query": OTHER, "extensions": persisted(&sha(TRUSTED)) });
    assert_eq!(stage.refusal(wrong).await, (400, "BAD_USER_INPUT".to_owned()));
    assert_eq!(stage.send(digest).await, (200, want));
    let invalid = "{ contact(id: 1) { nothing } }";
    let sent = json!({ "query": invalid, "extensions": persisted(&sha(invalid)) });
    assert_eq!(stage.refusal(sent).await, (400, "GRAPHQL_VALIDATION_FAILED".to_owned()));
    assert_eq!(stage.refusal(json!({ "extensions": persisted(&sha(invalid)) })).await, unknown);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
}

#[tokio::test]
async fn a_manifest_that_changes_is_read_again_and_a_broken_one_is_not_believed() {
    let manifest = file(&apollo(&[("t", TRUSTED), ("o", OTHER)]));
    let stage = with_manifest(&manifest, "true").await;
    let (text, other) = (json!({ "query": TRUSTED }), json!({ "documentId": "o" }));
    let want = stage.send(text.clone()).await;
    assert_eq!((want.0, stage.send(other.clone()).await.0), (200, 200));
    let later = || stage.clock.advance(Duration::from_millis(1100));
    // What is not in it any more is not even given out from what is kept of it.
    fs::write(manifest.path(), by_id(&[("o", OTHER)])).expect("a file that can be written");
    later();
    assert_eq!(stage.refusal(text.clone()).await, (403, "FORBIDDEN".to_owned()));
    assert_eq!(stage.refusal(json!({ "extensions": persisted(&sha(TRUSTED)) })).await.0, 400);
    assert_eq!(stage.send(other.clone()).await.0, 200);
    fs::write(manifest.path(), r#"{"format": "apollo-persisted-qu"#).expect("a file that can be written");
    later();
    assert_eq!(stage.send(other).await.0, 200);
    fs::write(manifest.path(), by_id(&[("t", TRUSTED)])).expect("a file that can be written");
    later();
    assert_eq!(stage.send(text).await, want);
}

#[tokio::test]
async fn a_trusted_operation_is_run_by_its_name() {
    let twice = "query Twice { gateway { version } }";
    let both = [("t", TRUSTED), ("c", CHANGE), ("1", twice), ("2", "query Twice { __typename }")];
    let manifest = file(&apollo(&both));
    let stage = with_manifest(&manifest, "true").await;
    let variables = json!({ "id": stage.ids()[0] }).to_string();
    let address = stage.address("/operations/Trusted", &[("variables", &variables)]);
    let first = stage.get(&address).send().await.expect("an answer");
    assert_eq!(first.status(), StatusCode::OK);
    let etag = first.headers()[ETAG].clone();
    let answer = first.json::<Value>().await.expect("JSON");
    assert_eq!(answer["data"]["contact"]["id"], stage.ids()[0]);
    let again = stage.get(&address).header(IF_NONE_MATCH, etag).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    for (path, status, code) in [
        ("/operations/Nothing", 404, "NOT_FOUND"),
        ("/operations/Twice", 404, "NOT_FOUND"),
        ("/operations/Change?variables={\"id\":\"x\"}", 405, "BAD_USER_INPUT"),
        ("/operations/Trusted?variables=1", 400, "BAD_USER_INPUT"),
        ("/operations/Trusted?variables={}", 200, "BAD_USER_INPUT"),
    ] {
        let refused = stage.get(path).send().await.expect("an answer");
        assert_eq!(refused.status().as_u16(), status, "{path}");
        assert_eq!(errors(&refused.json().await.expect("JSON"))[0].1, code, "{path}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_trusted_operation_takes_its_variables_in_a_body_changes_too() {
    let twice = "query Twice { gateway { version } }";
    let both = [("t", TRUSTED), ("c", CHANGE), ("1", twice), ("2", "query Twice { __typename }")];
    let manifest = file(&apollo(&both));
    let stage = with_manifest(&manifest, "true").await;
    let id = stage.ids()[0].clone();
    let call = |name: &str| stage.method(reqwest::Method::POST, &format!("/operations/{name}"));
    let variables = json!({ "id": id });
    for _ in 0..2 {
        let answer = call("Trusted").json(&variables).send().await.expect("an answer");
        assert_eq!(answer.json::<Value>().await.expect("JSON")["data"]["contact"]["id"], *id);
    }
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    let answer = call("Change").json(&variables).send().await.expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["data"]["deleteContact"]["deletedId"], *id);
    assert_eq!(stage.calls(), BTreeMap::from([("DELETE /contacts/{contactId}", 1)]));
    let json = |name: &str, body: &str| call(name).header("content-type", "application/json").body(body.to_owned());
    for (request, status, code) in [
        // A page elsewhere could send this one without asking first.
        (call("Change").header("content-type", "text/plain").body(variables.to_string()), 415, "BAD_USER_INPUT"),
        (
            call("Change").header("content-type", "application/x-www-form-urlencoded").body(format!("id={id}")),
            415,
            "BAD_USER_INPUT",
        ),
        (call("Change"), 415, "BAD_USER_INPUT"),
        (json("Change", &variables.to_string()).header("content-encoding", "gzip"), 415, "BAD_USER_INPUT"),
        (json("Nothing", "{}"), 404, "NOT_FOUND"),
        (json("Twice", "{}"), 404, "NOT_FOUND"),
        (json("Change", "[]"), 400, "BAD_USER_INPUT"),
        (json("Change", "{\"id\": "), 400, "BAD_USER_INPUT"),
        (json("Change", ""), 200, "BAD_USER_INPUT"),
        (json("Change", &format!("{{\"id\": \"{}\"}}", "x".repeat(300 << 10))), 413, "BAD_USER_INPUT"),
        // What looks like a request of GraphQL is an object of variables, and no other document.
        (json("Trusted", "{\"query\": \"{ gateway { version } }\"}"), 200, "BAD_USER_INPUT"),
    ] {
        let refused = request.send().await.expect("an answer");
        assert_eq!((refused.status().as_u16(), code), (status, code));
        assert_eq!(errors(&refused.json().await.expect("JSON"))[0].1, code);
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[test]
fn a_manifest_that_cannot_be_used_is_told_at_the_start() {
    let needed = [("LOCATION_ID", "L1"), ("API_KEY", "pit-x"), ("UPSTREAM_URL", "http://127.0.0.1:9")];
    let broken = file(r#"{"a": "query {"}"#);
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("TRUSTED_DOCUMENTS", "/no/such/file")], "GATEWAY_TRUSTED_DOCUMENTS"),
        (&[("TRUSTED_DOCUMENTS", path(&broken)), ("TRUSTED_ONLY", "true")], "the document \"a\" is not GraphQL"),
        (&[("TRUSTED_ONLY", "true")], "GATEWAY_TRUSTED_ONLY"),
    ];
    for (settings, expected) in cases {
        let output = gateway(&["serve"], &[&needed[..], settings].concat());
        assert_eq!(output.status.code(), Some(64), "{settings:?}");
        let said = told(&output);
        assert!(said.contains(expected) && said.matches("\n  - ").count() == 1, "{said}");
    }
}

#[test]
fn explain_tells_what_each_operation_of_a_manifest_needs() {
    let list = "query List($n: Int!) { contacts(first: $n) { nodes { notes { id } } } }";
    let manifest = file(&apollo(&[("t", TRUSTED), ("l", list)]));
    let explain = |more: &[&str]| gateway(&[&["explain", "--manifest", path(&manifest)], more].concat(), &[]);
    let given = ["--json", "--variables", r#"{"List": {"n": 20}}"#];
    let output = explain(&given);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let each = |one: &Value| (one["operation"].clone(), one["planned"].clone());
    let all: Vec<_> = said["operations"].as_array().expect("a list").iter().map(each).collect();
    assert_eq!(all, [(json!("Trusted"), json!(1)), (json!("List"), json!(21))]);
    assert_eq!(said["planned"], 21);
    assert_eq!(explain(&[&given[..], &["--max-calls", "21"]].concat()).status.code(), Some(0));
    assert_eq!(explain(&[&given[..], &["--max-calls", "20"]].concat()).status.code(), Some(1));
    // A number decides what is planned, and so has to be told; what does not fit the schema cannot be explained.
    let output = explain(&[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(told(&output).contains(":l: ") && told(&output).contains("'n'"), "{}", told(&output));
    let wrong = file(&by_id(&[("w", "{ nothing }")]));
    let output = gateway(&["explain", "--manifest", path(&wrong)], &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(told(&output).contains(":w:1:3: "), "{}", told(&output));
    assert_eq!(gateway(&["explain"], &[]).status.code(), Some(64));
}
