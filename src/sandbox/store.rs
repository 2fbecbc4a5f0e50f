//! The records of each location, in the order in which the API lists them.

use super::view::full_name;
use serde_json::Value;
use std::{cmp::Ordering, collections::HashMap};

/// A contact and what belongs to it, as JSON objects in display casing, with appointment times in UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The contact by id, without what is derived from it (`name` and the lower-case fields).
    pub contact: Value,
    /// Its tasks.
    pub tasks: Vec<Value>,
    /// Its notes.
    pub notes: Vec<Value>,
    /// Its appointments.
    pub appointments: Vec<Value>,
}

/// A record, with what lists need to know of it worked out once.
struct Entry {
    record: Record,
    added: i64,
    searched: String,
}

impl Entry {
    fn new(record: Record) -> Self {
        let text = |key: &str| record.contact[key].as_str().unwrap_or_default();
        let added = text("dateAdded").parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond());
        let keys = ["firstName", "lastName", "email", "phone", "companyName"];
        let searched = keys.map(text).join(" ").to_lowercase();
        Self { record, added, searched }
    }
}

/// One location's contacts.
#[derive(Default)]
pub(super) struct Location {
    entries: HashMap<String, Entry>,
    /// Newest first; contacts of the same moment by id.
    order: Vec<(i64, String)>,
}

/// A place in the list: the moment a contact was added, and its id.
pub(super) type Cursor<'a> = (i64, &'a str);

fn listed(a: Cursor, b: Cursor) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

impl Location {
    pub fn new(records: Vec<Record>) -> Self {
        let keyed = records.into_iter().map(|record| {
            let id = record.contact["id"].as_str().unwrap_or_default().to_owned();
            (id, Entry::new(record))
        });
        let mut location = Self { entries: keyed.collect(), order: Vec::new() };
        location.sort();
        location
    }

    fn sort(&mut self) {
        self.order = self.entries.iter().map(|(id, entry)| (entry.added, id.clone())).collect();
        self.order.sort_by(|a, b| listed((a.0, &a.1), (b.0, &b.1)));
    }

    pub fn get(&self, id: &str) -> Option<&Record> {
        self.entries.get(id).map(|entry| &entry.record)
    }

    /// Contacts after a place in the list, each with its own place.
    pub fn after(&self, cursor: Option<Cursor>) -> impl Iterator<Item = (Cursor<'_>, &Record)> {
        let passed = |at: &(i64, String)| cursor.is_some_and(|c| listed((at.0, &at.1), c).is_le());
        let start = self.order.partition_point(passed);
        let rest = self.order[start..].iter();
        rest.filter_map(|(added, id)| Some(((*added, id.as_str()), &self.entries.get(id)?.record)))
    }

    /// Whether name, mail, phone or company has the text, which must be in lower case.
    pub fn mentions(&self, id: &str, text: &str) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.searched.contains(text))
    }

    /// A contact with this mail or phone: which of the two, its id and its name.
    pub fn same(&self, email: Option<&str>, phone: Option<&str>) -> Option<(&'static str, String, String)> {
        let wanted = |text: Option<&str>| text.map(str::to_lowercase).filter(|text| !text.is_empty());
        let (email, phone) = (wanted(email), wanted(phone));
        let has = |entry: &Entry, key: &str, text: &Option<String>| {
            text.is_some() && entry.record.contact[key].as_str().map(str::to_lowercase) == *text
        };
        let find = |key: &'static str, text: &Option<String>| {
            let (_, id) = self.order.iter().find(|(_, id)| self.entries.get(id).is_some_and(|e| has(e, key, text)))?;
            Some((key, id.clone(), full_name(&self.entries.get(id)?.record.contact)))
        };
        find("email", &email).or_else(|| find("phone", &phone))
    }

    pub fn add(&mut self, record: Record) {
        let id = record.contact["id"].as_str().unwrap_or_default().to_owned();
        self.entries.insert(id, Entry::new(record));
        self.sort();
    }

    pub fn ids(&self) -> Vec<String> {
        self.order.iter().map(|(_, id)| id.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// False when there is no such contact.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Record)) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        let mut record = entry.record.clone();
        change(&mut record);
        *entry = Entry::new(record);
        self.sort();
        true
    }

    /// False when there was no such contact.
    pub fn remove(&mut self, id: &str) -> bool {
        let was_there = self.entries.remove(id).is_some();
        self.sort();
        was_there
    }
}

/// All locations, by id.
pub(super) type Store = HashMap<String, Location>;
