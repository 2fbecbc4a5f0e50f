//! The upstream's limits: used whole, never overrun, spent on what matters first, and told when there is nothing left.

use std::time::Duration;

use contacts_gateway::sandbox::{DEMO_CONTACT, Options, RateLimit};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::*;

const TASK: &str = "mutation($id: ID!) { createTask(input: { contactId: $id, title: \"First\", \
     dueDate: \"2026-03-01T00:00:00Z\" }) { task { id } } }";

/// A gateway over an upstream that allows `max` calls in a window of so many milliseconds.
async fn limited(max: u64, window: u64, daily_limit: Option<u64>, settings: &[(&str, &str)]) -> Stage {
    let rate_limit = Some(RateLimit { max, window: Duration::from_millis(window) });
    Stage::with(Options { rate_limit, daily_limit, ..Options::default() }, settings).await
}

impl Stage {
    /// The statuses that the upstream answered with.
    fn statuses(&self) -> Vec<u16> {
        self.sandbox.calls().iter().filter_map(|call| call.status).collect()
    }

    async fn cold(&self, id: &str) -> Value {
        self.ask(PROFILE, json!({ "id": id })).await
    }
}

#[tokio::test]
async fn many_cold_profiles_are_all_answered_and_no_window_is_overrun() {
    let stage = limited(20, 150, None, &[]).await;
    // It tells the limit.
    stage.profile().await;
    let ids = stage.ids();
    let ids: Vec<&String> = ids.iter().filter(|id| *id != DEMO_CONTACT).take(25).collect();
    let answers = join_all(ids.iter().map(|id| stage.cold(id))).await;
    for answer in &answers {
        assert_eq!(errors(answer), []);
    }
    assert_eq!(stage.statuses(), vec![200; 104]);
}

#[tokio::test]
async fn before_the_limit_is_told_no_more_than_a_few_calls_are_tried() {
    let stage = limited(30, 150, None, &[]).await;
    let answers = join_all(stage.ids().iter().take(20).map(|id| stage.cold(id))).await;
    assert!(answers.iter().all(|answer| errors(answer).is_empty()));
    assert_eq!(stage.statuses(), vec![200; 80]);
}

#[tokio::test]
async fn who_cannot_wait_is_told_for_how_long_it_would_be_and_what_is_held_is_answered() {
    let stage = limited(4, 600_000, None, &[]).await;
    stage.profile().await;
    stage.calls();
    let ids = stage.ids();
    let id = ids.iter().find(|id| *id != DEMO_CONTACT).expect("another contact");
    let answer = stage.cold(id).await;
    assert_eq!(errors(&answer)[0], ("contact".to_owned(), "RATE_LIMITED".to_owned()));
    let after = answer["errors"][0]["extensions"]["retryAfterMs"].as_u64().expect("a number");
    assert!((500_000..=600_000).contains(&after), "{after}");
    let answer = stage.ask(TASK, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("createTask", "RATE_LIMITED"));
    stage.profile().await;
    assert_eq!(stage.calls(), [].into());
    // When its time is over, what was held last is better than nothing.
    stage.clock.advance(Duration::from_secs(61));
    let answer = stage.cold(DEMO_CONTACT).await;
    assert_eq!(errors(&answer), []);
    assert_eq!(answer["extensions"]["stale"].as_array().map(Vec::len), Some(4));
    assert_eq!(stage.calls(), [].into());
}

#[tokio::test]
async fn when_the_day_is_used_up_no_call_is_made_any_more() {
    let stage = limited(1_000, 10, Some(5), &[]).await;
    stage.profile().await;
    let ids = stage.ids();
    let others: Vec<&String> = ids.iter().filter(|id| *id != DEMO_CONTACT).take(2).collect();
    let answer = stage.data("query($id: ID!) { contact(id: $id) { id } }", json!({ "id": others[0] })).await;
    assert_eq!(answer["contact"]["id"], **others[0]);
    stage.calls();
    let answer = stage.cold(others[1]).await;
    assert_eq!(errors(&answer)[0].1, "RATE_LIMITED");
    let after = answer["errors"][0]["extensions"]["retryAfterMs"].as_u64().expect("a number");
    assert!(after > 80_000_000, "{after}");
    stage.profile().await;
    assert_eq!(stage.calls(), [].into());
}

#[tokio::test]
async fn a_change_goes_before_the_readings_that_wait() {
    let stage = limited(4, 300, None, &[("UPSTREAM_CONCURRENCY", "1")]).await;
    let hold = stage.sandbox.hold(CONTACT);
    let ids = stage.ids();
    let name = "query($id: ID!) { contact(id: $id) { name } }";
    let readings = join_all(ids.iter().take(12).map(|id| stage.ask(name, json!({ "id": id }))));
    let change = async {
        hold.arrived(1).await;
        // Until it is in the line, the one place is taken.
        let waits = async {
            let series = "gateway_upstream_waiting{location=\"";
            let series = format!("{series}{}\",lane=\"writes\"}}", stage.sandbox.info().location_id);
            while stage.metric(&series).await == 0 {
                tokio::task::yield_now().await;
            }
            hold.release();
        };
        let (answer, ()) = tokio::join!(stage.ask(TASK, json!({ "id": DEMO_CONTACT })), waits);
        answer
    };
    let (readings, change) = tokio::join!(readings, change);
    assert!(readings.iter().all(|answer| errors(answer).is_empty()));
    assert_eq!(errors(&change), []);
    let routes: Vec<&str> = stage.sandbox.calls().iter().map(|call| call.route).collect();
    assert_eq!(routes.iter().position(|route| route.starts_with("POST")), Some(1), "{routes:?}");
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_no_work_behind() {
    let stage = Stage::set(&[("UPSTREAM_CONCURRENCY", "3")]).await;
    let hold = stage.sandbox.hold(NOTES);
    {
        let asked = stage.ask("{ contacts(first: 20) { nodes { notes { id } appointments { id } } } }", json!({}));
        tokio::select! {
            answer = asked => panic!("answered: {answer}"),
            () = hold.arrived(3) => {}
        }
    }
    while stage.app.upstream().in_flight() > 0 || stage.app.accounts()[0].standing().waiting != [0; 3] {
        tokio::task::yield_now().await;
    }
    hold.release();
    stage.calls();
    stage.profile().await;
    assert_eq!(stage.calls(), one_of_each(), "nothing else is sent");
}

#[tokio::test]
async fn a_reading_outlives_who_began_it_and_ends_with_the_last_who_waits() {
    let stage = Stage::new().await;
    let hold = stage.sandbox.hold(NOTES);
    let other = {
        let asked = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT }));
        let other = "query($id: ID!) { contact(id: $id) { notes { id } } }";
        let other = stage.ask(other, json!({ "id": DEMO_CONTACT }));
        let mut other = Box::pin(other);
        tokio::select! {
            answer = asked => panic!("answered: {answer}"),
            answer = &mut other => panic!("answered: {answer}"),
            () = async {
                hold.arrived(1).await;
                while stage.metric("gateway_requests_in_progress ").await < 2 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        other
    };
    while stage.metric("gateway_requests_in_progress ").await > 1 {
        tokio::task::yield_now().await;
    }
    hold.release();
    let answer = other.await;
    assert_eq!(answer["data"]["contact"]["notes"].as_array().map(Vec::len), Some(3));
    assert_eq!(stage.sandbox.count(NOTES), 1);
}
