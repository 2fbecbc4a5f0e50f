//! The fields of `Mutation` that change notes.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::input::{CreateNoteInput, DeleteNoteInput, UpdateNoteInput};
use super::loader::NotesOf;
use super::model;
use super::writes::{Create, Delete, Update};
use super::{Note, Seen, Started};
use crate::graph::scope::{Scope, requires_scopes};
use crate::graph::{Error, Request};
use crate::resources::contact::{Contact, of_deleted};

/// The note that was created.
#[derive(SimpleObject)]
pub struct CreateNotePayload {
    /// The note as it is now.
    note: Option<Note>,
}

/// The note that was changed.
#[derive(SimpleObject)]
pub struct UpdateNotePayload {
    /// The note as it is now.
    note: Option<Note>,
}

/// The note that was deleted.
#[derive(SimpleObject)]
pub struct DeleteNotePayload {
    /// Its id.
    deleted_id: ID,
    /// The contact that had the note.
    contact: Option<Contact>,
}

/// Changes of notes.
#[derive(Default)]
pub struct NoteMutation;

/// Changes of notes.
#[Object]
impl NoteMutation {
    /// Attaches a note to a contact.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn create_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: CreateNoteInput,
    ) -> Option<Result<CreateNotePayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, contact) = input.draft();
        let (body, contact) = draft.done(ctx).zip(contact)?;
        let held = request.held(&NotesOf::new(account.clone(), contact.clone())).flatten();
        let before = held.map(|notes| notes.iter().map(|note| note.id().into()).collect());
        let made = request.change(ctx, Create { account, contact, body, before }).await;
        Some(made.map(|note| CreateNotePayload { note: shown(note) }))
    }

    /// Changes the named fields of a note. Needs at least one field beside `contactId` and `id`.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn update_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note and what to change of it.")] input: UpdateNoteInput,
    ) -> Option<Result<UpdateNotePayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, named) = input.draft();
        let (body, (contact, id)) = draft.done(ctx).zip(named)?;
        let changed = request.change(ctx, Update { account, contact, id, body }).await;
        Some(changed.map(|note| UpdateNotePayload { note: shown(note) }))
    }

    /// Deletes a note.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn delete_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: DeleteNoteInput,
    ) -> Option<Result<DeleteNotePayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, named) = input.draft();
        let (_, (contact, id)) = draft.done(ctx).zip(named)?;
        let of = of_deleted(ctx, &contact);
        let deleted = request.change(ctx, Delete { account, contact, id }).await;
        Some(deleted.map(|()| DeleteNotePayload { deleted_id: input.id, contact: of }))
    }
}

fn shown(note: Arc<model::Note>) -> Option<Note> {
    Some(Note::new(Seen::One(note), Started::default()))
}
