//! One contact with everything: what it answers and what it costs.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::DEMO_CONTACT;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::*;

#[tokio::test]
async fn a_cold_profile_is_four_calls_and_the_same_again_none() {
    let stage = Stage::new().await;
    let cold = stage.profile().await;
    let versions: Vec<_> = stage.sandbox.calls().into_iter().map(|call| call.version).collect();
    assert_eq!(versions, vec![Some("2021-07-28".to_owned()); 4]);
    assert_eq!(stage.calls(), one_of_each());
    assert_eq!(stage.profile().await, cold);
    let otherwise = "query Other($x: ID!) { who: contact(id: $x) { mail: email todo: tasks { title } tags } }";
    stage.data(otherwise, json!({ "x": DEMO_CONTACT })).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_profile_is_answered_as_the_upstream_has_it() {
    let stage = Stage::new().await;
    let query = "query P($id: ID!) { contact(id: $id) { id locationId name firstName lastName email phone company \
        website type source timezone tags dnd address { line1 city state postalCode country } dateOfBirth assignedTo \
        businessId customFields { id value } dateCreated dateUpdated \
        tasks { id title body status completed dueDate priority assignedTo contactId } \
        notes { id note title pinned color userId dateCreated contactId } \
        appointments { id title status startTime endTime address notes calendarId groupId assignedUserId users \
        dateCreated dateUpdated contactId } } }";
    insta::assert_json_snapshot!(stage.data(query, json!({ "id": DEMO_CONTACT })).await);
}

#[tokio::test]
async fn no_list_waits_for_the_contact() {
    let stage = Stage::new().await;
    let contact = stage.sandbox.hold(CONTACT);
    let lists = [TASKS, NOTES, APPOINTMENTS].map(|route| stage.sandbox.hold(route));
    let let_go = async {
        for list in lists {
            list.arrived(1).await;
        }
        contact.release();
    };
    tokio::join!(stage.profile(), let_go);
}

#[tokio::test]
async fn a_task_and_its_contact_with_its_lists_are_asked_for_together() {
    let stage = Stage::new().await;
    let query = "query T($c: ID!, $t: ID!) { task(contactId: $c, id: $t) { title contact { name notes { note } } } }";
    let one = "GET /contacts/{contactId}/tasks/{taskId}";
    let task = stage.sandbox.hold(one);
    let others = [CONTACT, NOTES].map(|route| stage.sandbox.hold(route));
    let let_go = async {
        for other in others {
            other.arrived(1).await;
        }
        task.release();
    };
    let variables = json!({ "c": DEMO_CONTACT, "t": "tAutumnPr0posa1Ke5Wd" });
    let (data, ()) = tokio::join!(stage.data(query, variables), let_go);
    assert_eq!(data["task"]["contact"]["name"], "Amara Lindqvist");
    assert_eq!(stage.calls(), BTreeMap::from([(one, 1), (CONTACT, 1), (NOTES, 1)]));
}

#[tokio::test]
async fn two_hundred_callers_at_once_cost_four_calls() {
    let stage = Stage::new().await;
    let contact = stage.sandbox.hold(CONTACT);
    let let_go = async {
        contact.arrived(1).await;
        contact.release();
    };
    let (answers, ()) = tokio::join!(join_all((0..200).map(|_| stage.profile())), let_go);
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(stage.calls(), one_of_each());
}

#[tokio::test]
async fn only_what_is_selected_is_asked_for() {
    let stage = Stage::new().await;
    let id = json!({ "id": DEMO_CONTACT, "yes": false });
    stage.data("query N($id: ID!) { contact(id: $id) { notes { id } } }", id.clone()).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1), (NOTES, 1)]));
    let skipped = "query S($id: ID!, $yes: Boolean!) { contact(id: $id) { id tasks @include(if: $yes) { id } ...Later } } \
        fragment Later on Contact { appointments @skip(if: true) { id } }";
    stage.data(skipped, id).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn filters_are_right_and_cost_nothing_once_the_list_is_held() {
    let stage = Stage::new().await;
    stage.profile().await;
    stage.calls();
    let query = r#"query F($id: ID!) { contact(id: $id) {
        open: tasks(status: OPEN) { title }
        done: tasks(status: COMPLETED) { title }
        overdue: tasks(status: OPEN, dueBefore: "2026-06-15T15:00:00Z") { title }
        span: tasks(dueAfter: "2026-06-11T20:00:00Z", dueBefore: "2026-06-17T17:00:00Z") { title }
        two: tasks(first: 2) { title }
        recent: notes(createdAfter: "2026-06-01T00:00:00+02:00") { id }
        early: notes(createdBefore: "2026-06-01T00:00:00Z", first: 1) { id }
        coming: appointments(startsAfter: "2026-06-15T15:00:00Z") { title status }
        past: appointments(startsBefore: "2026-06-15T15:00:00Z") { title status }
        sure: appointments(status: CONFIRMED) { title }
    } }"#;
    insta::assert_json_snapshot!(stage.data(query, json!({ "id": DEMO_CONTACT })).await);
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn an_unknown_contact_is_null_in_each_spelling_and_is_kept_briefly() {
    for quirks in ["", "message-errors", "status-errors", "missing-404"] {
        let stage = Stage::quirky(quirks).await;
        let unknown = json!({ "id": "zzzzzzzzzzzzzzzzzzzz" });
        let none: Value = json!({ "contact": null });
        assert_eq!(stage.data(PROFILE, unknown.clone()).await, none, "{quirks}");
        stage.calls();
        assert_eq!(stage.data(PROFILE, unknown.clone()).await, none, "{quirks}");
        assert_eq!(stage.calls(), BTreeMap::new(), "{quirks}");
        stage.clock.advance(Duration::from_secs(6));
        stage.data("query C($id: ID!) { contact(id: $id) { id } }", unknown).await;
        assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "{quirks}");
    }
}

