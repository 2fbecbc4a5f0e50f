//! The command line: what it prints, what it refuses, and what it ends with.

use std::process::{Command, Output, Stdio};

use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};

use super::support::local;

pub fn gateway(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
    let settings = settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), value));
    command.args(arguments).envs(settings).stdin(Stdio::null()).output().expect("a command that runs")
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const GOOD: [(&str, &str); 3] =
    [("UPSTREAM_URL", "http://127.0.0.1:9"), ("LOCATION_ID", "L1"), ("API_KEY", "pit-planted-secret")];

#[test]
fn everything_wrong_with_the_settings_is_told_at_once() {
    let bad = [
        ("LISTEN", "nowhere"),
        ("UPSTREAM_URL", "not a url"),
        ("UPSTREAM_TIMEOUT", "fast"),
        ("UPSTREAM_RETRIES", "-1"),
        ("AUTH", "maybe"),
        ("TIMEZONE", "Mars/Olympus"),
        ("CACHE_SIZE", "big"),
        ("TTL_TASKS", "soon"),
        ("LOG", "info=loud=x"),
        ("LOG_FORMAT", "xml"),
    ];
    let output = gateway(&["serve"], &bad);
    assert_eq!(output.status.code(), Some(64));
    let told = told(&output);
    for (name, value) in bad {
        assert!(told.contains(&format!("GATEWAY_{name} is `{value}`")), "{name}: {told}");
    }
    assert!(told.contains("GATEWAY_LOCATION_ID is not set") && told.contains("GATEWAY_API_KEY is not set"), "{told}");
}

#[test]
fn an_open_gateway_on_an_address_that_others_reach_is_refused() {
    let mut settings = GOOD.to_vec();
    settings.push(("LISTEN", "0.0.0.0:0"));
    let output = gateway(&["serve"], &settings);
    assert_eq!(output.status.code(), Some(64));
    assert!(told(&output).contains("GATEWAY_AUTH_OPEN_ANYWHERE"));
}

#[test]
fn origins_of_pages_are_named_one_by_one() {
    for bad in ["app.example", "https://app.example/path", "null", "https://user@app.example", "file:///x", "*"] {
        let mut settings = GOOD.to_vec();
        settings.push(("CORS_ORIGINS", bad));
        let output = gateway(&["serve"], &settings);
        assert_eq!(output.status.code(), Some(64), "{bad}");
        assert!(told(&output).contains("GATEWAY_CORS_ORIGINS"), "{}", told(&output));
    }
}

#[test]
fn usage_that_is_not_understood_ends_with_64_and_help_with_0() {
    for arguments in [
        &["nonsense"][..],
        &["serve", "--no-such-option"],
        &["sandbox", "--quirks", "none-such"],
        &["sandbox", "--webhooks", "ftp://x/"],
        &[],
    ] {
        assert_eq!(gateway(arguments, &GOOD).status.code(), Some(64), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["demo", "--help"]] {
        assert_eq!(gateway(arguments, &[]).status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_settings_file_is_read_and_the_environment_wins_over_it() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path");
    let rows =
        "ttl_tasks = \"41s\"\nttl_notes = \"42s\"\n[[location]]\nid = \"L2\"\napi_key = \"pit-planted-secret\"\n";
    std::fs::write(path, rows).expect("a file that can be written");
    let output = gateway(&["config", "--config", path], &[("TTL_NOTES", "43s")]);
    let told_all = told(&output);
    assert_eq!(output.status.code(), Some(0), "{told_all}");
    let row = |name: &str| told_all.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("GATEWAY_TTL_TASKS").contains("41s") && row("GATEWAY_TTL_TASKS").contains("file"));
    assert!(row("GATEWAY_TTL_NOTES").contains("43s") && row("GATEWAY_TTL_NOTES").contains("environment"));
    assert!(row("GATEWAY_TTL_PAGES").contains("15s") && row("GATEWAY_TTL_PAGES").contains("default"));
    assert!(!told_all.contains("planted-secret"));
    for bad in ["this is = = not toml", "ttl_taks = \"1s\"", "[[location]]\nid = \"L\"", "[[location]]\nidd = \"L\""] {
        std::fs::write(path, bad).expect("a file that can be written");
        assert_eq!(gateway(&["serve", "--config", path], &[]).status.code(), Some(64), "{bad}");
    }
    assert_eq!(gateway(&["serve", "--config", "/no/such/file"], &GOOD).status.code(), Some(64));
}

#[test]
fn a_key_is_hidden_wherever_settings_are_shown() {
    let mut settings = GOOD.to_vec();
    settings.push(("LISTEN", "nowhere"));
    for (arguments, settings) in [(["config"], &GOOD[..]), (["config"], &settings), (["serve"], &settings)] {
        let told = told(&gateway(&arguments, settings));
        assert!(told.contains("GATEWAY_") && !told.contains("planted-secret"), "{told}");
    }
}

#[test]
fn what_joins_gateways_is_hidden_and_has_to_be_usable() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path");
    let with = |url: &str, keys: &str| {
        std::fs::write(file.path(), keys).expect("a file that can be written");
        let mut settings = GOOD.to_vec();
        settings.extend([("REDIS_URL", url), ("REDIS_ENCRYPTION_KEY_FILE", path)]);
        let output = gateway(&["config"], &settings);
        let told = told(&output);
        assert!(told.contains("GATEWAY_REDIS") && !told.contains("planted"), "{told}");
        output.status.code()
    };
    let (url, key) =
        ("rediss://gateway:planted-secret@cache.example:6380/2", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=");
    assert_eq!(with(url, &format!("# the newest first\n{key}\n\n{key}\n")), Some(0));
    for keys in ["", "planted", &format!("{key}\nplanted"), "cGxhbnRlZA=="] {
        assert_eq!(with(url, keys), Some(64), "{keys}");
    }
    for url in ["http://:planted-secret@cache.example", "planted secret", "redis://cache.example/planted"] {
        assert_eq!(with(url, key), Some(64), "{url}");
    }
    let sentinels = "redis://watch:planted-secret@one.example:26379/0?master_name=main&addr=two.example:26379";
    assert_eq!(with(&format!("{sentinels}&username=gateway&password=planted"), key), Some(0));
    for rest in ["&addr=planted", "&password=secret&planted", "&sentinel_password=planted", "&username=planted"] {
        assert_eq!(with(&format!("{sentinels}{rest}"), key), Some(64), "{rest}");
    }
}

#[test]
fn a_key_comes_from_a_file_too() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "pit-planted-secret\n").expect("a file that can be written");
    let path = file.path().to_str().expect("a path");
    let settings = [("LOCATION_ID", "L1"), ("API_KEY_FILE", path)];
    assert_eq!(gateway(&["config"], &settings).status.code(), Some(0));
    let both = [("LOCATION_ID", "L1"), ("API_KEY_FILE", path), ("API_KEY", "x")];
    assert_eq!(gateway(&["config"], &both).status.code(), Some(64));
}

