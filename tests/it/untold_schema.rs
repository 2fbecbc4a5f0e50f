//! With introspection off nothing tells of the schema what the caller did not name itself.

use std::collections::BTreeSet;

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::support::*;

async fn dark() -> Stage {
    Stage::set(&[("INTROSPECTION", "false")]).await
}

/// Names of the schema, and of nothing else: words of plain English are left out.
fn names() -> BTreeSet<String> {
    let sdl = contacts_gateway::schema::sdl();
    let words = sdl.split(|mark: char| !mark.is_ascii_alphanumeric() && mark != '_');
    let telling = |word: &&str| {
        let inner = word.chars().skip(1);
        word.len() > 3 && inner.clone().any(char::is_uppercase) && word.chars().any(char::is_lowercase)
    };
    words.filter(telling).map(str::to_owned).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|mark: char| !mark.is_ascii_alphanumeric() && mark != '_').collect()
}

#[tokio::test]
async fn the_schema_is_told_by_no_way() {
    let stage = dark().await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ __type(name: \"Contact\") { fields { name } } }",
        "{ a: __schema { types { name } } }",
        "query Q { ...F } fragment F on Query { ... { __schema { types { name } } } }",
        "mutation { __schema { types { name } } }",
    ] {
        let answer = stage.ask(query, json!({})).await;
        assert_eq!(errors(&answer), one_error("", "FORBIDDEN"), "{query}");
        assert!(answer.get("data").is_none() && answer.to_string().contains("Introspection is off"), "{answer}");
    }
    assert_eq!(stage.metric("gateway_refused_total{guard=\"introspection\"}").await, 5);
    let sdl = stage.get("/schema.graphql").send().await.expect("an answer");
    assert_eq!(sdl.status(), 404);
    assert!(!sdl.text().await.expect("text").contains("type "));
    let query = format!("{{ __typename contact(id: \"{DEMO_CONTACT}\") {{ __typename id }} }}");
    let answer = stage.data(&query, json!({})).await;
    assert_eq!(answer, json!({ "__typename": "Query", "contact": { "__typename": "Contact", "id": DEMO_CONTACT } }));
    stage.profile().await;
}

/// What such tools as clairvoyance ask: near misses, leaves with selections, objects without, arguments and inputs left out.
#[tokio::test]
async fn an_error_names_nothing_that_was_not_sent() {
    let stage = dark().await;
    let names = names();
    assert!(names.len() > 80 && names.contains("CreateTaskInput") && names.contains("customFields"), "{names:?}");
    let plain: &[&str] = &[
        "{ contct(id: \"x\") { id } }",
        "{ contact(idd: \"x\") { id } }",
        "{ contact { id } }",
        "{ contact(id: \"x\") }",
        "{ contact(id: \"x\") { nmae } }",
        "{ contact(id: \"x\") { name { a } } }",
        "{ contact(id: \"x\") { tasks(staus: OPEN) { id } } }",
        "{ contact(id: \"x\") { tasks(status: OPNE) { id } } }",
        "{ contact(id: \"x\") { ... on Tsk { id } } }",
        "{ contact(id: \"x\") { ... on Task { id } } }",
        "{ contact(id: \"x\") { ...F } } fragment F on Contct { id }",
        "{ contact(id: \"x\") { id @inclde(if: true) } }",
        "{ contact(id: \"x\") { id @include } }",
        "{ contact(id: \"x\") { name name: email } }",
        "{ contacts(frist: 1) { nods { id } } }",
        "{ contacts(first: \"one\") { nodes { id } } }",
        "{ contacts(first: 0) { nodes { id } } }",
        "{ contacts(after: \"x\") { nodes { id } } }",
        "{ contacts { pageInf { hasNextPage } } }",
        "query($i: Strin) { contact(id: $i) { id } }",
        "query($i: Int) { contact(id: $i) { id } }",
        "query($i: Contact) { contact(id: $i) { id } }",
        "mutation { crateContact(input: {}) { contact { id } } }",
        "mutation { createContact(input: {}) { contact { id } } }",
        "mutation { upsertContact(input: {}) { contact { id } } }",
        "mutation { updateContact(input: { id: \"x\" }) { contact { id } } }",
        "mutation { createTask(input: {}) { task { id } } }",
        "mutation { createTask(input: { contactIdd: 1 }) { task { id } } }",
        "mutation { createTask { task { id } } }",
        "subscription { contactChangd(id: 1) { kind } }",
    ];
    let given = [
        ("mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }", json!({ "i": {} })),
        ("mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }", json!({ "i": { "titel": 1 } })),
        ("mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }", json!({})),
        ("query($s: TaskStatus) { contact(id: 1) { tasks(status: $s) { id } } }", json!({ "s": "OPNE" })),
        ("query($n: Int) { contacts(first: $n) { nodes { id } } }", json!({ "n": "x" })),
    ];
    let probes = plain.iter().map(|query| (*query, json!({}))).chain(given);
    for (query, variables) in probes {
        let sent = format!("{query} {variables}");
        let answer = stage.ask(query, variables).await;
        assert!(!errors(&answer).is_empty(), "{query}");
        for error in answer["errors"].as_array().expect("errors") {
            let mut told = error.clone();
            told["extensions"]["requestId"] = Value::Null;
            told["extensions"]["code"] = Value::Null;
            told["extensions"].as_object_mut().expect("an object").remove("upstream");
            // The words of an error's own form, and those of the caller.
            let own = words("requestId inputPath");
            let text = told.to_string();
            let told: Vec<&str> = words(&text)
                .into_iter()
                .filter(|word| names.contains(*word) && !words(&sent).contains(word) && !own.contains(word))
                .collect();
            assert!(told.is_empty(), "{query}: {told:?} in {text}");
        }
    }
}

/// A guess that misses and one that hits differ in where they fail, and in nothing else.
#[tokio::test]
async fn a_guess_is_told_one_place_and_no_reason() {
    let stage = dark().await;
    let ask = async |inside: &str| {
        let answer = stage.ask(&format!("{{ contact(id: \"x\") {{ {inside} }} }}"), json!({})).await;
        let all = answer["errors"].as_array().expect("errors").clone();
        assert_eq!(all.len(), 1, "{answer}");
        (all[0]["message"].clone(), all[0]["locations"].clone())
    };
    let unknown = ask("nmae { a }").await;
    let known = ask("name { a }").await;
    let many = ask("nmae emial phoone tagss").await;
    assert_eq!(unknown.0, known.0);
    assert_eq!(many, unknown);
    // With introspection on, each is told.
    let told = Stage::new().await.ask("{ contact(id: \"x\") { nmae emial phoone tagss } }", json!({})).await;
    assert_eq!(told["errors"].as_array().map(Vec::len), Some(4));
}
