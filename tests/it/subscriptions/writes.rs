//! What is changed through the gateway is told to those who watch, also where nobody knows what came of it.

use contacts_gateway::sandbox::{Cut, Fault};

use super::*;

const CREATE_TASK: &str = "POST /contacts/{contactId}/tasks";
const UPDATE: &str = "PUT /contacts/{contactId}";

/// Each mutation, with what it needs of a contact, and what is told of it.
fn rows() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let due = "2027-01-09T12:00:00Z";
    vec![
        ("updateContact", json!({ "id": "ID", "firstName": "Amy" }), "contact { id }", "UPDATED CONTACT"),
        ("upsertContact", json!({ "email": "MAIL", "lastName": "New" }), "contact { id }", "UPDATED CONTACT"),
        ("addContactTags", json!({ "contactId": "ID", "tags": ["new"] }), "contact { id }", "UPDATED CONTACT"),
        ("removeContactTags", json!({ "contactId": "ID", "tags": ["new"] }), "contact { id }", "UPDATED CONTACT"),
        ("createTask", json!({ "contactId": "ID", "title": "T", "dueDate": due }), "task { id }", "CREATED TASK"),
        ("updateTask", json!({ "contactId": "ID", "id": "TASK", "title": "U" }), "task { id }", "UPDATED TASK"),
        (
            "setTaskCompleted",
            json!({ "contactId": "ID", "id": "TASK", "completed": true }),
            "task { id }",
            "UPDATED TASK",
        ),
        ("deleteTask", json!({ "contactId": "ID", "id": "TASK" }), "deletedId", "DELETED TASK"),
        ("createNote", json!({ "contactId": "ID", "note": "N" }), "note { id }", "CREATED NOTE"),
        ("updateNote", json!({ "contactId": "ID", "id": "NOTE", "note": "M" }), "note { id }", "UPDATED NOTE"),
        ("deleteNote", json!({ "contactId": "ID", "id": "NOTE" }), "deletedId", "DELETED NOTE"),
        ("deleteContact", json!({ "id": "ID" }), "deletedId", "DELETED CONTACT"),
    ]
}

fn mutation(field: &str, selection: &str) -> String {
    let kind = field[..1].to_uppercase() + &field[1..];
    format!("mutation M($input: {kind}Input!) {{ {field}(input: $input) {{ {selection} }} }}")
}

#[tokio::test]
async fn each_mutation_is_told_once_with_what_it_changed() {
    let stage = still(&[]).await;
    let record = stage.sandbox.record(&stage.sandbox.info().location_id, DEMO_CONTACT);
    let names = [
        ("ID", json!(DEMO_CONTACT)),
        ("MAIL", record.contact["email"].clone()),
        ("TASK", record.tasks[0]["id"].clone()),
        ("NOTE", record.notes[0]["id"].clone()),
    ];
    let mut one =
        Socket::watching(&stage, &ONE.replace("contact { id name tags }", ""), json!({ "id": DEMO_CONTACT })).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    for (field, mut input, selection, want) in rows() {
        for value in input.as_object_mut().unwrap().values_mut() {
            if let Some((_, real)) = names.iter().find(|(name, _)| value == name) {
                *value = real.clone();
            }
        }
        let data = stage.data(&mutation(field, selection), json!({ "input": input })).await;
        let told = one.told("1").await;
        assert_eq!(all.told("1").await, told);
        let (kind, resource) = want.split_once(' ').unwrap();
        let id = match resource {
            "CONTACT" => json!(DEMO_CONTACT),
            _ if kind == "CREATED" => data[field][resource.to_lowercase()]["id"].clone(),
            _ => input["id"].clone(),
        };
        assert_eq!(told, change(kind, resource, id, DEMO_CONTACT), "{field}");
    }
    let input = json!({ "firstName": "Ida", "email": "ida@new.example" });
    let data = stage.data(&mutation("createContact", "contact { id }"), json!({ "input": input })).await;
    let id = data["createContact"]["contact"]["id"].as_str().unwrap();
    assert_eq!(all.told("1").await, change("CREATED", "CONTACT", json!(id), id));
    one.heard_nothing().await;
    all.heard_nothing().await;
}

#[tokio::test]
async fn what_is_told_is_read_after_the_change() {
    let stage = still(&[]).await;
    let mut socket = Socket::watching(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    stage.profile().await;
    stage.calls();
    stage.data(ADD_TAG, json!({ "id": DEMO_CONTACT, "tag": "now" })).await;
    let tags = socket.told("1").await["contact"]["tags"].take();
    assert!(tags.as_array().unwrap().contains(&json!("now")), "{tags}");
    assert_eq!(stage.calls(), BTreeMap::from([(ADD_TAGS, 1), (CONTACT, 1)]));
}

#[tokio::test]
async fn what_was_refused_is_not_told() {
    let stage = still(&[]).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    stage.sandbox.fault(Fault::on(UPDATE).status(422).times(1));
    let input = json!({ "id": DEMO_CONTACT, "firstName": "Amy" });
    let answer = stage.ask(&mutation("updateContact", "contact { id }"), json!({ "input": input })).await;
    assert_eq!(errors(&answer), one_error("updateContact", "BAD_USER_INPUT"));
    all.heard_nothing().await;
}

/// The answer is lost, and it cannot be told afterwards whether the task was made.
#[tokio::test]
async fn of_a_change_with_an_unknown_end_those_who_watch_are_told_to_look() {
    let stage = still(&[("UPSTREAM_RETRIES", "0")]).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    stage.sandbox.fault(Fault::on(CREATE_TASK).cut(Cut::Before).times(1));
    stage.sandbox.fault(Fault::on(TASKS).status(503).times(1));
    let input = json!({ "contactId": DEMO_CONTACT, "title": "T", "dueDate": "2027-01-09T12:00:00Z" });
    let answer = stage.ask(&mutation("createTask", "task { id }"), json!({ "input": input })).await;
    assert_eq!(errors(&answer), one_error("createTask", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(all.told("1").await, change("UPDATED", "TASK", Value::Null, DEMO_CONTACT));
    all.heard_nothing().await;
}

/// The answer is lost, and the look afterwards finds that the change was made.
#[tokio::test]
async fn a_change_that_was_found_to_be_made_is_told() {
    let stage = still(&[("UPSTREAM_RETRIES", "0")]).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    stage.sandbox.fault(Fault::on(ADD_TAGS).cut(Cut::Before).times(1));
    let answer = stage.ask(ADD_TAG, json!({ "id": DEMO_CONTACT, "tag": "now" })).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    assert_eq!(all.told("1").await, change("UPDATED", "CONTACT", json!(DEMO_CONTACT), DEMO_CONTACT));
    all.heard_nothing().await;
}
