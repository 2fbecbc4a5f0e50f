//! What the gateway is about: a folder for each kind of thing, all with the same files.
//!
//! `mod` is its GraphQL, `model` what is held of it, `loader` the keys that load it, `api` the routes that tell
//! it and how their answers are read.

pub mod appointment;
pub mod contact;
pub mod note;
pub mod probe;
pub mod task;

use async_graphql::Lookahead;

use crate::graph::{Error, Request};
use crate::upstream::{Id, Pending, Question};

/// An id of a contact as a caller gives it.
fn contact_id(text: &str) -> Result<Id, Error> {
    Id::of_contact(text).map_err(|why| Error::bad_input(format!("The id of the contact {why}.")))
}

/// An id of a task or a note as a caller gives it.
fn record_id(text: &str) -> Result<Id, Error> {
    Id::new(text).map_err(|why| Error::bad_input(format!("`id` {why}.")))
}

/// Readings that were begun ahead of the fields that ask for them. They go on while this is held.
#[derive(Default)]
pub struct Started {
    _readings: Vec<Pending>,
}

/// Begins to load those nested lists of a contact that `look` selects.
async fn start_lists(request: &Request, look: &Lookahead<'_>, contact: &Id) -> Started {
    let account = || request.account().clone();
    let tasks = task::TasksOf::new(account(), contact.clone());
    let notes = note::NotesOf::new(account(), contact.clone());
    let appointments = appointment::AppointmentsOf::new(account(), contact.clone());
    let (tasks, notes, appointments) = tokio::join!(
        start(request, look, "tasks", tasks),
        start(request, look, "notes", notes),
        start(request, look, "appointments", appointments),
    );
    Started { _readings: [tasks, notes, appointments].into_iter().flatten().collect() }
}

/// Begins to load the contact of a record, and its selected nested lists, if `look`, the record's selection, has
/// it. Its id is known before the record is.
async fn start_contact(request: &Request, look: &Lookahead<'_>, id: &Id) -> Started {
    let look = look.field("contact");
    if !look.exists() {
        return Started::default();
    }
    let question = contact::ContactById::new(request.account().clone(), id.clone());
    let (contact, mut started) = tokio::join!(request.start(question), start_lists(request, &look, id));
    started._readings.extend(contact);
    started
}

async fn start<Q: Question>(request: &Request, look: &Lookahead<'_>, field: &str, key: Q) -> Option<Pending> {
    match look.field(field).exists() {
        true => request.start(key).await,
        false => None,
    }
}
