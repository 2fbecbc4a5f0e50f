//! Ids that try to be something else: none of them reaches a route that its field does not have.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::json;

use super::support::*;

fn hostile() -> Vec<String> {
    let mut ids: Vec<String> = [
        "../x",
        "a/b",
        "?",
        "#",
        "%2e",
        "%2e%2e",
        "..",
        ".",
        "",
        "a?b=c",
        "a#b",
        "..%2f..",
        "\\..\\x",
        "a\nb",
        "/",
        "//",
        " ",
        "é",
        "\u{0}",
        "a%00b",
        "../../oauth/token",
        "http://127.0.0.1:1/",
        "search",
        "business",
        "upsert",
        "bulk",
        "Search",
        "BUSINESS",
    ]
    .map(str::to_owned)
    .to_vec();
    ids.push("x".repeat(10_000));
    ids
}

#[tokio::test]
async fn no_id_of_a_contact_that_could_be_a_path_is_sent() {
    let stage = Stage::new().await;
    let query = "query H($x: ID!) { contact(id: $x) { id tasks { id } notes { id } appointments { id } } \
        contactsByIds(ids: [$x]) { id } task(contactId: $x, id: \"t\") { id } note(contactId: $x, id: \"n\") { id } }";
    for id in hostile() {
        let answer = stage.ask(query, json!({ "x": id })).await;
        let codes: Vec<_> = errors(&answer).into_iter().map(|(_, code)| code).collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| code == "BAD_USER_INPUT"), "{id:?}: {codes:?}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn no_id_of_a_task_a_note_or_a_business_that_could_be_a_path_is_sent() {
    let stage = Stage::new().await;
    let query = "query H($x: ID!, $c: ID!) { task(contactId: $c, id: $x) { id } note(contactId: $c, id: $x) { id } }";
    let business = "query B($x: ID!) { contactsByBusiness(businessId: $x) { nodes { id } } }";
    // The words are only routes where a contact's id stands.
    for id in hostile().into_iter().filter(|id| !id.chars().all(char::is_alphabetic) || id.len() > 100 || id.is_empty())
    {
        let answer = stage.ask(query, json!({ "x": id, "c": DEMO_CONTACT })).await;
        assert_eq!(errors(&answer).len(), 2, "{id:?}");
        let answer = stage.ask(business, json!({ "x": id })).await;
        assert_eq!(errors(&answer), one_error("contactsByBusiness", "BAD_USER_INPUT"), "{id:?}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn marks_in_an_id_arrive_as_one_encoded_segment() {
    let stage = Stage::new().await;
    let data = stage.data("query H($x: ID!) { contact(id: $x) { id } }", json!({ "x": "a;b@c:d=e&f+g" })).await;
    assert_eq!(data, json!({ "contact": null }));
    let paths: Vec<_> = stage.sandbox.calls().into_iter().map(|call| (call.route, call.path)).collect();
    assert_eq!(paths, [(CONTACT, "/contacts/a%3Bb%40c%3Ad%3De%26f%2Bg".to_owned())]);
}
