//! What is known for one event: what it tells, and what was read upstream because a rule names it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::names::{Needs, named};
use super::schema::{Schema, Unmade};
use crate::changes::{ChangeKind, ChangedResource};
use crate::events::Event;
use crate::upstream::{Account, Id};

/// The values of the names that conditions and templates use.
pub struct Facts {
    pub values: Map<String, Value>,
    pub contact: Option<Id>,
    /// The id of what the event is about.
    pub record: Option<Id>,
    /// Whether that was read, and is there.
    pub is_there: bool,
    about: ChangedResource,
    kind: ChangeKind,
}

impl Facts {
    /// What the event tells. It is a hint: what is read goes before it.
    pub fn of(event: &Event) -> Option<Self> {
        let (about, kind) = event.about()?;
        let record = event.record();
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let contact = match about {
            ChangedResource::Contact => text("id").or_else(|| text("contactId")),
            _ => text("contactId"),
        };
        let contact = contact.and_then(|id| Id::of_contact(id).ok());
        let record_id = text("id").and_then(|id| Id::new(id).ok());
        let mut values = Map::new();
        values.insert("event".to_owned(), event.body.clone());
        if let Some(id) = &contact {
            values.insert("contact".to_owned(), json!({ "id": id.as_str(), "locationId": event.location.as_deref() }));
        }
        let (name, _) = named(about);
        let told = values.entry(name).or_insert_with(|| json!({}));
        if let (Some(into), Some(record)) = (told.as_object_mut(), record.as_object()) {
            tell(about, &event.kind, record, into);
        }
        Some(Self { values, contact, record: record_id, is_there: false, about, kind })
    }

    /// Reads what is needed, in one request. Where there is no such contact or record, what the event told stays.
    pub async fn read(&mut self, schema: &Schema, account: &Arc<Account>, needs: &Needs) -> Result<(), Unmade> {
        let is_gone = self.kind == ChangeKind::Deleted;
        let mut needs = needs.clone();
        if self.record.is_none() || is_gone {
            needs.record.clear();
        }
        if is_gone && self.about == ChangedResource::Contact {
            needs.contact.clear();
        }
        let Some(contact) = self.contact.as_ref().filter(|_| needs.reads()) else { return Ok(()) };
        let record = self.record.as_ref().map(Id::as_str);
        let variables = json!({ "contact": contact.as_str(), "record": record });
        let mut data = schema.ask(account, &needs.query(self.about), variables).await?;
        let (name, _) = named(self.about);
        if needs.reads_record() {
            let found = match self.about {
                ChangedResource::Appointment => appointment(&mut data["contact"], record, &needs),
                _ => data[name].take(),
            };
            self.is_there = self.learn(name, found);
        }
        self.learn("contact", data["contact"].take());
        Ok(())
    }

    fn learn(&mut self, name: &str, found: Value) -> bool {
        let Value::Object(found) = found else { return false };
        let known = self.values.entry(name).or_insert_with(|| json!({}));
        if let Some(known) = known.as_object_mut() {
            known.extend(found);
        }
        true
    }
}

/// The appointment among the contact's, which are taken away where nobody asked for them.
fn appointment(contact: &mut Value, id: Option<&str>, needs: &Needs) -> Value {
    let all = contact["appointments"].as_array().cloned().unwrap_or_default();
    if let Some(contact) = contact.as_object_mut().filter(|_| !needs.contact.contains("appointments")) {
        contact.remove("appointments");
    }
    all.into_iter().find(|one| one["id"].as_str() == id).unwrap_or_default()
}

/// What the upstream calls by another name than the schema.
const OTHER_NAMES: [(&str, &str); 2] = [("dateAdded", "dateCreated"), ("companyName", "company")];

/// The same keys as in the schema.
const SAME_NAMES: &[&str] = &[
    "id",
    "name",
    "firstName",
    "lastName",
    "email",
    "phone",
    "website",
    "source",
    "tags",
    "dnd",
    "dateOfBirth",
    "assignedTo",
    "customFields",
    "title",
    "userId",
    "pinned",
    "dueDate",
    "completed",
    "address",
    "calendarId",
    "groupId",
    "assignedUserId",
    "users",
    "notes",
    "startTime",
    "endTime",
    "dateUpdated",
    "contactId",
];

/// An event's record with the names of the schema.
fn tell(about: ChangedResource, kind: &str, record: &Map<String, Value>, into: &mut Map<String, Value>) {
    for (key, value) in record {
        let other = OTHER_NAMES.iter().find(|(wire, _)| wire == key).map(|(_, name)| *name);
        let name = match (about, key.as_str()) {
            (ChangedResource::Note, "body") => "note",
            (ChangedResource::Task, "body") => "body",
            (ChangedResource::Contact, "address" | "notes" | "users" | "title" | "completed") => continue,
            (ChangedResource::Appointment, "appointmentStatus") => {
                let word = value.as_str().map(str::to_ascii_uppercase);
                into.insert("status".to_owned(), word.into());
                continue;
            }
            (_, key) if SAME_NAMES.contains(&key) => key,
            _ => match other {
                Some(name) => name,
                None => continue,
            },
        };
        into.insert(name.to_owned(), value.clone());
    }
    if about == ChangedResource::Contact {
        let part = |key: &str| record.get(key).cloned().unwrap_or_default();
        let address = json!({ "line1": part("address1"), "city": part("city"), "state": part("state"),
            "postalCode": part("postalCode"), "country": part("country") });
        into.insert("address".to_owned(), address);
    }
    if kind == "TaskComplete" {
        into.insert("completed".to_owned(), true.into());
        into.insert("status".to_owned(), "COMPLETED".into());
    }
}
