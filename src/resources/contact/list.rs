//! Lists of contacts: a connection of any length, walked over upstream pages.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, Lookahead, Object, SimpleObject};
use futures_util::future::join_all;

use super::Contact;
use super::loader::{ContactById, List, PAGE_LIMIT, PageOf, Row};
use super::model;
use crate::graph::page::{self, Position};
use crate::graph::{Code, Error, Here, InPlace, Request, Rows};
use crate::resources::contact_id;

/// A list of contacts, in the upstream's order.
pub struct ContactConnection {
    list: String,
    rows: Vec<Row>,
    begins: bool,
    has_next: bool,
    total: Option<u64>,
}

/// A list of contacts, in the upstream's order.
#[Object]
impl ContactConnection {
    /// The contacts, each with its cursor.
    async fn edges(&self) -> Vec<ContactEdge> {
        let edge = |row: &Row| ContactEdge { contact: row.contact.clone(), cursor: self.cursor_of(row) };
        self.rows.iter().map(edge).collect()
    }

    /// The contacts without their cursors.
    async fn nodes(&self) -> Rows<Contact> {
        Rows(self.rows.iter().map(|row| Contact::new(row.contact.clone())).collect())
    }

    /// Where this page begins and ends, and whether there is more.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: !self.begins,
            start_cursor: self.rows.first().and_then(|row| self.cursor_of(row)),
            end_cursor: self.rows.last().and_then(|row| self.cursor_of(row)),
        }
    }

    /// How many contacts the whole list has; null when the upstream does not tell.
    async fn total_count(&self) -> Option<u64> {
        self.total
    }
}

impl ContactConnection {
    fn cursor_of(&self, row: &Row) -> Option<String> {
        row.after.as_ref().map(|after| page::encode(&self.list, after))
    }
}

/// A contact and its place in a list.
pub struct ContactEdge {
    contact: Arc<model::Contact>,
    cursor: Option<String>,
}

/// A contact and its place in a list.
#[Object]
impl ContactEdge {
    /// The contact.
    async fn node(&self) -> InPlace<Contact> {
        InPlace(Contact::new(self.contact.clone()))
    }

    /// Its place: give it as `after` to go on behind it.
    async fn cursor(&self) -> Result<&str, Error> {
        self.cursor.as_deref().ok_or_else(|| {
            let message = "The upstream gave this row neither a cursor nor a date to make one from.";
            Error::new(Code::UpstreamBadResponse, message)
        })
    }
}

/// Where a page of a list begins and ends.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there are contacts after this page.
    has_next_page: bool,
    /// Whether this page was reached by a cursor, so that there are contacts before it.
    has_previous_page: bool,
    /// The cursor of the first contact; null on an empty page.
    start_cursor: Option<String>,
    /// The cursor of the last contact; null on an empty page.
    end_cursor: Option<String>,
}

/// Answers one connection field.
pub async fn walk(
    ctx: &Context<'_>,
    list: List,
    first: usize,
    after: Option<String>,
) -> Result<ContactConnection, Error> {
    let request = Request::of(ctx);
    let name = list.name(request.account());
    let after = after.map(|cursor| page::decode(&name, &cursor)).transpose()?;
    let begins = after.is_none();
    let wants_next = selects_next(&ctx.look_ahead());
    let mut walked = Walk::new(request, list, after);
    walked.go(first, wants_next).await?;
    let has_next = walked.has_next(first, begins);
    walked.rows.truncate(first);
    Ok(ContactConnection { list: name, rows: walked.rows, begins, has_next, total: walked.total })
}

/// To know whether there is more can cost a call; it is only made for those who ask.
fn selects_next(look: &Lookahead<'_>) -> bool {
    look.field("pageInfo").field("hasNextPage").exists()
}

/// So many pages more than the rows need are read before a walk is given up. A list that is walked by counting rows
/// shifts when a contact enters it, and then begins a page with rows that were seen.
const SPARE_PAGES: usize = 4;

fn repeats() -> Error {
    let message = "The upstream repeats a page of the list instead of going on.";
    Error::new(Code::UpstreamBadResponse, message)
}

struct Walk<'a> {
    request: Here<'a>,
    list: List,
    after: Option<Position>,
    rows: Vec<Row>,
    ids: HashSet<Box<str>>,
    total: Option<u64>,
    ended: bool,
}

impl<'a> Walk<'a> {
    fn new(request: Here<'a>, list: List, after: Option<Position>) -> Self {
        Self { request, list, after, rows: Vec::new(), ids: HashSet::new(), total: None, ended: false }
    }

    /// Reads pages until there are `first` rows, and one more if it has to be known whether there is one.
    async fn go(&mut self, first: usize, wants_next: bool) -> Result<(), Error> {
        let from_start = self.after.is_none();
        let mut pages_left = first / PAGE_LIMIT + SPARE_PAGES;
        while !self.ended && self.rows.len() <= first {
            let missing = first - self.rows.len();
            // One row more than asked for tells whether there are more. Where that would take a call of its own,
            // the total tells it too, if there is one and the walk began at the beginning.
            let told = missing == 0 && from_start && self.total.is_some();
            let wanted = missing + usize::from(wants_next && !told);
            if wanted == 0 {
                return Ok(());
            }
            pages_left = pages_left.checked_sub(1).ok_or_else(repeats)?;
            self.page(wanted.min(PAGE_LIMIT)).await?;
        }
        Ok(())
    }

    async fn page(&mut self, limit: usize) -> Result<(), Error> {
        let question = PageOf {
            account: self.request.account().clone(),
            list: self.list.clone(),
            after: self.after.clone(),
            limit,
        };
        let page = self.request.load(question).await?;
        let page = page.ok_or_else(|| Error::new(Code::NotFound, "There is no such list upstream."))?;
        self.total = self.total.or(page.total);
        let before = self.rows.len();
        let next = page.rows.last().and_then(|row| row.after.clone());
        let rows: Vec<&Row> = page.rows.iter().filter(|row| self.ids.insert(row.contact.id().into())).collect();
        let seen = rows.len();
        let rows = join_all(rows.into_iter().map(|row| self.as_it_is(row))).await;
        self.rows.extend(rows.into_iter().flatten());
        // The total is of the list that still has them.
        let gone = (seen + before).saturating_sub(self.rows.len());
        self.total = self.total.map(|total| total.saturating_sub(gone as u64));
        self.ended = page.rows.len() < limit || next.is_none();
        if !self.ended && next == self.after {
            return Err(repeats());
        }
        self.after = next;
        Ok(())
    }

    /// The row as it is, or, where it lags behind a change, with the contact from elsewhere. `None`: the contact was
    /// deleted meanwhile, or is one of another location.
    async fn as_it_is(&self, row: &Row) -> Option<Row> {
        if !self.request.account().shows(row.contact.location_id()) {
            return None;
        }
        let id = contact_id(row.contact.id()).ok().filter(|_| row.is_behind);
        let Some(id) = id else { return Some(row.clone()) };
        match self.request.load(ContactById::new(self.request.account().clone(), id)).await {
            Ok(Some(contact)) => Some(Row { contact, ..row.clone() }),
            Ok(None) => None,
            // Its fields tell why it cannot be read.
            Err(_) => Some(row.clone()),
        }
    }

    fn has_next(&self, first: usize, from_start: bool) -> bool {
        if self.rows.len() > first {
            return true;
        }
        let total = self.total.filter(|_| from_start);
        !self.ended && total.is_some_and(|total| total > self.rows.len() as u64)
    }
}
