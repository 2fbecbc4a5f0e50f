//! Plans: how many upstream calls an operation needs is known before it is executed, and never exceeded where nothing fails.

mod explain;
mod generated;
mod limits;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use contacts_gateway::sandbox::Options;
use serde_json::{Value, json};

use super::support::*;

/// What an answer tells of what it cost, with the answer.
async fn explained(stage: &Stage, query: &str, variables: Value) -> (Value, Value) {
    let body = json!({ "query": query, "variables": variables });
    let answer = stage.post().header("x-gateway-explain", "1").json(&body).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    (answer["extensions"]["upstream"].clone(), answer)
}

/// A gateway whose credential may not search for tasks, so that each contact's are a call.
async fn without_searches(settings: &[(&str, &str)]) -> Stage {
    let scopes = ["contacts.readonly", "contacts.write"].map(str::to_owned).into();
    Stage::with(Options { scopes, ..Options::default() }, settings).await
}

/// The calls that were made, without the one look whether tasks may be searched for. That is the gateway's own.
fn calls_without_the_look(stage: &Stage) -> BTreeMap<&'static str, usize> {
    let mut calls = stage.calls();
    assert!(calls.remove("POST /locations/{locationId}/tasks/search").is_none_or(|looks| looks == 1));
    calls
}

/// The examples that are answered once, each with its variables.
fn examples() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/examples");
    let variables = fs::read_to_string(folder.join("variables.json")).expect("variables.json");
    let variables: Value = serde_json::from_str(&variables).expect("JSON");
    let entries = fs::read_dir(&folder).expect("schema/examples").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "graphql")).collect();
    files.sort();
    let with = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (path, variables[&name].clone())
    };
    let is_answered_once = |path: &PathBuf| !fs::read_to_string(path).expect("text").contains("\nsubscription ");
    files.into_iter().filter(is_answered_once).map(with).collect()
}
