//! What an operation may cost: bounds by caller, refused before any call, with what the cache holds left out.

use std::collections::BTreeMap;

use super::super::callers::{READ, WRITE, row};
use super::*;
use contacts_gateway::config;

const ONE: &str = "query One($id: ID!) { contact(id: $id) { id name } }";
const PAIR: &str = "query P($a: ID!, $b: ID!) { a: contact(id: $a) { ...All } b: contact(id: $b) { ...All } } \
     fragment All on Contact { id tasks { id } notes { id } appointments { id } }";

/// The code of the one error, with planned and allowed.
fn refusal(answer: &Value) -> (&str, u64, u64) {
    assert_eq!((answer.get("data"), answer["errors"].as_array().map(Vec::len)), (None, Some(1)), "{answer}");
    let told = &answer["errors"][0]["extensions"];
    let number = |name: &str| told[name].as_u64().expect("a number");
    (told["code"].as_str().expect("a code"), number("planned"), number("allowed"))
}

#[tokio::test]
async fn an_operation_over_the_bound_is_refused_before_any_call() {
    let stage = Stage::set(&[("MAX_CALLS", "5")]).await;
    let answer = stage.ask(LIST_WITH_ALL, json!({ "n": 50 })).await;
    assert_eq!(refusal(&answer), ("OPERATION_TOO_EXPENSIVE", 151, 5));
    assert!(errors(&answer)[0].0.is_empty());
    assert_eq!(stage.calls(), BTreeMap::new());
    assert_eq!(stage.metric("gateway_refused_total{guard=\"calls\"}").await, 1);
    assert_eq!(stage.metric("gateway_answers_total{outcome=\"refused\"}").await, 1);
    // Within it is within it, whatever else could be asked with the document.
    stage.data(LIST_WITH_ALL, json!({ "n": 1 })).await;
    assert_eq!(stage.calls().values().sum::<usize>(), 4);
}

#[tokio::test]
async fn what_is_held_does_not_count() {
    let stage = Stage::set(&[("MAX_CALLS", "5")]).await;
    let ids = stage.ids();
    let pair = json!({ "a": ids[0], "b": ids[1] });
    assert_eq!(refusal(&stage.ask(PAIR, pair.clone()).await), ("OPERATION_TOO_EXPENSIVE", 8, 5));
    let (cost, answer) = explained(&stage, PAIR, pair.clone()).await;
    assert_eq!((cost, refusal(&answer).1), (Value::Null, 8));
    stage.data(PROFILE, json!({ "id": ids[0] })).await;
    assert_eq!(stage.calls(), one_of_each());
    let (cost, _) = explained(&stage, PAIR, pair.clone()).await;
    assert_eq!((&cost["planned"], &cost["calls"]), (&json!(4), &json!(4)));
    stage.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(refusal(&stage.ask(PAIR, pair).await).1, 8, "what was held is too old");
}

#[tokio::test]
async fn rows_of_a_page_that_is_held_are_looked_for_one_by_one() {
    let stage = without_searches(&[("MAX_CALLS", "12")]).await;
    let query = "query L($n: Int) { contacts(first: $n) { nodes { id timezone tasks { id } } } }";
    assert_eq!(refusal(&stage.ask(query, json!({ "n": 6 })).await).1, 13);
    stage.data("{ contacts(first: 6) { nodes { id } } }", json!({})).await;
    let id = stage.ids()[2].clone();
    stage.data(ONE, json!({ "id": id })).await;
    stage.data("query W($id: ID!) { contact(id: $id) { timezone tasks { id } } }", json!({ "id": id })).await;
    stage.calls();
    let (cost, _) = explained(&stage, query, json!({ "n": 6 })).await;
    assert_eq!((&cost["planned"], &cost["calls"]), (&json!(10), &json!(10)));
    assert_eq!(calls_without_the_look(&stage), BTreeMap::from([(CONTACT, 5), (TASKS, 5)]));
}

