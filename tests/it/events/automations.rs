//! Automations: what they do, what that costs, that each thing is done once, and that nothing goes round in circles.

mod crashes;
mod loops;
mod page;
mod posts;
mod schedules;
mod told;

use std::collections::BTreeMap;

use contacts_gateway::sandbox::{DEMO_CONTACT, Fault, Record};

use super::*;

const CREATE_TASK: &str = "POST /contacts/{contactId}/tasks";
const CREATE_NOTE: &str = "POST /contacts/{contactId}/notes";
const ADD_TAGS: &str = "POST /contacts/{contactId}/tags";
const WORKFLOW: &str = "POST /contacts/{contactId}/workflow/{workflowId}";
const NOTE: &str = "GET /contacts/{contactId}/notes/{id}";

/// A gateway that follows these automations.
async fn following(sender: &Sender, rules: &str, more: &[(&str, &str)]) -> Stage {
    let file = file(sender, rules);
    sender.stage(Options::default(), &[&[("AUTOMATIONS", &*file)], more].concat()).await
}

fn event(stage: &Stage, kind: &str, more: &Value) -> Value {
    super::event(&stage.sandbox, kind, more)
}

fn file(sender: &Sender, rules: &str) -> String {
    let path = sender.folder.path().join("automations.toml");
    std::fs::write(&path, rules).expect("a file");
    path.display().to_string()
}

fn demo(stage: &Stage) -> Record {
    stage.sandbox.record(&stage.sandbox.info().location_id, DEMO_CONTACT)
}

/// The texts of the demo contact's notes, or titles of its tasks, that begin so.
fn texts(of: &[Value], key: &str, begins: &str) -> Vec<String> {
    let all = of.iter().filter_map(|row| row[key].as_str());
    all.filter(|text| text.starts_with(begins)).map(str::to_owned).collect()
}

/// A note of the demo contact is made upstream, and told.
async fn note(stage: &Stage, sender: &Sender, id: &str) -> Value {
    let event =
        event(stage, "NoteCreate", &json!({ "id": id, "body": "please call back soon", "contactId": DEMO_CONTACT }));
    assert_eq!(sender.tell(stage, &event).await, 200);
    event
}

/// What came of the automations at an event, automation by automation, step by step.
fn outcomes_of(stage: &Stage, event: &Value) -> Vec<String> {
    let name = event["webhookId"].as_str().expect("a name");
    let journal = stage.app.events().expect("events").journal();
    let effects = journal.effects(name).expect("effects");
    effects
        .iter()
        .map(|effect| format!("{}: {}", effect.automation, effect.outcome.as_deref().unwrap_or("-")))
        .collect()
}

