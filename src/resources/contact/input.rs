//! The inputs of the mutations of contacts, and what becomes of them upstream.

use async_graphql::{ID, InputObject, MaybeUndefined};

use crate::graph::Json;
use crate::graph::forms::{is_country, is_date, is_mail};
use crate::graph::input::{CANT_BE_CLEARED, Cleared, Draft, IS_EMPTY};
use crate::upstream::{Account, Id};

/// A postal address.
#[derive(InputObject)]
pub struct AddressInput {
    /// Street and number.
    line1: MaybeUndefined<String>,
    /// The city.
    city: MaybeUndefined<String>,
    /// The state or region.
    state: MaybeUndefined<String>,
    /// The postal code.
    postal_code: MaybeUndefined<String>,
    /// The country, as ISO 3166-1 alpha-2, for example `US`.
    country: MaybeUndefined<String>,
}

/// The value of one custom field.
#[derive(InputObject)]
pub struct CustomFieldInput {
    /// The id of the custom field.
    id: ID,
    /// Its value: a string, a number, a list of strings or an object. Null clears it.
    value: MaybeUndefined<Json>,
}

/// A contact to be created. At least one of `name`, `firstName`, `lastName`, `email` and `phone` is needed.
#[derive(InputObject)]
pub struct CreateContactInput {
    /// The full name.
    name: MaybeUndefined<String>,
    /// The first name.
    first_name: MaybeUndefined<String>,
    /// The last name.
    last_name: MaybeUndefined<String>,
    /// The mail address.
    email: MaybeUndefined<String>,
    /// The phone number, E.164 as a rule.
    phone: MaybeUndefined<String>,
    /// The company's name.
    company: MaybeUndefined<String>,
    /// The website.
    website: MaybeUndefined<String>,
    /// Where the contact came from.
    source: MaybeUndefined<String>,
    /// The time zone, as an IANA name.
    timezone: MaybeUndefined<String>,
    /// The date of birth, as `YYYY-MM-DD`.
    date_of_birth: MaybeUndefined<String>,
    /// Id of the user whom the contact is assigned to.
    assigned_to: MaybeUndefined<String>,
    /// Whether the contact does not want to be disturbed, on any channel.
    dnd: MaybeUndefined<bool>,
    /// The tags.
    tags: MaybeUndefined<Vec<String>>,
    /// The postal address.
    address: MaybeUndefined<AddressInput>,
    /// Values of custom fields.
    custom_fields: MaybeUndefined<Vec<CustomFieldInput>>,
}

/// What to change of a contact. What is left out stays, null clears. There is no `company`: the upstream refuses it on an
/// update. There are no `tags`: there they would replace all of them; use `addContactTags` and `removeContactTags`.
#[derive(InputObject)]
pub struct UpdateContactInput {
    /// The contact's id upstream.
    pub id: ID,
    /// The full name.
    name: MaybeUndefined<String>,
    /// The first name.
    first_name: MaybeUndefined<String>,
    /// The last name.
    last_name: MaybeUndefined<String>,
    /// The mail address.
    email: MaybeUndefined<String>,
    /// The phone number, E.164 as a rule.
    phone: MaybeUndefined<String>,
    /// The website.
    website: MaybeUndefined<String>,
    /// Where the contact came from.
    source: MaybeUndefined<String>,
    /// The time zone, as an IANA name.
    timezone: MaybeUndefined<String>,
    /// The date of birth, as `YYYY-MM-DD`.
    date_of_birth: MaybeUndefined<String>,
    /// Id of the user whom the contact is assigned to.
    assigned_to: MaybeUndefined<String>,
    /// Whether the contact does not want to be disturbed, on any channel. Can't be cleared.
    dnd: MaybeUndefined<bool>,
    /// The parts of the postal address that change.
    address: MaybeUndefined<AddressInput>,
    /// Values of custom fields; only those that are named change. Can't be cleared as a whole: name each with the value null.
    custom_fields: MaybeUndefined<Vec<CustomFieldInput>>,
}

/// A contact to be updated or created. Needs `email` or `phone`, by which it is looked for.
#[derive(InputObject)]
pub struct UpsertContactInput {
    /// The full name.
    name: MaybeUndefined<String>,
    /// The first name.
    first_name: MaybeUndefined<String>,
    /// The last name.
    last_name: MaybeUndefined<String>,
    /// The mail address.
    email: MaybeUndefined<String>,
    /// The phone number, E.164 as a rule.
    phone: MaybeUndefined<String>,
    /// The company's name.
    company: MaybeUndefined<String>,
    /// The website.
    website: MaybeUndefined<String>,
    /// Where the contact came from.
    source: MaybeUndefined<String>,
    /// The time zone, as an IANA name.
    timezone: MaybeUndefined<String>,
    /// The date of birth, as `YYYY-MM-DD`.
    date_of_birth: MaybeUndefined<String>,
    /// Id of the user whom the contact is assigned to.
    assigned_to: MaybeUndefined<String>,
    /// Whether the contact does not want to be disturbed, on any channel.
    dnd: MaybeUndefined<bool>,
    /// The tags. They replace every tag of a contact that exists already.
    tags: MaybeUndefined<Vec<String>>,
    /// The postal address, or the parts of it that change.
    address: MaybeUndefined<AddressInput>,
    /// Values of custom fields; only those that are named change. Can't be cleared as a whole: name each with the value null.
    custom_fields: MaybeUndefined<Vec<CustomFieldInput>>,
    /// Whether to create a second contact with the same email or phone, where the location's settings allow it.
    #[graphql(default_with = "Some(false)")]
    create_new_if_duplicate_allowed: Option<bool>,
}

