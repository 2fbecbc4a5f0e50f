//! When a token is renewed, how often, and who waits for it.

use std::time::Duration;

use contacts_gateway::sandbox::{Fault, Variant};
use futures_util::future::join_all;
use serde_json::json;

use super::*;

#[tokio::test]
async fn fifty_requests_that_meet_an_expired_token_share_one_renewal() {
    let (stage, _state) = warm_stage("").await;
    stage.sandbox.expire_tokens();
    // All of them are refused, none before the last has come.
    let hold = stage.sandbox.hold(CONTACT);
    let asks = join_all((1..51).map(|n| name(&stage, n)));
    let (answers, ()) = tokio::join!(asks, async {
        hold.arrived(50).await;
        hold.release();
    });
    assert!(answers.iter().all(|answer| answer["contact"]["name"].is_string()));
    assert_eq!(calls(&stage), [1, 0, 100]);
}

#[tokio::test]
async fn a_token_that_will_expire_is_renewed_while_it_is_used() {
    let (stage, _state) = warm_stage("").await;
    let forward = |seconds| {
        let by = Duration::from_secs(seconds);
        stage.clock.advance(by);
        stage.sandbox.advance(by);
    };
    forward(86_399 - 400);
    name(&stage, 1).await;
    assert_eq!(calls(&stage), [0, 0, 1], "it is not time yet");
    forward(200);
    let hold = stage.sandbox.hold(TOKEN);
    name(&stage, 2).await;
    hold.arrived(1).await;
    assert_eq!(calls(&stage), [1, 0, 1], "nobody waited");
    name(&stage, 3).await;
    assert_eq!(calls(&stage), [0, 0, 1], "one renewal is enough");
    // The old one can hardly be used any more: now they wait.
    forward(180);
    let (answer, ()) = tokio::join!(name(&stage, 4), async {
        tokio::task::yield_now().await;
        hold.release();
    });
    assert!(answer["contact"]["name"].is_string());
    assert_eq!(calls(&stage), [0, 0, 1]);
    assert!(stage.sandbox.calls().iter().all(|call| call.status != Some(401)));
}

#[tokio::test]
async fn an_expired_token_is_not_even_sent() {
    let (stage, _state) = warm_stage("").await;
    let day = Duration::from_secs(86_400);
    stage.clock.advance(day);
    stage.sandbox.advance(day);
    name(&stage, 1).await;
    assert_eq!(calls(&stage), [1, 0, 1]);
}

const CREATE_NOTE: &str = "POST /contacts/{contactId}/notes";

async fn note(stage: &Stage) -> Value {
    let query = "mutation M($input: CreateNoteInput!) { createNote(input: $input) { note { note } } }";
    stage.ask(query, json!({ "input": { "contactId": stage.ids()[0], "note": "Once" } })).await
}

/// How often the note was sent, and how often the upstream has it.
fn noted(stage: &Stage) -> (usize, usize) {
    let record = stage.sandbox.record(&stage.sandbox.info().location_id, &stage.ids()[0]);
    (stage.sandbox.count(CREATE_NOTE), record.notes.iter().filter(|note| note["body"] == "Once").count())
}

#[tokio::test]
async fn a_change_that_meets_an_expired_token_is_made_once() {
    let (stage, _state) = warm_stage("").await;
    stage.sandbox.expire_tokens();
    let answer = note(&stage).await;
    assert_eq!(answer["data"]["createNote"]["note"]["note"], "Once", "{answer}");
    assert_eq!((noted(&stage), calls(&stage)[0]), ((2, 1), 1), "refused, and sent again with a new token");
}

#[tokio::test]
async fn a_change_whose_time_is_over_before_there_is_a_token_is_not_made() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let mut settings = granted(&sandbox, &state);
    settings.push(("REQUEST_TIMEOUT", "300ms".into()));
    let stage = over(sandbox, &settings).await;
    name(&stage, 0).await;
    stage.sandbox.expire_tokens();
    let hold = stage.sandbox.hold(TOKEN);
    assert_eq!(errors(&note(&stage).await), one_error("createNote", "UPSTREAM_TIMEOUT"));
    hold.release();
    for n in 1..4 {
        name(&stage, n).await;
    }
    assert_eq!(noted(&stage), (1, 0), "refused, and not sent again");
}

