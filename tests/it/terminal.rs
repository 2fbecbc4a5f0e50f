//! The manners of the commands: help with examples, colours only where they are seen, JSON for machines, completions.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};
use serde_json::{Value, json};

use super::commands::{gateway, told};
use super::support::local;

/// The commands that a page of help lists.
fn listed(help: &str) -> Vec<String> {
    let rows = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = rows.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_page_of_help_with_an_example_of_itself() {
    let mut left = vec![Vec::new()];
    let mut pages = 0;
    while let Some(command) = left.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = gateway(&arguments, &[]);
        let help = told(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!help.contains('\x1b'), "colours in a pipe: {arguments:?}");
        let own = format!("contacts-gateway {}", command.join(" "));
        let (_, examples) = help.split_once("\nExample").unwrap_or_default();
        assert!(command.is_empty() || examples.contains(own.trim()), "{arguments:?} has no example");
        left.extend(listed(&help).into_iter().map(|name| [command.clone(), vec![name]].concat()));
        pages += 1;
    }
    assert!(pages > 18, "{pages} pages");
}

#[test]
fn what_is_not_understood_is_told_with_what_would_be_right() {
    let rows: [(&[&str], &str); 8] = [
        (&["dmeo"], "demo"),
        (&["demo", "--prot", "1"], "--port"),
        (&["demo", "--port", "many"], "--port"),
        (&["explain"], "<FILE>"),
        (&["key", "new"], "--name"),
        (&["key", "new", "--name", "x", "--scopes", "all"], "contacts.readonly"),
        (&["completions", "csh"], "zsh"),
        (&["sandbox", "--rate-limit", "fast"], "100/10"),
    ];
    for (arguments, right) in rows {
        let output = gateway(arguments, &[]);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(told(&output).contains(right), "{right} in {}", told(&output));
    }
}

/// The command, with these variables beside what it needs.
fn coloured(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    let needed =
        [("GATEWAY_UPSTREAM_URL", "http://127.0.0.1:9"), ("GATEWAY_LOCATION_ID", "L"), ("GATEWAY_API_KEY", "k")];
    command.envs(needed).envs([("GATEWAY_LOG_FORMAT", "text"), ("GATEWAY_UPSTREAM_RETRIES", "0")]);
    // It makes a line of the log.
    command.env("GATEWAY_NOT_A_SETTING", "x");
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null()).output().expect("a command that runs")
}

