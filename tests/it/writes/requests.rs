//! Each mutation: the one call that it makes, its payload, and what the next reads cost and show.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::*;

/// A mutation and everything that has to come of it.
struct Case {
    field: &'static str,
    input: Value,
    selection: &'static str,
    /// Method, path and body of its one write.
    sends: (&'static str, String, Option<Value>),
    /// Reads that the payload costs.
    reads: &'static [(&'static str, usize)],
    payload: Value,
    /// Reads that the next look at the contact that was changed costs.
    next: &'static [(&'static str, usize)],
    /// Where that shows the change, and what is there.
    shows: (&'static str, Value),
}

/// What the next read of a contact looks at.
const NEXT: &str = "query Next($id: ID!) { contact(id: $id) { id name email tags \
    tasks { id title status } notes { id note } appointments { id } } }";

fn counted(calls: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    calls.iter().copied().collect()
}

async fn check(stage: &Stage, case: Case) {
    stage.profile().await;
    stage.calls();
    let Case { field, input, selection, sends, reads, payload, next, shows } = case;
    let mut got = stage.changed(field, input.clone(), selection).await;
    let (method, path, body) = sends;
    assert_eq!(stage.sent(), [(method.to_owned(), path, body)], "{field}");
    let mut calls = stage.calls();
    calls.retain(|route, _| route.starts_with("GET "));
    assert_eq!(calls, counted(reads), "reads of the payload of {field}");
    let made = got["contact"]["id"].as_str().map(str::to_owned);
    for part in ["contact", "task", "note"] {
        if got[part]["id"].is_string() && payload[part].get("id").is_none() {
            got[part].as_object_mut().unwrap().remove("id");
        }
    }
    assert_eq!(got, payload, "{field}");
    let id = input["contactId"].as_str().or(input["id"].as_str()).map(str::to_owned).or(made).unwrap();
    for calls in [counted(next), BTreeMap::new()] {
        let seen = stage.data(NEXT, json!({ "id": id })).await;
        assert_eq!(seen["contact"].pointer(shows.0).unwrap_or(&Value::Null), &shows.1, "after {field}");
        assert_eq!(stage.calls(), calls, "the reads after {field}");
    }
}

#[tokio::test]
async fn create_contact() {
    let stage = Stage::new().await;
    let location = stage.sandbox.info().location_id.clone();
    let input = json!({
        "firstName": "Bola", "lastName": "Ade", "email": "bola@new.example", "company": "Nine Ltd", "tags": ["fresh"],
        "address": { "line1": "9 Elm", "city": "Waco" }, "customFields": [{ "id": "f1", "value": "gold" }], "source": null,
    });
    let body = json!({
        "locationId": location, "firstName": "Bola", "lastName": "Ade", "email": "bola@new.example",
        "companyName": "Nine Ltd", "tags": ["fresh"], "address1": "9 Elm", "city": "Waco",
        "customFields": [{ "id": "f1", "field_value": "gold" }],
    });
    let case = Case {
        field: "createContact",
        input,
        selection: "contact { id name company tags address { line1 } customFields { id value } tasks { id } }",
        sends: ("POST", "/contacts/".into(), Some(body)),
        reads: &[(TASKS, 1)],
        payload: json!({ "contact": {
            "name": "Bola Ade", "company": "Nine Ltd", "tags": ["fresh"], "address": { "line1": "9 Elm" },
            "customFields": [{ "id": "f1", "value": "gold" }], "tasks": [],
        } }),
        next: &[(NOTES, 1), (APPOINTMENTS, 1)],
        shows: ("/email", json!("bola@new.example")),
    };
    check(&stage, case).await;
}

#[tokio::test]
async fn update_contact() {
    let stage = Stage::new().await;
    let case = Case {
        field: "updateContact",
        input: json!({ "id": DEMO_CONTACT, "lastName": "Okafor", "phone": null, "address": { "city": "Dallas" } }),
        selection: "contact { name phone address { city } tasks { status } }",
        sends: (
            "PUT",
            format!("/contacts/{DEMO_CONTACT}"),
            Some(json!({ "lastName": "Okafor", "phone": null, "city": "Dallas" })),
        ),
        reads: &[],
        payload: json!({ "contact": {
            "name": "Amara Okafor", "phone": null, "address": { "city": "Dallas" },
            "tasks": stage.profile().await["contact"]["tasks"].as_array().unwrap().iter()
                .map(|task| json!({ "status": task["status"] })).collect::<Vec<_>>(),
        } }),
        next: &[],
        shows: ("/name", json!("Amara Okafor")),
    };
    check(&stage, case).await;
}

