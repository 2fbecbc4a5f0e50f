//! A subgraph of a federated graph: things are found by their keys, together, and each fails alone.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::{Fault, Options};
use contacts_gateway::schema;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::callers::{self, READ, WRITE};
use super::support::*;

const ON: (&str, &str) = ("FEDERATION", "1");

async fn subgraph() -> Stage {
    Stage::set(&[ON]).await
}

/// What a router asks, with this of each type.
fn entities(inside: &str) -> String {
    format!("query E($r: [_Any!]!) {{ _entities(representations: $r) {{ {inside} }} }}")
}

fn contacts(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| json!({ "__typename": "Contact", "id": id })).collect()
}

/// The first task, note and appointment that a contact has: as a router refers to them, and as the contact's lists tell them.
async fn records(stage: &Stage, contact: &str) -> (Vec<Value>, Vec<Value>) {
    let query = "query P($id: ID!) { contact(id: $id) { tasks { __typename id title contactId } \
         notes { __typename id title contactId } appointments { __typename id title contactId } } }";
    let data = stage.data(query, json!({ "id": contact })).await;
    let told: Vec<Value> =
        ["tasks", "notes", "appointments"].map(|list| data["contact"][list][0].clone()).into_iter().collect();
    assert!(told.iter().all(|one| one["contactId"] == contact), "{told:?}");
    let keys = told.iter().map(|one| {
        let mut key = one.clone();
        key.as_object_mut().expect("an object").remove("title");
        key
    });
    (keys.collect(), told)
}

/// A contact that has each kind of record.
fn full(stage: &Stage) -> String {
    let location = stage.sandbox.info().location_id.clone();
    let has_all = |id: &String| {
        let record = stage.sandbox.record(&location, id);
        !record.tasks.is_empty() && !record.notes.is_empty() && !record.appointments.is_empty()
    };
    stage.ids().into_iter().find(has_all).expect("a contact with everything")
}

#[tokio::test]
async fn fifty_contacts_with_their_tasks_take_the_calls_of_one_list_of_ids() {
    let inside = "id name tasks { id title }";
    let (stage, other) = (subgraph().await, subgraph().await);
    let ids = &stage.ids()[..50];
    let query = format!("query L($ids: [ID!]!) {{ contactsByIds(ids: $ids) {{ {inside} }} }}");
    let want = other.data(&query, json!({ "ids": ids })).await["contactsByIds"].take();
    let calls = other.calls();
    assert_eq!(calls, BTreeMap::from([(CONTACT, 50), (SEARCH, 2)]));
    let query = entities(&format!("... on Contact {{ {inside} }}"));
    let variables = json!({ "r": contacts(ids) });
    assert_eq!(stage.data(&query, variables.clone()).await["_entities"], want);
    assert_eq!(stage.calls(), calls);
    // Kept like every answer, and made anew of what is held.
    assert_eq!(stage.data(&query, variables).await["_entities"], want);
    let backwards: Vec<Value> = contacts(ids).into_iter().rev().collect();
    let answer = stage.data(&query, json!({ "r": backwards })).await;
    assert_eq!(answer["_entities"][0], want[49]);
    assert_eq!(stage.calls(), BTreeMap::new());
    // What a search tells needs no call for each.
    let names = entities("... on Contact { id name }");
    stage.data(&names, json!({ "r": contacts(&stage.ids()[100..150]) })).await;
    assert_eq!(stage.calls(), BTreeMap::from([("POST /contacts/search", 1)]));
}

