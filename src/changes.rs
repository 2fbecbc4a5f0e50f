//! What changed, told to those who watch for it: a leaf that everyone may use.

mod hub;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use hub::{Changes, Notice, Watch};

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It is another now.
    Updated,
    /// It is gone.
    Deleted,
}

/// What sort of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangedResource {
    /// A contact itself.
    Contact,
    /// One of its tasks.
    Task,
    /// One of its notes.
    Note,
    /// One of its appointments.
    Appointment,
}

/// A change of a contact or of something that belongs to it. It tells that there is something to read, never what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The location that it happened in.
    pub location: Arc<str>,
    /// What happened.
    pub kind: ChangeKind,
    /// To what.
    pub resource: ChangedResource,
    /// Its id, where that was told.
    pub resource_id: Option<Box<str>>,
    /// The contact that it is of.
    pub contact: Box<str>,
}

/// A set of sorts of things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources(u8);

impl Resources {
    /// This set and one more sort.
    #[must_use]
    pub fn with(self, resource: ChangedResource) -> Self {
        Self(self.0 | 1 << resource as u8)
    }

    /// The sorts of either set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this sort is among them.
    pub fn has(self, resource: ChangedResource) -> bool {
        self.0 & 1 << resource as u8 != 0
    }
}
