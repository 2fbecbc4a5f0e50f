//! What the fields of tasks cost.

use super::api;
use super::loader::{TaskById, TasksOf};
use crate::graph::Request;
use crate::graph::cost::{Call, Change, Cost, Fields};
use crate::resources::contact::cost::CONTACT;
use crate::upstream::Id;

/// All tasks of a contact.
pub static TASKS: Call = Call::read(api::LIST, "a contact's tasks", |ttls| ttls.tasks, is_list_held);

/// One task.
pub static TASK: Call = Call::read(api::ONE, "a task", |ttls| ttls.tasks, is_one_held);

fn is_list_held(request: &Request, ids: &[Id], _: &[&str]) -> bool {
    let [contact] = ids else { return false };
    request.has(&TasksOf::new(request.account().clone(), contact.clone())).is_some()
}

/// Itself, or in the list of its contact's.
fn is_one_held(request: &Request, ids: &[Id], _: &[&str]) -> bool {
    let [contact, id] = ids else { return false };
    let account = request.account().clone();
    let list = request.has(&TasksOf::new(account.clone(), contact.clone())).flatten();
    list.is_some_and(|tasks| tasks.iter().any(|task| task.id() == id.as_str()))
        || request.has(&TaskById { account, contact: contact.clone(), id: id.clone() }).is_some()
}

/// The arguments that name one.
pub const IDS: &[&str] = &["contactId", "id"];

const fn change(call: Call, ids: &'static [&'static str]) -> Change {
    Change { call, ids, before: Some(&CONTACT), told: &[] }
}

static CREATE: Change = change(Call::write(api::CREATE, "a new task"), &["contactId"]);
static UPDATE: Change = change(Call::write(api::UPDATE, "changes to a task"), IDS);
static COMPLETE: Change = change(Call::write(api::COMPLETE, "whether a task is done"), IDS);
static DELETE: Change = change(Call::write(api::DELETE, "the end of a task"), IDS);

/// The types of this resource.
pub const FIELDS: &[Fields] = &[
    Fields { on: "Query", costs: &[("task", Cost::Record(&TASK, IDS))], at_hand: &[] },
    Fields {
        on: "Mutation",
        costs: &[
            ("createTask", Cost::Change(&CREATE)),
            ("updateTask", Cost::Change(&UPDATE)),
            ("setTaskCompleted", Cost::Change(&COMPLETE)),
            ("deleteTask", Cost::Change(&DELETE)),
        ],
        at_hand: &[],
    },
    Fields {
        on: "Task",
        costs: &[("contact", Cost::Contact(&CONTACT))],
        at_hand: &["id", "title", "body", "status", "completed", "dueDate", "priority", "assignedTo", "contactId"],
    },
    Fields { on: "CreateTaskPayload", costs: &[], at_hand: &["task"] },
    Fields { on: "UpdateTaskPayload", costs: &[], at_hand: &["task"] },
    Fields { on: "SetTaskCompletedPayload", costs: &[], at_hand: &["task"] },
    Fields { on: "DeleteTaskPayload", costs: &[], at_hand: &["deletedId", "contact"] },
];
