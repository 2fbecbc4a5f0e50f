//! Secrets are planted, everything is made to talk, and nothing may tell them.

use contacts_gateway::sandbox::{Fault, Variant};
use serde_json::json;

use super::served::{Served, run};
use super::*;

/// All that must not be told: what is given, and what the upstream gives later.
fn secrets(sandbox: &Sandbox) -> Vec<String> {
    let app = app(sandbox);
    vec![sandbox.info().token.clone(), app.client_secret, app.refresh_token, "at-".into(), "rt-".into(), "code-".into()]
}

fn assert_untold(sandbox: &Sandbox, place: &str, text: &str) {
    for secret in secrets(sandbox) {
        let at = text.find(&secret);
        // Words of ours may end like the names of tokens: what comes after those is forty hexadecimal digits.
        let long = |at: usize| {
            let rest = &text[at + secret.len()..];
            secret.len() > 5 || rest.bytes().take(40).filter(u8::is_ascii_hexdigit).count() == 40
        };
        assert!(!at.is_some_and(long), "{place} tells {secret}...: {}", &text[at.unwrap_or(0).saturating_sub(200)..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_a_secret() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let token = sandbox.info().token.clone();
    let mut grant = granted(&sandbox, &state);
    grant.push(("LOG", "trace".into()));
    let key =
        [("LOCATION_ID", sandbox.info().location_id.clone()), ("API_KEY", token.clone()), ("LOG", "trace".into())];
    for settings in [&grant[..], &key] {
        let gateway = Served::start(&sandbox, settings).await;
        let ids = sandbox.contact_ids(&sandbox.info().location_id);
        let mut told = String::new();
        let bodies = [
            // The upstream quotes what it was sent.
            json!({ "message": format!("{token} is not a path"), "error": "Unauthorized" }),
            json!({ "message": [format!("Invalid JWT {token}")], "traceId": token }),
        ];
        // A gateway cannot tell that a text is a secret that it was never given.
        let bodies = if settings.len() == 3 { bodies } else { [json!({}), json!({})] };
        for (n, fault) in [
            Fault::on(CONTACT),
            Fault::on(CONTACT).status(401).body(bodies[0].clone()).times(1),
            Fault::on(CONTACT).status(401).body(bodies[1].clone()).times(1),
            Fault::on(CONTACT).status(422).body(bodies[0].clone()).times(1),
            Fault::on(CONTACT).refuse(Variant::InvalidJwt).times(2),
            Fault::on(TOKEN)
                .status(400)
                .body(json!({ "error_description": format!("{} x", app(&sandbox).refresh_token) })),
        ]
        .into_iter()
        .enumerate()
        {
            if n > 0 {
                sandbox.fault(fault);
            }
            told += &gateway.ask(PROFILE, json!({ "id": ids[n] })).await.to_string();
            sandbox.expire_tokens();
            told += &gateway.ask(PROFILE, json!({ "id": ids[n + 10] })).await.to_string();
        }
        sandbox.clear_faults();
        for path in ["/health/ready", "/health/live", "/oauth/callback?code=code-x&state=y", "/nowhere", "/"] {
            told += &gateway.get(path).await;
        }
        assert_untold(&sandbox, "an answer", &told);
        let log = gateway.kill();
        assert!(log.contains("TRACE"), "it was not made to talk");
        assert_untold(&sandbox, "the log", &log);
        for arguments in [&["config"][..], &["check"]] {
            let (_, told) = run(arguments, &sandbox, settings).await;
            assert!(!told.is_empty());
            assert_untold(&sandbox, arguments[0], &told);
        }
        let mut bad = settings.to_vec();
        bad.push(("LISTEN", "nowhere".into()));
        let (code, told) = run(&["serve"], &sandbox, &bad).await;
        assert_eq!(code, 64);
        assert_untold(&sandbox, "a refusal to start", &told);
    }
}
