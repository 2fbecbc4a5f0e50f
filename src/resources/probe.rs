//! Two readings outside of GraphQL, for `check`: is there anything, and is there this contact?

use std::sync::Arc;

use super::contact::{ContactById, first_of_location};
use crate::upstream::{Account, Error, Id, NoId, Upstream};

/// What a look for a contact found.
pub enum Seen {
    /// A contact; its name, or its id where it has none.
    Contact(String),
    /// There is none with this id.
    None,
    /// The text cannot be an id.
    NotAnId(NoId),
}

/// The id of the location's first contact, if it has any.
pub async fn list(upstream: &Upstream, account: &Arc<Account>) -> Result<Option<String>, Error> {
    let page = upstream.read_now(&first_of_location(account.clone())).await?;
    Ok(page.and_then(|page| page.rows.first().map(|row| row.contact.id().to_string())))
}

/// Looks for a contact.
pub async fn contact(upstream: &Upstream, account: &Arc<Account>, id: &str) -> Result<Seen, Error> {
    let question = match Id::of_contact(id) {
        Ok(id) => ContactById::whole(account.clone(), id),
        Err(why) => return Ok(Seen::NotAnId(why)),
    };
    Ok(match upstream.read_now(&question).await? {
        Some(contact) => Seen::Contact(contact.name().unwrap_or(id).to_owned()),
        None => Seen::None,
    })
}
