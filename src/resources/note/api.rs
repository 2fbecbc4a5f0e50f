//! The upstream's routes for notes, and how their answers become [`Note`]s.

use serde::Deserialize;

use super::model::Note;
use crate::resources::texts::Texts;
use crate::upstream::wire::{self, Spoken};
use crate::upstream::{Account, Error, Id, Route};

/// All notes of a contact.
pub const LIST: Route = Route::read_contacts("GET /contacts/{contactId}/notes");
/// One note.
pub const ONE: Route = Route::read_contacts("GET /contacts/{contactId}/notes/{id}");
/// A new note.
pub const CREATE: Route = Route::write_contacts("POST /contacts/{contactId}/notes");
/// Changes to a note.
pub const UPDATE: Route = Route::write_contacts("PUT /contacts/{contactId}/notes/{id}");
/// The end of a note.
pub const DELETE: Route = Route::write_contacts("DELETE /contacts/{contactId}/notes/{id}");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    id: Spoken<'a>,
    #[serde(borrow, default, rename = "_id", deserialize_with = "wire::spoken")]
    underscore_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    body: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    title: Spoken<'a>,
    #[serde(default, deserialize_with = "wire::flag")]
    pinned: Option<bool>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    color: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    user_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    date_added: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    contact_id: Spoken<'a>,
}

fn note(route: Route, account: &Account, contact: &Id, wire: Wire<'_>) -> Result<Note, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    let id = id.ok_or_else(|| Error::bad_response(route.template, "a note without an id"))?;
    let contact = wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into());
    let texts = [Some(id), Some(contact), wire.body, wire.title, wire.color, wire.user_id];
    Ok(Note {
        texts: Texts::new(texts.each_ref().map(Option::as_deref)),
        pinned: wire.pinned,
        date_created: wire::moment(wire.date_added.as_deref(), &account.timezone),
    })
}

/// The body of [`LIST`].
pub fn list(account: &Account, contact: &Id, body: &[u8]) -> Result<Vec<Note>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        notes: Vec<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(LIST.template, body)?;
    let notes = envelope.notes.into_iter();
    notes.map(|wire| note(LIST, account, contact, wire)).collect()
}

/// The body of [`ONE`], and of a change that answers with the note.
pub fn one(route: Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Option<Note>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::nullable")]
        note: Option<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(route.template, body)?;
    envelope.note.map(|wire| note(route, account, contact, wire)).transpose()
}
