//! The journal across processes: what is unfinished is handled at the next start, and people can look at it, whoever has it open.

use contacts_gateway::events::{Event, Journal};

use super::*;
use crate::commands::{gateway, told};
use crate::credentials::served::{Served, run};

fn state(sender: &Sender) -> std::path::PathBuf {
    sender.folder.path().join("state")
}

/// What `events` prints, and what it ends with.
fn cli(sender: &Sender, arguments: &[&str]) -> (i32, String) {
    let output = gateway(&[&["events"], arguments].concat(), &[("STATE_DIR", &state(sender).display().to_string())]);
    (output.status.code().expect("a code"), told(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_handled_is_handled_at_the_next_start() {
    let sender = Sender::new();
    let journal = Journal::open(&state(&sender)).unwrap();
    for n in 0..3 {
        let id = format!("w-{n}");
        let body =
            json!({ "type": "ContactUpdate", "locationId": "elsewhere", "id": "c", "webhookId": id }).to_string();
        let now = ago(0).parse().unwrap();
        journal.take(Event::read(body.as_bytes()).ok().as_ref(), body.into_bytes(), now).await.unwrap();
    }
    assert_eq!(journal.counts().unwrap().waiting, 3);
    drop(journal);
    let stage = sender.stage(Options::default(), &[]).await;
    handled(&stage, 3).await;
    assert_eq!(outcomes(&stage, "ContactUpdate", "ignored").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_can_look_at_the_journal_while_a_gateway_runs_and_while_none_does() {
    let sender = Sender::new();
    assert_eq!(cli(&sender, &["list", "--json"]), (0, "[]\n".into()));
    assert!(!state(&sender).exists(), "looking makes nothing");
    let demo = contacts_gateway::sandbox::DEMO_CONTACT;
    let sandbox = Sandbox::start(Options::default(), local().await);
    let mut settings = sender.settings().to_vec();
    settings.extend([("LOCATION_ID", sandbox.info().location_id.clone()), ("API_KEY", sandbox.info().token.clone())]);
    let gateway = Served::start(&sandbox, &settings).await;
    let strange = event(&sandbox, "Bad\u{1b}[2J", &json!({ "id": "x" }));
    for event in [event(&sandbox, "NoteCreate", &json!({ "contactId": demo, "id": "n" })), strange] {
        assert_eq!(sender.send(&gateway.url, event.to_string().into_bytes()).await, 200);
    }
    while !gateway.get("/metrics").await.contains("gateway_journal_events{state=\"handled\"} 2") {}
    looks_right(&sender, demo);
    let (code, told) = cli(&sender, &["replay", "1"]);
    assert!(code == 0 && told.contains("Event 1 (NoteCreate) is handled again now"), "{told}");
    while !gateway.get("/metrics").await.contains("{type=\"NoteCreate\",outcome=\"done\"} 2") {}
    // Another gateway cannot have the same journal, and says so.
    settings.push(("LISTEN", "127.0.0.1:0".into()));
    let (code, told) = run(&["serve"], &sandbox, &settings).await;
    assert!(code == 1 && told.contains("another process holds it"), "{told}");
    // What it leaves of its socket is in nobody's way.
    gateway.kill();
    looks_right(&sender, demo);
    let (code, told) = cli(&sender, &["replay", "1"]);
    assert!(code == 0 && told.contains("when the gateway is started"), "{told}");
    let (code, told) = cli(&sender, &["replay", "17"]);
    assert!(code == 1 && told.contains("There is no event 17"), "{told}");
    assert_eq!(cli(&sender, &["replay", "x"]).0, 64);
    assert!(cli(&sender, &["list"]).1.contains("waiting"));
}

fn looks_right(sender: &Sender, contact: &str) {
    let (code, listed) = cli(sender, &["list"]);
    assert!(
        code == 0 && listed.contains("NoteCreate") && listed.contains(contact) && listed.contains("done"),
        "{listed}"
    );
    assert!(!listed.contains('\u{1b}') && listed.contains("Bad?[2J") && listed.contains("ignored"), "{listed}");
    let (code, listed) = cli(sender, &["list", "--json", "--limit", "1"]);
    let rows: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, rows.as_array().unwrap().len()), (0, 1));
    assert_eq!((&rows[0]["id"], &rows[0]["state"], &rows[0]["tries"]), (&json!(2), &json!("ignored"), &json!(0)));
    let (code, dead) = cli(sender, &["dead"]);
    assert!(code == 0 && dead.contains("There are none"), "{dead}");
}
