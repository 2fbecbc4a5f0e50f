//! A task as the gateway holds it.

use jiff::Timestamp;

use crate::resources::texts::Texts;

/// Something to do for a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// In the order of the methods.
    pub texts: Texts<6>,
    pub completed: Option<bool>,
    pub due_date: Option<Timestamp>,
}

impl Task {
    /// Its id.
    pub fn id(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    /// Whose it is.
    pub fn contact_id(&self) -> &str {
        self.texts.get(1).unwrap_or_default()
    }

    /// What is to be done.
    pub fn title(&self) -> Option<&str> {
        self.texts.get(2)
    }

    /// More about it.
    pub fn body(&self) -> Option<&str> {
        self.texts.get(3)
    }

    /// How urgent it is.
    pub fn priority(&self) -> Option<&str> {
        self.texts.get(4)
    }

    /// Who is to do it.
    pub fn assigned_to(&self) -> Option<&str> {
        self.texts.get(5)
    }
}
