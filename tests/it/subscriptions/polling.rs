//! Where no webhooks come from, watched contacts are looked at, with calls that nobody else wants.

use contacts_gateway::sandbox::{Fault, Options, RateLimit, Record, Sandbox};

use super::*;

const LISTS: &str = "subscription($id: ID!) { contactChanged(id: $id) { kind resource resourceId \
    contact { tasks { title } appointments { id } } } }";
const BARE: &str = "subscription($id: ID!) { contactChanged(id: $id) { kind resource resourceId contactId } }";

/// Looks every 20 seconds; nothing is held for longer than 10.
async fn polling(options: Options) -> Stage {
    let ttls = ["TTL_CONTACT", "TTL_TASKS", "TTL_NOTES", "TTL_APPOINTMENTS"].map(|name| (name, "10s"));
    Stage::with(options, &[&ttls[..], &[("POLL_INTERVAL", "20s")]].concat()).await
}

/// Lets a time pass for those who look, and for the upstream.
async fn wait(stage: &Stage, seconds: u64) {
    stage.sandbox.advance(Duration::from_secs(seconds));
    pass(Duration::from_secs(seconds)).await;
}

/// Waits until the upstream was called so often, and tells how.
async fn looked(stage: &Stage, calls: usize) -> Vec<(String, Option<String>)> {
    let reached = async {
        while stage.sandbox.total() < calls || stage.app.upstream().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, reached).await.expect("calls in time");
    // Who looked has gone on by then.
    stage.get("/health/live").send().await.expect("an answer");
    let made = stage
        .sandbox
        .calls()
        .into_iter()
        .map(|call| (call.route.to_owned(), call.path.split('/').nth(2).map(str::to_owned)))
        .collect();
    stage.sandbox.reset();
    made
}

