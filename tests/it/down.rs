//! An upstream that answers nothing: it is left alone, what is held is given out and marked, and its return is seen at once.

use std::time::Duration;

use contacts_gateway::sandbox::{DEMO_CONTACT, Fault};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::*;

const NAME: &str = "query($id: ID!) { contact(id: $id) { id name } }";

impl Stage {
    /// A gateway that holds the demo's profile, whose upstream has just been found to be down.
    async fn down(settings: &[(&str, &str)]) -> Self {
        let stage = Self::set(&[&[("UPSTREAM_RETRIES", "0")], settings].concat()).await;
        stage.profile().await;
        stage.sandbox.fault(Fault::on("*").status(503));
        join_all((0..20).map(|n| stage.ask(NAME, json!({ "id": format!("nobody{n}") })))).await;
        stage.calls();
        stage
    }

    async fn ready(&self) -> (u16, Value) {
        let answer = self.get("/health/ready").send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    fn breaker(&self) -> String {
        format!("gateway_breaker_open{{location=\"{}\"}}", self.sandbox.info().location_id)
    }
}

#[tokio::test]
async fn what_is_not_held_is_refused_without_a_call() {
    let stage = Stage::down(&[]).await;
    for _ in 0..5 {
        let answer = stage.ask(PROFILE, json!({ "id": "nobody" })).await;
        assert_eq!(errors(&answer)[0], ("contact".to_owned(), "UPSTREAM_UNAVAILABLE".to_owned()));
        let add = "mutation { addContactTags(input: { contactId: \"x\", tags: [\"a\"] }) { contact { id } } }";
        assert_eq!(errors(&stage.ask(add, json!({})).await), one_error("addContactTags", "UPSTREAM_UNAVAILABLE"));
    }
    assert_eq!(stage.calls(), [].into());
}

#[tokio::test]
async fn what_was_held_is_given_out_and_marked_with_its_age() {
    let stage = Stage::down(&[]).await;
    let fresh = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(fresh.get("extensions"), None);
    stage.clock.advance(Duration::from_secs(90));
    let query =
        "query($id: ID!) { warm: contact(id: $id) { name tasks { id } } cold: contact(id: \"nobody\") { name } }";
    let answer = stage.ask(query, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("cold", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["data"]["warm"]["name"], "Amara Lindqvist");
    let mut stale = answer["extensions"]["stale"].as_array().cloned().expect("a list");
    stale.sort_by_key(|part| part["path"].to_string());
    let paths: Vec<&Value> = stale.iter().map(|part| &part["path"]).collect();
    assert_eq!(paths, [&json!(["warm", "tasks"]), &json!(["warm"])]);
    assert!(
        stale.iter().all(|part| (90_000..100_000).contains(&part["ageMs"].as_u64().expect("a number"))),
        "{stale:?}"
    );
    // It is no answer to be kept.
    stage.sandbox.clear_faults();
    stage.clock.advance(Duration::from_secs(1));
    while stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await.get("extensions").is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_forgotten_or_is_too_old_is_not_given_out() {
    let stage = Stage::down(&[("STALE_IF_ERROR", "60s")]).await;
    stage.clock.advance(Duration::from_secs(119));
    assert_eq!(errors(&stage.ask(NAME, json!({ "id": DEMO_CONTACT })).await), []);
    stage.clock.advance(Duration::from_secs(1));
    let answer = stage.ask(NAME, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
}

#[tokio::test]
async fn what_was_changed_is_not_given_out_as_it_was_before() {
    let stage = Stage::set(&[("UPSTREAM_RETRIES", "0")]).await;
    stage.profile().await;
    let rename = "mutation($id: ID!) { updateContact(input: { id: $id, firstName: \"New\" }) { __typename } }";
    stage.sandbox.fault(Fault::on("PUT /contacts/{contactId}").status(500).done().times(1));
    stage.ask(rename, json!({ "id": DEMO_CONTACT })).await;
    stage.sandbox.fault(Fault::on("*").status(503));
    stage.clock.advance(Duration::from_secs(61));
    let answer = stage.ask(NAME, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
}

#[tokio::test]
async fn refusals_do_not_count_as_failures() {
    let stage = Stage::set(&[]).await;
    for status in [400, 403, 404, 422] {
        stage.sandbox.fault(Fault::on(CONTACT).status(status).times(20));
        join_all((0..20).map(|n| stage.ask(NAME, json!({ "id": format!("n{status}x{n}") })))).await;
    }
    assert_eq!(stage.metric(&stage.breaker()).await, 0);
    stage.profile().await;
}

#[tokio::test]
async fn it_shows_in_the_metrics_and_the_health_and_ends_with_the_first_try_that_is_answered() {
    let stage = Stage::set(&[]).await;
    assert_eq!((stage.ready().await, stage.metric(&stage.breaker()).await), ((200, json!({ "status": "ready" })), 0));
    let stage = Stage::down(&[]).await;
    let location = &stage.sandbox.info().location_id;
    let down = (200, json!({ "status": "ready", "upstreamDown": [location] }));
    assert_eq!((stage.ready().await, stage.metric(&stage.breaker()).await), (down.clone(), 1));
    // One call tries, aside: nobody waits for it.
    stage.clock.advance(Duration::from_secs(1));
    for id in ["a", "b"] {
        let answer = stage.ask(NAME, json!({ "id": id })).await;
        assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    }
    stage.until(|calls| calls == [(CONTACT, Some(503))]).await;
    stage.sandbox.clear_faults();
    stage.sandbox.reset();
    stage.clock.advance(Duration::from_secs(1));
    stage.ask(NAME, json!({ "id": "c" })).await;
    while stage.ready().await == down {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.sandbox.total(), 1);
    assert_eq!(stage.cold_profile().await, []);
    assert_eq!((stage.ready().await.1, stage.metric(&stage.breaker()).await), (json!({ "status": "ready" }), 0));
}

impl Stage {
    async fn cold_profile(&self) -> Vec<(String, String)> {
        let ids = self.ids();
        let id = ids.iter().find(|id| *id != DEMO_CONTACT).expect("another contact");
        errors(&self.ask(PROFILE, json!({ "id": id })).await)
    }

    /// Waits until the upstream has been called, and has answered, like this.
    async fn until(&self, is: impl Fn(&[(&'static str, Option<u16>)]) -> bool) {
        let calls = || self.sandbox.calls().iter().map(|call| (call.route, call.status)).collect::<Vec<_>>();
        while !is(&calls()) {
            tokio::task::yield_now().await;
        }
    }
}