#[test]
fn colours_are_for_terminals_and_for_who_asks_for_them() {
    for arguments in [&["check"][..], &["config"], &["--help"], &["nonsense"]] {
        assert!(!told(&coloured(arguments, &[])).contains('\x1b'), "{arguments:?} has colours in a pipe");
        let both = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")];
        assert!(!told(&coloured(arguments, &both)).contains('\x1b'), "{arguments:?} has colours that nobody wants");
    }
    let output = coloured(&["check"], &[("CLICOLOR_FORCE", "1")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\x1b[31m✗\x1b[0m upstream"), "{}", told(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains('\x1b'), "log lines have them too: {}", told(&output));
    assert!(told(&coloured(&["--help"], &[("CLICOLOR_FORCE", "1")])).contains('\x1b'));
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", told(output)))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_json_too() {
    let sandbox = Sandbox::start(Options::default(), local().await);
    let (info, url) = (sandbox.info().clone(), sandbox.url());
    let check = move |token: &str| {
        let settings = [("UPSTREAM_URL", &*url), ("LOCATION_ID", &info.location_id), ("API_KEY", token)];
        tokio::task::block_in_place(|| gateway(&["check", "--json", "--contact", DEMO_CONTACT], &settings))
    };
    let good = check(&sandbox.info().token);
    assert_eq!(good.status.code(), Some(0));
    let place = &parsed(&good)["locations"][0];
    assert_eq!((&parsed(&good)["holds"], &place["location"]), (&json!(true), &json!(sandbox.info().location_id)));
    let contact = place["checks"].as_array().expect("rows").iter().find(|row| row["what"] == "contact");
    let seen = format!("{DEMO_CONTACT} is Amara Lindqvist");
    assert_eq!(contact, Some(&json!({ "what": "contact", "result": "holds", "seen": seen })));
    let bad = check("pit-dead");
    assert_eq!(bad.status.code(), Some(1));
    let rows = parsed(&bad)["locations"][0]["checks"].clone();
    let last = rows.as_array().and_then(|rows| rows.last()).expect("rows");
    assert_eq!(
        (&last["what"], &last["result"], &parsed(&bad)["holds"]),
        (&json!("credential"), &json!("fails"), &json!(false))
    );
}

#[test]
fn config_prints_json_too_and_hides_the_same() {
    let good = gateway(&["config", "--json"], &[("LOCATION_ID", "L1"), ("API_KEY", "pit-planted"), ("TTL_TAKS", "1s")]);
    assert_eq!(good.status.code(), Some(0));
    let told_good = parsed(&good);
    let row = |name: &str| {
        let rows = told_good["settings"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).cloned().expect("the setting")
    };
    let location = row("GATEWAY_LOCATION_ID");
    assert_eq!((&location["value"], &location["source"]), (&json!("L1"), &json!("environment")));
    assert!(location["meaning"].is_string() && row("GATEWAY_CORS_ORIGINS")["value"].is_null());
    assert_eq!((&told_good["unknown"], &told_good["problems"]), (&json!(["GATEWAY_TTL_TAKS"]), &json!([])));
    assert!(!told(&good).contains("planted"));
    let bad = gateway(&["config", "--json"], &[("TTL_TASKS", "soon")]);
    assert_eq!(bad.status.code(), Some(64));
    assert!(
        parsed(&bad)["problems"]
            .as_array()
            .expect("problems")
            .iter()
            .any(|why| { why.as_str().is_some_and(|why| why.contains("GATEWAY_TTL_TASKS is `soon`")) })
    );
}

#[test]
fn a_key_is_told_as_json_too() {
    let output = gateway(&["key", "new", "--name", "a \"name\"", "--json"], &[]);
    let told = parsed(&output);
    assert_eq!(told["name"], "a \"name\"");
    assert!(told["key"].as_str().is_some_and(|key| key.starts_with("cgk_")));
    let row: toml::Value = told["row"].as_str().expect("a row").parse::<toml::Table>().expect("TOML").into();
    assert_eq!(row["key"][0]["name"].as_str(), Some("a \"name\""));
}

#[test]
fn what_automations_would_do_is_told_as_json_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file that can be written");
        path.to_str().expect("a path").to_owned()
    };
    let rules = path(
        "rules.toml",
        "[[automation]]\nname = \"tag\"\nwhen = \"ContactCreate\"\nthen = [{ add_tags = [\"new\"] }]\n\
         [[automation]]\nname = \"other\"\nwhen = \"NoteCreate\"\nthen = [{ add_tags = [\"noted\"] }]\n",
    );
    let event = path("event.json", &json!({ "type": "ContactCreate", "locationId": "L1", "id": "c1" }).to_string());
    let output = gateway(&["automations", "check", &rules, "--event", &event, "--json"], &[]);
    assert_eq!(
        parsed(&output),
        json!([
            { "automation": "tag", "would": "run", "actions": [{ "add_tags": ["new"] }] },
            { "automation": "other", "would": "skip", "why": "it is for NoteCreate", "actions": [] },
        ])
    );
}

#[test]
fn events_of_an_empty_journal_are_an_empty_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("STATE_DIR", folder.path().to_str().expect("a path"))];
    assert_eq!(parsed(&gateway(&["events", "list", "--json"], &settings)), json!([]));
    let missing = gateway(&["events", "replay", "7", "--json"], &settings);
    assert!(missing.status.code() == Some(1) && told(&missing).contains("`events list`"), "{}", told(&missing));
}

#[test]
fn completions_are_scripts_that_their_shells_can_read() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = gateway(&["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0));
        let script = told(&output);
        assert!(script.contains("automations") && script.contains("max-calls"), "{shell} is told everything");
        if !["bash", "zsh", "fish"].contains(&shell) {
            continue;
        }
        // Not every machine has every shell.
        let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn() else { continue };
        child.stdin.take().expect("its input").write_all(script.as_bytes()).expect("a shell that reads");
        assert!(child.wait().expect("a shell that ends").success(), "{shell} cannot read it");
    }
}
