//! Who is told of a change, what is told, and how many calls that takes.

use contacts_gateway::sandbox::{Fault, Options, Sandbox};

use super::*;
use crate::callers::several;

#[tokio::test]
async fn a_change_reaches_those_who_watch_its_contact_as_the_contact_is_now_for_one_call() {
    let stage = still(&[]).await;
    let (id, other) = (DEMO_CONTACT, stage.ids()[0].clone());
    stage.profile().await;
    let mut first = Socket::watching(&stage, ONE, json!({ "id": id })).await;
    first.subscribe(&stage, "2", ONE, json!({ "id": id })).await;
    let mut second = Socket::watching(&stage, ONE, json!({ "id": id })).await;
    let mut elsewhere = Socket::watching(&stage, ONE, json!({ "id": other })).await;
    let mut all = Socket::watching(&stage, ALL, json!({})).await;
    stage.rename("Amy");
    stage.calls();
    stage.update(id);
    let mut want = change("UPDATED", "CONTACT", json!(id), id);
    assert_eq!(all.told("1").await, want);
    want["contact"] = first.told("1").await["contact"].take();
    assert_eq!(want["contact"]["name"], "Amy Changed");
    assert_eq!(first.told("2").await, want);
    assert_eq!(second.told("1").await, want);
    elsewhere.heard_nothing().await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    assert_eq!(stage.metric("gateway_changes_told_total ").await, 4);
    // Whoever asks now is told the same, and nothing is asked for again.
    assert_eq!(stage.profile().await["contact"]["name"], "Amy Changed");
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn the_example_of_a_subscription_tells_a_change() {
    let stage = still(&[]).await;
    let example = include_str!("../../../schema/examples/13-watch-a-contact.graphql");
    let mut socket = Socket::watching(&stage, example, json!({ "id": DEMO_CONTACT })).await;
    stage.data(ADD_TAG, json!({ "id": DEMO_CONTACT, "tag": "seen live" })).await;
    let told = socket.told("1").await;
    assert_eq!((&told["kind"], &told["resource"]), (&json!("UPDATED"), &json!("CONTACT")));
    let contact = &told["contact"];
    assert!(contact["tags"].as_array().expect("tags").contains(&json!("seen live")), "{contact}");
    assert_eq!(contact["tasks"].as_array().expect("tasks").len(), 3);
}

#[tokio::test]
async fn a_hundred_watchers_of_one_contact_cost_one_call_for_each_change() {
    let stage = still(&[]).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = Socket::ready(&stage, json!({})).await;
        for number in 0..25 {
            socket.ask(&number.to_string(), ONE, json!({ "id": DEMO_CONTACT })).await;
        }
        sockets.push(socket);
    }
    until(&stage, "gateway_subscriptions ", 100).await;
    for round in 0..3 {
        stage.calls();
        stage.rename(&format!("Amy{round}"));
        stage.update(DEMO_CONTACT);
        for socket in &mut sockets {
            let mut told = Vec::new();
            for _ in 0..25 {
                let message = socket.hear().await;
                let name = &message["payload"]["data"]["contactChanged"]["contact"]["name"];
                assert_eq!(name, &format!("Amy{round} Changed"));
                told.push(message["id"].as_str().expect("an id").parse::<u32>().expect("a number"));
            }
            told.sort_unstable();
            assert_eq!(told, (0..25).collect::<Vec<_>>());
        }
        assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "round {round}");
    }
}

#[tokio::test]
async fn what_is_not_selected_is_not_read() {
    let stage = still(&[]).await;
    let mut bare = Socket::watching(&stage, "subscription { contactsChanged { kind contactId } }", json!({})).await;
    stage.calls();
    stage.update(DEMO_CONTACT);
    assert_eq!(bare.told("1").await, json!({ "kind": "UPDATED", "contactId": DEMO_CONTACT }));
    let deleted = "subscription($id: ID!) { contactChanged(id: $id) { kind contact { name } } }";
    let mut gone = Socket::watching(&stage, deleted, json!({ "id": DEMO_CONTACT })).await;
    stage.happen(DEMO_CONTACT, ChangeKind::Deleted, ChangedResource::Contact);
    assert_eq!(gone.told("1").await, json!({ "kind": "DELETED", "contact": null }));
    assert_eq!(stage.calls(), BTreeMap::new());
    // Of something that belongs to it, the contact is read.
    stage.happen(DEMO_CONTACT, ChangeKind::Deleted, ChangedResource::Task);
    assert_eq!(gone.told("1").await, json!({ "kind": "DELETED", "contact": { "name": "Amara Lindqvist" } }));
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
}

