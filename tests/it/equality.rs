//! A cache changes what an answer costs, never what it is: one gateway with everything kept and one with nothing kept,
//! over the same upstream, answer alike to the byte, whatever was asked, changed and forgotten before.

use std::time::Duration;

use contacts_gateway::sandbox::Options;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::*;

const OFF: [(&str, &str); 5] =
    [("TTL_CONTACT", "0s"), ("TTL_TASKS", "0s"), ("TTL_NOTES", "0s"), ("TTL_APPOINTMENTS", "0s"), ("TTL_PAGES", "0s")];

/// Longer than anything is kept.
const LONG: Duration = Duration::from_secs(3600);

const WHOLE: &str = "{ id name firstName email tags address { city } tasks { id title completed } notes { id note } }";

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// A query, with how many rows its lists have.
    Ask(String, usize),
    /// A change of one contact through the gateway that keeps answers.
    Write(Change, usize),
    /// Somebody else changes a contact; seen when what is held of it is too old.
    Elsewhere(usize),
    /// Time goes by.
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    CreateContact,
    UpdateContact,
    DeleteContact,
    AddTags,
    RemoveTags,
    CreateTask,
    CompleteTask,
    DeleteTask,
    CreateNote,
    UpdateNote,
    DeleteNote,
}

use Change::*;

/// A selection of a contact's fields. `id` is spelled in two ways, of which one is left to the library.
fn selection() -> impl Strategy<Value = String> {
    let fields = [
        "name",
        "email",
        "company",
        "timezone",
        "website",
        "tags",
        "address { city country }",
        "customFields { id value }",
        "dateUpdated",
        "__typename",
        "...Names",
        "... on Contact { source again: name }",
        "tasks { id status contact { name } }",
        "tasks { title }",
        "late: tasks(status: OPEN, dueBefore: \"2026-06-15T15:00:00Z\") { title dueDate }",
        "notes(first: 1) { note dateCreated }",
        "appointments(startsAfter: \"2026-06-15T15:00:00Z\") { title startTime }",
        "appointments { title ...When }",
    ];
    // Two that answer to one name with different arguments would be an error.
    let fields = proptest::sample::subsequence(fields.to_vec(), 1..=6)
        .prop_filter("names", |fields| fields.iter().filter(|field| field.starts_with("appointments")).count() < 2);
    let id = proptest::sample::select(vec!["id", "id @include(if: true)"]);
    (id, fields).prop_map(|(id, fields)| format!("{{ {id} {} }}", fields.join(" ")))
}

fn query() -> impl Strategy<Value = Step> {
    let one = (0..6usize, selection()).prop_map(|(n, fields)| format!("contact(id: \"#{n}\") {fields}"));
    let many = (0..6usize, 0..6usize, selection())
        .prop_map(|(a, b, fields)| format!("contactsByIds(ids: [\"#{a}\", \"none\", \"#{b}\"]) {fields}"));
    let list = selection().prop_map(|fields| {
        format!("contacts(first: $first) {{ totalCount nodes {fields} pageInfo {{ hasNextPage endCursor }} }}")
    });
    let edges =
        selection().prop_map(|fields| format!("contacts(first: $first) {{ edges {{ cursor node {fields} }} }}"));
    let fields = proptest::collection::vec(prop_oneof![one, many, list, edges], 1..=3);
    (fields, 1..12usize).prop_map(|(fields, first)| {
        let fields: Vec<String> = fields.into_iter().enumerate().map(|(n, field)| format!("f{n}: {field}")).collect();
        let mut query = format!("query Q($first: Int) {{ {} }}", fields.join(" "));
        for (spread, fragment) in [
            ("...Names", " fragment Names on Contact { firstName lastName }"),
            ("...When", " fragment When on Appointment { startTime endTime }"),
            ("$first)", ""),
        ] {
            match query.contains(spread) {
                true => query += fragment,
                // A variable that is not used is an error.
                false if fragment.is_empty() => query = query.replace("Q($first: Int)", "Q"),
                false => {}
            }
        }
        Step::Ask(query, first)
    })
}

fn step() -> impl Strategy<Value = Step> {
    let changes = [
        CreateContact,
        UpdateContact,
        DeleteContact,
        AddTags,
        RemoveTags,
        CreateTask,
        CompleteTask,
        DeleteTask,
        CreateNote,
        UpdateNote,
        DeleteNote,
    ];
    prop_oneof![
        4 => query(),
        3 => (proptest::sample::select(changes.to_vec()), 0..6usize).prop_map(|(change, n)| Step::Write(change, n)),
        1 => (0..6usize).prop_map(Step::Elsewhere),
        1 => (1..400u64).prop_map(Step::Pass),
    ]
}

/// The two gateways.
struct Pair {
    keeps: Stage,
    keeps_nothing: Stage,
}

impl Pair {
    async fn new() -> Self {
        let keeps = Stage::with(Options { contacts: 12, ..Options::default() }, &[]).await;
        let info = keeps.sandbox.info();
        let needed = [("LOCATION_ID", &*info.location_id), ("API_KEY", &*info.token)];
        let keeps_nothing = keeps.beside(&[&needed[..], &OFF].concat()).await;
        Self { keeps, keeps_nothing }
    }

    fn fill(&self, query: &str) -> String {
        self.keeps
            .ids()
            .iter()
            .enumerate()
            .take(6)
            .fold(query.to_owned(), |query, (n, id)| query.replace(&format!("#{n}"), id))
    }

