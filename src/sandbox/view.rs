//! How a stored record looks on the wire: the same contact has one shape by id and another in a list.

use super::quirks::Quirks;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// What list rows are declared to have.
const DECLARED_ROW: [&str; 11] = [
    "id",
    "locationId",
    "email",
    "country",
    "source",
    "dateAdded",
    "customFields",
    "tags",
    "businessId",
    "attributions",
    "followers",
];
/// What live rows have beside that, and beside the names.
const LIVE_ROW: [&str; 12] = [
    "companyName",
    "phone",
    "dnd",
    "type",
    "assignedTo",
    "city",
    "state",
    "postalCode",
    "address1",
    "dateUpdated",
    "dateOfBirth",
    "website",
];

const FEW_OF_CONTACT: [&str; 5] = ["id", "locationId", "firstName", "email", "dateAdded"];
const FEW_OF_TASK: [&str; 3] = ["id", "title", "contactId"];
const FEW_OF_NOTE: [&str; 3] = ["id", "body", "contactId"];
const FEW_OF_APPOINTMENT: [&str; 4] = ["id", "title", "startTime", "contactId"];

const TIMES: [&str; 4] = ["startTime", "endTime", "dateAdded", "dateUpdated"];

fn text<'a>(contact: &'a Value, key: &str) -> Option<&'a str> {
    contact[key].as_str()
}

pub(super) fn full_name(contact: &Value) -> String {
    let parts = ["firstName", "lastName"].iter().filter_map(|key| text(contact, key));
    parts.collect::<Vec<_>>().join(" ")
}

/// The fields of an object, or, with `few`, those of them that the quirk leaves.
fn fields<'a>(object: &'a Value, few: &'a [&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let all = object.as_object().into_iter().flatten();
    all.filter(move |(key, _)| few.is_empty() || few.contains(&key.as_str()))
}

/// A contact by id.
pub(super) struct Contact<'a>(pub &'a Value, pub &'a Quirks);

impl Serialize for Contact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(contact, quirks) = self;
        let few: &[&str] = if quirks.missing_fields { &FEW_OF_CONTACT } else { &[] };
        let mut map = serializer.serialize_map(None)?;
        // Followers are told in rows alone.
        for (key, value) in fields(contact, few).filter(|(key, _)| *key != "followers") {
            map.serialize_entry(key, value)?;
        }
        if quirks.missing_fields {
            return map.end();
        }
        let name = full_name(contact);
        if !quirks.no_name && contact.get("name").is_none() {
            map.serialize_entry("name", &name)?;
        }
        map.serialize_entry("fullNameLowerCase", &name.to_lowercase())?;
        let lower =
            [("firstName", "firstNameLowerCase"), ("lastName", "lastNameLowerCase"), ("email", "emailLowerCase")];
        for (key, lowered) in lower {
            if let Some(value) = text(contact, key) {
                map.serialize_entry(lowered, &value.to_lowercase())?;
            }
        }
        map.end()
    }
}

/// A contact in a list. Only the list of all contacts gives each row its cursor.
pub(super) struct Row<'a> {
    pub contact: &'a Value,
    pub cursor: Option<(i64, &'a str)>,
    pub quirks: &'a Quirks,
}

impl Row<'_> {
    fn names<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (first, last) = (text(self.contact, "firstName"), text(self.contact, "lastName"));
        if self.quirks.plain_rows {
            map.serialize_entry("contactName", &full_name(self.contact))?;
            map.serialize_entry("firstName", &first)?;
            return map.serialize_entry("lastName", &last);
        }
        map.serialize_entry("contactName", &full_name(self.contact).to_lowercase())?;
        map.serialize_entry("firstName", &first.map(str::to_lowercase))?;
        map.serialize_entry("lastName", &last.map(str::to_lowercase))?;
        map.serialize_entry("firstNameRaw", &first)?;
        map.serialize_entry("lastNameRaw", &last)
    }

    fn copy<M: SerializeMap>(&self, map: &mut M, keys: &[&str]) -> Result<(), M::Error> {
        for key in keys {
            if let Some(value) = self.contact.get(key) {
                map.serialize_entry(key, value)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.copy(&mut map, &DECLARED_ROW)?;
        if self.quirks.row_timezone {
            self.copy(&mut map, &["timezone"])?;
        }
        if self.quirks.short_rows {
            return map.end();
        }
        self.names(&mut map)?;
        self.copy(&mut map, &LIVE_ROW)?;
        let emails = self.contact.get("additionalEmails");
        map.serialize_entry("additionalEmails", emails.unwrap_or(&Value::Array(Vec::new())))?;
        if let Some(cursor) = self.cursor {
            map.serialize_entry("startAfter", &cursor)?;
        }
        map.end()
    }
}

/// A task of a contact.
pub(super) struct Task<'a>(pub &'a Value, pub &'a Quirks);

impl Serialize for Task<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(task, quirks) = self;
        let few: &[&str] = if quirks.missing_fields { &FEW_OF_TASK } else { &[] };
        serializer.collect_map(fields(task, few).map(|(key, value)| match key.as_str() {
            "id" if quirks.underscore_ids => ("_id", value),
            other => (other, value),
        }))
    }
}

/// A note of a contact.
pub(super) struct Note<'a>(pub &'a Value, pub &'a Quirks);

impl Serialize for Note<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let few: &[&str] = if self.1.missing_fields { &FEW_OF_NOTE } else { &[] };
        serializer.collect_map(fields(self.0, few))
    }
}

/// An appointment of a contact.
pub(super) struct Appointment<'a> {
    pub event: &'a Value,
    pub quirks: &'a Quirks,
    pub zone: &'a TimeZone,
}

impl Appointment<'_> {
    /// A time in the wire's form; text that is no time is passed on, so that a test can send nonsense.
    fn time(&self, stored: &str) -> Option<String> {
        let local = stored.parse::<Timestamp>().ok()?.to_zoned_datetime(self.zone.clone());
        let form = if self.quirks.rfc3339_times { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%d %H:%M:%S" };
        Some(local.strftime(form).to_string())
    }
}

impl Serialize for Appointment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let few: &[&str] = if self.quirks.missing_fields { &FEW_OF_APPOINTMENT } else { &[] };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in fields(self.event, few) {
            let stored = value.as_str().filter(|_| TIMES.contains(&key.as_str()));
            match stored.and_then(|stored| self.time(stored)) {
                Some(time) => map.serialize_entry(key, &time)?,
                None => map.serialize_entry(key, value)?,
            }
        }
        map.end()
    }
}
