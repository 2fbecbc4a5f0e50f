//! What a change of a record is told as: events and their keys, as the API's event pages have them.

use super::super::{quirks::Quirks, store::Record, view::full_name};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

/// An event: its type, and what it tells beside the keys that all events have.
pub(super) type Event = (&'static str, Map<String, Value>);

const OF_CONTACT: [&str; 17] = [
    "id",
    "address1",
    "city",
    "state",
    "companyName",
    "country",
    "source",
    "dateAdded",
    "dateOfBirth",
    "email",
    "firstName",
    "lastName",
    "phone",
    "postalCode",
    "website",
    "assignedTo",
    "name",
];
const OF_NOTE: [&str; 4] = ["id", "body", "contactId", "dateAdded"];
const OF_TASK: [&str; 7] = ["id", "assignedTo", "body", "contactId", "title", "dateAdded", "dueDate"];
const OF_APPOINTMENT: [&str; 15] = [
    "id",
    "address",
    "title",
    "calendarId",
    "contactId",
    "groupId",
    "appointmentStatus",
    "assignedUserId",
    "users",
    "notes",
    "source",
    "startTime",
    "endTime",
    "dateAdded",
    "dateUpdated",
];
const TIMES: [&str; 4] = ["startTime", "endTime", "dateAdded", "dateUpdated"];

/// How events look in this sandbox.
pub(super) struct Style<'a> {
    pub quirks: &'a Quirks,
    /// The zone of appointment times.
    pub zone: &'a TimeZone,
    /// The moment of the change.
    pub now: &'a str,
}

impl Style<'_> {
    /// What of a change is told; none: there was or is no such record. Whatever belonged to a contact goes without a word.
    pub fn events(&self, before: Option<&Record>, after: Option<&Record>) -> Vec<Event> {
        match (before, after) {
            (None, None) => Vec::new(),
            (None, Some(record)) => vec![("ContactCreate", contact(&record.contact))],
            (Some(record), None) => vec![("ContactDelete", contact(&record.contact))],
            (Some(before), Some(after)) => {
                let mut events = of_contact(&before.contact, &after.contact);
                each(&before.notes, &after.notes, |kinds| events.extend(note(kinds)));
                each(&before.tasks, &after.tasks, |pair| events.extend(self.task(pair)));
                each(&before.appointments, &after.appointments, |pair| events.extend(self.appointment(pair)));
                events
            }
        }
    }

    /// No event tells that a task was changed, unless it was completed.
    fn task(&self, pair: Pair<'_>) -> Option<Event> {
        let is_done = |task: &Value| task["completed"] == true;
        let (kind, task) = match pair {
            (None, Some(task)) => ("TaskCreate", task),
            (Some(task), None) => ("TaskDelete", task),
            (Some(before), Some(task)) if is_done(task) && !is_done(before) => ("TaskComplete", task),
            _ => return None,
        };
        let mut told = some(task, &OF_TASK);
        if kind == "TaskCreate" {
            told.entry("dateAdded").or_insert_with(|| json!(self.now));
            if self.quirks.bare_task_events {
                told.remove("contactId");
                told.remove("body");
            }
        }
        Some((kind, told))
    }

    fn appointment(&self, pair: Pair<'_>) -> Option<Event> {
        let (kind, event) = kind(pair, ["AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"])?;
        let kind = if self.quirks.appointment_create_events { "AppointmentCreate" } else { kind };
        let mut told = some(event, &OF_APPOINTMENT);
        for key in TIMES {
            if let Some(time) = told.get(key).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok()) {
                let time = time.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                told.insert(key.into(), json!(time));
            }
        }
        told.entry("users").or_insert_with(|| json!([]));
        Some((kind, Map::from_iter([("appointment".to_owned(), told.into())])))
    }
}

/// The same item before and after a change.
type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

/// Tells each item that is in one of two lists, or in both.
fn each<'a>(before: &'a [Value], after: &'a [Value], mut tell: impl FnMut(Pair<'a>)) {
    let find = |list: &'a [Value], item: &Value| list.iter().find(|other| other["id"] == item["id"]);
    after.iter().for_each(|item| tell((find(before, item), Some(item))));
    before.iter().filter(|item| find(after, item).is_none()).for_each(|item| tell((Some(item), None)));
}

/// Which of three types a change is, and the item to tell of.
fn kind<'a>(pair: Pair<'a>, [create, update, delete]: [&'static str; 3]) -> Option<(&'static str, &'a Value)> {
    match pair {
        (None, Some(item)) => Some((create, item)),
        (Some(item), None) => Some((delete, item)),
        (Some(before), Some(after)) => (before != after).then_some((update, after)),
        (None, None) => None,
    }
}

fn note(pair: Pair<'_>) -> Option<Event> {
    let (kind, note) = kind(pair, ["NoteCreate", "NoteUpdate", "NoteDelete"])?;
    Some((kind, some(note, &OF_NOTE)))
}

/// Tags and disturbance have events of their own; what no event shows, none tells.
fn of_contact(before: &Value, after: &Value) -> Vec<Event> {
    let (old, mut told) = (contact(before), contact(after));
    let differ = |keys: &[&str]| keys.iter().any(|key| old.get(*key) != told.get(*key));
    let mut kinds = Vec::new();
    kinds.extend((differ(&OF_CONTACT) || differ(&["customFields"])).then_some("ContactUpdate"));
    kinds.extend(differ(&["tags"]).then_some("ContactTagUpdate"));
    let is_disturbance = differ(&["dnd"]) || before["dndSettings"] != after["dndSettings"];
    let mut events: Vec<Event> = kinds.into_iter().map(|kind| (kind, told.clone())).collect();
    if is_disturbance {
        let settings = after.get("dndSettings").cloned();
        told.insert("dndSettings".into(), settings.unwrap_or_else(|| json!({})));
        events.push(("ContactDndUpdate", told));
    }
    events
}

fn contact(contact: &Value) -> Map<String, Value> {
    let mut told = some(contact, &OF_CONTACT);
    let name = full_name(contact);
    if !name.is_empty() {
        told.entry("name").or_insert(json!(name));
    }
    for (key, none) in [("dnd", json!(false)), ("tags", json!([])), ("customFields", json!([]))] {
        told.insert(key.into(), contact.get(key).cloned().unwrap_or(none));
    }
    // It is never filled.
    told.insert("attachments".into(), json!([]));
    told
}

/// These keys of an object, as far as they have values.
fn some(object: &Value, keys: &[&str]) -> Map<String, Value> {
    let value =
        |key: &&str| object.get(*key).filter(|value| !value.is_null()).map(|value| ((*key).into(), value.clone()));
    keys.iter().filter_map(value).collect()
}
