//! Fields that stand in a document more than once are one field of the answer, with what each of them selects.

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::support::*;

/// Documents with fields that have to be merged, each with one that says the same without.
const SAME: &[(&str, &str)] = &[
    ("contact(id: $id) { tasks { id } tasks { title } }", "contact(id: $id) { tasks { id title } }"),
    (
        "contact(id: $id) { tasks { contact { name } } tasks { title } }",
        "contact(id: $id) { tasks { contact { name } title } }",
    ),
    (
        "contact(id: $id) { tasks { title } tasks { contact { name } } }",
        "contact(id: $id) { tasks { title contact { name } } }",
    ),
    ("contact(id: $id) { notes { id } ... on Contact { notes { note } } }", "contact(id: $id) { notes { id note } }"),
    (
        "contact(id: $id) { tasks { id } } contact(id: $id) { tasks { title } }",
        "contact(id: $id) { tasks { id title } }",
    ),
    (
        "contacts(first: 3) { nodes { id } } contacts(first: 3) { nodes { email } }",
        "contacts(first: 3) { nodes { id email } }",
    ),
    (
        "contacts(first: 3) { nodes { id notes { id } } nodes { email notes { note } } }",
        "contacts(first: 3) { nodes { id notes { id note } email } }",
    ),
    ("contacts(first: 3) { ...A ...B }", "contacts(first: 3) { nodes { id email tasks { id title } } }"),
    ("contactsByIds(ids: [$id]) { tasks { id } ...C }", "contactsByIds(ids: [$id]) { tasks { id status } }"),
];

const FRAGMENTS: &[(&str, &str)] = &[
    ("...A", "fragment A on ContactConnection { nodes { id tasks { id } } }"),
    ("...B", "fragment B on ContactConnection { nodes { email tasks { title } } }"),
    ("...C", "fragment C on Contact { tasks { status } }"),
];

fn document(selection: &str) -> String {
    let used = FRAGMENTS.iter().filter(|(spread, _)| selection.contains(spread));
    let fragments: String = used.map(|(_, fragment)| *fragment).collect();
    let id = if selection.contains("$id") { "($id: ID!)" } else { "" };
    format!("query Q{id} {{ {selection} }} {fragments}")
}

#[tokio::test]
async fn what_is_selected_in_two_places_is_answered_whole() {
    for (merged, plain) in SAME {
        let variables = json!({ "id": DEMO_CONTACT });
        let stage = Stage::new().await;
        let given = |document: &str| if document.contains("$id") { variables.clone() } else { json!({}) };
        let cold = stage.data(&document(merged), given(merged)).await;
        // By another name, so that it is executed and not found.
        let again = document(merged).replace("query Q", "query Again");
        assert_eq!(stage.data(&again, given(merged)).await, cold, "{merged}");
        let whole = Stage::new().await.data(&document(plain), variables.clone()).await;
        assert_eq!(cold, whole, "{merged}");
        assert_eq!(stage.data(&document(plain), given(plain)).await, whole, "{plain}");
    }
}

#[tokio::test]
async fn it_is_whole_in_an_answer_with_errors_too() {
    let stage = Stage::new().await;
    let query = "query Q($id: ID!) { contact(id: $id) { tasks { id } tasks { title } } bad: note(contactId: $id, id: \"../x\") { id } }";
    let answer = stage.ask(query, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("bad", "BAD_USER_INPUT"));
    let tasks = answer["data"]["contact"]["tasks"].as_array().unwrap();
    assert!(!tasks.is_empty() && tasks.iter().all(|task| task["id"].is_string() && task["title"].is_string()));
    let query = query.replace("tasks { id } tasks { title }", "tasks { id title }");
    assert_eq!(stage.ask(&query, json!({ "id": DEMO_CONTACT })).await["data"], answer["data"]);
}

#[tokio::test]
async fn a_custom_field_can_have_any_key() {
    let stage = Stage::new().await;
    let value = json!({ "a\"b": 1, "c\\d": "\n", "x\":0,\"y": { "": [0.1, null, true] } });
    let change = "mutation M($input: UpdateContactInput!) { updateContact(input: $input) { contact { customFields { id value } } } }";
    let input = json!({ "input": { "id": DEMO_CONTACT, "customFields": [{ "id": "odd", "value": value }] } });
    let is_there = |fields: &Value| fields.as_array().unwrap().contains(&json!({ "id": "odd", "value": value }));
    let changed = stage.data(change, input).await;
    assert!(is_there(&changed["updateContact"]["contact"]["customFields"]), "{changed}");
    let one =
        stage.data("query($id: ID!) { contact(id: $id) { customFields { id value } } }", json!({ "id": DEMO_CONTACT }));
    assert!(is_there(&one.await["contact"]["customFields"]));
    let list =
        "query($id: ID!) { contactsByIds(ids: [$id]) { customFields { id value } } bad: contact(id: \"../x\") { id } }";
    let answer = stage.ask(list, json!({ "id": DEMO_CONTACT })).await;
    assert!(is_there(&answer["data"]["contactsByIds"][0]["customFields"]), "{answer}");
}
