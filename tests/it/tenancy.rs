//! Several locations behind one gateway: each caller gets the data of the one that it names, and of no other.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::{Fault, Options, Sandbox};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::*;

/// Three locations that have contacts of the same ids.
async fn three() -> (Stage, Vec<String>, tempfile::NamedTempFile) {
    let sandbox = Sandbox::start(Options { locations: 3, contacts: 20, ..Options::default() }, local().await);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let locations = sandbox.info().locations.clone();
    let rows = locations
        .iter()
        .map(|location| format!("[[location]]\nid = \"{}\"\napi_key = \"{}\"\n", location.location_id, location.token));
    std::fs::write(file.path(), rows.collect::<String>()).expect("a file that can be written");
    let stage = Stage::with_file(sandbox, file.path()).await;
    (stage, locations.into_iter().map(|location| location.location_id).collect(), file)
}

const ALL: &str = "query P($id: ID!) { contact(id: $id) { locationId name email tasks { title } notes { note } } \
    contacts(first: 3) { nodes { email } } contactsByIds(ids: [$id]) { email } }";

/// What the upstream itself has of a contact.
fn truth(stage: &Stage, location: &str, id: &str) -> Value {
    let record = stage.sandbox.record(location, id);
    json!({ "email": record.contact["email"], "tasks": record.tasks.iter().map(|task| &task["title"]).collect::<Vec<_>>() })
}

fn told(data: &Value) -> Value {
    let tasks = data["contact"]["tasks"].as_array().cloned().unwrap_or_default();
    json!({ "email": data["contact"]["email"], "tasks": tasks.iter().map(|task| &task["title"]).collect::<Vec<_>>() })
}

