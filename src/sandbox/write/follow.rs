//! Who follows a contact; and campaigns and workflows, which are started and ended and do nothing.

use super::super::answer::{Answer, Refusal};
use super::valid::{Form, Is};
use super::{Answered, Change, succeeded};
use axum::http::StatusCode;
use serde_json::{Value, json};

const FOLLOWERS: Form = Form { may: &[("followers", Is::Texts)], must: &["followers"] };
const CAMPAIGN: Form = Form { may: &[], must: &[] };
const WORKFLOW: Form = Form { may: &[("eventStartTime", Is::Words)], must: &[] };

pub(in super::super) fn add(change: &mut Change) -> Answered {
    let (now, added) = edit(change, |had, sent| {
        let added: Vec<_> = sent.iter().filter(|one| !had.contains(one)).cloned().collect();
        ([had, &added].concat(), added)
    })?;
    Ok(Answer::json(StatusCode::CREATED, &json!({"followers": now, "followersAdded": added})))
}

pub(in super::super) fn remove(change: &mut Change) -> Answered {
    let (now, removed) = edit(change, |had, sent| had.iter().cloned().partition(|one| !sent.contains(one)))?;
    Ok(Answer::ok(&json!({"followers": now, "followersRemoved": removed})))
}

/// Those that follow now, and those that came or went.
type Followers = (Vec<Value>, Vec<Value>);

fn edit(change: &mut Change, new: impl FnOnce(&[Value], &[Value]) -> Followers) -> Result<Followers, Refusal> {
    FOLLOWERS.check(&change.fields())?;
    let sent = change.body["followers"].as_array().cloned().unwrap_or_default();
    let moment = change.now.clone();
    change.edit(|record| {
        let had = record.contact["followers"].as_array().cloned().unwrap_or_default();
        let (now, moved) = new(&had, &sent);
        record.contact["followers"] = json!(now);
        record.contact["dateUpdated"] = json!(moment);
        Ok((now, moved))
    })
}

pub(in super::super) fn start_campaign(change: &mut Change) -> Answered {
    CAMPAIGN.check(&change.fields())?;
    change.contact_id()?;
    Ok(Answer::json(StatusCode::CREATED, &json!({"succeded": true})))
}

/// One, or all.
pub(in super::super) fn end_campaign(change: &mut Change) -> Answered {
    change.contact_id()?;
    Ok(succeeded())
}

/// Started, or ended.
pub(in super::super) fn workflow(change: &mut Change) -> Answered {
    WORKFLOW.check(&change.fields())?;
    change.contact_id()?;
    Ok(succeeded())
}
