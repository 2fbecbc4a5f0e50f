//! Tasks of many contacts by one search: the same answers as by a call for each, and no trace of it when it cannot be used.

mod contacts;

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::{Cut, Fault, Options, Sandbox, Variant};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::*;

const READ: &str = "contacts.readonly";
const WRITE: &str = "contacts.write";

const TASKS_OF: &str = "query T($ids: [ID!]!) { contactsByIds(ids: $ids) { \
     id tasks { id title body status completed dueDate priority assignedTo contactId } open: tasks(status: OPEN, first: 1) { id } } }";

/// Fewer are not searched for.
const LEAST: usize = 5;

/// After so long a route that failed is tried again.
const REST: Duration = Duration::from_secs(30);

impl Stage {
    async fn tasks_of(&self, ids: &[String]) -> Value {
        self.data(TASKS_OF, json!({ "ids": ids })).await
    }

    /// How often tasks were searched for, and how often they were asked for by contact, since the last look.
    fn searches(&self) -> (usize, usize) {
        let calls = self.calls();
        let count = |route| calls.get(route).copied().unwrap_or(0);
        (count(SEARCH), count(TASKS))
    }

    /// Another gateway, with a token that may not search, which it has found out.
    async fn one_by_one(&self) -> Self {
        let location = self.sandbox.info().location_id.clone();
        self.sandbox.allow("one-by-one", &location, &[READ, WRITE]);
        let other = self.beside(&[("LOCATION_ID", &location), ("API_KEY", "one-by-one")]).await;
        other.tasks_of(&self.ids()[..LEAST]).await;
        other.clock.advance(Duration::from_secs(3600));
        other.calls();
        other
    }
}

#[tokio::test]
async fn fifty_contacts_with_everything_cost_two_searches_instead_of_fifty_calls_for_tasks() {
    let stage = Stage::new().await;
    let other = stage.one_by_one().await;
    let data = stage.data(LIST_WITH_ALL, json!({ "n": 50 })).await;
    let want = BTreeMap::from([(LIST, 1), (SEARCH, 2), (NOTES, 50), (APPOINTMENTS, 50)]);
    assert_eq!(stage.calls(), want);
    assert_eq!(other.data(LIST_WITH_ALL, json!({ "n": 50 })).await, data);
    assert_eq!(other.calls(), BTreeMap::from([(LIST, 1), (TASKS, 50), (NOTES, 50), (APPOINTMENTS, 50)]));
    stage.data(LIST_WITH_ALL, json!({ "n": 50 })).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn few_contacts_are_not_searched_for() {
    let stage = Stage::new().await;
    stage.profile().await;
    stage.tasks_of(&stage.ids()[..LEAST - 1]).await;
    assert_eq!(stage.searches(), (0, LEAST));
    // What is held does not make more of them.
    stage.tasks_of(&stage.ids()[..2 * LEAST - 2]).await;
    assert_eq!(stage.searches(), (0, LEAST - 1));
    // Nor do many who ask for few.
    join_all(stage.ids()[30..70].iter().map(|id| stage.tasks_of(std::slice::from_ref(id)))).await;
    assert_eq!(stage.searches(), (0, 40));
    stage.tasks_of(&stage.ids()[20..20 + LEAST]).await;
    assert_eq!(stage.searches(), (1, 0));
}

#[tokio::test]
async fn only_what_was_asked_for_is_in_the_search_and_for_its_own_location() {
    let sandbox = Sandbox::start(Options { locations: 2, ..Options::default() }, local().await);
    let locations = sandbox.info().locations.clone();
    let dir = tempfile::tempdir().unwrap();
    let rows =
        locations.iter().map(|at| format!("[[location]]\nid = \"{}\"\napi_key = \"{}\"\n", at.location_id, at.token));
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, rows.collect::<String>()).unwrap();
    let stage = Stage::with_file(sandbox, &file).await;
    let ids: Vec<_> =
        locations.iter().map(|at| stage.sandbox.contact_ids(&at.location_id)[..LEAST + 1].to_vec()).collect();
    let [first, second] =
        [0, 1].map(|at| stage.ask_at(&locations[at].location_id, TASKS_OF, json!({ "ids": ids[at] })));
    let (first, second) = tokio::join!(first, second);
    assert!(first.get("errors").is_none() && second.get("errors").is_none(), "{first} {second}");
    let searches: Vec<_> = stage.sandbox.calls().into_iter().filter(|call| call.route == SEARCH).collect();
    assert_eq!(searches.len(), 2);
    for (at, ids) in locations.iter().zip(&ids) {
        let path = format!("/locations/{}/tasks/search", at.location_id);
        let own = searches.iter().find(|call| call.path == path).expect("a search at each");
        let mut asked: Vec<String> = serde_json::from_value(own.body.clone().unwrap()["contactId"].clone()).unwrap();
        let mut want = ids.clone();
        asked.sort();
        want.sort();
        assert_eq!((asked, own.location.as_ref()), (want, Some(&at.location_id)));
    }
}