#[tokio::test]
async fn the_same_id_is_another_contact_at_each_location_cached_and_uncached() {
    let (stage, locations, _file) = three().await;
    let id = stage.ids()[3].clone();
    let mut cold = Vec::new();
    for location in &locations {
        let answer = stage.ask_at(location, ALL, json!({ "id": id })).await;
        assert_eq!(answer.get("errors"), None);
        assert_eq!(answer["data"]["contact"]["locationId"], **location);
        assert_eq!(told(&answer["data"]), truth(&stage, location, &id));
        cold.push(answer);
    }
    assert!(cold[0] != cold[1] && cold[1] != cold[2]);
    for call in stage.sandbox.calls() {
        assert!(call.query("locationId").is_none_or(|named| Some(named) == call.location.as_deref()), "{call:?}");
    }
    stage.calls();
    for (location, cold) in locations.iter().zip(&cold) {
        assert_eq!(&stage.ask_at(location, ALL, json!({ "id": id })).await, cold);
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn callers_of_different_locations_at_one_moment_do_not_share_a_reading() {
    let (stage, locations, _file) = three().await;
    let id = stage.ids()[3].clone();
    let asks =
        (0..30).map(|n| {
            let (stage, location, id) = (&stage, &locations[n % 3], &id);
            async move {
                (told(&stage.ask_at(location, ALL, json!({ "id": id })).await["data"]), truth(stage, location, id))
            }
        });
    for (told, truth) in join_all(asks).await {
        assert_eq!(told, truth);
    }
    assert_eq!(stage.calls()[TASKS], 3);
}

/// Whatever stands before a gateway may go by such a header, and some keep answers by less than they were made from.
#[tokio::test]
async fn no_other_header_changes_what_is_asked_or_answered() {
    let (stage, locations, _file) = three().await;
    let id = stage.ids()[3].clone();
    let body = json!({ "query": ALL, "variables": { "id": id } });
    let ask = |headers: &[(&str, &str)]| {
        let mut request = stage.post().header("x-location-id", &locations[0]).json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async { request.send().await.expect("an answer").text().await.expect("a text") }
    };
    let other = &*locations[1];
    let hostile: [&[(&str, &str)]; 6] = [
        &[("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "evil"), ("forwarded", "host=evil.example")],
        &[("x-original-url", "/metrics"), ("x-rewrite-url", "/metrics")],
        &[("x-http-method-override", "DELETE"), ("x-http-method", "DELETE")],
        &[("location-id", other), ("x-location", other), ("cookie", "x-location-id=other")],
        &[("version", "1"), ("accept-language", "xx"), ("origin-agent-cluster", "<script>")],
        &[("authorization", "Bearer stranger")],
    ];
    // The first of them is read upstream, so what is kept was made of a request with such headers.
    let mut all = Vec::new();
    for headers in hostile {
        all.push(ask(headers).await);
    }
    assert_eq!(stage.calls().values().sum::<usize>(), 4);
    all.push(ask(&[]).await);
    let answer: Value = serde_json::from_str(&all[0]).expect("JSON");
    assert_eq!(told(&answer["data"]), truth(&stage, &locations[0], &id));
    assert!(all.iter().all(|one| *one == all[0]) && !all[0].contains("evil"), "{all:?}");
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_location_has_to_be_named_once_and_to_be_there() {
    let (stage, locations, _file) = three().await;
    let query = "{ gateway { version } }";
    let answer = stage.ask(query, json!({})).await;
    assert_eq!(errors(&answer), one_error("", "BAD_USER_INPUT"));
    let message = answer["errors"][0]["message"].as_str().expect("a message");
    assert!(locations.iter().all(|location| message.contains(location.as_str())), "{message}");
    let answer = stage.ask_at("elsewhere", query, json!({})).await;
    assert_eq!(errors(&answer), one_error("", "FORBIDDEN"));
    let twice = stage.post().header("x-location-id", &locations[0]).header("x-location-id", &locations[0]);
    let answer = twice.json(&json!({ "query": query })).send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_cursor_of_one_location_is_refused_at_another() {
    let (stage, locations, _file) = three().await;
    let query = "query L($after: String) { contacts(first: 2, after: $after) { pageInfo { endCursor } } }";
    let page = stage.ask_at(&locations[0], query, json!({})).await;
    let after = &page["data"]["contacts"]["pageInfo"]["endCursor"];
    assert!(after.is_string());
    let answer = stage.ask_at(&locations[1], query, json!({ "after": after })).await;
    assert_eq!(errors(&answer), one_error("contacts", "BAD_USER_INPUT"));
}

/// A key that opens more than its location: with several locations nobody sees through it, with one alone it is what was meant.
#[tokio::test]
async fn a_contact_of_another_location_is_only_shown_where_there_is_no_other() {
    let stray = |stage: &Stage, location: &str, id: &str| {
        stage.sandbox.update_contact(location, id, |contact| contact["locationId"] = json!("LOC_elsewhere"));
    };
    let query = "query P($id: ID!) { contact(id: $id) { locationId } }";
    let (stage, locations, _file) = three().await;
    let id = stage.ids()[3].clone();
    stray(&stage, &locations[0], &id);
    let answer = stage.ask_at(&locations[0], query, json!({ "id": id })).await;
    assert_eq!(answer["data"], json!({ "contact": null }));
    let stage = Stage::new().await;
    stray(&stage, &stage.sandbox.info().location_id.clone(), &id);
    let answer = stage.ask(query, json!({ "id": id })).await;
    assert_eq!(answer["data"]["contact"]["locationId"], "LOC_elsewhere");
}

/// Random callers, readings, changes and forgettings: nobody is ever answered with another location's contact.
#[test]
fn no_sequence_of_reads_and_writes_shows_one_location_to_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (stage, locations, _file) = runtime.block_on(three());
    let ids = stage.ids();
    let steps = proptest::collection::vec((0..3usize, 0..4usize, 0..5u8), 1..25);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            for (number, (location, contact, event)) in steps.into_iter().enumerate() {
                let (location, id) = (&locations[location], &ids[contact]);
                let title = format!("{location} {number}");
                match event {
                    0 => stage.clock.advance(std::time::Duration::from_secs(35)),
                    1 => {
                        let input = json!({ "id": id, "email": format!("{id}-{number}@new.example") });
                        let query = "mutation M($input: UpdateContactInput!) { updateContact(input: $input) \
                            { contact { locationId name email tasks { title } } } }";
                        let answer = stage.ask_at(location, query, json!({ "input": input })).await;
                        prop_assert_eq!(told(&answer["data"]["updateContact"]), truth(&stage, location, id));
                    }
                    2 => {
                        let input = json!({ "contactId": id, "title": title, "dueDate": "2027-01-09T12:00:00Z" });
                        let query =
                            "mutation M($input: CreateTaskInput!) { createTask(input: $input) { task { title } } }";
                        let answer = stage.ask_at(location, query, json!({ "input": input })).await;
                        prop_assert_eq!(&answer["data"]["createTask"]["task"]["title"], &title);
                    }
                    _ => {}
                }
                let answer = stage.ask_at(location, ALL, json!({ "id": id })).await;
                prop_assert_eq!(&answer["data"]["contact"]["locationId"], location.as_str());
                prop_assert_eq!(told(&answer["data"]), truth(&stage, location, id));
            }
            Ok(())
        })
    });
    outcome.expect("no sequence fails");
}

#[tokio::test]
async fn rows_of_another_location_are_not_of_the_list() {
    let (stage, ids, _file) = three().await;
    let own = stage.ids()[0].clone();
    let rows = json!([
        { "id": own, "locationId": ids[0], "email": "own@mail.example" },
        { "id": "someoneElse", "locationId": ids[1], "email": "other@mail.example" },
    ]);
    for route in [LIST, "GET /contacts/business/{businessId}"] {
        stage.sandbox.fault(Fault::on(route).status(200).body(json!({ "contacts": rows })));
    }
    let other = json!({ "contact": { "id": "someoneElse", "locationId": ids[1], "email": "other@mail.example" } });
    stage.sandbox.fault(Fault::on(CONTACT).contact("someoneElse").status(200).body(other));
    for field in ["contacts", "contactsByBusiness(businessId: \"b\")"] {
        let answer = stage.ask_at(&ids[0], &format!("{{ list: {field} {{ nodes {{ id email }} }} }}"), json!({})).await;
        assert_eq!(answer["data"]["list"]["nodes"], json!([{ "id": own, "email": "own@mail.example" }]), "{answer}");
        assert_eq!(stage.calls().values().sum::<usize>(), 1, "{field}");
    }
    let answer = stage.ask_at(&ids[0], "{ contact(id: \"someoneElse\") { email } }", json!({})).await;
    assert_eq!(answer["data"]["contact"], Value::Null, "{answer}");
}
