//! Lists of contacts: their calls, their pages, their cursors, and the fields that their rows do not tell.

use std::collections::{BTreeMap, HashSet};

use contacts_gateway::sandbox::{Fault, Options};
use serde_json::{Value, json};

use super::support::*;

fn ids_of(connection: &Value) -> Vec<String> {
    let nodes = connection["nodes"].as_array().expect("nodes");
    nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}

async fn with_contacts(contacts: usize) -> Stage {
    Stage::with(Options { contacts, ..Options::default() }, &[]).await
}

/// Pages of `size` from the beginning to the end.
async fn walk(stage: &Stage, field: &str, size: usize) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut sizes, mut after) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let query = format!(
            "query W($n: Int, $after: String) {{ list: {} {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}",
            field.replace(')', ", first: $n, after: $after)")
        );
        let page = stage.data(&query, json!({ "n": size, "after": after })).await["list"].take();
        let new = ids_of(&page);
        sizes.push(new.len());
        ids.extend(new);
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return (ids, sizes);
        }
    }
}

#[tokio::test]
async fn fifty_contacts_with_all_three_lists_cost_151_calls_each_of_them_once() {
    let stage = Stage::without_search().await;
    let data = stage.data(LIST_WITH_ALL, json!({ "n": 50 })).await;
    assert_eq!(ids_of(&data["contacts"]), stage.ids()[..50]);
    let paths: Vec<_> = stage.sandbox.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths.iter().collect::<HashSet<_>>().len(), paths.len());
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (TASKS, 50), (NOTES, 50), (APPOINTMENTS, 50)]));
    stage.data(LIST_WITH_ALL, json!({ "n": 50 })).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_contact_that_a_row_told_costs_nothing() {
    let stage = Stage::new().await;
    stage.data("{ contacts(first: 5) { nodes { id } } }", json!({})).await;
    stage.calls();
    let query = "query C($id: ID!) { contact(id: $id) { name firstName email tags } }";
    stage.data(query, json!({ "id": stage.ids()[4] })).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn rows_and_contacts_have_the_same_names() {
    let stage = Stage::new().await;
    let fields = "id name firstName lastName email phone company website type source tags dnd assignedTo businessId \
        address { line1 city state postalCode country } dateOfBirth customFields { id value } dateCreated";
    let query = format!("{{ contacts(first: 40) {{ nodes {{ {fields} }} }} }}");
    let rows = stage.data(&query, json!({})).await["contacts"]["nodes"].take();
    let other = Stage::new().await;
    let query = format!("query B($ids: [ID!]!) {{ contactsByIds(ids: $ids) {{ {fields} }} }}");
    let whole = other.data(&query, json!({ "ids": &other.ids()[..40] })).await["contactsByIds"].take();
    assert_eq!(rows, whole);
    assert_eq!(stage.calls().get(CONTACT), None, "a row told everything that was asked for");
}

#[tokio::test]
async fn a_field_that_rows_do_not_tell_is_loaded_by_id_and_only_when_it_is_selected() {
    let stage = Stage::new().await;
    stage.data("{ contacts(first: 5) { nodes { name email } } }", json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
    let zones = stage.data("{ contacts(first: 5) { nodes { name timezone } } }", json!({})).await;
    assert!(zones["contacts"]["nodes"].as_array().expect("nodes").iter().all(|node| node["timezone"].is_string()));
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 5)]));
}

#[tokio::test]
async fn a_time_zone_that_rows_do_tell_costs_nothing() {
    let stage = Stage::quirky("row-timezone").await;
    stage.data("{ contacts(first: 5) { nodes { name timezone } } }", json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
}

#[tokio::test]
async fn short_rows_are_filled_in_by_id() {
    let stage = Stage::quirky("short-rows").await;
    let query = "{ contacts(first: 3) { nodes { id name phone email } } }";
    let rows = stage.data(query, json!({})).await;
    assert!(rows["contacts"]["nodes"].as_array().expect("nodes").iter().all(|node| node["name"].is_string()));
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (CONTACT, 3)]));
}

#[tokio::test]
async fn two_hundred_and_fifty_contacts_are_three_pages() {
    let stage = with_contacts(300).await;
    let query = "{ contacts(first: 250) { nodes { id } edges { cursor node { id } } totalCount pageInfo { hasNextPage endCursor } } }";
    let list = stage.data(query, json!({})).await["contacts"].take();
    assert_eq!(ids_of(&list), stage.ids()[..250]);
    assert_eq!(list["pageInfo"]["hasNextPage"], true);
    assert_eq!(list["totalCount"], 300);
    assert_eq!(list["edges"][249]["cursor"], list["pageInfo"]["endCursor"]);
    let limits: Vec<_> = stage.sandbox.calls().iter().map(|call| call.query("limit").map(str::to_owned)).collect();
    assert_eq!(limits, ["100", "100", "51"].map(|limit| Some(limit.to_owned())));
}

