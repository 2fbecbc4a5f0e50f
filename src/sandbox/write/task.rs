//! Tasks: created, changed, completed, deleted.

use super::super::{answer::Answer, quirks::Quirks, view::Task};
use super::valid::{Form, Is};
use super::{Answered, Change, item, put, succeeded, take};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

const FIELDS: &[(&str, Is)] = &[
    ("title", Is::Words),
    ("body", Is::Words),
    ("dueDate", Is::Moment),
    ("completed", Is::Flag),
    ("assignedTo", Is::Words),
];
const CREATE: Form = Form { may: FIELDS, must: &["title", "dueDate", "completed"] };
const UPDATE: Form = Form { may: FIELDS, must: &[] };
const COMPLETE: Form = Form { may: &[("completed", Is::Flag)], must: &["completed"] };

pub(in super::super) fn create(change: &mut Change) -> Answered {
    CREATE.check(&change.fields())?;
    let mut task = json!({"id": change.fresh_id, "contactId": change.contact_id()?});
    write(&mut task, change.fields());
    let made = task.clone();
    change.edit(|record| {
        record.tasks.push(made);
        Ok(())
    })?;
    Ok(show(StatusCode::CREATED, &task, change.quirks))
}

pub(in super::super) fn update(change: &mut Change) -> Answered {
    edit(change, &UPDATE)
}

pub(in super::super) fn complete(change: &mut Change) -> Answered {
    edit(change, &COMPLETE)
}

fn edit(change: &mut Change, form: &Form) -> Answered {
    let fields = change.fields();
    form.check(&fields)?;
    let id = change.segments[1].clone();
    let task = change.edit(|record| {
        let task = item(&mut record.tasks, "Task", &id)?;
        write(task, fields);
        Ok(task.clone())
    })?;
    Ok(show(StatusCode::OK, &task, change.quirks))
}

pub(in super::super) fn delete(change: &mut Change) -> Answered {
    let id = change.segments[1].clone();
    change.edit(|record| take(&mut record.tasks, "Task", &id))?;
    Ok(succeeded())
}

/// Moments are read back in UTC with milliseconds, however they were sent.
fn write(task: &mut Value, mut fields: Map<String, Value>) {
    let due = fields.get("dueDate").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if let Some(due) = due {
        fields.insert("dueDate".into(), json!(format!("{due:.3}")));
    }
    put(task, fields);
}

fn show(status: StatusCode, task: &Value, quirks: &Quirks) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        task: Task<'a>,
    }
    Answer::json(status, &Body { task: Task(task, quirks) })
}
