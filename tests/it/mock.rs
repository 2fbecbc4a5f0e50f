//! Contacts of a seed file, and the switches that make parts of one fail: every state that a UI has to show.

use std::process::Stdio;

use contacts_gateway::sandbox::{NOW, Options, Seed};
use serde_json::{Value, json};

use super::support::*;

const PAGE: &str = include_str!("../../docs/mock.md");
const TEAM: &str = include_str!("../../examples/team.json");

/// As `demo --seed-file` has it: nothing is held, and nothing tried again.
const MOCK: [(&str, &str); 8] = [
    ("TTL_CONTACT", "0s"),
    ("TTL_TASKS", "0s"),
    ("TTL_NOTES", "0s"),
    ("TTL_APPOINTMENTS", "0s"),
    ("TTL_PAGES", "0s"),
    ("STALE_WHILE_REVALIDATE", "0s"),
    ("STALE_IF_ERROR", "0s"),
    ("UPSTREAM_RETRIES", "0"),
];

async fn stage(text: &str, more: &[(&str, &str)]) -> Stage {
    let written = Some(Seed::read(text, NOW).expect("a seed file"));
    let settings = [&MOCK[..], more].concat();
    Stage::with(Options { written, ..Options::default() }, &settings).await
}

/// Its data, and the code of the error at each path.
async fn seen(stage: &Stage, id: &str) -> (Value, Value) {
    let answer = stage.ask(PROFILE, json!({ "id": id })).await;
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let codes = errors.iter().map(|error| {
        let path = error["path"].as_array().and_then(|path| path.last()).and_then(Value::as_str).unwrap_or_default();
        (path.to_owned(), error["extensions"]["code"].clone())
    });
    (answer["data"]["contact"].clone(), codes.collect())
}

