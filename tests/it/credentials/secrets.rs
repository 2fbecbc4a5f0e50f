//! Secrets are planted, everything is made to talk, and nothing tells them: a grant with all that flows through it, and
//! keys from wherever settings come.

use std::collections::HashMap;

use contacts_gateway::config;
use contacts_gateway::resources::probe;
use contacts_gateway::sandbox::Fault;
use futures_util::future::join_all;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::json;

use super::*;
use crate::untold::{Asker, LOGS, Process, Recorder, Secrets, codes, quoting, run};

const KEY: &str = "pit-planted-5f2b7c90-aa31";

/// What is added: each question is a call, and one call, and a body can be too large and small.
const UNCACHED: [(&str, &str); 4] =
    [("TTL_CONTACT", "0s"), ("TTL_TASKS", "0s"), ("UPSTREAM_RETRIES", "0"), ("BODY_LIMIT", "1KiB")];

/// All commands that read the settings, and those that print words of ours; what each said.
async fn commands(more: &[&str], settings: &[(&str, String)]) -> String {
    let mut said = String::new();
    let arguments = [&["config"][..], &["check"], &["check", "--contact", "nobody", "--write"]];
    for arguments in arguments.map(|arguments| [arguments, more].concat()) {
        said += &run(&arguments, settings).await.1;
    }
    let bad = [settings, &[("LISTEN", "nowhere".to_owned()), ("TTL_PAGES", "soon".to_owned())]].concat();
    for command in ["serve", "config", "check"] {
        let (code, refusal) = run(&[&[command], more].concat(), &bad).await;
        assert!(code == 64 && refusal.contains("nowhere"), "{command}: {refusal}");
        said += &refusal;
    }
    for command in ["", "serve", "check", "config", "health", "schema", "key", "demo", "sandbox"] {
        let (code, help) = run(&[command, "--help"][usize::from(command.is_empty())..], settings).await;
        assert_eq!(code, 0, "{help}");
        said += &help;
    }
    said
}

/// A browser that is sent to the upstream's page and comes back with a code.
struct Browser {
    client: reqwest::Client,
    cookie: String,
    state: String,
    code: String,
}

impl Browser {
    /// Asked past the wire that is looked at: this one answer has state and cookie, which are the browser's own.
    async fn consent(gateway: &Process) -> (Self, String) {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
        let answer = client.get(gateway.url.clone() + "/oauth/install").send().await.expect("an answer");
        let header = |answer: &reqwest::Response, name| answer.headers()[name].to_str().expect("text").to_owned();
        let (page, cookie) = (header(&answer, LOCATION), header(&answer, SET_COOKIE));
        let told = format!("{:?}", answer.headers()) + &answer.text().await.expect("a page");
        let answer = client.get(page).send().await.expect("an answer");
        let back = reqwest::Url::parse(&header(&answer, LOCATION)).expect("a URL");
        let value = |name| back.query_pairs().find(|(key, _)| key == name).expect("a value").1.into_owned();
        let (code, state) = (value("code"), value("state"));
        let (_, cookie) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
        (Self { client, cookie: cookie.to_owned(), state, code }, told)
    }

