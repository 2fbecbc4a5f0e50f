//! The keys by which contacts and pages of contacts are loaded.

use std::sync::Arc;
use std::time::Duration;

use super::model::{Contact, Part, Parts};
use super::{api, search};
use crate::cache::{EntityKey, Kind, Tag};
use crate::graph::Request;
use crate::graph::page::Position;
use crate::resources::task;
use crate::upstream::{Account, Call, Error, Id, Question, Route, Session, Several, Together, Ttls};

/// One contact, with at least the parts that are needed of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContactById {
    pub account: Arc<Account>,
    pub id: Id,
    pub needs: Parts,
    /// What its request asks for, if it may be asked for together with others; `None`: it is asked for by itself.
    pub among: Option<Among>,
}

/// What a request asks for, of whichever contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Among {
    /// Parts of contacts: a row that does not tell all of them is no use, since what it lacks would cost a call more.
    pub parts: Parts,
    /// Tasks.
    pub tasks: bool,
}

impl Among {
    /// What a request asks for; `None`: that is not known.
    pub fn of(request: &Request) -> Option<Self> {
        let asks = request.asks.as_ref()?;
        let parts = asks.iter().filter_map(|field| Part::of_field(field)).collect();
        Some(Self { parts, tasks: asks.contains(&"tasks") })
    }
}

impl ContactById {
    /// The contact, with whatever is known of it.
    pub fn new(account: Arc<Account>, id: Id) -> Self {
        Self { account, id, needs: Parts::NONE, among: None }
    }

    /// The contact, with everything.
    pub fn whole(account: Arc<Account>, id: Id) -> Self {
        Self { needs: Parts::ALL, ..Self::new(account, id) }
    }
}

impl Question for ContactById {
    type Answer = Contact;

    const KIND: Kind = Kind::Contact;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, self.id.as_str())
    }

    fn route(&self) -> Route {
        api::ONE
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.contact
    }

    fn is_satisfied_by(&self, held: &Contact) -> bool {
        held.known.contains(self.needs)
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Contact, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::ONE, &[&self.id])).await? else {
            return Ok(None);
        };
        let here = |contact: &Contact| session.account().shows(contact.location_id());
        let contact = api::one(session.account(), &body)?.filter(here);
        Ok(contact.map(|contact| (contact, size_of::<Contact>() + body.len())))
    }

    const TOGETHER: Option<Together> = Some(Together { route: api::SEARCH, least: search::LEAST, most: search::MOST });

    fn may_be_together(&self) -> bool {
        self.among.is_some_and(|among| api::FOUND.contains(among.parts.or(self.needs)))
            && search::is_searchable(&self.id)
    }

    // That the id can be filtered by is a guess, and that tasks can be searched for is not.
    fn looks_after(&self) -> Option<Route> {
        self.among.filter(|among| among.tasks).map(|_| task::SEARCH)
    }

    fn is_behind_together(&self, session: &Session) -> bool {
        session.is_row_behind(self.id.as_str())
    }

    async fn fetch_together(asked: Vec<Self>, session: Session) -> Several<Self> {
        let mut found = search::contacts(&session, &asked).await?;
        let each = |one: Self| {
            let contact = found.remove(&one.id)?;
            let bytes = size_of::<Contact>() + contact.bytes();
            Some((one, contact, bytes))
        };
        Ok(asked.into_iter().filter_map(each).collect())
    }
}

/// A list of contacts of a location.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// The business whose contacts they are; `None`: the whole location.
    pub business: Option<Id>,
    /// Words that the upstream looks for.
    pub search: Option<Box<str>>,
}

impl List {
    /// A text that is another one for every other list, of whatever location.
    pub fn name(&self, account: &Account) -> String {
        let business = self.business.as_ref().map(Id::as_str);
        format!("{:?}/{business:?}/{:?}", account.location, self.search)
    }

    /// What kind of change lets a contact enter or leave the list.
    fn sort(&self) -> &'static str {
        match (&self.search, &self.business) {
            (Some(_), _) => SEARCHED,
            (None, Some(_)) => OF_A_BUSINESS,
            (None, None) => ALL,
        }
    }
}

/// Lists of all contacts of a location: they change when a contact comes or goes.
pub const ALL: &str = "all";
/// Lists of the contacts of a business: they change when a contact's link does, too.
pub const OF_A_BUSINESS: &str = "business";
/// Lists with words to look for: they change with every text of a contact.
pub const SEARCHED: &str = "searched";

/// Most rows that the upstream gives at once.
pub const PAGE_LIMIT: usize = 100;

/// One upstream page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageOf {
    pub account: Arc<Account>,
    pub list: List,
    pub after: Option<Position>,
    pub limit: usize,
}

/// The rows of a page, with the position after each.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<Row>,
    pub total: Option<u64>,
}

/// A contact as far as its row told it.
#[derive(Clone, Debug)]
pub struct Row {
    pub contact: Arc<Contact>,
    /// `None`: the upstream gave no way to go on after this row.
    pub after: Option<Position>,
    /// Whether the contact was changed so lately that its row may be older; nothing is known of it then but its id.
    pub is_behind: bool,
}

