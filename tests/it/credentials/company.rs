//! A company's grant: exchanged for each location's token, and what is told where it cannot be.

use std::time::Duration;

use contacts_gateway::sandbox::{Fault, Variant};
use futures_util::future::join_all;

use super::served::run;
use super::*;

/// The settings of a company's grant.
fn companys(sandbox: &Sandbox, state: &TempDir) -> Vec<(&'static str, String)> {
    let mut settings = granted(sandbox, state);
    settings.push(("OAUTH_USER_TYPE", "Company".into()));
    settings
}

async fn stage() -> (Stage, Vec<(&'static str, String)>, TempDir) {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let settings = companys(&sandbox, &state);
    (over(sandbox, &settings).await, settings, state)
}

#[tokio::test]
async fn a_companys_token_is_exchanged_for_the_locations() {
    let (stage, _, _state) = stage().await;
    join_all((0..10).map(|n| name(&stage, n))).await;
    assert_eq!(calls(&stage), [1, 1, 10]);
    name(&stage, 10).await;
    assert_eq!(calls(&stage), [0, 0, 1]);
    // Only the location's is dead: the company's is good for another.
    stage.sandbox.fault(Fault::on(CONTACT).refuse(Variant::InvalidJwt).times(1));
    name(&stage, 11).await;
    assert_eq!(calls(&stage), [0, 1, 2]);
    stage.sandbox.expire_tokens();
    join_all((12..22).map(|n| name(&stage, n))).await;
    let [renewals, exchanges, reads] = calls(&stage);
    assert_eq!((renewals, exchanges), (1, 2), "one with the dead token, one with the next");
    assert!((11..=20).contains(&reads), "{reads}");
}

/// Two locations of one company, whose grant begins with one token.
async fn two_locations(state: &TempDir) -> Stage {
    let sandbox = sandbox("").await;
    let (info, app) = (sandbox.info().clone(), app(&sandbox));
    let rows = info.locations.iter().map(|location| {
        let (id, token) = (&location.location_id, &app.refresh_token);
        format!("[[location]]\nid = \"{id}\"\noauth = {{ refresh_token = \"{token}\", user_type = \"Company\" }}\n")
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), rows.collect::<String>()).expect("a file that can be written");
    let dir = state.path().display().to_string();
    let general = [
        ("OAUTH_CLIENT_ID", app.client_id.as_str()),
        ("OAUTH_CLIENT_SECRET", app.client_secret.as_str()),
        ("STATE_DIR", dir.as_str()),
    ];
    Stage::over(sandbox, &general, Some(file.path())).await
}

/// The name of a contact at each location.
async fn names(stage: &Stage, n: usize) -> Vec<Value> {
    let (id, locations) = (stage.ids()[n].clone(), &stage.sandbox.info().locations);
    let asks = locations.iter().map(|location| stage.ask_at(&location.location_id, NAME, json!({ "id": id })));
    join_all(asks).await
}

/// It works once.
#[tokio::test]
async fn locations_of_one_grant_renew_it_once() {
    let state = tempfile::tempdir().expect("a directory");
    let stage = two_locations(&state).await;
    let answers = names(&stage, 0).await;
    assert!(answers.iter().all(|answer| answer["data"]["contact"]["name"].is_string()), "{answers:?}");
    assert_ne!(answers[0], answers[1]);
    assert_eq!(calls(&stage), [1, 2, 2]);
}

/// The token was used up elsewhere: the code that comes instead is the company's as well, or it would open one location.
#[tokio::test]
async fn a_lost_grant_of_a_company_is_taken_up_again_for_all_its_locations() {
    let state = tempfile::tempdir().expect("a directory");
    let stage = two_locations(&state).await;
    names(&stage, 0).await;
    stage.sandbox.reset();
    stage.sandbox.expire_tokens();
    stage.sandbox.fault(Fault::on(TOKEN).status(400).body(json!({ "error": "invalid_grant" })).times(1));
    let answers = names(&stage, 1).await;
    assert!(answers.iter().all(|answer| answer["data"]["contact"]["name"].is_string()), "{answers:?}");
    let calls = stage.sandbox.calls();
    let asked: Vec<_> =
        calls.iter().filter(|call| call.route == RECONNECT).filter_map(|call| call.body.clone()).collect();
    assert_eq!(asked.len(), 1);
    assert!(asked[0]["companyId"].is_string() && asked[0].get("locationId").is_none(), "{asked:?}");
}

/// What is kept of a company's grant tells the company's scopes, which are none of a location's.
#[tokio::test]
async fn the_first_request_after_a_restart_may_be_a_change() {
    let (stage, settings, _state) = stage().await;
    name(&stage, 0).await;
    calls(&stage);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stage = stage.beside(&settings).await;
    let answer = note(&stage).await;
    assert_eq!(answer["data"]["createNote"]["note"]["note"], "Once", "{answer}");
    assert_eq!((noted(&stage), calls(&stage)), ((1, 1), [0, 1, 0]));
}

#[tokio::test]
async fn a_grant_that_does_not_reach_the_location_is_told_and_tried_again_after_a_while() {
    let dead = json!({ "statusCode": 401, "message": "Invalid JWT" });
    let rows = [
        (Fault::on(LOCATION_TOKEN).status(403), 0, 1, "install the app for this location"),
        (
            Fault::on(LOCATION_TOKEN).status(400).body(json!({ "message": "Location not found" })),
            0,
            1,
            "install the app",
        ),
        (Fault::on(LOCATION_TOKEN).refuse(Variant::Scope), 0, 1, "oauth.write in GATEWAY_OAUTH_SCOPES"),
        (Fault::on(LOCATION_TOKEN).refuse(Variant::Unauthorized), 0, 1, "try again later"),
        // Only this is about the company's token, which the first call got anew.
        (Fault::on(LOCATION_TOKEN).status(401).body(dead), 0, 1, "open /oauth/install"),
    ];
    for (fault, renewals, exchanges, mend) in rows {
        let what = format!("{fault:?}");
        let (stage, settings, _state) = stage().await;
        stage.sandbox.fault(fault);
        assert!(is_refused(&ask_name(&stage, 0).await), "{what}");
        assert_eq!(calls(&stage), [1 + renewals, exchanges, 0], "{what}");
        for n in 1..9 {
            assert!(is_refused(&ask_name(&stage, n).await), "{what}");
        }
        assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 0], 503), "{what}");
        stage.clock.advance(Duration::from_secs(31));
        assert!(is_refused(&ask_name(&stage, 1).await), "{what}");
        assert_eq!((calls(&stage)[1] > 0, ready(&stage).await), (true, 503), "{what}");
        let (code, told) = run(&["check"], &stage.sandbox, &settings).await;
        assert!(code == 1 && told.contains("✗ credential") && told.contains(mend), "{what}: {told}");
        stage.sandbox.clear_faults();
        stage.clock.advance(Duration::from_secs(31));
        name(&stage, 9).await;
        assert_eq!(ready(&stage).await, 200, "{what}");
    }
}

#[tokio::test]
async fn an_exchange_that_brings_another_locations_token_is_a_grant_of_no_use() {
    let (stage, settings, _state) = stage().await;
    let other = stage.sandbox.info().locations[1].clone();
    let body = json!({ "access_token": other.token, "expires_in": 86_399, "locationId": other.location_id });
    stage.sandbox.fault(Fault::on(LOCATION_TOKEN).body(body));
    for n in 0..5 {
        assert_eq!(errors(&ask_name(&stage, n).await), one_error("contact", "FORBIDDEN"));
    }
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 1, 0], 503));
    let (code, told) = run(&["check"], &stage.sandbox, &settings).await;
    assert!(code == 1 && told.contains("✗ location") && told.contains("the grant is another location's"), "{told}");
}

#[tokio::test]
async fn an_exchange_that_fails_in_passing_is_tried_again_and_is_no_trouble() {
    let (stage, _, _state) = stage().await;
    stage.sandbox.fault(Fault::on(LOCATION_TOKEN).status(503).html().times(2));
    name(&stage, 0).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 3, 1], 200));
}
