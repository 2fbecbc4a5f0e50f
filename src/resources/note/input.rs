//! The inputs of the mutations of notes, and what becomes of them upstream.

use async_graphql::{ID, InputObject, MaybeUndefined};

use crate::graph::forms::is_color;
use crate::graph::input::{Cleared, Draft};
use crate::upstream::Id;

/// A note to be attached to a contact.
#[derive(InputObject)]
pub struct CreateNoteInput {
    /// The id of the contact that it is about.
    contact_id: ID,
    /// What the note says. Not empty.
    note: String,
    /// Its title.
    title: MaybeUndefined<String>,
    /// Its colour, as `#RRGGBB`.
    color: MaybeUndefined<String>,
    /// Whether it is pinned.
    pinned: MaybeUndefined<bool>,
    /// Id of the user who writes it.
    user_id: MaybeUndefined<String>,
}

/// What to change of a note. What is left out stays, null clears.
#[derive(InputObject)]
pub struct UpdateNoteInput {
    /// The id of the contact that has the note.
    contact_id: ID,
    /// The note's id upstream.
    id: ID,
    /// What the note says. Not empty. Can't be cleared.
    note: MaybeUndefined<String>,
    /// Its title.
    title: MaybeUndefined<String>,
    /// Its colour, as `#RRGGBB`.
    color: MaybeUndefined<String>,
    /// Whether it is pinned; null is no.
    pinned: MaybeUndefined<bool>,
    /// Id of the user who wrote it.
    user_id: MaybeUndefined<String>,
}

/// The note to delete.
#[derive(InputObject)]
pub struct DeleteNoteInput {
    /// The id of the contact that has the note.
    contact_id: ID,
    /// The note's id upstream.
    pub id: ID,
}

/// A note of a contact, as far as both ids can be used.
pub type Named = Option<(Id, Id)>;

impl CreateNoteInput {
    /// The note as it is sent, and the contact that it is about.
    pub fn draft(self) -> (Draft, Option<Id>) {
        let mut draft = Draft::default();
        let contact = draft.id("contactId", Id::of_contact(&self.contact_id));
        draft.words(("note", "body"), MaybeUndefined::Value(self.note));
        say_rest(&mut draft, self.title, self.color, self.user_id, Cleared::Unsaid);
        if let MaybeUndefined::Value(pinned) = self.pinned {
            draft.say("pinned", pinned);
        }
        (draft, contact)
    }
}

impl UpdateNoteInput {
    /// The changes as they are sent, and the note that they are for.
    pub fn draft(self) -> (Draft, Named) {
        let mut draft = Draft::default();
        let named = named(&mut draft, &self.contact_id, &self.id);
        draft.words(("note", "body"), self.note);
        say_rest(&mut draft, self.title, self.color, self.user_id, Cleared::Empty);
        match self.pinned {
            MaybeUndefined::Undefined => {}
            // Neither pinned nor not pinned is not pinned.
            MaybeUndefined::Null => draft.say("pinned", false),
            MaybeUndefined::Value(pinned) => draft.say("pinned", pinned),
        }
        draft.must_say("has nothing to change beside the ids");
        (draft, named)
    }
}

impl DeleteNoteInput {
    /// The note that is meant.
    pub fn draft(&self) -> (Draft, Named) {
        let mut draft = Draft::default();
        let named = named(&mut draft, &self.contact_id, &self.id);
        (draft, named)
    }
}

fn named(draft: &mut Draft, contact: &str, id: &str) -> Named {
    let contact = draft.id("contactId", Id::of_contact(contact));
    let id = draft.id("id", Id::new(id));
    contact.zip(id)
}

fn say_rest(
    draft: &mut Draft,
    title: MaybeUndefined<String>,
    color: MaybeUndefined<String>,
    user_id: MaybeUndefined<String>,
    cleared: Cleared,
) {
    draft.text("title", title, cleared);
    let form: (fn(&str) -> bool, _) = (is_color, "is not a colour as #RRGGBB; null clears it");
    draft.tested(("color", "color"), color, cleared, form);
    draft.text("userId", user_id, cleared);
}
