//! Changes of what another location has: its records are not shown, what was changed there is forgotten there, and what is known
//! to be there is not changed.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::{DEMO_CONTACT, Fault};
use serde_json::{Value, json};

use super::*;
use crate::callers::{READ, WRITE, several};

/// Each caller's own credential opens its location, whichever it names; ids are the same everywhere.
async fn stage() -> (Stage, [String; 2]) {
    let (sandbox, ids, _file) = several(2).await;
    for (token, location) in [("pit-a", 0), ("pit-b", 1)] {
        sandbox.allow(token, &ids[location], &[READ, WRITE]);
    }
    let stage = Stage::over(sandbox, &[("AUTH", "passthrough"), ("UPSTREAM_RETRIES", "0")], None).await;
    (stage, [ids[0].clone(), ids[1].clone()])
}

impl Stage {
    async fn change_as(&self, bearer: &str, location: &str, field: &str, input: Value, selection: &str) -> Value {
        self.ask_as(bearer, Some(location), &mutation(field, selection), json!({ "input": input })).await.1
    }

    async fn name_as(&self, bearer: &str, location: &str) -> Value {
        let (_, answer) = self.ask_as(bearer, Some(location), NAME, json!({ "id": DEMO_CONTACT })).await;
        assert_eq!(answer.get("errors"), None);
        answer["data"]["contact"]["name"].clone()
    }
}

#[tokio::test]
async fn a_contact_that_turns_out_to_be_elsewhere_is_not_shown_and_is_forgotten_there() {
    let (stage, [a, b]) = stage().await;
    let old = stage.name_as("pit-b", &b).await;
    let input = json!({ "id": DEMO_CONTACT, "firstName": "New" });
    let selection = "contact { id locationId name email }";
    let answer = stage.change_as("pit-b", &a, "updateContact", input.clone(), selection).await;
    assert_eq!(errors(&answer), one_error("updateContact", "NOT_FOUND"));
    assert_eq!(answer["data"], json!({ "updateContact": null }));
    assert!(!answer.to_string().contains(&b), "{answer}");
    let new = stage.name_as("pit-b", &b).await;
    assert!(new != old && new.as_str().unwrap().starts_with("New "), "{new}");
    stage.calls();
    let answer = stage.change_as("pit-b", &a, "updateContact", input, selection).await;
    assert_eq!(errors(&answer), one_error("updateContact", "NOT_FOUND"));
    assert_eq!(stage.calls(), BTreeMap::new(), "now it is known");
}

#[tokio::test]
async fn what_is_known_to_be_elsewhere_is_neither_changed_nor_read() {
    let (stage, [a, _]) = stage().await;
    let (task, note) = stage.demo_records();
    assert_eq!(stage.name_as("pit-b", &a).await, Value::Null);
    stage.calls();
    for (field, mut input) in callers::inputs() {
        if input["id"] == "t" {
            input["id"] = json!(task);
        }
        if input["id"] == "n" {
            input["id"] = json!(note);
        }
        if !matches!(field, "createContact" | "upsertContact") {
            let answer = stage.change_as("pit-b", &a, field, input, "__typename").await;
            assert_eq!(errors(&answer), one_error(field, "NOT_FOUND"));
            assert_eq!(answer["errors"][0]["message"], "There is no such record upstream.");
        }
    }
    let query = "query R($c: ID!, $t: ID!, $n: ID!) { task(contactId: $c, id: $t) { title } note(contactId: $c, id: $n) { note } \
        contact(id: $c) { tasks { title } notes { note } appointments { title } } }";
    let ids = json!({ "c": DEMO_CONTACT, "t": task, "n": note });
    let (_, answer) = stage.ask_as("pit-b", Some(&a), query, ids).await;
    assert_eq!(answer, json!({ "data": { "task": null, "note": null, "contact": null } }));
    assert_eq!(stage.calls(), BTreeMap::new());
}

/// What is elsewhere is not shown, and yet it is not gone.
#[tokio::test]
async fn a_deletion_of_which_the_answer_is_lost_is_not_taken_for_made_because_the_contact_is_elsewhere() {
    let (stage, [a, b]) = stage().await;
    stage.sandbox.fault(Fault::on(DELETE).status(500).times(1));
    let answer = stage.change_as("pit-b", &a, "deleteContact", json!({ "id": DEMO_CONTACT }), "deletedId").await;
    assert_eq!(errors(&answer), one_error("deleteContact", "UPSTREAM_UNAVAILABLE"));
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("not known whether"), "{answer}");
    assert_eq!(stage.calls(), BTreeMap::from([(DELETE, 1), (CONTACT, 1)]));
    assert!(stage.name_as("pit-b", &b).await.is_string());
}

/// One key for several locations opens them all, so what a caller of one of them names is looked up before it is changed.
#[tokio::test]
async fn with_a_key_of_several_locations_a_contact_is_looked_up_before_it_is_changed() {
    let (sandbox, ids, _) = several(2).await;
    let key = sandbox.info().locations[0].token.clone();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let rows = ids.iter().map(|id| format!("[[location]]\nid = \"{id}\"\napi_key = \"{key}\"\n"));
    std::fs::write(file.path(), rows.collect::<String>()).expect("a file that can be written");
    let stage = Stage::with_file(sandbox, file.path()).await;
    let (task, _) = stage.demo_records();
    for (field, input) in [
        ("deleteContact", json!({ "id": DEMO_CONTACT })),
        ("deleteTask", json!({ "contactId": DEMO_CONTACT, "id": task })),
    ] {
        let query = mutation(field, "deletedId");
        let answer = stage.ask_at(&ids[1], &query, json!({ "input": input })).await;
        assert_eq!(errors(&answer), one_error(field, "NOT_FOUND"));
    }
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "it is the first one's");
    let rename = mutation("updateContact", "contact { firstName }");
    for (name, calls) in [("One", vec![(CONTACT, 1), (UPDATE, 1)]), ("Two", vec![(UPDATE, 1)])] {
        let input = json!({ "input": { "id": DEMO_CONTACT, "firstName": name } });
        let answer = stage.ask_at(&ids[0], &rename, input).await;
        assert_eq!(answer["data"]["updateContact"]["contact"]["firstName"], name);
        assert_eq!(stage.calls(), calls.into_iter().collect::<BTreeMap<_, _>>());
    }
}

/// With a key for each location the upstream itself keeps to it, and nothing is looked up.
#[tokio::test]
async fn with_a_key_for_each_location_a_change_is_one_call() {
    let (sandbox, ids, file) = several(2).await;
    let stage = Stage::with_file(sandbox, file.path()).await;
    let query = mutation("addContactTags", "contact { tags }");
    let input = json!({ "input": { "contactId": DEMO_CONTACT, "tags": ["new"] } });
    let answer = stage.ask_at(&ids[1], &query, input).await;
    assert_eq!(answer.get("errors"), None);
    assert_eq!(stage.calls(), BTreeMap::from([(ADD_TAGS, 1)]));
}