/// The smallest page that there is.
pub fn first_of_location(account: Arc<Account>) -> PageOf {
    let list = List { business: None, search: None };
    PageOf { account, list, after: None, limit: 1 }
}

impl PageOf {
    fn call(&self) -> Call {
        let location = &self.account.location;
        let mut call = match &self.list.business {
            None => Call::to(api::LIST, &[]),
            Some(business) => Call::to(api::OF_BUSINESS, &[business]),
        };
        call = call.with("locationId", location).with("limit", &self.limit);
        call = match &self.after {
            None => call,
            // One of the two alone is ignored by the upstream, which then sends its first page for ever.
            Some(Position::Pair(ms, id)) => call.with("startAfter", ms).with("startAfterId", id),
            Some(Position::Skip(rows)) => call.with("skip", rows),
        };
        match &self.list.search {
            None => call,
            Some(words) => call.with("query", words),
        }
    }

    fn position_after(&self, row: usize, cursor: Option<(i64, Box<str>)>) -> Option<Position> {
        if self.list.business.is_none() {
            return cursor.map(|(ms, id)| Position::Pair(ms, id));
        }
        let before = match self.after {
            Some(Position::Skip(rows)) => rows,
            _ => 0,
        };
        Some(Position::Skip(before.saturating_add(row as u32 + 1)))
    }
}

impl Question for PageOf {
    type Answer = Page;

    const KIND: Kind = Kind::Page;

    const SHOWS_OTHERS: bool = true;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        let Self { account, list, after, limit } = self;
        let id = format!("{limit}/{after:?}/{}", list.name(account));
        EntityKey::new(account.view, Self::KIND, id)
    }

    fn route(&self) -> Route {
        match self.list.business {
            None => api::LIST,
            Some(_) => api::OF_BUSINESS,
        }
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.pages
    }

    fn made_of(&self, page: Option<&Page>, tell: &mut dyn FnMut(Tag<'_>)) {
        let view = &self.account.view;
        tell(view.tag(Kind::Page, self.list.sort()));
        for row in page.map_or(&[][..], |page| &page.rows) {
            tell(view.tag(Kind::Contact, row.contact.id()));
        }
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Page, usize)>, Error> {
        let Some(body) = session.get(&self.call()).await? else {
            return Ok(None);
        };
        let listed = api::listed(self.route(), session.account(), &body)?;
        let each = size_of::<Contact>() + body.len() / listed.rows.len().max(1);
        let mut rows = Vec::with_capacity(listed.rows.len());
        let behind = session.reads_behind();
        for (number, row) in listed.rows.into_iter().enumerate() {
            let after = self.position_after(number, row.cursor);
            let is_behind = behind && session.is_row_behind(row.contact.id());
            // Of a contact of another location nothing is kept; the list leaves it out.
            if is_behind || !self.account.shows(row.contact.location_id()) {
                let contact = Arc::new(Contact::bare(row.contact.id(), row.contact.location_id()));
                rows.push(Row { contact, after, is_behind });
                continue;
            }
            let contact = Arc::new(row.contact);
            // A row whose id cannot be asked for is still a row.
            if let Ok(id) = Id::of_contact(contact.id()) {
                let needs = row.said;
                // What the neighbours let conclude is for this list alone.
                let told = match contact.known == needs {
                    true => contact.clone(),
                    false => Arc::new(Contact { known: needs, ..(*contact).clone() }),
                };
                let question = ContactById { needs, ..ContactById::new(self.account.clone(), id) };
                session.prime(&question, told, each);
            }
            rows.push(Row { contact, after, is_behind: false });
        }
        let bytes = rows.len() * (each + size_of::<Row>());
        let total = listed.total;
        Ok(Some((Page { rows, total }, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::upstream::Allowance;

    fn question() -> impl Strategy<Value = (String, PageOf)> {
        let words = proptest::option::of("[ -~]{0,12}");
        let business = proptest::option::of("[a-z0-9:\"/]{1,6}".prop_filter_map("an id", |t| Id::new(&t).ok()));
        let after = prop_oneof![
            Just(None),
            any::<u32>().prop_map(|n| Some(Position::Skip(n))),
            (any::<i64>(), "[ -~]{0,8}").prop_map(|(ms, id)| Some(Position::Pair(ms, id.into()))),
        ];
        ("[A-Z]{1,3}", words, business, after, 1..=PAGE_LIMIT).prop_map(|(location, words, business, after, limit)| {
            let account = Account::new(&location, None, TimeZone::UTC, "t".into(), Allowance::default());
            let list = List { business, search: words.map(Into::into) };
            let page = PageOf { account: Arc::new(account), list, after, limit };
            (location, page)
        })
    }

    proptest! {
        #[test]
        fn different_questions_have_different_keys(pages in proptest::collection::vec(question(), 2..30)) {
            let mut seen: HashMap<EntityKey, String> = HashMap::new();
            for (location, page) in pages {
                let what = format!("{location} {:?} {:?} {}", page.list, page.after, page.limit);
                if let Some(other) = seen.insert(page.key(), what.clone()) {
                    prop_assert_eq!(other, what);
                }
            }
        }
    }
}