#[tokio::test]
async fn a_walk_in_pages_of_any_size_meets_each_contact_once_and_in_one_order() {
    let stage = with_contacts(130).await;
    for size in [7, 50, 65, 100, 130, 500] {
        let (ids, sizes) = walk(&stage, "contacts()", size).await;
        assert_eq!(ids, stage.ids(), "pages of {size}: {sizes:?}");
    }
}

#[tokio::test]
async fn whether_there_is_more_is_right_on_a_page_that_is_exactly_full() {
    for quirks in ["", "no-totals", "no-meta", "no-last-cursor"] {
        let played = quirks.parse().expect("a quirk");
        let stage = Stage::with(Options { contacts: 200, quirks: played, ..Options::default() }, &[]).await;
        for (first, more) in [(1, true), (99, true), (100, true), (199, true), (200, false), (201, false), (500, false)]
        {
            let query = "query N($n: Int) { contacts(first: $n) { nodes { id } pageInfo { hasNextPage } } }";
            let list = stage.data(query, json!({ "n": first })).await["contacts"].take();
            assert_eq!(list["pageInfo"]["hasNextPage"], more, "{first} {quirks:?}");
            assert_eq!(ids_of(&list).len(), first.min(200), "{first} {quirks:?}");
        }
        let (ids, sizes) = walk(&stage, "contacts()", 100).await;
        assert_eq!((ids.len(), sizes), (200, vec![100, 100]), "{quirks:?}");
    }
}

#[tokio::test]
async fn nobody_pays_for_knowing_whether_there_is_more_who_does_not_ask() {
    let stage = Stage::quirky("no-totals").await;
    stage.data("{ contacts(first: 100) { nodes { id } } }", json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
    stage.data("{ contacts(first: 100) { pageInfo { hasNextPage } } }", json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]), "the page is held; one more row is asked for");
}

