//! What callers present is found nowhere again: in no log line, answer, metric, command, list of processes or debug text.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::json;

use super::issuer::*;
use super::*;
use crate::untold::{Asker, LOGS, Process, Recorder, Secrets, codes, quoting, run};

/// Somebody who is let in, somebody who was, somebody who never was, as this mode knows them.
async fn callers(mode: &str, log: (&str, &str)) {
    let sandbox = Sandbox::start(Options { rate_limit: soon_over(), ..Options::default() }, local().await);
    let upstream = Recorder::before(&sandbox.url()).await;
    let (info, signer) = (sandbox.info().clone(), Signer::ed("k"));
    let issuer = Issuer::start(&[&signer]).await;
    let right = claims(&info.location_id, &json!({ "secret": "planted" }));
    let (token, expired) = (signer.sign(&right), signer.sign(&claims(&info.location_id, &json!({ "exp": "now-99" }))));
    let forged = forge(&json!({ "alg": "none" }), &right, b"");
    sandbox.allow("pit-planted-good-8c1e", &info.location_id, &[READ, WRITE]);
    let keys = keys::file(&[
        row("cgk_planted-good-8c1e", &[READ, WRITE], None, ""),
        row("cgk_planted-old-8c1e", &[], None, "expires = 2020-01-01T00:00:00Z"),
    ]);
    let keys = keys.path().to_str().expect("a path");
    let (settings, bearers) = match mode {
        "keys" => (
            vec![("KEYS_FILE", keys), ("API_KEY", &info.token)],
            ["cgk_planted-good-8c1e", "cgk_planted-old-8c1e", "cgk_planted-wrong-8c1e"],
        ),
        "jwt" => (
            vec![
                ("JWT_JWKS_URL", &*issuer.url),
                ("JWT_ISSUER", ISSUER),
                ("JWT_AUDIENCE", AUDIENCE),
                ("API_KEY", &info.token),
            ],
            [&*token, &expired, &forged],
        ),
        _ => (vec![], ["pit-planted-good-8c1e", "pit-planted-ünsendable-8c1e", "pit-planted-dead-8c1e"]),
    };
    let more = [
        ("AUTH", mode),
        ("UPSTREAM_URL", &upstream.url),
        ("LOCATION_ID", &info.location_id),
        ("UPSTREAM_RETRIES", "0"),
        ("TTL_CONTACT", "0s"),
        ("BODY_LIMIT", "1KiB"),
    ];
    let settings: Vec<_> = settings.into_iter().chain(more).map(|(name, value)| (name, value.to_owned())).collect();
    let mut secrets = Secrets::default();
    bearers.iter().for_each(|bearer| secrets.add(&format!("the bearer {bearer}"), bearer));

    let gateway = Process::start(&[], &settings, log).await;
    let front = Recorder::before(&gateway.url).await;
    let ids = sandbox.contact_ids(&info.location_id);
    let [good, ..] = bearers.map(|bearer| Asker::new(&front, Some(bearer)));
    assert_eq!(good.read(&ids[0]).await.get("errors"), None, "{mode}");
    assert_eq!(good.rename(&ids[0]).await.get("errors"), None, "{mode}");
    // A bearer that goes upstream may be quoted there.
    let faults = if mode == "passthrough" { quoting(bearers[0]) } else { Vec::new() };
    for (n, fault) in faults.into_iter().enumerate() {
        sandbox.fault(fault);
        let _ = (good.read(&ids[n]).await, good.rename(&ids[n]).await);
    }
    sandbox.clear_faults();
    let mut statuses = good.ask_for_everything_else().await;
    for bearer in &bearers[1..] {
        let asker = Asker::new(&front, Some(bearer));
        let code = asker.read(&ids[0]).await["errors"][0]["extensions"]["code"].take();
        let unsent = bearer.contains("ünsendable");
        assert!(code == "UNAUTHENTICATED" || unsent, "{mode}: {code}");
        statuses.extend(asker.ask_for_everything_else().await);
    }
    assert!(statuses.is_superset(&[200, 400, 401, 404, 405, 406, 413, 415].into()), "{statuses:?}");
    assert!(codes(&front).is_superset(&["UNAUTHENTICATED".to_owned(), "FORBIDDEN".to_owned()].into()));
    // The other version of HTTP has other code that logs.
    let client = Client::builder().http2_prior_knowledge().build().expect("a client");
    let mut told = String::new();
    for bearer in bearers {
        let body = json!({ "query": NAME, "variables": { "id": ids[1] } });
        let request = client.post(format!("{}/graphql", gateway.url)).bearer_auth(bearer).json(&body);
        told += &request.send().await.expect("an answer").text().await.expect("a text");
    }
    secrets.assert_sent(&[&front]);
    if mode != "passthrough" {
        secrets.add("the gateway's key", &info.token);
        secrets.assert_sent(&[&front, &upstream]);
    }
    secrets.assert_untold("an answer", front.answers());
    secrets.assert_untold("an answer of HTTP/2", told);
    if let Some(shown) = gateway.in_the_process_list() {
        secrets.assert_untold("the process list", shown);
    }
    let said = gateway.end().await;
    assert!(log.0 != "trace" || said.contains("TRACE"), "it was not made to talk: {said}");
    secrets.assert_untold(&format!("the log {log:?}"), said);
    for command in ["config", "check"].into_iter().filter(|_| log == ("trace", "json")) {
        secrets.assert_untold(command, run(&[command], &settings).await.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_comes_out_again() {
    join_all(LOGS.map(|log| callers("keys", log))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_of_an_issuer_comes_out_again() {
    join_all(LOGS.map(|log| callers("jwt", log))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_of_a_caller_comes_out_again() {
    join_all(LOGS.map(|log| callers("passthrough", log))).await;
}

#[tokio::test]
async fn a_caller_can_be_printed() {
    let (sandbox, ids, _file) = several(1).await;
    let stage = Stage::over(sandbox, &[("AUTH", "passthrough")], None).await;
    let secrets = Secrets::of(&[("a bearer", "pit-planted-8c1e"), ("one that cannot be sent", "pit-planted ü-8c1e")]);
    for bearer in ["pit-planted-8c1e", "pit-planted ü-8c1e"] {
        let caller = stage.app.auth().caller(Some(bearer.as_bytes()), Some(ids[0].as_bytes())).await;
        secrets.assert_untold("a caller", format!("{caller:?}"));
        if let Ok((caller, _)) = caller {
            secrets.assert_untold("a credential", format!("{:?} {:?}", caller.account, caller.account.credential));
        }
    }
}
