//! The scopes of the upstream credential: what it is known to lack is not asked for.

use std::fs;
use std::time::Duration;

use contacts_gateway::sandbox::Fault;

use super::install::install;
use super::served::run;
use super::*;
use crate::callers::{READ, WRITE};

/// A sandbox whose tokens have these scopes alone.
async fn with_scopes(scopes: &[&str]) -> Sandbox {
    let scopes = scopes.iter().map(ToString::to_string).collect();
    Sandbox::start(Options { oauth: true, contacts: 60, scopes, ..Options::default() }, local().await)
}

/// One error, of a credential that lacks this scope.
fn lacks(answer: &Value, path: &str, scope: &str) {
    assert_eq!(errors(answer), one_error(path, "FORBIDDEN"));
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["missingScopes"], json!([scope]));
    let message = error["message"].as_str().expect("a message");
    let begins = format!("The upstream credential lacks the scope {scope}: add it");
    assert!(message.starts_with(&begins), "{message}");
}

#[tokio::test]
async fn a_grant_that_may_only_read_is_asked_for_no_change_not_even_the_first() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = with_scopes(&[READ]).await;
    let settings = granted(&sandbox, &state);
    let stage = over(sandbox, &settings).await;
    let scopes =
        async |stage: &Stage| stage.data("{ gateway { scopes } }", json!({})).await["gateway"]["scopes"].take();
    assert_eq!(scopes(&stage).await, json!([READ, WRITE]), "nothing is known before the first token");
    for renewals in [1, 0] {
        lacks(&note(&stage).await, "createNote", WRITE);
        assert_eq!((noted(&stage), calls(&stage)), ((0, 0), [renewals, 0, 0]));
    }
    assert_eq!(scopes(&stage).await, json!([READ]));
    name(&stage, 0).await;
    assert_eq!(calls(&stage), [0, 0, 1]);
    // After a restart the token is there, and what it was granted.
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stage = stage.beside(&settings).await;
    lacks(&note(&stage).await, "createNote", WRITE);
    assert_eq!((noted(&stage), calls(&stage)), ((0, 0), [0, 0, 0]));
}

#[tokio::test]
async fn a_grant_that_may_only_write_is_asked_for_no_reading() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = with_scopes(&[WRITE]).await;
    let settings = granted(&sandbox, &state);
    let stage = over(sandbox, &settings).await;
    for renewals in [1, 0] {
        let answer = stage.ask(PROFILE, json!({ "id": stage.ids()[0] })).await;
        lacks(&answer, "contact", READ);
        assert_eq!(calls(&stage), [renewals, 0, 0]);
    }
    lacks(&stage.ask("{ contacts { nodes { id } } }", json!({})).await, "contacts", READ);
    assert_eq!(stage.calls(), [].into());
    assert_eq!(note(&stage).await.get("errors"), None);
    assert_eq!(noted(&stage), (1, 1));
}

/// Its scopes are not told: the upstream says so of each route once, and then it is not asked.
#[tokio::test]
async fn a_key_that_may_only_write_costs_one_call_for_each_route() {
    let sandbox = with_scopes(&[WRITE]).await;
    let settings = [("LOCATION_ID", sandbox.info().location_id.clone()), ("API_KEY", sandbox.info().token.clone())];
    let stage = over(sandbox, &settings).await;
    for (n, reads) in [1, 0, 0].into_iter().enumerate() {
        lacks(&ask_name(&stage, n).await, "contact", READ);
        assert_eq!(calls(&stage), [0, 0, reads]);
    }
    for (n, reads) in [1, 0].into_iter().enumerate() {
        let query = format!("{{ contacts(first: {}) {{ nodes {{ id }} }} }}", n + 1);
        lacks(&stage.ask(&query, json!({})).await, "contacts", READ);
        assert_eq!(stage.calls().values().sum::<usize>(), reads);
    }
    assert_eq!(note(&stage).await.get("errors"), None);
    assert_eq!(noted(&stage), (1, 1));
}

#[tokio::test]
async fn what_one_key_lacked_says_nothing_of_the_next_in_its_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let location = sandbox.info().location_id.clone();
    for (token, scopes) in [("pit-narrow", &[READ][..]), ("pit-wide", &[READ, WRITE])] {
        sandbox.allow(token, &location, scopes);
    }
    let path = dir.path().join("key");
    fs::write(&path, "pit-narrow").expect("a file");
    let settings = [("LOCATION_ID", location), ("API_KEY_FILE", path.display().to_string())];
    let stage = over(sandbox, &settings).await;
    for _ in 0..2 {
        lacks(&note(&stage).await, "createNote", WRITE);
        assert_eq!(noted(&stage), (1, 0), "the upstream is not asked twice");
    }
    fs::write(&path, "pit-wide").expect("a file");
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(note(&stage).await.get("errors"), None);
    assert_eq!(noted(&stage), (2, 1));
}

#[tokio::test]
async fn what_one_grant_lacked_says_nothing_of_the_next() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let location = sandbox.info().location_id.clone();
    sandbox.allow("at-narrow", &location, &[READ]);
    let narrow = json!({ "access_token": "at-narrow", "refresh_token": "rt-narrow", "expires_in": 86_399, "scope": READ,
                         "userType": "Location", "locationId": location });
    sandbox.fault(Fault::on(TOKEN).body(narrow).times(1));
    let settings = granted(&sandbox, &state);
    let stage = over(sandbox, &settings).await;
    lacks(&note(&stage).await, "createNote", WRITE);
    assert_eq!(noted(&stage), (0, 0));
    assert_eq!(install(&stage, "").await, 200);
    assert_eq!(note(&stage).await.get("errors"), None);
    assert_eq!(noted(&stage), (1, 1));
}

#[tokio::test]
async fn check_tells_what_a_grant_lacks_and_where_to_add_it() {
    let rows = [
        (&[READ][..], &["check"][..], 0, "– scope", "have it in GATEWAY_OAUTH_SCOPES and open /oauth/install"),
        (&[READ], &["check", "--write"], 1, "✗ scope", "have it in GATEWAY_OAUTH_SCOPES and open /oauth/install"),
        (&[WRITE], &["check"], 1, "✗ scope", "have contacts.readonly in GATEWAY_OAUTH_SCOPES and open /oauth/install"),
        (&[READ, WRITE], &["check", "--write"], 0, "✓ scope", "contacts.write is granted"),
    ];
    for (scopes, arguments, code, row, words) in rows {
        let state = tempfile::tempdir().expect("a directory");
        let sandbox = with_scopes(scopes).await;
        let settings = granted(&sandbox, &state);
        let (ended, told) = run(arguments, &sandbox, &settings).await;
        assert_eq!(ended, code, "{told}");
        assert!(told.lines().any(|line| line.contains(row) && line.contains(words)), "{row} {words} in {told}");
    }
}