#[tokio::test]
async fn a_part_that_no_row_of_a_page_has_costs_no_call() {
    let stage = Stage::new().await;
    let create = "mutation { createContact(input: { firstName: \"Zoe\", lastName: \"Quill\" }) { contact { id } } }";
    stage.data(create, json!({})).await;
    stage.clock.advance(std::time::Duration::from_secs(3600));
    stage.calls();
    let search = "{ contacts(search: \"Quill\") { nodes { name website } } }";
    let (cost, answer) = explained(&stage, search, json!({})).await;
    assert_eq!(answer["data"]["contacts"]["nodes"], json!([{ "name": "Zoe Quill", "website": null }]));
    assert_eq!((&cost["planned"], stage.calls()), (&json!(1), BTreeMap::from([(LIST, 1)])));
}

#[tokio::test]
async fn a_kept_answer_costs_nothing() {
    let stage = Stage::set(&[("MAX_CALLS", "5")]).await;
    let ids = stage.ids();
    let pair = json!({ "a": ids[0], "b": ids[1] });
    for id in &ids[..2] {
        stage.data(PROFILE, json!({ "id": id })).await;
    }
    stage.calls();
    let first = stage.data(PAIR, pair.clone()).await;
    assert_eq!(stage.data(PAIR, pair).await, first);
    assert_eq!(stage.calls(), BTreeMap::new());
    assert_eq!(stage.metric("gateway_answers_total{outcome=\"kept\"}").await, 1);
}

#[tokio::test]
async fn mutations_and_queries_by_get_are_bounded_alike() {
    let stage = Stage::set(&[("MAX_CALLS", "2")]).await;
    let (_, variables) = &examples()[10];
    let text = fs::read_to_string(&examples()[10].0).expect("text");
    assert_eq!(refusal(&stage.ask(&text, variables.clone()).await), ("OPERATION_TOO_EXPENSIVE", 3, 2));
    let answer = stage.get("/graphql?query={contacts(first:2){nodes{notes{id}}}}").send().await.unwrap();
    assert_eq!(refusal(&answer.json().await.unwrap()).1, 3);
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn callers_have_the_bound_of_their_scopes() {
    let rows = [("reader", &[READ][..]), ("writer", &[WRITE]), ("both", &[READ, WRITE])];
    let rows: String = rows.into_iter().map(|(key, scopes)| row(key, scopes, None, "")).collect();
    let keys = tempfile::NamedTempFile::new().expect("a file");
    fs::write(keys.path(), rows).expect("a file that can be written");
    let path = keys.path().to_str().expect("a path");
    let settings =
        |by_scope| [("AUTH", "keys"), ("KEYS_FILE", path), ("MAX_CALLS", "20"), ("MAX_CALLS_BY_SCOPE", by_scope)];
    for (by_scope, allowed) in [
        ("contacts.readonly=5, contacts.write=10", [5, 10, 10]),
        ("contacts.readonly=30", [30, 20, 30]),
        ("", [20, 20, 20]),
    ] {
        let stage = Stage::set(&settings(by_scope)).await;
        for (caller, allowed) in ["reader", "writer", "both"].into_iter().zip(allowed) {
            let (_, answer) = stage.ask_as(caller, None, LIST_WITH_ALL, json!({ "n": 50 })).await;
            assert_eq!(refusal(&answer), ("OPERATION_TOO_EXPENSIVE", 151, allowed), "{by_scope} {caller}");
        }
        assert_eq!(stage.calls(), BTreeMap::new());
    }
}

#[test]
fn a_bound_by_scope_that_cannot_be_read_is_told() {
    for bad in [
        "contacts.readonly",
        "contacts.readonly=0",
        "contacts.readonly=x",
        "other=5",
        "contacts.write=1,contacts.write=2",
        ",",
    ] {
        let env = [("GATEWAY_AUTH", "passthrough"), ("GATEWAY_MAX_CALLS_BY_SCOPE", bad)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let problems = config::load(env, None).config.expect_err("a problem");
        let told = problems[0].to_string();
        assert!(
            problems.len() == 1 && told.starts_with(&format!("GATEWAY_MAX_CALLS_BY_SCOPE is `{bad}`; expected")),
            "{told}"
        );
        assert!(told.contains("as contacts.readonly=100,contacts.write=500"), "{told}");
    }
}