#[tokio::test]
async fn upsert_contact() {
    let stage = Stage::new().await;
    let location = stage.sandbox.info().location_id.clone();
    let email = stage.upstream(DEMO_CONTACT).contact["email"].clone();
    let case = Case {
        field: "upsertContact",
        input: json!({ "email": email, "lastName": "Upset", "tags": ["only"], "source": null }),
        selection: "created contact { id name tags }",
        sends: (
            "POST",
            "/contacts/upsert".into(),
            Some(
                json!({ "locationId": location, "email": email, "lastName": "Upset", "tags": ["only"], "source": "" }),
            ),
        ),
        reads: &[],
        payload: json!({ "created": false, "contact": { "id": DEMO_CONTACT, "name": "Amara Upset", "tags": ["only"] } }),
        next: &[],
        shows: ("/name", json!("Amara Upset")),
    };
    check(&stage, case).await;
    let input = json!({ "email": "nobody@new.example", "name": "New One" });
    let made = stage.changed("upsertContact", input, "created contact { email }").await;
    assert_eq!(made, json!({ "created": true, "contact": { "email": "nobody@new.example" } }));
}

#[tokio::test]
async fn delete_contact() {
    let stage = Stage::new().await;
    let (task, note) = stage.demo_records();
    let one =
        "query O($c: ID!, $t: ID!, $n: ID!) { task(contactId: $c, id: $t) { id } note(contactId: $c, id: $n) { id } }";
    let ids = json!({ "c": DEMO_CONTACT, "t": task, "n": note });
    assert_eq!(stage.data(one, ids.clone()).await["task"]["id"], task.as_str());
    let case = Case {
        field: "deleteContact",
        input: json!({ "id": DEMO_CONTACT }),
        selection: "deletedId",
        sends: ("DELETE", format!("/contacts/{DEMO_CONTACT}"), None),
        reads: &[],
        payload: json!({ "deletedId": DEMO_CONTACT }),
        next: &[],
        shows: ("", Value::Null),
    };
    check(&stage, case).await;
    assert_eq!(stage.data(one, ids).await, json!({ "task": null, "note": null }), "what belonged to it went with it");
}

#[tokio::test]
async fn tags_are_added_and_removed_without_touching_the_others() {
    let stage = Stage::new().await;
    let tags = stage.upstream(DEMO_CONTACT).contact["tags"].as_array().unwrap().clone();
    let more: Vec<Value> = tags.iter().cloned().chain([json!("new")]).collect();
    let path = format!("/contacts/{DEMO_CONTACT}/tags");
    let case = Case {
        field: "addContactTags",
        input: json!({ "contactId": DEMO_CONTACT, "tags": ["new"] }),
        selection: "contact { name tags }",
        sends: ("POST", path.clone(), Some(json!({ "tags": ["new"] }))),
        reads: &[(CONTACT, 1)],
        payload: json!({ "contact": { "name": "Amara Lindqvist", "tags": more } }),
        next: &[],
        shows: ("/tags", json!(more)),
    };
    check(&stage, case).await;
    let case = Case {
        field: "removeContactTags",
        input: json!({ "contactId": DEMO_CONTACT, "tags": ["new"] }),
        selection: "contact { tags }",
        sends: ("DELETE", path, Some(json!({ "tags": ["new"] }))),
        reads: &[],
        payload: json!({ "contact": { "tags": tags } }),
        next: &[(CONTACT, 1)],
        shows: ("/tags", json!(tags)),
    };
    check(&stage, case).await;
}