#[tokio::test]
async fn an_unknown_task_and_an_unknown_note_are_null() {
    let stage = Stage::new().await;
    let query = r#"query N($c: ID!) { task(contactId: $c, id: "none") { id } note(contactId: $c, id: "none") { id } }"#;
    assert_eq!(stage.data(query, json!({ "c": DEMO_CONTACT })).await, json!({ "task": null, "note": null }));
}

#[tokio::test]
async fn a_task_of_a_list_that_is_held_costs_nothing() {
    let stage = Stage::new().await;
    stage.profile().await;
    stage.calls();
    let query = r#"query T($c: ID!) { task(contactId: $c, id: "tAutumnPr0posa1Ke5Wd") { title }
        note(contactId: $c, id: "nC4llBackJun3Zr5Tg8W") { note contact { name } } }"#;
    let data = stage.data(query, json!({ "c": DEMO_CONTACT })).await;
    assert_eq!(data["task"]["title"], "Send the proposal for the autumn campaign");
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn contacts_by_ids_keep_order_and_length_and_ask_for_each_once() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    let asked = [&ids[2], "zzzzzzzzzzzzzzzzzzzz", &ids[0], &ids[2]];
    let query = "query B($ids: [ID!]!) { contactsByIds(ids: $ids) { id } none: contactsByIds(ids: []) { id } }";
    let data = stage.data(query, json!({ "ids": asked })).await;
    let want = json!({ "contactsByIds": [{ "id": ids[2] }, null, { "id": ids[0] }, { "id": ids[2] }], "none": [] });
    assert_eq!(data, want);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 3)]));
}

#[tokio::test]
async fn keys_come_in_the_order_of_the_query() {
    let stage = Stage::new().await;
    let query = format!(
        r#"{{ z: gateway {{ version }} a: contact(id: "{DEMO_CONTACT}") {{ w: appointments {{ title id }} tasks {{ status id }} phone q: email a: id }} m: gateway {{ scopes }} }}"#
    );
    let answer = stage.post().json(&json!({ "query": query })).send().await.expect("an answer");
    let text = answer.text().await.expect("text");
    let at = |key: &str| text.find(key).unwrap_or_else(|| panic!("{key} in {text}"));
    let keys = [r#""z":"#, r#""a":{"#, r#""w":"#, r#""tasks":"#, r#""phone":"#, r#""q":"#, r#""a":""#, r#""m":"#];
    assert!(keys.is_sorted_by_key(|key| at(key)), "{text}");
}

#[tokio::test]
async fn the_gateway_tells_its_location_and_what_the_limits_leave() {
    let options = contacts_gateway::sandbox::Options {
        rate_limit: Some("100/10".parse().expect("a limit")),
        ..contacts_gateway::sandbox::Options::default()
    };
    let stage = Stage::with(options, &[]).await;
    let query = "{ gateway { version scopes location { id } limits { max remaining windowMs } } }";
    let before = stage.data(query, json!({})).await;
    assert_eq!(before["gateway"]["limits"], Value::Null);
    assert_eq!(before["gateway"]["location"]["id"], *stage.sandbox.info().location_id);
    stage.profile().await;
    let after = stage.data(query, json!({})).await;
    assert_eq!(after["gateway"]["limits"]["max"], 100);
    assert_eq!(after["gateway"]["limits"]["windowMs"], 10_000);
}
