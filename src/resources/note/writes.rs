//! The changes of notes: their calls, what they touch, and how it is found out whether one was made whose answer was
//! lost.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::api;
use super::loader::{NoteById, NotesOf};
use super::model::Note;
use crate::cache::Tag;
use crate::changes::{Change, ChangeKind, ChangedResource};
use crate::resources::changed::Changed;
use crate::resources::contact::is_here;
use crate::upstream::wire;
use crate::upstream::{Account, Call, Error, Id, Shelf, Upstream, Write};

/// A new note.
#[derive(Clone, Debug)]
pub struct Create {
    pub account: Arc<Account>,
    pub contact: Id,
    pub body: Map<String, Value>,
    /// Ids of the notes that were there before, if that is known.
    pub before: Option<Vec<Box<str>>>,
}

impl Write for Create {
    type Done = Arc<Note>;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::CREATE, &[&self.contact]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Arc<Note>, Error> {
        read(api::CREATE, &self.account, &self.contact, body)
    }

    fn touched(&self, done: Option<&Arc<Note>>, tell: &mut dyn FnMut(Tag<'_>)) {
        let contact = self.contact.as_str();
        let changed = done.map_or(Changed::NoteCame(contact), |note| Changed::Note(contact, note.id()));
        changed.tell(&self.account.view, tell);
    }

    fn tell(&self, done: Option<&Arc<Note>>, tell: &mut dyn FnMut(Change)) {
        let (kind, id) = done.map_or((ChangeKind::Updated, None), |note| (ChangeKind::Created, Some(note.id())));
        tell(self.account.change(kind, ChangedResource::Note, id, self.contact.as_str()));
    }

    fn keep(&self, note: &Arc<Note>, shelf: &mut Shelf<'_>) {
        keep(&self.account, &self.contact, note, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    /// Among the contact's notes that were not there before. If more than one is as it was sent, it cannot be told which is
    /// meant.
    async fn look(&mut self, upstream: &Upstream, began: Timestamp, _: &mut Error) -> Option<Arc<Note>> {
        let question = NotesOf::new(self.account.clone(), self.contact.clone());
        let notes = upstream.read_now(&question).await.ok().flatten()?;
        let is_new = |note: &Note| {
            let known = self.before.as_ref().is_some_and(|before| before.iter().any(|id| **id == *note.id()));
            !known && note.date_created.is_some_and(|created| created >= began)
        };
        let mut same = notes.iter().filter(|note| is_new(note) && is_as_sent(note, &self.body));
        let found = same.next()?;
        same.next().is_none().then(|| Arc::new(found.clone()))
    }
}

/// Changes to a note.
#[derive(Clone, Debug)]
pub struct Update {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
    pub body: Map<String, Value>,
}

impl Write for Update {
    type Done = Arc<Note>;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::UPDATE, &[&self.contact, &self.id]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Arc<Note>, Error> {
        read(api::UPDATE, &self.account, &self.contact, body)
    }

    fn touched(&self, _: Option<&Arc<Note>>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Note(self.contact.as_str(), self.id.as_str()).tell(&self.account.view, tell);
    }

    fn tell(&self, _: Option<&Arc<Note>>, tell: &mut dyn FnMut(Change)) {
        let (id, contact) = (Some(self.id.as_str()), self.contact.as_str());
        tell(self.account.change(ChangeKind::Updated, ChangedResource::Note, id, contact));
    }

    fn keep(&self, note: &Arc<Note>, shelf: &mut Shelf<'_>) {
        keep(&self.account, &self.contact, note, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<Arc<Note>> {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        let note = upstream.read_now(&NoteById { account, contact, id }).await.ok().flatten()?;
        is_as_sent(&note, &self.body).then_some(note)
    }
}

/// The end of a note.
#[derive(Clone, Debug)]
pub struct Delete {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
}

impl Write for Delete {
    type Done = ();

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::DELETE, &[&self.contact, &self.id])
    }

    fn read(&self, body: &[u8]) -> Result<(), Error> {
        wire::succeeded(api::DELETE.template, body)
    }

    fn touched(&self, _: Option<&()>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Note(self.contact.as_str(), self.id.as_str()).tell(&self.account.view, tell);
    }

    fn tell(&self, done: Option<&()>, tell: &mut dyn FnMut(Change)) {
        let (id, contact) = (Some(self.id.as_str()), self.contact.as_str());
        let kind = done.map_or(ChangeKind::Updated, |()| ChangeKind::Deleted);
        tell(self.account.change(kind, ChangedResource::Note, id, contact));
    }

    fn keep(&self, (): &(), shelf: &mut Shelf<'_>) {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        shelf.put(NoteById { account, contact, id }, None, 0);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<()> {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        let seen = upstream.read_now(&NoteById { account, contact, id }).await;
        matches!(seen, Ok(None)).then_some(())
    }
}

fn read(route: crate::upstream::Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Arc<Note>, Error> {
    let note = api::one(route, account, contact, body)?;
    note.map(Arc::new).ok_or_else(|| Error::bad_response(route.template, "no note"))
}

fn keep(account: &Arc<Account>, contact: &Id, note: &Arc<Note>, shelf: &mut Shelf<'_>) {
    let bytes = size_of::<Note>() + note.texts.bytes();
    if let Ok(id) = Id::new(note.id()) {
        let question = NoteById { account: account.clone(), contact: contact.clone(), id };
        shelf.put(question, Some(note.clone()), bytes);
    }
}

/// Whether a note has the values that were sent.
fn is_as_sent(seen: &Note, sent: &Map<String, Value>) -> bool {
    let text = |seen: Option<&str>, value: &Value| seen.unwrap_or_default() == value.as_str().unwrap_or_default();
    sent.iter().all(|(key, value)| match key.as_str() {
        "body" => text(seen.note(), value),
        "title" => text(seen.title(), value),
        "color" => text(seen.color(), value),
        "userId" => text(seen.user_id(), value),
        "pinned" => seen.pinned.unwrap_or_default() == value.as_bool().unwrap_or_default(),
        _ => true,
    })
}
