//! `check`: a row for each thing, what helps where it does not hold, and the exit code.

use contacts_gateway::sandbox::{Fault, LocationInfo, Options, Sandbox, Variant};
use serde_json::{Value, json};

use super::commands::{gateway, told};
use super::credentials::served::{Served, run};
use super::events::Sender;
use super::support::{LIST, local};

/// What `check` ends with and tells, with these settings in place of the good ones.
fn check(sandbox: &Sandbox, arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let (info, url) = (sandbox.info(), sandbox.url());
    let good = [
        ("UPSTREAM_URL", &*url),
        ("LOCATION_ID", &info.location_id),
        ("API_KEY", &info.token),
        ("UPSTREAM_RETRIES", "0"),
    ];
    let all: Vec<_> = good.into_iter().chain(settings.iter().copied()).collect();
    let arguments: Vec<&str> = ["check"].iter().chain(arguments).copied().collect();
    let output = tokio::task::block_in_place(|| gateway(&arguments, &all));
    (output.status.code(), told(&output))
}

fn has_row(text: &str, row: &str, words: &str) {
    assert!(
        text.lines().any(|line| line.trim_start().starts_with(row) && line.contains(words)),
        "{row} {words}: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_fails_tells_what_helps_and_nothing_after_it_is_said_to_hold() {
    let sandbox = Sandbox::start(Options { locations: 2, ..Options::default() }, local().await);
    let other = sandbox.info().locations[1].clone();
    sandbox.allow("pit-writer", &sandbox.info().location_id, &["contacts.write"]);
    let rows = [
        ("UPSTREAM_URL", "http://127.0.0.1:9", "✗ upstream", "can GATEWAY_UPSTREAM_URL be reached from here?"),
        ("API_KEY", "pit-dead", "✗ credential", "make a new private integration token for this location"),
        ("API_KEY", "pit-writer", "✗ scope", "add the scope contacts.readonly to the private integration"),
        (
            "API_KEY",
            &*other.token,
            "✗ location",
            "GATEWAY_LOCATION_ID has to be the location that the token was made for",
        ),
        ("LOCATION_ID", "elsewhere", "✗ location", "GATEWAY_LOCATION_ID has to be the location"),
    ];
    for (name, value, row, mend) in rows {
        let (code, text) = check(&sandbox, &[], &[(name, value)]);
        assert_eq!(code, Some(1), "{text}");
        has_row(&text, row, mend);
        let order = ["upstream", "credential", "contacts.readonly is granted", "location"];
        let failed = order.iter().position(|what| row.ends_with(what)).unwrap_or(2);
        for (n, what) in order.into_iter().enumerate() {
            let holds = text.lines().any(|line| line.contains('✓') && line.contains(what));
            assert_eq!(holds, n < failed, "{what}: {text}");
        }
    }
    sandbox.fault(Fault::on(LIST).refuse(Variant::Unauthorized));
    let (code, text) = check(&sandbox, &[], &[]);
    assert_eq!(code, Some(1), "{text}");
    has_row(&text, "✗ upstream", "Unauthorized");
    has_row(&text, "✗ upstream", "if the upstream means the credential, set another");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_that_are_left_are_told_and_none_left_today_fails() {
    let limit = "100/10".parse().expect("a limit");
    let options = |daily| Options { rate_limit: Some(limit), daily_limit: Some(daily), ..Options::default() };
    // A list, a change that changes nothing, and a contact.
    let sandbox = Sandbox::start(options(1000), local().await);
    let (code, text) = check(&sandbox, &[], &[]);
    assert_eq!((code, sandbox.total()), (Some(0), 3), "{text}");
    has_row(&text, "✓ limits", "left in this window: 97 of 100; today: 997 of 1000");
    let sandbox = Sandbox::start(options(3), local().await);
    let (code, text) = check(&sandbox, &[], &[]);
    assert_eq!(code, Some(1), "{text}");
    has_row(&text, "✗ limits", "today: 0 of 3: nothing is left until the day's limit starts anew");
    let sandbox = Sandbox::start(Options::default(), local().await);
    let (code, text) = check(&sandbox, &[], &[]);
    assert_eq!(code, Some(0), "{text}");
    has_row(&text, "✓ limits", "left in this window: not told; today: not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_write_a_credential_that_may_not_change_anything_fails() {
    let sandbox = Sandbox::start(Options::default(), local().await);
    sandbox.allow("pit-reader", &sandbox.info().location_id, &["contacts.readonly"]);
    for (token, arguments, code, row, words) in [
        ("pit-reader", &[][..], 0, "– scope", "to have them, add it to the private integration"),
        ("pit-reader", &["--write"], 1, "✗ scope", "to have them, add it to the private integration"),
        (&*sandbox.info().token, &["--write"], 0, "✓ scope", "contacts.write is granted"),
    ] {
        let (ended, text) = check(&sandbox, arguments, &[("API_KEY", token)]);
        assert_eq!(ended, Some(code), "{text}");
        has_row(&text, row, words);
    }
    let changed = |status: Option<u16>| status.is_some_and(|status| status < 300);
    assert!(sandbox.calls().iter().all(|call| call.method == "GET" || !changed(call.status)), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_beside_a_gateway_that_takes_events() {
    let sender = Sender::new();
    let sandbox = Sandbox::start(Options::default(), local().await);
    let info = sandbox.info();
    let mut settings = sender.settings().to_vec();
    settings.extend([("LOCATION_ID", info.location_id.clone()), ("API_KEY", info.token.clone())]);
    let gateway = Served::start(&sandbox, &settings).await;
    let (code, text) = run(&["check"], &sandbox, &settings).await;
    assert_eq!(code, 0, "{text}");
    has_row(&text, "✓ contact", "");
    gateway.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_looked_for_in_every_location_and_has_to_be_in_one() {
    let sandbox = Sandbox::start(Options { locations: 2, ..Options::default() }, local().await);
    let [first, second] = &sandbox.info().locations[..] else { panic!("two locations") };
    let row = |of: &LocationInfo| format!("[[location]]\nid = \"{}\"\napi_key = \"{}\"\n", of.location_id, of.token);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), row(first) + &row(second)).expect("room");
    let created = reqwest::Client::new()
        .post(format!("{}/contacts/", sandbox.url()))
        .bearer_auth(&second.token)
        .header("version", "2021-07-28")
        .json(&json!({ "locationId": second.location_id, "firstName": "Only Here" }))
        .send();
    let created: Value = created.await.expect("an answer").json().await.expect("a contact");
    let id = created["contact"]["id"].as_str().expect("an id");
    let path = file.path().display().to_string();
    let try_it = |id: &str| {
        let output = tokio::task::block_in_place(|| {
            gateway(&["check", "--config", &path, "--contact", id], &[("UPSTREAM_URL", &*sandbox.url())])
        });
        (output.status.code(), told(&output))
    };
    let (code, text) = try_it(id);
    assert_eq!(code, Some(0), "{text}");
    has_row(&text, "✓ contact", "");
    has_row(&text, "–", &format!("the contact is of location {}", second.location_id));
    let (code, text) = try_it("nobodys");
    assert_eq!((code, text.matches("there is no contact nobodys").count()), (Some(1), 2), "{text}");
}