/// As the upstream spells them, whatever was sent.
#[tokio::test]
async fn tags_are_answered_as_they_are_kept() {
    let stage = Stage::quirky("lower-tags").await;
    let input = json!({ "contactId": DEMO_CONTACT, "tags": ["VIP"] });
    let payload = stage.changed("addContactTags", input, "contact { tags }").await;
    assert!(payload["contact"]["tags"].as_array().unwrap().contains(&json!("vip")), "{payload}");
}

#[tokio::test]
async fn create_task() {
    let stage = Stage::new().await;
    assert_eq!(stage.upstream(DEMO_CONTACT).tasks.len(), 4);
    let due = "2026-12-09T12:00:00Z";
    let body = json!({ "title": "Send contract", "body": "Two pages", "dueDate": due, "completed": false });
    let case = Case {
        field: "createTask",
        input: json!({ "contactId": DEMO_CONTACT, "title": "Send contract", "body": "Two pages", "dueDate": "2026-12-09T13:00:00+01:00" }),
        selection: "task { id title body status dueDate contactId contact { name tasks(dueAfter: \"2026-12-09T00:00:00Z\") { title } } }",
        sends: ("POST", format!("/contacts/{DEMO_CONTACT}/tasks"), Some(body)),
        reads: &[(TASKS, 1)],
        payload: json!({ "task": {
            "title": "Send contract", "body": "Two pages", "status": "OPEN", "dueDate": due, "contactId": DEMO_CONTACT,
            "contact": { "name": "Amara Lindqvist", "tasks": [{ "title": "Send contract" }] },
        } }),
        next: &[],
        shows: ("/tasks/4/title", json!("Send contract")),
    };
    check(&stage, case).await;
}

#[tokio::test]
async fn update_and_complete_and_delete_a_task() {
    let stage = Stage::new().await;
    let (task, _) = stage.demo_records();
    let path = format!("/contacts/{DEMO_CONTACT}/tasks/{task}");
    let case = Case {
        field: "updateTask",
        input: json!({ "contactId": DEMO_CONTACT, "id": task, "title": "Renamed", "body": null }),
        selection: "task { title body contact { tasks { id } } }",
        sends: ("PUT", path.clone(), Some(json!({ "title": "Renamed", "body": "" }))),
        reads: &[(TASKS, 1)],
        payload: json!({ "task": { "title": "Renamed", "body": null, "contact": {
            "tasks": stage.upstream(DEMO_CONTACT).tasks.iter().map(|task| json!({ "id": task["id"] })).collect::<Vec<_>>(),
        } } }),
        next: &[],
        shows: ("/tasks/0/title", json!("Renamed")),
    };
    check(&stage, case).await;
    let done = stage.upstream(DEMO_CONTACT).tasks[0]["completed"].as_bool().unwrap();
    let status = if done { "OPEN" } else { "COMPLETED" };
    let case = Case {
        field: "setTaskCompleted",
        input: json!({ "contactId": DEMO_CONTACT, "id": task, "completed": !done }),
        selection: "task { status completed }",
        sends: ("PUT", format!("{path}/completed"), Some(json!({ "completed": !done }))),
        reads: &[],
        payload: json!({ "task": { "status": status, "completed": !done } }),
        next: &[(TASKS, 1)],
        shows: ("/tasks/0/status", json!(status)),
    };
    check(&stage, case).await;
    let second = stage.upstream(DEMO_CONTACT).tasks[1]["id"].clone();
    let case = Case {
        field: "deleteTask",
        input: json!({ "contactId": DEMO_CONTACT, "id": task }),
        selection: "deletedId contact { id name notes { id } tasks(first: 1) { id } }",
        sends: ("DELETE", path, None),
        reads: &[(TASKS, 1)],
        payload: json!({ "deletedId": task, "contact": { "id": DEMO_CONTACT, "name": "Amara Lindqvist",
            "tasks": [{ "id": second }],
            "notes": stage.profile().await["contact"]["notes"].as_array().unwrap().iter()
                .map(|note| json!({ "id": note["id"] })).collect::<Vec<_>>(),
        } }),
        next: &[],
        shows: ("/tasks/0/id", second),
    };
    check(&stage, case).await;
}

