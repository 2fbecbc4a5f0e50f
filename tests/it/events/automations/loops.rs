//! What automations did themselves sets none of them off, and nobody gets too much.

use super::*;

const ECHO: &str = r#"
[[automation]]
name = "echo"
when = ["NoteCreate", "TaskCreate", "TaskComplete", "ContactTagUpdate"]
then = [{ add_note = { note = "echo of {{ event.type }}" } }]

[[automation]]
name = "other"
when = "NoteCreate"
then = [{ create_task = { title = "x", due_in = "1d" } }, { add_tags = ["b", "a"] }, { remove_tags = ["a"] }]

[[automation]]
name = "done"
when = "TaskCreate"
then = [{ complete_task = true }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_automations_did_sets_none_of_them_off() {
    let sender = Sender::new();
    let stage = following(&sender, ECHO, &[]).await;
    let before = demo(&stage);
    note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    let after = demo(&stage);
    let new = |rows: &[Value], before: &[Value]| rows.iter().find(|row| !before.contains(row)).unwrap().clone();
    let (task, echo) = (&new(&after.tasks, &before.tasks), &new(&after.notes, &before.notes));
    assert_eq!((after.tasks.len(), after.notes.len()), (before.tasks.len() + 1, before.notes.len() + 1));
    let record =
        |row: &Value| json!({ "id": row["id"], "contactId": DEMO_CONTACT, "body": row["body"], "title": row["title"] });
    let mut tags = after.contact["tags"].as_array().unwrap().clone();
    let now = tags.clone();
    tags.push(json!("a"));
    tags.reverse();
    stage.calls();
    let told = [
        event(&stage, "NoteCreate", &record(echo)),
        event(&stage, "TaskCreate", &record(task)),
        event(&stage, "ContactTagUpdate", &json!({ "id": DEMO_CONTACT, "tags": tags })),
        event(&stage, "ContactTagUpdate", &json!({ "id": DEMO_CONTACT, "tags": now })),
        event(&stage, "ContactTagUpdate", &json!({ "id": DEMO_CONTACT })),
    ];
    for event in &told {
        sender.tell(&stage, event).await;
    }
    handled(&stage, 6).await;
    assert_eq!(stage.calls(), BTreeMap::new());
    // What somebody else did does.
    let others = json!({ "id": DEMO_CONTACT, "tags": ["by hand"] });
    sender.tell(&stage, &event(&stage, "ContactTagUpdate", &others)).await;
    handled(&stage, 7).await;
    assert_eq!(stage.calls(), BTreeMap::from([(CREATE_NOTE, 1)]));
    // A task that somebody else made is completed, and that sets nothing off.
    let task = json!({ "id": before.tasks[0]["id"], "contactId": DEMO_CONTACT });
    sender.tell(&stage, &event(&stage, "TaskCreate", &task)).await;
    handled(&stage, 8).await;
    stage.calls();
    sender.tell(&stage, &event(&stage, "TaskComplete", &task)).await;
    handled(&stage, 9).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_gets_no_more_than_it_may_in_an_hour() {
    let sender = Sender::new();
    let rules = "[[automation]]\nname = \"n\"\nwhen = \"ContactUpdate\"\nper_hour = 2\nthen = [{ add_note = { note = \"x\" } }]\n";
    let stage = following(&sender, rules, &[]).await;
    let other = stage.ids()[9].clone();
    let mut count = 0;
    let mut tell = async |id: &str, wanted: usize| {
        let mut event = event(&stage, "ContactUpdate", &json!({ "id": id }));
        event["timestamp"] = Timestamp::try_from(stage.clock.wall()).unwrap().to_string().into();
        sender.tell(&stage, &event).await;
        count += 1;
        handled(&stage, count).await;
        assert_eq!(stage.calls().get(CREATE_NOTE).copied().unwrap_or_default(), wanted);
        event
    };
    tell(DEMO_CONTACT, 1).await;
    tell(DEMO_CONTACT, 1).await;
    let third = tell(DEMO_CONTACT, 0).await;
    tell(&other, 1).await;
    let journal = stage.app.events().unwrap().journal();
    let name = third["webhookId"].as_str().unwrap();
    let followed = contacts_gateway::events::automation::followed(journal, name).unwrap();
    assert_eq!(followed[0].skipped.as_deref(), Some("it ran 2 times for this contact in an hour already"));
    stage.clock.advance(std::time::Duration::from_secs(3601));
    tell(DEMO_CONTACT, 1).await;
}
