//! A change whose answer is lost is never sent again: it is looked for, and what cannot be told is said.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::{Cut, DEMO_CONTACT, Fault, Options};
use serde_json::{Value, json};

use super::*;

/// A mutation that fails, and whether the upstream shows its effect.
struct Change {
    field: &'static str,
    input: fn(&Stage) -> Value,
    selection: &'static str,
    route: &'static str,
    /// How often its effect is there.
    made: fn(&Stage) -> usize,
    /// What tells from outside whether it was made.
    look: &'static str,
    /// How often that is asked.
    looks: usize,
    /// Whether it can be told at all.
    can_be_told: bool,
}

impl Default for Change {
    fn default() -> Self {
        Self {
            field: "",
            input: |_| Value::Null,
            selection: "__typename",
            route: "",
            made: |_| 0,
            look: "",
            looks: 1,
            can_be_told: true,
        }
    }
}

const DUE: &str = "2026-12-09T12:00:00Z";

/// Notes of the demo's contact.
const DEMO_NOTES: usize = 3;

/// Contacts of a sandbox that is made for a single failure.
const FEW: usize = 3;

async fn few() -> Stage {
    Stage::with(Options { contacts: FEW, ..Options::default() }, &[]).await
}

fn times(items: &[Value], key: &str, value: &str) -> usize {
    items.iter().filter(|item| item[key] == value).count()
}

fn of_demo(mut input: Value) -> Value {
    input["contactId"] = DEMO_CONTACT.into();
    input
}

fn changes() -> Vec<Change> {
    vec![
        Change {
            field: "createTask",
            input: |_| of_demo(json!({ "title": "Once", "dueDate": DUE })),
            selection: "task { title }",
            route: CREATE_TASK,
            made: |stage| times(&stage.upstream(DEMO_CONTACT).tasks, "title", "Once"),
            look: TASKS,
            ..Change::default()
        },
        Change {
            field: "setTaskCompleted",
            input: |stage| of_demo(json!({ "id": stage.demo_records().0, "completed": true })),
            selection: "task { completed }",
            route: COMPLETE_TASK,
            made: |stage| usize::from(stage.upstream(DEMO_CONTACT).tasks[0]["completed"] == true),
            look: TASK,
            ..Change::default()
        },
        Change {
            field: "deleteTask",
            input: |stage| of_demo(json!({ "id": stage.demo_records().0 })),
            selection: "deletedId",
            route: DELETE_TASK,
            made: |stage| 4 - stage.upstream(DEMO_CONTACT).tasks.len(),
            look: TASK,
            ..Change::default()
        },
        Change {
            field: "createNote",
            input: |_| of_demo(json!({ "note": "Once", "pinned": true })),
            selection: "note { note }",
            route: CREATE_NOTE,
            made: |stage| times(&stage.upstream(DEMO_CONTACT).notes, "body", "Once"),
            look: NOTES,
            ..Change::default()
        },
        Change {
            field: "updateNote",
            input: |stage| of_demo(json!({ "id": stage.demo_records().1, "note": "Once" })),
            selection: "note { note }",
            route: UPDATE_NOTE,
            made: |stage| times(&stage.upstream(DEMO_CONTACT).notes, "body", "Once"),
            look: NOTE,
            ..Change::default()
        },
        Change {
            field: "createContact",
            input: |_| json!({ "name": "Once Only", "email": "Once@new.example", "phone": "+1 555 000" }),
            selection: "contact { name }",
            route: CREATE,
            made: |stage| stage.ids().len() - FEW,
            look: DUPLICATE,
            looks: 2,
            ..Change::default()
        },
        Change {
            field: "updateContact",
            input: |_| {
                json!({
                    "id": DEMO_CONTACT, "firstName": "Once", "phone": null, "dateOfBirth": "1980-02-29",
                    "address": { "country": null }, "customFields": [{ "id": "f", "value": ["a"] }],
                })
            },
            selection: "contact { firstName }",
            route: UPDATE,
            made: |stage| usize::from(stage.upstream(DEMO_CONTACT).contact["firstName"] == "Once"),
            look: CONTACT,
            ..Change::default()
        },
        Change {
            field: "addContactTags",
            input: |_| of_demo(json!({ "tags": ["once"] })),
            selection: "contact { tags }",
            route: ADD_TAGS,
            made: |stage| {
                let tags = stage.upstream(DEMO_CONTACT).contact["tags"].clone();
                tags.as_array().unwrap().iter().filter(|tag| **tag == "once").count()
            },
            look: CONTACT,
            ..Change::default()
        },
        Change {
            field: "deleteContact",
            input: |_| json!({ "id": DEMO_CONTACT }),
            selection: "deletedId",
            route: DELETE,
            made: |stage| FEW - stage.ids().len(),
            look: CONTACT,
            ..Change::default()
        },
        Change {
            field: "updateTask",
            input: |stage| of_demo(json!({ "id": stage.demo_records().0, "title": "Once", "dueDate": DUE })),
            selection: "task { title }",
            route: UPDATE_TASK,
            made: |stage| times(&stage.upstream(DEMO_CONTACT).tasks, "title", "Once"),
            look: TASK,
            ..Change::default()
        },
        Change {
            field: "deleteNote",
            input: |stage| of_demo(json!({ "id": stage.demo_records().1 })),
            selection: "deletedId",
            route: DELETE_NOTE,
            made: |stage| DEMO_NOTES - stage.upstream(DEMO_CONTACT).notes.len(),
            look: NOTE,
            ..Change::default()
        },
        Change {
            field: "removeContactTags",
            input: |stage| of_demo(json!({ "tags": stage.upstream(DEMO_CONTACT).contact["tags"] })),
            selection: "contact { tags }",
            route: REMOVE_TAGS,
            made: |stage| usize::from(stage.upstream(DEMO_CONTACT).contact["tags"] == json!([])),
            look: CONTACT,
            ..Change::default()
        },
        Change {
            field: "upsertContact",
            input: |stage| json!({ "email": stage.upstream(DEMO_CONTACT).contact["email"], "firstName": "Once" }),
            selection: "created",
            route: UPSERT,
            made: |stage| usize::from(stage.upstream(DEMO_CONTACT).contact["firstName"] == "Once"),
            look: DUPLICATE,
            can_be_told: false,
            ..Change::default()
        },
    ]
}

