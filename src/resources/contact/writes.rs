//! The changes of contacts: their calls, what they touch, and how it is found out whether one was made whose answer
//! was lost.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{self, Written};
use super::loader::ContactById;
use super::model::{Contact, Part, Parts};
use crate::cache::Tag;
use crate::resources::changed::Changed;
use crate::upstream::wire;
use crate::upstream::{Account, Behind, Call, Error, Fault, Id, Shelf, Upstream, Write};

/// A new contact.
#[derive(Clone, Debug)]
pub struct Create {
    pub account: Arc<Account>,
    pub body: Map<String, Value>,
}

impl Write for Create {
    type Done = Contact;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::CREATE, &[]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Contact, Error> {
        let written = api::written(api::CREATE, &self.account, body)?;
        written.contact.ok_or_else(|| Error::bad_response(api::CREATE.template, "no contact"))
    }

    fn behind<'a>(&'a self, done: Option<&'a Contact>) -> Behind<'a> {
        done.map_or(Behind::Lists, |contact| Behind::Row(contact.id()))
    }

    fn touched(&self, done: Option<&Contact>, tell: &mut dyn FnMut(Tag<'_>)) {
        let changed = done.map_or(Changed::SomeContact, |contact| Changed::ContactCame(contact.id()));
        changed.tell(&self.account.view, tell);
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    /// The upstream was seen to refuse a contact and to have created it nevertheless.
    fn is_doubtful(&self, error: &Error) -> bool {
        error.is_unclear() || matches!(error.fault, Fault::Refused(_))
    }

    /// By its mail or phone: a location has no two contacts with the same, as a rule. One that is not as it was sent was
    /// there before.
    async fn look(&self, upstream: &Upstream, error: &mut Error) -> Option<Contact> {
        let found = find_same(upstream, &self.account, &self.body).await?;
        if error.is_unclear() && is_as_sent(&found, &self.body) {
            return Some(found);
        }
        error.existing = Some(found.id().into());
        None
    }
}

/// Changes to a contact.
#[derive(Clone, Debug)]
pub struct Update {
    pub account: Arc<Account>,
    pub id: Id,
    pub body: Map<String, Value>,
}

impl Write for Update {
    type Done = Contact;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::UPDATE, &[&self.id]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Contact, Error> {
        let written = api::written(api::UPDATE, &self.account, body)?;
        if written.refused {
            return Err(Error::bad_response(api::UPDATE.template, "it did not succeed"));
        }
        let mut contact = written.contact.unwrap_or_else(|| bare(&self.account, &self.id));
        // What was cleared and is not in the answer has no value any more.
        contact.known = contact.known.or(api::cleared(&self.body));
        Ok(contact)
    }

    fn behind<'a>(&'a self, _: Option<&'a Contact>) -> Behind<'a> {
        Behind::Row(self.id.as_str())
    }

    fn touched(&self, _: Option<&Contact>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Contact(self.id.as_str()).tell(&self.account.view, tell);
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    async fn look(&self, upstream: &Upstream, _: &mut Error) -> Option<Contact> {
        let seen = read_whole(upstream, &self.account, &self.id).await?;
        is_as_sent(&seen, &self.body).then(|| (*seen).clone())
    }
}

/// A contact that is updated where its mail or phone is known, and else created.
#[derive(Clone, Debug)]
pub struct Upsert {
    pub account: Arc<Account>,
    pub body: Map<String, Value>,
}

/// What became of an upsert.
#[derive(Debug)]
pub struct Upserted {
    pub created: bool,
    pub contact: Contact,
}

impl Write for Upsert {
    type Done = Upserted;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::UPSERT, &[]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Upserted, Error> {
        let Written { contact, new, .. } = api::written(api::UPSERT, &self.account, body)?;
        let read = contact.zip(new).map(|(contact, created)| Upserted { created, contact });
        read.ok_or_else(|| Error::bad_response(api::UPSERT.template, "no contact, or not whether it is new"))
    }

    fn behind<'a>(&'a self, done: Option<&'a Upserted>) -> Behind<'a> {
        done.map_or(Behind::Lists, |done| Behind::Row(done.contact.id()))
    }

    fn touched(&self, done: Option<&Upserted>, tell: &mut dyn FnMut(Tag<'_>)) {
        let changed = done.map_or(Changed::SomeContact, |done| Changed::ContactCame(done.contact.id()));
        changed.tell(&self.account.view, tell);
    }

    fn keep(&self, done: &Upserted, shelf: &mut Shelf<'_>) {
        keep(&self.account, &done.contact, shelf);
    }

    /// Whether it was created or updated cannot be told afterwards; which contact it is about can.
    async fn look(&self, upstream: &Upstream, error: &mut Error) -> Option<Upserted> {
        let found = find_same(upstream, &self.account, &self.body).await?;
        Changed::ContactCame(found.id()).tell(&self.account.view, &mut |tag| upstream.forget(tag));
        error.existing = Some(found.id().into());
        None
    }
}

/// The end of a contact.
#[derive(Clone, Debug)]
pub struct Delete {
    pub account: Arc<Account>,
    pub id: Id,
}

impl Write for Delete {
    type Done = ();

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::DELETE, &[&self.id])
    }

    fn read(&self, body: &[u8]) -> Result<(), Error> {
        wire::succeeded(api::DELETE.template, body)
    }

    fn behind<'a>(&'a self, _: Option<&'a ()>) -> Behind<'a> {
        Behind::Row(self.id.as_str())
    }

    fn touched(&self, _: Option<&()>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::ContactGone(self.id.as_str()).tell(&self.account.view, tell);
    }

    fn keep(&self, (): &(), shelf: &mut Shelf<'_>) {
        shelf.put(ContactById::new(self.account.clone(), self.id.clone()), None, 0);
    }

    async fn look(&self, upstream: &Upstream, _: &mut Error) -> Option<()> {
        let question = ContactById::whole(self.account.clone(), self.id.clone());
        matches!(upstream.read_now(&question).await, Ok(None)).then_some(())
    }
}

/// Tags that a contact gets or loses.
#[derive(Clone, Debug)]
pub struct EditTags {
    pub account: Arc<Account>,
    pub id: Id,
    pub body: Map<String, Value>,
    pub add: bool,
}

impl EditTags {
    fn route(&self) -> crate::upstream::Route {
        if self.add { api::ADD_TAGS } else { api::REMOVE_TAGS }
    }
}

impl Write for EditTags {
    type Done = Contact;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(self.route(), &[&self.id]).body(self.body.clone())
    }

    /// The answer is the whole list of tags; the rest of the contact is not told.
    fn read(&self, body: &[u8]) -> Result<Contact, Error> {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(deserialize_with = "wire::texts")]
            tags: Vec<Box<str>>,
        }
        let Envelope { tags } = wire::decode(self.route().template, body)?;
        Ok(Contact { known: Parts::NONE.with(Part::Tags), tags: tags.into(), ..bare(&self.account, &self.id) })
    }

    fn behind<'a>(&'a self, _: Option<&'a Contact>) -> Behind<'a> {
        Behind::Row(self.id.as_str())
    }

    fn touched(&self, _: Option<&Contact>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Contact(self.id.as_str()).tell(&self.account.view, tell);
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    async fn look(&self, upstream: &Upstream, _: &mut Error) -> Option<Contact> {
        let seen = read_whole(upstream, &self.account, &self.id).await?;
        let has = |tag: &Value| {
            let tag = tag.as_str().unwrap_or_default().to_lowercase();
            seen.tags.iter().any(|other| other.to_lowercase() == tag)
        };
        let sent = self.body.get("tags").and_then(Value::as_array)?;
        sent.iter().all(|tag| has(tag) == self.add).then(|| (*seen).clone())
    }
}

