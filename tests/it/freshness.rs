//! How long values are given out, and that what was forgotten does not come back.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::cache::Kind;
use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::json;

use super::support::*;

const NAME: &str = "query C($id: ID!) { contact(id: $id) { name } }";

impl Stage {
    fn forget_contact(&self) {
        self.forget(Kind::Contact, DEMO_CONTACT);
    }

    pub fn forget(&self, kind: Kind, id: &str) {
        self.app.upstream().forget(self.app.accounts()[0].view.tag(kind, id));
    }

    pub fn rename(&self, name: &str) {
        let location = &self.sandbox.info().location_id;
        self.sandbox.update_contact(location, DEMO_CONTACT, |contact| {
            contact["firstName"] = name.into();
            contact["lastName"] = "Changed".into();
        });
    }

    async fn name(&self) -> String {
        let data = self.data(NAME, json!({ "id": DEMO_CONTACT })).await;
        data["contact"]["name"].as_str().expect("a name").to_owned()
    }
}

#[tokio::test]
async fn each_kind_of_value_has_its_own_time() {
    let ttls = [
        ("TTL_CONTACT", "40s"),
        ("TTL_TASKS", "10s"),
        ("TTL_NOTES", "20s"),
        ("TTL_APPOINTMENTS", "30s"),
        ("UPSTREAM_TIMEOUT", "30s"),
    ];
    let stage = Stage::set(&ttls).await;
    stage.profile().await;
    stage.calls();
    // A value is asked for again with every step that its time fits into.
    let mut asked = BTreeMap::new();
    for _ in 0..12 {
        stage.clock.advance(Duration::from_secs(10));
        stage.profile().await;
        for (route, calls) in stage.calls() {
            *asked.entry(route).or_insert(0) += calls;
        }
    }
    assert_eq!(asked, BTreeMap::from([(TASKS, 12), (NOTES, 6), (APPOINTMENTS, 4), (CONTACT, 3)]));
}

#[tokio::test]
async fn a_page_has_its_own_time_and_the_contacts_in_it_theirs() {
    let stage = Stage::new().await;
    let query = "{ contacts(first: 3) { nodes { name } } }";
    stage.data(query, json!({})).await;
    stage.clock.advance(Duration::from_secs(15));
    stage.calls();
    stage.data(NAME, json!({ "id": stage.ids()[0] })).await;
    assert_eq!(stage.calls(), BTreeMap::new());
    stage.data(query, json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
}

#[tokio::test]
async fn a_time_of_zero_turns_a_cache_off_and_calls_at_one_moment_are_still_one() {
    let stage = Stage::set(&[("TTL_TASKS", "0s")]).await;
    stage.profile().await;
    stage.calls();
    let query = "query T($id: ID!) { contact(id: $id) { a: tasks { id } b: tasks { title } } }";
    stage.data(query, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(stage.calls(), BTreeMap::from([(TASKS, 1)]));
}

#[tokio::test]
async fn what_is_forgotten_is_read_anew_and_nothing_else_is() {
    let stage = Stage::new().await;
    stage.profile().await;
    let other = stage.ids()[0].clone();
    stage.data(PROFILE, json!({ "id": other })).await;
    stage.rename("Amy");
    stage.calls();
    stage.forget(Kind::Tasks, DEMO_CONTACT);
    stage.forget_contact();
    assert_eq!(stage.profile().await["contact"]["name"], "Amy Changed");
    stage.data(PROFILE, json!({ "id": other })).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1), (TASKS, 1)]));
}

#[tokio::test]
async fn a_read_in_flight_cannot_bring_back_what_was_forgotten_meanwhile() {
    let stage = Stage::new().await;
    // The answer is made when the call arrives, so it has the old name.
    let hold = stage.sandbox.hold(CONTACT);
    let during = async {
        hold.arrived(1).await;
        stage.rename("Amy");
        stage.forget_contact();
        // Whoever asks now must not get the answer that is on its way.
        let late = stage.name();
        let let_go = async {
            hold.arrived(2).await;
            hold.release();
        };
        tokio::join!(late, let_go).0
    };
    let (early, late) = tokio::join!(stage.name(), during);
    assert_eq!((early.as_str(), late.as_str()), ("Amara Lindqvist", "Amy Changed"));
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 2)]));
    assert_eq!(stage.name().await, "Amy Changed");
    assert_eq!(stage.calls(), BTreeMap::new(), "the newer answer is the one that is held");
}

#[tokio::test]
async fn a_page_in_flight_cannot_bring_back_a_contact_that_was_forgotten_meanwhile() {
    let stage = Stage::new().await;
    let id = stage.ids()[0].clone();
    let hold = stage.sandbox.hold(LIST);
    let during = async {
        hold.arrived(1).await;
        stage.forget(Kind::Contact, &id);
        hold.release();
    };
    tokio::join!(stage.data("{ contacts(first: 2) { nodes { name } } }", json!({})), during);
    stage.calls();
    stage.data(NAME, json!({ "id": id })).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
}

#[tokio::test]
async fn a_caller_who_goes_stops_what_nobody_else_waits_for() {
    let stage = Stage::new().await;
    let hold = stage.sandbox.hold(CONTACT);
    {
        let ask = stage.name();
        tokio::select! {
            _ = ask => panic!("answered while its call was held"),
            () = hold.arrived(1) => {}
        }
    }
    // The connection is closed with the request; the reading ends when the server has seen it.
    while stage.app.upstream().in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    hold.release();
}
