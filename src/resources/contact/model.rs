//! A contact as the gateway holds it.

use jiff::Timestamp;

use crate::resources::texts::Texts;

/// The parts of a contact that some upstream route does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    // The texts, in the order in which a contact holds them.
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
    Line1,
    City,
    State,
    PostalCode,
    Country,
    DateOfBirth,
    AssignedTo,
    BusinessId,
    // What is no text.
    Tags,
    Dnd,
    CustomFields,
    DateCreated,
    DateUpdated,
}

impl Part {
    /// The parts that are texts.
    pub const TEXTS: [Self; 18] = [
        Self::Name,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::Website,
        Self::Type,
        Self::Source,
        Self::Timezone,
        Self::Line1,
        Self::City,
        Self::State,
        Self::PostalCode,
        Self::Country,
        Self::DateOfBirth,
        Self::AssignedTo,
        Self::BusinessId,
    ];

    /// The parts that every route spells in its own way.
    pub const NAMES: [Self; 3] = [Self::Name, Self::FirstName, Self::LastName];

    /// The part that this field of a contact or its address shows.
    pub fn of_field(field: &str) -> Option<Self> {
        Some(match field {
            "name" => Self::Name,
            "firstName" => Self::FirstName,
            "lastName" => Self::LastName,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "company" => Self::Company,
            "website" => Self::Website,
            "type" => Self::Type,
            "source" => Self::Source,
            "timezone" => Self::Timezone,
            "line1" => Self::Line1,
            "city" => Self::City,
            "state" => Self::State,
            "postalCode" => Self::PostalCode,
            "country" => Self::Country,
            "dateOfBirth" => Self::DateOfBirth,
            "assignedTo" => Self::AssignedTo,
            "businessId" => Self::BusinessId,
            "tags" => Self::Tags,
            "dnd" => Self::Dnd,
            "customFields" => Self::CustomFields,
            "dateCreated" => Self::DateCreated,
            "dateUpdated" => Self::DateUpdated,
            _ => return None,
        })
    }

    /// The part that is a text and has this key upstream, where it is read and where it is written.
    pub fn of_text(key: &str) -> Option<Self> {
        Some(match key {
            "name" => Self::Name,
            "firstName" => Self::FirstName,
            "lastName" => Self::LastName,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "companyName" => Self::Company,
            "website" => Self::Website,
            "type" => Self::Type,
            "source" => Self::Source,
            "timezone" => Self::Timezone,
            "address1" => Self::Line1,
            "city" => Self::City,
            "state" => Self::State,
            "postalCode" => Self::PostalCode,
            "country" => Self::Country,
            "dateOfBirth" => Self::DateOfBirth,
            "assignedTo" => Self::AssignedTo,
            "businessId" => Self::BusinessId,
            _ => return None,
        })
    }
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

    /// This set less one part.
    #[must_use]
    pub const fn without(self, part: Part) -> Self {
        Self(self.0 & !(1 << part as u8))
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
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// What is known of it. A part that is known and absent has no value upstream.
    pub known: Parts,
    /// Its id, its location's, and the parts that are texts.
    pub texts: Texts<{ Part::TEXTS.len() + 2 }>,
    pub tags: Box<[Box<str>]>,
    pub dnd: Option<bool>,
    pub custom_fields: Box<[CustomField]>,
    pub date_created: Option<Timestamp>,
    pub date_updated: Option<Timestamp>,
}

impl Contact {
    /// A contact with these texts, of which nothing else is known.
    pub fn new<'a>(id: &'a str, location_id: &'a str, text: impl Fn(Part) -> Option<&'a str>) -> Self {
        let texts = std::array::from_fn(|number| match number {
            0 => Some(id),
            1 => Some(location_id),
            _ => text(Part::TEXTS[number - 2]),
        });
        Self {
            known: Parts::NONE,
            texts: Texts::new(texts),
            tags: Box::default(),
            dnd: None,
            custom_fields: Box::default(),
            date_created: None,
            date_updated: None,
        }
    }

    /// A contact of which nothing is known but its id.
    pub fn bare(id: &str, location_id: &str) -> Self {
        Self::new(id, location_id, |_| None)
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    /// Its location.
    pub fn location_id(&self) -> &str {
        self.texts.get(1).unwrap_or_default()
    }

    /// Its full name.
    pub fn name(&self) -> Option<&str> {
        self.text(Part::Name)
    }

    /// A part that is a text; `None` for another one.
    pub fn text(&self, part: Part) -> Option<&str> {
        let number = part as usize;
        (number < Part::TEXTS.len()).then(|| self.texts.get(number + 2)).flatten()
    }

    /// About how many bytes its values take beside itself.
    pub fn bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|tag| tag.len() + size_of::<Box<str>>()).sum();
        let field = |field: &CustomField| field.id.len() + field.value.to_string().len() + size_of::<CustomField>();
        self.texts.bytes() + tags + self.custom_fields.iter().map(field).sum::<usize>()
    }
}

/// The value of one custom field.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomField {
    pub id: Box<str>,
    pub value: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_by_its_part_and_nothing_else_is_a_text() {
        for (number, part) in Part::TEXTS.into_iter().enumerate() {
            assert_eq!(part as usize, number);
        }
        let contact = Contact::new("id", "location", |part| (part == Part::Email).then_some("a@b.c"));
        assert_eq!((contact.id(), contact.location_id()), ("id", "location"));
        let held = Part::TEXTS.map(|part| contact.text(part));
        assert_eq!(held.iter().flatten().count(), 1);
        assert_eq!(contact.text(Part::Email), Some("a@b.c"));
        assert_eq!(contact.text(Part::Tags), None);
    }
}
