//! The `when` of an automation: events of the upstream, or a moment before or after a date of a record.

use std::time::Duration;

use toml::{Table, Value};

use super::form::{Form, duration};
use crate::changes::ChangedResource;

/// The events that automations follow, and what each is about.
pub const EVENTS: [(&str, ChangedResource); 14] = [
    ("ContactCreate", ChangedResource::Contact),
    ("ContactUpdate", ChangedResource::Contact),
    ("ContactTagUpdate", ChangedResource::Contact),
    ("ContactDndUpdate", ChangedResource::Contact),
    ("ContactDelete", ChangedResource::Contact),
    ("NoteCreate", ChangedResource::Note),
    ("NoteUpdate", ChangedResource::Note),
    ("NoteDelete", ChangedResource::Note),
    ("TaskCreate", ChangedResource::Task),
    ("TaskComplete", ChangedResource::Task),
    ("TaskDelete", ChangedResource::Task),
    ("AppointmentCreate", ChangedResource::Appointment),
    ("AppointmentUpdate", ChangedResource::Appointment),
    ("AppointmentDelete", ChangedResource::Appointment),
];

/// The dates that a schedule may go by.
const DATES: [(&str, ChangedResource, &str); 3] = [
    ("appointment.startTime", ChangedResource::Appointment, "startTime"),
    ("appointment.endTime", ChangedResource::Appointment, "endTime"),
    ("task.dueDate", ChangedResource::Task, "dueDate"),
];

/// Longest time of a schedule.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// When an automation runs.
#[derive(Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At each of these events.
    Events(Vec<&'static str>),
    /// At a moment that a date of a record tells.
    Moment(Moment),
}

/// A moment before or after a date of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Of what the date is.
    pub of: ChangedResource,
    /// Its name in the schema.
    pub date: &'static str,
    /// Whether it is before that.
    pub before: bool,
    /// By how long.
    pub by: Duration,
}

impl Trigger {
    /// Reads a `when`; what is wrong with it goes to the form.
    pub fn read(value: &Value, form: &mut Form<'_>) -> Option<Self> {
        match value {
            Value::String(name) => Some(Self::Events(vec![event(name, form)?])),
            Value::Array(all) if !all.is_empty() => {
                let names: Vec<_> = all.iter().map(|name| event(name.as_str().unwrap_or_default(), form)).collect();
                Some(Self::Events(names.into_iter().collect::<Option<_>>()?))
            }
            Value::Table(table) => Moment::read(table.clone(), form).map(Self::Moment),
            _ => {
                form.problem(
                    "`when` is an event, a list of events, or { before = \"appointment.startTime\", by = \"24h\" }",
                );
                None
            }
        }
    }

    /// What all of its events are about, if that is one sort of thing.
    pub fn about(&self) -> Option<ChangedResource> {
        match self {
            Self::Moment(moment) => Some(moment.of),
            Self::Events(names) => {
                let mut each = names.iter().map(|name| about(name));
                let first = each.next()?;
                each.all(|other| other == first).then_some(first)?
            }
        }
    }
}

/// What an event is about.
pub fn about(event: &str) -> Option<ChangedResource> {
    EVENTS.iter().find(|(name, _)| *name == event).map(|(_, about)| *about)
}

fn event(name: &str, form: &mut Form<'_>) -> Option<&'static str> {
    let known = EVENTS.iter().find(|(known, _)| *known == name);
    if known.is_none() {
        let all: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
        form.problem(&format!("`when` is `{}`, which is no event; there are {}", brief(name), all.join(", ")));
    }
    known.map(|(name, _)| *name)
}

impl Moment {
    fn read(mut table: Table, form: &mut Form<'_>) -> Option<Self> {
        let (before, after, by) = (table.remove("before"), table.remove("after"), table.remove("by"));
        for key in table.keys() {
            form.problem(&format!("`when` has `{}`; a schedule has `before` or `after`, and `by`", brief(key)));
        }
        let (date, is_before) = match (before, after) {
            (Some(date), None) => (date, true),
            (None, Some(date)) => (date, false),
            _ => {
                form.problem("`when` has either `before` or `after`");
                return None;
            }
        };
        let found = date.as_str().and_then(|text| DATES.iter().find(|(name, ..)| *name == text));
        if found.is_none() {
            let all: Vec<&str> = DATES.iter().map(|(name, ..)| *name).collect();
            form.problem(&format!("`when` goes by a date that is not there; there are {}", all.join(", ")));
        }
        let by = by.as_ref().and_then(Value::as_str).and_then(duration).filter(|by| *by <= LONGEST);
        if by.is_none() {
            form.problem("`by` is a time up to a year, as 30m, 24h or 2d");
        }
        let (_, of, date) = *found?;
        Some(Self { of, date, before: is_before, by: by? })
    }
}

/// What somebody wrote, short enough to repeat.
pub fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;

    #[test]
    fn every_event_is_one_of_the_upstreams() {
        for (name, about) in EVENTS {
            let event = Event::read(format!(r#"{{"type":"{name}"}}"#).as_bytes()).expect("an event");
            assert_eq!(event.about().map(|(about, _)| about), Some(about), "{name}");
        }
    }
}