/// Whether an answer says that nobody knows what came of the change.
fn unknown(answer: &Value) -> bool {
    answer["errors"][0]["message"].as_str().is_some_and(|message| message.contains("not known whether"))
}

#[test]
fn every_mutation_is_among_them() {
    let fields: Vec<&str> = changes().iter().map(|change| change.field).collect();
    for (field, _) in callers::inputs() {
        assert!(fields.contains(&field), "{field}");
    }
}

/// Sends the mutation into the fault, and returns its answer after what holds in every case.
async fn fail(stage: &Stage, change: &Change, fault: Fault) -> Value {
    let what = format!("{} under {fault:?}", change.field);
    let ready = json!({ "id": DEMO_CONTACT });
    // What is held now must not be shown afterwards.
    stage.data(PROFILE, ready).await;
    let input = (change.input)(stage);
    stage.sandbox.reset();
    stage.sandbox.fault(fault.times(1));
    let answer = stage.change(change.field, input, change.selection).await;
    assert_eq!(stage.sandbox.count(change.route), 1, "{what}: sent again");
    assert_eq!(stage.sandbox.count(change.look), change.looks, "{what}: looked for");
    answer
}

async fn is_the_truth(stage: &Stage, what: &str) {
    let record = stage.ids().iter().any(|id| id == DEMO_CONTACT).then(|| stage.upstream(DEMO_CONTACT));
    let seen = stage
        .data(
            "query P($id: ID!) { contact(id: $id) { firstName tags tasks { title completed } notes { note } } }",
            json!({ "id": DEMO_CONTACT }),
        )
        .await;
    let want = record.map(|mut record| {
        record.notes.sort_by_key(|note| std::cmp::Reverse(note["dateAdded"].as_str().map(str::to_owned)));
        json!({
            "firstName": record.contact["firstName"],
            "tags": record.contact["tags"],
            "tasks": record.tasks.iter().map(|t| json!({ "title": t["title"], "completed": t["completed"] })).collect::<Vec<_>>(),
            "notes": record.notes.iter().map(|n| json!({ "note": n["body"] })).collect::<Vec<_>>(),
        })
    });
    assert_eq!(seen["contact"], want.unwrap_or_default(), "{what}: what is read afterwards");
}

