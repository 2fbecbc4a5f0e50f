//! Tasks: what there is to do for a contact.

pub(crate) mod api;
pub(in crate::resources) mod cost;
mod input;
mod loader;
pub(in crate::resources) mod model;
mod mutation;
mod search;
mod writes;

use async_graphql::{Context, Enum, ID, Object};

pub(in crate::resources) use api::SEARCH;
use loader::TaskById;
pub use loader::TasksOf;
pub use mutation::TaskMutation;

use super::contact::{self, Contact, ContactById};
use super::{Seen, Started, contact_id, record_id};
use crate::graph::filter::Span;
use crate::graph::{AtHand, Code, DateTime, Error, InPlace, Look, Request, Rows};
use crate::upstream::{Id, Pending};

/// Whether a task is done.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// Still to do.
    Open,
    /// Done.
    Completed,
}

/// A task as GraphQL shows it.
pub struct Task {
    seen: Seen<model::Task>,
    /// The reading of its contact, if that was begun before the task was there.
    started: Started,
}

impl Task {
    fn new(seen: Seen<model::Task>, started: Started) -> Self {
        Self { seen, started }
    }

    fn state(&self) -> Option<TaskStatus> {
        self.seen.completed.map(|done| match done {
            true => TaskStatus::Completed,
            false => TaskStatus::Open,
        })
    }
}

/// Something to do for a contact.
#[Object]
impl Task {
    /// The task's id upstream.
    async fn id(&self) -> ID {
        ID::from(self.seen.id())
    }

    /// What is to be done.
    async fn title(&self) -> Option<&str> {
        self.seen.title()
    }

    /// More about it.
    async fn body(&self) -> Option<&str> {
        self.seen.body()
    }

    /// Whether it is done, as a word.
    async fn status(&self) -> Option<TaskStatus> {
        self.state()
    }

    /// Whether it is done.
    async fn completed(&self) -> Option<bool> {
        self.seen.completed
    }

    /// When it is due.
    async fn due_date(&self) -> Option<DateTime> {
        self.seen.due_date.map(DateTime::at)
    }

    /// How urgent it is, where the upstream tells; it does not as a rule, and then this is null.
    async fn priority(&self) -> Option<&str> {
        self.seen.priority()
    }

    /// Id of the user whom it is assigned to.
    async fn assigned_to(&self) -> Option<ID> {
        self.seen.assigned_to().map(ID::from)
    }

    /// Id of the contact that it is about.
    async fn contact_id(&self) -> ID {
        ID::from(self.seen.contact_id())
    }

    /// The contact that it is about.
    async fn contact(&self, ctx: &Context<'_>) -> Option<Result<InPlace<Contact>, Error>> {
        contact::of_record(ctx, self.seen.contact_id(), &self.started).await
    }
}

impl AtHand for Task {
    fn has(&self, field: &str) -> bool {
        field != "contact"
    }
}

/// The tasks of a contact that pass the filters.
pub async fn of_contact(
    ctx: &Context<'_>,
    contact: Id,
    started: Option<Pending>,
    status: Option<TaskStatus>,
    due: Span,
    most: usize,
) -> Result<Rows<Task>, Error> {
    let request = Request::of(ctx);
    let tasks = request.load_started(TasksOf::new(request.account().clone(), contact), started).await?;
    let tasks = tasks.ok_or_else(|| Error::new(Code::NotFound, "The upstream has no such contact any more."))?;
    let tasks = Seen::each(&tasks).map(|task| Task::new(task, Started::default()));
    let wanted =
        |task: &Task| status.is_none_or(|status| task.state() == Some(status)) && due.holds(task.seen.due_date);
    Ok(Rows(tasks.filter(wanted).take(most).collect()))
}

/// Tasks by id.
#[derive(Default)]
pub struct TaskQuery;

/// Tasks by id.
#[Object]
impl TaskQuery {
    /// One task of a contact; null when there is none.
    async fn task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the contact that the task is about.")] contact_id: ID,
        #[graphql(desc = "The task's id upstream.")] id: ID,
    ) -> Option<Result<Task, Error>> {
        find(ctx, &contact_id, &id).await.transpose()
    }
}

/// The task with these ids, as far as it is of a contact of the location.
pub async fn find(ctx: &Context<'_>, contact: &str, id: &str) -> Result<Option<Task>, Error> {
    let (contact, id) = (contact_id(contact)?, record_id(id)?);
    let request = Request::of(ctx);
    let account = request.account().clone();
    // What belongs to a contact that the location does not have is not there either.
    if let Some(None) = request.held(&ContactById::new(account.clone(), contact.clone())) {
        return Ok(None);
    }
    if let Some(Some(tasks)) = request.held(&TasksOf::new(account.clone(), contact.clone()))
        && let Some(task) = Seen::each(&tasks).find(|task| task.id() == id.as_str())
    {
        return Ok(Some(Task::new(task, Started::default())));
    }
    let look = Look::at(ctx, "Task");
    let key = TaskById { account, contact: contact.clone(), id };
    let (task, started) = tokio::join!(request.load(key), Started::contact_of_record(&request, &look, &contact));
    Ok(task?.map(|task| Task::new(Seen::One(task), started)))
}
