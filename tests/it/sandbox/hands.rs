//! The counters, the control surface, and what a test can do to a running sandbox.

use super::{ONE, Stage, ids, read};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn the_control_surface_tells_what_a_client_needs_and_is_not_counted() {
    let stage = Stage::new(Options { contacts: 5, locations: 2, ..Options::default() }).await;
    let info = stage.control("info").await;
    assert_eq!(info["locationId"], stage.location.as_str());
    assert_eq!((&info["token"], &info["contactId"]), (&info["locations"][0]["token"], &json!(DEMO_CONTACT)));
    assert!(info["companyId"].is_string() && info["locations"][1]["locationId"].is_string());
    assert_eq!(stage.control("calls").await, json!({"routes": {}, "maxInFlight": 0}));

    stage.get(&format!("/contacts/{DEMO_CONTACT}")).await;
    stage.get("/contacts/nobody").await;
    stage.get("/elsewhere").await;
    assert_eq!(stage.control("calls").await, json!({"routes": {ONE: 2, "unmatched": 1}, "maxInFlight": 1}));
    let reset = stage.client.post(stage.sandbox.url() + "/__sandbox/reset").send().await.unwrap();
    assert_eq!(reset.status(), 200);
    assert_eq!(stage.control("calls").await, json!({"routes": {}, "maxInFlight": 0}));
}

#[tokio::test]
async fn each_call_is_kept_as_it_was_sent_without_its_token() {
    let stage = Stage::with("").await;
    stage.list("&query=a%20b").await;
    stage.bare("/contacts/a%2Fb").bearer_auth("pit-other").send().await.unwrap();
    let calls = stage.sandbox.calls();
    assert_eq!((calls[0].route, calls[0].query("query"), calls[0].status), ("GET /contacts/", Some("a b"), Some(200)));
    assert_eq!((calls[0].location.as_ref(), calls[0].version.as_deref()), (Some(&stage.location), Some("2021-07-28")));
    assert_eq!((calls[1].path.as_str(), calls[1].status), ("/contacts/a%2Fb", Some(401)));
    assert_eq!((calls[1].method.as_str(), &calls[1].location, &calls[1].version), ("GET", &None, &None));
    assert!(!format!("{calls:?}").contains("pit-"));
    stage.sandbox.reset();
    assert_eq!((stage.sandbox.calls(), stage.sandbox.total()), (vec![], 0));
}

#[tokio::test]
async fn a_held_call_is_counted_and_answers_from_the_moment_it_arrived() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    let rename = |name: &str| {
        stage.sandbox.update_contact(&stage.location, DEMO_CONTACT, |contact| contact["firstName"] = json!(name));
    };
    let hold = stage.sandbox.hold(ONE);
    let calls = [(); 3].map(|()| tokio::spawn(stage.ask(&path).send()));
    hold.arrived(3).await;
    assert_eq!((stage.sandbox.count(ONE), stage.sandbox.max_in_flight(), hold.count()), (3, 3, 3));
    assert_eq!(stage.get(&format!("{path}/tasks")).await.0, 200, "another route is not held");
    rename("Later");
    hold.release();
    for call in calls {
        let (_, body) = read(call.await.unwrap().unwrap()).await;
        assert_eq!(body["contact"]["firstName"], "Amara");
    }
    assert_eq!(stage.get(&path).await.1["contact"]["firstName"], "Later");

    let hold = stage.sandbox.hold_unanswered(ONE);
    let call = tokio::spawn(stage.ask(&path).send());
    hold.arrived(1).await;
    rename("Latest");
    drop(hold);
    let (_, body) = read(call.await.unwrap().unwrap()).await;
    assert_eq!(body["contact"]["name"], "Latest Lindqvist");
}

#[tokio::test]
async fn latency_can_be_changed_while_it_runs() {
    let stage = Stage::with("").await;
    stage.sandbox.set_latency(Duration::from_millis(30));
    let asked = Instant::now();
    assert_eq!(stage.get("/contacts/nobody").await.0, 400);
    assert!(asked.elapsed() >= Duration::from_millis(30));
    // Control calls are not delayed, or this one would not be answered.
    stage.sandbox.set_latency(Duration::from_secs(3600));
    stage.control("calls").await;
}

#[tokio::test]
async fn a_change_moves_a_contact_in_list_search_and_reads() {
    let stage = Stage::with("").await;
    stage.sandbox.update(&stage.location, DEMO_CONTACT, |record| {
        record.contact["companyName"] = json!("Quay Bakery");
        record.contact["dateAdded"] = json!("2026-06-15T14:59:59.000Z");
        record.tasks[0]["completed"] = json!(true);
        record.notes.clear();
    });
    assert_eq!(ids(&stage.list("&limit=1").await), [DEMO_CONTACT]);
    assert_eq!(ids(&stage.list("&query=quay").await), [DEMO_CONTACT]);
    let path = format!("/contacts/{DEMO_CONTACT}");
    assert_eq!(stage.get(&format!("{path}/tasks")).await.1["tasks"][0]["completed"], true);
    assert_eq!(stage.get(&format!("{path}/notes")).await.1, json!({"notes": []}));
    stage.sandbox.remove_contact(&stage.location, DEMO_CONTACT);
    assert_eq!(stage.get(&path).await.0, 400);
}

#[tokio::test]
async fn once_stopped_nothing_listens() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    assert_eq!(stage.get(&path).await.0, 200);
    let call = stage.ask(&path);
    let hold = stage.sandbox.hold(ONE);
    stage.sandbox.stop().await;
    assert!(call.send().await.is_err());
    drop(hold);
}