#[tokio::test]
async fn a_change_that_was_made_and_whose_answer_is_lost_is_found() {
    for change in changes() {
        let faults = [
            Fault::on(change.route).cut(Cut::Before),
            Fault::on(change.route).cut(Cut::Mid),
            Fault::on(change.route).status(500).done(),
            Fault::on(change.route).status(504).html().done(),
            Fault::on(change.route).body("{").done(),
        ];
        for fault in faults {
            let stage = few().await;
            let what = format!("{} under {fault:?}", change.field);
            let answer = fail(&stage, &change, fault).await;
            if change.can_be_told {
                assert_eq!(answer.get("errors"), None, "{what}: {answer}");
                assert!(answer["data"][change.field].is_object(), "{what}");
            } else {
                assert!(unknown(&answer), "{what}: {answer}");
                assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], DEMO_CONTACT, "{what}");
            }
            assert_eq!((change.made)(&stage), 1, "{what}");
            is_the_truth(&stage, &what).await;
        }
    }
}

#[tokio::test]
async fn a_change_that_was_not_made_is_said_to_be_unknown() {
    for change in changes() {
        let faults = [
            (Fault::on(change.route).cut(Cut::Unseen), "UPSTREAM_UNAVAILABLE"),
            (Fault::on(change.route).status(500), "UPSTREAM_UNAVAILABLE"),
            (Fault::on(change.route).status(502).html(), "UPSTREAM_UNAVAILABLE"),
            (Fault::on(change.route).status(200).html(), "UPSTREAM_BAD_RESPONSE"),
            (Fault::on(change.route).status(401).body(json!({ "message": "Command timed out" })), "UPSTREAM_TIMEOUT"),
        ];
        for (fault, code) in faults {
            let stage = few().await;
            let what = format!("{} under {fault:?}", change.field);
            let answer = fail(&stage, &change, fault).await;
            assert_eq!(errors(&answer), one_error(change.field, code), "{what}");
            assert!(unknown(&answer), "{what}: {answer}");
            assert_eq!((change.made)(&stage), 0, "{what}");
            is_the_truth(&stage, &what).await;
        }
    }
}

#[tokio::test]
async fn a_change_that_takes_too_long_is_looked_for() {
    let stage = Stage::set(&[("UPSTREAM_TIMEOUT", "300ms")]).await;
    let change = &changes()[0];
    let answer = fail(&stage, change, Fault::on(change.route).delay(Duration::from_secs(30))).await;
    assert_eq!(errors(&answer), one_error("createTask", "UPSTREAM_TIMEOUT"));
}

#[tokio::test]
async fn an_answer_that_denies_success_is_looked_into() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(DELETE).body(json!({ "succeded": false })).times(1));
    let answer = stage.change("deleteContact", json!({ "id": DEMO_CONTACT }), "deletedId").await;
    assert_eq!(errors(&answer), one_error("deleteContact", "UPSTREAM_BAD_RESPONSE"));
    for spelling in ["succeded", "succeeded", "success"] {
        stage.sandbox.fault(Fault::on(DELETE).body(json!({ spelling: true })).times(1));
        stage.changed("deleteContact", json!({ "id": DEMO_CONTACT }), "deletedId").await;
    }
}

