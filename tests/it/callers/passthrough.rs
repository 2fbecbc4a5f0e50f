//! `GATEWAY_AUTH=passthrough`: callers bring their own upstream credential.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use contacts_gateway::sandbox::{Fault, Variant};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::*;

async fn stage(more: &[(&str, &str)]) -> (Stage, [String; 2]) {
    let (sandbox, ids, _file) = several(2).await;
    for (token, location, scopes) in
        [("pit-a1", 0, &[READ][..]), ("pit-a2", 0, &[READ]), ("pit-b1", 1, &[READ]), ("pit-none", 0, &[])]
    {
        sandbox.allow(token, &ids[location], scopes);
    }
    let mut settings = vec![("AUTH", "passthrough")];
    settings.extend(more);
    let stage = Stage::over(sandbox, &settings, None).await;
    (stage, [ids[0].clone(), ids[1].clone()])
}

#[tokio::test]
async fn each_credential_is_sent_as_it_came_and_shares_no_cached_value_with_another() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    for (bearer, location) in [("pit-a1", &a), ("pit-a2", &a), ("pit-b1", &b)] {
        for calls in [1, 0] {
            let (status, answer) = stage.ask_as(bearer, Some(location), NAME, id.clone()).await;
            assert_eq!((status, answer.get("errors")), (200, None));
            assert_eq!(
                answer["data"]["contact"]["email"],
                stage.sandbox.record(location, &stage.ids()[0]).contact["email"]
            );
            let sent = stage.sandbox.calls();
            assert!(sent.iter().all(|call| call.location.as_ref() == Some(location)), "{sent:?}");
            assert_eq!(stage.calls().values().sum::<usize>(), calls, "{bearer}");
        }
    }
}

#[tokio::test]
async fn a_refused_credential_is_its_callers_matter_and_no_outage_of_the_gateway() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    let (_, answer) = stage.ask_as("pit-dead", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "UNAUTHENTICATED"));
    assert_eq!(answer["errors"][0]["extensions"]["upstream"]["status"], 401);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    assert_eq!(stage.get("/health/ready").send().await.expect("an answer").status(), 200);
    let (_, answer) = stage.ask_as("pit-none", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([READ]));
    // Nothing that another credential would help.
    stage.sandbox.fault(Fault::on(CONTACT).refuse(Variant::Unauthorized).times(1));
    let (_, answer) = stage.ask_as("pit-a1", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "INTERNAL"));
    // A credential of one location that names another sees nothing under that name.
    let (_, answer) = stage.ask_as("pit-b1", Some(&a), NAME, id.clone()).await;
    assert_eq!(answer["data"], json!({ "contact": null }));
    stage.calls();
    let (_, answer) = stage.ask_as("pit-b1", Some(&b), NAME, id).await;
    assert_eq!(answer.get("errors"), None);
}

#[tokio::test]
async fn a_credential_and_a_location_are_needed() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    let answer = stage.post().header("x-location-id", &a).json(&json!({ "query": NAME, "variables": id })).send().await;
    let answer = answer.expect("an answer");
    let answer = (answer.status().as_u16(), answer.json().await.expect("JSON"));
    assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"));
    let answer = stage.ask_as("pit-a1", None, NAME, id.clone()).await;
    assert_eq!(refusal(&stage, &answer), refused(400, "BAD_USER_INPUT"));
    for odd in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
        let answer = stage.ask_as("pit-a1", Some(odd), NAME, id.clone()).await;
        assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"), "{odd}");
    }

    let (stage, _) = self::stage(&[("LOCATION_ID", &a)]).await;
    for named in [None, Some(&*a)] {
        assert_eq!(stage.ask_as("pit-a1", named, NAME, id.clone()).await.0, 200);
    }
    stage.calls();
    let answer = stage.ask_as("pit-b1", Some(&b), NAME, id).await;
    assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"));
}

const ALL: &str = "query All($id: ID!) { contact(id: $id) { locationId email tags tasks { title status } notes { note } } \
    contacts(first: 30) { nodes { email } } }";