#[tokio::test]
async fn each_that_is_not_there_or_cannot_be_had_is_null_by_itself() {
    let stage = Stage::set(&[ON, ("UPSTREAM_RETRIES", "0")]).await;
    let ids = stage.ids();
    stage.sandbox.fault(Fault::on(CONTACT).contact(&ids[1]).status(500));
    let given = json!([
        { "__typename": "Contact", "id": ids[0] },
        { "__typename": "Contact", "id": "none" },
        { "__typename": "Contact", "id": ids[1] },
        { "__typename": "Nobody", "id": ids[0] },
        { "__typename": "Contact" },
        { "id": ids[0] },
        "Contact",
        { "__typename": "Contact", "id": "search" },
        { "__typename": "Contact", "id": { "id": ids[0] } },
        { "__typename": "Task", "id": "t" },
        { "__typename": "Contact", "id": ids[0], "points": 7 },
    ]);
    let answer = stage.ask(&entities("__typename ... on Contact { id }"), json!({ "r": given })).await;
    let told = answer["data"]["_entities"].as_array().expect("a list");
    let first = json!({ "__typename": "Contact", "id": ids[0] });
    let want: Vec<Value> = (0..11).map(|at| if at == 0 || at == 10 { first.clone() } else { Value::Null }).collect();
    assert_eq!(*told, want);
    let bad = |at: usize| (format!("_entities.{at}"), "BAD_USER_INPUT".to_owned());
    let mut wrong: Vec<_> = [3, 4, 5, 6, 7, 8, 9].map(bad).into();
    wrong.insert(0, ("_entities.2".to_owned(), "UPSTREAM_UNAVAILABLE".to_owned()));
    let mut said = errors(&answer);
    said.sort();
    assert_eq!(said, wrong);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 3)]));
}

#[tokio::test]
async fn records_are_found_by_their_own_id_and_their_contacts() {
    let stage = subgraph().await;
    let contact = full(&stage);
    let (keys, told) = records(&stage, &contact).await;
    let query = entities(
        "__typename ... on Task { id title contactId contact { id } } ... on Note { id title contactId contact { id } } \
         ... on Appointment { id title contactId contact { id } }",
    );
    let cold = subgraph().await;
    let answer = cold.data(&query, json!({ "r": keys })).await;
    let calls = BTreeMap::from([
        (CONTACT, 1),
        ("GET /contacts/{contactId}/tasks/{taskId}", 1),
        ("GET /contacts/{contactId}/notes/{id}", 1),
        (APPOINTMENTS, 1),
    ]);
    assert_eq!(cold.calls(), calls);
    for (found, told) in answer["_entities"].as_array().expect("a list").iter().zip(&told) {
        let mut found = found.clone();
        assert_eq!(found.as_object_mut().expect("an object").remove("contact"), Some(json!({ "id": contact })));
        assert_eq!(found, *told);
    }
    // Of another contact they are not.
    let other = stage.ids().into_iter().find(|id| *id != contact).expect("another");
    let strays: Vec<Value> = keys
        .into_iter()
        .map(|mut key| {
            key["contactId"] = json!(other);
            key
        })
        .collect();
    let answer = stage.data(&query, json!({ "r": strays })).await;
    assert_eq!(answer["_entities"], json!([null, null, null]));
}

