//! What is answered when the upstream misbehaves: everything else, and an error that tells what and where.

use std::time::Duration;

use contacts_gateway::sandbox::{Cut, DEMO_CONTACT, Fault};
use serde_json::{Value, json};

use super::support::*;

/// No second try: these tests are about what a failure is answered with.
const ONCE: (&str, &str) = ("UPSTREAM_RETRIES", "0");

async fn with_failing_tasks(fault: Fault) -> (Stage, Value) {
    let stage = Stage::set(&[ONCE, ("UPSTREAM_TIMEOUT", "300ms")]).await;
    stage.sandbox.fault(fault);
    let answer = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await;
    (stage, answer)
}

#[tokio::test]
async fn a_list_that_fails_is_null_with_its_own_error_and_the_rest_is_answered() {
    let refused_scope = json!({ "statusCode": 401, "message": "The token is not authorized for this scope." });
    let rows = [
        (Fault::on(TASKS).status(500), "UPSTREAM_UNAVAILABLE"),
        (Fault::on(TASKS).status(502).html(), "UPSTREAM_UNAVAILABLE"),
        (Fault::on(TASKS).cut(Cut::Before), "UPSTREAM_UNAVAILABLE"),
        (Fault::on(TASKS).cut(Cut::Mid), "UPSTREAM_UNAVAILABLE"),
        (Fault::on(TASKS).status(200).html(), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body(r#"{"tasks": [{"id": "t1", "title": "Cal"#), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body("OK"), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body(""), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body(json!({ "tasks": "none" })), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body(json!({ "notes": [] })), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).status(200).body(json!({ "tasks": [{ "title": "no id" }] })), "UPSTREAM_BAD_RESPONSE"),
        (Fault::on(TASKS).delay(Duration::from_secs(30)), "UPSTREAM_TIMEOUT"),
        (Fault::on(TASKS).status(401).body(refused_scope), "FORBIDDEN"),
        (Fault::on(TASKS).status(429).body(json!({ "message": "Too Many Requests" })), "RATE_LIMITED"),
        (Fault::on(TASKS).status(301).body(""), "UPSTREAM_UNAVAILABLE"),
    ];
    for (fault, code) in rows {
        let what = format!("{fault:?}");
        let (_stage, answer) = with_failing_tasks(fault).await;
        assert_eq!(errors(&answer), one_error("contact.tasks", code), "{what}");
        let contact = &answer["data"]["contact"];
        assert_eq!(contact["tasks"], Value::Null, "{what}");
        assert_eq!(contact["name"], "Amara Lindqvist", "{what}");
        assert_eq!(contact["notes"].as_array().map(Vec::len), Some(3), "{what}");
        assert_eq!(contact["appointments"].as_array().map(Vec::len), Some(2), "{what}");
    }
}

#[tokio::test]
async fn an_error_tells_what_the_caller_can_act_on() {
    let body = json!({ "message": "The token is not authorized for this scope.", "traceId": "t-1" });
    let (_stage, answer) = with_failing_tasks(Fault::on(TASKS).status(401).body(body)).await;
    let mut error = answer["errors"][0].clone();
    assert!(error["extensions"]["requestId"].take().is_string());
    insta::assert_json_snapshot!(error);
    let limited = Fault::on(TASKS).status(429).body(json!({ "message": "Too Many Requests" }));
    let (_stage, answer) = with_failing_tasks(limited).await;
    assert_eq!(answer["errors"][0]["extensions"]["retryAfterMs"], 10_000);
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let (stage, answer) = with_failing_tasks(Fault::on(TASKS).status(500)).await;
    assert_eq!(errors(&answer).len(), 1);
    stage.sandbox.clear_faults();
    stage.calls();
    stage.profile().await;
    assert_eq!(stage.calls().into_iter().collect::<Vec<_>>(), [(TASKS, 1)]);
}

#[tokio::test]
async fn a_read_that_fails_in_passing_is_tried_again() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(TASKS).status(503).html().times(1));
    stage.sandbox.fault(Fault::on(NOTES).cut(Cut::Before).times(1));
    let disguised = json!({ "message": "Command timed out" });
    stage.sandbox.fault(Fault::on(CONTACT).status(401).body(disguised).times(1));
    stage.profile().await;
    let calls: Vec<_> = stage.calls().into_iter().collect();
    assert_eq!(calls, [(CONTACT, 2), (APPOINTMENTS, 1), (NOTES, 2), (TASKS, 2)]);
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(TASKS).status(422).body(json!({ "message": ["no"] })));
    let answer = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact.tasks", "BAD_USER_INPUT"));
    assert_eq!(stage.calls()[TASKS], 1);
}

#[tokio::test]
async fn a_contact_that_fails_is_null_and_its_sibling_is_answered() {
    let stage = Stage::set(&[ONCE]).await;
    let ids = stage.ids();
    stage.sandbox.fault(Fault::on(CONTACT).contact(&ids[0]).status(500));
    let query = "query S($x: ID!, $y: ID!) { contact(id: $x) { id tasks { id } } other: contact(id: $y) { id } }";
    let answer = stage.ask(query, json!({ "x": ids[0], "y": ids[1] })).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["data"], json!({ "contact": null, "other": { "id": ids[1] } }));
}

