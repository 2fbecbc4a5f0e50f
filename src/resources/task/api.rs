//! The upstream's routes for tasks, and how their answers become [`Task`]s.

use serde::Deserialize;

use super::model::Task;
use crate::upstream::wire::{self, Text};
use crate::upstream::{Account, Error, Id, Route};

/// All tasks of a contact.
pub const LIST: Route = Route::read_contacts("GET /contacts/{contactId}/tasks");
/// One task.
pub const ONE: Route = Route::read_contacts("GET /contacts/{contactId}/tasks/{taskId}");
/// A new task.
pub const CREATE: Route = Route::write_contacts("POST /contacts/{contactId}/tasks");
/// Changes to a task.
pub const UPDATE: Route = Route::write_contacts("PUT /contacts/{contactId}/tasks/{taskId}");
/// Whether it is done.
pub const COMPLETE: Route = Route::write_contacts("PUT /contacts/{contactId}/tasks/{taskId}/completed");
/// The end of a task.
pub const DELETE: Route = Route::write_contacts("DELETE /contacts/{contactId}/tasks/{taskId}");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    id: Text,
    #[serde(default, rename = "_id", deserialize_with = "wire::text")]
    underscore_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    title: Text,
    #[serde(default, deserialize_with = "wire::text")]
    body: Text,
    #[serde(default, deserialize_with = "wire::flag")]
    completed: Option<bool>,
    #[serde(default, deserialize_with = "wire::text")]
    due_date: Text,
    #[serde(default, deserialize_with = "wire::text")]
    priority: Text,
    #[serde(default, deserialize_with = "wire::text")]
    assigned_to: Text,
    #[serde(default, deserialize_with = "wire::text")]
    contact_id: Text,
}

fn task(route: Route, account: &Account, contact: &Id, wire: Wire) -> Result<Task, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    Ok(Task {
        id: id.ok_or_else(|| Error::bad_response(route.template, "a task without an id"))?,
        contact_id: wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into()),
        title: wire.title,
        body: wire.body,
        completed: wire.completed,
        due_date: wire::moment(wire.due_date.as_deref(), &account.timezone),
        priority: wire.priority,
        assigned_to: wire.assigned_to,
    })
}

/// The body of [`LIST`].
pub fn list(account: &Account, contact: &Id, body: &[u8]) -> Result<Vec<Task>, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::list")]
        tasks: Vec<Wire>,
    }
    let envelope: Envelope = wire::decode(LIST.template, body)?;
    let tasks = envelope.tasks.into_iter();
    tasks.map(|wire| task(LIST, account, contact, wire)).collect()
}

/// The body of [`ONE`], and of a change that answers with the task.
pub fn one(route: Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Option<Task>, Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(deserialize_with = "wire::nullable")]
        task: Option<Wire>,
    }
    let envelope: Envelope = wire::decode(route.template, body)?;
    envelope.task.map(|wire| task(route, account, contact, wire)).transpose()
}