async fn switch(stage: &Stage, body: &str) -> (u16, Value) {
    let url = format!("{}/__sandbox/switches", stage.sandbox.url());
    let answer = reqwest::Client::new().post(url).body(body.to_owned()).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn every_state_of_the_example_is_what_its_page_says() {
    let stage = stage(TEAM, &[("UPSTREAM_TIMEOUT", "500ms")]).await;
    let (amara, codes) = seen(&stage, "amara").await;
    assert_eq!((&amara["name"], &codes), (&json!("Amara Lindqvist"), &json!({})));
    assert_eq!(
        amara["tasks"].as_array().expect("tasks").iter().map(|task| &task["status"]).collect::<Vec<_>>(),
        ["OPEN", "OPEN", "COMPLETED"]
    );
    assert_eq!(amara["appointments"][0]["startTime"], "2026-06-16T15:00:00Z");
    let (nobody, codes) = seen(&stage, "nobody-knows").await;
    let nothing =
        json!({ "id": "nobody-knows", "name": null, "email": null, "tasks": [], "notes": [], "appointments": [] });
    assert_eq!((nobody, codes), (nothing, json!({})));
    let (broken, codes) = seen(&stage, "broken-tasks").await;
    assert_eq!((&broken["tasks"], &broken["notes"][0]["note"]), (&json!(null), &json!("His tasks cannot be read.")));
    assert_eq!(codes, json!({ "tasks": "UPSTREAM_UNAVAILABLE" }));
    let (_, codes) = seen(&stage, "odd").await;
    let odd = json!({
        "tasks": "UPSTREAM_BAD_RESPONSE", "notes": "UPSTREAM_UNAVAILABLE", "appointments": "UPSTREAM_UNAVAILABLE",
    });
    assert_eq!(codes, odd);
    assert_eq!(seen(&stage, "gone").await, (json!(null), json!({})));
    let (slow, codes) = seen(&stage, "slow").await;
    assert_eq!((&slow["name"], codes), (&json!("Sloane Slow"), json!({ "tasks": "UPSTREAM_TIMEOUT" })));
    let change = "mutation { updateContact(input: { id: \"unchangeable\", firstName: \"X\" }) { contact { id } } }";
    let refused = stage.ask(change, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{refused}");
    // The last: the gateway leaves the whole location alone after it.
    assert_eq!(seen(&stage, "limited").await.1, json!({ "notes": "RATE_LIMITED" }));
}

#[tokio::test]
async fn in_a_list_one_contact_fails_alone() {
    let contacts: Vec<Value> = (0..8)
        .map(|n| match n {
            3 => json!({ "id": "c3", "fail": { "tasks": 500 }, "tasks": [{}] }),
            n => json!({ "id": format!("c{n}"), "tasks": [{}] }),
        })
        .collect();
    let stage = stage(&json!({ "contacts": contacts }).to_string(), &[]).await;
    let query = "query L($ids: [ID!]!) { contactsByIds(ids: $ids) { id tasks { title } } }";
    let ids: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    let answer = stage.ask(query, json!({ "ids": ids })).await;
    let rows = answer["data"]["contactsByIds"].as_array().expect("rows");
    for (row, id) in rows.iter().zip(&ids) {
        let tasks = if id == "c3" { json!(null) } else { json!([{ "title": "Task 1" }]) };
        assert_eq!(row, &json!({ "id": id, "tasks": tasks }));
    }
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(stage.calls(), [(SEARCH, 1), (TASKS, 8), (CONTACT, 8)].into());
}

#[tokio::test]
async fn switches_turn_while_it_runs() {
    let stage = stage(TEAM, &[]).await;
    let tasks = async || seen(&stage, "amara").await.0["tasks"].as_array().map(Vec::len);
    assert_eq!(tasks().await, Some(3));
    let (status, told) =
        switch(&stage, "{\"amara\": {\"fail\": {\"tasks\": \"empty\"}, \"slow\": {\"notes\": \"1ms\"}}}").await;
    assert_eq!((status, &told["amara"]), (200, &json!({ "fail": { "tasks": "empty" }, "slow": { "notes": "1ms" } })));
    assert_eq!(tasks().await, Some(0));
    assert_eq!(switch(&stage, "{\"amara\": {\"fail\": {\"tasks\": 503}}}").await.0, 200);
    assert_eq!(tasks().await, None);
    let (_, told) = switch(&stage, "{\"amara\": {}}").await;
    assert!(told["amara"].is_null() && !told["odd"].is_null(), "the others stay as they are: {told}");
    assert_eq!(tasks().await, Some(3));
    for (body, part) in
        [("{\"nobody\": {}}", "nobody"), ("{\"amara\": {\"fail\": {\"task\": 1}}}", "`tasks`"), ("x", "fail")]
    {
        let (status, told) = switch(&stage, body).await;
        assert!(status == 400 && told["message"].as_str().is_some_and(|told| told.contains(part)), "{told}");
    }
}

/// A team copies what it sees in an answer.
#[test]
fn its_names_are_those_of_the_schema() {
    let schema = include_str!("../../schema/schema.graphql");
    let rows = [
        ("Contact", "{\"contacts\": [{\"?\": 1}]}"),
        ("Address", "{\"contacts\": [{\"address\": {\"?\": 1}}]}"),
        ("Task", "{\"contacts\": [{\"tasks\": [{\"?\": 1}]}]}"),
        ("Note", "{\"contacts\": [{\"notes\": [{\"?\": 1}]}]}"),
        ("Appointment", "{\"contacts\": [{\"appointments\": [{\"?\": 1}]}]}"),
    ];
    for (kind, text) in rows {
        let told = Seed::read(text, NOW).expect_err("an unknown field");
        let (_, names) = told.split_once("expected one of ").expect("the names");
        let (_, fields) = schema.split_once(&format!("\ntype {kind} ")).expect("the type");
        let (fields, _) = fields.split_once("\n}").expect("its end");
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(names.len() > 4, "{told}");
        for name in names {
            assert!(PAGE.contains(&format!("`{name}`")), "{name} is not in docs/mock.md");
            let is_ours = ["fail", "slow"].contains(&name);
            let there = ["(", ":"].iter().any(|end| fields.contains(&format!("\n  {name}{end}")));
            assert!(is_ours || there, "{kind} has no {name}");
        }
    }
}

#[tokio::test]
async fn the_example_of_its_page_is_a_seed_file() {
    let (_, rest) = PAGE.split_once("```json\n").expect("an example");
    let (text, _) = rest.split_once("```").expect("its end");
    let stage = stage(text, &[]).await;
    let (nova, codes) = seen(&stage, "nova").await;
    assert_eq!((&nova["tasks"][0]["title"], &nova["appointments"][0]["status"]), (&json!("Call Nova"), &json!("NEW")));
    assert_eq!(codes, json!({}));
}

#[test]
fn a_file_that_cannot_be_used_starts_nothing() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "{\"contacts\": [{\"naem\": \"x\"}]}").expect("a file that can be written");
    let path = file.path().to_str().expect("a path");
    for (arguments, part) in [
        (["sandbox", "--seed-file", path, "--port", "0"], "line 1 column 21"),
        (["demo", "--seed-file", path, "--port", "0"], "expected one of `id`"),
        (["demo", "--seed-file", "/no/such/file", "--port", "0"], "cannot be read"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
        let output = command.args(arguments).stdin(Stdio::null()).output().expect("a command that runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(64) && told.contains(part), "{part} in {told}");
    }
}