#[tokio::test]
async fn the_contacts_of_a_business_are_walked_by_skip_and_limit() {
    let stage = Stage::new().await;
    let query = r#"query B($b: ID!, $n: Int) { contactsByBusiness(businessId: $b, first: $n) { nodes { id businessId } pageInfo { hasNextPage } } }"#;
    let business = "95d8bd5f46db71c4def9045c";
    let all = stage.data(query, json!({ "b": business, "n": 500 })).await["contactsByBusiness"].take();
    let count = ids_of(&all).len();
    assert!(count > 2);
    assert!(all["nodes"].as_array().expect("nodes").iter().all(|node| node["businessId"] == business));
    assert_eq!(all["pageInfo"]["hasNextPage"], false);
    for (first, more) in [(count - 1, true), (count, false), (count + 1, false)] {
        let page = stage.data(query, json!({ "b": business, "n": first })).await["contactsByBusiness"].take();
        assert_eq!(page["pageInfo"]["hasNextPage"], more, "{first} of {count}");
    }
    let (ids, _) = walk(&stage, &format!(r#"contactsByBusiness(businessId: "{business}")"#), 2).await;
    assert_eq!(ids, ids_of(&all));
}

#[tokio::test]
async fn search_reaches_the_upstream() {
    let stage = Stage::new().await;
    let query = "{ contacts(search: \"lindqvist\", first: 5) { nodes { name } pageInfo { hasNextPage } } }";
    let found = stage.data(query, json!({})).await["contacts"].take();
    assert_eq!(found, json!({ "nodes": [{ "name": "Amara Lindqvist" }], "pageInfo": { "hasNextPage": false } }));
    assert_eq!(stage.sandbox.calls()[0].query("query"), Some("lindqvist"));
}

#[tokio::test]
async fn a_cursor_that_was_altered_or_is_of_another_list_is_refused_without_a_call() {
    let stage = Stage::new().await;
    let end = async |field: &str| {
        let query = format!("{{ list: {field} {{ pageInfo {{ endCursor }} }} }}");
        stage.data(&query, json!({})).await["list"]["pageInfo"]["endCursor"].as_str().expect("a cursor").to_owned()
    };
    let good = end("contacts(first: 5)").await;
    let mut bad = vec![
        end(r#"contacts(first: 5, search: "a")"#).await,
        end(r#"contactsByBusiness(businessId: "95d8bd5f46db71c4def9045c", first: 1)"#).await,
        good[..good.len() - 3].to_owned(),
        format!("{good}="),
        String::new(),
        "abc".to_owned(),
        "A".repeat(5_000),
        r#"[1767225600000,"c"]"#.to_owned(),
    ];
    for at in 0..good.len() {
        let other = if &good[at..=at] == "A" { "B" } else { "A" };
        bad.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
    }
    stage.calls();
    let query = "query A($after: String) { contacts(first: 5, after: $after) { nodes { id } } }";
    for after in bad {
        let answer = stage.ask(query, json!({ "after": after })).await;
        assert_eq!(errors(&answer), one_error("contacts", "BAD_USER_INPUT"), "{after}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
    let next = stage.data(query, json!({ "after": good })).await;
    assert_eq!(ids_of(&next["contacts"]), stage.ids()[5..10]);
}

#[tokio::test]
async fn first_has_bounds_and_costs_nothing_beyond_them() {
    let stage = Stage::new().await;
    for first in [0, -1, 501] {
        let answer =
            stage.ask("query N($n: Int) { contacts(first: $n) { nodes { id } } }", json!({ "n": first })).await;
        assert_eq!(errors(&answer), one_error("contacts", "BAD_USER_INPUT"), "{first}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
    let query = "{ contacts(first: 1) { nodes { id tasks(first: 501) { id } } } }";
    let answer = stage.ask(query, json!({})).await;
    assert_eq!(errors(&answer), one_error("contacts.nodes.0.tasks", "BAD_USER_INPUT"));
    assert_eq!(answer["data"]["contacts"]["nodes"][0]["tasks"], Value::Null);
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
}

#[tokio::test]
async fn a_first_of_null_is_the_default() {
    let stage = Stage::new().await;
    let list = stage.data("{ contacts(first: null) { nodes { id } } }", json!({})).await;
    assert_eq!(ids_of(&list["contacts"]).len(), 20);
}

#[tokio::test]
async fn an_upstream_that_repeats_its_page_makes_an_error_and_no_endless_walk() {
    let stage = Stage::new().await;
    let rows: Vec<Value> =
        (0..100).map(|n| json!({ "id": format!("c{n}"), "startAfter": [1_767_225_600_000_u64, "c99"] })).collect();
    stage.sandbox.fault(Fault::on(LIST).status(200).body(json!({ "contacts": rows })));
    let answer = stage.ask("{ contacts(first: 500) { nodes { id } } }", json!({})).await;
    assert_eq!(errors(&answer), one_error("contacts", "UPSTREAM_BAD_RESPONSE"));
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 2)]));
}

#[tokio::test]
async fn an_upstream_that_does_not_count_rows_makes_an_error_and_no_endless_walk() {
    let stage = Stage::new().await;
    let rows: Vec<Value> = (0..100).map(|n| json!({ "id": format!("c{n}") })).collect();
    stage.sandbox.fault(Fault::on(BUSINESS).status(200).body(json!({ "contacts": rows })));
    let query = r#"{ contactsByBusiness(businessId: "b", first: 300) { nodes { id } } }"#;
    let answer = stage.ask(query, json!({})).await;
    assert_eq!(errors(&answer), one_error("contactsByBusiness", "UPSTREAM_BAD_RESPONSE"));
    assert_eq!(stage.calls(), BTreeMap::from([(BUSINESS, 7)]));
}

#[tokio::test]
async fn a_contact_that_enters_a_list_while_it_is_walked_is_no_error_and_no_contact_comes_twice() {
    let stage = with_contacts(6_000).await;
    let business = "95d8bd5f46db71c4def9045c";
    let held = format!(r#"{{ contactsByBusiness(businessId: "{business}", first: 100) {{ nodes {{ id }} }} }}"#);
    let before = ids_of(&stage.data(&held, json!({})).await["contactsByBusiness"]);
    assert_eq!(before.len(), 100, "a page of the business is full");
    // The newest contact joins: every row moves by one, behind the page that is held.
    let location = stage.sandbox.info().location_id.clone();
    let newest = stage.ids().into_iter().find(|id| !before.contains(id)).expect("another contact");
    stage.sandbox.update_contact(&location, &newest, |contact| contact["businessId"] = business.into());
    let more = format!(
        r#"{{ contactsByBusiness(businessId: "{business}", first: 100) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}"#
    );
    let list = stage.data(&more, json!({})).await["contactsByBusiness"].take();
    assert_eq!(ids_of(&list), before);
    assert_eq!(list["pageInfo"]["hasNextPage"], true);
    let limits: Vec<_> = stage.sandbox.calls().iter().map(|call| call.query("limit").map(str::to_owned)).collect();
    assert_eq!(limits, ["100", "1", "1"].map(|limit| Some(limit.to_owned())), "the first row behind was seen before");
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_the_setting_allows() {
    let stage = Stage::set(&[("UPSTREAM_CONCURRENCY", "10")]).await;
    let hold = stage.sandbox.hold(NOTES);
    let query = "{ contacts(first: 40) { nodes { id notes { id } } } }";
    let let_go = async {
        hold.arrived(10).await;
        assert_eq!(hold.count(), 10);
        hold.release();
    };
    tokio::join!(stage.data(query, json!({})), let_go);
    assert_eq!(stage.sandbox.max_in_flight(), 10);
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (NOTES, 40)]));
}
