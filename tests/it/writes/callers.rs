//! Who may change things, and that a change is seen by everybody else.

use std::cmp::Reverse;
use std::collections::BTreeMap;

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

const LOOK: &str = "query L($id: ID!) { contact(id: $id) { name tags tasks { title status } notes { note } } \
    contacts(first: 3, search: \"lindqvist\") { nodes { name tags } } }";

/// The same without the lists of the contact: those of one that is gone are begun with it, and nobody waits for them.
const LOOK_FOR_IT: &str = "query L($id: ID!) { contact(id: $id) { name } \
    contacts(first: 3, search: \"lindqvist\") { nodes { name } } }";

/// A change of the demo contact, and what others see of it.
struct Seen {
    field: &'static str,
    input: Value,
    /// Where, and what is there.
    shows: Vec<(String, Value)>,
    /// What it costs whoever reads with the same credential, and whoever reads with another. No row of a list is believed of a
    /// contact that was just changed: it is read by its id, unless it is held.
    same: &'static [&'static str],
    another: &'static [&'static str],
}

fn seen(stage: &Stage) -> Vec<Seen> {
    let record = stage.upstream(DEMO_CONTACT);
    let (task, _) = stage.demo_records();
    let mut notes: Vec<_> = record.notes.iter().collect();
    notes.sort_by_key(|note| Reverse(note["dateAdded"].as_str()));
    let (note, older) = (&notes[0]["id"], &notes[1]["body"]);
    let (email, had) = (&record.contact["email"], record.contact["tags"].as_array().expect("tags"));
    let tags = |tags: &[Value]| vec![("/contact/tags", json!(tags)), ("/contacts/nodes/0/tags", json!(tags))];
    let named = |name| vec![("/contact/name", json!(name)), ("/contacts/nodes/0/name", json!(name))];
    let of = |more: Value| {
        let mut input = json!({ "contactId": DEMO_CONTACT });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let (last, second) = (record.tasks.len(), &record.tasks[1]["title"]);
    let done = record.tasks[0]["completed"] == true;
    let due = "2026-12-09T12:00:00Z";
    let row = |field, input, shows: Vec<(&str, Value)>, same, another| {
        let shows = shows.into_iter().map(|(place, value)| (place.to_owned(), value)).collect();
        Seen { field, input, shows, same, another }
    };
    vec![
        row(
            "createContact",
            json!({ "name": "Zora Lindqvist" }),
            vec![("/contacts/nodes/0/name", json!("Zora Lindqvist"))],
            &[LIST],
            &[CONTACT, LIST],
        ),
        row(
            "updateContact",
            json!({ "id": DEMO_CONTACT, "firstName": "Amy" }),
            named("Amy Lindqvist"),
            &[LIST],
            &[CONTACT, LIST],
        ),
        row(
            "upsertContact",
            json!({ "email": email, "firstName": "Amy" }),
            named("Amy Lindqvist"),
            &[LIST],
            &[CONTACT, LIST],
        ),
        row(
            "deleteContact",
            json!({ "id": DEMO_CONTACT }),
            vec![("/contact", Value::Null), ("/contacts/nodes", json!([]))],
            &[LIST],
            &[CONTACT, LIST],
        ),
        row(
            "addContactTags",
            of(json!({ "tags": ["x"] })),
            tags(&[had, &[json!("x")][..]].concat()),
            &[CONTACT, LIST],
            &[CONTACT, LIST],
        ),
        row("removeContactTags", of(json!({ "tags": [had[0]] })), tags(&had[1..]), &[CONTACT, LIST], &[CONTACT, LIST]),
        row(
            "createTask",
            of(json!({ "title": "New", "dueDate": due })),
            vec![(&format!("/contact/tasks/{last}/title"), json!("New"))],
            &[TASKS],
            &[TASKS],
        ),
        row(
            "updateTask",
            of(json!({ "id": task, "title": "New" })),
            vec![("/contact/tasks/0/title", json!("New"))],
            &[TASKS],
            &[TASKS],
        ),
        row(
            "setTaskCompleted",
            of(json!({ "id": task, "completed": !done })),
            vec![("/contact/tasks/0/status", json!(if done { "OPEN" } else { "COMPLETED" }))],
            &[TASKS],
            &[TASKS],
        ),
        row(
            "deleteTask",
            of(json!({ "id": task })),
            vec![("/contact/tasks/0/title", second.clone())],
            &[TASKS],
            &[TASKS],
        ),
        row(
            "createNote",
            of(json!({ "note": "New" })),
            vec![("/contact/notes/0/note", json!("New"))],
            &[NOTES],
            &[NOTES],
        ),
        row(
            "updateNote",
            of(json!({ "id": note, "note": "New" })),
            vec![("/contact/notes/0/note", json!("New"))],
            &[NOTES],
            &[NOTES],
        ),
        row(
            "deleteNote",
            of(json!({ "id": note })),
            vec![("/contact/notes/0/note", older.clone())],
            &[NOTES],
            &[NOTES],
        ),
    ]
}

/// The one who changes and the one who looks, as this gateway knows them.
async fn next_read_of(stage: &Stage, [writer, reader]: [&str; 2], number: usize, is_same: bool) {
    let Seen { field, input, shows, same, another } = seen(stage).swap_remove(number);
    let location = stage.sandbox.info().location_id.clone();
    let query = if field == "deleteContact" { LOOK_FOR_IT } else { LOOK };
    let look = async || stage.ask_as(reader, Some(&location), query, json!({ "id": DEMO_CONTACT })).await.1;
    let before = look().await;
    assert_eq!(before.get("errors"), None, "{before}");
    for (place, want) in &shows {
        assert_ne!(before["data"].pointer(place), Some(want), "{field}: {place} tells nothing");
    }
    stage.calls();
    let query = mutation(field, "__typename");
    let (_, answer) = stage.ask_as(writer, Some(&location), &query, json!({ "input": input })).await;
    assert_eq!((answer.get("errors"), stage.sandbox.total()), (None, 1), "{field}: {answer}");
    stage.calls();
    let reads: BTreeMap<_, _> = if is_same { same } else { another }.iter().map(|route| (*route, 1)).collect();
    for calls in [reads, BTreeMap::new()] {
        let after = look().await;
        for (place, want) in &shows {
            assert_eq!(after["data"].pointer(place), Some(want), "{field}: {place} of {after}");
        }
        assert_eq!(stage.calls(), calls, "{field}, with the same credential: {is_same}");
    }
}

#[tokio::test]
async fn each_change_of_one_key_is_seen_by_the_next() {
    for (number, (field, _)) in inputs().into_iter().enumerate() {
        let stage = with_keys().await;
        assert_eq!(seen(&stage)[number].field, field, "there is a row for each mutation");
        next_read_of(&stage, ["k-writer", "k-reader"], number, true).await;
    }
}

#[tokio::test]
async fn each_change_with_one_credential_is_seen_by_the_next() {
    for number in 0..inputs().len() {
        let (sandbox, locations, _file) = several(1).await;
        for token in ["pit-1", "pit-2"] {
            sandbox.allow(token, &locations[0], &[READ, WRITE]);
        }
        let stage = Stage::over(sandbox, &[("AUTH", "passthrough")], None).await;
        next_read_of(&stage, ["pit-1", "pit-2"], number, false).await;
    }
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
