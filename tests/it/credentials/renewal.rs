//! When a token is renewed, how often, and who waits for it.

use std::time::Duration;

use contacts_gateway::sandbox::{Fault, Variant};
use futures_util::future::join_all;

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

/// What each refusal does: the code that is answered, the renewals, the calls for the contact. Only a refused credential
/// makes the gateway unready.
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
        (Variant::Unauthorized, 9, "INTERNAL", 0, 1),
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
        assert_eq!(ready(&stage).await, if code == "UPSTREAM_UNAVAILABLE" { 503 } else { 200 }, "{variant:?}");
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