#[tokio::test]
async fn nested_lists_are_read_together_with_the_contact() {
    let stage = still(&[]).await;
    let query = "subscription($id: ID!) { contactChanged(id: $id) { contact { name tasks { id } notes { id } appointments { id } } } }";
    let mut socket = Socket::watching(&stage, query, json!({ "id": DEMO_CONTACT })).await;
    stage.calls();
    stage.update(DEMO_CONTACT);
    let told = socket.told("1").await;
    assert!(told["contact"]["tasks"].as_array().is_some_and(|tasks| !tasks.is_empty()), "{told}");
    assert_eq!(stage.calls(), one_of_each());
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names() {
    let stage = still(&[]).await;
    let rows = [
        (json!({ "kinds": ["DELETED"] }), vec!["DELETED NOTE"]),
        (json!({ "resources": ["TASK", "CONTACT"] }), vec!["UPDATED CONTACT", "CREATED TASK"]),
        (json!({ "kinds": ["CREATED", "UPDATED"], "resources": ["NOTE", "TASK"] }), vec!["CREATED TASK"]),
        (json!({ "kinds": null }), vec!["UPDATED CONTACT", "CREATED TASK", "DELETED NOTE"]),
    ];
    let mut sockets = Vec::new();
    for (filter, _) in &rows {
        sockets.push(Socket::watching(&stage, ALL, json!({ "filter": filter })).await);
    }
    stage.update(DEMO_CONTACT);
    stage.happen(DEMO_CONTACT, ChangeKind::Created, ChangedResource::Task);
    stage.happen(DEMO_CONTACT, ChangeKind::Deleted, ChangedResource::Note);
    for ((filter, want), socket) in rows.iter().zip(&mut sockets) {
        for want in want {
            let told = socket.told("1").await;
            assert_eq!(
                &format!("{} {}", told["kind"].as_str().unwrap(), told["resource"].as_str().unwrap()),
                want,
                "{filter}"
            );
        }
        socket.heard_nothing().await;
    }
    let mut socket = Socket::ready(&stage, json!({})).await;
    socket.ask("1", ALL, json!({ "filter": { "kinds": [] } })).await;
    assert_eq!(error_of(&socket.hear().await, "1"), "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_change_of_another_location_never_arrives() {
    let (sandbox, locations, file) = several(2).await;
    let stage = Stage::with_file(sandbox, file.path()).await;
    let id = stage.ids()[3].clone();
    let at = |location: &str| json!({ "x-location-id": location });
    let mut here = Socket::ready(&stage, at(&locations[0])).await;
    here.subscribe(&stage, "one", ONE, json!({ "id": id })).await;
    here.subscribe(&stage, "all", ALL, json!({})).await;
    let mut there = Socket::ready(&stage, at(&locations[1])).await;
    there.subscribe(&stage, "one", ONE, json!({ "id": id })).await;
    stage.calls();
    let answer = stage.ask_at(&locations[1], ADD_TAG, json!({ "id": id, "tag": "new" })).await;
    assert_eq!(answer.get("errors"), None);
    assert_eq!(there.told("one").await["contact"]["tags"].as_array().unwrap().last().unwrap(), "new");
    here.heard_nothing().await;
    let calls = stage.sandbox.calls();
    assert!(calls.iter().all(|call| call.location.as_deref() == Some(&*locations[1])), "{calls:?}");
}

/// A key that opens more than its location.
#[tokio::test]
async fn a_contact_of_another_location_is_not_shown() {
    let (sandbox, locations, file) = several(2).await;
    let stage = Stage::with_file(sandbox, file.path()).await;
    let id = stage.ids()[3].clone();
    stage.sandbox.update_contact(&locations[0], &id, |contact| contact["locationId"] = json!("LOC_elsewhere"));
    let mut socket = Socket::ready(&stage, json!({ "x-location-id": locations[0] })).await;
    socket.subscribe(&stage, "1", ONE, json!({ "id": id })).await;
    stage.happen(&id, ChangeKind::Created, ChangedResource::Note);
    assert_eq!(socket.told("1").await["contact"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_an_error_of_its_field_and_the_next_change_is_told_again() {
    let stage = still(&[("UPSTREAM_RETRIES", "0"), ("STALE_IF_ERROR", "0s")]).await;
    let mut socket = Socket::watching(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    stage.sandbox.fault(Fault::on(CONTACT).status(503).times(1));
    stage.update(DEMO_CONTACT);
    let message = socket.hear().await;
    assert_eq!(errors(&message["payload"]), one_error("contactChanged.contact", "UPSTREAM_UNAVAILABLE"), "{message}");
    assert_eq!(message["payload"]["data"]["contactChanged"]["contact"], Value::Null);
    assert_eq!(message["payload"]["data"]["contactChanged"]["kind"], "UPDATED");
    stage.update(DEMO_CONTACT);
    assert_eq!(socket.told("1").await["contact"]["name"], "Amara Lindqvist");
}

#[tokio::test]
async fn a_burst_of_the_same_change_is_read_as_often_as_it_is_told() {
    let stage = still(&[]).await;
    let mut socket = Socket::watching(&stage, ONE, json!({ "id": DEMO_CONTACT })).await;
    let hold = stage.sandbox.hold(CONTACT);
    stage.calls();
    stage.update(DEMO_CONTACT);
    hold.arrived(1).await;
    for _ in 0..50 {
        stage.update(DEMO_CONTACT);
    }
    stage.rename("Last");
    hold.release();
    socket.told("1").await;
    assert_eq!(socket.told("1").await["contact"]["name"], "Last Changed");
    socket.heard_nothing().await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 2)]));
}

#[tokio::test]
async fn a_subscription_that_may_cost_too_much_for_a_change_is_refused_at_its_start() {
    let stage = still(&[("MAX_CALLS", "2")]).await;
    let mut socket = Socket::ready(&stage, json!({})).await;
    let query = |lists: &str| format!("subscription {{ contactsChanged {{ contact {{ name {lists} }} }} }}");
    socket.ask("1", &query("tasks { id } notes { id }"), json!({})).await;
    let message = socket.hear().await;
    assert_eq!(error_of(&message, "1"), "OPERATION_TOO_EXPENSIVE");
    let told = &message["payload"][0]["extensions"];
    assert_eq!((&told["planned"], &told["allowed"]), (&json!(3), &json!(2)));
    socket.subscribe(&stage, "2", &query("tasks { id }"), json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

/// Nobody here knows what a caller's own credential opens.
#[tokio::test]
async fn with_a_credential_of_ones_own_the_upstream_is_asked_whether_it_opens_the_location() {
    let sandbox = Sandbox::start(Options { locations: 2, contacts: 20, ..Options::default() }, local().await);
    let (own, other) = (sandbox.info().locations[0].clone(), sandbox.info().locations[1].clone());
    let stage = Stage::over(sandbox, &[("AUTH", "passthrough")], None).await;
    let params =
        |location: &str| json!({ "authorization": format!("Bearer {}", own.token), "x-location-id": location });
    let mut socket = Socket::ready(&stage, params(&own.location_id)).await;
    socket.subscribe(&stage, "1", ALL, json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
    let mut good = socket;
    let mut socket = Socket::ready(&stage, params(&other.location_id)).await;
    socket.ask("1", ALL, json!({})).await;
    assert_eq!(error_of(&socket.hear().await, "1"), "FORBIDDEN");
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
    let made_up = json!({ "authorization": "Bearer made-up", "x-location-id": own.location_id });
    let mut socket = Socket::ready(&stage, made_up).await;
    socket.ask("1", ALL, json!({})).await;
    assert_eq!(error_of(&socket.hear().await, "1"), "UNAUTHENTICATED");
    // It is asked again now and then.
    stage.calls();
    pass(Duration::from_secs(40)).await;
    good.heard_nothing().await;
    until(&stage, "gateway_upstream_calls_total{route=\"GET /contacts/\",outcome=\"ok\"} ", 2).await;
    stage.sandbox.revoke(&own.token);
    pass(Duration::from_secs(40)).await;
    assert_eq!(error_of(&good.hear().await, "1"), "UNAUTHENTICATED");
    assert!(!stage.app.changes().are_watched());
}
