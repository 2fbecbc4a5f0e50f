//! What is looked for beside a change: whether its contact is one of the location, and, when its answer was lost, whether it was
//! made.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::api;
use super::loader::ContactById;
use super::model::{Contact, Part};
use crate::upstream::{Account, Call, Error, Id, Upstream};

/// Whether a change of this contact, or of something that belongs to it, may be sent: not where it is known to be none of the
/// location's. A key that opens several locations would change it all the same, so there it is looked up first.
pub async fn is_here(upstream: &Upstream, account: &Arc<Account>, id: &Id) -> Result<bool, Error> {
    let question = ContactById::new(account.clone(), id.clone());
    if account.opens_others() {
        return Ok(upstream.read_now(&question).await?.is_some());
    }
    Ok(account.is_only() || upstream.held(&question).is_none_or(|held| held.value.is_some()))
}

/// The contact with everything, as it is now.
pub async fn read_whole(upstream: &Upstream, account: &Arc<Account>, id: &Id) -> Option<Arc<Contact>> {
    upstream.read_now(&ContactById::whole(account.clone(), id.clone())).await.ok().flatten()
}

/// Whether there is no such contact, here or elsewhere, any more.
pub async fn is_gone(upstream: &Upstream, account: &Arc<Account>, id: &Id) -> bool {
    match upstream.get(account, Call::to(api::ONE, &[id])).await {
        Ok(None) => true,
        Ok(Some(body)) => matches!(api::one(account, &body), Ok(None)),
        Err(_) => false,
    }
}

/// The contacts that have the mail or the phone of what was sent: one for each at most, the one with the mail first. `None`: it
/// could not be found out.
pub async fn find_same(upstream: &Upstream, account: &Arc<Account>, sent: &Map<String, Value>) -> Option<Vec<Contact>> {
    let mut found: Vec<Contact> = Vec::new();
    for (key, parameter) in [("email", "email"), ("phone", "number")] {
        let Some(text) = sent.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
            continue;
        };
        let call = Call::to(api::DUPLICATE, &[]).with("locationId", &account.location).with(parameter, text);
        let body = upstream.get(account, call).await.ok().flatten()?;
        let contact = api::one(account, &body).ok()?;
        found.extend(contact.filter(|contact| {
            let known = found.iter().any(|other| other.id() == contact.id());
            !known && Id::of_contact(contact.id()).is_ok() && account.shows(contact.location_id())
        }));
    }
    Some(found)
}

/// Whether a contact has the values that were sent. What the upstream may spell in its own way is compared as it
/// would read it.
pub fn is_as_sent(seen: &Contact, sent: &Map<String, Value>) -> bool {
    let letters = |text: &str| text.trim().to_lowercase();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let same = |seen: Option<&str>, value: &Value| {
        let (seen, value) = (seen.unwrap_or_default(), value.as_str().unwrap_or_default());
        letters(seen) == letters(value)
    };
    sent.iter().all(|(key, value)| match key.as_str() {
        "phone" => {
            let sent = digits(value.as_str().unwrap_or_default());
            sent.is_empty() || sent == digits(seen.text(Part::Phone).unwrap_or_default())
        }
        // A date is kept in another form than it is sent in.
        "dateOfBirth" => digits(seen.text(Part::DateOfBirth).unwrap_or_default())
            .starts_with(&digits(value.as_str().unwrap_or_default())),
        "dnd" => seen.dnd.unwrap_or_default() == value.as_bool().unwrap_or_default(),
        "tags" => value.as_array().is_none_or(|tags| {
            let has =
                |tag: &Value| seen.tags.iter().any(|other| letters(other) == letters(tag.as_str().unwrap_or_default()));
            tags.iter().all(has)
        }),
        "customFields" => value.as_array().is_none_or(|fields| {
            fields.iter().all(|field| {
                let held = seen.custom_fields.iter().find(|held| field["id"] == *held.id);
                let (held, sent) = (held.map_or(&Value::Null, |held| &held.value), &field["field_value"]);
                held == sent || (sent == "" && held.is_null())
            })
        }),
        key => Part::of_text(key).is_none_or(|part| same(seen.text(part), value)),
    })
}
