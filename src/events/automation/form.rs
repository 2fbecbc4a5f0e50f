//! Reads the file of automations key by key, and gathers everything that is wrong with it.

use std::fmt;
use std::time::Duration;

use toml::{Table, Value};

use super::template::{Goes, Template};
use super::trigger::brief;

/// Something that is wrong with an automation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which automation; empty: the file.
    pub automation: String,
    /// What is wrong, and what is expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.automation.is_empty() {
            true => write!(f, "automations: {}", self.what),
            false => write!(f, "automation `{}`: {}", self.automation, self.what),
        }
    }
}

/// One automation that is read.
pub struct Form<'a> {
    /// Its name, or its place.
    pub name: String,
    pub problems: &'a mut Vec<Problem>,
}

impl Form<'_> {
    /// Notes what is wrong.
    pub fn problem(&mut self, what: &str) {
        self.problems.push(Problem { automation: self.name.clone(), what: what.to_owned() });
    }

    /// Tells of the keys that nobody asked for.
    pub fn rest(&mut self, table: &Table, of: &str, known: &str) {
        for key in table.keys() {
            self.problem(&format!("{of} has `{}`, which is not one of its keys: {known}", brief(key)));
        }
    }

    /// A text that is a template. `what`: its name.
    pub fn template(&mut self, what: &str, value: &Value, goes: Goes) -> Option<Template> {
        let Some(source) = value.as_str() else {
            self.problem(&format!("{what} is not a text"));
            return None;
        };
        let read = Template::read(source, goes);
        read.map_err(|why| self.problem(&format!("{what} {why}"))).ok()
    }

    /// A template that has to be there, and is not blank.
    pub fn must(&mut self, table: &mut Table, of: &str, key: &str) -> Option<Template> {
        let what = format!("`{key}` of {of}");
        match table.remove(key) {
            Some(Value::String(text)) if text.trim().is_empty() => self.problem(&format!("{what} is empty")),
            Some(value) => return self.template(&what, &value, Goes::Text),
            None => self.problem(&format!("{what} is missing")),
        }
        None
    }

    /// A template that may be there. `Some(None)`: it is not.
    pub fn may(&mut self, table: &mut Table, of: &str, key: &str) -> Option<Option<Template>> {
        match table.remove(key) {
            Some(value) => self.template(&format!("`{key}` of {of}"), &value, Goes::Text).map(Some),
            None => Some(None),
        }
    }
}

/// A time above zero.
pub fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|time| !time.is_zero())
}
