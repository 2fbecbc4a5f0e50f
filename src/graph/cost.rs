//! What fields cost upstream, as data: each resource has a table of its fields, and plans of operations are made of these.

use std::time::Duration;

use super::request::Request;
use super::scope::Scope;
use crate::upstream::{Id, Route, Ttls};

/// A call that fields need.
pub struct Call {
    /// The route that is called.
    pub route: Route,
    /// What it is for, for people.
    pub what: &'static str,
    /// What is kept of its answer; `None`: it changes something, and is sent every time.
    pub kept: Option<Kept>,
}

/// What is kept of a call's answer.
pub struct Kept {
    /// How long.
    pub ttl: fn(&Ttls) -> Duration,
    /// Whether the answer about these ids is held, with these parts of it.
    pub is_held: fn(&Request, &[Id], &[&str]) -> bool,
}

impl Call {
    /// A call that reads.
    pub const fn read(
        route: Route,
        what: &'static str,
        ttl: fn(&Ttls) -> Duration,
        is_held: fn(&Request, &[Id], &[&str]) -> bool,
    ) -> Self {
        Self { route, what, kept: Some(Kept { ttl, is_held }) }
    }

    /// A call that changes something.
    pub const fn write(route: Route, what: &'static str) -> Self {
        Self { route, what, kept: None }
    }
}

/// What a field costs. Whatever is not here has its value from the object that it is a field of.
pub enum Cost {
    /// The record that these arguments name; the first names its contact.
    Record(&'static Call, &'static [&'static str]),
    /// A record for each of the different ids of this argument.
    Records(&'static Call, &'static str),
    /// A record for each of the representations in this argument, by their types.
    Entities(&'static str, &'static [(&'static str, Cost)]),
    /// The rows of a list.
    List(&'static Pages),
    /// Whether there is a row more.
    NextPage,
    /// All that the contact has of a kind.
    OfContact(&'static Call),
    /// The contact, where something that belongs to it is known.
    Contact(&'static Call),
    /// A part of a contact; `in_rows`: the rows of lists tell it.
    Part { of: &'static Call, in_rows: bool },
    /// A change.
    Change(&'static Change),
    /// No call: it is told of changes, to who has this scope.
    Watch(Scope),
}

/// A list that is read page by page.
pub struct Pages {
    /// The call for a page.
    pub page: Call,
    /// The call for the record of one row.
    pub row: &'static Call,
    /// The argument that names whose list it is, if it is somebody's.
    pub of: Option<&'static str>,
    /// How many rows there are where the caller does not say.
    pub first: usize,
    /// Most rows of a page.
    pub most: usize,
    /// Most pages that are read beside those that the rows need.
    pub spare: usize,
    /// What the cache has of it.
    pub seen: fn(&Request, &Rows<'_>) -> Option<Seen>,
}

/// Which rows of a list are asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rows<'a> {
    /// Whose list it is.
    pub of: Option<Id>,
    /// The words that are looked for.
    pub search: Option<&'a str>,
    /// The cursor that it goes on after.
    pub after: Option<&'a str>,
    /// How many.
    pub first: usize,
    /// Whether it has to be known whether there is one more.
    pub wants_next: bool,
}

/// The beginning of a list as the cache has it.
pub struct Seen {
    /// Its rows, without those that are not shown.
    pub rows: Vec<Row>,
    /// How many rows have to be asked for yet; zero: none.
    pub missing: usize,
}

/// A row of a list that the cache has.
pub struct Row {
    /// The record that it shows.
    pub id: Id,
    /// Whether it is read by its id whatever the row tells.
    pub is_behind: bool,
    /// Whether the row tells this part of it.
    pub tells: Box<dyn Fn(&str) -> bool>,
}

/// A change, and what is known when it was made.
pub struct Change {
    /// The call that makes it.
    pub call: Call,
    /// The ids in its input; none: it makes something new.
    pub ids: &'static [&'static str],
    /// What is looked up first where a key opens several locations.
    pub before: Option<&'static Call>,
    /// The parts of the contact that are surely known from its answer.
    pub told: &'static [&'static str],
}

/// The fields of a type, each of them once.
pub struct Fields {
    /// The type.
    pub on: &'static str,
    /// Those that may cost something.
    pub costs: &'static [(&'static str, Cost)],
    /// Those whose value is there.
    pub at_hand: &'static [&'static str],
}

/// The ids of a record, from its contact's on.
pub type Ids = Vec<Id>;

/// Ids as callers give them; the first is a contact's. `None`: one of them is none, so that nothing is asked.
pub fn ids(texts: &[&str]) -> Option<Ids> {
    let id = |(place, text): (usize, &&str)| if place == 0 { Id::of_contact(text) } else { Id::new(text) };
    texts.iter().enumerate().map(|place| id(place).ok()).collect()
}

/// The id of whoever has a list.
pub fn owner(text: &str) -> Option<Id> {
    Id::new(text).ok()
}