/// How any route may fail, and whether that is a refusal, after which it is not tried again.
fn failing(route: &str) -> Vec<(Fault, bool)> {
    let fault = || Fault::on(route);
    let mut rows: Vec<(Fault, bool)> =
        [400, 404, 422].map(|status| (fault().status(status).body(json!({ "message": "no" })), true)).into();
    rows.extend([Variant::Scope, Variant::WrongLocation, Variant::Forbidden].map(|why| (fault().refuse(why), true)));
    rows.extend([Variant::InvalidPrivateToken, Variant::TimedOut].map(|why| (fault().refuse(why), false)));
    rows.extend([500, 503].map(|status| (fault().status(status), false)));
    let strange =
        [fault().html(), fault().cut(Cut::Before), fault().cut(Cut::Mid), fault().body("{"), fault().body(json!({}))];
    rows.extend(strange.map(|fault| (fault, false)));
    rows
}

/// What a search may meet, and whether it is a refusal.
fn failures(stage: &Stage) -> Vec<(Fault, bool)> {
    let ids = stage.ids();
    let tasks = |rows: Value| Fault::on(SEARCH).body(json!({ "tasks": rows }));
    let row = |id: usize, contact: &str| json!({ "_id": format!("t{id}"), "title": "x", "contactId": contact });
    let mut rows = failing(SEARCH);
    let strange = [
        tasks(json!("?")),
        // No contact, one that was not asked for, and no id.
        tasks(json!([row(1, &ids[0]), { "_id": "t2", "title": "x" }])),
        tasks(json!([row(1, &ids[200])])),
        tasks(json!([{ "title": "x", "contactId": ids[0] }])),
        // The same page again and again.
        tasks((0..100).map(|id| row(id, &ids[0])).collect()),
        tasks((0..25).map(|id| row(id, &ids[0])).collect()),
    ];
    rows.extend(strange.map(|fault| (fault, false)));
    rows
}

#[tokio::test]
async fn a_search_that_fails_leaves_no_trace_and_is_not_made_again_at_once() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..50];
    let want = stage.one_by_one().await.tasks_of(ids).await;
    for (fault, is_refused) in failures(&stage) {
        // Of each gateway it is the first search.
        let location = stage.sandbox.info().location_id.clone();
        let other = stage.beside(&[("LOCATION_ID", &location), ("API_KEY", &stage.sandbox.info().token)]).await;
        stage.calls();
        stage.sandbox.fault(fault.clone());
        assert_eq!(other.tasks_of(ids).await, want, "{fault:?}");
        let (searches, singles) = other.searches();
        assert!((1..=2).contains(&searches) && singles == 50, "{searches} and {singles} calls: {fault:?}");
        other.tasks_of(&stage.ids()[50..60]).await;
        assert_eq!(other.searches(), (0, 10), "{fault:?}");
        assert_eq!(other.get("/health/ready").send().await.expect("an answer").status(), 200, "{fault:?}");
        stage.sandbox.clear_faults();
        other.clock.advance(REST);
        other.tasks_of(&stage.ids()[60..70]).await;
        assert_eq!(other.searches(), if is_refused { (0, 10) } else { (1, 0) }, "{fault:?}");
    }
}

#[tokio::test]
async fn a_search_that_does_not_answer_is_given_up_while_there_is_time() {
    let stage = Stage::new().await;
    let hold = stage.sandbox.hold(SEARCH);
    let data = stage.tasks_of(&stage.ids()[..10]).await;
    assert!(data["contactsByIds"][0]["tasks"].is_array(), "{data}");
    assert_eq!((hold.count(), stage.searches()), (1, (1, 10)));
}

#[tokio::test]
async fn while_it_is_found_out_whether_there_is_a_search_others_wait_for_that() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.sandbox.fault(Fault::on(SEARCH).refuse(Variant::Scope));
    let hold = stage.sandbox.hold(SEARCH);
    let look = stage.tasks_of(&ids[..10]);
    let others = async {
        hold.arrived(1).await;
        let waits = stage.tasks_of(&ids[10..20]);
        let release = async {
            until(&stage, "gateway_requests_in_progress", 2).await;
            hold.release();
        };
        tokio::join!(waits, release);
    };
    tokio::join!(look, others);
    assert_eq!(stage.searches(), (1, 20));
}

