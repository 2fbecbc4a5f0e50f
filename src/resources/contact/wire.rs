//! A contact as the upstream writes it down, in whichever route: every key is looked for, none has to be there.

use serde::Deserialize;
use serde_json::Value;

use super::model::{Contact, CustomField, Part, Parts};
use crate::upstream::Account;
use crate::upstream::wire::{self, Text};

/// A text of which it matters whether the answer had its key at all.
pub(super) type Given = Option<Text>;

/// Every key of a contact that any route was seen to send and that the schema shows.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(deserialize_with = "wire::text")]
    id: Text,
    #[serde(rename = "_id", deserialize_with = "wire::text")]
    underscore_id: Text,
    #[serde(deserialize_with = "wire::text")]
    location_id: Text,
    #[serde(deserialize_with = "wire::given_text")]
    pub name: Given,
    #[serde(deserialize_with = "wire::text")]
    pub contact_name: Text,
    #[serde(deserialize_with = "wire::given_text")]
    pub first_name: Given,
    #[serde(deserialize_with = "wire::given_text")]
    pub last_name: Given,
    #[serde(deserialize_with = "wire::given_text")]
    pub first_name_raw: Given,
    #[serde(deserialize_with = "wire::given_text")]
    pub last_name_raw: Given,
    #[serde(deserialize_with = "wire::given_text")]
    email: Given,
    #[serde(deserialize_with = "wire::given_text")]
    phone: Given,
    #[serde(deserialize_with = "wire::given_text")]
    company_name: Given,
    #[serde(deserialize_with = "wire::given_text")]
    website: Given,
    #[serde(rename = "type", deserialize_with = "wire::given_text")]
    kind: Given,
    #[serde(deserialize_with = "wire::given_text")]
    source: Given,
    #[serde(deserialize_with = "wire::given_text")]
    timezone: Given,
    #[serde(deserialize_with = "given_tags")]
    tags: Option<Vec<Box<str>>>,
    #[serde(deserialize_with = "wire::given_flag")]
    dnd: Option<Option<bool>>,
    #[serde(deserialize_with = "wire::given_text")]
    address1: Given,
    #[serde(deserialize_with = "wire::given_text")]
    city: Given,
    #[serde(deserialize_with = "wire::given_text")]
    state: Given,
    #[serde(deserialize_with = "wire::given_text")]
    postal_code: Given,
    #[serde(deserialize_with = "wire::given_text")]
    country: Given,
    #[serde(deserialize_with = "wire::given_text")]
    date_of_birth: Given,
    #[serde(deserialize_with = "wire::given_text")]
    assigned_to: Given,
    #[serde(deserialize_with = "wire::given_text")]
    business_id: Given,
    #[serde(deserialize_with = "given_value")]
    custom_fields: Option<Value>,
    #[serde(deserialize_with = "wire::given_text")]
    date_added: Given,
    #[serde(deserialize_with = "wire::given_text")]
    date_updated: Given,
    /// The cursor of a row of the location's list: milliseconds and id.
    #[serde(deserialize_with = "row_cursor")]
    pub start_after: Option<(i64, Box<str>)>,
}

fn given_tags<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Box<str>>>, D::Error> {
    wire::texts(from).map(Some)
}

fn given_value<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

fn row_cursor<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<(i64, Box<str>)>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(match value.as_array().map(Vec::as_slice) {
        Some([ms, id]) => ms.as_i64().zip(id.as_str().map(Into::into)),
        _ => None,
    })
}

impl Wire {
    /// The parts whose keys the answer had.
    pub fn given(&self) -> Parts {
        let keys = [
            (Part::Email, self.email.is_some()),
            (Part::Phone, self.phone.is_some()),
            (Part::Company, self.company_name.is_some()),
            (Part::Website, self.website.is_some()),
            (Part::Type, self.kind.is_some()),
            (Part::Source, self.source.is_some()),
            (Part::Timezone, self.timezone.is_some()),
            (Part::Tags, self.tags.is_some()),
            (Part::Dnd, self.dnd.is_some()),
            (Part::Line1, self.address1.is_some()),
            (Part::City, self.city.is_some()),
            (Part::State, self.state.is_some()),
            (Part::PostalCode, self.postal_code.is_some()),
            (Part::Country, self.country.is_some()),
            (Part::DateOfBirth, self.date_of_birth.is_some()),
            (Part::AssignedTo, self.assigned_to.is_some()),
            (Part::BusinessId, self.business_id.is_some()),
            (Part::CustomFields, self.custom_fields.is_some()),
            (Part::DateCreated, self.date_added.is_some()),
            (Part::DateUpdated, self.date_updated.is_some()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(part, _)| part).collect()
    }

    /// Everything but the names, which every route spells in its own way.
    pub fn into_contact(self, account: &Account) -> Option<Contact> {
        let moment = |text: Given| wire::moment(text.flatten().as_deref(), &account.timezone);
        Some(Contact {
            known: Parts::NONE,
            id: wire::first_of([self.id, self.underscore_id])?,
            location_id: self.location_id.unwrap_or_else(|| account.location.clone()),
            name: None,
            first_name: None,
            last_name: None,
            email: self.email.flatten(),
            phone: self.phone.flatten(),
            company: self.company_name.flatten(),
            website: self.website.flatten(),
            kind: self.kind.flatten(),
            source: self.source.flatten(),
            timezone: self.timezone.flatten(),
            tags: self.tags.unwrap_or_default().into(),
            dnd: self.dnd.flatten(),
            line1: self.address1.flatten(),
            city: self.city.flatten(),
            state: self.state.flatten(),
            postal_code: self.postal_code.flatten(),
            country: self.country.flatten(),
            date_of_birth: self.date_of_birth.flatten(),
            assigned_to: self.assigned_to.flatten(),
            business_id: self.business_id.flatten(),
            custom_fields: custom_fields(self.custom_fields),
            date_created: moment(self.date_added),
            date_updated: moment(self.date_updated),
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
pub(super) fn joined(first: &Text, last: &Text) -> Text {
    let names: Vec<&str> = [first, last].into_iter().flatten().map(|name| &**name).collect();
    (!names.is_empty()).then(|| names.join(" ").into())
}
