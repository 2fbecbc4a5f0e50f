//! The schema's files are true, and everything in it is described.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema")
}

#[test]
fn the_checked_in_schema_is_the_one_of_the_code() {
    let checked_in = fs::read_to_string(folder().join("schema.graphql")).expect("schema/schema.graphql");
    assert!(
        checked_in == contacts_gateway::schema::sdl(),
        "schema/schema.graphql is out of date: `cargo run -- schema > schema/schema.graphql` writes it"
    );
}

#[tokio::test]
async fn each_example_is_answered_without_an_error_and_with_something_in_it() {
    let stage = Stage::new().await;
    let examples = folder().join("examples");
    let variables = fs::read_to_string(examples.join("variables.json")).expect("variables.json");
    let variables: Value = serde_json::from_str(&variables).expect("JSON");
    let mut answers = serde_json::Map::new();
    let entries = fs::read_dir(&examples).expect("schema/examples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // Those that change something come last, by their numbers.
    paths.sort();
    for path in paths {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "graphql") {
            let text = fs::read_to_string(&path).expect("text");
            if text.contains("\nsubscription ") {
                continue; // those are tried where changes are told
            }
            let given = variables.get(&name).unwrap_or_else(|| panic!("{name} is in variables.json")).clone();
            answers.insert(name, stage.data(&text, given).await);
        }
    }
    assert!(answers.len() >= 8);
    answers.sort_keys();
    // What the limits leave depends on what was asked before.
    answers.remove("10-limits-left");
    insta::assert_json_snapshot!(answers);
}

#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let stage = Stage::new().await;
    let type_fields = "name description fields(includeDeprecated: true) { name description args { name description } } \
        inputFields { name description } enumValues(includeDeprecated: true) { name description }";
    let data = stage.data(&format!("{{ __schema {{ types {{ {type_fields} }} }} }}"), json!({})).await;
    let mut bare = Vec::new();
    for kind in data["__schema"]["types"].as_array().expect("types") {
        if !kind["name"].as_str().is_some_and(|name| name.starts_with("__")) {
            describe(kind, &mut Vec::new(), &mut bare);
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

/// Notes what has a name and no description, all the way down.
fn describe(item: &Value, way: &mut Vec<String>, bare: &mut Vec<String>) {
    way.push(item["name"].as_str().unwrap_or_default().to_owned());
    if item["description"].as_str().is_none_or(str::is_empty) {
        bare.push(way.join("."));
    }
    for part in ["fields", "inputFields", "enumValues", "args"] {
        for inner in item[part].as_array().into_iter().flatten() {
            describe(inner, way, bare);
        }
    }
    way.pop();
}
