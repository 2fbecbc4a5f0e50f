//! Lists that lag behind changes: what was changed through the gateway is shown as it is, not as the list has it.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::*;

const SEARCH: &str = "{ contacts(first: 5, search: \"lindqvist\") { nodes { id name tags } totalCount } }";

/// A gateway whose upstream's lists stay as they are now.
async fn lagging() -> Stage {
    let stage = Stage::new().await;
    stage.sandbox.set_list_lag(Duration::MAX);
    stage
}

impl Stage {
    async fn found(&self) -> Value {
        self.data(SEARCH, json!({})).await["contacts"].clone()
    }
}

#[tokio::test]
async fn a_row_of_a_changed_contact_is_not_believed() {
    let stage = lagging().await;
    assert_eq!(stage.found().await["nodes"][0]["name"], "Amara Lindqvist");
    stage.changed("updateContact", json!({ "id": DEMO_CONTACT, "lastName": "New" }), "__typename").await;
    stage.calls();
    assert_eq!(stage.found().await["nodes"][0]["name"], "Amara New");
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]), "the contact is held from the answer to its change");
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara New", "the page has not put the old row in its place");
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn what_the_answer_to_a_change_did_not_tell_is_read_by_id() {
    let stage = lagging().await;
    let input = json!({ "contactId": DEMO_CONTACT, "tags": ["new"] });
    stage.changed("addContactTags", input, "__typename").await;
    stage.calls();
    let row = stage.found().await["nodes"][0].clone();
    assert_eq!(row["name"], "Amara Lindqvist");
    assert!(row["tags"].as_array().unwrap().contains(&json!("new")), "{row}");
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (CONTACT, 1)]));
}

#[tokio::test]
async fn a_deleted_contact_is_not_listed() {
    let stage = lagging().await;
    let before = stage.found().await["totalCount"].as_u64().unwrap();
    let page = "query P($n: Int!) { contacts(first: $n) { nodes { id } totalCount pageInfo { hasNextPage } } }";
    let ids = stage.ids();
    stage.changed("deleteContact", json!({ "id": DEMO_CONTACT }), "deletedId").await;
    stage.changed("deleteContact", json!({ "id": ids[1] }), "deletedId").await;
    let found = stage.found().await;
    assert_eq!(
        (found["nodes"].as_array().unwrap().len() as u64, found["totalCount"].as_u64()),
        (before - 1, Some(before - 1))
    );
    let all = stage.data(page, json!({ "n": 3 })).await["contacts"].clone();
    let want: Vec<Value> =
        ids.iter().filter(|id| **id != ids[1] && *id != DEMO_CONTACT).take(3).map(|id| json!({ "id": id })).collect();
    assert_eq!(all["nodes"], json!(want), "the walk goes on for those that are missing");
    assert_eq!(all["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn once_the_lists_have_caught_up_their_rows_are_believed_again() {
    let stage = lagging().await;
    stage.changed("updateContact", json!({ "id": DEMO_CONTACT, "email": "new@new.example" }), "__typename").await;
    stage.sandbox.set_list_lag(Duration::ZERO);
    stage.clock.advance(Duration::from_secs(10));
    let query = "{ contacts(first: 1, search: \"new@new.example\") { nodes { name email dateUpdated } } }";
    stage.data(query, json!({})).await;
    stage.clock.advance(Duration::from_secs(10));
    stage.calls();
    stage.data(query, json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::new(), "and their pages are kept for their whole time");
}

#[tokio::test]
async fn a_page_that_was_read_behind_a_change_is_soon_read_again() {
    let stage = lagging().await;
    let list = "{ contacts(first: 2) { nodes { name } } }";
    stage.changed("createContact", json!({ "name": "Zora Neale" }), "__typename").await;
    stage.data(list, json!({})).await;
    stage.sandbox.set_list_lag(Duration::ZERO);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.data(list, json!({})).await["contacts"]["nodes"][0]["name"], "Zora Neale");
}

/// Others change contacts too: what they do is told by the rows.
#[tokio::test]
async fn rows_of_other_contacts_are_believed() {
    let stage = Stage::new().await;
    let other = stage.ids()[0].clone();
    stage.changed("updateContact", json!({ "id": DEMO_CONTACT, "lastName": "New" }), "__typename").await;
    stage.calls();
    let page = stage.data("{ contacts(first: 3) { nodes { id name } } }", json!({})).await;
    assert_eq!(page["contacts"]["nodes"][0]["id"], other.as_str());
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
}