const CALL_BACK: &str = r#"
[[automation]]
name = "call back"
when = ["NoteCreate", "NoteUpdate"]
if = 'note.note.contains("call back")'
then = [
  { create_task = { title = "Call back {{ contact.name }}", due_in = "1d" } },
  { add_note = { note = "We call back {{ contact.name }}" } },
  { add_tags = ["call-back"] },
  { start_workflow = "wf1" },
]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_three_times_is_followed_once_with_the_calls_that_it_needs() {
    let sender = Sender::new();
    let stage = following(&sender, CALL_BACK, &[]).await;
    let event = note(&stage, &sender, "gone").await;
    for _ in 0..2 {
        sender.tell(&stage, &event).await;
    }
    handled(&stage, 1).await;
    let wanted = [(NOTE, 1), (CONTACT, 1), (CREATE_TASK, 1), (CREATE_NOTE, 1), (ADD_TAGS, 1), (WORKFLOW, 1)];
    assert_eq!(stage.calls(), BTreeMap::from(wanted));
    let record = demo(&stage);
    assert_eq!(texts(&record.tasks, "title", "Call back"), ["Call back Amara Lindqvist"]);
    assert_eq!(texts(&record.notes, "body", "We call"), ["We call back Amara Lindqvist"]);
    assert!(record.contact["tags"].as_array().unwrap().contains(&json!("call-back")));
    let told = outcomes_of(&stage, &event);
    assert!(told[0].starts_with("call back: made task ") && told[3] == "call back: started workflow wf1", "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_does_not_hold_costs_what_it_asks_and_nothing_more() {
    let sender = Sender::new();
    let rules = CALL_BACK.replace("call back\")'", "nothing like it\")'");
    let stage = following(&sender, &rules, &[]).await;
    note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    assert_eq!(stage.calls(), BTreeMap::from([(NOTE, 1)]));
    // Another event than those that it is for costs nothing.
    sender.tell(&stage, &event(&stage, "ContactUpdate", &json!({ "id": DEMO_CONTACT }))).await;
    handled(&stage, 2).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_has_goes_before_what_an_event_says() {
    let sender = Sender::new();
    let stage = following(&sender, CALL_BACK, &[]).await;
    let notes = demo(&stage).notes;
    let other = notes.iter().find(|note| !note["body"].as_str().unwrap().contains("call back")).unwrap();
    let id = other["id"].as_str().unwrap().to_owned();
    note(&stage, &sender, &id).await;
    handled(&stage, 1).await;
    assert_eq!(stage.calls(), BTreeMap::from([(NOTE, 1)]), "the note itself says nothing of a call");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reading_serves_all_automations_of_an_event() {
    let sender = Sender::new();
    let one = |name: &str| CALL_BACK.replace("\"call back\"\nwhen", &format!("\"{name}\"\nwhen"));
    let stage = following(
        &sender,
        &format!("{}{}{}", one("a"), one("b"), one("c")),
        &[("TTL_CONTACT", "0s"), ("TTL_NOTES", "0s")],
    )
    .await;
    note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    let calls = stage.calls();
    assert_eq!((calls[NOTE], calls[CONTACT], calls[CREATE_TASK]), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_cannot_be_done_stops_no_other() {
    let sender = Sender::new();
    let rules = r#"
        [[automation]]
        name = "some"
        when = "NoteCreate"
        then = [
          { add_note = { note = "{{ event.nothing }}" } },
          { add_tags = ["{{ contact.website or '' }}"] },
          { add_note = { note = "{{ contact.name }} | {{ event.body }}" } },
        ]
    "#;
    let stage = following(&sender, rules, &[]).await;
    stage.sandbox.update_contact(&stage.sandbox.info().location_id, DEMO_CONTACT, |contact| {
        contact["website"] = Value::Null;
    });
    let event = note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    let told = outcomes_of(&stage, &event);
    assert_eq!(told[0], "some: not done: a name in it has no value (line 1)");
    assert!(told[1].starts_with("some: not done: `tags[0]`"), "{told:?}");
    assert_eq!(texts(&demo(&stage).notes, "body", "Amara Lindqvist |"), ["Amara Lindqvist | please call back soon"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automation_whose_facts_cannot_be_read_waits_alone() {
    let sender = Sender::new();
    let rules = "[[automation]]\nname = \"asks\"\nwhen = \"NoteCreate\"\nif = 'note.note.contains(\"call back\")'\n\
                 then = [{ add_note = { note = \"Asked\" } }]\n\
                 [[automation]]\nname = \"names\"\nwhen = \"NoteCreate\"\n\
                 then = [{ create_task = { title = \"Ring {{ contact.name }}\", due_in = \"1d\" } }]\n\
                 [[automation]]\nname = \"tags\"\nwhen = \"NoteCreate\"\nthen = [{ add_tags = [\"noted\"] }]\n";
    let stage = following(&sender, rules, &[("UPSTREAM_RETRIES", "0")]).await;
    stage.sandbox.fault(Fault::on(NOTE).status(500));
    let told = note(&stage, &sender, "gone").await;
    until(&stage, "gateway_events_total{type=\"NoteCreate\",outcome=\"failed\"}", 1).await;
    let done = outcomes_of(&stage, &told);
    assert!(
        done.len() == 2 && done[0].starts_with("names: made task") && done[1].starts_with("tags: added"),
        "{done:?}"
    );
    stage.sandbox.clear_faults();
    stage.app.events().unwrap().replay(1).await.unwrap();
    handled(&stage, 1).await;
    let record = demo(&stage);
    assert_eq!(texts(&record.notes, "body", "Asked").len(), 1);
    let calls = stage.calls();
    assert_eq!((calls[CREATE_NOTE], calls[CREATE_TASK], calls[ADD_TAGS]), (1, 1, 1), "{calls:?}");
}
