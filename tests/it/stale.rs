//! What is past its time: given out while it is renewed behind, for as long as the settings allow, and said to be so.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::cache::Kind;
use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::support::*;

const NAMED: &str = "query C($id: ID!) { contact(id: $id) { name tasks { id } notes { id } appointments { id } } }";

const ONE_MINUTE: [(&str, &str); 2] = [("STALE_WHILE_REVALIDATE", "60s"), ("TTL_TASKS", "90s")];

impl Stage {
    async fn named(&self) -> Value {
        self.ask(NAMED, json!({ "id": DEMO_CONTACT })).await
    }

    /// Waits until nothing is read any more.
    async fn renewed(&self) {
        while self.app.upstream().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_is_past_its_time_is_answered_at_once_and_renewed_once_behind() {
    let stage = Stage::set(&ONE_MINUTE).await;
    stage.named().await;
    stage.rename("Amy");
    stage.clock.advance(Duration::from_secs(61));
    stage.calls();
    let hold = stage.sandbox.hold(CONTACT);
    for _ in 0..5 {
        // Answered though the upstream does not.
        let answer = stage.named().await;
        assert_eq!(answer["data"]["contact"]["name"], "Amara Lindqvist");
        let stale = answer["extensions"]["stale"].as_array().expect("what is stale").clone();
        let paths: Vec<&Value> = stale.iter().map(|part| &part["path"]).collect();
        // The tasks are fresh.
        let told = [json!(["contact"]), json!(["contact", "notes"]), json!(["contact", "appointments"])];
        assert!(paths.iter().all(|path| told.contains(path)) && paths.contains(&&told[0]), "{paths:?}");
        assert!(stale.iter().all(|part| part["ageMs"].as_u64().is_some_and(|age| (61_000..62_000).contains(&age))));
        hold.arrived(1).await;
    }
    hold.release();
    stage.renewed().await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1), (NOTES, 1), (APPOINTMENTS, 1)]));
    let answer = stage.named().await;
    assert_eq!((&answer["data"]["contact"]["name"], answer.get("extensions")), (&json!("Amy Changed"), None));
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn a_stale_answer_is_not_kept_and_not_for_callers_to_keep() {
    let stage = Stage::set(&ONE_MINUTE).await;
    stage.named().await;
    stage.clock.advance(Duration::from_secs(61));
    let body = json!({ "query": NAMED, "variables": { "id": DEMO_CONTACT } });
    let response = stage.post().json(&body).send().await.expect("an answer");
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    stage.renewed().await;
    assert_eq!(stage.named().await.get("extensions"), None);
}

#[tokio::test]
async fn past_its_window_nothing_stale_is_given_out() {
    let stage = Stage::set(&ONE_MINUTE).await;
    stage.named().await;
    stage.rename("Amy");
    stage.clock.advance(Duration::from_secs(151));
    let answer = stage.named().await;
    assert_eq!((&answer["data"]["contact"]["name"], answer.get("extensions")), (&json!("Amy Changed"), None));
}

#[tokio::test]
async fn without_the_setting_nothing_stale_is_given_out() {
    let stage = Stage::new().await;
    stage.named().await;
    stage.rename("Amy");
    stage.clock.advance(Duration::from_secs(61));
    assert_eq!(stage.named().await["data"]["contact"]["name"], "Amy Changed");
}

#[tokio::test]
async fn what_was_forgotten_is_not_given_out_however_young_it_is() {
    let stage = Stage::set(&ONE_MINUTE).await;
    stage.named().await;
    stage.clock.advance(Duration::from_secs(61));
    // A renewal that is under way when the contact changes.
    let hold = stage.sandbox.hold(CONTACT);
    stage.named().await;
    hold.arrived(1).await;
    stage.rename("Amy");
    stage.forget(Kind::Contact, DEMO_CONTACT);
    let late = stage.named();
    let let_go = async {
        hold.arrived(2).await;
        hold.release();
    };
    let (answer, ()) = tokio::join!(late, let_go);
    assert_eq!(answer["data"]["contact"]["name"], "Amy Changed");
    stage.renewed().await;
    assert_eq!(stage.named().await["data"]["contact"]["name"], "Amy Changed");
}

#[tokio::test]
async fn that_something_does_not_exist_is_never_stale() {
    let stage = Stage::set(&ONE_MINUTE).await;
    let query = "{ contact(id: \"nobody\") { id } }";
    for _ in 0..2 {
        let answer = stage.ask(query, json!({})).await;
        assert_eq!((&answer["data"]["contact"], answer.get("extensions")), (&Value::Null, None));
        assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
        stage.clock.advance(Duration::from_secs(6));
    }
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_stale_answer_until_its_window_ends() {
    let settings = [("STALE_WHILE_REVALIDATE", "60s"), ("STALE_IF_ERROR", "0s"), ("UPSTREAM_RETRIES", "0")];
    let stage = Stage::set(&settings).await;
    stage.named().await;
    stage.clock.advance(Duration::from_secs(61));
    stage.sandbox.fault(contacts_gateway::sandbox::Fault::on(CONTACT).status(503));
    for _ in 0..2 {
        let answer = stage.named().await;
        assert_eq!((&answer["data"]["contact"]["name"], answer.get("errors")), (&json!("Amara Lindqvist"), None));
        stage.renewed().await;
    }
    stage.clock.advance(Duration::from_secs(60));
    assert_eq!(errors(&stage.named().await), one_error("contact", "UPSTREAM_UNAVAILABLE"));
}
