//! Contacts by their ids, by one search: the same answers as by a call for each, never more calls, and no trace of it when it cannot
//! be used.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::{Fault, Options, Variant};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{LEAST, READ, REST, WRITE, failing};
use crate::support::*;

const FIND: &str = "POST /contacts/search";

/// All that rows of a search tell.
const TOLD: &str = "id locationId name firstName lastName email phone company website type source tags dnd dateOfBirth assignedTo \
    businessId customFields { id value } dateCreated dateUpdated address { city state postalCode country }";

impl Stage {
    async fn contacts(&self, fields: &str, ids: &[String]) -> Value {
        let query = format!("query C($ids: [ID!]!) {{ contactsByIds(ids: $ids) {{ {fields} }} }}");
        self.data(&query, json!({ "ids": ids })).await["contactsByIds"].take()
    }

    /// How often contacts were searched for, and how often they were asked for by id, since the last look.
    fn finds(&self) -> (usize, usize) {
        let calls = self.calls();
        let count = |route| calls.get(route).copied().unwrap_or(0);
        (count(FIND), count(CONTACT))
    }

    /// Another gateway over the same upstream.
    async fn another(&self) -> Self {
        let info = self.sandbox.info();
        self.beside(&[("LOCATION_ID", &info.location_id), ("API_KEY", &info.token)]).await
    }

    /// The same as it is by calls for each: a search does not tell the time zone.
    async fn one_by_one_told(&self, ids: &[String]) -> Value {
        let other = self.another().await;
        self.calls();
        let mut contacts = other.contacts(&format!("{TOLD} timezone"), ids).await;
        assert_eq!(self.finds(), (0, ids.len()));
        for contact in contacts.as_array_mut().expect("a list").iter_mut().filter(|contact| !contact.is_null()) {
            contact.as_object_mut().expect("a contact").remove("timezone");
        }
        contacts
    }
}

#[tokio::test]
async fn a_hundred_and_fifty_contacts_are_two_searches_and_answered_as_by_a_call_for_each() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..150];
    let want = stage.one_by_one_told(ids).await;
    assert_eq!(stage.contacts(TOLD, ids).await, want);
    assert_eq!(stage.calls(), BTreeMap::from([(FIND, 2)]));
    assert_eq!(stage.contacts("id name", &ids[20..120]).await[99]["id"], json!(ids[119]));
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_search_is_for_the_location_and_for_the_ids_that_are_asked_for_and_not_held() {
    let stage = Stage::new().await;
    let (ids, location) = (stage.ids(), stage.sandbox.info().location_id.clone());
    stage.contacts("name", &ids[..2]).await;
    stage.calls();
    stage.contacts("name", &ids[..7]).await;
    let [call] = &stage.sandbox.calls()[..] else { panic!("one call") };
    let mut body = call.body.clone().expect("a body");
    let filters = body["filters"][0]["filters"].as_array_mut().expect("filters");
    filters.sort_by_key(|filter| ids.iter().position(|id| filter["value"] == **id));
    let is_id = |id: &String| json!({ "field": "id", "operator": "eq", "value": id });
    let filters: Vec<Value> = ids[2..7].iter().map(is_id).collect();
    let want = json!({ "locationId": location, "pageLimit": 5, "filters": [{ "group": "OR", "filters": filters }] });
    assert_eq!((call.route, body), (FIND, want));
}

#[tokio::test]
async fn few_contacts_are_not_searched_for() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.profile().await;
    stage.contacts("name", &ids[10..10 + LEAST - 1]).await;
    // The same ones again are no more of them.
    let again: Vec<_> = ids[20..24].iter().chain(&ids[20..24]).cloned().collect();
    stage.contacts("name", &again).await;
    // Nor are those that are asked for in other ways.
    let one = |(at, id): (usize, &String)| format!("c{at}: contact(id: \"{id}\") {{ name }}");
    let query: Vec<String> = ids[30..40].iter().enumerate().map(one).collect();
    stage.data(&format!("{{ {} }}", query.join(" ")), json!({})).await;
    assert_eq!(stage.finds(), (0, 1 + 4 + 4 + 10));
    stage.contacts("name", &ids[50..50 + LEAST]).await;
    assert_eq!(stage.finds(), (1, 0));
}

