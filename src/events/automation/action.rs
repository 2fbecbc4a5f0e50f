//! The `then` of an automation: what is to be done, and what that comes to for one event.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::form::{Form, duration};
use super::template::{Goes, Template};
use super::trigger::brief;
use crate::changes::ChangedResource;
use crate::upstream::Id;

const KEYS: &str = "create_task, add_note, add_tags, remove_tags, complete_task, start_workflow, post";

/// Longest time until a task is due.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
/// Most tags, and most headers.
const MOST: usize = 50;
/// Headers that a delivery has already, or that are the connection's.
const TAKEN: [&str; 7] = [
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "x-gateway-delivery",
    "x-gateway-signature",
];

/// Headers that are sent along; they may be secrets.
pub type Headers = BTreeMap<String, SecretString>;

/// Something to be done, before it is known for whom.
#[derive(Debug)]
pub enum Action {
    CreateTask { title: Template, body: Option<Template>, due_in: Duration, assigned_to: Option<Template> },
    AddNote { note: Template },
    AddTags(Vec<Template>),
    RemoveTags(Vec<Template>),
    CompleteTask,
    StartWorkflow(Id),
    Post { url: Template, body: Shape, headers: Headers },
}

/// A value with templates in its texts. What they become stays the text that it is in.
#[derive(Debug)]
pub enum Shape {
    Text(Template),
    List(Vec<Shape>),
    Object(Vec<(String, Shape)>),
    Plain(Json),
}

/// Something to be done, as it is written down before it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    #[serde(rename_all = "camelCase")]
    CreateTask {
        title: String,
        body: Option<String>,
        due_date: Timestamp,
        assigned_to: Option<String>,
    },
    AddNote {
        note: String,
    },
    AddTags(Vec<String>),
    RemoveTags(Vec<String>),
    /// The task.
    CompleteTask(String),
    /// The workflow.
    StartWorkflow(String),
    Post {
        url: String,
        body: Json,
    },
}

impl Action {
    /// Reads one action of a `then`; what is wrong with it goes to the form.
    pub fn read(value: &Value, about: Option<ChangedResource>, form: &mut Form<'_>) -> Option<Self> {
        let table = value.as_table().filter(|table| table.len() == 1);
        let Some((key, value)) = table.and_then(|table| table.iter().next()) else {
            form.problem(&format!("each action of `then` is a table with one key, which is one of: {KEYS}"));
            return None;
        };
        match key.as_str() {
            "create_task" => create_task(fields(value, key, form)?, form),
            "add_note" => {
                let mut table = fields(value, key, form)?;
                let note = form.must(&mut table, "add_note", "note");
                form.rest(&table, "add_note", "note");
                Some(Self::AddNote { note: note? })
            }
            "add_tags" => tags(value, key, form).map(Self::AddTags),
            "remove_tags" => tags(value, key, form).map(Self::RemoveTags),
            "complete_task" => complete_task(value, about, form),
            "start_workflow" => {
                let id =
                    value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
                let id = id.and_then(|text| Id::new(text).ok());
                if id.is_none() {
                    form.problem("start_workflow is not the id of a workflow: letters, digits, - and _");
                }
                id.map(Self::StartWorkflow)
            }
            "post" => post(fields(value, key, form)?, form),
            other => {
                form.problem(&format!("`then` has `{}`, which is no action; there are {KEYS}", brief(other)));
                None
            }
        }
    }

