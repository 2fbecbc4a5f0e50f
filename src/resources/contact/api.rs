//! The upstream's routes for contacts, and how their answers become [`Contact`]s: one normaliser a route.

use std::borrow::Cow;

use serde::Deserialize;

use super::model::{Contact, Part, Parts};
use super::wire::{Given, Names, Wire, joined};
use crate::upstream::wire::{self, Text};
use crate::upstream::{Account, Error, Route};

/// One contact.
pub const ONE: Route = Route::read_contacts("GET /contacts/{contactId}");
/// The contacts of the location.
pub const LIST: Route = Route::read_contacts("GET /contacts/");
/// Contacts by filters.
pub const SEARCH: Route = Route::read_contacts("POST /contacts/search");
/// The contacts of a business.
pub const OF_BUSINESS: Route = Route::read_contacts("GET /contacts/business/{businessId}");

/// A new contact.
pub const CREATE: Route = Route::write_contacts("POST /contacts/");
/// Changes to a contact.
pub const UPDATE: Route = Route::write_contacts("PUT /contacts/{contactId}");
/// An update by mail or phone, or a new contact.
pub const UPSERT: Route = Route::write_contacts("POST /contacts/upsert");
/// The end of a contact.
pub const DELETE: Route = Route::write_contacts("DELETE /contacts/{contactId}");
/// More tags for a contact.
pub const ADD_TAGS: Route = Route::write_contacts("POST /contacts/{contactId}/tags");
/// Fewer tags for a contact.
pub const REMOVE_TAGS: Route = Route::write_contacts("DELETE /contacts/{contactId}/tags");
/// The contact with a mail address or a phone number; its answer is that of [`ONE`].
pub const DUPLICATE: Route = Route::read_contacts("GET /contacts/search/duplicate");

/// The body of [`ONE`]. `None`: the upstream says that there is no such contact.
pub fn one(account: &Account, body: &[u8]) -> Result<Option<Contact>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::nullable")]
        contact: Option<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(ONE.template, body)?;
    let Some(mut wire) = envelope.contact else {
        return Ok(None);
    };
    let first = wire::first_of([wire.take(Part::FirstName).flatten(), wire.first_name_raw.take().flatten()]);
    let last = wire::first_of([wire.take(Part::LastName).flatten(), wire.last_name_raw.take().flatten()]);
    let name = [wire.take(Part::Name).flatten(), joined(&first, &last), wire.contact_name.take()];
    let names = Names { whole: Some(wire::first_of(name)), first: Some(first), last: Some(last) };
    let contact = wire.into_contact(&names, account);
    let contact = contact.ok_or_else(|| Error::bad_response(ONE.template, "a contact without an id"))?;
    Ok(Some(Contact { known: Parts::ALL, ..contact }))
}

/// What a write of a contact is answered with.
#[derive(Debug)]
pub struct Written {
    /// The contact as far as the answer tells it: a key that is not there is not known, and can be had from [`ONE`].
    pub contact: Option<Contact>,
    /// Whether it was created, where the route tells.
    pub new: Option<bool>,
    /// Whether the answer says that it did not succeed, though with a status that does.
    pub refused: bool,
}

/// The body of [`CREATE`], [`UPDATE`] or [`UPSERT`].
pub fn written(route: Route, account: &Account, body: &[u8]) -> Result<Written, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, default)]
        contact: Option<Wire<'a>>,
        #[serde(default, deserialize_with = "wire::flag")]
        new: Option<bool>,
        #[serde(flatten)]
        success: wire::Success,
    }
    let Envelope::<'_> { contact, new, success } = wire::decode(route.template, body)?;
    let contact = contact.and_then(|mut wire| {
        let whole = wire::first_of([wire.take(Part::Name).flatten()]);
        let (first, last) = (wire.take(Part::FirstName), wire.take(Part::LastName));
        let whole = match (whole, &first, &last) {
            (Some(name), ..) => Some(Some(name)),
            (None, Some(first), Some(last)) => Some(joined(first, last)),
            _ => None,
        };
        wire.into_contact(&Names { whole, first, last }, account)
    });
    Ok(Written { contact, new, refused: success.is_denied() })
}

/// The parts of a contact that a body clears.
pub fn cleared(body: &serde_json::Map<String, serde_json::Value>) -> Parts {
    let is_cleared = |value: &serde_json::Value| value.is_null() || value == "";
    let cleared = body.iter().filter(|(_, value)| is_cleared(value)).filter_map(|(key, _)| Part::of_text(key));
    cleared.filter(|part| !Part::NAMES.contains(part)).collect()
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
/// it has no value for it. Rows that came live were seen to have [`LIVE`], and they alone have a `contactName`. Any other key that
/// none of them has is not known, and can be had from [`ONE`].
pub fn listed(route: Route, account: &Account, body: &[u8]) -> Result<Listed, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        contacts: Vec<Wire<'a>>,
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
    let Envelope::<'_> { contacts, meta } = wire::decode(route.template, body)?;
    let meta = meta.unwrap_or_default();
    let is_live = contacts.iter().any(|wire| wire.contact_name.is_some());
    let told = contacts.iter().fold(if is_live { LIVE } else { Parts::NONE }, |told, wire| told.or(wire.given()));
    let spelled = Spelled {
        first: contacts.iter().any(|c| c.has(Part::FirstName) || c.first_name_raw.is_some()),
        last: contacts.iter().any(|c| c.has(Part::LastName) || c.last_name_raw.is_some()),
    };
    let rows = contacts.into_iter().map(|wire| row(wire, told, &spelled, account));
    let mut rows =
        rows.collect::<Option<Vec<_>>>().ok_or_else(|| Error::bad_response(route.template, "a row without an id"))?;
    if let Some(last) = rows.last_mut().filter(|row| row.cursor.is_none()) {
        last.cursor = meta.start_after.zip(meta.start_after_id);
    }
    Ok(Listed { rows, total: meta.total })
}