/// Turned away at the door, nothing was done: then it goes again.
#[tokio::test]
async fn a_change_that_was_turned_away_for_the_rate_is_sent_when_the_window_is_over() {
    let rate_limit = Some("1/1".parse().unwrap());
    let options = Options { rate_limit, ..Options::default() };
    let stage = Stage::with(options, &[]).await;
    stage.name_of(DEMO_CONTACT).await;
    let input = of_demo(json!({ "title": "Once", "dueDate": DUE }));
    let payload = stage.changed("createTask", input, "task { title }").await;
    assert_eq!(payload["task"]["title"], "Once");
    assert_eq!(times(&stage.upstream(DEMO_CONTACT).tasks, "title", "Once"), 1);
}

/// The API was seen to refuse a contact and to have created it.
#[tokio::test]
async fn a_contact_that_was_refused_and_created_all_the_same_is_named() {
    let stage = Stage::new().await;
    let list = "{ contacts(first: 1) { nodes { name } } }";
    stage.data(list, json!({})).await;
    let refusal = json!({ "statusCode": 422, "message": ["phone must be valid"], "error": "Unprocessable Entity" });
    stage.sandbox.fault(Fault::on(CREATE).status(422).body(refusal.clone()).done().times(1));
    let input = json!({ "name": "Once Only", "email": "once@new.example" });
    let answer = stage.change("createContact", input, "contact { id }").await;
    assert_eq!(errors(&answer), one_error("createContact", "BAD_USER_INPUT"));
    assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], stage.ids()[0]);
    assert_eq!(stage.sandbox.count(CREATE), 1);
    assert_eq!(stage.data(list, json!({})).await["contacts"]["nodes"][0]["name"], "Once Only", "lists have it");
    stage.sandbox.fault(Fault::on(CREATE).status(422).body(refusal).times(1));
    let answer = stage.change("createContact", json!({ "email": "none@new.example" }), "contact { id }").await;
    assert_eq!(answer["errors"][0]["extensions"].get("existingContactId"), None);
}