    /// The templates of it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::CreateTask { title, body, assigned_to, .. } => {
                [Some(title), body.as_ref(), assigned_to.as_ref()].into_iter().flatten().collect()
            }
            Self::AddNote { note } => vec![note],
            Self::AddTags(tags) | Self::RemoveTags(tags) => tags.iter().collect(),
            Self::CompleteTask | Self::StartWorkflow(_) => Vec::new(),
            Self::Post { url, body, .. } => {
                let mut all = vec![url];
                body.templates(&mut all);
                all
            }
        }
    }

    /// What it comes to with these values, at this moment. `record`: the id of what the event is about.
    pub fn plan(
        &self,
        values: &serde_json::Map<String, Json>,
        record: Option<&str>,
        now: Timestamp,
    ) -> Result<Planned, String> {
        let maybe = |template: &Option<Template>| {
            template
                .as_ref()
                .map(|template| template.render(values))
                .transpose()
                .map(|text| text.filter(|t| !t.is_empty()))
        };
        let each = |tags: &[Template]| tags.iter().map(|tag| tag.render(values)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::CreateTask { title, body, due_in, assigned_to } => Planned::CreateTask {
                title: title.render(values)?,
                body: maybe(body)?,
                due_date: second(later(now, *due_in)),
                assigned_to: maybe(assigned_to)?,
            },
            Self::AddNote { note } => Planned::AddNote { note: note.render(values)? },
            Self::AddTags(tags) => Planned::AddTags(each(tags)?),
            Self::RemoveTags(tags) => Planned::RemoveTags(each(tags)?),
            Self::CompleteTask => {
                Planned::CompleteTask(record.ok_or("the event does not tell which task it is")?.to_owned())
            }
            Self::StartWorkflow(id) => Planned::StartWorkflow(id.as_str().to_owned()),
            Self::Post { url, body, .. } => Planned::Post { url: url.render(values)?, body: body.render(values)? },
        })
    }
}

impl Planned {
    /// Whether what it makes is looked for before it is made again.
    pub fn is_looked_for(&self) -> bool {
        matches!(self, Self::CreateTask { .. } | Self::AddNote { .. })
    }

    /// Its name, as in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateTask { .. } => "create_task",
            Self::AddNote { .. } => "add_note",
            Self::AddTags(_) => "add_tags",
            Self::RemoveTags(_) => "remove_tags",
            Self::CompleteTask(_) => "complete_task",
            Self::StartWorkflow(_) => "start_workflow",
            Self::Post { .. } => "post",
        }
    }
}

/// The second of a moment: what the upstream keeps of smaller parts is not known, and it is looked for by this.
fn second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// A moment so much later.
pub fn later(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn fields(value: &Value, of: &str, form: &mut Form<'_>) -> Option<Table> {
    let table = value.as_table().cloned();
    if table.is_none() {
        form.problem(&format!("{of} is not a table"));
    }
    table
}

fn create_task(mut table: Table, form: &mut Form<'_>) -> Option<Action> {
    let of = "create_task";
    let title = form.must(&mut table, of, "title");
    let (body, assigned_to) = (form.may(&mut table, of, "body"), form.may(&mut table, of, "assigned_to"));
    let due_in = table.remove("due_in");
    let due_in = due_in.as_ref().and_then(Value::as_str).and_then(duration).filter(|time| *time <= LONGEST);
    if due_in.is_none() {
        form.problem("`due_in` of create_task is missing, or is no time as 30m, 1h or 2d");
    }
    form.rest(&table, of, "title, body, due_in, assigned_to");
    Some(Action::CreateTask { title: title?, body: body?, due_in: due_in?, assigned_to: assigned_to? })
}

fn tags(value: &Value, of: &str, form: &mut Form<'_>) -> Option<Vec<Template>> {
    let all = value.as_array().filter(|all| (1..=MOST).contains(&all.len()));
    let Some(all) = all else {
        form.problem(&format!("{of} is not a list of 1 to {MOST} tags"));
        return None;
    };
    let all: Vec<_> = all.iter().map(|tag| form.template(&format!("a tag of {of}"), tag, Goes::Text)).collect();
    all.into_iter().collect()
}

fn complete_task(value: &Value, about: Option<ChangedResource>, form: &mut Form<'_>) -> Option<Action> {
    if value.as_bool() != Some(true) {
        form.problem("complete_task is `true`: the task that is meant is the one that the event is about");
        return None;
    }
    if about != Some(ChangedResource::Task) {
        form.problem("complete_task needs a `when` that is about tasks");
        return None;
    }
    Some(Action::CompleteTask)
}

fn post(mut table: Table, form: &mut Form<'_>) -> Option<Action> {
    let url = match table.remove("url") {
        Some(url) => form.template("`url` of post", &url, Goes::Url).filter(|url| check_url(url, form)),
        None => {
            form.problem("`url` of post is missing");
            None
        }
    };
    let body = match table.remove("body") {
        Some(body) => Shape::read(&body, form),
        None => Some(Shape::Object(Vec::new())),
    };
    let headers = match table.remove("headers") {
        Some(headers) => read_headers(&headers, form),
        None => Some(Headers::new()),
    };
    form.rest(&table, "post", "url, body, headers");
    Some(Action::Post { url: url?, body: body?, headers: headers? })
}

/// Where a delivery goes is not for a contact to say: scheme and host are in the file.
fn check_url(url: &Template, form: &mut Form<'_>) -> bool {
    let before = url.begins_with();
    let after_scheme = before.split_once("://").map(|(_, rest)| rest);
    let is_whole = url.names.is_empty() || after_scheme.is_some_and(|rest| rest.contains('/'));
    let parsed = reqwest::Url::parse(before).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let good =
        is_whole && parsed.is_some_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none());
    if !good {
        form.problem("`url` of post is no http or https URL without a user, with its host written out");
    }
    good
}