/// A slip that puts the secret itself where its file should be named.
#[test]
fn a_secret_in_the_place_of_its_file_is_hidden() {
    let slips = [
        vec![("LOCATION_ID", "L1"), ("API_KEY_FILE", "pit-planted-secret")],
        vec![("LOCATION_ID", "L1"), ("API_KEY_FILE", "pit-planted-secret"), ("API_KEY", "x")],
        vec![("LOCATION_ID", "L1"), ("OAUTH_CLIENT_ID", "app"), ("OAUTH_CLIENT_SECRET_FILE", "planted-secret")],
    ];
    for settings in slips {
        for arguments in [["serve"], ["config"]] {
            let output = gateway(&arguments, &settings);
            let told = told(&output);
            assert_eq!(output.status.code(), Some(64), "{told}");
            assert!(told.contains("_FILE is `(hidden)`; expected") && !told.contains("planted-secret"), "{told}");
        }
    }
    let output = gateway(&["serve"], &[("LOCATION_ID", "L1"), ("API_KEY_FILE", "/no/such/file")]);
    assert!(told(&output).contains("GATEWAY_API_KEY_FILE is `/no/such/file`"), "a path is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_address_that_is_listened_on_and_needs_no_other_setting() {
    let stage = super::support::Stage::new().await;
    let address = stage.url.trim_start_matches("http://").to_owned();
    let health = |address: &str| {
        let address = address.to_owned();
        tokio::task::block_in_place(move || gateway(&["health"], &[("LISTEN", &address)]).status.code())
    };
    assert_eq!(health(&address), Some(0));
    assert_eq!(health(&address.replace("127.0.0.1", "0.0.0.0")), Some(0));
    stage.app.drain();
    assert_eq!(health(&address), Some(1));
    assert_eq!(health("127.0.0.1:9"), Some(1));
}

#[test]
fn schema_prints_the_checked_in_file() {
    let output = gateway(&["schema"], &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("../../schema/schema.graphql"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_holds_and_what_does_not() {
    let sandbox = Sandbox::start(Options::default(), local().await);
    let info = sandbox.info();
    let url = sandbox.url();
    let check = |contact: &str, token: &str, url: &str| {
        let settings =
            [("UPSTREAM_URL", url), ("LOCATION_ID", &info.location_id), ("API_KEY", token), ("UPSTREAM_RETRIES", "0")];
        let output = tokio::task::block_in_place(|| gateway(&["check", "--contact", contact], &settings));
        (output.status.code(), told(&output))
    };
    let (code, text) = check(DEMO_CONTACT, &info.token, &url);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("Amara Lindqvist")
            && text.contains("✓ clock")
            && text.contains("contacts.write is granted")
            && !text.contains(&info.token),
        "{text}"
    );
    let rows = [
        (DEMO_CONTACT, "pit-dead", url.as_str(), "✗ credential"),
        (DEMO_CONTACT, &*info.token, "http://127.0.0.1:9", "✗ upstream"),
        ("zzzz", &info.token, &url, "✗ contact"),
        ("../x", &info.token, &url, "✗ contact"),
    ];
    for (contact, token, url, row) in rows {
        let (code, text) = check(contact, token, url);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(row), "{row} in {text}");
    }
    // Nothing was written to find out whether it could be.
    let write = "PUT /contacts/{contactId}/tasks/{taskId}/completed";
    assert!(
        sandbox.count(write) > 0 && sandbox.calls().iter().all(|call| call.status != Some(200) || call.method == "GET")
    );
    sandbox.allow("pit-reader", &info.location_id, &["contacts.readonly"]);
    let (code, text) = check(DEMO_CONTACT, "pit-reader", &url);
    assert!(code == Some(0) && text.contains("– scope") && text.contains("contacts.write is not granted"), "{text}");
    sandbox.allow("pit-narrow", &info.location_id, &["contacts.write"]);
    let (code, text) = check(DEMO_CONTACT, "pit-narrow", &url);
    assert!(code == Some(1) && text.contains("✗ scope"), "{text}");
}
