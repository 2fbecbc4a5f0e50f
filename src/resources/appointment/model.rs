//! An appointment as the gateway holds it.

use jiff::Timestamp;

use super::AppointmentStatus;
use crate::resources::texts::Texts;

/// A meeting with a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Appointment {
    /// In the order of the methods.
    pub texts: Texts<8>,
    pub status: Option<AppointmentStatus>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub users: Box<[Box<str>]>,
    pub date_created: Option<Timestamp>,
    pub date_updated: Option<Timestamp>,
}

impl Appointment {
    /// Its id.
    pub fn id(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    /// Whose it is.
    pub fn contact_id(&self) -> &str {
        self.texts.get(1).unwrap_or_default()
    }

    /// What it is about.
    pub fn title(&self) -> Option<&str> {
        self.texts.get(2)
    }

    /// Where it is.
    pub fn address(&self) -> Option<&str> {
        self.texts.get(3)
    }

    /// More about it.
    pub fn notes(&self) -> Option<&str> {
        self.texts.get(4)
    }

    /// The calendar that it is in.
    pub fn calendar_id(&self) -> Option<&str> {
        self.texts.get(5)
    }

    /// The group of that calendar.
    pub fn group_id(&self) -> Option<&str> {
        self.texts.get(6)
    }

    /// Who holds it.
    pub fn assigned_user_id(&self) -> Option<&str> {
        self.texts.get(7)
    }
}
