//! Schedules: a date is followed from the event that tells it to the moment when it is due, and the truth is read then.

use std::time::Duration;

use super::*;

const RULES: &str = r#"
[[automation]]
name = "overdue"
when = { after = "task.dueDate", by = "1d" }
if = 'task.title != "skip"'
then = [{ add_note = { note = "Overdue: {{ task.title }}" } }, { complete_task = true }]

[[automation]]
name = "soon"
when = { before = "task.dueDate", by = "2h" }
then = [{ add_note = { note = "Soon: {{ task.title }}" } }]
"#;

const HOUR: Duration = Duration::from_secs(3600);

fn at(stage: &Stage, ahead: Duration) -> String {
    let moment = Timestamp::try_from(stage.clock.wall() + ahead).expect("a time");
    Timestamp::from_second(moment.as_second()).expect("a time").to_string()
}

/// A task that is due then, made and told. Its id.
async fn task(stage: &Stage, sender: &Sender, title: &str, due: &str) -> String {
    let made = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }";
    let input = json!({ "contactId": DEMO_CONTACT, "title": title, "dueDate": due });
    let id = stage.data(made, json!({ "input": input })).await["createTask"]["task"]["id"].as_str().unwrap().to_owned();
    tell(stage, sender, "TaskCreate", json!({ "id": id, "contactId": DEMO_CONTACT, "title": title, "dueDate": due }))
        .await;
    id
}

async fn tell(stage: &Stage, sender: &Sender, kind: &str, keys: Value) {
    let mut event = event(stage, kind, &keys);
    event["timestamp"] = at(stage, Duration::ZERO).into();
    assert_eq!(sender.tell(stage, &event).await, 200);
}

/// Puts the clock forward; an event that sets a timer lets the others be looked at.
async fn pass(stage: &Stage, sender: &Sender, time: Duration) {
    stage.clock.advance(time);
    let due = at(stage, 1000 * 24 * HOUR);
    tell(stage, sender, "TaskCreate", json!({ "id": "far", "contactId": DEMO_CONTACT, "dueDate": due })).await;
}

fn notes(stage: &Stage, begins: &str) -> Vec<String> {
    texts(&demo(stage).notes, "body", begins)
}

async fn change(stage: &Stage, field: &str, input: Value) {
    let kind = field[..1].to_uppercase() + &field[1..];
    let text = format!("mutation M($input: {kind}Input!) {{ {field}(input: $input) {{ task {{ id }} }} }}");
    stage.data(&text, json!({ "input": input })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_followed_to_its_due_date_and_past_it() {
    let sender = Sender::new();
    let stage = following(&sender, RULES, &[]).await;
    task(&stage, &sender, "ring", &at(&stage, 24 * HOUR)).await;
    task(&stage, &sender, "skip", &at(&stage, 24 * HOUR)).await;
    handled(&stage, 2).await;
    pass(&stage, &sender, 21 * HOUR).await;
    handled(&stage, 3).await;
    assert_eq!(notes(&stage, "Soon"), Vec::<String>::new());
    pass(&stage, &sender, 2 * HOUR).await;
    handled(&stage, 6).await;
    let mut soon = notes(&stage, "Soon");
    soon.sort();
    assert_eq!(soon, ["Soon: ring", "Soon: skip"]);
    stage.calls();
    pass(&stage, &sender, 26 * HOUR).await;
    handled(&stage, 9).await;
    assert_eq!(notes(&stage, "Overdue"), ["Overdue: ring"]);
    // Each of the two tasks was read once, one was noted and completed.
    let calls = stage.calls();
    let complete = "PUT /contacts/{contactId}/tasks/{taskId}/completed";
    assert_eq!((calls[CREATE_NOTE], calls[complete], calls["GET /contacts/{contactId}/tasks/{taskId}"]), (1, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_done_or_deleted_meanwhile_is_found_out() {
    let sender = Sender::new();
    let stage = following(&sender, RULES, &[]).await;
    let due = at(&stage, 24 * HOUR);
    let moved = task(&stage, &sender, "moved", &due).await;
    let done = task(&stage, &sender, "done", &due).await;
    let gone = task(&stage, &sender, "gone", &due).await;
    let named = |id: &str| json!({ "contactId": DEMO_CONTACT, "id": id });
    let mut later = named(&moved);
    later["dueDate"] = at(&stage, 72 * HOUR).into();
    change(&stage, "updateTask", later).await;
    let mut completed = named(&done);
    completed["completed"] = true.into();
    change(&stage, "setTaskCompleted", completed).await;
    let deleted = "mutation($input: DeleteTaskInput!) { deleteTask(input: $input) { deletedId } }";
    stage.data(deleted, json!({ "input": named(&gone) })).await;
    handled(&stage, 3).await;
    // Three are looked at for each automation, and one of them is waited for longer.
    pass(&stage, &sender, 23 * HOUR).await;
    handled(&stage, 7).await;
    pass(&stage, &sender, 26 * HOUR).await;
    handled(&stage, 11).await;
    assert_eq!((notes(&stage, "Soon"), notes(&stage, "Overdue")), (Vec::new(), Vec::new()));
    pass(&stage, &sender, 22 * HOUR).await;
    handled(&stage, 13).await;
    assert_eq!(notes(&stage, "Soon"), ["Soon: moved"]);
    pass(&stage, &sender, 30 * HOUR).await;
    handled(&stage, 15).await;
    assert_eq!(notes(&stage, "Overdue"), ["Overdue: moved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_away_and_back_is_followed_once() {
    let sender = Sender::new();
    let rules = RULES.split("\n[[automation]]").nth(2).map(|soon| format!("[[automation]]{soon}")).unwrap();
    let stage = following(&sender, &rules, &[]).await;
    let due = at(&stage, 24 * HOUR);
    let id = task(&stage, &sender, "moved", &due).await;
    let move_to = |due: &str| json!({ "contactId": DEMO_CONTACT, "id": id, "dueDate": due });
    change(&stage, "updateTask", move_to(&at(&stage, 72 * HOUR))).await;
    handled(&stage, 1).await;
    // It is looked at, and was moved.
    pass(&stage, &sender, 23 * HOUR).await;
    handled(&stage, 3).await;
    change(&stage, "updateTask", move_to(&due)).await;
    for told in 0..2 {
        tell(&stage, &sender, "TaskCreate", json!({ "id": id, "contactId": DEMO_CONTACT, "dueDate": due })).await;
        // The second time the timer is known.
        handled(&stage, 5 + told).await;
    }
    assert_eq!(notes(&stage, "Soon"), ["Soon: moved"]);
}
