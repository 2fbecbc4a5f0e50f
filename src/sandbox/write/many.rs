//! Changes of many contacts at once: their tags, their business.

use super::super::answer::{Answer, Refusal};
use super::valid::{Form, Is};
use super::{Answered, Change, put, tags};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

const ADD: Form = Form {
    may: &[("contacts", Is::Texts), ("tags", Is::Texts), ("locationId", Is::Words)],
    must: &["contacts", "tags", "locationId"],
};
const REMOVE: Form = Form {
    may: &[("contacts", Is::Texts), ("tags", Is::Texts), ("locationId", Is::Words), ("removeAllTags", Is::Flag)],
    must: &["contacts", "tags", "locationId"],
};
const BUSINESS: Form = Form {
    may: &[("locationId", Is::Words), ("ids", Is::Texts), ("businessId", Is::Text)],
    must: &["locationId", "ids"],
};

/// Each contact is changed, or counted among the errors.
pub(in super::super) fn edit_tags(change: &mut Change) -> Answered {
    let kind = change.segments[0].clone();
    let (form, adds) = match &*kind {
        "add" => (ADD, true),
        "remove" => (REMOVE, false),
        _ => return Err(Refusal::Invalid(vec!["type must be one of the following values: add, remove".into()])),
    };
    let fields = change.fields();
    accept(change, &form, &fields)?;
    let list = |key: &str| fields[key].as_array().cloned().unwrap_or_default();
    let (sent, all) = (list("tags"), fields.get("removeAllTags") == Some(&json!(true)));
    let lower = change.quirks.lower_tags;
    let mut responses = Vec::new();
    let mut errors = 0;
    for id in list("contacts") {
        let (mut old, mut now) = (Vec::new(), Vec::new());
        let found = edit(change, &id, |contact| {
            old = contact["tags"].as_array().cloned().unwrap_or_default();
            now = match adds {
                true => tags::kept(&old, &sent, lower),
                false => old.iter().filter(|tag| !all && !sent.contains(tag)).cloned().collect(),
            };
            contact["tags"] = json!(now);
        });
        errors += u32::from(!found);
        let not_in = |these: &[Value], those: &[Value]| -> Vec<Value> {
            these.iter().filter(|tag| !those.contains(tag)).cloned().collect()
        };
        responses.push(json!({
            "contactId": id,
            "message": if found { "Tags updated" } else { "Contact not found" },
            "type": kind,
            "oldTags": old,
            "tagsAdded": not_in(&now, &old),
            "tagsRemoved": not_in(&old, &now),
        }));
    }
    let body = json!({"succeded": errors == 0, "errorCount": errors, "responses": responses});
    Ok(Answer::json(StatusCode::CREATED, &body))
}

/// Null takes contacts out of theirs. Those that are not there are left out of the answer.
pub(in super::super) fn set_business(change: &mut Change) -> Answered {
    let fields = change.fields();
    accept(change, &BUSINESS, &fields)?;
    let Some(business) = fields.get("businessId") else {
        return Err(Refusal::Invalid(vec!["businessId must be a string".into()]));
    };
    let mut ids = fields["ids"].as_array().cloned().unwrap_or_default();
    ids.retain(|id| {
        edit(change, id, |contact| put(contact, Map::from_iter([("businessId".into(), business.clone())])))
    });
    Ok(Answer::ok(&json!({"success": true, "ids": ids})))
}

fn accept(change: &Change, form: &Form, fields: &Map<String, Value>) -> Result<(), Refusal> {
    form.check(fields)?;
    match fields["locationId"] == change.location_id {
        true => Ok(()),
        false => Err(Refusal::WrongLocation),
    }
}

/// Whether there is such a contact, and so was changed.
fn edit(change: &mut Change, id: &Value, edit: impl FnOnce(&mut Value)) -> bool {
    let now = json!(change.now);
    change.location.change(id.as_str().unwrap_or_default(), |record| {
        edit(&mut record.contact);
        record.contact["dateUpdated"] = now;
    })
}
