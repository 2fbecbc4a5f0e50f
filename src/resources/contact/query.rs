//! The fields of `Query` that find contacts.

use async_graphql::{Context, ID, Object};
use futures_util::future::join_all;

use super::Contact;
use super::list::{ContactConnection, walk};
use super::loader::{Among, ContactById, List};
use crate::graph::filter::{MOST, first_or};
use crate::graph::{Error, Here, InPlace, Look, Request, Scope};
use crate::resources::{Started, contact_id};
use crate::upstream::Id;

/// How many contacts of the location are listed where the caller does not say. The schema says it again.
pub const FIRST: usize = 20;
/// The same for those of a business.
pub const FIRST_OF_BUSINESS: usize = 25;

/// Longest `search`, in characters.
const LONGEST_SEARCH: usize = 256;

/// The contact with this id, and its selected nested lists on their way. `among`: what is asked for, where this is one of many.
async fn find(ctx: &Context<'_>, id: Id, among: Option<Among>) -> Option<Result<InPlace<Contact>, Error>> {
    let request = Request::of(ctx);
    let question = ContactById { among, ..ContactById::new(request.account().clone(), id) };
    // When it is held, or known not to exist, there is no time to win.
    let started = match request.held(&question) {
        Some(_) => Started::default(),
        None => Started::contact(&request, &Look::at(ctx, "Contact"), question.clone()).await,
    };
    load(request, question, started).await
}

async fn load(request: Here<'_>, question: ContactById, started: Started) -> Option<Result<InPlace<Contact>, Error>> {
    let seen = request.load_started(question, started.contact.clone()).await.transpose()?;
    Some(seen.map(|seen| InPlace(Contact { seen, started })))
}

/// One of many contacts that are named at once.
pub(in crate::resources) async fn one_of_many(ctx: &Context<'_>, id: &str) -> Result<Option<Contact>, Error> {
    let id = contact_id(id)?;
    let found = find(ctx, id, Among::of(&Request::of(ctx))).await.transpose()?;
    Ok(found.map(|InPlace(contact)| contact))
}

/// The contact of a record, which may be on its way already.
pub(in crate::resources) async fn of_record(
    ctx: &Context<'_>,
    id: &str,
    started: &Started,
) -> Option<Result<InPlace<Contact>, Error>> {
    match contact_id(id) {
        Err(error) => Some(Err(error)),
        Ok(id) if started.contact.is_none() => find(ctx, id, None).await,
        Ok(id) => {
            let request = Request::of(ctx);
            load(request, ContactById::new(request.account().clone(), id), started.clone()).await
        }
    }
}

/// Contacts by id, and lists of them.
#[derive(Default)]
pub struct ContactQuery;

/// Contacts by id, and lists of them.
#[Object]
impl ContactQuery {
    /// The contact with this id; null when there is none.
    async fn contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact's id upstream.")] id: ID,
    ) -> Option<Result<InPlace<Contact>, Error>> {
        match contact_id(&id) {
            Ok(id) => find(ctx, id, None).await,
            Err(error) => Some(Err(error)),
        }
    }

    /// The contacts with these ids, in the same order and number, null where there is none. Each id is asked for
    /// once, however often it is given.
    async fn contacts_by_ids(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of contacts, at most 500.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<InPlace<Contact>, Error>>>, Error> {
        // One error, and not one for each id.
        Request::of(ctx).may(Scope::ContactsReadonly)?;
        if ids.len() > MOST {
            return Err(Error::bad_input(format!("`ids` has {} ids; it can have {MOST}.", ids.len())));
        }
        let ids = ids.iter().map(|id| contact_id(id)).collect::<Result<Vec<_>, _>>()?;
        let among = Among::of(&Request::of(ctx));
        Ok(join_all(ids.into_iter().map(|id| find(ctx, id, among))).await)
    }

    /// The contacts of the location, the newest first.
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many, from 1 to 500. Calls that its rows need besides count towards the bound of an operation.",
            default_with = "Some(20)"
        )]
        first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "Words to look for, in names, mail addresses and phone numbers.")] search: Option<String>,
    ) -> Result<ContactConnection, Error> {
        let list = List { business: None, search: words(search)? };
        walk(ctx, list, first_or(FIRST, first)?, after).await
    }

    /// The contacts that are linked to a business.
    async fn contacts_by_business(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The business' id upstream.")] business_id: ID,
        #[graphql(
            desc = "How many, from 1 to 500. Calls that its rows need besides count towards the bound of an operation.",
            default_with = "Some(25)"
        )]
        first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "Words to look for, in names, mail addresses and phone numbers.")] search: Option<String>,
    ) -> Result<ContactConnection, Error> {
        let business = Id::new(&business_id).map_err(|why| Error::bad_input(format!("`businessId` {why}.")))?;
        let list = List { business: Some(business), search: words(search)? };
        walk(ctx, list, first_or(FIRST_OF_BUSINESS, first)?, after).await
    }
}

/// Nothing but blanks is no search.
pub fn words(search: Option<String>) -> Result<Option<Box<str>>, Error> {
    let Some(search) = search.filter(|words| !words.trim().is_empty()) else {
        return Ok(None);
    };
    if search.chars().count() > LONGEST_SEARCH {
        return Err(Error::bad_input(format!("`search` can have {LONGEST_SEARCH} characters.")));
    }
    Ok(Some(search.into()))
}
