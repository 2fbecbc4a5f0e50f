//! What an event forgets: exactly what it concerns, by the calls that are made afterwards.

use std::collections::BTreeMap;

use super::*;

const TASK: &str = "GET /contacts/{contactId}/tasks/{taskId}";
const NOTE: &str = "GET /contacts/{contactId}/notes/{id}";

/// Everything of a contact, with one task and one note by their own routes, and what the lists show.
const ALL: &str = "query All($c: ID!, $t: ID!, $n: ID!) { \
     contact(id: $c) { name tags tasks { id } notes { id } appointments { id } } \
     task(contactId: $c, id: $t) { title } note(contactId: $c, id: $n) { note } }";

async fn read(stage: &Stage, contact: &str, task: &str, note: &str) -> BTreeMap<&'static str, usize> {
    stage.data(ALL, json!({ "c": contact, "t": task, "n": note })).await;
    stage.calls()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_forgets_what_it_concerns_of_its_contact_and_nothing_of_another() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let location = stage.sandbox.info().location_id.clone();
    // Contacts that have at least a task and a note.
    let full = stage.ids().into_iter().filter_map(|id| {
        let record = stage.sandbox.record(&location, &id);
        let first = |rows: &[Value]| Some(rows.first()?["id"].as_str()?.to_owned());
        Some((first(&record.tasks)?, first(&record.notes)?, id))
    });
    let full: Vec<_> = full.take(2).collect();
    let [(task, note, contact), (other_task, other_note, other)] = &full[..] else { panic!("two contacts") };
    let appointment = json!({ "appointment": { "id": "e1", "contactId": contact, "title": "Visit" } });
    let of = |id: &str| json!({ "id": id, "contactId": contact });
    let cases: &[(&str, Value, &[&str])] = &[
        ("ContactCreate", json!({ "id": contact }), &[CONTACT]),
        ("ContactUpdate", json!({ "id": contact, "name": "Mallory" }), &[CONTACT]),
        ("ContactTagUpdate", json!({ "id": contact }), &[CONTACT]),
        ("ContactDndUpdate", json!({ "id": contact }), &[CONTACT]),
        ("ContactDelete", json!({ "id": contact }), &[CONTACT, TASKS, NOTES, APPOINTMENTS, TASK, NOTE]),
        ("TaskCreate", of("new"), &[TASKS]),
        ("TaskComplete", of(task), &[TASKS, TASK]),
        ("TaskDelete", json!({ "contactId": contact }), &[TASKS, TASK]),
        ("NoteCreate", json!({ "data": { "id": "new", "contactId": contact } }), &[NOTES]),
        ("NoteUpdate", of(note), &[NOTES, NOTE]),
        ("NoteDelete", json!({ "contactId": contact }), &[NOTES, NOTE]),
        ("AppointmentCreate", appointment.clone(), &[APPOINTMENTS]),
        ("AppointmentUpdate", appointment.clone(), &[APPOINTMENTS]),
        ("AppointmentDelete", appointment, &[APPOINTMENTS]),
    ];
    read(&stage, contact, task, note).await;
    read(&stage, other, other_task, other_note).await;
    for (n, (kind, keys, forgotten)) in cases.iter().enumerate() {
        assert_eq!(sender.tell(&stage, &event(&stage.sandbox, kind, keys)).await, 200, "{kind}");
        handled(&stage, n as u64 + 1).await;
        let forgotten = forgotten.iter().map(|route| (*route, 1)).collect();
        assert_eq!(read(&stage, contact, task, note).await, forgotten, "{kind}");
        assert_eq!(read(&stage, contact, task, note).await, BTreeMap::new(), "{kind}");
        assert_eq!(read(&stage, other, other_task, other_note).await, BTreeMap::new(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_a_hint_and_pages_that_show_its_contact_are_read_again() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let names = async || stage.data("{ contacts(first: 20) { nodes { id name } } }", json!({})).await;
    let before = names().await;
    names().await;
    assert_eq!(stage.calls().get(LIST), Some(&1));
    let (shown, not_shown) = (stage.ids()[3].clone(), stage.ids()[200].clone());
    sender.tell(&stage, &event(&stage.sandbox, "ContactUpdate", &json!({ "id": not_shown, "name": "Mallory" }))).await;
    handled(&stage, 1).await;
    assert_eq!(names().await, before);
    assert_eq!(stage.calls().get(LIST), None);
    sender.tell(&stage, &event(&stage.sandbox, "ContactUpdate", &json!({ "id": shown, "name": "Mallory" }))).await;
    handled(&stage, 2).await;
    assert_eq!(names().await, before, "nothing that an event says is answered");
    // The page, and the contact by its id: the list may not show the change yet.
    assert_eq!(stage.calls(), [(LIST, 1), (CONTACT, 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_credential_sees_is_forgotten() {
    let sender = Sender::new();
    let settings = sender.settings();
    let settings = [("AUTH", "passthrough"), (settings[0].0, &*settings[0].1), (settings[1].0, &*settings[1].1)];
    let stage = Stage::over(Sandbox::start(Options::default(), local().await), &settings, None).await;
    let (token, location) = (stage.sandbox.info().token.clone(), stage.sandbox.info().location_id.clone());
    let id = json!({ "id": contacts_gateway::sandbox::DEMO_CONTACT });
    let read = async || stage.ask_as(&token, Some(&location), PROFILE, id.clone()).await;
    assert_eq!(read().await.0, 200);
    stage.calls();
    sender.tell(&stage, &event(&stage.sandbox, "ContactUpdate", &id)).await;
    handled(&stage, 1).await;
    read().await;
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
}