/// Gives those who look time for another turn, in which they do nothing.
async fn is_quiet(stage: &Stage) {
    for _ in 0..3 {
        wait(stage, 1).await;
        stage.get("/health/live").send().await.expect("an answer");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

fn of(contact: &str, routes: &[&str]) -> Vec<(String, Option<String>)> {
    routes.iter().map(|route| ((*route).to_owned(), Some(contact.to_owned()))).collect()
}

#[tokio::test]
async fn a_watched_contact_is_looked_at_now_and_then_and_its_change_is_told() {
    let stage = polling(Options::default()).await;
    let mut socket = Socket::watching(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    wait(&stage, 1).await;
    assert_eq!(looked(&stage, 1).await, of(DEMO_CONTACT, &[CONTACT]));
    stage.rename("Amy");
    wait(&stage, 15).await;
    is_quiet(&stage).await;
    socket.heard_nothing().await;
    wait(&stage, 2).await;
    // The look, and what is told.
    let told = socket.told("1").await;
    assert_eq!((&told["kind"], &told["contact"]["name"]), (&json!("UPDATED"), &json!("Amy Changed")));
    assert_eq!(looked(&stage, 2).await, of(DEMO_CONTACT, &[CONTACT, CONTACT]));
    assert_eq!(all.told("1").await, change("UPDATED", "CONTACT", json!(DEMO_CONTACT), DEMO_CONTACT));
    // Nothing changed, and nothing is told.
    wait(&stage, 20).await;
    assert_eq!(looked(&stage, 1).await, of(DEMO_CONTACT, &[CONTACT]));
    socket.heard_nothing().await;
    stage.sandbox.remove_contact(&stage.sandbox.info().location_id, DEMO_CONTACT);
    wait(&stage, 20).await;
    let told = socket.told("1").await;
    assert_eq!((&told["kind"], &told["contact"]), (&json!("DELETED"), &Value::Null));
    // Who watches a location is told what is found of others, and looks at nothing by itself.
    all.told("1").await;
    drop(socket);
    until(&stage, "gateway_subscriptions ", 1).await;
    stage.calls();
    wait(&stage, 25).await;
    is_quiet(&stage).await;
}

#[tokio::test]
async fn lists_are_looked_at_where_a_watcher_asks_for_them_and_what_differs_is_told_by_its_id() {
    let stage = polling(Options::default()).await;
    let location = stage.sandbox.info().location_id.clone();
    let mut socket = Socket::watching(&stage, LISTS, json!({ "id": DEMO_CONTACT })).await;
    wait(&stage, 1).await;
    assert_eq!(looked(&stage, 3).await, of(DEMO_CONTACT, &[CONTACT, TASKS, APPOINTMENTS]));
    let mut ids = Vec::new();
    stage.sandbox.update(&location, DEMO_CONTACT, |Record { tasks, notes, .. }| {
        let mut new = tasks[0].clone();
        (new["id"], new["title"]) = (json!("new"), json!("New"));
        tasks.push(new);
        tasks[1]["title"] = json!("Another title");
        ids = vec![tasks[0]["id"].clone(), tasks[1]["id"].clone()];
        tasks.remove(0);
        // Nobody asks for those.
        notes.clear();
    });
    wait(&stage, 20).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let change = socket.told("1").await;
        assert_eq!(change["resource"], "TASK");
        assert!(change["contact"]["tasks"].as_array().unwrap().iter().any(|task| task["title"] == "New"));
        told.push((change["kind"].as_str().unwrap().to_owned(), change["resourceId"].clone()));
    }
    told.sort_by_key(|(kind, _)| kind.clone());
    let want = [("CREATED", json!("new")), ("DELETED", ids[0].clone()), ("UPDATED", ids[1].clone())];
    assert_eq!(told, want.map(|(kind, id)| (kind.to_owned(), id)));
    socket.heard_nothing().await;
}

#[tokio::test]
async fn looks_are_only_made_while_more_than_half_of_the_window_is_left_and_all_get_their_turn() {
    let rate_limit = Some(RateLimit { max: 10, window: Duration::from_secs(10) });
    let stage = polling(Options { rate_limit, ..Options::default() }).await;
    let ids = &stage.ids()[..7];
    let mut sockets = Vec::new();
    for id in ids {
        sockets.push(Socket::watching(&stage, BARE, json!({ "id": id })).await);
    }
    let mut seen = Vec::new();
    // Five leave half of the ten. Of what seems to be the next window, the first call finds out that it is the same one still.
    for calls in [5, 1, 1] {
        wait(&stage, 1).await;
        let looks = looked(&stage, calls).await;
        assert_eq!(looks.len(), calls);
        is_quiet(&stage).await;
        seen.extend(looks.into_iter().map(|(_, contact)| contact.unwrap()));
        wait(&stage, 6).await;
    }
    seen.sort();
    let mut all = ids.to_vec();
    all.sort();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn what_is_held_is_not_read_again_for_a_look() {
    let stage = polling(Options::default()).await;
    let whole = "query W($id: ID!) { contact(id: $id) { timezone name } }";
    stage.data(whole, json!({ "id": DEMO_CONTACT })).await;
    stage.calls();
    let mut socket = Socket::watching(&stage, BARE, json!({ "id": DEMO_CONTACT })).await;
    is_quiet(&stage).await;
    stage.rename("Amy");
    wait(&stage, 20).await;
    assert_eq!(socket.told("1").await["kind"], "UPDATED");
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
}

#[tokio::test]
async fn nothing_is_looked_at_where_it_is_turned_off_or_webhooks_come() {
    let off = Stage::set(&[("POLL_INTERVAL", "0s")]).await;
    let _watching = Socket::watching(&off, BARE, json!({ "id": DEMO_CONTACT })).await;
    is_quiet(&off).await;

    let state = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::start(Options { oauth: true, ..Options::default() }, local().await);
    let (location, app) = (sandbox.info().location_id.clone(), sandbox.info().oauth.clone().expect("an app"));
    let keys = state.path().join("keys");
    std::fs::write(&keys, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").expect("a file that can be written");
    let settings = [
        ("WEBHOOK_KEYS", keys.to_str().expect("a path")),
        ("LOCATION_ID", location.as_str()),
        ("OAUTH_CLIENT_ID", &app.client_id),
        ("OAUTH_CLIENT_SECRET", &app.client_secret),
        ("OAUTH_REFRESH_TOKEN", &app.refresh_token),
        ("STATE_DIR", state.path().to_str().expect("a path")),
        ("POLL_INTERVAL", "20s"),
    ];
    let granted = Stage::over(sandbox, &settings, None).await;
    let _watching = Socket::watching(&granted, BARE, json!({ "id": DEMO_CONTACT })).await;
    is_quiet(&granted).await;
}

#[tokio::test]
async fn where_webhooks_are_taken_the_first_look_waits_for_an_interval() {
    let state = tempfile::tempdir().expect("a directory");
    let keys = state.path().join("keys");
    std::fs::write(&keys, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").expect("a file that can be written");
    let settings = [
        ("WEBHOOK_KEYS", keys.to_str().expect("a path")),
        ("STATE_DIR", state.path().to_str().expect("a path")),
        ("POLL_INTERVAL", "20s"),
    ];
    let stage = Stage::set(&settings).await;
    let _watching = Socket::watching(&stage, BARE, json!({ "id": DEMO_CONTACT })).await;
    is_quiet(&stage).await;
    wait(&stage, 20).await;
    assert_eq!(looked(&stage, 1).await, of(DEMO_CONTACT, &[CONTACT]));
}

#[tokio::test]
async fn a_list_that_cannot_be_had_keeps_no_other_from_being_looked_at() {
    let stage = polling(Options::default()).await;
    let mut socket = Socket::watching(&stage, LISTS, json!({ "id": DEMO_CONTACT })).await;
    wait(&stage, 1).await;
    let all = of(DEMO_CONTACT, &[CONTACT, TASKS, APPOINTMENTS]);
    assert_eq!(looked(&stage, 3).await, all);
    stage.sandbox.fault(Fault::on(TASKS).status(400).times(1));
    let gone = |record: &mut Record| drop(record.appointments.pop());
    stage.sandbox.update(&stage.sandbox.info().location_id, DEMO_CONTACT, gone);
    wait(&stage, 20).await;
    let told = socket.told("1").await;
    assert_eq!((&told["kind"], &told["resource"]), (&json!("DELETED"), &json!("APPOINTMENT")));
}