#[tokio::test]
async fn one_contact_that_fails_in_a_list_leaves_the_others_whole() {
    let stage = Stage::set(&[ONCE]).await;
    let ids = stage.ids();
    stage.sandbox.fault(Fault::on(NOTES).contact(&ids[2]).status(500));
    stage.sandbox.fault(Fault::on(CONTACT).contact(&ids[1]).status(500));
    let query = "{ contacts(first: 4) { nodes { id timezone notes { id } } } }";
    let answer = stage.ask(query, json!({})).await;
    let want = [
        ("contacts.nodes.1.timezone".to_owned(), "UPSTREAM_UNAVAILABLE".to_owned()),
        ("contacts.nodes.2.notes".to_owned(), "UPSTREAM_UNAVAILABLE".to_owned()),
    ];
    assert_eq!(errors(&answer), want);
    let nodes = answer["data"]["contacts"]["nodes"].as_array().expect("nodes");
    let lacking = |key: &str| nodes.iter().map(|node| node[key].is_null()).collect::<Vec<_>>();
    assert_eq!(lacking("timezone"), [false, true, false, false]);
    assert_eq!(lacking("notes"), [false, false, true, false]);
}

#[tokio::test]
async fn a_list_of_the_wrong_shape_fails_alone() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(LIST).status(200).body(json!({ "contacts": { "no": "list" } })));
    let query = "query M($id: ID!) { contacts { nodes { id } } }";
    let answer = stage.ask(&query.replace("($id: ID!)", ""), json!({})).await;
    assert_eq!(errors(&answer), one_error("contacts", "UPSTREAM_BAD_RESPONSE"));
    assert_eq!(stage.profile().await["contact"]["name"], "Amara Lindqvist");
}

#[tokio::test]
async fn a_refused_credential_is_told_makes_the_gateway_unready_and_is_not_shown() {
    let stage = Stage::new().await;
    let token = stage.sandbox.info().token.clone();
    stage.sandbox.revoke(&token);
    let answer = stage.ask("query C($id: ID!) { contact(id: $id) { id } }", json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["errors"][0]["extensions"]["upstream"]["status"], 401);
    assert!(!answer.to_string().contains(&token));
    let ready = stage.get("/health/ready").send().await.expect("an answer");
    assert_eq!(ready.status(), 503);
    assert_eq!(stage.calls()[CONTACT], 1, "a refused credential is not tried again");
}

/// Readiness comes back with the credential, and not with the time: it is asked for with one small call in 30 s.
#[tokio::test]
async fn a_refused_credential_stays_unready_until_a_look_finds_it_taken() {
    let stage = Stage::new().await;
    let info = stage.sandbox.info();
    let ready = async || stage.get("/health/ready").send().await.expect("an answer").status().as_u16();
    stage.sandbox.revoke(&info.token);
    let answer = stage.ask("query C($id: ID!) { contact(id: $id) { id } }", json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
    for _ in 0..3 {
        assert_eq!(ready().await, 503);
        assert_eq!(stage.calls(), [].into());
        stage.clock.advance(Duration::from_secs(31));
        for _ in 0..3 {
            assert_eq!(ready().await, 503);
        }
        while stage.sandbox.count(LIST) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ready().await, 503);
        assert_eq!(stage.calls(), [(LIST, 1)].into());
    }
    stage.sandbox.allow(&info.token, &info.location_id, &["contacts.readonly"]);
    assert_eq!(ready().await, 503);
    stage.clock.advance(Duration::from_secs(31));
    while ready().await != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.calls(), [(LIST, 1)].into());
}

/// A 401 is also what a path in the wrong case or a missing parameter is answered with.
#[tokio::test]
async fn a_401_that_says_nothing_of_the_credential_leaves_the_gateway_ready() {
    let stage = Stage::new().await;
    for (words, code) in [("Unauthorized", "INTERNAL"), ("No user has this token", "INTERNAL")] {
        let body = json!({ "statusCode": 401, "message": words, "error": "Unauthorized" });
        stage.sandbox.fault(Fault::on(CONTACT).status(401).body(body));
        let answer = stage.ask("query C($id: ID!) { contact(id: $id) { id } }", json!({ "id": DEMO_CONTACT })).await;
        assert_eq!(errors(&answer), one_error("contact", code), "{words}");
        assert_eq!(answer["errors"][0]["extensions"]["upstream"]["status"], 401);
        assert_eq!(stage.get("/health/ready").send().await.expect("an answer").status(), 200, "{words}");
        assert_eq!(stage.calls()[CONTACT], 1, "{words}");
        stage.sandbox.clear_faults();
    }
}

#[tokio::test]
async fn at_the_deadline_what_is_there_is_answered() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "300ms")]).await;
    let hold = stage.sandbox.hold(NOTES);
    let answer = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(errors(&answer), one_error("contact.notes", "UPSTREAM_TIMEOUT"));
    assert_eq!(answer["data"]["contact"]["tasks"].as_array().map(Vec::len), Some(4));
    drop(hold);
}
