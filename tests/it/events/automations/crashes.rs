//! What was begun when the gateway ended is not done twice, and what was not done is done; found in the ledger as a crash leaves it.

use std::time::Duration;

use contacts_gateway::events::journal::EffectId;
use contacts_gateway::events::{Event, Journal};
use contacts_gateway::sandbox::Fault;

use super::*;

const RULES: &str = r#"
[[automation]]
name = "all"
when = "NoteCreate"
then = [
  { create_task = { title = "From the note", due_in = "1d" } },
  { add_note = { note = "Seen" } },
  { add_tags = ["seen"] },
  { start_workflow = "wf1" },
]
"#;

/// A gateway ended after it had begun the first steps of an event, so many of them.
async fn ended(sender: &Sender, sandbox: &Sandbox, begun: u32) -> Value {
    let state = sender.settings()[1].1.clone();
    let told = json!({ "type": "NoteCreate", "locationId": sandbox.info().location_id, "timestamp": ago(0), "webhookId": "w-crash",
                       "id": "n1", "body": "x", "contactId": DEMO_CONTACT });
    let body = told.to_string().into_bytes();
    let journal = Journal::open(state.as_ref()).unwrap();
    let now = Timestamp::try_from(Clock::default().wall()).unwrap();
    journal.take(Event::read(&body).ok().as_ref(), body, now).await.unwrap();
    for step in 0..begun {
        let id = EffectId { event: "w-crash".into(), automation: "all".into(), step };
        journal.begin(&id, now).await.unwrap();
    }
    told
}

async fn start_over(sender: &Sender, sandbox: Sandbox) -> Stage {
    let (file, info) = (file(sender, RULES), sandbox.info().clone());
    let settings = sender.settings();
    let mut all: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.extend([("AUTOMATIONS", &*file), ("LOCATION_ID", &info.location_id), ("API_KEY", &info.token)]);
    Stage::over(sandbox, &all, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_before_the_end_is_found_and_not_made_again() {
    let sender = Sender::new();
    let sandbox = Sandbox::start(Options::default(), local().await);
    let location = sandbox.info().location_id.clone();
    let told = ended(&sender, &sandbox, 4).await;
    // The note was made, the task was not; whether the workflow was started nobody knows.
    sandbox.update(&location, DEMO_CONTACT, |record| {
        let note = json!({ "id": "nMadeBefore", "body": "Seen", "contactId": DEMO_CONTACT, "dateAdded": ago(0) });
        let old = json!({ "id": "nOfOld", "body": "Seen", "contactId": DEMO_CONTACT, "dateAdded": ago(3600) });
        record.notes.extend([old, note]);
    });
    let stage = start_over(&sender, sandbox).await;
    until(&stage, "gateway_events_total{type=\"NoteCreate\",outcome=\"failed\"}", 1).await;
    // What is looked for may still be on its way; what is set anew is not waited for.
    assert_eq!(stage.calls(), BTreeMap::from([(ADD_TAGS, 1)]));
    stage.clock.advance(Duration::from_secs(10));
    stage.app.events().unwrap().replay(1).await.unwrap();
    handled(&stage, 1).await;
    let calls = stage.calls();
    assert_eq!(calls, BTreeMap::from([(TASKS, 1), (NOTES, 1), (CREATE_TASK, 1)]));
    let record = demo(&stage);
    assert_eq!(texts(&record.tasks, "title", "From").len(), 1);
    let outcomes = outcomes_of(&stage, &told);
    assert_eq!(outcomes[1], "all: note nMadeBefore was made already");
    assert!(outcomes[3].starts_with("all: unknown: "), "{outcomes:?}");
    // What it is known to have made is its own.
    let own = json!({ "id": "nMadeBefore", "body": "Seen", "contactId": DEMO_CONTACT });
    sender.tell(&stage, &event(&stage, "NoteCreate", &own)).await;
    handled(&stage, 2).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_for_and_a_refused_call_made_another_time() {
    let sender = Sender::new();
    let stage = start_over(&sender, Sandbox::start(Options::default(), local().await)).await;
    // The task is made and its answer lost; the note is refused for now.
    stage.sandbox.fault(Fault::on(CREATE_TASK).status(503).done().times(1));
    stage.sandbox.fault(Fault::on(TASKS).status(400).times(1));
    stage.sandbox.fault(Fault::on(CREATE_NOTE).status(503).times(1));
    let told = note(&stage, &sender, "gone").await;
    until(&stage, "gateway_events_total{type=\"NoteCreate\",outcome=\"failed\"}", 1).await;
    let events = stage.app.events().unwrap();
    let failed = loop {
        // It is counted before it is written down.
        let entry = events.journal().last(1).unwrap().remove(0);
        match entry.due {
            Some(_) => break entry,
            None => tokio::task::yield_now().await,
        }
    };
    // What may still be made is not looked for at once.
    assert!(failed.due.unwrap() > failed.arrived + SignedDuration::from_secs(9), "{failed:?}");
    events.replay(failed.id).await.unwrap();
    handled(&stage, 1).await;
    let record = demo(&stage);
    assert_eq!(texts(&record.tasks, "title", "From").len(), 1);
    assert_eq!(texts(&record.notes, "body", "Seen").len(), 1);
    let calls = stage.calls();
    assert_eq!((calls[CREATE_TASK], calls[CREATE_NOTE], calls[ADD_TAGS], calls[WORKFLOW]), (1, 2, 1, 1));
    assert!(
        outcomes_of(&stage, &told).iter().all(|outcome| !outcome.ends_with('-')),
        "{:?}",
        outcomes_of(&stage, &told)
    );
}
