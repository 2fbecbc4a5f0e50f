//! The objects inside a contact: its address and its custom fields.

use async_graphql::{ID, Lookahead, SimpleObject};

use super::model::{self, Part, Parts};
use crate::graph::Json;

/// A postal address.
#[derive(SimpleObject)]
pub struct Address {
    /// Street and number.
    line1: Option<String>,
    /// The city.
    city: Option<String>,
    /// The state or region.
    state: Option<String>,
    /// The postal code.
    postal_code: Option<String>,
    /// The country, as ISO 3166-1 alpha-2, for example `US`.
    country: Option<String>,
}

impl Address {
    /// The parts of a contact that the selected fields need.
    pub fn needs(look: &Lookahead<'_>) -> Parts {
        let fields = [
            ("line1", Part::Line1),
            ("city", Part::City),
            ("state", Part::State),
            ("postalCode", Part::PostalCode),
            ("country", Part::Country),
        ];
        let selected = fields.into_iter().filter(|(field, _)| look.field(field).exists());
        selected.map(|(_, part)| part).collect()
    }

    pub fn of(contact: &model::Contact) -> Self {
        let text = |part| contact.text(part).map(str::to_owned);
        Self {
            line1: text(Part::Line1),
            city: text(Part::City),
            state: text(Part::State),
            postal_code: text(Part::PostalCode),
            country: text(Part::Country),
        }
    }
}

/// The value of one custom field of a contact.
#[derive(SimpleObject)]
pub struct CustomFieldValue {
    /// The id of the custom field.
    id: ID,
    /// Its value: a string, a number, a list or an object, as the field's type has it.
    value: Option<Json>,
}

impl CustomFieldValue {
    pub fn of(field: &model::CustomField) -> Self {
        Self { id: ID::from(&*field.id), value: (!field.value.is_null()).then(|| Json(field.value.clone())) }
    }
}
