//! A change beside slow reads and other changes of the same thing, in every order: once it has returned, nobody is
//! answered with what was before it.

use std::sync::Arc;

use contacts_gateway::sandbox::{DEMO_CONTACT, Hold, Options};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;

/// What happens, in the order of a test. An answer is made from the data of the moment at which its call arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// The read reaches the upstream.
    Read,
    /// The read's answer lands.
    ReadLands,
    /// The change takes effect upstream.
    Write,
    /// The change's answer lands.
    WriteLands,
}

use Event::{Read, ReadLands, Write, WriteLands};

const ORDERS: [[Event; 4]; 6] = [
    [Read, ReadLands, Write, WriteLands],
    [Read, Write, ReadLands, WriteLands],
    [Read, Write, WriteLands, ReadLands],
    [Write, Read, ReadLands, WriteLands],
    [Write, Read, WriteLands, ReadLands],
    [Write, WriteLands, Read, ReadLands],
];

/// A change, and a read of what it changes.
struct Race {
    field: &'static str,
    input: Value,
    write: &'static str,
    query: &'static str,
    /// The query's variables.
    ids: Value,
    read: &'static str,
    /// Whether an answer shows what is after the change.
    is_new: fn(&Value) -> bool,
}

type Asking = JoinHandle<Value>;

/// A call that is held, and the request that waits for it.
type Held = (Hold, Asking);

struct Track {
    stage: Arc<Stage>,
    race: Arc<Race>,
}

impl Track {
    fn ask(&self) -> Asking {
        let (stage, race) = (self.stage.clone(), self.race.clone());
        tokio::spawn(async move { stage.data(race.query, race.ids.clone()).await })
    }

    fn change(&self) -> Asking {
        let (stage, race) = (self.stage.clone(), self.race.clone());
        tokio::spawn(async move { stage.changed(race.field, race.input.clone(), "__typename").await })
    }

    async fn run(&self, order: [Event; 4]) {
        let what = format!("{} and {}, {order:?}", self.race.field, self.race.read);
        let (mut reading, mut writing, mut later): (Option<Held>, Option<Held>, Vec<Asking>) = (None, None, Vec::new());
        for event in order {
            match event {
                Read => {
                    let hold = self.stage.sandbox.hold(self.race.read);
                    let asking = self.ask();
                    // After the change its answer may be held, and then nothing arrives.
                    if writing.is_some() || order[..2] != [Write, WriteLands] {
                        hold.arrived(1).await;
                    }
                    reading = Some((hold, asking));
                }
                ReadLands => {
                    let (hold, asking) = reading.take().unwrap();
                    hold.release();
                    let seen = asking.await.unwrap();
                    let after = order[..2] == [Write, WriteLands];
                    assert!(!after || (self.race.is_new)(&seen), "{what}: a read after the change saw {seen}");
                }
                Write => {
                    let hold = self.stage.sandbox.hold(self.race.write);
                    let asking = self.change();
                    hold.arrived(1).await;
                    writing = Some((hold, asking));
                }
                WriteLands => {
                    let (hold, asking) = writing.take().unwrap();
                    hold.release();
                    asking.await.unwrap();
                    match &reading {
                        None => {
                            assert!((self.race.is_new)(&self.ask().await.unwrap()), "{what}: the next read is old");
                        }
                        // While the slow read is held, a read that needs a call of its own is held with it.
                        Some((hold, _)) => {
                            let mut asking = self.ask();
                            tokio::select! {
                                seen = &mut asking => {
                                    assert!((self.race.is_new)(&seen.unwrap()), "{what}: the next read is old");
                                }
                                () = hold.arrived(2) => later.push(asking),
                            }
                        }
                    }
                }
            }
        }
        for asking in later {
            assert!((self.race.is_new)(&asking.await.unwrap()), "{what}: a read after the change is old");
        }
        self.stage.calls();
        assert!((self.race.is_new)(&self.ask().await.unwrap()), "{what}: the old value came back");
        assert_eq!(self.stage.calls().len(), 0, "{what}: the new value is held");
    }
}

async fn in_every_order(race: fn() -> Race) {
    each_in_every_order(|_| vec![race()]).await;
}

async fn each_in_every_order(races: impl Fn(&Stage) -> Vec<Race>) {
    let stage = async || Stage::with(Options { contacts: 3, ..Options::default() }, &[]).await;
    let count = races(&stage().await).len();
    for (number, order) in (0..count).flat_map(|number| ORDERS.map(|order| (number, order))) {
        let stage = stage().await;
        let race = races(&stage).swap_remove(number);
        let track = Track { stage: Arc::new(stage), race: Arc::new(race) };
        track.run(order).await;
    }
}

#[tokio::test]
async fn a_changed_contact_and_a_slow_read_of_it() {
    in_every_order(|| Race {
        field: "updateContact",
        input: json!({ "id": DEMO_CONTACT, "lastName": "New" }),
        write: UPDATE,
        query: NAME,
        ids: demo(),
        read: CONTACT,
        is_new: |seen| seen["contact"]["name"] == "Amara New",
    })
    .await;
}

