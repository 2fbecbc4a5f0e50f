//! What people are told: mistakes at the start, a dry run, and what came of an event.

use crate::commands::{gateway, told};

use super::*;

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = tokio::task::block_in_place(|| gateway(arguments, settings));
    (output.status.code(), told(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_told_at_the_start_and_by_the_check() {
    let sender = Sender::new();
    let broken = "[[automation]]\nname = \"one\"\nwhen = \"ContactBorn\"\nif = 'x in in y'\nthen = [{ sing = 1 }]\n\
        [[automation]]\nname = \"two\"\nwhen = \"NoteCreate\"\nthen = [{ add_note = { note = \"{{ contact.nam }}\" } }]\n";
    let file = file(&sender, broken);
    let event = sender.folder.path().join("event.json");
    std::fs::write(&event, r#"{"type":"ContactCreate"}"#).unwrap();
    let event = event.display().to_string();
    let good = [("LISTEN", "127.0.0.1:0"), ("LOCATION_ID", "L1"), ("API_KEY", "pit-x"), ("AUTOMATIONS", &*file)];
    for (arguments, settings) in
        [(&["serve"][..], &good[..]), (&["check"], &good), (&["automations", "check", &file, "--event", &event], &[])]
    {
        let (code, text) = run(arguments, settings);
        assert_eq!(code, Some(64), "{text}");
        for part in [
            "`one`: `when` is `ContactBorn`",
            "`one`: `if` is no CEL",
            "`one`: `then` has `sing`",
            "`two`: a template of `then` names `contact.nam`",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    let secret = ("AUTOMATIONS_SECRET", "planted");
    let (code, text) = run(&["serve"], &[&good[..3], &[("AUTOMATIONS", "/no/such/file"), secret]].concat());
    assert!(code == Some(64) && text.contains("GATEWAY_AUTOMATIONS is `/no/such/file`"), "{text}");
    assert!(text.contains("GATEWAY_AUTOMATIONS_SECRET") && !text.contains("planted"), "{text}");
    let passthrough = [("LISTEN", "127.0.0.1:0"), ("AUTH", "passthrough"), ("AUTOMATIONS", &*file)];
    assert!(run(&["serve"], &passthrough).1.contains("no credential of its own"));
    for arguments in [
        ["automations", "check", "/no/such", "--event", &event],
        ["automations", "check", &file, "--event", "/no/such"],
    ] {
        assert_eq!(run(&arguments, &[]).0, Some(64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_and_what_came_of_it_can_be_looked_at() {
    let sender = Sender::new();
    let never =
        CALL_BACK.replace("\"call back\"\nwhen", "\"never\"\nwhen").replace("contains(\"call", "contains(\"xyz");
    let stage = following(&sender, &format!("{CALL_BACK}{never}"), &[]).await;
    note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    let state = sender.settings()[1].1.clone();
    let (code, text) = run(&["events", "show", "1"], &[("STATE_DIR", &*state)]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "NoteCreate",
        "\ncall back\n  create_task     made task ",
        "  start_workflow  started workflow wf1",
        "\nnever\n  skipped: `if` does not hold",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (_, json) = run(&["events", "show", "1", "--json"], &[("STATE_DIR", &*state)]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["type"], &json["automations"][0]["steps"][2]["action"]),
        (&json!("NoteCreate"), &json!("add_tags"))
    );
    assert_eq!(run(&["events", "show", "99"], &[("STATE_DIR", &*state)]).0, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_everything_and_does_nothing() {
    let sender = Sender::new();
    let stage = Stage::new().await;
    let info = stage.sandbox.info();
    let file = file(
        &sender,
        &format!(
            "{CALL_BACK}{}",
            CALL_BACK.replace("\"call back\"\nwhen", "\"never\"\nwhen").replace("contains(\"call", "contains(\"xyz")
        ),
    );
    let path = sender.folder.path().join("event.json");
    let event_file = path.display().to_string();
    let settings =
        [("UPSTREAM_URL", &*stage.sandbox.url()), ("LOCATION_ID", &info.location_id), ("API_KEY", &info.token)];
    let check = |event: &Value, settings: &[(&str, &str)]| {
        std::fs::write(&path, event.to_string()).unwrap();
        run(&["automations", "check", &file, "--event", &event_file], settings)
    };
    let mut told =
        event(&stage, "NoteCreate", &json!({ "id": "gone", "body": "call back", "contactId": DEMO_CONTACT }));
    let (code, text) = check(&told, &settings);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "call back: would run",
        r#""title":"Call back Amara Lindqvist""#,
        r#"{"add_tags":["call-back"]}"#,
        r#"{"start_workflow":"wf1"}"#,
        "never: would not run: `if` does not hold",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(stage.calls(), BTreeMap::from([(NOTE, 1), (CONTACT, 1)]));
    // What has to be read needs settings, and what has not does not.
    assert_eq!(check(&told, &[]).0, Some(64));
    told["locationId"] = "elsewhere".into();
    let (code, text) = check(&told, &settings);
    assert!(code == Some(64) && text.contains("`elsewhere`"), "{text}");
    let (code, text) = check(&event(&stage, "TaskDelete", &json!({})), &[]);
    assert!(code == Some(0) && text.contains("call back: would not run: it is for NoteCreate, NoteUpdate"), "{text}");
    assert_eq!(stage.calls(), BTreeMap::new());
}
