//! The inputs of the mutations of tasks, and what becomes of them upstream.

use async_graphql::{ID, InputObject, MaybeUndefined};

use crate::graph::DateTime;
use crate::graph::input::{Cleared, Draft};
use crate::upstream::Id;

/// A task to be created.
#[derive(InputObject)]
pub struct CreateTaskInput {
    /// The id of the contact that it is for.
    contact_id: ID,
    /// What is to be done. Not empty.
    title: String,
    /// More about it.
    body: MaybeUndefined<String>,
    /// When it is due.
    due_date: DateTime,
    /// Whether it is done already.
    #[graphql(default_with = "Some(false)")]
    completed: Option<bool>,
    /// Id of the user whom it is assigned to.
    assigned_to: MaybeUndefined<String>,
}

/// What to change of a task. What is left out stays, null clears.
#[derive(InputObject)]
pub struct UpdateTaskInput {
    /// The id of the contact that has the task.
    contact_id: ID,
    /// The task's id upstream.
    id: ID,
    /// What is to be done. Not empty. Can't be cleared.
    title: MaybeUndefined<String>,
    /// More about it.
    body: MaybeUndefined<String>,
    /// When it is due. Can't be cleared.
    due_date: MaybeUndefined<DateTime>,
    /// Whether it is done. Can't be cleared.
    completed: MaybeUndefined<bool>,
    /// Id of the user whom it is assigned to.
    assigned_to: MaybeUndefined<String>,
}

/// A task to complete or to open again.
#[derive(InputObject)]
pub struct SetTaskCompletedInput {
    /// The id of the contact that has the task.
    contact_id: ID,
    /// The task's id upstream.
    id: ID,
    /// Whether it is done.
    completed: bool,
}

/// The task to delete.
#[derive(InputObject)]
pub struct DeleteTaskInput {
    /// The id of the contact that has the task.
    contact_id: ID,
    /// The task's id upstream.
    pub id: ID,
}

/// A task of a contact, as far as both ids can be used.
pub type Named = Option<(Id, Id)>;

impl CreateTaskInput {
    /// The task as it is sent, and the contact that it is for.
    pub fn draft(self) -> (Draft, Option<Id>) {
        let mut draft = Draft::default();
        let contact = draft.id("contactId", Id::of_contact(&self.contact_id));
        draft.words(("title", "title"), MaybeUndefined::Value(self.title));
        draft.text("body", self.body, Cleared::Unsaid);
        draft.moment("dueDate", MaybeUndefined::Value(self.due_date));
        draft.say("completed", self.completed.unwrap_or_default());
        draft.text("assignedTo", self.assigned_to, Cleared::Unsaid);
        (draft, contact)
    }
}

impl UpdateTaskInput {
    /// The changes as they are sent, and the task that they are for.
    pub fn draft(self) -> (Draft, Named) {
        let mut draft = Draft::default();
        let named = named(&mut draft, &self.contact_id, &self.id);
        draft.words(("title", "title"), self.title);
        draft.text("body", self.body, Cleared::Empty);
        draft.moment("dueDate", self.due_date);
        draft.flag("completed", self.completed);
        draft.text("assignedTo", self.assigned_to, Cleared::Empty);
        draft.must_say("has nothing to change beside the ids");
        (draft, named)
    }
}

impl SetTaskCompletedInput {
    /// The change as it is sent, and the task that it is for.
    pub fn draft(self) -> (Draft, Named) {
        let mut draft = Draft::default();
        let named = named(&mut draft, &self.contact_id, &self.id);
        draft.say("completed", self.completed);
        (draft, named)
    }
}

impl DeleteTaskInput {
    /// The task that is meant.
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
