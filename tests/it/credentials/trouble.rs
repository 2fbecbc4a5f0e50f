//! What is answered, and what helps, when there is no token to be had.

use std::fs;
use std::time::Duration;

use contacts_gateway::sandbox::{Cut, Fault};

use super::install::install;
use super::served::run;
use super::*;
use crate::redirects::{Redirector, STATUSES};

#[tokio::test]
async fn a_lost_grant_is_said_so_costs_nothing_more_and_is_over_with_an_installation() {
    let (stage, _state) = warm_stage("").await;
    stage.sandbox.uninstall(&stage.sandbox.info().location_id.clone());
    assert!(is_refused(&ask_name(&stage, 1).await));
    assert_eq!(ready(&stage).await, 503);
    let seen = stage.calls();
    assert_eq!((seen[TOKEN], seen[RECONNECT], seen[CONTACT]), (1, 1, 1));
    for n in 2..12 {
        stage.clock.advance(Duration::from_secs(20));
        assert!(is_refused(&ask_name(&stage, n).await));
    }
    assert_eq!(stage.calls(), [].into(), "who was told no is not asked again");
    assert_eq!(ready(&stage).await, 503, "and it stays so");

    assert_eq!(install(&stage, "").await, 200);
    assert_eq!(ready(&stage).await, 200);
    name(&stage, 1).await;
}

#[tokio::test]
async fn a_grant_whose_token_was_used_elsewhere_is_taken_up_again_by_a_new_code() {
    let (stage, _state) = warm_stage("").await;
    // The upstream used the token up, and its answer never came.
    stage.sandbox.expire_tokens();
    stage.sandbox.fault(Fault::on(TOKEN).cut(Cut::Mid).times(1));
    name(&stage, 1).await;
    let seen = stage.calls();
    assert_eq!((seen[TOKEN], seen[RECONNECT], seen[CONTACT]), (3, 1, 2), "lost, refused, by code");

    let (stage, _state) = warm_stage("no-reconnect").await;
    stage.sandbox.expire_tokens();
    stage.sandbox.fault(Fault::on(TOKEN).cut(Cut::Mid).times(1));
    assert!(is_refused(&ask_name(&stage, 1).await));
    assert_eq!(ready(&stage).await, 503);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_tried_again_and_is_no_lost_grant() {
    let (stage, _state) = warm_stage("").await;
    stage.sandbox.expire_tokens();
    stage.sandbox.fault(Fault::on(TOKEN).status(503).html().times(2));
    name(&stage, 1).await;
    assert_eq!(calls(&stage), [3, 0, 2]);

    stage.sandbox.expire_tokens();
    stage.sandbox.fault(Fault::on(TOKEN).status(503).html());
    let answer = ask_name(&stage, 2).await;
    assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(ready(&stage).await, 200, "it passes");
    let tried = calls(&stage)[0];
    assert!((3..=12).contains(&tried), "{tried}");
    stage.sandbox.clear_faults();
    stage.clock.advance(Duration::from_secs(31));
    name(&stage, 2).await;
}

#[tokio::test]
async fn a_suspended_location_goes_on_by_itself_once_it_is_active() {
    let (stage, _state) = warm_stage("").await;
    let location = stage.sandbox.info().location_id.clone();
    stage.sandbox.suspend(&location, true);
    stage.sandbox.expire_tokens();
    assert!(is_refused(&ask_name(&stage, 1).await));
    assert!(is_refused(&ask_name(&stage, 2).await));
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 0, 1], 503));
    stage.sandbox.suspend(&location, false);
    stage.clock.advance(Duration::from_secs(31));
    name(&stage, 1).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 0, 1], 200));
}

#[tokio::test]
async fn a_wrong_client_secret_uses_no_token_up() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let right = granted(&sandbox, &state);
    let mut wrong = right.clone();
    wrong.retain(|(name, _)| *name != "OAUTH_CLIENT_SECRET");
    wrong.push(("OAUTH_CLIENT_SECRET", "wrong".into()));
    let stage = over(sandbox, &wrong).await;
    assert!(is_refused(&ask_name(&stage, 0).await));
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 0, 0], 503));
    let app = app(&stage.sandbox);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", app.refresh_token.as_str()),
        ("client_id", &app.client_id),
        ("client_secret", &app.client_secret),
    ];
    let body = form.map(|(name, value)| format!("{name}={value}")).join("&");
    let answer = reqwest::Client::new().post(stage.sandbox.url() + "/oauth/token").body(body).send().await;
    assert_eq!(answer.expect("an answer").status(), 200, "it is still good");
}

