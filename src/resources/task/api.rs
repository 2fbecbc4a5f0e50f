//! The upstream's routes for tasks, and how their answers become [`Task`]s.

use serde::Deserialize;

use super::model::Task;
use crate::resources::texts::Texts;
use crate::upstream::wire::{self, Spoken};
use crate::upstream::{Account, Error, Id, Route};

/// All tasks of a contact.
pub const LIST: Route = Route::read_contacts("GET /contacts/{contactId}/tasks");
/// One task.
pub const ONE: Route = Route::read_contacts("GET /contacts/{contactId}/tasks/{taskId}");
/// Tasks of several contacts.
pub const SEARCH: Route = Route {
    template: "POST /locations/{locationId}/tasks/search",
    version: "2021-07-28",
    scope: "locations/tasks.readonly",
};
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
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    id: Spoken<'a>,
    #[serde(borrow, default, rename = "_id", deserialize_with = "wire::spoken")]
    underscore_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    title: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    body: Spoken<'a>,
    #[serde(default, deserialize_with = "wire::flag")]
    completed: Option<bool>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    due_date: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    priority: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    assigned_to: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    contact_id: Spoken<'a>,
    /// Only told by a search, as is the next one.
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    location_id: Spoken<'a>,
    #[serde(default, deserialize_with = "wire::flag")]
    deleted: Option<bool>,
}

fn task(route: Route, account: &Account, contact: &Id, wire: Wire<'_>) -> Result<Task, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    let id = id.ok_or_else(|| Error::bad_response(route.template, "a task without an id"))?;
    let contact = wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into());
    let texts = [Some(id), Some(contact), wire.title, wire.body, wire.priority, wire.assigned_to];
    Ok(Task {
        texts: Texts::new(texts.each_ref().map(Option::as_deref)),
        completed: wire.completed,
        due_date: wire::moment(wire.due_date.as_deref(), &account.timezone),
    })
}

/// The body of [`LIST`].
pub fn list(account: &Account, contact: &Id, body: &[u8]) -> Result<Vec<Task>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        tasks: Vec<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(LIST.template, body)?;
    let tasks = envelope.tasks.into_iter();
    tasks.map(|wire| task(LIST, account, contact, wire)).collect()
}

/// A row of [`SEARCH`].
pub struct Found {
    pub task: Task,
    /// Whether a contact's own list does not have it any more.
    pub is_deleted: bool,
}

/// The body of [`SEARCH`].
pub fn found(account: &Account, body: &[u8]) -> Result<Vec<Found>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        tasks: Vec<Wire<'a>>,
    }
    let wrong = |what| Error::bad_response(SEARCH.template, what);
    let found = |wire: Wire<'_>| {
        if wire.location_id.as_deref().is_some_and(|location| !account.shows(location)) {
            return Err(wrong("a task of another location"));
        }
        let contact = wire.contact_id.as_deref().and_then(|text| Id::new(text).ok());
        let contact = contact.ok_or_else(|| wrong("a task without a contact"))?;
        let is_deleted = wire.deleted == Some(true);
        Ok(Found { task: task(SEARCH, account, &contact, wire)?, is_deleted })
    };
    let envelope: Envelope<'_> = wire::decode(SEARCH.template, body)?;
    envelope.tasks.into_iter().map(found).collect()
}

/// The body of [`ONE`], and of a change that answers with the task.
pub fn one(route: Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Option<Task>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::nullable")]
        task: Option<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(route.template, body)?;
    envelope.task.map(|wire| task(route, account, contact, wire)).transpose()
}
