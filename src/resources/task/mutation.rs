//! The fields of `Mutation` that change tasks.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::input::{CreateTaskInput, DeleteTaskInput, Named, SetTaskCompletedInput, UpdateTaskInput};
use super::loader::TasksOf;
use super::model;
use super::writes::{Create, Delete, Update};
use super::{Seen, Started, Task};
use crate::graph::input::Draft;
use crate::graph::scope::{Scope, requires_scopes};
use crate::graph::{Error, Request};
use crate::resources::contact::{Contact, of_deleted};

/// The task that was created.
#[derive(SimpleObject)]
pub struct CreateTaskPayload {
    /// The task as it is now.
    task: Option<Task>,
}

/// The task that was changed.
#[derive(SimpleObject)]
pub struct UpdateTaskPayload {
    /// The task as it is now.
    task: Option<Task>,
}

/// The task that was completed or opened again.
#[derive(SimpleObject)]
pub struct SetTaskCompletedPayload {
    /// The task as it is now.
    task: Option<Task>,
}

/// The task that was deleted.
#[derive(SimpleObject)]
pub struct DeleteTaskPayload {
    /// Its id.
    deleted_id: ID,
    /// The contact that had the task.
    contact: Option<Contact>,
}

/// Changes of tasks.
#[derive(Default)]
pub struct TaskMutation;

/// Changes of tasks.
#[Object]
impl TaskMutation {
    /// Creates a task for a contact.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn create_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task.")] input: CreateTaskInput,
    ) -> Option<Result<CreateTaskPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, contact) = input.draft();
        let (body, contact) = draft.done(ctx).zip(contact)?;
        let held = request.held(&TasksOf::new(account.clone(), contact.clone())).flatten();
        let before = held.map(|tasks| tasks.iter().map(|task| task.id().into()).collect());
        let made = request.change(ctx, Create { account, contact, body, before }).await;
        Some(made.map(|task| CreateTaskPayload { task: shown(task) }))
    }

    /// Changes the named fields of a task. Needs at least one field beside `contactId` and `id`.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn update_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task and what to change of it.")] input: UpdateTaskInput,
    ) -> Option<Result<UpdateTaskPayload, Error>> {
        let task = change(ctx, input.draft(), false).await?;
        Some(task.map(|task| UpdateTaskPayload { task: shown(task) }))
    }

    /// Completes a task, or opens it again.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn set_task_completed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task and whether it is done.")] input: SetTaskCompletedInput,
    ) -> Option<Result<SetTaskCompletedPayload, Error>> {
        let task = change(ctx, input.draft(), true).await?;
        Some(task.map(|task| SetTaskCompletedPayload { task: shown(task) }))
    }

    /// Deletes a task.
    #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
    async fn delete_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task.")] input: DeleteTaskInput,
    ) -> Option<Result<DeleteTaskPayload, Error>> {
        let request = Request::of(ctx);
        let account = request.account().clone();
        let (draft, named) = input.draft();
        let (_, (contact, id)) = draft.done(ctx).zip(named)?;
        let of = of_deleted(ctx, &contact);
        let deleted = request.change(ctx, Delete { account, contact, id }).await;
        Some(deleted.map(|()| DeleteTaskPayload { deleted_id: input.id, contact: of }))
    }
}

async fn change(
    ctx: &Context<'_>,
    (draft, named): (Draft, Named),
    completes: bool,
) -> Option<Result<Arc<model::Task>, Error>> {
    let request = Request::of(ctx);
    let account = request.account().clone();
    let (body, (contact, id)) = draft.done(ctx).zip(named)?;
    Some(request.change(ctx, Update { account, contact, id, body, completes }).await)
}

fn shown(task: Arc<model::Task>) -> Option<Task> {
    Some(Task::new(Seen::One(task), Started::default()))
}
