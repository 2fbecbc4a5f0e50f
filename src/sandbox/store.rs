//! The records of each location, in the order in which the API lists them.

use super::view::full_name;
use serde_json::Value;
use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

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
#[derive(Clone)]
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

/// A place in the list: the moment a contact was added, and its id.
pub(super) type Cursor<'a> = (i64, &'a str);

fn listed(a: Cursor, b: Cursor) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

/// Contacts in their order.
#[derive(Clone, Default)]
struct Shelf {
    entries: HashMap<String, Entry>,
    /// Newest first; contacts of the same moment by id.
    order: Vec<(i64, String)>,
}

impl Shelf {
    fn sort(&mut self) {
        self.order = self.entries.iter().map(|(id, entry)| (entry.added, id.clone())).collect();
        self.order.sort_by(|a, b| listed((a.0, &a.1), (b.0, &b.1)));
    }

    /// What was there before.
    fn put(&mut self, id: &str, record: Option<Record>) -> Option<Record> {
        let before = match record {
            Some(record) => self.entries.insert(id.to_owned(), Entry::new(record)),
            None => self.entries.remove(id),
        };
        self.sort();
        before.map(|entry| entry.record)
    }
}

/// One location's contacts.
#[derive(Default)]
pub(super) struct Location {
    now: Shelf,
    /// What lists and searches show, if that is older.
    index: Option<Index>,
    tell: Option<Tell>,
}

/// Is told of a record before and after a change; none: there was or is no such record.
pub(super) type Tell = Box<dyn Fn(Option<&Record>, Option<&Record>) + Send + Sync>;

/// Lists that lag behind.
struct Index {
    shelf: Shelf,
    by: Duration,
    /// Changes that are not in it yet, and when they were made.
    to_come: VecDeque<(Instant, String, Option<Record>)>,
}

impl Location {
    pub fn new(records: Vec<Record>, lag: Duration) -> Self {
        let keyed = records.into_iter().map(|record| {
            let id = record.contact["id"].as_str().unwrap_or_default().to_owned();
            (id, Entry::new(record))
        });
        let now = Shelf { entries: keyed.collect(), order: Vec::new() };
        let mut location = Self { now, index: None, tell: None };
        location.now.sort();
        location.lag(lag);
        location
    }

    /// From now on, lists and searches show the contacts as they were so long ago.
    pub fn lag(&mut self, by: Duration) {
        match &mut self.index {
            _ if by.is_zero() => self.index = None,
            Some(index) => index.by = by,
            None => self.index = Some(Index { shelf: self.now.clone(), by, to_come: VecDeque::new() }),
        }
    }

    /// Whether lists have to catch up before they are looked at.
    pub fn lags(&self) -> bool {
        self.index.is_some()
    }

    pub fn catch_up(&mut self, now: Instant) {
        let Some(index) = &mut self.index else { return };
        while index.to_come.front().is_some_and(|(made, ..)| now.saturating_duration_since(*made) >= index.by) {
            if let Some((_, id, record)) = index.to_come.pop_front() {
                index.shelf.put(&id, record);
            }
        }
    }

    fn listed(&self) -> &Shelf {
        self.index.as_ref().map_or(&self.now, |index| &index.shelf)
    }

    fn put(&mut self, id: &str, record: Option<Record>) {
        if let Some(index) = &mut self.index {
            index.to_come.push_back((Instant::now(), id.to_owned(), record.clone()));
        }
        let before = self.now.put(id, record);
        if let Some(tell) = &self.tell {
            tell(before.as_ref(), self.get(id));
        }
    }

    /// From now on this is told of changes.
    pub fn watch(&mut self, tell: Tell) {
        self.tell = Some(tell);
    }

    pub fn get(&self, id: &str) -> Option<&Record> {
        self.now.entries.get(id).map(|entry| &entry.record)
    }

    /// Contacts after a place in the list, each with its own place.
    pub fn after(&self, cursor: Option<Cursor>) -> impl Iterator<Item = (Cursor<'_>, &Record)> {
        let passed = |at: &(i64, String)| cursor.is_some_and(|c| listed((at.0, &at.1), c).is_le());
        let shelf = self.listed();
        let start = shelf.order.partition_point(passed);
        let rest = shelf.order[start..].iter();
        rest.filter_map(|(added, id)| Some(((*added, id.as_str()), &shelf.entries.get(id)?.record)))
    }

    /// Whether name, mail, phone or company has the text, which must be in lower case.
    pub fn mentions(&self, id: &str, text: &str) -> bool {
        self.listed().entries.get(id).is_some_and(|entry| entry.searched.contains(text))
    }

    /// A contact with this mail or phone: which of the two, its id and its name.
    pub fn same(&self, email: Option<&str>, phone: Option<&str>) -> Option<(&'static str, String, String)> {
        let wanted = |text: Option<&str>| text.map(str::to_lowercase).filter(|text| !text.is_empty());
        let find = |key: &'static str, text: Option<String>| {
            let has =
                |entry: &Entry| text.is_some() && entry.record.contact[key].as_str().map(str::to_lowercase) == text;
            let Shelf { entries, order } = &self.now;
            let (_, id) = order.iter().find(|(_, id)| entries.get(id).is_some_and(has))?;
            Some((key, id.clone(), full_name(&entries.get(id)?.record.contact)))
        };
        find("email", wanted(email)).or_else(|| find("phone", wanted(phone)))
    }

    pub fn add(&mut self, record: Record) {
        let id = record.contact["id"].as_str().unwrap_or_default().to_owned();
        self.put(&id, Some(record));
    }

    pub fn ids(&self) -> Vec<String> {
        self.now.order.iter().map(|(_, id)| id.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.listed().order.len()
    }

    /// False when there is no such contact.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Record)) -> bool {
        let Some(mut record) = self.get(id).cloned() else {
            return false;
        };
        change(&mut record);
        self.put(id, Some(record));
        true
    }

    /// False when there was no such contact.
    pub fn remove(&mut self, id: &str) -> bool {
        let was_there = self.get(id).is_some();
        self.put(id, None);
        was_there
    }
}

/// All locations, by id.
pub(super) type Store = HashMap<String, Location>;