#[tokio::test]
async fn what_rows_do_not_tell_is_asked_for_by_id_at_once_wherever_it_is_selected() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..10];
    let deep = "name tasks { contact { ...Z } } notes { contact { name } }";
    let spread = "query D($ids: [ID!]!) { contactsByIds(ids: $ids) { name ...D } } fragment D on Contact { tasks { contact { timezone } } }";
    let beside =
        "query B($ids: [ID!]!, $id: ID!) { contactsByIds(ids: $ids) { name } contact(id: $id) { address { line1 } } }";
    let deep = format!(
        "query D($ids: [ID!]!) {{ contactsByIds(ids: $ids) {{ {deep} }} }} fragment Z on Contact {{ timezone }}"
    );
    for (query, wanted) in [(&*deep, 10), (spread, 10), (beside, 10)] {
        let other = stage.another().await;
        let variables = if query == beside { json!({ "ids": ids, "id": ids[3] }) } else { json!({ "ids": ids }) };
        other.data(query, variables).await;
        assert_eq!(stage.finds(), (0, wanted), "{query}");
    }
    stage.contacts("name timezone", ids).await;
    assert_eq!(stage.finds(), (0, 10));
    // What is selected deep and told by rows is no reason.
    let other = stage.another().await;
    stage.calls();
    other.contacts("name notes { contact { email } }", ids).await;
    assert_eq!(stage.calls(), BTreeMap::from([(FIND, 1), (NOTES, 10)]));
}

#[tokio::test]
async fn whoever_is_not_found_is_asked_for_by_id_and_the_order_is_kept() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.sandbox.set_list_lag(Duration::MAX);
    // Lists show it yet, and not how it is called now.
    let location = stage.sandbox.info().location_id.clone();
    stage.sandbox.remove_contact(&location, &ids[3]);
    let mut asked: Vec<String> = ids[..6].iter().rev().cloned().collect();
    asked.extend(["none-1".to_owned(), ids[2].clone(), "none-2".to_owned()]);
    let contacts = stage.contacts("id", &asked).await;
    let got: Vec<Value> = contacts.as_array().unwrap().iter().map(|contact| contact["id"].clone()).collect();
    let want: Vec<Value> =
        asked.iter().map(|id| if id.starts_with("none") { Value::Null } else { json!(id) }).collect();
    assert_eq!(got, want);
    assert_eq!(stage.finds(), (1, 2));
}

/// What a search may meet, and whether it is not made again after that.
fn failures(stage: &Stage) -> Vec<(Fault, bool)> {
    let ids = stage.ids();
    let row = |id: &str| json!({ "id": id, "firstName": "Ann", "lastName": "Lee", "searchAfter": [1, id] });
    let rows = |rows: Value| Fault::on(FIND).body(json!({ "contacts": rows, "total": 1 }));
    let mut all = failing(FIND);
    all.extend([
        (rows(json!("?")), false),
        (rows(json!([{ "firstName": "Ann" }])), false),
        (rows(json!([])), false),
        // The filter is ignored.
        (rows(json!([row(&ids[0]), row(&ids[200])])), true),
        // Only one of five, and none of which the names are known.
        (rows(json!([{ "id": ids[0], "firstNameLowerCase": "ann", "searchAfter": [1, "x"] }])), false),
        (
            rows(
                ids[..50]
                    .iter()
                    .map(|id| json!({ "id": id, "firstNameLowerCase": "ann", "searchAfter": [1, "x"] }))
                    .collect(),
            ),
            true,
        ),
        // Of another location.
        (
            rows(
                ids[..50].iter().map(|id| json!({ "id": id, "locationId": "elsewhere", "name": "Ann Lee" })).collect(),
            ),
            true,
        ),
        // Each one twice.
        (rows(ids[..25].iter().chain(&ids[..25]).map(|id| row(id)).collect()), true),
    ]);
    all
}

#[tokio::test]
async fn a_search_that_fails_leaves_no_trace_and_is_not_made_again_at_once() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..50];
    let want = stage.contacts("id name timezone", ids).await;
    let want: Vec<Value> =
        want.as_array().unwrap().iter().map(|one| json!({ "id": one["id"], "name": one["name"] })).collect();
    for (fault, is_off) in failures(&stage) {
        let other = stage.another().await;
        stage.calls();
        stage.sandbox.fault(fault.clone());
        assert_eq!(other.contacts("id name", ids).await, json!(want), "{fault:?}");
        assert_eq!(other.finds(), (1, 50), "{fault:?}");
        other.contacts("name", &stage.ids()[50..60]).await;
        assert_eq!(other.finds(), (0, 10), "{fault:?}");
        assert_eq!(other.get("/health/ready").send().await.expect("an answer").status(), 200, "{fault:?}");
        stage.sandbox.clear_faults();
        other.clock.advance(REST);
        other.contacts("name", &stage.ids()[60..70]).await;
        assert_eq!(other.finds(), if is_off { (0, 10) } else { (1, 0) }, "{fault:?}");
    }
}