    async fn come_back(&self, front: &Recorder, code: &str, state: &str) -> u16 {
        let address = format!("{}/oauth/callback?code={code}&state={state}", front.url);
        let cookie = format!("contacts_gateway_install={}", self.cookie);
        let answer = self.client.get(address).header(COOKIE, cookie).send().await.expect("an answer");
        answer.status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_and_all_that_flows_through_it_is_told_nowhere() {
    join_all(LOGS.map(a_grant)).await;
}

async fn a_grant(log: (&str, &str)) {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let upstream = Recorder::before(&sandbox.url()).await;
    let app = app(&sandbox);
    let mut settings = granted(&sandbox, &state);
    settings.retain(|(name, _)| *name != "OAUTH_AUTHORIZE_URL");
    settings.push(("OAUTH_AUTHORIZE_URL", format!("{}/v2/oauth/chooselocation", upstream.url)));
    settings.push(("UPSTREAM_URL", upstream.url.clone()));
    settings.extend(UNCACHED.map(|(name, value)| (name, value.to_owned())));
    let gateway = Process::start(&[], &settings, log).await;
    let front = Recorder::before(&gateway.url).await;
    let asker = Asker::new(&front, None);
    let ids = sandbox.contact_ids(&sandbox.info().location_id);

    // Renewed, ...
    for id in &ids[..2] {
        assert_eq!(asker.read(id).await.get("errors"), None);
        sandbox.expire_tokens();
    }
    // ... installed, with everything that is refused on the way, ...
    let (browser, mut page) = Browser::consent(&gateway).await;
    let Browser { code, state: asked, .. } = &browser;
    let mut statuses = Vec::new();
    for (code, state) in [(&code[..], "forged"), (code, asked), (code, asked)] {
        statuses.push(browser.come_back(&front, code, state).await);
    }
    let (late, more) = Browser::consent(&gateway).await;
    sandbox
        .fault(Fault::on(TOKEN).status(400).body(json!({ "error": "invalid_grant", "message": late.code })).times(1));
    statuses.push(late.come_back(&front, &late.code, &late.state).await);
    assert_eq!(statuses, [400, 200, 400, 400]);
    page += &more;
    assert_eq!(asker.read(&ids[2]).await.get("errors"), None);
    // ... renewed by an upstream that quotes, and that is lost and found again, ...
    let newest = |prefix| upstream.answered(prefix).pop().expect("a token");
    let quote = format!("{} {}", newest("rt-"), app.client_secret);
    for fault in [
        Fault::on(TOKEN).status(200).body(json!({ "access_token": [quote], "refresh_token": quote })),
        Fault::on(TOKEN).status(200).body(json!(quote)),
        Fault::on(TOKEN).status(400).body(json!({ "error": "invalid_grant", "error_description": quote })),
    ] {
        sandbox.expire_tokens();
        sandbox.fault(fault.times(1));
        assert_eq!(asker.read(&ids[3]).await.get("errors"), None);
    }
    assert_eq!(sandbox.count(RECONNECT), 1);
    // ... used where the upstream quotes it, and taken away.
    for n in 0..quoting("").len() {
        sandbox.fault(quoting(&newest("at-")).swap_remove(n));
        let id = &ids[n % ids.len()];
        let _ = (asker.read(id).await, asker.rename(id).await);
    }
    sandbox.clear_faults();
    sandbox.uninstall(&sandbox.info().location_id);
    let gone = asker.read(&ids[0]).await;
    assert_eq!(gone["errors"][0]["extensions"]["code"], "UPSTREAM_UNAVAILABLE");
    let statuses = asker.ask_for_everything_else().await;
    assert!(statuses.is_superset(&[200, 400, 403, 404, 405, 406, 413, 415, 503].into()), "{statuses:?}");
    let codes = codes(&front);
    let seen = ["BAD_USER_INPUT", "CONFLICT", "FORBIDDEN", "NOT_FOUND", "RATE_LIMITED", "UPSTREAM_BAD_RESPONSE"];
    let seen = seen.into_iter().chain(["UPSTREAM_UNAVAILABLE", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"]);
    assert!(seen.clone().all(|code| codes.contains(code)), "{codes:?}");

    let mut secrets = Secrets::of(&[
        ("the app's secret", &app.client_secret),
        ("the first refresh token", &app.refresh_token),
        ("a code", code),
        ("a code that was refused", &late.code),
    ]);
    secrets.assert_sent(&[&upstream]);
    for (prefix, least) in [("at-", 5), ("rt-", 5), ("code-", 3)] {
        let given = upstream.answered(prefix);
        assert!(given.len() >= least, "{given:?}");
        given.iter().for_each(|token| secrets.add(&format!("a token of {prefix}"), token));
    }
    secrets.assert_untold("the page of an installation", &page);
    for browser in [&browser, &late] {
        secrets.add("a state", &browser.state);
        secrets.add("a cookie", &browser.cookie);
    }
    secrets.assert_untold("an answer", front.answers());
    if let Some(shown) = gateway.in_the_process_list() {
        secrets.assert_untold("the process list", shown);
    }
    secrets.assert_untold(&format!("the log {log:?}"), gateway.end().await);
    if log.0 == "trace" {
        secrets.assert_untold("a command", commands(&[], &settings).await);
    }
    Secrets::of(&[("a state", &browser.state), ("a cookie", &browser.cookie)]).assert_sent(&[&front]);
}

/// Where a key may come from: the arguments and settings that give it, and the file that they name.
fn given(kind: &str, location: &str) -> (Vec<String>, Vec<(&'static str, String)>, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    let here = ("LOCATION_ID", location.to_owned());
    let (text, arguments, settings) = match kind {
        "environment" => (String::new(), vec![], vec![here, ("API_KEY", KEY.to_owned())]),
        "file" => (format!("{KEY}\n"), vec![], vec![here, ("API_KEY_FILE", path)]),
        _ => {
            (format!("[[location]]\nid = \"{location}\"\napi_key = \"{KEY}\"\n"), vec!["--config".into(), path], vec![])
        }
    };
    std::fs::write(file.path(), text).expect("a file that can be written");
    (arguments, settings, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_told_nowhere_wherever_it_comes_from() {
    join_all(LOGS.map(|log| a_key("environment", log))).await;
    // Once it is read, nothing knows where it came from.
    let logs = LOGS.into_iter().filter(|(level, _)| *level == "trace");
    join_all(logs.flat_map(|log| ["file", "settings file"].map(|kind| a_key(kind, log)))).await;
}

async fn a_key(kind: &str, log: (&str, &str)) {
    let sandbox = sandbox("").await;
    let location = sandbox.info().location_id.clone();
    sandbox.allow(KEY, &location, &["contacts.readonly", "contacts.write"]);
    let upstream = Recorder::before(&sandbox.url()).await;
    let (arguments, mut settings, _file) = given(kind, &location);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    settings.push(("UPSTREAM_URL", upstream.url.clone()));
    settings.extend(UNCACHED.map(|(name, value)| (name, value.to_owned())));
    let gateway = Process::start(&arguments, &settings, log).await;
    let front = Recorder::before(&gateway.url).await;
    let asker = Asker::new(&front, None);
    let ids = sandbox.contact_ids(&location);
    assert_eq!(asker.read(&ids[0]).await.get("errors"), None);
    for (n, fault) in quoting(KEY).into_iter().enumerate() {
        sandbox.fault(fault);
        let id = &ids[n % ids.len()];
        let _ = (asker.read(id).await, asker.rename(id).await);
    }
    sandbox.clear_faults();
    sandbox.revoke(KEY);
    assert!(is_refused(&asker.ask(NAME, json!({ "id": ids[0] })).await));
    assert!(asker.ask_for_everything_else().await.contains(&503));
    let secrets = Secrets::of(&[("a key", KEY)]);
    secrets.assert_sent(&[&upstream]);
    secrets.assert_untold("an answer", front.answers());
    if let Some(shown) = gateway.in_the_process_list() {
        secrets.assert_untold("the process list", shown);
    }
    secrets.assert_untold(&format!("the log {log:?}"), gateway.end().await);
    if log == ("trace", "json") {
        secrets.assert_untold("a command", commands(&arguments, &settings).await);
    }
}

/// The settings, what is made of them, and what comes of a call: each as a log line or a panic would print it.
#[tokio::test]
async fn what_holds_a_secret_can_be_printed() {
    let state = tempfile::tempdir().expect("a directory");
    let grants = sandbox("").await;
    let keys = sandbox("").await;
    keys.allow(KEY, &keys.info().location_id, &["contacts.readonly"]);
    let app = app(&grants);
    let mut secrets = Secrets::of(&[
        ("a key", KEY),
        ("the app's secret", &app.client_secret),
        ("the first refresh token", &app.refresh_token),
    ]);
    let granted = (granted(&grants, &state), None);
    let mut kinds = ["environment", "file", "settings file"].map(|kind| given(kind, &keys.info().location_id));
    let with_key = kinds.iter_mut().map(|(arguments, settings, _)| (std::mem::take(settings), arguments.pop()));
    let mut printed = Vec::new();
    for ((settings, file), sandbox) in [(granted, &grants)].into_iter().chain(with_key.map(|given| (given, &keys))) {
        let upstream = Recorder::before(&sandbox.url()).await;
        let mut env: HashMap<_, _> =
            settings.into_iter().map(|(name, value)| (format!("GATEWAY_{name}"), value)).collect();
        env.insert("GATEWAY_UPSTREAM_URL".into(), upstream.url.clone());
        env.insert("GATEWAY_UPSTREAM_RETRIES".into(), "0".into());
        let file = file.map(std::path::PathBuf::from);
        let loaded = config::load(env.clone(), file.as_deref());
        printed.push(format!("{:?} {:?}", loaded.config, loaded.in_force));
        env.insert("GATEWAY_LISTEN".into(), "nowhere".into());
        let refused = config::load(env, file.as_deref()).config;
        assert!(refused.is_err());
        printed.push(format!("{refused:?}"));
        let app =
            contacts_gateway::app::App::new(&loaded.config.expect("settings"), Default::default()).expect("an app");
        let account = &app.accounts()[0];
        let ids = sandbox.contact_ids(&account.location);
        let seen = probe::contact(&app.upstream(), account, &ids[0]).await;
        assert!(seen.is_ok(), "{:?}", seen.err());
        for n in 0..quoting("").len() {
            let token = upstream.answered("at-").pop().unwrap_or_else(|| KEY.to_owned());
            let fault = quoting(&token).swap_remove(n);
            if fault.route == CONTACT {
                sandbox.fault(fault);
                let failed = probe::contact(&app.upstream(), account, &ids[0]).await.err();
                sandbox.clear_faults();
                printed.push(format!("{failed:?} {}", failed.as_ref().map(ToString::to_string).unwrap_or_default()));
                printed.push(format!("{:?}", failed.map(contacts_gateway::graph::Error::from)));
            }
        }
        printed.push(format!("{account:?} {:?} {:?}", account.credential, account.credential.trouble()));
        for prefix in ["at-", "rt-"] {
            upstream.answered(prefix).iter().for_each(|token| secrets.add(&format!("a token of {prefix}"), token));
        }
    }
    assert!(printed.iter().any(|text| text.contains("(hidden)")), "nothing was quoted: {printed:?}");
    secrets.assert_untold("a debug text", printed.join("\n"));
}
