//! A contact as the gateway holds it.

use jiff::Timestamp;

use crate::upstream::wire::Text;

/// The parts of a contact that some upstream route does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    Name,
    FirstName,
    LastName,
    Email,
    Phone,
    Company,
    Website,
    Type,
    Source,
    Timezone,
    Tags,
    Dnd,
    Line1,
    City,
    State,
    PostalCode,
    Country,
    DateOfBirth,
    AssignedTo,
    BusinessId,
    CustomFields,
    DateCreated,
    DateUpdated,
}

/// A set of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parts(u32);

impl Parts {
    /// No part.
    pub const NONE: Self = Self(0);
    /// Every part.
    pub const ALL: Self = Self(u32::MAX);

    /// This set and one more part.
    #[must_use]
    pub const fn with(self, part: Part) -> Self {
        Self(self.0 | 1 << part as u8)
    }

    /// Whether every part of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The parts of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        parts.into_iter().fold(Self::NONE, Self::with)
    }
}

/// A contact, or as much of it as one route told.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// What is known of it. A part that is known and absent has no value upstream.
    pub known: Parts,
    pub id: Box<str>,
    pub location_id: Box<str>,
    pub name: Text,
    pub first_name: Text,
    pub last_name: Text,
    pub email: Text,
    pub phone: Text,
    pub company: Text,
    pub website: Text,
    pub kind: Text,
    pub source: Text,
    pub timezone: Text,
    pub tags: Box<[Box<str>]>,
    pub dnd: Option<bool>,
    pub line1: Text,
    pub city: Text,
    pub state: Text,
    pub postal_code: Text,
    pub country: Text,
    pub date_of_birth: Text,
    pub assigned_to: Text,
    pub business_id: Text,
    pub custom_fields: Box<[CustomField]>,
    pub date_created: Option<Timestamp>,
    pub date_updated: Option<Timestamp>,
}

impl Contact {
    /// About how many bytes its values take beside itself.
    pub fn bytes(&self) -> usize {
        let texts = [&self.name, &self.first_name, &self.last_name, &self.email, &self.phone, &self.company];
        let more = [&self.website, &self.source, &self.timezone, &self.line1, &self.city, &self.date_of_birth];
        let text: usize = texts.into_iter().chain(more).flatten().map(|text| text.len()).sum();
        let tags: usize = self.tags.iter().map(|tag| tag.len() + size_of::<Box<str>>()).sum();
        let field = |field: &CustomField| field.id.len() + field.value.to_string().len() + size_of::<CustomField>();
        self.id.len() + self.location_id.len() + text + tags + self.custom_fields.iter().map(field).sum::<usize>()
    }
}

/// The value of one custom field.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomField {
    pub id: Box<str>,
    pub value: serde_json::Value,
}
