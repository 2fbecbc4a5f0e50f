//! The keys by which notes are loaded.

use std::sync::Arc;
use std::time::Duration;

use super::api;
use super::model::Note;
use crate::cache::{EntityKey, Kind, Tag};
use crate::resources::changed::{each_of, one_of};
use crate::upstream::{Account, Call, Error, Id, Question, Route, Session, Ttls};

/// All notes of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NotesOf {
    account: Arc<Account>,
    contact: Id,
}

impl NotesOf {
    pub fn new(account: Arc<Account>, contact: Id) -> Self {
        Self { account, contact }
    }
}

impl Question for NotesOf {
    type Answer = Box<[Note]>;

    const KIND: Kind = Kind::Notes;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, self.contact.as_str())
    }

    fn route(&self) -> Route {
        api::LIST
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.notes
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Self::Answer, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::LIST, &[&self.contact])).await? else {
            return Ok(None);
        };
        let notes = api::list(session.account(), &self.contact, &body)?;
        let bytes = body.len() + notes.len() * size_of::<Note>();
        Ok(Some((notes.into(), bytes)))
    }
}

/// One note of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NoteById {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
}

impl Question for NoteById {
    type Answer = Note;

    const KIND: Kind = Kind::Note;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, one_of(self.contact.as_str(), self.id.as_str()))
    }

    fn route(&self) -> Route {
        api::ONE
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.notes
    }

    fn made_of(&self, _: Option<&Note>, tell: &mut dyn FnMut(Tag<'_>)) {
        tell(self.key().tag());
        // It goes with its contact, too.
        tell(self.account.view.tag(Kind::Note, &each_of(self.contact.as_str())));
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Note, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::ONE, &[&self.contact, &self.id])).await? else {
            return Ok(None);
        };
        let note = api::one(api::ONE, session.account(), &self.contact, &body)?;
        Ok(note.map(|note| (note, size_of::<Note>() + body.len())))
    }
}
