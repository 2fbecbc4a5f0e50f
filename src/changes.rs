//! What changed, told to those who watch for it: a leaf that everyone may use.

use std::sync::Arc;

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It is another now.
    Updated,
    /// It is gone.
    Deleted,
}

/// What sort of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