/// What the upstream itself has, as `ALL` asks for it.
fn truth(stage: &Stage, location: &str, id: &str) -> Value {
    let record = stage.sandbox.record(location, id);
    let status = |task: &Value| if task["completed"] == true { "COMPLETED" } else { "OPEN" };
    let tasks = record.tasks.iter().map(|task| json!({ "title": task["title"], "status": status(task) }));
    let mut newest_first: Vec<_> = record.notes.iter().collect();
    newest_first.sort_by_key(|note| Reverse(note["dateAdded"].as_str()));
    let notes = newest_first.into_iter().map(|note| json!({ "note": note["body"] }));
    let email = |id: &String| json!({ "email": stage.sandbox.record(location, id).contact["email"] });
    json!({
        "contact": {
            "locationId": location, "email": record.contact["email"], "tags": record.contact["tags"],
            "tasks": tasks.collect::<Vec<_>>(), "notes": notes.collect::<Vec<_>>(),
        },
        "contacts": { "nodes": stage.sandbox.contact_ids(location).iter().map(email).collect::<Vec<_>>() },
    })
}

/// A change of each sort, made so that no two are alike.
fn change(sort: u8, stage: &Stage, location: &str, id: &str, number: usize) -> (&'static str, Value) {
    let task = stage.sandbox.record(location, id).tasks.first().map(|task| task["id"].clone());
    let text = format!("{location} {number}");
    match (sort, task) {
        (0, _) => ("updateContact", json!({ "id": id, "email": format!("{id}-{number}@new.example") })),
        (1, _) => ("addContactTags", json!({ "contactId": id, "tags": [text] })),
        (2, _) => ("createNote", json!({ "contactId": id, "note": text })),
        (3, Some(task)) => ("deleteTask", json!({ "contactId": id, "id": task })),
        (4, Some(task)) => {
            ("setTaskCompleted", json!({ "contactId": id, "id": task, "completed": number.is_multiple_of(2) }))
        }
        _ => ("createTask", json!({ "contactId": id, "title": text, "dueDate": "2027-01-09T12:00:00Z" })),
    }
}

/// Random credentials, locations, readings, changes and times: nobody is ever answered with what another location has, and
/// everybody reads what anybody changed.
#[test]
fn no_sequence_of_reads_and_writes_shows_one_credential_what_another_sees() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (stage, places) = runtime.block_on(stage(&[]));
    for (token, location) in [("pit-a1", 0), ("pit-a2", 0), ("pit-b1", 1)] {
        stage.sandbox.allow(token, &places[location], &[READ, WRITE]);
    }
    stage.sandbox.allow("pit-b2", &places[1], &[READ]);
    let ids = stage.ids();
    let bearers = [("pit-a1", 0), ("pit-a2", 0), ("pit-b1", 1), ("pit-b2", 1), ("pit-dead", 2)];
    let steps = (0..5usize, 0..2usize, 0..3usize, 0..10u8, any::<bool>());
    let steps = proptest::collection::vec(steps, 1..25);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(0);
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            for (who, place, contact, sort, later) in steps {
                if later {
                    stage.clock.advance(std::time::Duration::from_secs(35));
                }
                let ((bearer, home), here, id) = (bearers[who], &places[place], &ids[contact]);
                number.set(number.get() + 1);
                if sort < 6 && home == place {
                    let (field, input) = change(sort, &stage, here, id, number.get());
                    let kind = field[..1].to_uppercase() + &field[1..];
                    let query = format!("mutation M($i: {kind}Input!) {{ {field}(input: $i) {{ __typename }} }}");
                    let was = truth(&stage, here, id);
                    let (_, answer) = stage.ask_as(bearer, Some(here), &query, json!({ "i": input })).await;
                    if bearer == "pit-b2" {
                        prop_assert_eq!(errors(&answer), one_error(field, "FORBIDDEN"));
                        prop_assert_eq!(truth(&stage, here, id), was);
                    } else {
                        prop_assert_eq!(answer.get("errors"), None, "{}", answer);
                    }
                }
                let (_, answer) = stage.ask_as(bearer, Some(here), ALL, json!({ "id": id })).await;
                match home {
                    2 => {
                        let told = errors(&answer);
                        prop_assert!(
                            !told.is_empty() && told.iter().all(|(_, code)| code == "UNAUTHENTICATED"),
                            "{}",
                            answer
                        );
                        prop_assert_eq!(&answer["data"], &Value::Null);
                    }
                    home if home == place => prop_assert_eq!(&answer["data"], &truth(&stage, here, id)),
                    _ => {
                        prop_assert_eq!(errors(&answer), one_error("contacts", "FORBIDDEN"));
                        prop_assert_eq!(&answer["data"], &Value::Null);
                        let (_, answer) = stage.ask_as(bearer, Some(here), NAME, json!({ "id": id })).await;
                        prop_assert_eq!(&answer, &json!({ "data": { "contact": null } }));
                    }
                }
            }
            Ok(())
        })
    });
    outcome.expect("no sequence fails");
}
