//! The way over a list's pages, until there are as many rows as were asked for.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::loader::{ContactById, List, PAGE_LIMIT, Page, PageOf, Row};
use crate::graph::page::Position;
use crate::graph::{Code, Error, Here, Request};
use crate::resources::contact_id;
use crate::upstream::Account;

/// So many pages more than the rows need are read before a walk is given up. A list that is walked by counting rows
/// shifts when a contact enters it, and then begins a page with rows that were seen.
pub const SPARE_PAGES: usize = 4;

fn repeats() -> Error {
    let message = "The upstream repeats a page of the list instead of going on.";
    Error::new(Code::UpstreamBadResponse, message)
}

/// A walk, and what it has met so far.
pub struct Walk {
    account: Arc<Account>,
    list: List,
    first: usize,
    wants_next: bool,
    /// Whether it is one from the beginning of the list.
    pub begins: bool,
    after: Option<Position>,
    /// The rows, which may be more than were asked for.
    pub rows: Vec<Row>,
    ids: HashSet<Box<str>>,
    /// How many contacts the whole list has, where the upstream tells.
    pub total: Option<u64>,
    ended: bool,
}

impl Walk {
    /// `first`: how many rows; `wants_next`: whether it has to be known if there is one more.
    pub fn new(request: &Request, list: List, after: Option<Position>, first: usize, wants_next: bool) -> Self {
        let account = request.account().clone();
        let (begins, rows, ids) = (after.is_none(), Vec::new(), HashSet::new());
        Self { account, list, first, wants_next, begins, after, rows, ids, total: None, ended: false }
    }

    /// Reads pages until there are enough rows.
    pub async fn go(&mut self, request: Here<'_>) -> Result<(), Error> {
        let mut pages_left = self.first / PAGE_LIMIT + SPARE_PAGES;
        while let Some(question) = self.next() {
            pages_left = pages_left.checked_sub(1).ok_or_else(repeats)?;
            let limit = question.limit;
            let page = request.load(question).await?;
            let page = page.ok_or_else(|| Error::new(Code::NotFound, "There is no such list upstream."))?;
            let rows = self.unseen(&page);
            let seen = rows.len();
            let rows = join_all(rows.into_iter().map(|row| self.as_it_is(request, row))).await;
            self.take(&page, limit, seen, rows.into_iter().flatten())?;
        }
        Ok(())
    }

    /// How many rows are missing yet: one row more than asked for tells whether there are more. Where that would take a call
    /// of its own, the total tells it too, if there is one and the walk began at the beginning.
    pub fn missing(&self) -> usize {
        if self.ended || self.rows.len() > self.first {
            return 0;
        }
        let missing = self.first - self.rows.len();
        let told = missing == 0 && self.begins && self.total.is_some();
        missing + usize::from(self.wants_next && !told)
    }

    /// The page to go on with, if there have to be more rows.
    pub fn next(&self) -> Option<PageOf> {
        let limit = self.missing().min(PAGE_LIMIT);
        let (account, list, after) = (&self.account, &self.list, &self.after);
        (limit > 0).then(|| PageOf { account: account.clone(), list: list.clone(), after: after.clone(), limit })
    }

    /// The rows of a page that no page before it had.
    pub fn unseen<'p>(&mut self, page: &'p Page) -> Vec<&'p Row> {
        page.rows.iter().filter(|row| self.ids.insert(row.contact.id().into())).collect()
    }

    /// Goes on behind a page of at most `limit` rows. `seen`: how many of them were new; `rows`: what there is of those.
    pub fn take(
        &mut self,
        page: &Page,
        limit: usize,
        seen: usize,
        rows: impl Iterator<Item = Row>,
    ) -> Result<(), Error> {
        self.total = self.total.or(page.total);
        let before = self.rows.len();
        self.rows.extend(rows);
        // The total is of the list that still has them.
        let gone = (seen + before).saturating_sub(self.rows.len());
        self.total = self.total.map(|total| total.saturating_sub(gone as u64));
        let next = page.rows.last().and_then(|row| row.after.clone());
        self.ended = page.rows.len() < limit || next.is_none();
        if !self.ended && next == self.after {
            return Err(repeats());
        }
        self.after = next;
        Ok(())
    }

    /// The row as it is, or, where it lags behind a change, with the contact from elsewhere. `None`: the contact was
    /// deleted meanwhile, or is one of another location.
    async fn as_it_is(&self, request: Here<'_>, row: &Row) -> Option<Row> {
        if !self.shows(row) {
            return None;
        }
        let id = contact_id(row.contact.id()).ok().filter(|_| row.is_behind);
        let Some(id) = id else { return Some(row.clone()) };
        match request.load(ContactById::new(self.account.clone(), id)).await {
            Ok(Some(contact)) => Some(Row { contact, ..row.clone() }),
            Ok(None) => None,
            // Its fields tell why it cannot be read.
            Err(_) => Some(row.clone()),
        }
    }

    /// Whether the row is of the location that is asked.
    pub fn shows(&self, row: &Row) -> bool {
        self.account.shows(row.contact.location_id())
    }

    /// Whether there are more rows than were asked for.
    pub fn has_next(&self) -> bool {
        if self.rows.len() > self.first {
            return true;
        }
        let total = self.total.filter(|_| self.begins);
        !self.ended && total.is_some_and(|total| total > self.rows.len() as u64)
    }
}