#[tokio::test]
async fn where_names_are_told_in_lower_case_alone_there_is_one_search_and_no_other() {
    let stage = Stage::quirky("lower-search-names").await;
    let ids = stage.ids();
    stage.contacts("email phone", &ids[..10]).await;
    assert_eq!(stage.finds(), (1, 0));
    let want = stage.one_by_one_told(&ids[10..20]).await;
    assert_eq!(stage.contacts(TOLD, &ids[10..20]).await, want);
    assert_eq!(stage.finds(), (1, 10));
    stage.contacts(TOLD, &ids[20..30]).await;
    assert_eq!(stage.finds(), (0, 10));
}

const WITH_TASKS: &str = "query T($ids: [ID!]!) { contactsByIds(ids: $ids) { name tasks { id } } }";

#[tokio::test]
async fn of_all_searches_with_a_credential_one_may_be_refused() {
    // Contacts first: then tasks are never searched for.
    let stage = Stage::quirky("no-id-filter").await;
    let ids = stage.ids();
    stage.contacts("name", &ids[..10]).await;
    assert_eq!(stage.calls(), BTreeMap::from([(FIND, 1), (CONTACT, 10)]));
    stage.data(WITH_TASKS, json!({ "ids": &ids[10..20] })).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 10), (TASKS, 10)]));
    // Tasks first: then contacts are not.
    let scopes = [READ, WRITE].map(String::from).into();
    let stage = Stage::with(Options { scopes, ..Options::default() }, &[]).await;
    stage.data(LIST_WITH_ALL, json!({ "n": 10 })).await;
    assert_eq!(stage.calls().get(SEARCH), Some(&1));
    stage.contacts("name", &stage.ids()[20..40]).await;
    assert_eq!(stage.finds(), (0, 20));
}

#[tokio::test]
async fn two_looks_at_one_time_are_made_one_after_the_other() {
    let stage = Stage::quirky("no-id-filter").await;
    let ids = stage.ids();
    let hold = stage.sandbox.hold(FIND);
    let contacts = stage.contacts("name", &ids[..10]);
    let tasks = async {
        hold.arrived(1).await;
        let tasks = stage.data(LIST_WITH_ALL, json!({ "n": 10 }));
        let release = async {
            until(&stage, "gateway_requests_in_progress", 2).await;
            hold.release();
        };
        tokio::join!(tasks, release);
    };
    tokio::join!(contacts, tasks);
    let calls = stage.calls();
    assert_eq!((calls.get(FIND), calls.get(SEARCH), calls.get(TASKS)), (Some(&1), None, Some(&10)));
}

#[tokio::test]
async fn a_request_for_tasks_looks_whether_those_can_be_searched_for_before_contacts_are() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    let of_contacts = |mut calls: BTreeMap<&'static str, usize>| {
        assert!(calls.remove(SEARCH).is_some_and(|searches| searches <= 2));
        calls
    };
    stage.data(WITH_TASKS, json!({ "ids": &ids[..10] })).await;
    assert_eq!(of_contacts(stage.calls()), BTreeMap::from([(CONTACT, 10)]));
    stage.data(WITH_TASKS, json!({ "ids": &ids[10..20] })).await;
    assert_eq!(of_contacts(stage.calls()), BTreeMap::from([(FIND, 1)]));
    // What works is not given up for what does not.
    let stage = Stage::quirky("no-id-filter").await;
    stage.data(LIST_WITH_ALL, json!({ "n": 10 })).await;
    stage.calls();
    stage.data(WITH_TASKS, json!({ "ids": &ids[20..30] })).await;
    assert_eq!(of_contacts(stage.calls()), BTreeMap::from([(FIND, 1), (CONTACT, 10)]));
    stage.data(WITH_TASKS, json!({ "ids": &ids[30..40] })).await;
    assert_eq!(of_contacts(stage.calls()), BTreeMap::from([(CONTACT, 10)]));
}

const RENAME: &str = "mutation M($input: UpdateContactInput!) { updateContact(input: $input) { contact { id } } }";

