//! What a subscription is about, and what one execution of it is told.

use std::sync::{Arc, OnceLock};

use crate::changes::{Change, ChangeKind, ChangedResource, Notice};

/// What a request has to do with changes.
#[derive(Clone, Debug, Default)]
pub enum Live {
    /// Nothing.
    #[default]
    No,
    /// A subscription begins, and notes here what it watches for.
    Begins(Arc<OnceLock<Wanted>>),
    /// A subscription is told this.
    Told(Arc<Notice>),
}

/// What a subscription watches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The contact; `None`: all of the location.
    pub contact: Option<Box<str>>,
    /// What happened; empty: whatever it was.
    pub kinds: Box<[ChangeKind]>,
    /// To what; empty: whatever it was.
    pub resources: Box<[ChangedResource]>,
}

impl Wanted {
    /// Every change of a contact.
    pub fn of_contact(id: &str) -> Self {
        Self { contact: Some(id.into()), kinds: Box::default(), resources: Box::default() }
    }

    /// Whether a change of what is watched is one that it wants to be told.
    pub fn wants(&self, change: &Change) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&change.kind);
        kind && (self.resources.is_empty() || self.resources.contains(&change.resource))
    }
}
