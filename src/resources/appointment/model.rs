//! An appointment as the gateway holds it.

use jiff::Timestamp;

use super::AppointmentStatus;
use crate::upstream::wire::Text;

/// A meeting with a contact.
#[derive(Clone, Debug)]
pub struct Appointment {
    pub id: Box<str>,
    pub contact_id: Box<str>,
    pub title: Text,
    pub status: Option<AppointmentStatus>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub address: Text,
    pub notes: Text,
    pub calendar_id: Text,
    pub group_id: Text,
    pub assigned_user_id: Text,
    pub users: Box<[Box<str>]>,
    pub date_created: Option<Timestamp>,
    pub date_updated: Option<Timestamp>,
}
