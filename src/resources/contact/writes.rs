//! The changes of contacts: their calls, what they touch, and how it is found out whether one was made whose answer
//! was lost.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{self, Written};
use super::loader::ContactById;
use super::look::{find_same, is_as_sent, is_gone, is_here, read_whole};
use super::model::{Contact, Part, Parts};
use crate::cache::{Tag, View};
use crate::changes::{Change, ChangeKind, ChangedResource};
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
        match done {
            Some(contact) => told(&self.account, Changed::ContactCame(contact.id()), contact, tell),
            None => Changed::SomeContactCame.tell(&self.account.view, tell),
        }
    }

    fn tell(&self, done: Option<&Contact>, tell: &mut dyn FnMut(Change)) {
        done.into_iter().for_each(|contact| tell(told_of(&self.account, ChangeKind::Created, contact)));
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    /// The upstream was seen to refuse a contact and to have created it nevertheless.
    fn is_doubtful(&self, error: &Error) -> bool {
        error.is_unclear() || matches!(error.fault, Fault::Refused(_))
    }

    /// By its mail and phone: a location has no two contacts with the same, as a rule. One that is not as it was sent, or was
    /// created before, is another.
    async fn look(&mut self, upstream: &Upstream, began: Timestamp, error: &mut Error) -> Option<Contact> {
        let found = find_same(upstream, &self.account, &self.body).await?;
        let is_new = |contact: &&Contact| contact.date_created.is_some_and(|created| created >= began);
        if let Some(new) = found.iter().find(is_new) {
            if error.is_unclear() && is_as_sent(new, &self.body) {
                return Some(new.clone());
            }
            upstream.settle(self, Some(new), None);
        }
        let other = found.iter().find(is_new).or(found.first())?;
        error.existing = Some(other.id().into());
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

    fn touched(&self, done: Option<&Contact>, tell: &mut dyn FnMut(Tag<'_>)) {
        let changed = Changed::Contact(self.id.as_str());
        match done {
            Some(contact) => told(&self.account, changed, contact, tell),
            None => changed.tell(&self.account.view, tell),
        }
    }

    fn tell(&self, done: Option<&Contact>, tell: &mut dyn FnMut(Change)) {
        let kind = ChangeKind::Updated;
        tell(match done {
            Some(contact) => told_of(&self.account, kind, contact),
            None => told_of_id(&self.account, kind, self.id.as_str()),
        });
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.id).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<Contact> {
        let seen = read_whole(upstream, &self.account, &self.id).await?;
        is_as_sent(&seen, &self.body).then(|| (*seen).clone())
    }
}

/// A contact that is updated where its mail or phone is known, and else created.
#[derive(Clone, Debug)]
pub struct Upsert {
    pub account: Arc<Account>,
    pub body: Map<String, Value>,
    /// Ids of the contacts that it may have updated, once that was looked for and some were found.
    about: Vec<Box<str>>,
}

impl Upsert {
    pub fn new(account: Arc<Account>, body: Map<String, Value>) -> Self {
        Self { account, body, about: Vec::new() }
    }
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
        match (done, &*self.about) {
            (Some(Upserted { contact, .. }), _) => {
                told(&self.account, Changed::ContactCame(contact.id()), contact, tell);
            }
            (None, []) => Changed::AnyContact.tell(&self.account.view, tell),
            (None, ids) => ids.iter().for_each(|id| Changed::ContactCame(id).tell(&self.account.view, tell)),
        }
    }

    fn tell(&self, done: Option<&Upserted>, tell: &mut dyn FnMut(Change)) {
        match done {
            Some(Upserted { created: true, contact }) => tell(told_of(&self.account, ChangeKind::Created, contact)),
            Some(Upserted { contact, .. }) => tell(told_of(&self.account, ChangeKind::Updated, contact)),
            None => self.about.iter().for_each(|id| tell(told_of_id(&self.account, ChangeKind::Updated, id))),
        }
    }

    fn keep(&self, done: &Upserted, shelf: &mut Shelf<'_>) {
        keep(&self.account, &done.contact, shelf);
    }

    /// Whether it was created or updated cannot be told afterwards; which contacts it may be about can.
    async fn look(&mut self, upstream: &Upstream, _: Timestamp, error: &mut Error) -> Option<Upserted> {
        let found = find_same(upstream, &self.account, &self.body).await?;
        self.about = found.iter().map(|contact| contact.id().into()).collect();
        error.existing = self.about.first().cloned();
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

    fn tell(&self, done: Option<&()>, tell: &mut dyn FnMut(Change)) {
        let kind = done.map_or(ChangeKind::Updated, |()| ChangeKind::Deleted);
        tell(told_of_id(&self.account, kind, self.id.as_str()));
    }

    fn keep(&self, (): &(), shelf: &mut Shelf<'_>) {
        shelf.put(ContactById::new(self.account.clone(), self.id.clone()), None, 0);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.id).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<()> {
        is_gone(upstream, &self.account, &self.id).await.then_some(())
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

    fn tell(&self, _: Option<&Contact>, tell: &mut dyn FnMut(Change)) {
        tell(told_of_id(&self.account, ChangeKind::Updated, self.id.as_str()));
    }

    fn keep(&self, contact: &Contact, shelf: &mut Shelf<'_>) {
        keep(&self.account, contact, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.id).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<Contact> {
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

/// Tells what changed where the contact is: an answer may say that this is another location than the one that was asked.
fn told(account: &Account, changed: Changed<'_>, contact: &Contact, tell: &mut dyn FnMut(Tag<'_>)) {
    changed.tell(&account.view, tell);
    if contact.location_id() != &*account.location {
        changed.tell(&View::new(contact.location_id(), ""), tell);
    }
}

/// What those are told who watch the location that the contact is in.
fn told_of(account: &Account, kind: ChangeKind, contact: &Contact) -> Change {
    let change = told_of_id(account, kind, contact.id());
    match account.shows(contact.location_id()) {
        true => change,
        false => Change { location: contact.location_id().into(), ..change },
    }
}

fn told_of_id(account: &Account, kind: ChangeKind, id: &str) -> Change {
    account.change(kind, ChangedResource::Contact, Some(id), id)
}

/// As much of it as the answer told, or that the location has no such contact.
fn keep(account: &Arc<Account>, contact: &Contact, shelf: &mut Shelf<'_>) {
    if let Ok(id) = Id::of_contact(contact.id()) {
        let here = account.shows(contact.location_id()).then(|| Arc::new(contact.clone()));
        shelf.put(ContactById::new(account.clone(), id), here, size_of::<Contact>() + contact.bytes());
    }
}
