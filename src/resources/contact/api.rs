//! The upstream's routes for contacts, and how their answers become [`Contact`]s: one normaliser a route.

use serde::Deserialize;
use serde_json::Value;

use super::model::{Contact, CustomField, Part, Parts};
use crate::upstream::wire::{self, Text};
use crate::upstream::{Account, Error, Route};

/// One contact.
pub const ONE: Route = Route::read_contacts("GET /contacts/{contactId}");
/// The contacts of the location.
pub const LIST: Route = Route::read_contacts("GET /contacts/");
/// The contacts of a business.
pub const OF_BUSINESS: Route = Route::read_contacts("GET /contacts/business/{businessId}");

/// A text of which it matters whether the answer had its key at all.
type Given = Option<Text>;

/// Every key of a contact that any route was seen to send and that the schema shows.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    #[serde(deserialize_with = "wire::text")]
    id: Text,
    #[serde(rename = "_id", deserialize_with = "wire::text")]
    underscore_id: Text,
    #[serde(deserialize_with = "wire::text")]
    location_id: Text,
    #[serde(deserialize_with = "wire::given_text")]
    name: Given,
    #[serde(deserialize_with = "wire::text")]
    contact_name: Text,
    #[serde(deserialize_with = "wire::given_text")]
    first_name: Given,
    #[serde(deserialize_with = "wire::given_text")]
    last_name: Given,
    #[serde(deserialize_with = "wire::given_text")]
    first_name_raw: Given,
    #[serde(deserialize_with = "wire::given_text")]
    last_name_raw: Given,
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
    start_after: Option<(i64, Box<str>)>,
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
    fn given(&self) -> Parts {
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
    fn into_contact(self, account: &Account) -> Option<Contact> {
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
            tags: self.tags.unwrap_or_default(),
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
fn custom_fields(given: Option<Value>) -> Vec<CustomField> {
    let Some(Value::Array(items)) = given else {
        return Vec::new();
    };
    let field = |mut item: Value| {
        let id = item.get("id")?.as_str()?.into();
        let spellings = ["value", "field_value", "fieldValue"];
        let value = spellings.iter().find_map(|key| item.get_mut(key).map(Value::take));
        Some(CustomField { id, value: value.unwrap_or_default() })
    };
    items.into_iter().filter_map(field).collect()
}

/// The body of [`ONE`]. `None`: the upstream says that there is no such contact.
pub fn one(account: &Account, body: &[u8]) -> Result<Option<Contact>, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::nullable")]
        contact: Option<Wire>,
    }
    let envelope: Envelope = wire::decode(ONE.template, body)?;
    let Some(wire) = envelope.contact else {
        return Ok(None);
    };
    let name = wire.name.clone().flatten();
    let first = wire::first_of([wire.first_name.clone().flatten(), wire.first_name_raw.clone().flatten()]);
    let last = wire::first_of([wire.last_name.clone().flatten(), wire.last_name_raw.clone().flatten()]);
    let spoken = wire.contact_name.clone();
    let mut contact =
        wire.into_contact(account).ok_or_else(|| Error::bad_response(ONE.template, "a contact without an id"))?;
    contact.name = wire::first_of([name, joined(&first, &last), spoken]);
    contact.first_name = first;
    contact.last_name = last;
    contact.known = Parts::ALL;
    Ok(Some(contact))
}

/// One page of a list.
#[derive(Debug, Default)]
pub struct Listed {
    pub rows: Vec<ListedRow>,
    /// How many contacts the whole list has, when the answer tells. `count`, which the vendor declares beside the
    /// rows, is left alone: nothing says whether it counts the list or the page.
    pub total: Option<u64>,
}

/// A row of a list: a contact as far as the row tells, and the cursor after it where the route has cursors.
#[derive(Debug)]
pub struct ListedRow {
    pub contact: Contact,
    /// What of the contact the row itself had, without what its neighbours let conclude.
    pub said: Parts,
    pub cursor: Option<(i64, Box<str>)>,
}

/// The body of [`LIST`] or [`OF_BUSINESS`].
///
/// Rows of one answer share a shape: a key that any of them has is one that the route tells, and a row without
/// it has no value for it. A key that none of them has is not known, and can be had from [`ONE`].
pub fn listed(route: Route, account: &Account, body: &[u8]) -> Result<Listed, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::list")]
        contacts: Vec<Wire>,
        #[serde(default)]
        meta: Option<Meta>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Meta {
        #[serde(deserialize_with = "wire::count")]
        total: Option<u64>,
        #[serde(deserialize_with = "wire::millis")]
        start_after: Option<i64>,
        #[serde(deserialize_with = "wire::text")]
        start_after_id: Text,
    }
    let Envelope { contacts, meta } = wire::decode(route.template, body)?;
    let meta = meta.unwrap_or_default();
    let told = contacts.iter().fold(Parts::NONE, |told, wire| told.or(wire.given()));
    let spelled = Spelled {
        first: contacts.iter().any(|c| c.first_name.is_some() || c.first_name_raw.is_some()),
        last: contacts.iter().any(|c| c.last_name.is_some() || c.last_name_raw.is_some()),
    };
    let rows = contacts.into_iter().map(|wire| row(wire, told, &spelled, account));
    let mut rows =
        rows.collect::<Option<Vec<_>>>().ok_or_else(|| Error::bad_response(route.template, "a row without an id"))?;
    if let Some(last) = rows.last_mut().filter(|row| row.cursor.is_none()) {
        last.cursor = meta.start_after.zip(meta.start_after_id);
    }
    Ok(Listed { rows, total: meta.total })
}

/// Which names the rows of an answer tell, in whatever spelling.
struct Spelled {
    first: bool,
    last: bool,
}

