//! A note as the gateway holds it.

use jiff::Timestamp;

use crate::upstream::wire::Text;

/// Something written down about a contact.
#[derive(Clone, Debug)]
pub struct Note {
    pub id: Box<str>,
    pub contact_id: Box<str>,
    pub note: Text,
    pub title: Text,
    pub pinned: Option<bool>,
    pub color: Text,
    pub user_id: Text,
    pub date_created: Option<Timestamp>,
}