#[tokio::test]
async fn what_is_found_out_is_known_though_who_asked_has_gone() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.sandbox.fault(Fault::on(SEARCH).refuse(Variant::Scope));
    let hold = stage.sandbox.hold(SEARCH);
    let request = stage.post().json(&json!({ "query": TASKS_OF, "variables": { "ids": &ids[..10] } }));
    let asked = tokio::spawn(request.send());
    hold.arrived(1).await;
    asked.abort();
    until(&stage, "gateway_requests_in_progress", 0).await;
    hold.release();
    stage.tasks_of(&ids[10..20]).await;
    assert_eq!(stage.searches(), (1, 10));
}

#[tokio::test]
async fn a_search_is_shared_and_ends_when_nobody_waits_for_it() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    stage.tasks_of(&ids[..10]).await;
    stage.calls();
    let hold = stage.sandbox.hold(SEARCH);
    let first = {
        let request = stage.post().json(&json!({ "query": TASKS_OF, "variables": { "ids": &ids[10..20] } }));
        tokio::spawn(request.send())
    };
    hold.arrived(1).await;
    let notes = stage.sandbox.hold(NOTES);
    let query = "query S($ids: [ID!]!) { contactsByIds(ids: $ids) { tasks { id } notes { id } } }";
    let second = stage.data(query, json!({ "ids": &ids[12..18] }));
    let goes = async {
        // What is asked for at the same moment is on its way.
        notes.arrived(6).await;
        first.abort();
        until(&stage, "gateway_requests_in_progress", 1).await;
        hold.release();
        notes.release();
    };
    let (data, ()) = tokio::join!(second, goes);
    assert!(data["contactsByIds"][5]["tasks"].is_array());
    assert_eq!(stage.searches(), (1, 0));
    let hold = stage.sandbox.hold(SEARCH);
    let request = stage.post().json(&json!({ "query": TASKS_OF, "variables": { "ids": &ids[30..40] } }));
    let alone = tokio::spawn(request.send());
    hold.arrived(1).await;
    alone.abort();
    while stage.app.upstream().in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    hold.release();
    assert_eq!(stage.searches(), (1, 0));
}

const CREATE: &str = "mutation M($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }";

impl Stage {
    async fn new_task(&self, contact: &str) -> Value {
        let input = json!({ "contactId": contact, "title": "New", "dueDate": "2026-03-01T00:00:00Z" });
        self.data(CREATE, json!({ "input": input })).await["createTask"]["task"]["id"].take()
    }
}

/// The ids of the tasks of a contact, as answered.
fn tasks_at(data: &Value, at: usize) -> Vec<Value> {
    data["contactsByIds"][at]["tasks"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect()
}

#[tokio::test]
async fn tasks_that_were_changed_lately_are_not_searched_for() {
    let stage = Stage::set(&[("TTL_TASKS", "0s")]).await;
    let ids = &stage.ids()[10..20];
    let before = stage.tasks_of(ids).await;
    assert_eq!(stage.searches(), (1, 0));
    stage.sandbox.set_list_lag(Duration::MAX);
    let new = stage.new_task(&ids[3]).await;
    let gone = tasks_at(&before, 5).first().cloned();
    if let Some(id) = &gone {
        let delete = "mutation M($input: DeleteTaskInput!) { deleteTask(input: $input) { deletedId } }";
        stage.data(delete, json!({ "input": { "contactId": ids[5], "id": id } })).await;
    }
    stage.calls();
    let after = stage.tasks_of(ids).await;
    assert!(tasks_at(&after, 3).contains(&new), "{after}");
    assert!(gone.is_some_and(|id| !tasks_at(&after, 5).contains(&id)), "{after}");
    assert_eq!(stage.searches(), (1, 2));
    stage.sandbox.set_list_lag(Duration::ZERO);
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.tasks_of(ids).await, after);
    assert_eq!(stage.searches(), (1, 0));
}

#[tokio::test]
async fn what_is_changed_during_a_search_is_read_anew() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[10..20];
    let hold = stage.sandbox.hold(SEARCH);
    let asked = stage.tasks_of(ids);
    let changed = async {
        hold.arrived(1).await;
        let new = stage.new_task(&ids[3]).await;
        hold.release();
        new
    };
    let (old, new) = tokio::join!(asked, changed);
    assert!(!tasks_at(&old, 3).contains(&new));
    stage.calls();
    assert!(tasks_at(&stage.tasks_of(ids).await, 3).contains(&new));
    assert_eq!(stage.searches(), (0, 1));
}