fn row(mut wire: Wire, told: Parts, spelled: &Spelled, account: &Account) -> Option<ListedRow> {
    let first = row_name(wire.first_name_raw.take(), wire.first_name.take(), spelled.first);
    let last = row_name(wire.last_name_raw.take(), wire.last_name.take(), spelled.last);
    let whole = wire::first_of([wire.name.take().flatten()]);
    let spoken = wire::first_of([wire.contact_name.take()]);
    let name = match (whole, &first, &last) {
        (Some(name), ..) => Some(Some(name)),
        (None, Some(first), Some(last)) if first.is_some() || last.is_some() => Some(joined(first, last)),
        // Without its parts, `contactName` is all there is; its casing may be the index's and not the contact's.
        (None, _, _) => match spoken {
            Some(name) => has_its_casing(&name).then_some(Some(name)),
            None => first.is_some().then_some(None).filter(|_| last.is_some()),
        },
    };
    let cursor = wire.start_after.take();
    let own = wire.given();
    let mut contact = wire.into_contact(account)?;
    let names = [(Part::Name, name.is_some()), (Part::FirstName, first.is_some()), (Part::LastName, last.is_some())];
    let names = names.into_iter().filter(|(_, known)| *known).map(|(part, _)| part);
    let names: Parts = names.collect();
    let said = own.or(names);
    contact.known = told.or(names);
    contact.name = name.flatten();
    contact.first_name = first.flatten();
    contact.last_name = last.flatten();
    let created = contact.date_created.map(|moment| (moment.as_millisecond(), contact.id.clone()));
    Some(ListedRow { cursor: cursor.or(created), said, contact })
}

/// A name as a row tells it; `None` when it does not, or only in lower case.
fn row_name(raw: Given, plain: Given, spelled: bool) -> Option<Text> {
    if let Some(raw) = wire::first_of([raw.flatten()]) {
        return Some(Some(raw));
    }
    match wire::first_of([plain.flatten()]) {
        Some(name) => has_its_casing(&name).then_some(Some(name)),
        None => spelled.then_some(None),
    }
}

/// Whether the text cannot be a lower-cased copy: it has a capital, or a script without them.
fn has_its_casing(text: &str) -> bool {
    text.chars().any(char::is_uppercase) || !text.chars().any(char::is_lowercase)
}

fn joined(first: &Text, last: &Text) -> Text {
    let names: Vec<&str> = [first, last].into_iter().flatten().map(|name| &**name).collect();
    (!names.is_empty()).then(|| names.join(" ").into())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn account() -> Account {
        Account::new("L", None, TimeZone::UTC, "token".into(), 1)
    }

    fn rows(json: &str) -> Vec<Contact> {
        let listed = listed(LIST, &account(), json.as_bytes()).expect("a list");
        listed.rows.into_iter().map(|row| row.contact).collect()
    }

    #[test]
    fn a_key_that_one_row_has_is_known_of_all_rows_and_one_that_none_has_of_none() {
        let rows = rows(r#"{"contacts":[{"id":"a","website":"w"},{"id":"b"}]}"#);
        assert!(rows.iter().all(|c| c.known.contains(Parts::NONE.with(Part::Website))));
        assert!(rows.iter().all(|c| !c.known.contains(Parts::NONE.with(Part::Timezone))));
        assert_eq!(rows[1].website, None);
    }

    #[test]
    fn names_of_rows_keep_their_casing_or_are_not_known() {
        let name = |json: &str| {
            let contact = rows(&format!(r#"{{"contacts":[{{"id":"a",{json}}}]}}"#)).remove(0);
            let known = contact.known.contains(Parts::NONE.with(Part::Name));
            known.then_some(contact.name.map(String::from))
        };
        let known = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(
            name(r#""firstName":"ann","lastName":"lee","firstNameRaw":"Ann","lastNameRaw":"Lee""#),
            known("Ann Lee")
        );
        assert_eq!(name(r#""firstName":"ann","lastName":"lee","contactName":"ann lee""#), None);
        assert_eq!(name(r#""firstName":"Ann","lastName":null"#), known("Ann"));
        assert_eq!(name(r#""firstName":"李","lastName":"明""#), known("李 明"));
        assert_eq!(name(r#""contactName":"Ann Lee""#), known("Ann Lee"));
        assert_eq!(name(r#""firstNameRaw":"","lastNameRaw":null"#), Some(None));
        assert_eq!(name(r#""email":"x""#), None);
    }

    #[test]
    fn a_row_without_an_id_a_missing_key_and_another_type_are_wrong_shapes() {
        for body in [r#"{"contacts":[{"email":"x"}]}"#, r#"{"count":1}"#, r#"{"contacts":"none"}"#, "[]", "OK", ""] {
            assert!(listed(LIST, &account(), body.as_bytes()).is_err(), "{body}");
        }
        assert!(rows(r#"{"contacts":null}"#).is_empty());
        assert!(one(&account(), b"{}").is_err());
        assert!(one(&account(), br#"{"contact":{}}"#).is_err());
        assert!(matches!(one(&account(), br#"{"contact":null}"#), Ok(None)));
    }

    #[test]
    fn custom_fields_are_read_in_all_their_spellings() {
        let body = br#"{"contact":{"id":"a","customFields":[{"id":"1","value":7},{"id":"2","field_value":["x"]},{"id":"3","fieldValue":{"k":1}},{"id":"4"},{"value":1}]}}"#;
        let contact = one(&account(), body).expect("a body").expect("a contact");
        let values: Vec<String> = contact.custom_fields.iter().map(|f| format!("{}={}", f.id, f.value)).collect();
        assert_eq!(values, ["1=7", r#"2=["x"]"#, r#"3={"k":1}"#, "4=null"]);
    }
}
