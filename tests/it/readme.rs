//! What the README shows is what happens.

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::support::*;

const README: &str = include_str!("../../README.md");

/// The first block of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("a block");
    rest.split_once("```").expect("its end").0
}

#[tokio::test]
async fn its_query_has_its_answer() {
    let stage = Stage::new().await;
    assert!(README.contains(DEMO_CONTACT));
    let want: Value = serde_json::from_str(block("json")).expect("JSON");
    assert_eq!(stage.ask(block("graphql"), json!({ "id": DEMO_CONTACT })).await, want);
    assert_eq!(stage.calls(), one_of_each());
}

#[test]
fn its_settings_file_can_be_used_once_its_key_files_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["main-street", "harbour"] {
        std::fs::write(folder.path().join(name), "pit-x").expect("a file that can be written");
    }
    let text = block("toml").replace("/run/secrets", folder.path().to_str().expect("a path"));
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).expect("a file that can be written");
    let config = contacts_gateway::config::load(Default::default(), Some(&file)).config.expect("settings");
    assert_eq!(config.locations.len(), 2);
    assert_eq!(config.ttl_contact.as_secs(), 120);
}
