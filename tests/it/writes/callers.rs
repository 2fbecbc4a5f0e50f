//! Who may change things, and that a change is seen by everybody else.

use contacts_gateway::sandbox::{DEMO_CONTACT, Sandbox};
use serde_json::{Value, json};

use super::*;
use crate::callers::{READ, WRITE, row, several};

async fn with_keys() -> Stage {
    let (sandbox, _, _file) = several(1).await;
    let keys = [row("k-writer", &[READ, WRITE], None, ""), row("k-reader", &[READ], None, "")].concat();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), keys).expect("a file that can be written");
    let info = sandbox.info().clone();
    let path = file.path().display().to_string();
    let settings =
        [("LOCATION_ID", info.location_id.as_str()), ("API_KEY", &info.token), ("AUTH", "keys"), ("KEYS_FILE", &path)];
    Stage::over(sandbox, &settings, None).await
}

/// Each mutation of the schema with an input that nothing is wrong with.
pub fn inputs() -> Vec<(&'static str, Value)> {
    let (c, due) = (DEMO_CONTACT, "2026-12-09T12:00:00Z");
    vec![
        ("createContact", json!({ "name": "X" })),
        ("updateContact", json!({ "id": c, "name": "X" })),
        ("upsertContact", json!({ "email": "x@y.example" })),
        ("deleteContact", json!({ "id": c })),
        ("addContactTags", json!({ "contactId": c, "tags": ["x"] })),
        ("removeContactTags", json!({ "contactId": c, "tags": ["x"] })),
        ("createTask", json!({ "contactId": c, "title": "x", "dueDate": due })),
        ("updateTask", json!({ "contactId": c, "id": "t", "title": "x" })),
        ("setTaskCompleted", json!({ "contactId": c, "id": "t", "completed": true })),
        ("deleteTask", json!({ "contactId": c, "id": "t" })),
        ("createNote", json!({ "contactId": c, "note": "x" })),
        ("updateNote", json!({ "contactId": c, "id": "n", "note": "x" })),
        ("deleteNote", json!({ "contactId": c, "id": "n" })),
    ]
}

#[tokio::test]
async fn who_may_only_read_is_refused_every_mutation_of_the_schema_before_anything_is_sent() {
    let stage = with_keys().await;
    for (field, input) in inputs() {
        let query = mutation(field, "__typename");
        let (_, answer) = stage.ask_as("k-reader", None, &query, json!({ "input": input })).await;
        assert_eq!(errors(&answer), one_error(field, "FORBIDDEN"));
        assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([WRITE]), "{field}");
    }
    // Also where there is something wrong with the input: what is wrong is not theirs to know.
    let query = mutation("createNote", "__typename");
    let (_, answer) = stage.ask_as("k-reader", None, &query, json!({ "input": { "contactId": "", "note": "" } })).await;
    assert_eq!(errors(&answer), one_error("createNote", "FORBIDDEN"));
    assert_eq!(stage.sandbox.total(), 0);
}

#[test]
fn the_schema_says_so_of_every_mutation() {
    let sdl = contacts_gateway::schema::sdl();
    let (_, mutations) = sdl.split_once("type Mutation {").expect("mutations");
    let (mutations, _) = mutations.split_once("\n}").expect("their end");
    for (field, _) in inputs() {
        let line = mutations.lines().find(|line| line.trim_start().starts_with(&format!("{field}(")));
        let said = mutations.split(&format!("{field}(")).nth(1).and_then(|rest| rest.split("Payload").nth(1));
        let said = said.map(|rest| rest.starts_with(" @requiresScopes(scopes: [[\"contacts.write\"]])"));
        assert_eq!(said, Some(true), "{field}: {line:?}");
    }
    assert_eq!(mutations.matches("@requiresScopes").count(), inputs().len(), "there is no other mutation");
}

#[tokio::test]
async fn a_change_of_one_caller_is_seen_by_the_next() {
    let stage = with_keys().await;
    let id = json!({ "id": DEMO_CONTACT });
    stage.ask_as("k-reader", None, PROFILE, id.clone()).await;
    let input = json!({ "input": { "id": DEMO_CONTACT, "lastName": "New" } });
    stage.ask_as("k-writer", None, &mutation("updateContact", "__typename"), input).await;
    stage.calls();
    let (_, seen) = stage.ask_as("k-reader", None, PROFILE, id).await;
    assert_eq!(seen["data"]["contact"]["name"], "Amara New");
    assert_eq!(stage.calls().len(), 0);
}

/// They share no cached value, and yet a change concerns what each of them sees.
#[tokio::test]
async fn a_change_with_one_credential_is_seen_with_another() {
    let (sandbox, locations, _file): (Sandbox, _, _) = several(2).await;
    for (token, location) in [("pit-1", 0), ("pit-2", 0), ("pit-other", 1)] {
        sandbox.allow(token, &locations[location], &[READ, WRITE]);
    }
    let stage = Stage::over(sandbox, &[("AUTH", "passthrough")], None).await;
    let ask = |token: &'static str, location: usize| {
        let (stage, location) = (&stage, &locations[location]);
        async move {
            stage.ask_as(token, Some(location), NAME, json!({ "id": DEMO_CONTACT })).await.1["data"]["contact"]["name"]
                .clone()
        }
    };
    let (one, two, other) = (ask("pit-1", 0).await, ask("pit-2", 0).await, ask("pit-other", 1).await);
    assert_eq!((&one, &two), (&json!("Amara Lindqvist"), &json!("Amara Lindqvist")));
    let input = json!({ "input": { "id": DEMO_CONTACT, "lastName": "New" } });
    let query = mutation("updateContact", "__typename");
    stage.ask_as("pit-1", Some(&locations[0]), &query, input).await;
    stage.calls();
    assert_eq!(ask("pit-1", 0).await, "Amara New");
    assert_eq!(stage.calls().len(), 0, "held by the view that changed it");
    assert_eq!(ask("pit-2", 0).await, "Amara New");
    assert_eq!(stage.calls().len(), 1, "and read by the other");
    assert_eq!(ask("pit-other", 1).await, other);
    assert_eq!(stage.calls().len(), 0, "the same id elsewhere is another contact");
}