/// The contact to delete.
#[derive(InputObject)]
pub struct DeleteContactInput {
    /// The contact's id upstream.
    pub id: ID,
}

/// Tags for a contact.
#[derive(InputObject)]
pub struct AddContactTagsInput {
    /// The id of the contact that gets them.
    pub contact_id: ID,
    /// The tags: at least one, none of them empty.
    pub tags: Vec<String>,
}

/// Tags to take from a contact.
#[derive(InputObject)]
pub struct RemoveContactTagsInput {
    /// The id of the contact that loses them.
    pub contact_id: ID,
    /// The tags: at least one, none of them empty.
    pub tags: Vec<String>,
}

/// What is done with the fields of a contact, which decides how they are cleared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Create,
    Update,
    Upsert,
}

/// The fields that the inputs share.
struct Fields {
    texts: [(&'static str, MaybeUndefined<String>); 7],
    email: MaybeUndefined<String>,
    source: MaybeUndefined<String>,
    assigned_to: MaybeUndefined<String>,
    date_of_birth: MaybeUndefined<String>,
    dnd: MaybeUndefined<bool>,
    tags: MaybeUndefined<Vec<String>>,
    address: MaybeUndefined<AddressInput>,
    custom_fields: MaybeUndefined<Vec<CustomFieldInput>>,
}

impl CreateContactInput {
    /// The contact as it is sent.
    pub fn draft(self, account: &Account) -> Draft {
        let mut draft = Draft::default();
        let fields = Fields {
            texts: [
                ("name", self.name),
                ("firstName", self.first_name),
                ("lastName", self.last_name),
                ("phone", self.phone),
                ("companyName", self.company),
                ("website", self.website),
                ("timezone", self.timezone),
            ],
            email: self.email,
            source: self.source,
            assigned_to: self.assigned_to,
            date_of_birth: self.date_of_birth,
            dnd: self.dnd,
            tags: self.tags,
            address: self.address,
            custom_fields: self.custom_fields,
        };
        let names_email = fields.email.value().is_some();
        fields.say(&mut draft, Act::Create);
        let some = |wire| draft.said(wire).and_then(|text| text.as_str()).is_some_and(|text| !text.trim().is_empty());
        if !names_email && !["name", "firstName", "lastName", "phone"].into_iter().any(some) {
            draft.problem(&[], "needs a name, a mail address or a phone number");
        }
        draft.say("locationId", &*account.location);
        draft
    }
}

impl UpdateContactInput {
    /// The changes as they are sent, and the contact that they are for.
    pub fn draft(self) -> (Draft, Option<Id>) {
        let mut draft = Draft::default();
        let id = draft.id("id", Id::of_contact(&self.id));
        let fields = Fields {
            texts: [
                ("name", self.name),
                ("firstName", self.first_name),
                ("lastName", self.last_name),
                ("phone", self.phone),
                ("companyName", MaybeUndefined::Undefined),
                ("website", self.website),
                ("timezone", self.timezone),
            ],
            email: self.email,
            source: self.source,
            assigned_to: self.assigned_to,
            date_of_birth: self.date_of_birth,
            dnd: self.dnd,
            tags: MaybeUndefined::Undefined,
            address: self.address,
            custom_fields: self.custom_fields,
        };
        fields.say(&mut draft, Act::Update);
        draft.must_say("has nothing to change beside the id");
        (draft, id)
    }
}

impl UpsertContactInput {
    /// The contact as it is sent.
    pub fn draft(self, account: &Account) -> Draft {
        let mut draft = Draft::default();
        let fields = Fields {
            texts: [
                ("name", self.name),
                ("firstName", self.first_name),
                ("lastName", self.last_name),
                ("phone", self.phone),
                ("companyName", self.company),
                ("website", self.website),
                ("timezone", self.timezone),
            ],
            email: self.email,
            source: self.source,
            assigned_to: self.assigned_to,
            date_of_birth: self.date_of_birth,
            dnd: self.dnd,
            tags: self.tags,
            address: self.address,
            custom_fields: self.custom_fields,
        };
        let names_email = fields.email.value().is_some();
        fields.say(&mut draft, Act::Upsert);
        let phone = draft.said("phone").and_then(|text| text.as_str()).is_some_and(|text| !text.trim().is_empty());
        if !names_email && !phone {
            draft.problem(&[], "needs a mail address or a phone number, by which the contact is looked for");
        }
        if self.create_new_if_duplicate_allowed == Some(true) {
            draft.say("createNewIfDuplicateAllowed", true);
        }
        draft.say("locationId", &*account.location);
        draft
    }
}

impl Fields {
    fn say(self, draft: &mut Draft, act: Act) {
        // Nothing to clear in what is only created; some fields are declared nullable for updates alone, some never.
        let nullable = if act == Act::Create { Cleared::Unsaid } else { Cleared::Null };
        let plain = if act == Act::Create { Cleared::Unsaid } else { Cleared::Empty };
        let by_update = if act == Act::Upsert { Cleared::Empty } else { nullable };
        for (wire, given) in self.texts {
            draft.text(wire, given, nullable);
        }
        let mail: (fn(&str) -> bool, _) = (is_mail, "is not a mail address; null clears it");
        draft.tested(("email", "email"), self.email, nullable, mail);
        draft.text("source", self.source, by_update);
        draft.text("assignedTo", self.assigned_to, by_update);
        let date: (fn(&str) -> bool, _) = (is_date, "is not a date as YYYY-MM-DD; null clears it");
        draft.tested(("dateOfBirth", "dateOfBirth"), self.date_of_birth, plain, date);
        match (self.dnd, act) {
            (MaybeUndefined::Undefined, _) | (MaybeUndefined::Null, Act::Create) => {}
            (MaybeUndefined::Value(dnd), _) => draft.say("dnd", dnd),
            (MaybeUndefined::Null, Act::Update) => draft.problem(&["dnd".into()], CANT_BE_CLEARED),
            (MaybeUndefined::Null, Act::Upsert) => draft.say("dnd", false),
        }
        match (self.tags, act) {
            (MaybeUndefined::Value(tags), _) => say_tags(draft, tags),
            (MaybeUndefined::Null, Act::Upsert) => draft.say("tags", Vec::<String>::new()),
            _ => {}
        }
        match (self.address, act) {
            (MaybeUndefined::Value(address), _) => address.say(draft, nullable, plain),
            (MaybeUndefined::Null, _) => AddressInput::nothing().say(draft, nullable, plain),
            (MaybeUndefined::Undefined, _) => {}
        }
        match (self.custom_fields, act) {
            (MaybeUndefined::Value(fields), _) => say_custom_fields(draft, fields),
            // The upstream changes the fields that are named, and no others.
            (MaybeUndefined::Null, Act::Update | Act::Upsert) => {
                draft.problem(
                    &["customFields".into()],
                    "can't be cleared as a whole: name each field with the value null",
                );
            }
            (MaybeUndefined::Undefined, _) | (MaybeUndefined::Null, Act::Create) => {}
        }
    }
}

impl AddressInput {
    fn nothing() -> Self {
        let null = || MaybeUndefined::Null;
        Self { line1: null(), city: null(), state: null(), postal_code: null(), country: null() }
    }

    fn say(self, draft: &mut Draft, nullable: Cleared, plain: Cleared) {
        draft.text("address1", self.line1, nullable);
        draft.text("city", self.city, nullable);
        draft.text("state", self.state, nullable);
        draft.text("postalCode", self.postal_code, plain);
        match &self.country {
            MaybeUndefined::Value(code) if !is_country(code) => {
                draft.problem(&["address".into(), "country".into()], "is not a country as two letters, for example US");
            }
            _ => draft.text("country", self.country, plain),
        }
    }
}

/// Notes the tags, each of which must have something in it.
pub fn say_tags(draft: &mut Draft, tags: Vec<String>) {
    for (place, tag) in tags.iter().enumerate() {
        if tag.trim().is_empty() {
            draft.problem(&["tags".into(), place.into()], IS_EMPTY);
        }
    }
    draft.say("tags", tags);
}

/// Read as `value`, written as `field_value`. A field without a value is left as it is.
fn say_custom_fields(draft: &mut Draft, fields: Vec<CustomFieldInput>) {
    let mut said = Vec::new();
    for (place, field) in fields.into_iter().enumerate() {
        let way = |name: &'static str| ["customFields".into(), place.into(), name.into()];
        if let Err(why) = Id::new(&field.id) {
            draft.problem(&way("id"), &why.to_string());
        }
        let value = match field.value {
            MaybeUndefined::Undefined => continue,
            MaybeUndefined::Null => "".into(),
            MaybeUndefined::Value(Json(value)) => value,
        };
        if !is_custom_value(&value) {
            draft.problem(&way("value"), "is neither a string, a number, a list of strings nor an object");
        }
        said.push(serde_json::json!({ "id": field.id.as_str(), "field_value": value }));
    }
    if !said.is_empty() {
        draft.say("customFields", said);
    }
}

fn is_custom_value(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        String(_) | Number(_) | Object(_) => true,
        Array(items) => items.iter().all(serde_json::Value::is_string),
        Null | Bool(_) => false,
    }
}