/// A contact of which nothing is known but its id.
pub fn bare(account: &Account, id: &Id) -> Contact {
    Contact::bare(id.as_str(), &account.location)
}

/// As much of it as the answer told. A contact of another location, which a caller's own credential may be for, is not
/// one that this location has.
fn keep(account: &Arc<Account>, contact: &Contact, shelf: &mut Shelf<'_>) {
    if let Ok(id) = Id::of_contact(contact.id())
        && contact.location_id() == &*account.location
    {
        let bytes = size_of::<Contact>() + contact.bytes();
        shelf.put(ContactById::new(account.clone(), id), Some(Arc::new(contact.clone())), bytes);
    }
}

async fn read_whole(upstream: &Upstream, account: &Arc<Account>, id: &Id) -> Option<Arc<Contact>> {
    upstream.read_now(&ContactById::whole(account.clone(), id.clone())).await.ok().flatten()
}

/// The contact that has the mail or the phone of what was sent.
async fn find_same(upstream: &Upstream, account: &Arc<Account>, sent: &Map<String, Value>) -> Option<Contact> {
    let text = |key: &str| sent.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut call = Call::to(api::DUPLICATE, &[]).with("locationId", &account.location);
    call = match (text("email"), text("phone")) {
        (Some(email), _) => call.with("email", email),
        (None, Some(phone)) => call.with("number", phone),
        (None, None) => return None,
    };
    let body = upstream.get(account, call).await.ok().flatten()?;
    let contact = api::one(account, &body).ok().flatten()?;
    Id::of_contact(contact.id()).is_ok().then_some(contact)
}

/// Whether a contact has the values that were sent. What the upstream may spell in its own way is compared as it
/// would read it.
fn is_as_sent(seen: &Contact, sent: &Map<String, Value>) -> bool {
    let letters = |text: &str| text.trim().to_lowercase();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let same = |seen: Option<&str>, value: &Value| {
        let (seen, value) = (seen.unwrap_or_default(), value.as_str().unwrap_or_default());
        letters(seen) == letters(value)
    };
    sent.iter().all(|(key, value)| match key.as_str() {
        "phone" => {
            let sent = digits(value.as_str().unwrap_or_default());
            sent.is_empty() || sent == digits(seen.text(Part::Phone).unwrap_or_default())
        }
        // A date is kept in another form than it is sent in.
        "dateOfBirth" => digits(seen.text(Part::DateOfBirth).unwrap_or_default())
            .starts_with(&digits(value.as_str().unwrap_or_default())),
        "dnd" => seen.dnd.unwrap_or_default() == value.as_bool().unwrap_or_default(),
        "tags" => value.as_array().is_none_or(|tags| {
            let has =
                |tag: &Value| seen.tags.iter().any(|other| letters(other) == letters(tag.as_str().unwrap_or_default()));
            tags.iter().all(has)
        }),
        "customFields" => value.as_array().is_none_or(|fields| {
            fields.iter().all(|field| {
                let held = seen.custom_fields.iter().find(|held| field["id"] == *held.id);
                let (held, sent) = (held.map_or(&Value::Null, |held| &held.value), &field["field_value"]);
                held == sent || (sent == "" && held.is_null())
            })
        }),
        key => Part::of_text(key).is_none_or(|part| same(seen.text(part), value)),
    })
}
