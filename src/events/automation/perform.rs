//! One action: a mutation of the gateway's own schema, or a delivery; and whether it was done already, where that can be found out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::action::{Headers, Planned};
use super::post::Sent;
use super::schema::{Schema, Unmade};
use super::store::Own;
use super::{Automations, own};
use crate::events::journal::EffectId;
use crate::upstream::{Account, Id};

/// By so much the upstream's clock may be behind.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

const CREATE_TASK: &str = "mutation A($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }";
const CREATE_NOTE: &str = "mutation A($input: CreateNoteInput!) { createNote(input: $input) { note { id } } }";
const COMPLETE: &str = "mutation A($input: SetTaskCompletedInput!) { setTaskCompleted(input: $input) { task { id } } }";
const ADD_TAGS: &str =
    "mutation A($input: AddContactTagsInput!) { addContactTags(input: $input) { contact { tags } } }";
const REMOVE_TAGS: &str =
    "mutation A($input: RemoveContactTagsInput!) { removeContactTags(input: $input) { contact { tags } } }";

const TASKS: &str = "query Look($contact: ID!) { contact(id: $contact) { tasks { id title body dueDate } } }";
const NOTES: &str = "query Look($contact: ID!) { contact(id: $contact) { notes { id note dateCreated } } }";

/// An action of a run.
pub(super) struct Step<'a> {
    pub id: &'a EffectId,
    /// In the trace of the run.
    pub schema: &'a Schema,
    pub account: &'a Arc<Account>,
    pub contact: Option<&'a str>,
}

/// What was done, and what of it the upstream will tell.
type Done = (String, Option<Own>);

impl Automations {
    /// Does it. `began`: when it was begun before, if nobody knows what came of that.
    pub(super) async fn perform(
        &self,
        step: &Step<'_>,
        planned: &Planned,
        began: Option<Timestamp>,
        headers: &Headers,
    ) -> Result<Done, Unmade> {
        let Step { id, schema, account, contact } = *step;
        if let Planned::Post { url, body } = planned {
            let sent = Sent { name: &delivery(id), at: self.now(), within: schema.within.as_ref() };
            let delivered = self.post.deliver(url, headers, body, sent).await;
            return delivered.map(|told| (told, None));
        }
        let contact = contact.ok_or_else(|| Unmade::Never("the event does not tell whose it is".to_owned()))?;
        let location = &*account.location;
        if let Some(began) = began
            && let Some(found) = self.find(step, planned, contact, began).await?
        {
            let (sort, name) = sort(planned);
            return Ok((format!("{name} {found} was made already"), Some(own::made(location, sort, &found))));
        }
        let change = |mutation, input| schema.change(account, mutation, input);
        match planned {
            Planned::CreateTask { title, body, due_date, assigned_to } => {
                let mut input = json!({ "contactId": contact, "title": title, "dueDate": due_date.to_string() });
                optional(&mut input, "body", body);
                optional(&mut input, "assignedTo", assigned_to);
                let data = change(CREATE_TASK, input).await?;
                made(location, "task", &data["createTask"]["task"]["id"])
            }
            Planned::AddNote { note } => {
                let data = change(CREATE_NOTE, json!({ "contactId": contact, "note": note })).await?;
                made(location, "note", &data["createNote"]["note"]["id"])
            }
            Planned::AddTags(tags) => {
                let data = change(ADD_TAGS, json!({ "contactId": contact, "tags": tags })).await?;
                let now = &data["addContactTags"]["contact"]["tags"];
                Ok((format!("added {} tags", tags.len()), Some(own::tagged(location, contact, now))))
            }
            Planned::RemoveTags(tags) => {
                let data = change(REMOVE_TAGS, json!({ "contactId": contact, "tags": tags })).await?;
                let now = &data["removeContactTags"]["contact"]["tags"];
                Ok((format!("removed {} tags", tags.len()), Some(own::tagged(location, contact, now))))
            }
            Planned::CompleteTask(task) => {
                change(COMPLETE, json!({ "contactId": contact, "id": task, "completed": true })).await?;
                Ok((format!("completed task {task}"), Some(own::completed(location, task))))
            }
            Planned::StartWorkflow(_) if began.is_some() => {
                let why = "it was begun before, and whether it was done cannot be found out: it is not done again";
                Ok((format!("unknown: {why}"), None))
            }
            Planned::StartWorkflow(workflow) => {
                let none = |_| Unmade::Never("the contact or the workflow has no id that can be sent".to_owned());
                let (contact, id) = (Id::of_contact(contact).map_err(none)?, Id::new(workflow).map_err(none)?);
                schema.start_workflow(account, contact, id).await?;
                Ok((format!("started workflow {workflow}"), None))
            }
            Planned::Post { .. } => Err(Unmade::Never("it is a delivery".to_owned())),
        }
    }

    /// The task or the note that was made when this was begun, if it was.
    async fn find(
        &self,
        step: &Step<'_>,
        planned: &Planned,
        contact: &str,
        began: Timestamp,
    ) -> Result<Option<String>, Unmade> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let moment = |row: &Value, name: &str| row[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let (query, list) = match planned {
            Planned::CreateTask { .. } => (TASKS, "tasks"),
            Planned::AddNote { .. } => (NOTES, "notes"),
            _ => return Ok(None),
        };
        let account = step.account;
        let data = step.schema.ask(account, query, json!({ "contact": contact })).await?;
        let is_same = |row: &&Value| match planned {
            Planned::CreateTask { title, body, due_date, .. } => {
                text(row, "title") == *title
                    && text(row, "body") == body.as_deref().unwrap_or_default()
                    && moment(row, "dueDate") == Some(*due_date)
            }
            Planned::AddNote { note } => {
                let is_new = moment(row, "dateCreated")
                    .is_none_or(|created| created >= began.saturating_sub(SKEW).unwrap_or(began));
                is_new && text(row, "note") == *note
            }
            _ => false,
        };
        for row in data["contact"][list].as_array().into_iter().flatten().filter(is_same) {
            // What another run made is not this one's.
            let id = text(row, "id");
            let known = own::is_made(&self.journal, &account.location, sort(planned).0, &id);
            if !known.map_err(|trouble| Unmade::NotYet(trouble.to_string()))? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// What it makes.
fn sort(planned: &Planned) -> (&'static str, &'static str) {
    match planned {
        Planned::CreateTask { .. } => ("task", "task"),
        _ => ("note", "note"),
    }
}

fn made(location: &str, sort: &str, id: &Value) -> Result<Done, Unmade> {
    let id = id.as_str().ok_or_else(|| Unmade::Unclear("the answer tells no id".to_owned()))?;
    Ok((format!("made {sort} {id}"), Some(own::made(location, sort, id))))
}

fn optional(input: &mut Value, name: &str, text: &Option<String>) {
    if let Some(text) = text {
        input[name] = text.as_str().into();
    }
}

/// A delivery's name: the same whenever it is sent again, and nobody's id.
fn delivery(id: &EffectId) -> String {
    let name = format!("{}\n{}\n{}", id.event, id.automation, id.step);
    Sha256::digest(name).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