/// The mail was known before: what was sent was refused as a duplicate, and that answer was lost.
#[tokio::test]
async fn a_contact_that_was_there_before_is_not_taken_for_the_new_one() {
    let stage = Stage::new().await;
    let email = stage.upstream(DEMO_CONTACT).contact["email"].clone();
    stage.sandbox.fault(Fault::on(CREATE).cut(Cut::Before).times(1));
    let answer = stage.change("createContact", json!({ "name": "Other", "email": email }), "contact { id }").await;
    assert_eq!(errors(&answer), one_error("createContact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], DEMO_CONTACT);
}

/// All that was sent is as it was sent, and yet it was there before.
#[tokio::test]
async fn a_contact_that_is_the_same_and_older_is_not_taken_for_the_new_one() {
    let stage = Stage::new().await;
    let old = stage.upstream(DEMO_CONTACT).contact;
    let by_mail = json!({ "firstName": old["firstName"], "lastName": old["lastName"], "email": old["email"] });
    let by_phone = json!({ "firstName": old["firstName"], "email": "none@new.example", "phone": old["phone"] });
    for input in [by_mail, by_phone] {
        stage.sandbox.fault(Fault::on(CREATE).cut(Cut::Before).times(1));
        let answer = stage.change("createContact", input, "contact { id }").await;
        assert_eq!(errors(&answer), one_error("createContact", "UPSTREAM_UNAVAILABLE"));
        assert!(unknown(&answer), "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], DEMO_CONTACT);
    }
}

/// The same of what belongs to a contact, when nobody knows what was there before. Tasks have no date of their creation.
#[tokio::test]
async fn a_note_and_a_task_that_are_the_same_and_older_are_not_taken_for_new_ones() {
    let stage = Stage::new().await;
    let record = stage.upstream(DEMO_CONTACT);
    let (note, task) = (&record.notes[0], &record.tasks[0]);
    let note = of_demo(json!({ "note": note["body"] }));
    let task = of_demo(json!({ "title": task["title"], "dueDate": task["dueDate"], "completed": task["completed"] }));
    for (field, input, route) in [("createNote", note, CREATE_NOTE), ("createTask", task, CREATE_TASK)] {
        stage.sandbox.fault(Fault::on(route).status(500).times(1));
        let answer = stage.change(field, input, "__typename").await;
        assert_eq!(errors(&answer), one_error(field, "UPSTREAM_UNAVAILABLE"));
        assert!(unknown(&answer), "{answer}");
    }
    assert_eq!(stage.calls(), BTreeMap::from([(CREATE_NOTE, 1), (NOTES, 1), (CREATE_TASK, 1)]));
}

#[tokio::test]
async fn a_new_note_is_told_by_its_date_when_the_others_are_not_known() {
    let stage = Stage::new().await;
    let old = stage.upstream(DEMO_CONTACT).notes[0].clone();
    stage.sandbox.fault(Fault::on(CREATE_NOTE).cut(Cut::Before).times(1));
    let made = stage.changed("createNote", of_demo(json!({ "note": old["body"] })), "note { id }").await;
    assert_eq!(made["note"]["id"], stage.upstream(DEMO_CONTACT).notes.last().unwrap()["id"]);
    assert_eq!(stage.calls(), BTreeMap::from([(CREATE_NOTE, 1), (NOTES, 1)]));
}

#[tokio::test]
async fn a_contact_without_mail_and_phone_cannot_be_looked_for() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(CREATE).cut(Cut::Before).times(1));
    let answer = stage.change("createContact", json!({ "name": "Other" }), "contact { id }").await;
    assert_eq!(errors(&answer), one_error("createContact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!((stage.sandbox.count(CREATE), stage.sandbox.count(DUPLICATE)), (1, 0));
    let list = stage.data("{ contacts(first: 1) { nodes { name } } }", json!({})).await;
    assert_eq!(list["contacts"]["nodes"][0]["name"], "Other");
}

#[tokio::test]
async fn an_upsert_whose_answer_is_lost_names_the_contact_and_is_not_sent_again() {
    let stage = Stage::new().await;
    stage.name_of(DEMO_CONTACT).await;
    let email = stage.upstream(DEMO_CONTACT).contact["email"].clone();
    stage.sandbox.fault(Fault::on(UPSERT).cut(Cut::Before).times(1));
    let answer = stage.change("upsertContact", json!({ "email": email, "lastName": "New" }), "created").await;
    assert_eq!(errors(&answer), one_error("upsertContact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], DEMO_CONTACT);
    assert_eq!(stage.sandbox.count(UPSERT), 1);
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara New");
}

/// Two tasks that are alike, and nobody knows which were there before.
#[tokio::test]
async fn of_two_alike_none_is_taken_unless_one_is_known_to_be_old() {
    for known in [false, true] {
        let stage = Stage::new().await;
        let input = of_demo(json!({ "title": "Twice", "dueDate": DUE }));
        stage.changed("createTask", input.clone(), "task { id }").await;
        if known {
            stage.profile().await;
        }
        stage.sandbox.fault(Fault::on(CREATE_TASK).cut(Cut::Before).times(1));
        let answer = stage.change("createTask", input, "task { id }").await;
        assert_eq!(answer.get("errors").is_none(), known, "{answer}");
        assert_eq!(times(&stage.upstream(DEMO_CONTACT).tasks, "title", "Twice"), 2);
    }
}

#[tokio::test]
async fn a_credential_without_the_scope_is_told_and_nothing_is_looked_for() {
    let scopes = vec!["contacts.readonly".to_owned()];
    let options = Options { scopes, ..Options::default() };
    let stage = Stage::with(options, &[]).await;
    let answer = stage.change("deleteContact", json!({ "id": DEMO_CONTACT }), "deletedId").await;
    assert_eq!(errors(&answer), one_error("deleteContact", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!(["contacts.write"]));
    assert_eq!(stage.sandbox.total(), 1);
    let answer = stage.change("createNote", of_demo(json!({ "note": "x" })), "note { id }").await;
    assert_eq!(errors(&answer), one_error("createNote", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!(["contacts.write"]));
    let told = answer["errors"][0]["message"].as_str().expect("a message");
    assert!(told.starts_with("The upstream credential lacks the scope contacts.write:"), "{told}");
    assert_eq!(stage.sandbox.total(), 1, "what the upstream said is not asked again");
}
