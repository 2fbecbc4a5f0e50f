//! What is done with the calls that a plan comes to: they are counted, or told apart.

use std::collections::{BTreeSet, HashMap};

use crate::graph::cost::{Call, Ids, Pages, Rows, Seen, ids};
use crate::graph::{Request, Scope};

/// What a call asks about.
pub enum Subject<'a> {
    /// The record with these ids.
    Ids(&'a [&'a str]),
    /// Each row of a list.
    Rows(&'a str),
    /// A page of a list: after so many rows, and at most so long.
    Page(&'a str, usize, usize),
    /// What comes of changes that a list of so many rows does not show yet.
    Late(&'a str, usize),
    /// What is made.
    New,
}

/// The beginning of a list.
pub enum Beginning {
    /// It is not looked for.
    Unknown,
    /// It is not read, since its arguments are refused.
    Refused,
    /// What the cache has of it.
    Seen(Seen),
}

/// What takes note of calls.
pub trait Tally {
    /// Whether it looks at what calls are about.
    const LOOKS: bool;

    /// Notes so many calls, for this part of what they are about if they are for a part of it. False: it is no id that they are
    /// about, and they are not made.
    fn add(&mut self, call: &'static Call, about: &Subject<'_>, times: u64, part: Option<&'static str>) -> bool;

    /// Notes that a part is asked of what a call is made for anyway.
    fn part(&mut self, call: &'static Call, id: &str, part: &'static str);

    /// What there is of a list already.
    fn seen(&self, pages: &Pages, rows: &Rows<'_>) -> Beginning;

    /// How many contacts were changed so lately that lists may not show it, at most.
    fn late(&mut self) -> u64;

    /// Whether the key of the location opens others, too.
    fn opens_others(&self) -> bool;

    /// Notes that something was changed: what was asked before has to be asked anew.
    fn turn(&mut self);

    /// Notes that changes are told, to who has this scope.
    fn watch(&mut self, scope: Scope);
}

/// Counts calls, each as often as it comes, with as many changes as there can be.
pub struct AtMost {
    count: u64,
    opens_others: bool,
}

impl AtMost {
    pub fn new(opens_others: bool) -> Self {
        Self { count: 0, opens_others }
    }

    pub fn count(&self) -> u64 {
        self.count
    }
}

impl Tally for AtMost {
    const LOOKS: bool = false;

    fn add(&mut self, _: &'static Call, _: &Subject<'_>, times: u64, _: Option<&'static str>) -> bool {
        self.count = self.count.saturating_add(times);
        true
    }

    fn part(&mut self, _: &'static Call, _: &str, _: &'static str) {}

    fn seen(&self, _: &Pages, _: &Rows<'_>) -> Beginning {
        Beginning::Unknown
    }

    fn late(&mut self) -> u64 {
        u64::MAX
    }

    fn opens_others(&self) -> bool {
        self.opens_others
    }

    fn turn(&mut self) {}

    fn watch(&mut self, _: Scope) {}
}

/// What tells calls apart: after how many changes, by which route, about what.
type Key = (u32, &'static str, About);

#[derive(PartialEq, Eq, Hash)]
enum About {
    Ids(Ids),
    Rows(String),
    Page(String, usize, usize),
    Late(String, usize),
    New,
}

struct Entry {
    call: &'static Call,
    times: u64,
    /// The ids and the parts that are asked for, where it can be held.
    ids: Option<Ids>,
    parts: Vec<&'static str>,
}

/// Tells calls apart.
pub struct Calls<'a> {
    request: Option<&'a Request>,
    looks_at_cache: bool,
    turn: u32,
    late: Option<u64>,
    watches: Option<Scope>,
    entries: Vec<Entry>,
    places: HashMap<Key, usize>,
}

impl<'a> Calls<'a> {
    /// `looks_at_cache`: what is held for the request is not counted.
    pub fn new(request: Option<&'a Request>, looks_at_cache: bool) -> Self {
        let (entries, places) = (Vec::new(), HashMap::new());
        Self { request, looks_at_cache, turn: 0, late: None, watches: None, entries, places }
    }

    /// The request whose cache is looked at.
    fn cache(&self) -> Option<&'a Request> {
        self.request.filter(|_| self.looks_at_cache)
    }

    /// The calls, without those whose answers are held.
    pub fn plan(self) -> Plan {
        let cache = self.cache();
        let is_held = |entry: &Entry| {
            let (Some(request), Some(kept), Some(ids)) = (cache, &entry.call.kept, &entry.ids) else { return false };
            (kept.is_held)(request, ids, &entry.parts)
        };
        let mut calls: Vec<(&'static Call, u64)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| !is_held(entry)) {
            let same = calls.iter_mut().find(|(call, _)| std::ptr::eq(*call, entry.call));
            match same {
                Some((_, times)) => *times += entry.times,
                None => calls.push((entry.call, entry.times)),
            }
        }
        Plan { calls, watches: self.watches }
    }

    fn note(&mut self, part: Option<&'static str>, place: usize) {
        let parts = &mut self.entries[place].parts;
        parts.extend(part.filter(|part| !parts.contains(part)));
    }
}

impl Tally for Calls<'_> {
    const LOOKS: bool = true;

    fn add(&mut self, call: &'static Call, about: &Subject<'_>, times: u64, part: Option<&'static str>) -> bool {
        let about = match *about {
            Subject::Ids(texts) => match ids(texts) {
                Some(ids) => About::Ids(ids),
                None => return false,
            },
            Subject::Rows(list) => About::Rows(list.to_owned()),
            Subject::Page(list, after, limit) => About::Page(list.to_owned(), after, limit),
            Subject::Late(list, rows) => About::Late(list.to_owned(), rows),
            Subject::New => About::New,
        };
        let ids = match &about {
            About::Ids(ids) => Some(ids.clone()),
            _ => None,
        };
        let next = self.entries.len();
        let place = *self.places.entry((self.turn, call.route.template, about)).or_insert(next);
        match self.entries.get_mut(place) {
            Some(entry) => entry.times = entry.times.max(times),
            None => self.entries.push(Entry { call, times, ids, parts: Vec::new() }),
        }
        self.note(part, place);
        true
    }

    fn part(&mut self, call: &'static Call, id: &str, part: &'static str) {
        let key = ids(&[id]).map(|ids| (self.turn, call.route.template, About::Ids(ids)));
        if let Some(place) = key.and_then(|key| self.places.get(&key).copied()) {
            self.note(Some(part), place);
        }
    }

    fn seen(&self, pages: &Pages, rows: &Rows<'_>) -> Beginning {
        match self.cache() {
            None => Beginning::Unknown,
            Some(request) => (pages.seen)(request, rows).map_or(Beginning::Refused, Beginning::Seen),
        }
    }

    fn late(&mut self) -> u64 {
        let request = self.request;
        *self.late.get_or_insert_with(|| request.map_or(0, |request| request.changed_lately() as u64))
    }

    fn opens_others(&self) -> bool {
        self.request.is_some_and(|request| request.account().opens_others())
    }

    fn turn(&mut self) {
        self.turn += 1;
    }

    fn watch(&mut self, scope: Scope) {
        self.watches = Some(scope);
    }
}

/// Calls by their routes, with how many there are of each.
pub struct Plan {
    /// In the order in which an operation comes to need them.
    pub calls: Vec<(&'static Call, u64)>,
    /// The scope that it takes to be told of changes, where it is a subscription.
    watches: Option<Scope>,
}

impl Plan {
    /// How many calls these are.
    pub fn count(&self) -> u64 {
        self.calls.iter().fold(0, |sum, (_, times)| sum.saturating_add(*times))
    }

    /// The scopes that it takes: those of its calls, and what it takes to be told of changes.
    pub fn scopes(&self) -> BTreeSet<&'static str> {
        let of_calls = self.calls.iter().map(|(call, _)| call.route.scope);
        of_calls.chain(self.watches.map(Scope::as_str)).collect()
    }
}