#[tokio::test]
async fn added_tags_and_a_slow_read_of_the_contact() {
    in_every_order(|| Race {
        field: "addContactTags",
        input: json!({ "contactId": DEMO_CONTACT, "tags": ["new"] }),
        write: ADD_TAGS,
        query: "query T($id: ID!) { contact(id: $id) { name tags } }",
        ids: demo(),
        read: CONTACT,
        is_new: |seen| seen["contact"]["tags"].as_array().unwrap().contains(&json!("new")),
    })
    .await;
}

#[tokio::test]
async fn a_new_task_and_a_slow_read_of_the_list() {
    in_every_order(|| Race {
        field: "createTask",
        input: json!({ "contactId": DEMO_CONTACT, "title": "New", "dueDate": "2026-12-09T12:00:00Z" }),
        write: CREATE_TASK,
        query: "query T($id: ID!) { contact(id: $id) { tasks { title } } }",
        ids: demo(),
        read: TASKS,
        is_new: |seen| seen["contact"]["tasks"].as_array().unwrap().iter().any(|task| task["title"] == "New"),
    })
    .await;
}

#[tokio::test]
async fn a_deleted_contact_and_a_slow_read_of_it() {
    in_every_order(|| Race {
        field: "deleteContact",
        input: json!({ "id": DEMO_CONTACT }),
        write: DELETE,
        query: NAME,
        ids: demo(),
        read: CONTACT,
        is_new: |seen| seen["contact"].is_null(),
    })
    .await;
}

#[tokio::test]
async fn a_changed_contact_and_a_slow_page_that_shows_it() {
    in_every_order(|| Race {
        field: "updateContact",
        input: json!({ "id": DEMO_CONTACT, "lastName": "New" }),
        write: UPDATE,
        query: "{ contacts(first: 1, search: \"amara\") { nodes { name } } }",
        ids: demo(),
        read: LIST,
        is_new: |seen| seen["contacts"]["nodes"][0]["name"] == "Amara New",
    })
    .await;
}

#[tokio::test]
async fn a_new_contact_and_a_slow_page_of_all() {
    in_every_order(|| Race {
        field: "createContact",
        input: json!({ "name": "New One" }),
        write: CREATE,
        query: "{ contacts(first: 3) { nodes { name } } }",
        ids: demo(),
        read: LIST,
        is_new: |seen| seen["contacts"]["nodes"][0]["name"] == "New One",
    })
    .await;
}

fn demo() -> Value {
    json!({ "id": DEMO_CONTACT })
}

/// Whether an item of a list of the contact has this.
fn has(seen: &Value, list: &str, key: &str, value: &Value) -> bool {
    seen["contact"][list].as_array().expect("a list").iter().any(|item| item[key] == *value)
}

#[tokio::test]
async fn upserted_contacts_and_removed_tags_and_slow_reads_of_the_contact() {
    each_in_every_order(|stage| {
        let contact = stage.upstream(DEMO_CONTACT).contact;
        let tags = contact["tags"].clone();
        let upsert = Race {
            field: "upsertContact",
            input: json!({ "email": contact["email"], "lastName": "New" }),
            write: UPSERT,
            query: NAME,
            ids: demo(),
            read: CONTACT,
            is_new: |seen| seen["contact"]["name"] == "Amara New",
        };
        let untag = Race {
            field: "removeContactTags",
            input: json!({ "contactId": DEMO_CONTACT, "tags": tags }),
            write: REMOVE_TAGS,
            query: "query T($id: ID!) { contact(id: $id) { name tags } }",
            ids: demo(),
            read: CONTACT,
            is_new: |seen| seen["contact"]["tags"] == json!([]),
        };
        vec![upsert, untag]
    })
    .await;
}

const ONE_TASK: &str = "query T($id: ID!, $r: ID!) { task(contactId: $id, id: $r) { title completed } }";
const ALL_TASKS: &str = "query T($id: ID!) { contact(id: $id) { tasks { title completed } } }";
const ONE_NOTE: &str = "query N($id: ID!, $r: ID!) { note(contactId: $id, id: $r) { note } }";
const ALL_NOTES: &str = "query N($id: ID!) { contact(id: $id) { notes { note } } }";