#[tokio::test]
async fn a_contact_that_was_changed_lately_is_not_searched_for() {
    let stage = Stage::set(&[("TTL_CONTACT", "0s")]).await;
    let ids = &stage.ids()[10..20];
    stage.contacts("lastName", ids).await;
    stage.sandbox.set_list_lag(Duration::MAX);
    stage.data(RENAME, json!({ "input": { "id": ids[3], "lastName": "New" } })).await;
    stage.calls();
    let after = stage.contacts("id lastName", ids).await;
    assert_eq!(after[3], json!({ "id": ids[3], "lastName": "New" }));
    let calls = stage.sandbox.calls();
    assert_eq!(stage.finds(), (1, 1));
    let search = calls.iter().find(|call| call.route == FIND).and_then(|call| call.body.clone()).expect("a body");
    assert!(!search.to_string().contains(&ids[3]), "{search}");
    stage.sandbox.set_list_lag(Duration::ZERO);
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.contacts("id lastName", ids).await, after);
    assert_eq!(stage.finds(), (1, 0));
    // Too few are left.
    for id in &ids[..6] {
        stage.data(RENAME, json!({ "input": { "id": id, "lastName": "Newer" } })).await;
    }
    stage.calls();
    stage.contacts("lastName", ids).await;
    assert_eq!(stage.finds(), (0, 10));
}

#[tokio::test]
async fn what_is_changed_during_a_search_is_read_anew() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[10..20];
    let hold = stage.sandbox.hold_unanswered(FIND);
    let asked = stage.contacts("lastName", ids);
    let changed = async {
        hold.arrived(1).await;
        stage.data(RENAME, json!({ "input": { "id": ids[3], "lastName": "New" } })).await;
        hold.release();
    };
    tokio::join!(asked, changed);
    stage.calls();
    assert_eq!(stage.contacts("lastName", ids).await[3]["lastName"], "New");
    assert_eq!(stage.finds().0, 0);
}

#[tokio::test]
async fn who_needs_more_than_a_search_brings_reads_it_by_id() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..10];
    // Rows that do not tell the time zone are held.
    stage.data("{ contacts(first: 10) { nodes { id } } }", json!({})).await;
    stage.contacts("name", &stage.ids()[20..30]).await;
    stage.sandbox.fault(
        Fault::on(LIST).body(json!({ "contacts": ids.iter().map(|id| json!({ "id": id })).collect::<Value>() })),
    );
    stage.clock.advance(Duration::from_secs(61));
    stage.data("{ contacts(first: 10) { nodes { id } } }", json!({})).await;
    stage.calls();
    let hold = stage.sandbox.hold(FIND);
    let less = stage.contacts("email", ids);
    let more = async {
        hold.arrived(1).await;
        let one = stage.data("query Z($id: ID!) { contact(id: $id) { timezone } }", json!({ "id": ids[2] }));
        let rows = stage.data("{ contacts(first: 10) { nodes { timezone } } }", json!({}));
        let release = async {
            until(&stage, "gateway_requests_in_progress", 3).await;
            hold.release();
        };
        let (one, rows, ()) = tokio::join!(one, rows, release);
        (one, rows)
    };
    let (less, (one, rows)) = tokio::join!(less, more);
    assert!(less[9]["email"].is_string(), "{less}");
    assert!(one["contact"]["timezone"].is_string(), "{one}");
    assert!(rows["contacts"]["nodes"].as_array().unwrap().iter().all(|row| row["timezone"].is_string()), "{rows}");
    assert_eq!(stage.finds(), (1, 10));
}

#[tokio::test]
async fn rows_that_do_not_tell_what_is_selected_are_filled_in_by_a_search() {
    let stage = Stage::quirky("short-rows").await;
    let query = "query L($n: Int!) { contacts(first: $n) { nodes { id name phone email company } } }";
    let rows = stage.data(query, json!({ "n": 40 })).await["contacts"]["nodes"].take();
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (FIND, 1)]));
    let whole = stage.contacts("id name phone email company timezone", &stage.ids()[..40]).await;
    for (row, whole) in rows.as_array().unwrap().iter().zip(whole.as_array().unwrap()) {
        let mut whole = whole.clone();
        whole.as_object_mut().unwrap().remove("timezone");
        assert_eq!(*row, whole);
    }
}

