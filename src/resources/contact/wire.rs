//! A contact as the upstream writes it down, in whichever route: every key is looked for, none has to be there.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::model::{Contact, CustomField, Part, Parts};
use crate::upstream::Account;
use crate::upstream::wire::{self, Flag, Said, Spoken, Strings};

/// A value of which it matters whether the answer had its key at all.
pub(super) type Given<T> = Option<Option<T>>;

/// What any route was seen to tell of a contact and the schema shows.
#[derive(Default)]
pub(super) struct Wire<'a> {
    /// The texts, each under the number of its part.
    texts: [Given<Cow<'a, str>>; Part::TEXTS.len()],
    id: Spoken<'a>,
    underscore_id: Spoken<'a>,
    location_id: Spoken<'a>,
    pub contact_name: Spoken<'a>,
    pub first_name_raw: Given<Cow<'a, str>>,
    pub last_name_raw: Given<Cow<'a, str>>,
    /// The names in lower case; told by a search, as is the next one.
    pub lower_names: [Spoken<'a>; 2],
    pub has_search_cursor: bool,
    tags: Option<Vec<Box<str>>>,
    dnd: Given<bool>,
    custom_fields: Option<Value>,
    date_added: Given<Cow<'a, str>>,
    date_updated: Given<Cow<'a, str>>,
    /// The cursor of a row of the location's list: milliseconds and id.
    pub start_after: Option<(i64, Box<str>)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Wire<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Wire<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a contact")
    }

    /// Of a key that is there twice, the last counts, as in most readers of JSON.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire<'de>, A::Error> {
        let mut wire = Wire::default();
        while let Some(Said(key)) = map.next_key()? {
            let key = key.unwrap_or_default();
            if let Some(part) = Part::of_text(&key) {
                wire.texts[part as usize] = Some(map.next_value::<Said<'_>>()?.0);
                continue;
            }
            match &*key {
                "id" => wire.id = map.next_value::<Said<'_>>()?.0,
                "_id" => wire.underscore_id = map.next_value::<Said<'_>>()?.0,
                "locationId" => wire.location_id = map.next_value::<Said<'_>>()?.0,
                "contactName" => wire.contact_name = map.next_value::<Said<'_>>()?.0,
                "firstNameRaw" => wire.first_name_raw = Some(map.next_value::<Said<'_>>()?.0),
                "lastNameRaw" => wire.last_name_raw = Some(map.next_value::<Said<'_>>()?.0),
                "firstNameLowerCase" => wire.lower_names[0] = map.next_value::<Said<'_>>()?.0,
                "lastNameLowerCase" => wire.lower_names[1] = map.next_value::<Said<'_>>()?.0,
                "searchAfter" => wire.has_search_cursor = map.next_value::<Option<IgnoredAny>>()?.is_some(),
                "tags" => wire.tags = Some(map.next_value::<Strings>()?.0),
                "dnd" => wire.dnd = Some(map.next_value::<Flag>()?.0),
                "customFields" => wire.custom_fields = Some(map.next_value()?),
                "dateAdded" => wire.date_added = Some(map.next_value::<Said<'_>>()?.0),
                "dateUpdated" => wire.date_updated = Some(map.next_value::<Said<'_>>()?.0),
                "startAfter" => wire.start_after = row_cursor(&map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(wire)
    }
}

fn row_cursor(value: &Value) -> Option<(i64, Box<str>)> {
    match value.as_array().map(Vec::as_slice) {
        Some([ms, id]) => ms.as_i64().zip(id.as_str().map(Into::into)),
        _ => None,
    }
}

/// The names of a contact, which every route spells in its own way; each is known or not.
pub(super) struct Names<'a> {
    pub whole: Given<Cow<'a, str>>,
    pub first: Given<Cow<'a, str>>,
    pub last: Given<Cow<'a, str>>,
}

impl<'a> Wire<'a> {
    /// Takes a text out.
    pub fn take(&mut self, part: Part) -> Given<Cow<'a, str>> {
        self.texts[part as usize].take()
    }

    /// Whether a text's key was there.
    pub fn has(&self, part: Part) -> bool {
        self.texts[part as usize].is_some()
    }

    /// The parts whose keys the answer had. Of names it says nothing: see [`Names`].
    pub fn given(&self) -> Parts {
        let texts = Part::TEXTS.into_iter().filter(|part| !Part::NAMES.contains(part));
        let texts = texts.map(|part| (part, self.has(part)));
        let others = [
            (Part::Tags, self.tags.is_some()),
            (Part::Dnd, self.dnd.is_some()),
            (Part::CustomFields, self.custom_fields.is_some()),
            (Part::DateCreated, self.date_added.is_some()),
            (Part::DateUpdated, self.date_updated.is_some()),
        ];
        texts.chain(others).filter(|(_, given)| *given).map(|(part, _)| part).collect()
    }

    /// The contact, of which is known what the answer had a key for; `None` without an id.
    pub fn into_contact(mut self, names: &Names<'_>, account: &Account) -> Option<Contact> {
        let known = [
            (Part::Name, names.whole.is_some()),
            (Part::FirstName, names.first.is_some()),
            (Part::LastName, names.last.is_some()),
        ];
        let known: Parts = known.into_iter().filter(|(_, known)| *known).map(|(part, _)| part).collect();
        let known = known.or(self.given());
        let id = wire::first_of([self.id.take(), self.underscore_id.take()])?;
        let location = self.location_id.as_deref().unwrap_or(&account.location);
        let contact = Contact::new(&id, location, |part| {
            let given = match part {
                Part::Name => &names.whole,
                Part::FirstName => &names.first,
                Part::LastName => &names.last,
                part => &self.texts[part as usize],
            };
            given.as_ref()?.as_deref()
        });
        let moment = |text: &Given<Cow<'_, str>>| wire::moment(text.as_ref()?.as_deref(), &account.timezone);
        Some(Contact {
            known,
            tags: self.tags.unwrap_or_default().into(),
            dnd: self.dnd.flatten(),
            custom_fields: custom_fields(self.custom_fields),
            date_created: moment(&self.date_added),
            date_updated: moment(&self.date_updated),
            ..contact
        })
    }
}

/// `value` is what is read; two other spellings are those of writes, and were seen echoed.
fn custom_fields(given: Option<Value>) -> Box<[CustomField]> {
    let Some(Value::Array(items)) = given else {
        return Box::default();
    };
    let field = |mut item: Value| {
        let id = item.get("id")?.as_str()?.into();
        let spellings = ["value", "field_value", "fieldValue"];
        let value = spellings.iter().find_map(|key| item.get_mut(key).map(Value::take));
        Some(CustomField { id, value: value.unwrap_or_default() })
    };
    items.into_iter().filter_map(field).collect()
}

/// A full name from its parts.
pub(super) fn joined<'a>(first: &Spoken<'a>, last: &Spoken<'a>) -> Spoken<'a> {
    match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}").into()),
        (first, last) => first.clone().or_else(|| last.clone()),
    }
}
