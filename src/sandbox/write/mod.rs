//! The writes, each under one lock: what they check, what they change, and what they answer.

mod contact;
mod follow;
mod many;
mod note;
mod tags;
mod task;
mod valid;

pub(super) use contact::{create, delete, update, upsert};
pub(super) use follow::{add as add_followers, end_campaign, remove as remove_followers, start_campaign, workflow};
pub(super) use many::{edit_tags as edit_tags_of_many, set_business};
pub(super) use note::{create as create_note, delete as delete_note, update as update_note};
pub(super) use tags::{add as add_tags, remove as remove_tags};
pub(super) use task::{complete as complete_task, create as create_task, delete as delete_task, update as update_task};

use super::{
    answer::{Answer, Refusal},
    quirks::Quirks,
    store::{Location, Record},
};
use serde_json::{Map, Value, json};

type Answered = Result<Answer, Refusal>;

/// What a route needs to change something for a call that was let in.
pub(super) struct Change<'a> {
    pub location_id: &'a str,
    pub location: &'a mut Location,
    /// The named segments of the path, decoded.
    pub segments: &'a [String],
    /// The body; null when there was none that is JSON.
    pub body: &'a Value,
    pub quirks: &'a Quirks,
    pub trace: &'a str,
    /// An id that nothing has yet.
    pub fresh_id: String,
    /// The moment of the change, as the API writes it.
    pub now: String,
}

impl Change<'_> {
    /// The contact that the path names.
    fn contact_id(&self) -> Result<&str, Refusal> {
        let id = &self.segments[0];
        match self.location.get(id) {
            Some(_) => Ok(id),
            None => Err(Refusal::Missing { what: "Contact", id: id.clone() }),
        }
    }

    /// Changes the record of the contact that the path names.
    fn edit<T>(&mut self, change: impl FnOnce(&mut Record) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let id = self.contact_id()?.to_owned();
        let mut done = Err(Refusal::Broken);
        self.location.change(&id, |record| done = change(record));
        done
    }

    /// The fields of the body; none when it is no object.
    fn fields(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }
}

/// The spelling is the API's.
fn succeeded() -> Answer {
    Answer::ok(&json!({"succeded": true}))
}

/// The item with this id in a list of a record.
fn item<'a>(list: &'a mut [Value], what: &'static str, id: &str) -> Result<&'a mut Value, Refusal> {
    let found = list.iter_mut().find(|item| item["id"] == id);
    found.ok_or_else(|| Refusal::Missing { what, id: id.to_owned() })
}

/// Takes the item with this id out of a list of a record.
fn take(list: &mut Vec<Value>, what: &'static str, id: &str) -> Result<(), Refusal> {
    item(list, what, id)?;
    list.retain(|item| item["id"] != id);
    Ok(())
}

/// Puts values into an object; null and the empty text take a value away, as a cleared field is not sent any more.
fn put(object: &mut Value, fields: Map<String, Value>) {
    let Some(object) = object.as_object_mut() else { return };
    for (key, value) in fields {
        if value.is_null() || value == "" {
            object.remove(&key);
        } else {
            object.insert(key, value);
        }
    }
}