#[tokio::test]
async fn a_search_whose_rows_move_from_one_page_to_the_next_is_not_believed() {
    let stage = Stage::new().await;
    let (ids, location) = (&stage.ids()[..LEAST], stage.sandbox.info().location_id.clone());
    for id in ids {
        let task = |n: usize| json!({ "id": format!("{id}-{n}"), "title": "x", "contactId": id });
        stage.sandbox.update(&location, id, |record| record.tasks = (0..40).map(task).collect());
    }
    let page = stage.sandbox.hold(SEARCH);
    let asked = stage.tasks_of(ids);
    let changed = async {
        page.arrived(1).await;
        let next = stage.sandbox.hold_unanswered(SEARCH);
        page.release();
        next.arrived(1).await;
        stage.sandbox.update(&location, &ids[0], |record| drop(record.tasks.remove(0)));
        next.release();
    };
    let (data, ()) = tokio::join!(asked, changed);
    assert_eq!(stage.searches(), (2, LEAST));
    assert_eq!([tasks_at(&data, 0).len(), tasks_at(&data, 2).len(), tasks_at(&data, 4).len()], [39, 40, 40]);
}

#[tokio::test]
async fn deleted_tasks_are_left_out() {
    let stage = Stage::new().await;
    let ids = &stage.ids()[..LEAST];
    let row = |id: &str, deleted: bool| json!({ "_id": id, "title": "x", "contactId": ids[1], "deleted": deleted });
    stage.sandbox.fault(Fault::on(SEARCH).body(json!({ "tasks": [row("a", false), row("b", true), row("c", false)] })));
    let data = stage.tasks_of(ids).await;
    assert_eq!((tasks_at(&data, 1), tasks_at(&data, 0)), (vec![json!("a"), json!("c")], vec![]));
    assert_eq!(stage.searches(), (1, 0));
}

/// With a grant of these scopes.
async fn granted(scopes: &[&str]) -> Stage {
    let scopes = scopes.iter().copied().map(String::from).collect();
    let sandbox = Sandbox::start(Options { oauth: true, scopes, ..Options::default() }, local().await);
    let (state, info) = (tempfile::tempdir().unwrap(), sandbox.info().clone());
    let app = info.oauth.expect("an app");
    let settings = [
        ("LOCATION_ID", &*info.location_id),
        ("OAUTH_CLIENT_ID", &app.client_id),
        ("OAUTH_CLIENT_SECRET", &app.client_secret),
        ("OAUTH_REFRESH_TOKEN", &app.refresh_token),
        ("STATE_DIR", state.path().to_str().unwrap()),
    ];
    let stage = Stage::over(sandbox, &settings, None).await;
    // The first call asks for a bearer, whose folder has to be there.
    stage.profile().await;
    stage.calls();
    stage
}

#[tokio::test]
async fn a_grant_without_the_scope_is_not_even_tried() {
    let stage = granted(&[READ]).await;
    stage.tasks_of(&stage.ids()[..10]).await;
    stage.tasks_of(&stage.ids()[10..20]).await;
    assert_eq!(stage.searches(), (0, 20));
}

#[test]
fn a_search_brings_the_same_as_a_call_for_each() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = (proptest::collection::vec((0..40_usize, 0..100_u8), LEAST..60), any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&world, |(contacts, short)| {
        runtime.block_on(async {
            let quirks = if short { "short-task-pages" } else { "" }.parse().unwrap();
            let options = Options { contacts: contacts.len() + 1, quirks, ..Options::default() };
            let stage = Stage::with(options, &[]).await;
            let location = stage.sandbox.info().location_id.clone();
            let ids = stage.ids().split_off(1);
            for (id, (count, chance)) in ids.iter().zip(&contacts) {
                let task = |n: usize| match (n + usize::from(*chance)) % 3 {
                    0 => json!({ "id": format!("{id}-{n}"), "title": format!("{n}"), "contactId": id, "completed": n > 9 }),
                    1 => json!({ "id": format!("{id}-{n}"), "title": null, "body": "b", "dueDate": "2026-03-01T00:00:00.000Z", "contactId": id }),
                    _ => json!({ "id": format!("{id}-{n}"), "assignedTo": "u", "completed": null, "contactId": id }),
                };
                stage.sandbox.update(&location, id, |record| record.tasks = (0..*count).map(task).collect());
            }
            let other = stage.one_by_one().await;
            prop_assert_eq!(stage.tasks_of(&ids).await, other.tasks_of(&ids).await);
            let calls = stage.sandbox.calls();
            let count = |route| calls.iter().filter(|call| call.route == route).count();
            let (singles, searches) = (count(TASKS), count(SEARCH));
            // With short pages they may be too many, and then it is given up.
            let worst = if short { 2 } else { 1 } * ids.len();
            prop_assert!((ids.len()..=worst).contains(&singles), "{} calls", singles);
            prop_assert!((1..=ids.len()).contains(&searches), "{} searches", searches);
            Ok(())
        })
    });
    outcome.expect("no difference");
}