fn read_headers(value: &Value, form: &mut Form<'_>) -> Option<Headers> {
    let good = |name: &str, value: &Value| {
        let value = value.as_str()?;
        let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).ok()?;
        let free = !TAKEN.contains(&name.as_str()) && reqwest::header::HeaderValue::from_str(value).is_ok();
        free.then(|| (name.as_str().to_owned(), value.into()))
    };
    let table = value.as_table().filter(|table| table.len() <= MOST);
    let headers = table.and_then(|table| table.iter().map(|(name, value)| good(name, value)).collect());
    if headers.is_none() {
        // Not what is in them: that may be a secret.
        let taken = TAKEN.join(", ");
        form.problem(&format!(
            "`headers` of post is no table of at most {MOST} names and texts of headers, without {taken}"
        ));
    }
    headers
}

impl Shape {
    fn read(value: &Value, form: &mut Form<'_>) -> Option<Self> {
        Some(match value {
            Value::String(_) => Self::Text(form.template("a text in `body` of post", value, Goes::Text)?),
            Value::Array(all) => {
                let all: Vec<_> = all.iter().map(|value| Self::read(value, form)).collect();
                Self::List(all.into_iter().collect::<Option<_>>()?)
            }
            Value::Table(table) => {
                let all: Vec<_> =
                    table.iter().map(|(key, value)| Some((key.clone(), Self::read(value, form)?))).collect();
                Self::Object(all.into_iter().collect::<Option<_>>()?)
            }
            Value::Datetime(at) => Self::Plain(at.to_string().into()),
            other => Self::Plain(serde_json::to_value(other).unwrap_or_default()),
        })
    }

    fn templates<'a>(&'a self, into: &mut Vec<&'a Template>) {
        match self {
            Self::Text(template) => into.push(template),
            Self::List(all) => all.iter().for_each(|shape| shape.templates(into)),
            Self::Object(all) => all.iter().for_each(|(_, shape)| shape.templates(into)),
            Self::Plain(_) => {}
        }
    }

    fn render(&self, values: &serde_json::Map<String, Json>) -> Result<Json, String> {
        Ok(match self {
            Self::Text(template) => template.render(values)?.into(),
            Self::List(all) => Json::Array(all.iter().map(|shape| shape.render(values)).collect::<Result<_, _>>()?),
            Self::Object(all) => {
                let fields = all.iter().map(|(key, shape)| Ok((key.clone(), shape.render(values)?)));
                Json::Object(fields.collect::<Result<_, String>>()?)
            }
            Self::Plain(value) => value.clone(),
        })
    }
}