#[tokio::test]
async fn create_and_update_and_delete_a_note() {
    let stage = Stage::new().await;
    let case = Case {
        field: "createNote",
        input: json!({ "contactId": DEMO_CONTACT, "note": "Wants a quote", "title": "Call", "color": "#FFAA00", "pinned": true }),
        selection: "note { id note title color pinned contactId contact { notes(first: 1) { note } } }",
        sends: (
            "POST",
            format!("/contacts/{DEMO_CONTACT}/notes"),
            Some(json!({ "body": "Wants a quote", "title": "Call", "color": "#FFAA00", "pinned": true })),
        ),
        reads: &[(NOTES, 1)],
        payload: json!({ "note": { "note": "Wants a quote", "title": "Call", "color": "#FFAA00", "pinned": true,
            "contactId": DEMO_CONTACT, "contact": { "notes": [{ "note": "Wants a quote" }] } } }),
        next: &[],
        shows: ("/notes/0/note", json!("Wants a quote")),
    };
    check(&stage, case).await;
    let note = stage.profile().await["contact"]["notes"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/contacts/{DEMO_CONTACT}/notes/{note}");
    let case = Case {
        field: "updateNote",
        input: json!({ "contactId": DEMO_CONTACT, "id": note, "note": "Said no", "title": null, "pinned": null }),
        selection: "note { note title pinned }",
        sends: ("PUT", path.clone(), Some(json!({ "body": "Said no", "title": "", "pinned": false }))),
        reads: &[],
        payload: json!({ "note": { "note": "Said no", "title": null, "pinned": false } }),
        next: &[(NOTES, 1)],
        shows: ("/notes/0/note", json!("Said no")),
    };
    check(&stage, case).await;
    let second = stage.profile().await["contact"]["notes"][1]["id"].clone();
    let case = Case {
        field: "deleteNote",
        input: json!({ "contactId": DEMO_CONTACT, "id": note }),
        selection: "deletedId contact { notes(first: 1) { id } }",
        sends: ("DELETE", path, None),
        reads: &[(NOTES, 1)],
        payload: json!({ "deletedId": note, "contact": { "notes": [{ "id": second }] } }),
        next: &[],
        shows: ("/notes/0/id", second),
    };
    check(&stage, case).await;
}

#[tokio::test]
async fn one_task_is_held_after_its_change_and_gone_after_its_end() {
    let stage = Stage::new().await;
    let (task, note) = stage.demo_records();
    let one = "query O($c: ID!, $t: ID!, $n: ID!) { task(contactId: $c, id: $t) { title } note(contactId: $c, id: $n) { note } }";
    let ids = json!({ "c": DEMO_CONTACT, "t": task, "n": note });
    let whose = |more: Value| {
        let mut input = json!({ "contactId": DEMO_CONTACT });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    stage.data(one, ids.clone()).await;
    stage.changed("updateTask", whose(json!({ "id": task, "title": "T" })), "task { id }").await;
    stage.changed("updateNote", whose(json!({ "id": note, "note": "N" })), "note { id }").await;
    stage.calls();
    let seen = stage.data(one, ids.clone()).await;
    assert_eq!(seen, json!({ "task": { "title": "T" }, "note": { "note": "N" } }));
    stage.changed("deleteTask", whose(json!({ "id": task })), "deletedId").await;
    stage.changed("deleteNote", whose(json!({ "id": note })), "deletedId").await;
    assert_eq!(stage.data(one, ids).await, json!({ "task": null, "note": null }));
    assert_eq!(stage.calls().keys().filter(|route| route.starts_with("GET")).count(), 0);
}

#[tokio::test]
async fn mutations_of_a_request_run_in_order_and_a_failed_one_leaves_the_others() {
    let stage = Stage::new().await;
    let query = "mutation M($c: ID!) { a: createNote(input: { contactId: $c, note: \"one\" }) { note { contact { notes(first: 1) { note } } } } \
        b: deleteNote(input: { contactId: $c, id: \"nope\" }) { deletedId } \
        c: updateTask(input: { contactId: \"nobody\", id: \"t\", title: \"x\" }) { task { id } } \
        d: createNote(input: { contactId: $c, note: \"two\" }) { note { contact { notes(first: 1) { note } } } } }";
    stage.profile().await;
    stage.sandbox.reset();
    let answer = stage.ask(query, json!({ "c": DEMO_CONTACT })).await;
    let failed = vec![("b".to_owned(), "NOT_FOUND".to_owned()), ("c".to_owned(), "NOT_FOUND".to_owned())];
    assert_eq!(errors(&answer), failed);
    let newest = |field: &str| answer["data"][field]["note"]["contact"]["notes"][0]["note"].clone();
    assert_eq!((newest("a"), newest("d")), (json!("one"), json!("two")));
    assert_eq!((&answer["data"]["b"], &answer["data"]["c"]), (&Value::Null, &Value::Null));
    let methods: Vec<_> = stage.sandbox.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["POST", "GET", "DELETE", "PUT", "POST", "GET"]);
    assert_eq!(stage.sandbox.max_in_flight(), 1);
}

#[tokio::test]
async fn a_duplicate_is_a_conflict_that_names_the_other() {
    let stage = Stage::new().await;
    let email = stage.upstream(DEMO_CONTACT).contact["email"].clone();
    let answer = stage.change("createContact", json!({ "name": "Again", "email": email }), "contact { id }").await;
    assert_eq!(errors(&answer), one_error("createContact", "CONFLICT"));
    assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], DEMO_CONTACT);
    assert_eq!(answer["data"]["createContact"], Value::Null);
}

