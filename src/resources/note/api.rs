//! The upstream's routes for notes, and how their answers become [`Note`]s.

use serde::Deserialize;

use super::model::Note;
use crate::upstream::wire::{self, Text};
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
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    id: Text,
    #[serde(default, rename = "_id", deserialize_with = "wire::text")]
    underscore_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    body: Text,
    #[serde(default, deserialize_with = "wire::text")]
    title: Text,
    #[serde(default, deserialize_with = "wire::flag")]
    pinned: Option<bool>,
    #[serde(default, deserialize_with = "wire::text")]
    color: Text,
    #[serde(default, deserialize_with = "wire::text")]
    user_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    date_added: Text,
    #[serde(default, deserialize_with = "wire::text")]
    contact_id: Text,
}

fn note(route: Route, account: &Account, contact: &Id, wire: Wire) -> Result<Note, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    Ok(Note {
        id: id.ok_or_else(|| Error::bad_response(route.template, "a note without an id"))?,
        contact_id: wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into()),
        note: wire.body,
        title: wire.title,
        pinned: wire.pinned,
        color: wire.color,
        user_id: wire.user_id,
        date_created: wire::moment(wire.date_added.as_deref(), &account.timezone),
    })
}

/// The body of [`LIST`].
pub fn list(account: &Account, contact: &Id, body: &[u8]) -> Result<Vec<Note>, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::list")]
        notes: Vec<Wire>,
    }
    let envelope: Envelope = wire::decode(LIST.template, body)?;
    let notes = envelope.notes.into_iter();
    notes.map(|wire| note(LIST, account, contact, wire)).collect()
}

/// The body of [`ONE`], and of a change that answers with the note.
pub fn one(route: Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Option<Note>, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::nullable")]
        note: Option<Wire>,
    }
    let envelope: Envelope = wire::decode(route.template, body)?;
    envelope.note.map(|wire| note(route, account, contact, wire)).transpose()
}
