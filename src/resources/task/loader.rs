//! The keys by which tasks are loaded.

use std::sync::Arc;
use std::time::Duration;

use super::model::Task;
use super::{api, search};
use crate::cache::{EntityKey, Kind, Tag};
use crate::resources::changed::{each_of, one_of};
use crate::upstream::{Account, Call, Error, Id, Question, Route, Session, Several, Together, Ttls};

/// All tasks of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TasksOf {
    account: Arc<Account>,
    contact: Id,
}

impl TasksOf {
    pub fn new(account: Arc<Account>, contact: Id) -> Self {
        Self { account, contact }
    }
}

impl Question for TasksOf {
    type Answer = Box<[Task]>;

    const KIND: Kind = Kind::Tasks;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, self.contact.as_str())
    }

    fn route(&self) -> Route {
        api::LIST
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.tasks
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Self::Answer, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::LIST, &[&self.contact])).await? else {
            return Ok(None);
        };
        let tasks = api::list(session.account(), &self.contact, &body)?;
        let bytes = body.len() + tasks.len() * size_of::<Task>();
        Ok(Some((tasks.into(), bytes)))
    }

    // For fewer, a page and perhaps the next one are not worth having to wait for one after the other; and as many contacts
    // as this have about as many tasks as a page.
    const TOGETHER: Option<Together> = Some(Together { route: api::SEARCH, least: 5, most: 33 });

    fn is_behind_together(&self, session: &Session) -> bool {
        session.are_tasks_behind(self.contact.as_str())
    }

    async fn fetch_together(asked: Vec<Self>, session: Session) -> Several<Self> {
        let mut tasks = search::tasks(&session, asked.iter().map(|one| &one.contact).collect()).await?;
        let each = |one: Self| {
            let tasks = tasks.remove(&one.contact).unwrap_or_default();
            let bytes = tasks.iter().map(|task| size_of::<Task>() + task.texts.bytes()).sum();
            (one, tasks.into(), bytes)
        };
        Ok(asked.iter().cloned().map(each).collect())
    }
}

/// One task of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskById {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
}

impl Question for TaskById {
    type Answer = Task;

    const KIND: Kind = Kind::Task;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, one_of(self.contact.as_str(), self.id.as_str()))
    }

    fn route(&self) -> Route {
        api::ONE
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.tasks
    }

    fn made_of(&self, _: Option<&Task>, tell: &mut dyn FnMut(Tag<'_>)) {
        tell(self.key().tag());
        // It goes with its contact, too.
        tell(self.account.view.tag(Kind::Task, &each_of(self.contact.as_str())));
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Task, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::ONE, &[&self.contact, &self.id])).await? else {
            return Ok(None);
        };
        let task = api::one(api::ONE, session.account(), &self.contact, &body)?;
        Ok(task.map(|task| (task, size_of::<Task>() + body.len())))
    }
}
