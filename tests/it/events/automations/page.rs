//! The examples of docs/automations.md do what the page says.

use super::*;

const PAGE: &str = include_str!("../../../../docs/automations.md");

/// The blocks of a language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let parts = PAGE.split(&begin).skip(1);
    parts.map(|rest| rest.split_once("```").expect("its end").0).collect()
}

#[tokio::test]
async fn everything_known_about_a_contact_is_one_query() {
    let stage = Stage::new().await;
    let answer = stage.data(blocks("graphql")[0], json!({ "id": DEMO_CONTACT })).await;
    let contact = &answer["contact"];
    assert_eq!(contact["name"], "Amara Lindqvist");
    assert!(["tasks", "notes", "appointments"].iter().all(|list| !contact[*list].as_array().unwrap().is_empty()));
    assert_eq!(stage.calls(), one_of_each());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_contact_gets_a_task_and_a_note() {
    let sender = Sender::new();
    let stage = following(&sender, &blocks("toml").concat(), &[]).await;
    let made = "mutation($input: CreateContactInput!) { createContact(input: $input) { contact { id } } }";
    let (lead, other) = (json!({ "name": "Nova Lindqvist", "tags": ["lead"] }), json!({ "name": "Otto Lindqvist" }));
    let mut counts = Vec::new();
    for (n, input) in [lead, other].into_iter().enumerate() {
        let id = stage.data(made, json!({ "input": input })).await["createContact"]["contact"]["id"].clone();
        let event = event(&stage, "ContactCreate", &json!({ "id": id }));
        sender.tell(&stage, &event).await;
        handled(&stage, n as u64 + 1).await;
        let record = stage.sandbox.record(&stage.sandbox.info().location_id, id.as_str().unwrap());
        counts.push((record.tasks.len(), record.notes.len()));
        if n == 0 {
            assert_eq!(
                (&record.tasks[0]["title"], &record.tasks[0]["body"]),
                (&json!("Call Nova Lindqvist"), &json!("New lead"))
            );
            let due: Timestamp = record.tasks[0]["dueDate"].as_str().unwrap().parse().unwrap();
            let ahead = (due - Timestamp::try_from(stage.clock.wall()).unwrap()).as_secs();
            assert!((48 * 3600 - 120..=48 * 3600).contains(&ahead), "{ahead}");
            assert_eq!(
                record.notes[0]["body"],
                format!("Welcomed Nova Lindqvist on {}", event["timestamp"].as_str().unwrap())
            );
        }
    }
    assert_eq!(counts, [(1, 1), (0, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_note_says_drives_a_follow_up() {
    let sender = Sender::new();
    let stage = following(&sender, &blocks("toml").concat(), &[]).await;
    let made = "mutation($input: CreateNoteInput!) { createNote(input: $input) { note { id } } }";
    for (n, text) in ["Nothing to do", "Please CALL BACK on Friday"].into_iter().enumerate() {
        let input = json!({ "contactId": DEMO_CONTACT, "note": text });
        let id = stage.data(made, json!({ "input": input })).await["createNote"]["note"]["id"].clone();
        sender.tell(&stage, &event(&stage, "NoteCreate", &json!({ "id": id, "contactId": DEMO_CONTACT }))).await;
        handled(&stage, n as u64 + 1).await;
    }
    let record = demo(&stage);
    assert_eq!(texts(&record.tasks, "title", "Call back"), ["Call back Amara Lindqvist"]);
    assert_eq!(texts(&record.tasks, "body", "Please"), ["Please CALL BACK on Friday"]);
    assert!(record.contact["tags"].as_array().unwrap().contains(&json!("call-back")));
}
