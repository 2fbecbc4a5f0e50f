//! A task as the gateway holds it.

use jiff::Timestamp;

use crate::upstream::wire::Text;

/// Something to do for a contact.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: Box<str>,
    pub contact_id: Box<str>,
    pub title: Text,
    pub body: Text,
    pub completed: Option<bool>,
    pub due_date: Option<Timestamp>,
    pub priority: Text,
    pub assigned_to: Text,
}