#[tokio::test]
async fn another_locations_grant_reads_nothing() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let other = sandbox.info().locations[1].location_id.clone();
    let mut settings = granted(&sandbox, &state);
    settings.retain(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
    settings.push(("OAUTH_REFRESH_TOKEN", sandbox.grant(&other)));
    let stage = over(sandbox, &settings).await;
    assert_eq!(ready(&stage).await, 200, "nothing is known yet");
    assert_eq!(errors(&ask_name(&stage, 0).await), one_error("contact", "FORBIDDEN"));
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 0, 0], 503));
    let (code, told) = run(&["check"], &stage.sandbox, &settings).await;
    let mend = "open /oauth/install and choose the location of GATEWAY_LOCATION_ID";
    assert!(code == 1 && told.contains("✗ location") && told.contains(mend), "{told}");
    assert_eq!(install(&stage, "").await, 200);
    assert_eq!(ready(&stage).await, 200);
    name(&stage, 0).await;
}

/// The disk does not take what the upstream gave: it is not used before it does, and not thrown away either.
#[tokio::test]
async fn what_cannot_be_written_down_is_not_used() {
    let (stage, state) = warm_stage("").await;
    stage.sandbox.expire_tokens();
    let database = state.path().join("credentials/grants.redb");
    let aside = state.path().join("credentials/aside");
    let hold = stage.sandbox.hold(TOKEN);
    let (answer, ()) = tokio::join!(ask_name(&stage, 1), async {
        hold.arrived(1).await;
        fs::rename(&database, &aside).expect("a move");
        fs::create_dir(&database).expect("something in its place");
        hold.release();
    });
    assert_eq!(errors(&answer), one_error("contact", "INTERNAL"));
    assert!(!answer.to_string().contains("credentials"), "{answer}");
    assert_eq!(calls(&stage), [1, 0, 1], "the new token was not sent");
    fs::remove_dir(&database).expect("a directory");
    fs::rename(&aside, &database).expect("a move");
    stage.clock.advance(Duration::from_secs(31));
    name(&stage, 1).await;
    assert_eq!(calls(&stage), [0, 0, 1], "the one that was bought is used");
}

/// A person granted access, the code is used up, and the disk did not take what it brought.
#[tokio::test]
async fn an_installation_that_could_not_be_written_down_is_used_once_it_can_be() {
    let (stage, state) = warm_stage("").await;
    stage.sandbox.uninstall(&stage.sandbox.info().location_id.clone());
    assert!(is_refused(&ask_name(&stage, 1).await));
    let database = state.path().join("credentials/grants.redb");
    let aside = state.path().join("credentials/aside");
    fs::rename(&database, &aside).expect("a move");
    fs::create_dir(&database).expect("something in its place");
    fs::write(database.join("file"), "").expect("something in that");
    assert_eq!(install(&stage, "").await, 502);
    stage.calls();
    stage.clock.advance(Duration::from_secs(6));
    assert_eq!(errors(&ask_name(&stage, 1).await), one_error("contact", "INTERNAL"));
    assert_eq!(calls(&stage), [0, 0, 0], "what is not written down is not used");
    fs::remove_dir_all(&database).expect("a directory");
    fs::rename(&aside, &database).expect("a move");
    stage.clock.advance(Duration::from_secs(6));
    name(&stage, 1).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 1], 200));
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed() {
    let redirector = Redirector::start().await;
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let settings = [granted(&sandbox, &state), vec![("UPSTREAM_URL", redirector.url.clone())]].concat();
    let stage = over(sandbox, &settings).await;
    for place in redirector.places() {
        for status in STATUSES {
            redirector.point(status, &place);
            assert!(is_refused(&ask_name(&stage, 0).await), "{status} {place}");
            assert_eq!(redirector.asked(), ["POST /oauth/token"], "{status} {place}");
            stage.clock.advance(Duration::from_secs(31));
        }
    }
    assert_eq!(ready(&stage).await, 503);
    let (code, told) = run(&["check"], &stage.sandbox, &settings).await;
    assert!(code == 1 && told.contains("HTTP 308"), "{told}");
}
