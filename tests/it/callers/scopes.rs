//! Scopes of callers: what a caller may not do is refused before anything is asked.

use serde_json::json;

use super::*;

/// A field of `Query`, and how many calls it takes.
const READS: [(&str, usize); 6] = [
    ("query($id: ID!) { it: contact(id: $id) { id } }", 1),
    ("query($id: ID!) { it: contactsByIds(ids: [$id]) { id } }", 0),
    ("query($id: ID!) { it: contactsByBusiness(businessId: $id) { nodes { id } } }", 1),
    ("query($id: ID!) { it: task(contactId: $id, id: $id) { id } }", 1),
    ("query($id: ID!) { it: note(contactId: $id, id: $id) { id } }", 1),
    ("query { it: contacts { nodes { id } } }", 1),
];

#[tokio::test]
async fn a_caller_without_the_scope_is_refused_every_reading_with_no_call_though_others_have_it_cached() {
    let keys =
        keys::file(&[row("reads", &[READ], None, ""), row("writes", &[WRITE], None, ""), row("no", &[], None, "")]);
    let stage = keys::one_location(&keys).await;
    let id = json!({ "id": stage.ids()[0] });
    for (query, calls) in READS {
        let (_, answer) = stage.ask_as("reads", None, query, id.clone()).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        assert_eq!(stage.calls().values().sum::<usize>(), calls, "{query}");
        for key in ["writes", "no"] {
            let (status, answer) = stage.ask_as(key, None, query, id.clone()).await;
            assert_eq!((status, errors(&answer)), (200, one_error("it", "FORBIDDEN")), "{query}");
            assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([READ]));
            let words = "This needs the scope contacts.readonly, which the caller does not have.";
            assert_eq!(answer["errors"][0]["message"], words);
            assert_eq!(stage.calls().len(), 0, "{query}");
        }
    }
}

#[tokio::test]
async fn a_refused_field_takes_nothing_from_the_others_and_everybody_may_ask_what_they_may() {
    let keys = keys::file(&[row("writes", &[WRITE], None, ""), row("all", &[WRITE, READ], None, "")]);
    let stage = keys::one_location(&keys).await;
    let query = "query($id: ID!) { contact(id: $id) { id } gateway { scopes } }";
    let id = json!({ "id": stage.ids()[0] });
    let (_, answer) = stage.ask_as("writes", None, query, id.clone()).await;
    assert_eq!(answer["data"], json!({ "contact": null, "gateway": { "scopes": [WRITE] } }));
    let (_, answer) = stage.ask_as("all", None, query, id).await;
    assert_eq!(answer["data"]["gateway"]["scopes"], json!([READ, WRITE]));
    let open = Stage::new().await;
    assert_eq!(open.data(WHO, json!({})).await["gateway"]["scopes"], json!([READ, WRITE]));
}

#[test]
fn every_field_that_changes_something_says_which_scope_it_needs() {
    let sdl = include_str!("../../../schema/schema.graphql");
    let (_, fields) = sdl.split_once("type Mutation {").expect("changes");
    let (fields, _) = fields.split_once("\n}").expect("their end");
    let fields: Vec<&str> = fields.lines().filter(|line| line.starts_with("  ): ")).collect();
    assert_eq!(fields.len(), 13);
    for field in fields {
        assert!(field.ends_with("@requiresScopes(scopes: [[\"contacts.write\"]])"), "{field}");
    }
}

#[tokio::test]
async fn who_may_change_and_not_read_is_told_of_a_change_what_it_takes_no_reading_to_tell() {
    let keys = keys::file(&[row("writes", &[WRITE], None, ""), row("all", &[WRITE, READ], None, "")]);
    let stage = keys::one_location(&keys).await;
    let query =
        "mutation($id: ID!) { createNote(input: { contactId: $id, note: \"x\" }) { note { note contact { name } } } }";
    let id = json!({ "id": stage.ids()[0] });
    let (_, answer) = stage.ask_as("all", None, query, id.clone()).await;
    assert_eq!(answer.get("errors"), None);
    stage.calls();
    let (_, answer) = stage.ask_as("writes", None, query, id).await;
    assert_eq!(answer["data"], json!({ "createNote": { "note": { "note": "x", "contact": null } } }), "{answer}");
    assert_eq!(errors(&answer), one_error("createNote.note.contact", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([READ]));
    assert_eq!(stage.calls().values().sum::<usize>(), 1);
}
