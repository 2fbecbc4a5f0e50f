//! `key new`, and the settings about callers on the command line.

use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::*;

fn gateway(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
    let settings = settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), value));
    command.args(arguments).envs(settings).stdin(Stdio::null()).output().expect("a command that runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The key and its row.
fn made(arguments: &[&str]) -> (String, String) {
    let output = gateway(&[&["key", "new"], arguments].concat(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = told(&output);
    let keys: Vec<&str> = text.split_whitespace().filter(|word| word.starts_with("cgk_")).collect();
    assert_eq!((keys.len(), keys[0].len()), (1, 47), "{text}");
    let row = text.find("[[key]]").expect("a row");
    (keys[0].to_owned(), text[row..].to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_printed_once_and_its_row_lets_it_in() {
    let (sandbox, ids, settings) = several(2).await;
    let (plain, plain_row) = made(&["--name", "a \"dashboard\""]);
    let both = format!("{},{}", ids[0], ids[1]);
    let arguments = ["--name", "app", "--scopes", "contacts.write,contacts.readonly", "--expires", "90d"];
    let (full, full_row) = made(&[&arguments[..], &["--locations", &both]].concat());
    assert!(plain != full && !plain_row.contains(&plain) && !plain_row.contains("expires"), "{plain_row}");
    let parsed: toml::Table = full_row.parse().expect("TOML");
    assert_eq!(parsed["key"][0]["locations"].as_array().map(Vec::len), Some(2));
    assert!(parsed["key"][0]["expires"].is_datetime());

    let keys = keys::file(&[plain_row, full_row]);
    let auth = [("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))];
    let stage = Stage::over(sandbox, &auth, Some(settings.path())).await;
    for (key, scopes) in [(plain, json!([READ])), (full, json!([READ, WRITE]))] {
        for id in &ids {
            let (status, answer) = stage.ask_as(&key, Some(id), WHO, json!({})).await;
            assert_eq!((status, &answer["data"]["gateway"]["scopes"]), (200, &scopes));
        }
    }
}

#[test]
fn a_key_that_cannot_be_meant_is_not_made() {
    for arguments in [
        &[][..],
        &["--name", "x", "--scopes", "contacts.all"],
        &["--name", "x", "--locations", ""],
        &["--name", "x", "--expires", "2020-01-01"],
        &["--name", "x", "--expires", "soon"],
    ] {
        let output = gateway(&[&["key", "new"], arguments].concat(), &[]);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!told(&output).contains("cgk_"));
    }
}

const BASE: [(&str, &str); 3] = [("UPSTREAM_URL", "http://127.0.0.1:9"), ("LOCATION_ID", "L1"), ("API_KEY", "pit-x")];

#[test]
fn what_is_wrong_with_the_settings_of_callers_is_told_at_once_and_keeps_the_gateway_from_starting() {
    let bad = keys::file(&["[[key]]\nname = \"x\"\nsha256 = \"cgk_planted\"\nscopes = [\"all\"]\n".to_owned()]);
    let private = keys::file(&["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()]);
    let (bad, private) = (bad.path().to_str().expect("a path"), private.path().to_str().expect("a path"));
    type Settings<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Settings, &[&str]); 10] = [
        (&[("AUTH", "keys")], &["GATEWAY_KEYS_FILE is not set"]),
        (&[("AUTH", "keys"), ("KEYS_FILE", "/no/such/file")], &["GATEWAY_KEYS_FILE is `/no/such/file`"]),
        (&[("AUTH", "keys"), ("KEYS_FILE", bad)], &["[[key]] 1 sha256", "[[key]] 1 scopes"]),
        (
            &[("AUTH", "jwt")],
            &["GATEWAY_JWT_JWKS_URL is not set", "GATEWAY_JWT_ISSUER is not", "GATEWAY_JWT_AUDIENCE is not"],
        ),
        (
            &[("AUTH", "jwt"), ("JWT_JWKS_URL", "ftp://x/"), ("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")],
            &["GATEWAY_JWT_JWKS_URL is `ftp"],
        ),
        (
            &[("AUTH", "jwt"), ("JWT_PEM_FILE", private), ("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")],
            &["GATEWAY_JWT_PEM_FILE is", "no private key"],
        ),
        (&[("AUTH", "jwt"), ("JWT_PEM_FILE", private), ("JWT_JWKS_URL", "https://x/")], &["one of the two"]),
        (&[("AUTH", "passthrough")], &["GATEWAY_API_KEY is `(hidden)`; expected nothing"]),
        (
            &[("AUTH", "passthrough"), ("OAUTH_CLIENT_SECRET", "planted"), ("OAUTH_REFRESH_TOKEN", "planted")],
            &["GATEWAY_OAUTH_CLIENT_SECRET is `(hidden)`", "GATEWAY_OAUTH_REFRESH_TOKEN is `(hidden)`"],
        ),
        (&[("LISTEN", "0.0.0.0:0")], &["GATEWAY_AUTH is `open`", "GATEWAY_AUTH_OPEN_ANYWHERE"]),
    ];
    for (settings, parts) in cases {
        let output = gateway(&["serve"], &[&BASE, settings].concat());
        let told = told(&output);
        assert_eq!(output.status.code(), Some(64), "{settings:?}: {told}");
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!told.contains("planted"), "{told}");
    }
}

#[test]
fn config_lists_the_settings_of_callers() {
    let keys = keys::file(&[row("x", &[READ], None, "")]);
    let path = keys.path().to_str().expect("a path");
    let output = gateway(&["config"], &[&BASE, &[("AUTH", "keys"), ("KEYS_FILE", path)][..]].concat());
    let told = told(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let row = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(row("GATEWAY_AUTH ").contains("keys") && row("GATEWAY_KEYS_FILE").contains(path), "{told}");
    for name in ["JWKS_URL", "PEM_FILE", "ISSUER", "AUDIENCE", "SCOPE_CLAIM", "LOCATION_CLAIM"] {
        assert!(told.contains(&format!("GATEWAY_JWT_{name}")), "{name}");
    }
    // Other addresses are fine where callers say who they are.
    let anywhere = [&BASE, &[("AUTH", "keys"), ("KEYS_FILE", path), ("LISTEN", "0.0.0.0:0")][..]].concat();
    assert_eq!(gateway(&["config"], &anywhere).status.code(), Some(0));
}
