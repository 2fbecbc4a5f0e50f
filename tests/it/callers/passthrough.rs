//! `GATEWAY_AUTH=passthrough`: callers bring their own upstream credential.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::{Fault, Variant};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::*;

async fn stage(more: &[(&str, &str)]) -> (Stage, [String; 2]) {
    let (sandbox, ids, _file) = several(2).await;
    for (token, location, scopes) in
        [("pit-a1", 0, &[READ][..]), ("pit-a2", 0, &[READ]), ("pit-b1", 1, &[READ]), ("pit-none", 0, &[])]
    {
        sandbox.allow(token, &ids[location], scopes);
    }
    let mut settings = vec![("AUTH", "passthrough")];
    settings.extend(more);
    let stage = Stage::over(sandbox, &settings, None).await;
    (stage, [ids[0].clone(), ids[1].clone()])
}

#[tokio::test]
async fn each_credential_is_sent_as_it_came_and_shares_no_cached_value_with_another() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    for (bearer, location) in [("pit-a1", &a), ("pit-a2", &a), ("pit-b1", &b)] {
        for calls in [1, 0] {
            let (status, answer) = stage.ask_as(bearer, Some(location), NAME, id.clone()).await;
            assert_eq!((status, answer.get("errors")), (200, None));
            assert_eq!(
                answer["data"]["contact"]["email"],
                stage.sandbox.record(location, &stage.ids()[0]).contact["email"]
            );
            let sent = stage.sandbox.calls();
            assert!(sent.iter().all(|call| call.location.as_ref() == Some(location)), "{sent:?}");
            assert_eq!(stage.calls().values().sum::<usize>(), calls, "{bearer}");
        }
    }
}

#[tokio::test]
async fn a_refused_credential_is_its_callers_matter_and_no_outage_of_the_gateway() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    let (_, answer) = stage.ask_as("pit-dead", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "UNAUTHENTICATED"));
    assert_eq!(answer["errors"][0]["extensions"]["upstream"]["status"], 401);
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    assert_eq!(stage.get("/health/ready").send().await.expect("an answer").status(), 200);
    let (_, answer) = stage.ask_as("pit-none", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "FORBIDDEN"));
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([READ]));
    // Nothing that another credential would help.
    stage.sandbox.fault(Fault::on(CONTACT).refuse(Variant::Unauthorized).times(1));
    let (_, answer) = stage.ask_as("pit-a1", Some(&a), NAME, id.clone()).await;
    assert_eq!(errors(&answer), one_error("contact", "INTERNAL"));
    // A credential of one location that names another sees nothing under that name.
    let (_, answer) = stage.ask_as("pit-b1", Some(&a), NAME, id.clone()).await;
    assert_eq!(answer["data"], json!({ "contact": null }));
    stage.calls();
    let (_, answer) = stage.ask_as("pit-b1", Some(&b), NAME, id).await;
    assert_eq!(answer.get("errors"), None);
}

#[tokio::test]
async fn a_credential_and_a_location_are_needed() {
    let (stage, [a, b]) = stage(&[]).await;
    let id = json!({ "id": stage.ids()[0] });
    let answer = stage.post().header("x-location-id", &a).json(&json!({ "query": NAME, "variables": id })).send().await;
    let answer = answer.expect("an answer");
    let answer = (answer.status().as_u16(), answer.json().await.expect("JSON"));
    assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"));
    let answer = stage.ask_as("pit-a1", None, NAME, id.clone()).await;
    assert_eq!(refusal(&stage, &answer), refused(400, "BAD_USER_INPUT"));
    for odd in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
        let answer = stage.ask_as("pit-a1", Some(odd), NAME, id.clone()).await;
        assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"), "{odd}");
    }

    let (stage, _) = self::stage(&[("LOCATION_ID", &a)]).await;
    for named in [None, Some(&*a)] {
        assert_eq!(stage.ask_as("pit-a1", named, NAME, id.clone()).await.0, 200);
    }
    stage.calls();
    let answer = stage.ask_as("pit-b1", Some(&b), NAME, id).await;
    assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"));
}

/// Random credentials, locations and times: nobody is ever answered with what another credential sees.
#[test]
fn no_sequence_of_reads_shows_one_credential_what_another_sees() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (stage, places) = runtime.block_on(stage(&[]));
    let ids = stage.ids();
    let bearers = [("pit-a1", 0), ("pit-a2", 0), ("pit-b1", 1), ("pit-dead", 2)];
    let steps = proptest::collection::vec((0..4usize, 0..2usize, 0..3usize, any::<bool>()), 1..25);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            for (who, place, contact, later) in steps {
                if later {
                    stage.clock.advance(std::time::Duration::from_secs(35));
                }
                let ((bearer, home), id) = (bearers[who], &ids[contact]);
                let (_, answer) = stage.ask_as(bearer, Some(&places[place]), NAME, json!({ "id": id })).await;
                match home {
                    2 => prop_assert_eq!(errors(&answer), one_error("contact", "UNAUTHENTICATED")),
                    home if home == place => {
                        let email = stage.sandbox.record(&places[home], id).contact["email"].clone();
                        prop_assert_eq!(&answer["data"]["contact"]["email"], &email);
                    }
                    _ => prop_assert_eq!(&answer["data"], &json!({ "contact": null })),
                }
            }
            Ok(())
        })
    });
    outcome.expect("no sequence fails");
}