#[tokio::test]
async fn what_a_search_costs_that_finds_nobody_is_not_told_as_what_was_asked_for_and_comes_once() {
    let stage = Stage::new().await;
    stage.contacts("name", &stage.ids()[..10]).await;
    stage.calls();
    let none = |from: usize| (from..from + 10).map(|n| format!("none-{n}")).collect::<Vec<_>>();
    let query = "query C($ids: [ID!]!) { contactsByIds(ids: $ids) { name } }";
    let told = async |ids: Vec<String>| {
        let body = json!({ "query": query, "variables": { "ids": ids } });
        let answer = stage.post().header("x-gateway-explain", "1").json(&body).send().await.expect("an answer");
        let cost = answer.json::<Value>().await.expect("JSON")["extensions"]["upstream"].take();
        (cost["planned"].as_u64(), cost["calls"].as_u64())
    };
    assert_eq!(told(none(0)).await, (Some(10), Some(10)));
    assert_eq!(stage.finds(), (1, 10));
    assert_eq!(told(none(10)).await, (Some(10), Some(10)));
    assert_eq!(stage.finds(), (0, 10));
    stage.clock.advance(REST);
    let mut mixed = none(20);
    mixed.push(stage.ids()[20].clone());
    assert_eq!(told(mixed).await, (Some(11), Some(11)));
    assert_eq!(stage.finds(), (1, 10));
}

/// A contact with this value under this key; without the key for none.
fn put(contact: &mut Value, key: &str, value: Option<Value>) {
    let contact = contact.as_object_mut().expect("a contact");
    match value {
        Some(value) => drop(contact.insert(key.into(), value)),
        None => drop(contact.remove(key)),
    }
}

#[test]
fn a_search_brings_the_same_as_a_call_for_each() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let texts = ["firstName", "lastName", "email", "phone", "companyName", "website", "type", "city", "dateOfBirth"];
    let text = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        "[A-Z][a-z]{1,6}".prop_map(|text| Some(json!(text))),
        "[a-z]{1,6}".prop_map(|text| Some(json!(text))),
        Just(Some(json!(""))),
    ];
    let other = prop_oneof![
        Just(("tags", None)),
        Just(("tags", Some(json!(["a", "B"])))),
        Just(("dnd", None)),
        Just(("dnd", Some(json!(true)))),
        Just(("customFields", None)),
        Just(("customFields", Some(json!([{ "id": "f", "value": [1, "x"] }])))),
        Just(("dateUpdated", None)),
    ];
    let contact = (proptest::collection::vec(text, texts.len()), other);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(contact, LEAST..40), |contacts| {
        runtime.block_on(async {
            let stage = Stage::with(Options { contacts: contacts.len() + 1, ..Options::default() }, &[]).await;
            let location = stage.sandbox.info().location_id.clone();
            let ids = stage.ids().split_off(1);
            for (id, (values, (key, value))) in ids.iter().zip(&contacts) {
                stage.sandbox.update_contact(&location, id, |contact| {
                    texts.iter().zip(values).for_each(|(key, value)| put(contact, key, value.clone()));
                    put(contact, key, value.clone());
                });
            }
            let want = stage.one_by_one_told(&ids).await;
            prop_assert_eq!(stage.contacts(TOLD, &ids).await, want);
            let (searches, singles) = stage.finds();
            // Names in lower case are not believed; where there is no other, the search is for nothing, once.
            prop_assert!(searches == 1 && singles <= ids.len(), "{} and {}", searches, singles);
            Ok(())
        })
    });
    outcome.expect("no difference");
}

#[tokio::test]
async fn a_grant_without_the_scope_for_tasks_has_its_look_left() {
    let stage = super::granted(&[READ]).await;
    let ids = stage.ids();
    stage.data(WITH_TASKS, json!({ "ids": &ids[..10] })).await;
    assert_eq!(
        stage.calls().into_iter().filter(|(route, _)| route.contains("contacts")).collect::<BTreeMap<_, _>>(),
        BTreeMap::from([(FIND, 1), (TASKS, 10)])
    );
}

#[tokio::test]
async fn a_refusal_of_what_worked_before_is_the_one_that_there_may_be() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.contacts("name", &ids[..10]).await;
    stage.sandbox.fault(Fault::on(FIND).refuse(Variant::Forbidden));
    stage.contacts("name", &ids[10..20]).await;
    assert_eq!(stage.finds(), (2, 10));
    stage.data(LIST_WITH_ALL, json!({ "n": 10 })).await;
    assert_eq!(stage.calls().get(SEARCH), None);
}
