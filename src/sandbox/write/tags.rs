//! Tags of one contact, added and removed without touching the others.

use super::super::answer::{Answer, Refusal};
use super::valid::{Form, Is};
use super::{Answered, Change};
use axum::http::StatusCode;
use serde_json::{Value, json};

const TAGS: Form = Form { may: &[("tags", Is::Texts)], must: &["tags"] };

pub(in super::super) fn add(change: &mut Change) -> Answered {
    let lower = change.quirks.lower_tags;
    let tags = edit(change, |had, sent| kept(had, sent, lower))?;
    Ok(Answer::json(StatusCode::CREATED, &json!({"tags": tags})))
}

pub(in super::super) fn remove(change: &mut Change) -> Answered {
    let tags = edit(change, |had, sent| had.iter().filter(|tag| !sent.contains(tag)).cloned().collect())?;
    Ok(Answer::ok(&json!({"tags": tags})))
}

fn edit(change: &mut Change, new: impl FnOnce(&[Value], &[Value]) -> Vec<Value>) -> Result<Vec<Value>, Refusal> {
    TAGS.check(&change.fields())?;
    let sent = change.body["tags"].as_array().cloned().unwrap_or_default();
    let now = change.now.clone();
    change.edit(|record| {
        let had = record.contact["tags"].as_array().cloned().unwrap_or_default();
        let tags = new(&had, &sent);
        record.contact["tags"] = json!(tags);
        record.contact["dateUpdated"] = json!(now);
        Ok(tags)
    })
}

/// The tags that there are and those that come, each once.
pub(super) fn kept(had: &[Value], come: &[Value], lower: bool) -> Vec<Value> {
    let spelled = |tag: &Value| match tag.as_str() {
        Some(text) if lower => json!(text.to_lowercase()),
        _ => tag.clone(),
    };
    let mut tags = Vec::new();
    for tag in had.iter().cloned().chain(come.iter().map(spelled)) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}
