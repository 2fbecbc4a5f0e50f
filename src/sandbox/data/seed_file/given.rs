//! What a seed file may say: the fields of the GraphQL schema, by its names.

use super::super::super::switches::{Fail, Slow};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value that is filled in where it is left out; null says that there is none.
#[derive(Default)]
pub enum Left<T> {
    #[default]
    Out,
    Empty,
    Given(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Left<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Empty, Self::Given))
    }
}

impl<T> Left<T> {
    pub fn or_fill(self, fill: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::Out => Some(fill()),
            Self::Empty => None,
            Self::Given(value) => Some(value),
        }
    }
}

impl Left<String> {
    pub fn or_text(self, text: &str) -> Option<String> {
        self.or_fill(|| text.to_owned())
    }
}

/// An id that can stand in a path.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Id(pub String);

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        match (1..=128).contains(&text.len()) && text.bytes().all(fits) {
            true => Ok(Self(text)),
            false => Err(format!("`{text}` is no id: expected 1 to 128 letters, digits, `-` and `_`")),
        }
    }
}

/// A time, or how far it is from now.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub enum Moment {
    At(Timestamp),
    FromNow(SignedDuration),
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("`{text}` is no time: expected one as 2027-01-31T09:30:00Z, +2d or -3h");
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'+') => (1, &text[1..]),
            Some(b'-') => (-1, &text[1..]),
            _ => return text.parse().map(Self::At).map_err(|_| expected()),
        };
        let length = humantime::parse_duration(rest).map_err(|_| expected())?;
        let length = SignedDuration::try_from(length).map_err(|_| expected())?;
        Ok(Self::FromNow(length * sign))
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Contact {
    pub id: Option<Id>,
    pub name: Left<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Left<String>,
    pub phone: Left<String>,
    pub company: Option<String>,
    pub website: Option<String>,
    pub r#type: Left<String>,
    pub source: Left<String>,
    pub timezone: Left<String>,
    pub tags: Vec<String>,
    pub dnd: bool,
    pub address: Option<Address>,
    pub date_of_birth: Option<String>,
    pub assigned_to: Left<String>,
    pub business_id: Option<Id>,
    pub custom_fields: Vec<CustomField>,
    pub date_created: Option<Moment>,
    pub date_updated: Option<Moment>,
    pub tasks: Vec<Task>,
    pub notes: Vec<Note>,
    pub appointments: Vec<Appointment>,
    pub fail: Fail,
    pub slow: Slow,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Address {
    pub line1: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    pub id: Id,
    pub value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    Open,
    Completed,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Task {
    pub id: Option<Id>,
    pub title: Left<String>,
    pub body: Option<String>,
    pub status: Option<TaskStatus>,
    pub due_date: Left<Moment>,
    pub assigned_to: Left<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Note {
    pub id: Option<Id>,
    pub note: Left<String>,
    pub title: Option<String>,
    pub pinned: bool,
    pub color: Option<String>,
    pub user_id: Left<String>,
    pub date_created: Option<Moment>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AppointmentStatus {
    New,
    #[default]
    Confirmed,
    Cancelled,
    Showed,
    Noshow,
    Invalid,
    Active,
    Completed,
    Booked,
}

impl AppointmentStatus {
    /// As the API writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Showed => "showed",
            Self::Noshow => "noshow",
            Self::Invalid => "invalid",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Booked => "booked",
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Appointment {
    pub id: Option<Id>,
    pub title: Left<String>,
    pub status: AppointmentStatus,
    pub start_time: Left<Moment>,
    pub end_time: Left<Moment>,
    pub address: Option<String>,
    pub notes: Option<String>,
    pub calendar_id: Left<String>,
    pub group_id: Option<String>,
    pub assigned_user_id: Left<String>,
    pub users: Option<Vec<String>>,
}
