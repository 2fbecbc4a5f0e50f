//! An event as it was sent: flat or wrapped, whole or not. It is a hint; nothing of it is ever answered as true.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::changes::{Change, ChangeKind, ChangedResource};

/// One event. Where a key is missing or of another sort than expected, it tells less.
#[derive(Clone, Debug)]
pub struct Event {
    /// The sender's id of it (`webhookId`).
    pub id: Option<Box<str>>,
    /// Its `type`, known or not.
    pub kind: Box<str>,
    /// Where it happened (`locationId`).
    pub location: Option<Arc<str>>,
    /// When it was sent first.
    pub timestamp: Option<Timestamp>,
    /// Everything that was sent.
    pub body: Value,
}

/// Why bytes are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object with a `type`")]
pub struct Unreadable;

impl Event {
    /// Reads what was sent.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = text("type").ok_or(Unreadable)?.into();
        let id = text("webhookId").map(Into::into);
        let location = text("locationId").map(Into::into);
        let timestamp = text("timestamp").and_then(|at| at.parse().ok());
        Ok(Self { id, kind, location, timestamp, body })
    }

    /// The record that it is about: nested under `appointment` or `data`, or the body itself.
    pub fn record(&self) -> &Value {
        let nested = ["appointment", "data"].iter().filter_map(|name| self.body.get(name));
        nested.into_iter().find(|value| value.is_object()).unwrap_or(&self.body)
    }

    /// What sort of thing it is about, and what happened to that.
    pub fn about(&self) -> Option<(ChangedResource, ChangeKind)> {
        use ChangeKind::{Created, Deleted, Updated};
        use ChangedResource::{Appointment, Contact, Note, Task};
        Some(match &*self.kind {
            "ContactCreate" => (Contact, Created),
            "ContactUpdate" | "ContactTagUpdate" | "ContactDndUpdate" => (Contact, Updated),
            "ContactDelete" => (Contact, Deleted),
            "TaskCreate" => (Task, Created),
            "TaskComplete" => (Task, Updated),
            "TaskDelete" => (Task, Deleted),
            "NoteCreate" => (Note, Created),
            "NoteUpdate" => (Note, Updated),
            "NoteDelete" => (Note, Deleted),
            "AppointmentCreate" => (Appointment, Created),
            "AppointmentUpdate" => (Appointment, Updated),
            "AppointmentDelete" => (Appointment, Deleted),
            // The gateway's own: a date that somebody waited for has come, so what is held of it is looked at anew.
            "TaskDue" => (Task, Updated),
            "AppointmentDue" => (Appointment, Updated),
            _ => return None,
        })
    }

    /// Whether it is the gateway's own: a date has come, and nothing changed.
    pub fn is_due(&self) -> bool {
        matches!(&*self.kind, "TaskDue" | "AppointmentDue")
    }

    /// The change that it tells of, if it says whose.
    pub fn change(&self) -> Option<Change> {
        let (resource, kind) = self.about()?;
        let record = self.record();
        let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("id");
        let contact = match resource {
            ChangedResource::Contact => id.or_else(|| text("contactId")),
            _ => text("contactId"),
        };
        let (location, contact) = (self.location.clone()?, contact?.into());
        Some(Change { location, kind, resource, resource_id: id.map(Into::into), contact })
    }
}