#[tokio::test]
async fn a_second_contact_with_the_same_mail_is_created_where_it_is_wanted_and_allowed() {
    let stage = Stage::quirky("duplicates-allowed").await;
    let email = stage.upstream(DEMO_CONTACT).contact["email"].clone();
    let input = json!({ "email": email, "name": "Second", "createNewIfDuplicateAllowed": true });
    let payload = stage.changed("upsertContact", input, "created contact { id }").await;
    assert_eq!(payload["created"], true);
    assert_ne!(payload["contact"]["id"], DEMO_CONTACT);
    assert_eq!(stage.sent()[0].2.as_ref().unwrap()["createNewIfDuplicateAllowed"], true);
}

#[tokio::test]
async fn lists_show_who_came_and_not_who_went() {
    let stage = Stage::new().await;
    let business = stage.upstream(DEMO_CONTACT).contact["businessId"].clone();
    let query = "query L($b: ID!, $s: String) { contacts(first: 3) { nodes { id } totalCount } \
        contactsByBusiness(businessId: $b, first: 100) { nodes { id } } found: contacts(search: $s) { nodes { id } } }";
    let ask = || stage.data(query, json!({ "b": business, "s": "Lindqvist" }));
    let ids =
        |list: &Value| list["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
    let before = ask().await;
    assert!(ids(&before["contactsByBusiness"]).contains(&json!(DEMO_CONTACT)));
    let made = stage.changed("createContact", json!({ "name": "Zora Lindqvist" }), "contact { id }").await;
    let made = made["contact"]["id"].clone();
    let after = ask().await;
    assert_eq!((&ids(&after["contacts"])[0], &after["contacts"]["totalCount"]), (&made, &json!(251)));
    assert!(ids(&after["found"]).contains(&made));
    stage.changed("deleteContact", json!({ "id": made }), "deletedId").await;
    let other = json!({ "id": DEMO_CONTACT, "lastName": "Other", "email": "amara@other.example" });
    stage.changed("updateContact", other, "contact { id }").await;
    let end = ask().await;
    assert_eq!(ids(&end["contacts"]), ids(&before["contacts"]));
    assert_eq!(ids(&end["found"]), Vec::<Value>::new());
}

#[tokio::test]
async fn a_task_costs_neither_notes_nor_pages() {
    let stage = Stage::new().await;
    let list = "{ contacts(first: 5, search: \"amara\") { nodes { name } } }";
    stage.data(list, json!({})).await;
    stage.profile().await;
    stage.calls();
    let input = json!({ "contactId": DEMO_CONTACT, "title": "x", "dueDate": "2026-12-09T12:00:00Z" });
    stage.changed("createTask", input, "task { id }").await;
    stage.data(list, json!({})).await;
    stage.profile().await;
    assert_eq!(stage.calls(), BTreeMap::from([(CREATE_TASK, 1), (TASKS, 1)]));
}
