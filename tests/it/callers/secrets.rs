//! What callers present is found nowhere again: in no log line, answer, `config`, or debug text.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::json;

use super::issuer::*;
use super::*;

/// A gateway in a process of its own, which logs everything.
struct Process {
    child: Child,
    log: std::thread::JoinHandle<String>,
    url: String,
}

fn command(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
    let settings = settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), value));
    command.args(arguments).envs(settings).stdin(Stdio::null());
    command
}

impl Process {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut command = command(&["serve"], settings);
        command.envs([("GATEWAY_LISTEN", "127.0.0.1:0"), ("GATEWAY_LOG", "trace"), ("GATEWAY_LOG_FORMAT", "json")]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process");
        let mut lines = BufReader::new(child.stderr.take().expect("its log"));
        let mut log = String::new();
        let url = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("a line") > 0, "it ended: {log}");
            log += &line;
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if told["message"] == "listening" {
                break format!("http://{}/graphql", told["address"].as_str().expect("an address"));
            }
        };
        let log = std::thread::spawn(move || {
            let _ = std::io::Read::read_to_string(&mut lines, &mut log);
            log
        });
        Self { child, log, url }
    }

    /// Ends it; what it logged.
    fn end(mut self) -> String {
        self.child.kill().expect("an end");
        self.child.wait().expect("an end");
        self.log.join().expect("a log")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_callers_present_comes_out_again() {
    let sandbox = Sandbox::start(Options::default(), local().await);
    let (info, url) = (sandbox.info().clone(), sandbox.url());
    let signer = Signer::ed("k");
    let issuer = Issuer::start(&[&signer]).await;
    let right = claims(&info.location_id, &json!({ "secret": "planted" }));
    let (token, expired) = (signer.sign(&right), signer.sign(&claims(&info.location_id, &json!({ "exp": "now-99" }))));
    let forged = forge(&json!({ "alg": "none" }), &right, b"");
    sandbox.allow("pit-planted-good", &info.location_id, &[READ]);
    let keys = keys::file(&[
        row("planted-good", &[READ], None, ""),
        row("planted-old", &[], None, "expires = 2020-01-01T00:00:00Z"),
    ]);
    let keys = keys.path().to_str().expect("a path");
    let mine = [("UPSTREAM_URL", &*url), ("LOCATION_ID", &info.location_id), ("API_KEY", &info.token)];
    let jwt = [("AUTH", "jwt"), ("JWT_JWKS_URL", &issuer.url), ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    let cases = [
        (
            [&mine[..], &[("AUTH", "keys"), ("KEYS_FILE", keys)]].concat(),
            ["planted-good", "planted-wrong", "planted-old"],
        ),
        ([&mine[..], &jwt].concat(), [&token, &expired, &forged]),
        (
            [&mine[..2], &[("AUTH", "passthrough")]].concat(),
            ["pit-planted-good", "pit-planted-dead", "pit-planted-ünsendable"],
        ),
    ];
    let (old, new) = (Client::new(), Client::builder().http2_prior_knowledge().build().expect("a client"));
    for (settings, bearers) in &cases {
        let gateway = Process::start(settings);
        let mut told = String::new();
        let mut statuses = Vec::new();
        for client in [&old, &new] {
            for bearer in bearers {
                let body =
                    json!({ "query": PROFILE, "variables": { "id": sandbox.contact_ids(&info.location_id)[0] } });
                let answer = client.post(&gateway.url).bearer_auth(bearer).json(&body).send().await.expect("an answer");
                statuses.push(answer.status().as_u16());
                told += &answer.text().await.expect("a text");
            }
        }
        assert_eq!(statuses[0], 200, "{settings:?}: {told}");
        assert!(statuses.contains(&401), "{settings:?}: {told}");
        let config = command(&["config"], settings).output().expect("a command that runs");
        told += &String::from_utf8_lossy(&config.stdout);
        let log = tokio::task::block_in_place(|| gateway.end());
        assert!(log.contains("TRACE") && log.lines().count() > 20, "{log}");
        for (secret, place) in bearers.iter().flat_map(|secret| [(secret, &log), (secret, &told)]) {
            assert!(!place.contains(*secret), "{secret} in {place}");
        }
        for part in token.split('.') {
            assert!(!log.contains(part) && !told.contains(part), "a part of a token");
        }
        assert!(!log.contains(&info.token) && !told.contains(&info.token));
    }
}

#[tokio::test]
async fn a_caller_can_be_printed() {
    let (sandbox, ids, _file) = several(1).await;
    let stage = Stage::over(sandbox, &[("AUTH", "passthrough")], None).await;
    for bearer in ["pit-planted", "pit planted"] {
        let caller = stage.app.auth().caller(Some(bearer.as_bytes()), Some(ids[0].as_bytes())).await;
        let text = format!("{caller:?}");
        assert!(!text.contains("planted"), "{text}");
    }
}
