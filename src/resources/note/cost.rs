//! What the fields of notes cost.

use super::api;
use super::loader::{NoteById, NotesOf};
use crate::graph::Request;
use crate::graph::cost::{Call, Change, Cost, Fields};
use crate::resources::contact::cost::CONTACT;
use crate::upstream::Id;

/// All notes of a contact.
pub static NOTES: Call = Call::read(api::LIST, "a contact's notes", |ttls| ttls.notes, is_list_held);

/// One note.
pub static NOTE: Call = Call::read(api::ONE, "a note", |ttls| ttls.notes, is_one_held);

fn is_list_held(request: &Request, ids: &[Id], _: &[&str]) -> bool {
    let [contact] = ids else { return false };
    request.has(&NotesOf::new(request.account().clone(), contact.clone())).is_some()
}

/// Itself, or in the list of its contact's.
fn is_one_held(request: &Request, ids: &[Id], _: &[&str]) -> bool {
    let [contact, id] = ids else { return false };
    let account = request.account().clone();
    let list = request.has(&NotesOf::new(account.clone(), contact.clone())).flatten();
    list.is_some_and(|notes| notes.iter().any(|note| note.id() == id.as_str()))
        || request.has(&NoteById { account, contact: contact.clone(), id: id.clone() }).is_some()
}

/// The arguments that name one.
pub const IDS: &[&str] = &["contactId", "id"];

const fn change(call: Call, ids: &'static [&'static str]) -> Change {
    Change { call, ids, before: Some(&CONTACT), told: &[] }
}

static CREATE: Change = change(Call::write(api::CREATE, "a new note"), &["contactId"]);
static UPDATE: Change = change(Call::write(api::UPDATE, "changes to a note"), IDS);
static DELETE: Change = change(Call::write(api::DELETE, "the end of a note"), IDS);

/// The types of this resource.
pub const FIELDS: &[Fields] = &[
    Fields { on: "Query", costs: &[("note", Cost::Record(&NOTE, IDS))], at_hand: &[] },
    Fields {
        on: "Mutation",
        costs: &[
            ("createNote", Cost::Change(&CREATE)),
            ("updateNote", Cost::Change(&UPDATE)),
            ("deleteNote", Cost::Change(&DELETE)),
        ],
        at_hand: &[],
    },
    Fields {
        on: "Note",
        costs: &[("contact", Cost::Contact(&CONTACT))],
        at_hand: &["id", "note", "title", "pinned", "color", "userId", "dateCreated", "contactId"],
    },
    Fields { on: "CreateNotePayload", costs: &[], at_hand: &["note"] },
    Fields { on: "UpdateNotePayload", costs: &[], at_hand: &["note"] },
    Fields { on: "DeleteNotePayload", costs: &[], at_hand: &["deletedId", "contact"] },
];
