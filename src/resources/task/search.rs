//! The tasks of several contacts, by the search that locations have for them.

use std::collections::HashMap;

use serde_json::json;

use super::api;
use super::model::Task;
use crate::upstream::{Call, Error, Id, Session};

/// Most rows of a page that are asked for.
const LIMIT: usize = 100;

/// How many rows the upstream may have for the most of a page, though more are asked for (CONTRACT: 25 by default, the most
/// not published). A page of another length that is not full is the last one.
const MAXIMA: [usize; 2] = [25, 50];

/// The tasks of these contacts, each one's in the order of the search.
pub async fn tasks(session: &Session, contacts: Vec<&Id>) -> Result<HashMap<Id, Vec<Task>>, Error> {
    let wrong = |what| Error::bad_response(api::SEARCH.template, what);
    let location = Id::new(&session.account().location);
    let location = location.map_err(|why| Error::unsent(api::SEARCH.template, format!("the location's id {why}")))?;
    let ids: Vec<&str> = contacts.iter().map(|id| id.as_str()).collect();
    let mut of: HashMap<Id, Vec<Task>> = contacts.iter().map(|id| ((*id).clone(), Vec::new())).collect();
    let (mut seen, mut longest, mut last) = (0, 0, None::<String>);
    // As many calls as the contacts would take one by one, at the most.
    for _ in &contacts {
        // Each page begins with the last row of the one before: where it does not, tasks came or went meanwhile, and one of
        // those between could be missing.
        let overlap = usize::from(seen > 0);
        let body = json!({ "contactId": ids, "limit": LIMIT, "skip": seen - overlap });
        let call = Call::to(api::SEARCH, &[&location]).body(body);
        let rows = api::found(session.account(), &session.try_once(&call).await?)?;
        if last.is_some() && rows.first().map(|row| row.task.id()) != last.as_deref() {
            return Err(wrong("the rows moved from one page to the next"));
        }
        let length = rows.len();
        last = rows.last().map(|row| row.task.id().to_owned());
        for row in rows.into_iter().skip(overlap) {
            seen += 1;
            let contact = Id::new(row.task.contact_id()).ok();
            let tasks = contact.and_then(|id| of.get_mut(&id));
            let tasks = tasks.ok_or_else(|| wrong("a task of a contact that was not asked for"))?;
            if !row.is_deleted {
                tasks.push(row.task);
            }
        }
        let may_be_full = length == LIMIT || MAXIMA.contains(&length) && length >= longest;
        if length == overlap || !may_be_full {
            return Ok(of);
        }
        longest = longest.max(length);
    }
    Err(wrong("more pages than contacts"))
}
