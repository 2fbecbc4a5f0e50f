//! A note as the gateway holds it.

use jiff::Timestamp;

use crate::resources::texts::Texts;

/// Something written down about a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// In the order of the methods.
    pub texts: Texts<6>,
    pub pinned: Option<bool>,
    pub date_created: Option<Timestamp>,
}

impl Note {
    /// Its id.
    pub fn id(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    /// Whose it is.
    pub fn contact_id(&self) -> &str {
        self.texts.get(1).unwrap_or_default()
    }

    /// What is written.
    pub fn note(&self) -> Option<&str> {
        self.texts.get(2)
    }

    /// Its title.
    pub fn title(&self) -> Option<&str> {
        self.texts.get(3)
    }

    /// Its colour.
    pub fn color(&self) -> Option<&str> {
        self.texts.get(4)
    }

    /// Who wrote it.
    pub fn user_id(&self) -> Option<&str> {
        self.texts.get(5)
    }
}
