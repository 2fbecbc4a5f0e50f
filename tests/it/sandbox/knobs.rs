//! Limits, failures and faults: what gets in the way of an answer.

use super::{ONE, Stage, TASKS};
use contacts_gateway::sandbox::{Cut, DEMO_CONTACT, Fault, Options, Quirks, RateLimit};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn what_cannot_be_read_is_told_with_what_can() {
    assert!("rows".parse::<Quirks>().unwrap_err().contains("plain-rows"));
    assert!("message-errors,status-errors".parse::<Quirks>().is_err());
    assert_eq!("100/10".parse(), Ok(RateLimit { max: 100, window: Duration::from_secs(10) }));
    for bad in ["100", "0/10", "a/b", "-1/3", "5/0"] {
        assert!(bad.parse::<RateLimit>().unwrap_err().contains("MAX/SECONDS"), "{bad}");
    }
}

#[tokio::test]
async fn every_answer_tells_the_limits_and_one_too_many_is_429() {
    let rate_limit = Some("2/600".parse().unwrap());
    let stage = Stage::new(Options { contacts: 1, rate_limit, daily_limit: Some(50), ..Options::default() }).await;
    for (left, status) in [("1", 200), ("0", 400), ("0", 429)] {
        let path = if status == 400 { "/contacts/nobody" } else { "/contacts/aM4raLqv7XbT2kW9hE3z" };
        let answer = stage.ask(path).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let header = |name: &str| answer.headers()[&format!("x-ratelimit-{name}")].to_str().unwrap();
        assert_eq!((header("max"), header("remaining")), ("2", left));
        assert_eq!((header("interval-milliseconds"), header("limit-daily")), ("600000", "50"));
        assert!(header("daily-remaining").parse::<u64>().unwrap() < 50);
        assert!(header("daily-reset").parse::<u64>().unwrap() > 86_000_000);
        assert!(answer.headers().get("retry-after").is_none());
    }
    let (_, body) = stage.get("/contacts/nobody").await;
    assert_eq!((&body["statusCode"], body.get("error")), (&json!(429), None));
}

#[tokio::test]
async fn a_day_that_is_used_up_is_429_and_headers_can_be_off() {
    let quirks = "no-rate-headers".parse().unwrap();
    let stage = Stage::new(Options { contacts: 1, daily_limit: Some(1), quirks, ..Options::default() }).await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    assert_eq!(stage.get(&path).await.0, 200);
    let answer = stage.ask(&path).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("x-ratelimit-limit-daily")), (429, false));
}

#[tokio::test]
async fn a_share_of_the_calls_fails_in_the_same_order_each_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new(Options { contacts: 1, fail_rate: 0.3, ..Options::default() }).await;
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(stage.get(&format!("/contacts/{DEMO_CONTACT}")).await.0);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!((4..=20).contains(&runs[0].iter().filter(|status| **status == 500).count()), "{:?}", runs[0]);
}

#[tokio::test]
async fn a_fault_hits_its_route_and_contact_so_often_and_no_more() {
    let stage = Stage::with("").await;
    let other = stage.sandbox.contact_ids(&stage.location).into_iter().find(|id| id != DEMO_CONTACT).unwrap();
    let rules = json!([{"route": TASKS, "contactId": DEMO_CONTACT, "status": 503, "html": true, "times": 2}]);
    assert_eq!(stage.send_faults(&rules.to_string()).await.0, 200);
    assert_eq!(stage.get(&format!("/contacts/{other}/tasks")).await.0, 200);
    assert_eq!(stage.get(&format!("/contacts/{DEMO_CONTACT}")).await.0, 200);
    for status in [503, 503, 200] {
        let (seen, body) = stage.get(&format!("/contacts/{DEMO_CONTACT}/tasks")).await;
        assert_eq!((seen, body.is_string()), (status, status == 503));
    }
}

#[tokio::test]
async fn a_fault_can_send_any_body() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}/tasks");
    stage.sandbox.fault(Fault::on(TASKS).body(json!({"tasks": null})).times(1));
    stage.sandbox.fault(Fault::on(TASKS).body("null").times(1));
    stage.sandbox.fault(Fault::on("*").status(429));
    assert_eq!(stage.get(&path).await, (200, json!({"tasks": null})));
    assert_eq!(stage.get(&path).await, (200, Value::Null));
    assert_eq!(stage.get(&path).await.1["message"], "Too Many Requests");
    stage.sandbox.clear_faults();
    assert_eq!(stage.get(&path).await.0, 200);
}

#[tokio::test]
async fn a_bad_rule_is_400_and_says_why() {
    let stage = Stage::with("").await;
    let on = |more: Value| {
        let mut rule = json!({"route": ONE, "status": 500});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule]).to_string()
    };
    for (rules, word) in [
        ("{".to_owned(), "list of rules"),
        (on(json!({"route": "GET /nowhere"})), "GET /contacts/"),
        (on(json!({"route": "GET /contacts/", "contactId": "x"})), "contactId"),
        (on(json!({"status": 42})), "status 42"),
        (on(json!({"times": 0})), "times"),
        (on(json!({"html": true, "body": 1})), "html"),
        (on(json!({"drop": "late"})), "late"),
        (on(json!({"stauts": 1})), "stauts"),
        (json!([{"route": ONE}]).to_string(), "nothing"),
    ] {
        let (status, body) = stage.send_faults(&rules).await;
        assert_eq!(status, 400, "{rules}");
        assert!(body["message"].as_str().unwrap().contains(word), "{body}");
    }
    assert_eq!(stage.get(&format!("/contacts/{DEMO_CONTACT}")).await.0, 200, "no bad rule came into force");
}

#[tokio::test]
async fn a_connection_can_be_cut_before_and_in_the_answer() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    stage.sandbox.fault(Fault::on(ONE).cut(Cut::Before).times(1));
    assert!(stage.ask(&path).send().await.is_err());
    stage.sandbox.fault(Fault::on(ONE).cut(Cut::Mid).times(1));
    let begun = stage.ask(&path).send().await.expect("the head arrives");
    assert_eq!(begun.status(), 200);
    assert!(begun.text().await.is_err());
    assert_eq!(stage.get(&path).await.0, 200);
    let statuses: Vec<_> = stage.sandbox.calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None, Some(200)]);
}
