//! Contacts: created, updated, upserted, deleted.

use super::super::{
    answer::{Answer, Refusal},
    store::Record,
    view::Contact,
};
use super::valid::{Form, Is};
use super::{Answered, Change, put, succeeded};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

const CREATE: Form = Form {
    may: &[
        ("locationId", Is::Words),
        ("firstName", Is::Text),
        ("lastName", Is::Text),
        ("name", Is::Text),
        ("email", Is::Mail),
        ("phone", Is::Text),
        ("address1", Is::Text),
        ("city", Is::Text),
        ("state", Is::Text),
        ("website", Is::Text),
        ("timezone", Is::Text),
        ("companyName", Is::Text),
        ("gender", Is::Words),
        ("postalCode", Is::Words),
        ("country", Is::Words),
        ("source", Is::Words),
        ("assignedTo", Is::Words),
        ("dnd", Is::Flag),
        ("dndSettings", Is::Object),
        ("inboundDndSettings", Is::Object),
        ("tags", Is::Texts),
        ("customFields", Is::Fields),
        ("dateOfBirth", Is::Date),
    ],
    must: &["locationId"],
};

/// Without location, company and gender; source and assignment can be null here.
const UPDATE: Form = Form {
    may: &[
        ("firstName", Is::Text),
        ("lastName", Is::Text),
        ("name", Is::Text),
        ("email", Is::Mail),
        ("phone", Is::Text),
        ("address1", Is::Text),
        ("city", Is::Text),
        ("state", Is::Text),
        ("website", Is::Text),
        ("timezone", Is::Text),
        ("postalCode", Is::Words),
        ("country", Is::Words),
        ("source", Is::Text),
        ("assignedTo", Is::Text),
        ("dnd", Is::Flag),
        ("dndSettings", Is::Object),
        ("inboundDndSettings", Is::Object),
        ("tags", Is::Texts),
        ("customFields", Is::Fields),
        ("dateOfBirth", Is::Date),
    ],
    must: &[],
};

pub(in super::super) fn create(change: &mut Change) -> Answered {
    let fields = change.fields();
    accept(change, &fields)?;
    // The API says one thing by its status and another in its body here.
    if fields.len() == 1 {
        return Err(Refusal::Nameless);
    }
    if let Some(duplicate) = duplicate(change, &fields).filter(|_| !change.quirks.duplicates_allowed) {
        return Err(duplicate);
    }
    let id = add(change, fields);
    show(change, &id, StatusCode::CREATED, |contact, _| json!({"contact": contact}))
}

pub(in super::super) fn update(change: &mut Change) -> Answered {
    let fields = change.fields();
    UPDATE.check(&fields)?;
    let now = change.now.clone();
    let lower = change.quirks.lower_tags;
    change.edit(|record| {
        write(&mut record.contact, fields, lower);
        record.contact["dateUpdated"] = json!(now);
        Ok(())
    })?;
    let id = change.segments[0].clone();
    show(change, &id, StatusCode::OK, |contact, _| json!({"succeded": true, "contact": contact}))
}

pub(in super::super) fn upsert(change: &mut Change) -> Answered {
    let mut fields = change.fields();
    let may_double = match fields.remove("createNewIfDuplicateAllowed") {
        None => false,
        Some(Value::Bool(may)) => may,
        Some(_) => return Err(Refusal::Invalid(vec!["createNewIfDuplicateAllowed must be a boolean value".into()])),
    };
    accept(change, &fields)?;
    let known = match duplicate(change, &fields) {
        Some(Refusal::Duplicate { id, .. }) if !(may_double && change.quirks.duplicates_allowed) => Some(id),
        _ => None,
    };
    let id = match &known {
        None => add(change, fields),
        Some(id) => {
            let (now, lower) = (change.now.clone(), change.quirks.lower_tags);
            change.location.change(id, |record| {
                write(&mut record.contact, fields, lower);
                record.contact["dateUpdated"] = json!(now);
            });
            id.clone()
        }
    };
    let new = known.is_none();
    show(change, &id, StatusCode::OK, |contact, trace| json!({"new": new, "contact": contact, "traceId": trace}))
}

pub(in super::super) fn delete(change: &mut Change) -> Answered {
    let id = change.contact_id()?.to_owned();
    change.location.remove(&id);
    Ok(succeeded())
}

fn accept(change: &Change, fields: &Map<String, Value>) -> Result<(), Refusal> {
    CREATE.check(fields)?;
    match fields.get("locationId").and_then(Value::as_str) == Some(change.location_id) {
        true => Ok(()),
        false => Err(Refusal::WrongLocation),
    }
}

/// The refusal that names the contact with the same mail or phone.
fn duplicate(change: &Change, fields: &Map<String, Value>) -> Option<Refusal> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let (field, id, name) = change.location.same(text("email"), text("phone"))?;
    Some(Refusal::Duplicate { id, name, field })
}

fn add(change: &mut Change, fields: Map<String, Value>) -> String {
    let id = change.fresh_id.clone();
    let mut contact = json!({
        "id": id,
        "type": "lead",
        "dnd": false,
        "tags": [],
        "customFields": [],
        "dateAdded": change.now,
        "dateUpdated": change.now,
    });
    write(&mut contact, fields, change.quirks.lower_tags);
    change.location.add(Record { contact, ..Record::default() });
    id
}

/// Names are kept in two parts; custom fields are sent as `field_value`, kept as `value`, and only those that are
/// named change.
fn write(contact: &mut Value, mut fields: Map<String, Value>, lower_tags: bool) {
    if let Some(name) = fields.remove("name") {
        let (first, last) = name.as_str().unwrap_or_default().split_once(' ').unwrap_or_else(|| {
            let first = name.as_str().unwrap_or_default();
            (first, "")
        });
        fields.entry("firstName").or_insert_with(|| json!(first));
        fields.entry("lastName").or_insert_with(|| json!(last));
    }
    if let Some(Value::Array(sent)) = fields.remove("customFields") {
        let mut kept: Vec<Value> = contact["customFields"].as_array().cloned().unwrap_or_default();
        for field in sent {
            kept.retain(|other| other["id"] != field["id"]);
            let value = &field["field_value"];
            if !value.is_null() && value != "" {
                kept.push(json!({"id": field["id"], "value": value}));
            }
        }
        contact["customFields"] = Value::Array(kept);
    }
    if let Some(tags) = fields.remove("tags") {
        contact["tags"] = json!(super::tags::kept(&[], tags.as_array().map_or(&[], Vec::as_slice), lower_tags));
    }
    put(contact, fields);
}

fn show(change: &Change, id: &str, status: StatusCode, envelope: impl FnOnce(Value, &str) -> Value) -> Answered {
    #[derive(Serialize)]
    #[serde(transparent)]
    struct Shown<'a>(Contact<'a>);
    let record = change.location.get(id).ok_or(Refusal::Broken)?;
    let contact = serde_json::to_value(Shown(Contact(&record.contact, change.quirks))).map_err(|_| Refusal::Broken)?;
    Ok(Answer::json(status, &envelope(contact, change.trace)))
}
