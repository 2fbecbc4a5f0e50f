//! What the gateway is about: a folder for each kind of thing, all with the same files.
//!
//! `mod` is its GraphQL, `model` what is held of it, `loader` the keys that load it, `api` the routes that tell
//! it and how their answers are read, and `cost` what its fields cost.

pub mod appointment;
pub mod changed;
pub mod contact;
pub mod entity;
pub mod note;
pub mod probe;
pub mod task;
mod texts;
pub mod watched;

use std::ops::Deref;
use std::sync::Arc;

use contact::ContactById;

use crate::graph::cost::Fields;
use crate::graph::{Error, Look, Request};
use crate::upstream::{Id, Pending, Question};

/// What the fields of each resource cost.
pub const FIELDS: [&[Fields]; 5] =
    [contact::cost::FIELDS, task::cost::FIELDS, note::cost::FIELDS, appointment::cost::FIELDS, entity::FIELDS];

/// An id of a contact as a caller gives it.
fn contact_id(text: &str) -> Result<Id, Error> {
    Id::of_contact(text).map_err(|why| Error::bad_input(format!("The id of the contact {why}.")))
}

/// An id of a task or a note as a caller gives it.
fn record_id(text: &str) -> Result<Id, Error> {
    Id::new(text).map_err(|why| Error::bad_input(format!("`id` {why}.")))
}

/// A record as it is held: by itself, or in the list that it came with.
enum Seen<T> {
    One(Arc<T>),
    InList(Arc<Box<[T]>>, usize),
}

impl<T> Seen<T> {
    /// Each record of a list.
    fn each(list: &Arc<Box<[T]>>) -> impl Iterator<Item = Self> {
        (0..list.len()).map(|at| Self::InList(list.clone(), at))
    }
}

impl<T> Deref for Seen<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::One(record) => record,
            Self::InList(list, at) => &list[*at],
        }
    }
}

/// Readings of a contact and its nested lists that were begun before the fields that ask for them; a field takes
/// what was begun for it. They go on while this is held.
#[derive(Clone, Default)]
struct Started {
    contact: Option<Pending>,
    tasks: Option<Pending>,
    notes: Option<Pending>,
    appointments: Option<Pending>,
}

impl Started {
    /// Begins to load a contact and those of its nested lists that `look` selects, all at one moment: they need
    /// nothing but its id.
    async fn contact(request: &Request, look: &Look<'_>, question: ContactById) -> Self {
        let account = || request.account().clone();
        let id = question.id.clone();
        if let Some(None) = request.held(&question) {
            return Self::default();
        }
        let (contact, tasks, notes, appointments) = tokio::join!(
            request.start(question),
            start(request, look, "tasks", task::TasksOf::new(account(), id.clone())),
            start(request, look, "notes", note::NotesOf::new(account(), id.clone())),
            start(request, look, "appointments", appointment::AppointmentsOf::new(account(), id)),
        );
        Self { contact, tasks, notes, appointments }
    }

    /// The same for a record that knows its contact's id before it is there itself; `look` is the record's
    /// selection.
    async fn contact_of_record(request: &Request, look: &Look<'_>, id: &Id) -> Self {
        let look = look.field("contact");
        match look.exists() {
            true => Self::contact(request, &look, ContactById::new(request.account().clone(), id.clone())).await,
            false => Self::default(),
        }
    }
}

async fn start<Q: Question>(request: &Request, look: &Look<'_>, field: &str, key: Q) -> Option<Pending> {
    match look.field(field).exists() {
        true => request.start(key).await,
        false => None,
    }
}
