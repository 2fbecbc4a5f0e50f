//! Lists of contacts: a connection of any length.

use std::sync::Arc;

use async_graphql::{Context, Lookahead, Object, SimpleObject};

use super::Contact;
use super::loader::{List, Row};
use super::model::{self, Part, Parts};
use super::query::words;
use super::walk::Walk;
use crate::graph::{Code, Error, InPlace, Request, Rows, cost, page};
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
    let wants_next = selects_next(&ctx.look_ahead());
    let mut walked = Walk::new(&request, list, after, first, wants_next);
    walked.go(request).await?;
    let (begins, has_next, total) = (walked.begins, walked.has_next(), walked.total);
    let mut rows = walked.rows;
    rows.truncate(first);
    Ok(ContactConnection { list: name, rows, begins, has_next, total })
}

/// To know whether there is more can cost a call; it is only made for those who ask.
fn selects_next(look: &Lookahead<'_>) -> bool {
    look.field("pageInfo").field("hasNextPage").exists()
}

/// As much of a list as is held, for a plan. `None`: nothing is asked, since the arguments are refused.
pub fn seen(request: &Request, asked: &cost::Rows<'_>) -> Option<cost::Seen> {
    let list = List { business: asked.of.clone(), search: words(asked.search.map(str::to_owned)).ok()? };
    let name = list.name(request.account());
    let after = asked.after.map(|cursor| page::decode(&name, cursor)).transpose().ok()?;
    let mut walk = Walk::new(request, list, after, asked.first, asked.wants_next);
    while let Some(question) = walk.next() {
        let Some(page) = request.has(&question).flatten() else { break };
        let rows = walk.unseen(&page);
        let kept: Vec<_> = rows.iter().filter(|row| walk.shows(row)).map(|row| (*row).clone()).collect();
        walk.take(&page, question.limit, rows.len(), kept.into_iter()).ok()?;
    }
    let missing = walk.missing();
    let row = |row: Row| {
        let known = row.contact.known;
        let tells = move |field: &str| Part::of_field(field).is_none_or(|part| known.contains(Parts::NONE.with(part)));
        Some(cost::Row { id: contact_id(row.contact.id()).ok()?, is_behind: row.is_behind, tells: Box::new(tells) })
    };
    Some(cost::Seen { rows: walk.rows.into_iter().take(asked.first).filter_map(row).collect(), missing })
}
