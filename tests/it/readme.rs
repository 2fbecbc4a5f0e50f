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
    let want: Value = serde_json::from_str(block("json answer")).expect("JSON");
    assert_eq!(stage.ask(block("graphql"), json!({ "id": DEMO_CONTACT })).await, want);
    assert_eq!(stage.calls(), one_of_each());
}
