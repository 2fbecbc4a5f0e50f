//! An input on its way upstream: checked field by field, every problem told, and spelled as the upstream spells it.

use std::fmt::Write;

use async_graphql::{Context, MaybeUndefined, Value};
use serde_json::Map;

use super::error::Error;
use super::request::Request;
use super::scalars::DateTime;
use super::scope::Scope;
use crate::upstream::{Id, NoId};

/// A step of the way to a value of the input: the name of a field, or a place in a list.
#[derive(Clone, Copy)]
pub enum Step {
    Field(&'static str),
    Place(usize),
}

impl From<&'static str> for Step {
    fn from(name: &'static str) -> Self {
        Self::Field(name)
    }
}

impl From<usize> for Step {
    fn from(place: usize) -> Self {
        Self::Place(place)
    }
}

/// How the upstream is told that a field has no value any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cleared {
    /// By null, where it declares the field nullable.
    Null,
    /// By an empty text.
    Empty,
    /// Not at all: there is nothing to clear in what is only created.
    Unsaid,
}

/// The body of a write, and what is wrong with the input that it is made from.
#[derive(Default)]
pub struct Draft {
    body: Map<String, serde_json::Value>,
    problems: Vec<Error>,
}

impl Draft {
    /// Notes a problem; `what` goes on after the name of the value.
    pub fn problem(&mut self, way: &[Step], what: &str) {
        let mut label = String::new();
        let mut path = vec![Value::from("input")];
        for step in way {
            // Writing to a text cannot fail.
            let _ = match step {
                Step::Field(name) if label.is_empty() => write!(label, "{name}"),
                Step::Field(name) => write!(label, ".{name}"),
                Step::Place(place) => write!(label, "[{place}]"),
            };
            path.push(match *step {
                Step::Field(name) => name.into(),
                Step::Place(place) => (place as u64).into(),
            });
        }
        let label = if label.is_empty() { "input" } else { &label };
        self.problems.push(Error::bad_input_at(path, format!("`{label}` {what}.")));
    }

    /// Says a value.
    pub fn say(&mut self, wire: &str, value: impl Into<serde_json::Value>) {
        self.body.insert(wire.to_owned(), value.into());
    }

    /// Says a text as it is, or that there is none any more.
    pub fn text(&mut self, wire: &str, given: MaybeUndefined<String>, cleared: Cleared) {
        match given {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Value(text) => self.say(wire, text),
            MaybeUndefined::Null => self.clear(wire, cleared),
        }
    }

    /// Says that a field has no value any more.
    pub fn clear(&mut self, wire: &str, cleared: Cleared) {
        match cleared {
            Cleared::Null => self.say(wire, serde_json::Value::Null),
            Cleared::Empty => self.say(wire, ""),
            Cleared::Unsaid => {}
        }
    }

    /// Says a text that passes a test, or that there is none any more.
    pub fn tested(
        &mut self,
        (field, wire): (&'static str, &str),
        given: MaybeUndefined<String>,
        cleared: Cleared,
        (passes, otherwise): (fn(&str) -> bool, &str),
    ) {
        match &given {
            MaybeUndefined::Value(text) if !passes(text) => self.problem(&[field.into()], otherwise),
            _ => self.text(wire, given, cleared),
        }
    }

    /// Says a text that has something in it and can't be cleared.
    pub fn words(&mut self, (field, wire): (&'static str, &str), given: MaybeUndefined<String>) {
        match given {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => self.problem(&[field.into()], CANT_BE_CLEARED),
            MaybeUndefined::Value(text) if text.trim().is_empty() => self.problem(&[field.into()], IS_EMPTY),
            MaybeUndefined::Value(text) => self.say(wire, text),
        }
    }

    /// Says yes or no, which can't be cleared.
    pub fn flag(&mut self, field: &'static str, given: MaybeUndefined<bool>) {
        match given {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => self.problem(&[field.into()], CANT_BE_CLEARED),
            MaybeUndefined::Value(flag) => self.say(field, flag),
        }
    }

    /// Says a moment, which can't be cleared.
    pub fn moment(&mut self, field: &'static str, given: MaybeUndefined<DateTime>) {
        match given {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => self.problem(&[field.into()], CANT_BE_CLEARED),
            MaybeUndefined::Value(moment) => match moment.at_all() {
                Some(moment) => self.say(field, moment.to_string()),
                None => self.problem(&[field.into()], "is not a moment in RFC 3339 with an offset"),
            },
        }
    }

    /// An id that goes into the path. A problem with it is noted, and `None`.
    pub fn id(&mut self, field: &'static str, given: Result<Id, NoId>) -> Option<Id> {
        given.map_err(|why| self.problem(&[field.into()], &why.to_string())).ok()
    }

    /// Notes the problem that an input changes nothing, if it has no other.
    pub fn must_say(&mut self, what: &str) {
        if self.body.is_empty() && self.problems.is_empty() {
            self.problem(&[], what);
        }
    }

    /// What was said of a field so far.
    pub fn said(&self, wire: &str) -> Option<&serde_json::Value> {
        self.body.get(wire)
    }

    /// The body, when the caller may change things and nothing is wrong. Otherwise each problem becomes an error of the
    /// field that is resolved, and `None`: there is no other way to a body, so none is sent for who may not.
    pub fn done(mut self, ctx: &Context<'_>) -> Option<Map<String, serde_json::Value>> {
        if let Err(refused) = Request::of(ctx).may(Scope::ContactsWrite) {
            self.problems = vec![refused];
        }
        if self.problems.is_empty() {
            return Some(self.body);
        }
        self.problems.into_iter().for_each(|problem| problem.add(ctx));
        None
    }
}

/// What is wrong with a null that nothing upstream stands for.
pub const CANT_BE_CLEARED: &str = "can't be cleared: leave it out to leave it as it is";

/// What is wrong with a text of blanks.
pub const IS_EMPTY: &str = "must have something in it";
