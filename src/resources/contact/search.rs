//! Several contacts by their ids, by the search that locations have for contacts.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::api;
use super::loader::ContactById;
use super::model::Contact;
use crate::upstream::{Call, Error, Fault, Id, Session};

/// Fewer are read one by one. Whoever is not found costs a call more, so this is still no more calls where four of five are not.
pub const LEAST: usize = 5;

/// Most that are asked for at once: more rows than this are not surely given (CONTRACT: clamp to 100).
pub const MOST: usize = 100;

/// Most characters of a value that is filtered by.
const LONGEST: usize = 75;

/// Whether a contact can be searched for by its id.
pub fn is_searchable(id: &Id) -> bool {
    id.as_str().chars().count() <= LONGEST
}

/// Those of the contacts of which the search tells all that is needed.
pub async fn contacts(session: &Session, asked: &[ContactById]) -> Result<HashMap<Id, Contact>, Error> {
    let account = session.account();
    let is_id = |one: &ContactById| json!({ "field": "id", "operator": "eq", "value": one.id.as_str() });
    let filters: Vec<Value> = asked.iter().map(is_id).collect();
    let body = json!({
        "locationId": account.location,
        "pageLimit": asked.len(),
        "filters": [{ "group": "OR", "filters": filters }],
    });
    let body = session.try_once(&Call::to(api::SEARCH, &[]).body(body)).await?;
    // It works, and does something else than what it is used for.
    let useless = |why: &str| Error::new(api::SEARCH.template, Fault::Gateway(why.into()));
    let mut rows: HashMap<Box<str>, Vec<Contact>> = HashMap::new();
    for contact in api::found(account, &body)? {
        rows.entry(contact.id().into()).or_default().push(contact);
    }
    let came = rows.len();
    let tells = |one: &ContactById| {
        // Of two rows for one contact, nobody knows which is true.
        let [contact] = <[_; 1]>::try_from(rows.remove(one.id.as_str())?).ok()?;
        let enough =
            *contact.location_id() == *account.location && contact.known.contains(one.among?.parts.or(one.needs));
        enough.then(|| (one.id.clone(), contact))
    };
    let told: HashMap<Id, Contact> = asked.iter().filter_map(tells).collect();
    if !rows.is_empty() {
        return Err(useless("the filter by id is ignored"));
    }
    if told.is_empty() && came >= LEAST {
        return Err(useless("its rows do not tell what is asked for"));
    }
    Ok(told)
}
