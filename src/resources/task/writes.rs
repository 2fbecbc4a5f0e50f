//! The changes of tasks: their calls, what they touch, and how it is found out whether one was made whose answer was
//! lost.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::api;
use super::loader::{TaskById, TasksOf};
use super::model::Task;
use crate::cache::Tag;
use crate::changes::{Change, ChangeKind, ChangedResource};
use crate::resources::changed::Changed;
use crate::resources::contact::is_here;
use crate::upstream::wire;
use crate::upstream::{Account, Behind, Call, Error, Id, Shelf, Upstream, Write};

/// A new task.
#[derive(Clone, Debug)]
pub struct Create {
    pub account: Arc<Account>,
    pub contact: Id,
    pub body: Map<String, Value>,
    /// Ids of the tasks that were there before, if that is known.
    pub before: Option<Vec<Box<str>>>,
}

impl Write for Create {
    type Done = Arc<Task>;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::CREATE, &[&self.contact]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Arc<Task>, Error> {
        read(api::CREATE, &self.account, &self.contact, body)
    }

    fn touched(&self, done: Option<&Arc<Task>>, tell: &mut dyn FnMut(Tag<'_>)) {
        let contact = self.contact.as_str();
        let changed = done.map_or(Changed::TaskCame(contact), |task| Changed::Task(contact, task.id()));
        changed.tell(&self.account.view, tell);
    }

    fn tell(&self, done: Option<&Arc<Task>>, tell: &mut dyn FnMut(Change)) {
        let (kind, id) = done.map_or((ChangeKind::Updated, None), |task| (ChangeKind::Created, Some(task.id())));
        tell(self.account.change(kind, ChangedResource::Task, id, self.contact.as_str()));
    }

    fn behind<'a>(&'a self, _: Option<&'a Arc<Task>>) -> Behind<'a> {
        Behind::Tasks(self.contact.as_str())
    }

    fn keep(&self, task: &Arc<Task>, shelf: &mut Shelf<'_>) {
        keep(&self.account, &self.contact, task, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    /// Among the contact's tasks that were not there before: a task does not tell when it was created, so without the list of
    /// those nothing can be told. Nor if more than one is as it was sent.
    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<Arc<Task>> {
        let before = self.before.as_ref()?;
        let question = TasksOf::new(self.account.clone(), self.contact.clone());
        let tasks = upstream.read_now(&question).await.ok().flatten()?;
        let is_new = |task: &Task| before.iter().all(|id| **id != *task.id());
        let mut same = tasks.iter().filter(|task| is_new(task) && is_as_sent(task, &self.body));
        let found = same.next()?;
        same.next().is_none().then(|| Arc::new(found.clone()))
    }
}

/// Changes to a task.
#[derive(Clone, Debug)]
pub struct Update {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
    pub body: Map<String, Value>,
    /// Whether it is completed or opened again, for which there is a route of its own.
    pub completes: bool,
}

impl Update {
    fn route(&self) -> crate::upstream::Route {
        if self.completes { api::COMPLETE } else { api::UPDATE }
    }
}

impl Write for Update {
    type Done = Arc<Task>;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(self.route(), &[&self.contact, &self.id]).body(self.body.clone())
    }

    fn read(&self, body: &[u8]) -> Result<Arc<Task>, Error> {
        read(self.route(), &self.account, &self.contact, body)
    }

    fn touched(&self, _: Option<&Arc<Task>>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Task(self.contact.as_str(), self.id.as_str()).tell(&self.account.view, tell);
    }

    fn tell(&self, _: Option<&Arc<Task>>, tell: &mut dyn FnMut(Change)) {
        let (id, contact) = (Some(self.id.as_str()), self.contact.as_str());
        tell(self.account.change(ChangeKind::Updated, ChangedResource::Task, id, contact));
    }

    fn behind<'a>(&'a self, _: Option<&'a Arc<Task>>) -> Behind<'a> {
        Behind::Tasks(self.contact.as_str())
    }

    fn keep(&self, task: &Arc<Task>, shelf: &mut Shelf<'_>) {
        keep(&self.account, &self.contact, task, shelf);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<Arc<Task>> {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        let task = upstream.read_now(&TaskById { account, contact, id }).await.ok().flatten()?;
        is_as_sent(&task, &self.body).then_some(task)
    }
}

/// The end of a task.
#[derive(Clone, Debug)]
pub struct Delete {
    pub account: Arc<Account>,
    pub contact: Id,
    pub id: Id,
}

impl Write for Delete {
    type Done = ();

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(api::DELETE, &[&self.contact, &self.id])
    }

    fn read(&self, body: &[u8]) -> Result<(), Error> {
        wire::succeeded(api::DELETE.template, body)
    }

    fn touched(&self, _: Option<&()>, tell: &mut dyn FnMut(Tag<'_>)) {
        Changed::Task(self.contact.as_str(), self.id.as_str()).tell(&self.account.view, tell);
    }

    fn tell(&self, done: Option<&()>, tell: &mut dyn FnMut(Change)) {
        let (id, contact) = (Some(self.id.as_str()), self.contact.as_str());
        let kind = done.map_or(ChangeKind::Updated, |()| ChangeKind::Deleted);
        tell(self.account.change(kind, ChangedResource::Task, id, contact));
    }

    fn behind<'a>(&'a self, _: Option<&'a ()>) -> Behind<'a> {
        Behind::Tasks(self.contact.as_str())
    }

    fn keep(&self, (): &(), shelf: &mut Shelf<'_>) {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        shelf.put(TaskById { account, contact, id }, None, 0);
    }

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    async fn look(&mut self, upstream: &Upstream, _: Timestamp, _: &mut Error) -> Option<()> {
        let (account, contact, id) = (self.account.clone(), self.contact.clone(), self.id.clone());
        let seen = upstream.read_now(&TaskById { account, contact, id }).await;
        matches!(seen, Ok(None)).then_some(())
    }
}

fn read(route: crate::upstream::Route, account: &Account, contact: &Id, body: &[u8]) -> Result<Arc<Task>, Error> {
    let task = api::one(route, account, contact, body)?;
    task.map(Arc::new).ok_or_else(|| Error::bad_response(route.template, "no task"))
}

fn keep(account: &Arc<Account>, contact: &Id, task: &Arc<Task>, shelf: &mut Shelf<'_>) {
    let bytes = size_of::<Task>() + task.texts.bytes();
    if let Ok(id) = Id::new(task.id()) {
        let question = TaskById { account: account.clone(), contact: contact.clone(), id };
        shelf.put(question, Some(task.clone()), bytes);
    }
}

/// Whether a task has the values that were sent.
fn is_as_sent(seen: &Task, sent: &Map<String, Value>) -> bool {
    let text = |seen: Option<&str>, value: &Value| seen.unwrap_or_default() == value.as_str().unwrap_or_default();
    sent.iter().all(|(key, value)| match key.as_str() {
        "title" => text(seen.title(), value),
        "body" => text(seen.body(), value),
        "assignedTo" => text(seen.assigned_to(), value),
        "completed" => seen.completed.unwrap_or_default() == value.as_bool().unwrap_or_default(),
        "dueDate" => seen.due_date == value.as_str().and_then(|text| text.parse().ok()),
        _ => true,
    })
}
