//! Notes: what was written down about a contact.

pub(crate) mod api;
pub(in crate::resources) mod cost;
mod input;
mod loader;
pub(in crate::resources) mod model;
mod mutation;
mod writes;

use async_graphql::{Context, ID, Object};

use loader::NoteById;
pub use loader::NotesOf;
pub use mutation::NoteMutation;

use super::contact::{self, Contact, ContactById};
use super::{Seen, Started, contact_id, record_id};
use crate::graph::filter::Span;
use crate::graph::{AtHand, Code, DateTime, Error, InPlace, Look, Request, Rows};
use crate::upstream::{Id, Pending};

/// A note as GraphQL shows it.
pub struct Note {
    seen: Seen<model::Note>,
    /// The reading of its contact, if that was begun before the note was there.
    started: Started,
}

impl Note {
    fn new(seen: Seen<model::Note>, started: Started) -> Self {
        Self { seen, started }
    }
}

/// Something written down about a contact.
#[Object]
impl Note {
    /// The note's id upstream.
    async fn id(&self) -> ID {
        ID::from(self.seen.id())
    }

    /// What the note says.
    async fn note(&self) -> Option<&str> {
        self.seen.note()
    }

    /// Its title.
    async fn title(&self) -> Option<&str> {
        self.seen.title()
    }

    /// Whether it is pinned.
    async fn pinned(&self) -> Option<bool> {
        self.seen.pinned
    }

    /// Its colour, as `#RRGGBB`.
    async fn color(&self) -> Option<&str> {
        self.seen.color()
    }

    /// Id of the user who wrote it.
    async fn user_id(&self) -> Option<ID> {
        self.seen.user_id().map(ID::from)
    }

    /// When it was written.
    async fn date_created(&self) -> Option<DateTime> {
        self.seen.date_created.map(DateTime::at)
    }

    /// Id of the contact that it is about.
    async fn contact_id(&self) -> ID {
        ID::from(self.seen.contact_id())
    }

    /// The contact that it is about.
    async fn contact(&self, ctx: &Context<'_>) -> Option<Result<InPlace<Contact>, Error>> {
        contact::of_record(ctx, self.seen.contact_id(), &self.started).await
    }
}

impl AtHand for Note {
    fn has(&self, field: &str) -> bool {
        field != "contact"
    }
}

/// The notes of a contact that pass the filter.
pub async fn of_contact(
    ctx: &Context<'_>,
    contact: Id,
    started: Option<Pending>,
    created: Span,
    most: usize,
) -> Result<Rows<Note>, Error> {
    let request = Request::of(ctx);
    let notes = request.load_started(NotesOf::new(request.account().clone(), contact), started).await?;
    let notes = notes.ok_or_else(|| Error::new(Code::NotFound, "The upstream has no such contact any more."))?;
    let notes = Seen::each(&notes).map(|note| Note::new(note, Started::default()));
    let wanted = |note: &Note| created.holds(note.seen.date_created);
    Ok(Rows(notes.filter(wanted).take(most).collect()))
}

/// Notes by id.
#[derive(Default)]
pub struct NoteQuery;

/// Notes by id.
#[Object]
impl NoteQuery {
    /// One note of a contact; null when there is none.
    async fn note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the contact that the note is about.")] contact_id: ID,
        #[graphql(desc = "The note's id upstream.")] id: ID,
    ) -> Option<Result<Note, Error>> {
        find(ctx, &contact_id, &id).await.transpose()
    }
}

/// The note with these ids, as far as it is of a contact of the location.
pub async fn find(ctx: &Context<'_>, contact: &str, id: &str) -> Result<Option<Note>, Error> {
    let (contact, id) = (contact_id(contact)?, record_id(id)?);
    let request = Request::of(ctx);
    let account = request.account().clone();
    // What belongs to a contact that the location does not have is not there either.
    if let Some(None) = request.held(&ContactById::new(account.clone(), contact.clone())) {
        return Ok(None);
    }
    if let Some(Some(notes)) = request.held(&NotesOf::new(account.clone(), contact.clone()))
        && let Some(note) = Seen::each(&notes).find(|note| note.id() == id.as_str())
    {
        return Ok(Some(Note::new(note, Started::default())));
    }
    let look = Look::at(ctx, "Note");
    let key = NoteById { account, contact: contact.clone(), id };
    let (note, started) = tokio::join!(request.load(key), Started::contact_of_record(&request, &look, &contact));
    Ok(note?.map(|note| Note::new(Seen::One(note), started)))
}
