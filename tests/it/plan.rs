//! Plans: how many upstream calls an operation needs is known before it is executed, and never exceeded where nothing fails.

mod explain;
mod generated;
mod limits;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::*;

/// What an answer tells of what it cost, with the answer.
async fn explained(stage: &Stage, query: &str, variables: Value) -> (Value, Value) {
    let body = json!({ "query": query, "variables": variables });
    let answer = stage.post().header("x-gateway-explain", "1").json(&body).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    (answer["extensions"]["upstream"].clone(), answer)
}

/// The examples, each with its variables.
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
    files.into_iter().map(with).collect()
}
