//! Notes: created, changed, deleted.

use super::super::{answer::Answer, quirks::Quirks, view::Note};
use super::valid::{Form, Is};
use super::{Answered, Change, item, put, succeeded, take};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

const FIELDS: &[(&str, Is)] =
    &[("body", Is::Words), ("title", Is::Words), ("color", Is::Words), ("pinned", Is::Flag), ("userId", Is::Words)];
const CREATE: Form = Form { may: FIELDS, must: &["body"] };
const UPDATE: Form = Form { may: FIELDS, must: &[] };

pub(in super::super) fn create(change: &mut Change) -> Answered {
    CREATE.check(&change.fields())?;
    let contact = change.contact_id()?;
    let mut note = json!({"id": change.fresh_id, "contactId": contact, "dateAdded": change.now, "pinned": false});
    put(&mut note, change.fields());
    let made = note.clone();
    change.edit(|record| {
        record.notes.push(made);
        Ok(())
    })?;
    Ok(show(StatusCode::CREATED, &note, change.quirks))
}

pub(in super::super) fn update(change: &mut Change) -> Answered {
    let fields = change.fields();
    UPDATE.check(&fields)?;
    let id = change.segments[1].clone();
    let note = change.edit(|record| {
        let note = item(&mut record.notes, "Note", &id)?;
        put(note, fields);
        Ok(note.clone())
    })?;
    Ok(show(StatusCode::OK, &note, change.quirks))
}

pub(in super::super) fn delete(change: &mut Change) -> Answered {
    let id = change.segments[1].clone();
    change.edit(|record| take(&mut record.notes, "Note", &id))?;
    Ok(succeeded())
}

fn show(status: StatusCode, note: &Value, quirks: &Quirks) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        note: Note<'a>,
    }
    Answer::json(status, &Body { note: Note(note, quirks) })
}
