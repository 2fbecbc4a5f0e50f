//! What an event means for what is held: exactly what it concerns is forgotten, and nothing that it says is believed.

use std::collections::HashSet;

use super::Event;
use crate::cache::View;
use crate::changes::{Change, ChangeKind, ChangedResource};
use crate::config::{Auth, Config};
use crate::resources::changed::Changed;
use crate::upstream::{Behind, Id, Upstream};

/// Whose events concern this gateway.
pub enum Served {
    /// Those of its locations.
    These(HashSet<Box<str>>),
    /// Everybody's: its callers name their location themselves.
    Any,
}

impl Served {
    pub fn new(config: &Config) -> Self {
        let locations = config.locations.iter().map(|location| &*location.id);
        match &config.auth {
            Auth::Passthrough(passthrough) => match &passthrough.location {
                Some(only) => Self::These(HashSet::from([only.as_str().into()])),
                None => Self::Any,
            },
            _ => Self::These(locations.map(Into::into).collect()),
        }
    }

    fn serves(&self, location: &str) -> bool {
        match self {
            Self::These(locations) => locations.contains(location),
            Self::Any => true,
        }
    }
}

/// The change that an event tells of, or why nothing follows from it.
pub fn change(event: Option<&Event>, served: &Served) -> Result<Change, &'static str> {
    let event = event.ok_or("it is no JSON object with a type")?;
    event.about().ok_or("its type is not one that anything follows from")?;
    let change = event.change().ok_or("it does not tell its location or its contact")?;
    if Id::of_contact(&change.contact).is_err() {
        return Err("what it names as its contact is no id");
    }
    if !served.serves(&change.location) {
        return Err("its location is not served here");
    }
    Ok(change)
}

/// Forgets what a change concerns, in the eyes of every credential.
pub fn forget(upstream: &Upstream, change: &Change) {
    let Change { location, kind, resource, resource_id, contact } = change;
    let changed = match (resource, kind) {
        (ChangedResource::Contact, ChangeKind::Created) => Changed::ContactCame(contact),
        (ChangedResource::Contact, ChangeKind::Updated) => Changed::Contact(contact),
        (ChangedResource::Contact, ChangeKind::Deleted) => Changed::ContactGone(contact),
        (ChangedResource::Task, _) => {
            resource_id.as_ref().map_or(Changed::AnyTask(contact), |id| Changed::Task(contact, id))
        }
        (ChangedResource::Note, _) => {
            resource_id.as_ref().map_or(Changed::AnyNote(contact), |id| Changed::Note(contact, id))
        }
        (ChangedResource::Appointment, _) => Changed::Appointments(contact),
    };
    let behind = match resource {
        ChangedResource::Contact => Behind::Row(contact),
        ChangedResource::Task => Behind::Tasks(contact),
        ChangedResource::Note | ChangedResource::Appointment => Behind::Nothing,
    };
    // What is to be forgotten is known by its location, whoever looks at it.
    let view = View::new(location, "events");
    upstream.changed_elsewhere(location, behind, |tell| changed.tell(&view, tell));
}
