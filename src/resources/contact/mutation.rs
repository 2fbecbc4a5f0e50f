//! The fields of `Mutation` that change contacts.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::Contact;
use super::input::{
    AddContactTagsInput, CreateContactInput, DeleteContactInput, RemoveContactTagsInput, UpdateContactInput,
    UpsertContactInput, say_tags,
};
use super::model;
use super::writes::{Create, Delete, EditTags, Update, Upsert, Upserted, bare};
use crate::graph::input::Draft;
use crate::graph::scope::{Scope, requires_scopes};
use crate::graph::{Code, Error, Request};
use crate::upstream::Id;

/// The contact that was created.
#[derive(SimpleObject)]
pub struct CreateContactPayload {
    /// The contact as it is now.
    contact: Option<Contact>,
}

/// The contact that was changed.
#[derive(SimpleObject)]
pub struct UpdateContactPayload {
    /// The contact as it is now.
    contact: Option<Contact>,
}

/// The contact that was updated or created.
#[derive(SimpleObject)]
pub struct UpsertContactPayload {
    /// Whether it was created. False when a contact with this email or phone was updated.
    created: bool,
    /// The contact as it is now.
    contact: Option<Contact>,
}

/// The contact that was deleted.
#[derive(SimpleObject)]
pub struct DeleteContactPayload {
    /// Its id.
    deleted_id: ID,
}

/// The contact that got tags.
#[derive(SimpleObject)]
pub struct AddContactTagsPayload {
    /// The contact as it is now.
    contact: Option<Contact>,
}

/// The contact that lost tags.
#[derive(SimpleObject)]
pub struct RemoveContactTagsPayload {
    /// The contact as it is now.
    contact: Option<Contact>,
}

/// Changes of contacts.
#[derive(Default)]
pub struct ContactMutation;

/// Changes of contacts.
#[Object]
impl ContactMutation {
    /// Creates a contact in the caller's location. At least one of name, firstName, lastName, email and phone is
    /// needed.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn create_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact.")] input: CreateContactInput,
    ) -> Option<Result<CreateContactPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let body = input.draft(&account).done(ctx)?;
        let made = request.change(ctx, Create { account, body }).await;
        Some(made.and_then(|contact| Ok(CreateContactPayload { contact: shown(ctx, contact)? })))
    }

    /// Changes the named fields of a contact. Needs at least one field beside `id`.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn update_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact and what to change of it.")] input: UpdateContactInput,
    ) -> Option<Result<UpdateContactPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, id) = input.draft();
        let (body, id) = draft.done(ctx).zip(id)?;
        let changed = request.change(ctx, Update { account, id, body }).await;
        Some(changed.and_then(|contact| Ok(UpdateContactPayload { contact: shown(ctx, contact)? })))
    }

    /// Updates the contact with this email or phone, or creates it.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn upsert_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact.")] input: UpsertContactInput,
    ) -> Option<Result<UpsertContactPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let body = input.draft(&account).done(ctx)?;
        let done = request.change(ctx, Upsert::new(account, body)).await;
        Some(done.and_then(|Upserted { created, contact }| {
            Ok(UpsertContactPayload { created, contact: shown(ctx, contact)? })
        }))
    }

    /// Deletes a contact with everything that belongs to it.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn delete_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact.")] input: DeleteContactInput,
    ) -> Option<Result<DeleteContactPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let mut draft = Draft::default();
        let id = draft.id("id", Id::of_contact(&input.id));
        let (_, id) = draft.done(ctx).zip(id)?;
        let deleted = request.change(ctx, Delete { account, id }).await;
        Some(deleted.map(|()| DeleteContactPayload { deleted_id: input.id }))
    }

    /// Adds tags; those that the contact has already stay.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn add_contact_tags(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact and the tags.")] input: AddContactTagsInput,
    ) -> Option<Result<AddContactTagsPayload, Error>> {
        let contact = edit_tags(ctx, &input.contact_id, input.tags, true).await?;
        Some(contact.and_then(|contact| Ok(AddContactTagsPayload { contact: shown(ctx, contact)? })))
    }

    /// Removes tags; those that the contact does not have are ignored.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn remove_contact_tags(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact and the tags.")] input: RemoveContactTagsInput,
    ) -> Option<Result<RemoveContactTagsPayload, Error>> {
        let contact = edit_tags(ctx, &input.contact_id, input.tags, false).await?;
        Some(contact.and_then(|contact| Ok(RemoveContactTagsPayload { contact: shown(ctx, contact)? })))
    }
}

async fn edit_tags(
    ctx: &Context<'_>,
    contact: &str,
    tags: Vec<String>,
    add: bool,
) -> Option<Result<model::Contact, Error>> {
    let request = Request::of(ctx);
    let account = request.account().clone();
    let mut draft = Draft::default();
    let id = draft.id("contactId", Id::of_contact(contact));
    if tags.is_empty() {
        draft.problem(&["tags".into()], "must have at least one tag");
    }
    say_tags(&mut draft, tags);
    let (body, id) = draft.done(ctx).zip(id)?;
    Some(request.change(ctx, EditTags { account, id, body, add }).await)
}

/// The contact as it is now, if it is one that this location may see: the credential of the request may have changed one of
/// another.
fn shown(ctx: &Context<'_>, contact: model::Contact) -> Result<Option<Contact>, Error> {
    let request = Request::of(ctx);
    let account = request.account();
    if account.shows(contact.location_id()) {
        return Ok(Some(Contact::new(Arc::new(contact))));
    }
    tracing::warn!(location = &*account.location, "a change was made at another location: the credential reaches it");
    Err(Error::new(Code::NotFound, "There is no such contact in this location."))
}

/// The contact of a record that was deleted: what is asked of it is read.
pub(in crate::resources) fn of_deleted(ctx: &Context<'_>, id: &Id) -> Option<Contact> {
    Some(Contact::new(Arc::new(bare(Request::of(ctx).account(), id))))
}