#[tokio::test]
async fn changed_tasks_and_slow_reads_of_one_and_of_the_list() {
    each_in_every_order(|stage| {
        let task = stage.demo_records().0;
        // One that is open, with a title that no other has.
        stage.sandbox.update(&stage.sandbox.info().location_id, DEMO_CONTACT, |record| {
            record.tasks.iter_mut().for_each(|task| task["completed"] = json!(false));
            record.tasks[0]["title"] = json!("Old");
        });
        let input = |more: Value| {
            let mut input = json!({ "contactId": DEMO_CONTACT, "id": task });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let race = |field, more, write, (query, read), is_new| {
            let ids = json!({ "id": DEMO_CONTACT, "r": task });
            Race { field, input: input(more), write, query, ids, read, is_new }
        };
        let (one, all) = ((ONE_TASK, TASK), (ALL_TASKS, TASKS));
        let (title, done) = (json!({ "title": "New" }), json!({ "completed": true }));
        vec![
            race("updateTask", title.clone(), UPDATE_TASK, one, |seen| seen["task"]["title"] == "New"),
            race("updateTask", title, UPDATE_TASK, all, |seen| has(seen, "tasks", "title", &json!("New"))),
            race("setTaskCompleted", done.clone(), COMPLETE_TASK, one, |seen| seen["task"]["completed"] == true),
            race("setTaskCompleted", done, COMPLETE_TASK, all, |seen| has(seen, "tasks", "completed", &json!(true))),
            race("deleteTask", json!({}), DELETE_TASK, one, |seen| seen["task"].is_null()),
            race("deleteTask", json!({}), DELETE_TASK, all, |seen| !has(seen, "tasks", "title", &json!("Old"))),
        ]
    })
    .await;
}

#[tokio::test]
async fn changed_notes_and_slow_reads_of_one_and_of_the_list() {
    each_in_every_order(|stage| {
        let note = stage.demo_records().1;
        stage.sandbox.update(&stage.sandbox.info().location_id, DEMO_CONTACT, |record| {
            record.notes[0]["body"] = json!("Old");
        });
        let race = |field, input: Value, write, (query, read), is_new| {
            let ids = json!({ "id": DEMO_CONTACT, "r": note });
            Race { field, input, write, query, ids, read, is_new }
        };
        let (one, all) = ((ONE_NOTE, NOTE), (ALL_NOTES, NOTES));
        let create = json!({ "contactId": DEMO_CONTACT, "note": "New" });
        let update = json!({ "contactId": DEMO_CONTACT, "id": note, "note": "New" });
        let delete = json!({ "contactId": DEMO_CONTACT, "id": note });
        vec![
            race("createNote", create, CREATE_NOTE, all, |seen| has(seen, "notes", "note", &json!("New"))),
            race("updateNote", update.clone(), UPDATE_NOTE, one, |seen| seen["note"]["note"] == "New"),
            race("updateNote", update, UPDATE_NOTE, all, |seen| has(seen, "notes", "note", &json!("New"))),
            race("deleteNote", delete.clone(), DELETE_NOTE, one, |seen| seen["note"].is_null()),
            race("deleteNote", delete, DELETE_NOTE, all, |seen| !has(seen, "notes", "note", &json!("Old"))),
        ]
    })
    .await;
}

/// Two changes overlap, and the answer to the one that the upstream made first comes last: it tells a state that is no
/// more.
#[tokio::test]
async fn of_two_changes_at_once_the_answer_that_comes_last_does_not_win() {
    for tags_land_first in [true, false] {
        let stage = Arc::new(Stage::new().await);
        let change = |field: &'static str, input: Value| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.changed(field, input, "__typename").await })
        };
        let (rename_hold, tags_hold) = (stage.sandbox.hold(UPDATE), stage.sandbox.hold(ADD_TAGS));
        let rename = change("updateContact", json!({ "id": DEMO_CONTACT, "lastName": "New" }));
        rename_hold.arrived(1).await;
        let tags = change("addContactTags", json!({ "contactId": DEMO_CONTACT, "tags": ["new"] }));
        tags_hold.arrived(1).await;
        let (first, second) = match tags_land_first {
            true => ((tags_hold, tags), (rename_hold, rename)),
            false => ((rename_hold, rename), (tags_hold, tags)),
        };
        for (hold, asking) in [first, second] {
            hold.release();
            asking.await.unwrap();
        }
        let seen =
            stage.data("query T($id: ID!) { contact(id: $id) { name tags } }", json!({ "id": DEMO_CONTACT })).await;
        assert_eq!(seen["contact"]["name"], "Amara New");
        assert_eq!(seen["contact"]["tags"], stage.upstream(DEMO_CONTACT).contact["tags"], "{tags_land_first}");
    }
}

#[tokio::test]
async fn a_caller_who_goes_does_not_keep_what_was_changed_from_being_forgotten() {
    let stage = Stage::new().await;
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara Lindqvist");
    let hold = stage.sandbox.hold_unanswered(UPDATE);
    {
        let change = stage.change("updateContact", json!({ "id": DEMO_CONTACT, "lastName": "New" }), "__typename");
        tokio::select! {
            _ = change => panic!("answered while its call was held"),
            () = hold.arrived(1) => {}
        }
    }
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara Lindqvist", "nothing has changed yet");
    hold.release();
    while stage.name_of(DEMO_CONTACT).await != "Amara New" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_change_that_is_out_of_time_is_forgotten_when_its_answer_comes() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "300ms")]).await;
    stage.name_of(DEMO_CONTACT).await;
    let hold = stage.sandbox.hold_unanswered(UPDATE);
    let answer = stage.change("updateContact", json!({ "id": DEMO_CONTACT, "lastName": "New" }), "__typename").await;
    assert_eq!(errors(&answer), one_error("updateContact", "UPSTREAM_TIMEOUT"));
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("not known whether"), "{answer}");
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara Lindqvist");
    hold.release();
    while stage.name_of(DEMO_CONTACT).await != "Amara New" {
        tokio::task::yield_now().await;
    }
}