/// What each refusal does: the code that is answered, the renewals, the calls for the contact.
#[tokio::test]
async fn each_401_and_403_is_told_from_the_others() {
    let answered = "";
    let rows = [
        (Variant::InvalidJwt, 1, answered, 1, 2),
        (Variant::InvalidToken, 1, answered, 1, 2),
        (Variant::InvalidPrivateToken, 1, answered, 1, 2),
        (Variant::InvalidJwt, 9, "UPSTREAM_UNAVAILABLE", 1, 2),
        (Variant::Scope, 9, "FORBIDDEN", 0, 1),
        (Variant::NoVersion, 9, "INTERNAL", 0, 1),
        (Variant::BadVersion, 9, "INTERNAL", 0, 1),
        (Variant::TimedOut, 1, answered, 0, 2),
        (Variant::WrongLocation, 9, "FORBIDDEN", 0, 1),
        (Variant::Forbidden, 9, "FORBIDDEN", 0, 1),
    ];
    for (variant, times, code, renewals, reads) in rows {
        let (stage, _state) = warm_stage("").await;
        stage.sandbox.fault(Fault::on(CONTACT).refuse(variant).times(times));
        let answer = ask_name(&stage, 1).await;
        let codes: Vec<_> = errors(&answer).into_iter().map(|(_, code)| code).collect();
        assert_eq!(codes.concat(), code, "{variant:?}: {answer}");
        assert_eq!(calls(&stage), [renewals, 0, reads], "{variant:?}");
    }
}

#[tokio::test]
async fn a_credential_that_stays_refused_is_not_renewed_again_and_again() {
    let (stage, _state) = warm_stage("").await;
    stage.sandbox.fault(Fault::on(CONTACT).refuse(Variant::InvalidJwt));
    assert!(is_refused(&ask_name(&stage, 1).await));
    assert_eq!(calls(&stage), [1, 0, 2]);
    assert_eq!(ready(&stage).await, 503);
    for n in 2..6 {
        assert!(is_refused(&ask_name(&stage, n).await));
    }
    assert_eq!(calls(&stage), [0, 0, 4], "the token is new, and was never let in");
    stage.clock.advance(Duration::from_secs(31));
    assert!(is_refused(&ask_name(&stage, 6).await));
    assert_eq!(calls(&stage), [1, 0, 2], "after a while it is tried once more");
    stage.sandbox.clear_faults();
    name(&stage, 6).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 1], 200));
}

/// An upstream that refuses the token for one contact and lets it in for another.
#[tokio::test]
async fn a_refusal_of_one_thing_alone_does_not_renew_for_ever() {
    let (stage, _state) = warm_stage("").await;
    let odd = stage.ids()[1].clone();
    stage.sandbox.fault(Fault::on(CONTACT).contact(&odd).refuse(Variant::InvalidJwt));
    let mut renewals = 0;
    for n in 2..22 {
        assert!(is_refused(&ask_name(&stage, 1).await));
        name(&stage, n).await;
        renewals += calls(&stage)[0];
    }
    assert!((1..=6).contains(&renewals), "{renewals}");
}

#[tokio::test]
async fn a_companys_token_is_exchanged_for_the_locations() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let mut settings = granted(&sandbox, &state);
    settings.push(("OAUTH_USER_TYPE", "Company".into()));
    let stage = over(sandbox, &settings).await;
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

/// Two locations of one company, whose grant begins with one token: it works once.
#[tokio::test]
async fn locations_of_one_grant_renew_it_once() {
    let state = tempfile::tempdir().expect("a directory");
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
    let stage = Stage::over(sandbox, &general, Some(file.path())).await;
    let id = stage.ids()[0].clone();
    let asks = info.locations.iter().map(|location| stage.ask_at(&location.location_id, NAME, json!({ "id": id })));
    let answers = join_all(asks).await;
    assert!(answers.iter().all(|answer| answer["data"]["contact"]["name"].is_string()), "{answers:?}");
    assert_ne!(answers[0], answers[1]);
    assert_eq!(calls(&stage), [1, 2, 2]);
}

/// The upstream tells which scopes a grant has.
#[tokio::test]
async fn a_grant_that_may_only_read_is_asked_for_no_change() {
    let state = tempfile::tempdir().expect("a directory");
    let scopes = vec!["contacts.readonly".to_owned()];
    let options = Options { oauth: true, locations: 2, contacts: 60, scopes, ..Options::default() };
    let sandbox = Sandbox::start(options, local().await);
    let settings = granted(&sandbox, &state);
    let stage = over(sandbox, &settings).await;
    name(&stage, 0).await;
    let answer = note(&stage).await;
    assert_eq!(errors(&answer), one_error("createNote", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!(["contacts.write"]));
    assert_eq!(noted(&stage), (0, 0));
}
