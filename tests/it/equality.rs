//! A cache changes what an answer costs, never what it is.

use contacts_gateway::sandbox::Options;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::support::*;

const OFF: [(&str, &str); 5] =
    [("TTL_CONTACT", "0s"), ("TTL_TASKS", "0s"), ("TTL_NOTES", "0s"), ("TTL_APPOINTMENTS", "0s"), ("TTL_PAGES", "0s")];

/// A selection of a contact's fields.
fn selection() -> impl Strategy<Value = String> {
    let fields = [
        "name",
        "email",
        "company",
        "timezone",
        "website",
        "tags",
        "address { city country }",
        "customFields { id value }",
        "dateUpdated",
        "tasks { id status contact { name } }",
        "late: tasks(status: OPEN, dueBefore: \"2026-06-15T15:00:00Z\") { title dueDate }",
        "notes(first: 1) { note dateCreated }",
        "appointments(startsAfter: \"2026-06-15T15:00:00Z\") { title startTime }",
    ];
    proptest::sample::subsequence(fields.to_vec(), 1..=6).prop_map(|fields| format!("{{ id {} }}", fields.join(" ")))
}

fn query() -> impl Strategy<Value = String> {
    let one = (0..4usize, selection()).prop_map(|(n, fields)| format!("contact(id: \"#{n}\") {fields}"));
    let many = (0..4usize, 0..4usize, selection())
        .prop_map(|(a, b, fields)| format!("contactsByIds(ids: [\"#{a}\", \"none\", \"#{b}\"]) {fields}"));
    let list = (1..12usize, selection()).prop_map(|(first, fields)| {
        format!("contacts(first: {first}) {{ totalCount nodes {fields} pageInfo {{ hasNextPage endCursor }} }}")
    });
    proptest::collection::vec(prop_oneof![one, many, list], 1..=3).prop_map(|fields| {
        let fields = fields.into_iter().enumerate().map(|(n, field)| format!("f{n}: {field}"));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))
    })
}

#[test]
fn cached_answers_equal_uncached_ones_to_the_byte() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = || Options { contacts: 12, ..Options::default() };
    let cached = runtime.block_on(Stage::with(options(), &[]));
    let uncached = runtime.block_on(Stage::with(options(), &OFF));
    let ids = cached.ids();
    let text = async |stage: &Stage, query: &str| {
        let answer = stage.post().json(&json!({ "query": query })).send().await.expect("an answer");
        answer.text().await.expect("text")
    };
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&query(), |query| {
        let query = (0..4).fold(query, |query, n| query.replace(&format!("#{n}"), &ids[n]));
        let (with, without) = runtime.block_on(async { tokio::join!(text(&cached, &query), text(&uncached, &query)) });
        prop_assert!(!with.contains("errors"), "{}", with);
        prop_assert_eq!(with, without);
        Ok(())
    });
    outcome.expect("no query fails");
    assert!(cached.calls().values().sum::<usize>() < uncached.calls().values().sum());
}