    async fn both(&self, query: &str, first: usize) -> [String; 2] {
        let query = self.fill(query);
        // Who keeps nothing is asked for one field twice: then the library makes every list, and none is written at once.
        const EMPTY: &str = "z: contactsByIds(ids: []) { id }";
        let text = async |stage: &Stage, begins: String| {
            let query = query.replacen('{', &begins, 1);
            let body = match query.contains("$first") {
                true => json!({ "query": query, "variables": { "first": first } }),
                false => json!({ "query": query }),
            };
            let answer = stage.post().json(&body).send().await.expect("an answer");
            answer.text().await.expect("text")
        };
        tokio::join!(text(&self.keeps, format!("{{ {EMPTY}")), text(&self.keeps_nothing, format!("{{ {EMPTY} {EMPTY}")))
            .into()
    }

    /// The contact as its change tells it and as it is told by who keeps nothing; `None` when nothing is left to tell.
    async fn write(&self, change: Change, n: usize, number: usize) -> Option<[Value; 2]> {
        let id = self.keeps.ids()[n].clone();
        let whole = format!("query W($id: ID!) {{ contact(id: $id) {WHOLE} }}");
        let now = self.keeps_nothing.data(&whole, json!({ "id": id })).await;
        let first_of = |field: &str| now["contact"][field][0]["id"].as_str().map(str::to_owned);
        let due = "2027-01-09T12:00:00Z";
        let (field, input) = match change {
            CreateContact => ("createContact", json!({ "name": format!("New {number}"), "tags": ["new"] })),
            UpdateContact => (
                "updateContact",
                json!({ "id": id, "firstName": format!("N{number}"), "website": null, "address": { "city": format!("C{number}") } }),
            ),
            DeleteContact => ("deleteContact", json!({ "id": id })),
            AddTags => ("addContactTags", json!({ "contactId": id, "tags": [format!("t{number}"), "all"] })),
            RemoveTags => ("removeContactTags", json!({ "contactId": id, "tags": ["all"] })),
            CreateTask => ("createTask", json!({ "contactId": id, "title": format!("T{number}"), "dueDate": due })),
            CompleteTask => (
                "setTaskCompleted",
                json!({ "contactId": id, "id": first_of("tasks")?, "completed": number.is_multiple_of(2) }),
            ),
            DeleteTask => ("deleteTask", json!({ "contactId": id, "id": first_of("tasks")? })),
            CreateNote => ("createNote", json!({ "contactId": id, "note": format!("N{number}") })),
            UpdateNote => {
                ("updateNote", json!({ "contactId": id, "id": first_of("notes")?, "note": format!("M{number}") }))
            }
            DeleteNote => ("deleteNote", json!({ "contactId": id, "id": first_of("notes")? })),
        };
        let kind = field[..1].to_uppercase() + &field[1..];
        let (path, selection) = match change {
            DeleteContact => ("", "deletedId".to_owned()),
            CreateTask | CompleteTask => ("/task/contact", format!("task {{ contact {WHOLE} }}")),
            CreateNote | UpdateNote => ("/note/contact", format!("note {{ contact {WHOLE} }}")),
            _ => ("/contact", format!("contact {WHOLE}")),
        };
        let mutation = format!("mutation M($input: {kind}Input!) {{ {field}(input: $input) {{ {selection} }} }}");
        let told = self.keeps.data(&mutation, json!({ "input": input })).await;
        let told = told[field].pointer(path).filter(|_| !path.is_empty())?.clone();
        let read = self.keeps_nothing.data(&whole, json!({ "id": told["id"] })).await;
        Some([told, read["contact"].clone()])
    }
}

#[test]
fn what_is_kept_equals_what_is_read_whatever_was_changed_before() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let pair = runtime.block_on(Pair::new());
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(0);
    let outcome = runner.run(&proptest::collection::vec(step(), 2..14), |steps| {
        for step in &steps {
            number.set(number.get() + 1);
            match step {
                Step::Ask(query, first) => {
                    let [kept, read] = runtime.block_on(pair.both(query, *first));
                    prop_assert!(!kept.contains("errors"), "{}", kept);
                    prop_assert_eq!(kept, read, "{}", query);
                }
                // The last ones are needed.
                Step::Write(DeleteContact, _) if pair.keeps.ids().len() < 8 => {}
                Step::Write(change, n) => {
                    if let Some([told, read]) = runtime.block_on(pair.write(*change, *n, number.get())) {
                        prop_assert_eq!(told.to_string(), read.to_string(), "{:?}", change);
                    }
                }
                Step::Elsewhere(n) => {
                    let (location, id) = (pair.keeps.sandbox.info().location_id.clone(), pair.keeps.ids()[*n].clone());
                    let name = format!("E{}", number.get());
                    pair.keeps.sandbox.update_contact(&location, &id, |contact| contact["firstName"] = json!(name));
                    pair.keeps.clock.advance(LONG);
                }
                Step::Pass(seconds) => pair.keeps.clock.advance(Duration::from_secs(*seconds)),
            }
        }
        // What was asked is asked again: most of it is kept by now.
        for step in &steps {
            if let Step::Ask(query, first) = step {
                let [kept, read] = runtime.block_on(pair.both(query, *first));
                prop_assert_eq!(kept, read, "{}", query);
            }
        }
        Ok(())
    });
    outcome.expect("no difference");
    let answers = async |stage: &Stage| stage.metric("gateway_answers_total{outcome=\"kept\"}").await;
    let [kept, none] = runtime.block_on(async { [answers(&pair.keeps).await, answers(&pair.keeps_nothing).await] });
    // Some forty, as chance has it.
    assert!(kept > 10 && none == 0, "{kept} kept answers, {none} where nothing is kept");
}