/// What rows that came live were seen to tell, beside the names (CONTRACT: ContactRow). The time zone is declared, and was not seen.
const LIVE: Parts = Parts::NONE
    .with(Part::Email)
    .with(Part::Phone)
    .with(Part::Company)
    .with(Part::Website)
    .with(Part::Type)
    .with(Part::Source)
    .with(Part::Line1)
    .with(Part::City)
    .with(Part::State)
    .with(Part::PostalCode)
    .with(Part::Country)
    .with(Part::DateOfBirth)
    .with(Part::AssignedTo)
    .with(Part::BusinessId)
    .with(Part::Tags)
    .with(Part::Dnd)
    .with(Part::CustomFields)
    .with(Part::DateCreated)
    .with(Part::DateUpdated);

/// What rows of [`SEARCH`] are documented to tell, beside the names (CONTRACT: SearchRow). Its address goes by another name there.
const DOCUMENTED: Parts = LIVE.without(Part::Line1);

/// The most that rows of [`SEARCH`] may be expected to tell. The last name is documented in lower case alone.
pub const FOUND: Parts = DOCUMENTED.with(Part::Name).with(Part::FirstName).with(Part::LastName);

/// The body of [`SEARCH`]: contacts as far as their rows tell.
///
/// A row with a cursor is one as documented, where a key that is not there is a value that is not there. A name is only believed as
/// the contact has it: one that is there in lower case alone is not known.
pub fn found(account: &Account, body: &[u8]) -> Result<Vec<Contact>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        contacts: Vec<Wire<'a>>,
    }
    let contact = |wire: Wire<'_>| {
        let is_documented = wire.has_search_cursor;
        let [first, last] = wire.lower_names.each_ref().map(|lower| is_documented && lower.is_none());
        let told = if is_documented { DOCUMENTED } else { Parts::NONE };
        row(wire, told, &Spelled { first, last }, account).map(|row| row.contact)
    };
    let envelope: Envelope<'_> = wire::decode(SEARCH.template, body)?;
    let rows = envelope.contacts.into_iter().map(contact).collect::<Option<_>>();
    rows.ok_or_else(|| Error::bad_response(SEARCH.template, "a row without an id"))
}

/// Which names the rows of an answer tell, in whatever spelling.
struct Spelled {
    first: bool,
    last: bool,
}

fn row(mut wire: Wire<'_>, told: Parts, spelled: &Spelled, account: &Account) -> Option<ListedRow> {
    let first = row_name(wire.first_name_raw.take(), wire.take(Part::FirstName), spelled.first);
    let last = row_name(wire.last_name_raw.take(), wire.take(Part::LastName), spelled.last);
    let whole = wire::first_of([wire.take(Part::Name).flatten()]);
    let spoken = wire::first_of([wire.contact_name.take()]);
    let whole = match (whole, &first, &last) {
        (Some(name), ..) => Some(Some(name)),
        (None, Some(first), Some(last)) if first.is_some() || last.is_some() => Some(joined(first, last)),
        // Without its parts, `contactName` is all there is; its casing may be the index's and not the contact's.
        (None, _, _) => match spoken {
            Some(name) => has_its_casing(&name).then_some(Some(name)),
            None => first.is_some().then_some(None).filter(|_| last.is_some()),
        },
    };
    let cursor = wire.start_after.take();
    let contact = wire.into_contact(&Names { whole, first, last }, account)?;
    let said = contact.known;
    let created = contact.date_created.map(|moment| (moment.as_millisecond(), contact.id().into()));
    Some(ListedRow { cursor: cursor.or(created), said, contact: Contact { known: told.or(said), ..contact } })
}

/// A name as a row tells it; not known when it does not, or only in lower case.
fn row_name<'a>(raw: Given<Cow<'a, str>>, plain: Given<Cow<'a, str>>, spelled: bool) -> Given<Cow<'a, str>> {
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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::upstream::Allowance;

    fn account() -> Account {
        Account::new("L", None, TimeZone::UTC, "token".into(), Allowance::default())
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
        assert_eq!(rows[1].text(Part::Website), None);
    }

    #[test]
    fn names_of_rows_keep_their_casing_or_are_not_known() {
        let name = |json: &str| {
            let contact = rows(&format!(r#"{{"contacts":[{{"id":"a",{json}}}]}}"#)).remove(0);
            let known = contact.known.contains(Parts::NONE.with(Part::Name));
            known.then(|| contact.text(Part::Name).map(String::from))
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