/// `notes` is a list of a contact's and a text of an appointment's; only the fragments for its type are a thing's own.
#[tokio::test]
async fn what_is_selected_of_another_type_is_not_asked_for() {
    let stage = subgraph().await;
    let contact = full(&stage);
    let (keys, _) = records(&stage, &contact).await;
    let cold = subgraph().await;
    let query = "query E($r: [_Any!]!) { _entities(representations: $r) { ...A ... on Task { contact { tasks { id } } } \
         ... on _Entity { ... on Contact { name } } } } fragment A on Appointment { notes contact { notes { id } } }";
    let body = json!({ "query": query, "variables": { "r": contacts(std::slice::from_ref(&contact)) } });
    let answer: Value =
        cold.post().header("x-gateway-explain", "1").json(&body).send().await.unwrap().json().await.unwrap();
    let told = &answer["extensions"]["upstream"];
    assert_eq!((&told["planned"], &told["calls"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["data"]["_entities"][0]["name"].as_str().map(str::is_empty), Some(false));
    assert_eq!(cold.calls(), BTreeMap::from([(CONTACT, 1)]));
    let query = "query E($r: [_Any!]!) { _entities(representations: $r) { ... on Task { contact { id } } \
         ... on Note { contact { tasks { id } } } } }";
    cold.data(query, json!({ "r": keys[..1] })).await;
    assert_eq!(cold.calls(), BTreeMap::from([("GET /contacts/{contactId}/tasks/{taskId}", 1)]));
}

#[tokio::test]
async fn a_change_is_seen_by_whoever_asks_for_the_thing_again() {
    let stage = subgraph().await;
    let id = &stage.ids()[0];
    let (query, variables) =
        (entities("... on Contact { firstName }"), json!({ "r": contacts(std::slice::from_ref(id)) }));
    stage.data(&query, variables.clone()).await;
    let change = "mutation C($i: UpdateContactInput!) { updateContact(input: $i) { contact { id } } }";
    stage.data(change, json!({ "i": { "id": id, "firstName": "Renamed" } })).await;
    assert_eq!(stage.data(&query, variables).await, json!({ "_entities": [{ "firstName": "Renamed" }] }));
}

#[tokio::test]
async fn a_location_shows_its_own_things_and_no_others() {
    let (sandbox, locations, file) = callers::several(2).await;
    let stage = Stage::over(sandbox, &[ON], Some(file.path())).await;
    let id = stage.ids()[3].clone();
    let query = entities("... on Contact { locationId }");
    let variables = json!({ "r": contacts(std::slice::from_ref(&id)) });
    for location in &locations {
        let answer = stage.ask_at(location, &query, variables.clone()).await;
        assert_eq!(answer["data"], json!({ "_entities": [{ "locationId": location }] }));
    }
    let answer = stage.ask(&query, variables).await;
    assert_eq!(errors(&answer), one_error("", "BAD_USER_INPUT"));
    // A key that opens more than its location.
    let stray = &stage.ids()[4];
    stage.sandbox.update_contact(&locations[0], stray, |contact| contact["locationId"] = json!("LOC_elsewhere"));
    let variables = json!({ "r": contacts(&[stray.clone(), id]) });
    let answer = stage.ask_at(&locations[0], &query, variables).await;
    assert_eq!(answer["data"], json!({ "_entities": [null, { "locationId": locations[0] }] }));
}

#[tokio::test]
async fn who_may_not_read_is_refused_once_and_nothing_is_asked() {
    let keys = tempfile::NamedTempFile::new().expect("a file");
    let rows = callers::row("writer", &[WRITE], None, "") + &callers::row("reader", &[READ], None, "");
    std::fs::write(keys.path(), rows).expect("a file that can be written");
    let stage = Stage::set(&[ON, ("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))]).await;
    let variables = json!({ "r": contacts(&stage.ids()[..3]) });
    let query = entities("... on Contact { id }");
    let (_, answer) = stage.ask_as("writer", None, &query, variables.clone()).await;
    assert_eq!(errors(&answer), one_error("_entities", "FORBIDDEN"));
    assert_eq!(stage.calls(), BTreeMap::new());
    let (_, answer) = stage.ask_as("reader", None, &query, variables).await;
    assert_eq!(answer["data"]["_entities"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn what_is_asked_at_once_is_bounded() {
    let stage = Stage::set(&[ON, ("MAX_CALLS", "10")]).await;
    let ids = stage.ids();
    let query = entities("... on Contact { tasks { id } }");
    let answer = stage.ask(&query, json!({ "r": contacts(&ids[..6]) })).await;
    assert_eq!(errors(&answer), one_error("", "OPERATION_TOO_EXPENSIVE"));
    assert_eq!(answer["errors"][0]["extensions"]["planned"], 12);
    let many: Vec<Value> = (0..501).map(|_| json!({ "__typename": "Contact", "id": ids[0] })).collect();
    let answer = stage.ask(&query, json!({ "r": many })).await;
    assert_eq!(errors(&answer), one_error("_entities", "BAD_USER_INPUT"));
    let many: Vec<Value> = (0..1001).map(|_| json!({ "__typename": "Contact", "id": ids[0] })).collect();
    let answer = stage.ask(&query, json!({ "r": many })).await;
    assert_eq!(errors(&answer), one_error("", "OPERATION_TOO_EXPENSIVE"));
    assert_eq!(stage.calls(), BTreeMap::new());
    // The same thing many times is one call, and is planned as one.
    stage.data(&entities("... on Contact { name }"), json!({ "r": vec![contacts(&ids[..1])[0].clone(); 500] })).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
}

#[tokio::test]
async fn the_schema_is_told_as_composition_has_it() {
    let stage = subgraph().await;
    let told = stage.data("{ _service { sdl } }", json!({})).await;
    assert_eq!(told["_service"]["sdl"], schema::federated_sdl());
    assert!(told["_service"]["sdl"].as_str().unwrap().ends_with(&schema::sdl()[schema::sdl().len() - 200..]));
    let whole = stage.get("/schema.graphql").send().await.unwrap().text().await.unwrap();
    assert!(whole.contains("union _Entity = Contact | Task | Note | Appointment") && whole.contains("  _service: "));
    let printed = super::commands::gateway(&["schema", "--federation"], &[]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), schema::federated_sdl());
    let dark = Stage::set(&[ON, ("INTROSPECTION", "false")]).await;
    let answer = dark.ask("{ _service { sdl } }", json!({})).await;
    assert_eq!(errors(&answer), one_error("", "FORBIDDEN"));
    dark.data(&entities("... on Contact { id }"), json!({ "r": contacts(&dark.ids()[..1]) })).await;
}

#[tokio::test]
async fn a_gateway_by_itself_has_nothing_of_it() {
    let stage = Stage::new().await;
    let whole = stage.get("/schema.graphql").send().await.unwrap().text().await.unwrap();
    assert_eq!(whole, schema::sdl());
    assert!(!whole.contains("_entities") && !whole.contains("_Any") && !whole.contains("@key"));
    for query in [entities("__typename"), "{ _service { sdl } }".to_owned()] {
        let answer = stage.ask(&query, json!({ "r": [] })).await;
        assert_eq!(errors(&answer)[0].1, "GRAPHQL_VALIDATION_FAILED");
    }
    let types = stage.data("{ __schema { types { name } } }", json!({})).await.to_string();
    assert!(!types.contains("_Entity") && !types.contains("_Service"), "{types}");
}

/// Whatever is referred to and whatever is asked of it: never more calls than were planned.
#[test]
fn no_plan_of_entities_is_exceeded() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let new = Stage::with(Options { contacts: 8, ..Options::default() }, &[ON, ("MAX_CALLS", "1000000")]);
    let stage = runtime.block_on(new);
    let ids = stage.ids();
    let contact = full(&stage);
    let (records, _) = runtime.block_on(records(&stage, &contact));
    let mut things = contacts(&ids);
    things.extend(records);
    things.extend([json!({ "__typename": "Contact" }), json!({ "__typename": "Contact", "id": "none" }), json!(1)]);
    let inside = [
        "__typename",
        "... on Contact { id name }",
        "... on Contact { timezone tasks { id contact { email } } }",
        "... on Contact { notes { id } }",
        "... on Task { title contact { name } }",
        "... on Note { note }",
        "... on Appointment { title contact { id appointments { id } } }",
        "... on _Entity { ... on Task { contact { notes { id } } } ... on Contact { email } }",
    ];
    let cases = (
        proptest::collection::vec(proptest::sample::select(things), 0..12),
        proptest::sample::subsequence(inside.to_vec(), 1..=8),
        0..90u64,
    );
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let called = std::cell::Cell::new(0);
    let outcome = runner.run(&cases, |(things, inside, seconds)| {
        stage.clock.advance(std::time::Duration::from_secs(seconds));
        let body = json!({ "query": entities(&inside.join(" ")), "variables": { "r": things } });
        let request = stage.post().header("x-gateway-explain", "1").json(&body);
        let answer: Value = runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() });
        let number = |name: &str| answer["extensions"]["upstream"][name].as_u64().expect("a number");
        prop_assert!(number("planned") >= number("calls"), "{body} {answer}");
        prop_assert_eq!(answer["data"]["_entities"].as_array().map(Vec::len), Some(things.len()));
        called.set(called.get() + number("calls"));
        Ok(())
    });
    outcome.expect("no plan is exceeded");
    assert!(called.get() > 50, "{called:?}");
}
