//! Loops are cut: what automations did themselves sets none of them off when the upstream tells of it.

use serde_json::Value;

use super::among::Among;
use super::store::{self, Own};
use crate::events::Event;
use crate::events::Journal;
use crate::events::journal::Trouble;

/// A task or a note that was made.
pub fn made(location: &str, sort: &str, id: &str) -> Own {
    Own { key: format!("{location} {sort} {id}"), tags: None }
}

/// A task that was completed.
pub fn completed(location: &str, task: &str) -> Own {
    Own { key: format!("{location} completed {task}"), tags: None }
}

/// The tags that a contact has since an automation changed them.
pub fn tagged(location: &str, contact: &str, tags: &Value) -> Own {
    Own { key: format!("{location} tags {contact}"), tags: Some(sorted(tags)) }
}

/// Whether an automation made this task or note.
pub fn is_made(journal: &Journal, location: &str, sort: &str, id: &str) -> Result<bool, Trouble> {
    Ok(store::own(journal, &made(location, sort, id).key)?.is_some())
}

/// Whether an event tells of something that automations did, of this gateway or another one. Of a contact's tags: if they are
/// those that it had after that, or it tells none.
pub async fn is_own_of_any(journal: &Journal, among: &Among, location: &str, event: &Event) -> Result<bool, Trouble> {
    if is_own(journal, location, event)? {
        return Ok(true);
    }
    let record = event.record();
    let Some(id) = record.get("id").and_then(Value::as_str) else { return Ok(false) };
    let own = match &*event.kind {
        "TaskCreate" => made(location, "task", id),
        "NoteCreate" => made(location, "note", id),
        "TaskComplete" => completed(location, id),
        "ContactTagUpdate" => tagged(location, id, record.get("tags").unwrap_or(&Value::Null)),
        _ => return Ok(false),
    };
    Ok(among.is_own(&own, own.tags.is_none() || record.get("tags").is_none()).await)
}

fn is_own(journal: &Journal, location: &str, event: &Event) -> Result<bool, Trouble> {
    let record = event.record();
    let Some(id) = record.get("id").and_then(Value::as_str) else { return Ok(false) };
    match &*event.kind {
        "TaskCreate" => is_made(journal, location, "task", id),
        "NoteCreate" => is_made(journal, location, "note", id),
        "TaskComplete" => Ok(store::own(journal, &completed(location, id).key)?.is_some()),
        "ContactTagUpdate" => {
            let own = store::own(journal, &tagged(location, id, &Value::Null).key)?;
            Ok(own.is_some_and(|own| record.get("tags").is_none_or(|tags| own.tags.contains(&sorted(tags)))))
        }
        _ => Ok(false),
    }
}

fn sorted(tags: &Value) -> Vec<String> {
    let mut all: Vec<String> =
        tags.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_lowercase).collect();
    all.sort();
    all.dedup();
    all
}
