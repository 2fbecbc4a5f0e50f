//! The reads of many things at once: contacts by filters, tasks of several contacts, events of a calendar.

use super::{
    answer::{Answer, Refusal},
    quirks::Quirks,
    server::Ask,
    store::Record,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

type Answered = Result<Answer, Refusal>;

/// Most rows of a page of contacts.
const PAGE: u64 = 100;
/// Rows of a page of tasks, unless more are asked for.
const TASKS: u64 = 25;
/// Most characters of a search.
const LONGEST: usize = 75;

fn invalid(problem: impl Into<String>) -> Refusal {
    Refusal::Invalid(vec![problem.into()])
}

/// A whole number of the body.
fn number(body: &Value, name: &str) -> Result<Option<u64>, Refusal> {
    match &body[name] {
        Value::Null => Ok(None),
        value => value.as_u64().map(Some).ok_or_else(|| invalid(format!("{name} must be a number"))),
    }
}

pub(super) fn contacts(ask: &Ask) -> Answered {
    let body = ask.body;
    let mut missing = ["locationId", "pageLimit"].into_iter().filter(|name| body[*name].is_null()).peekable();
    if missing.peek().is_some() {
        return Err(Refusal::Invalid(missing.map(|name| format!("{name} should not be empty")).collect()));
    }
    if body["locationId"] != ask.location_id {
        return Err(Refusal::WrongLocation);
    }
    let limit = number(body, "pageLimit")?.filter(|limit| (1..=PAGE).contains(limit));
    let limit = limit.ok_or_else(|| invalid(format!("pageLimit must be between 1 and {PAGE}")))? as usize;
    let text = body["query"].as_str().unwrap_or_default().to_lowercase();
    if text.chars().count() > LONGEST {
        return Err(invalid(format!("query must be shorter than or equal to {LONGEST} characters")));
    }
    let after = match &body["searchAfter"] {
        Value::Null => None,
        place => Some(place[0].as_i64().zip(place[1].as_str()).ok_or_else(|| invalid("searchAfter is not valid"))?),
    };
    let skip = match number(body, "page")? {
        Some(_) if after.is_some() => return Err(invalid("page and searchAfter can not be used together")),
        page => (page.unwrap_or(1).max(1) as usize - 1).saturating_mul(limit),
    };
    let filters = json!({ "group": "AND", "filters": body.get("filters").unwrap_or(&json!([])) });
    let fits = |id: &str, record: &Record| {
        let said = text.is_empty() || ask.location.mentions(id, &text);
        Ok::<_, Refusal>(said && passes(&filters, &record.contact, ask.quirks)?)
    };
    let mut total = 0;
    for ((_, id), record) in ask.location.after(None) {
        total += usize::from(fits(id, record)?);
    }
    let mut rows = Vec::new();
    for ((added, id), record) in ask.location.after(after) {
        if fits(id, record)? {
            rows.push((added, id, record));
        }
    }
    let rows = rows
        .into_iter()
        .skip(skip)
        .take(limit)
        .map(|(added, id, record)| row(&record.contact, added, id, ask.quirks.lower_search_names));
    let rows: Vec<Value> = rows.collect();
    Ok(Answer::ok(&json!({ "contacts": rows, "total": total, "traceId": ask.trace })))
}

fn row(contact: &Value, added: i64, id: &str, lower: bool) -> Value {
    let mut row = contact.clone();
    for (lower, name) in [("firstNameLowerCase", "firstName"), ("lastNameLowerCase", "lastName")] {
        row[lower] = json!(contact[name].as_str().map(str::to_lowercase));
    }
    row["searchAfter"] = json!([added, id]);
    if let Some(row) = row.as_object_mut() {
        row.remove("timezone");
        if lower {
            for name in ["name", "firstName", "lastName"] {
                row.remove(name);
            }
        }
    }
    row
}

/// Whether a contact passes a filter, or a group of them.
fn passes(filter: &Value, contact: &Value, quirks: &Quirks) -> Result<bool, Refusal> {
    if let Some(filters) = filter["filters"].as_array() {
        let passed = filters.iter().map(|filter| passes(filter, contact, quirks)).collect::<Result<Vec<_>, _>>()?;
        return Ok(match filter["group"].as_str() {
            Some("OR") => passed.contains(&true),
            _ => !passed.contains(&false),
        });
    }
    let (field, wanted) = (filter["field"].as_str().unwrap_or_default(), &filter["value"]);
    let lower = |text: &str| json!(text.to_lowercase());
    let held = match field {
        "id" if quirks.no_id_filter => return Err(invalid("Invalid field id")),
        "id" | "email" | "phone" | "dnd" | "tags" | "source" | "assignedTo" | "businessId" | "dateAdded"
        | "dateUpdated" => contact[field].clone(),
        "firstNameLowerCase" => contact["firstName"].as_str().map_or(Value::Null, lower),
        "lastNameLowerCase" => contact["lastName"].as_str().map_or(Value::Null, lower),
        _ => return Err(invalid(format!("Invalid field {field}"))),
    };
    let has = |value: &Value| match (value, wanted) {
        (Value::String(held), Value::String(wanted)) => held.to_lowercase().contains(&wanted.to_lowercase()),
        _ => value == wanted,
    };
    let any = |test: &dyn Fn(&Value) -> bool| held.as_array().map_or_else(|| test(&held), |all| all.iter().any(test));
    Ok(match filter["operator"].as_str().unwrap_or_default() {
        "eq" => any(&|value| value == wanted),
        "not_eq" => !any(&|value| value == wanted),
        "contains" => any(&has),
        "not_contains" => !any(&has),
        "exists" => !held.is_null(),
        "not_exists" => held.is_null(),
        operator => return Err(invalid(format!("Invalid operator {operator}"))),
    })
}

pub(super) fn tasks(ask: &Ask) -> Answered {
    if ask.segments[0] != ask.location_id {
        return Err(Refusal::WrongLocation);
    }
    let body = ask.body;
    let one_of = |name: &str, value: &Value| match body[name].as_array() {
        Some(wanted) => wanted.contains(value),
        None => true,
    };
    let most = if ask.quirks.short_task_pages { TASKS } else { u64::MAX };
    let (limit, skip) = (number(body, "limit")?.unwrap_or(TASKS).min(most), number(body, "skip")?.unwrap_or(0));
    let text = body["query"].as_str().unwrap_or_default().to_lowercase();
    let contacts = ask.location.after(None).map(|(_, record)| record);
    let contacts = contacts.filter(|record| {
        let business = &body["businessId"];
        one_of("contactId", &record.contact["id"]) && (business.is_null() || record.contact["businessId"] == *business)
    });
    let tasks = contacts.flat_map(|record| record.tasks.iter()).filter(|task| {
        one_of("assignedTo", &task["assignedTo"])
            && (body["completed"].is_null() || body["completed"] == task["completed"])
            && task["title"].as_str().unwrap_or_default().to_lowercase().contains(&text)
    });
    let tasks = tasks.skip(skip as usize).take(limit as usize).filter_map(Value::as_object);
    let tasks: Vec<Value> = tasks.map(|task| wide(task, ask.location_id)).collect();
    Ok(Answer::ok(&json!({ "tasks": tasks, "traceId": ask.trace })))
}

/// A task as this search has it: with another name for its id, and with more about it.
fn wide(task: &Map<String, Value>, location: &str) -> Value {
    let named = |(key, value): (&String, &Value)| match key.as_str() {
        "id" => ("_id".to_owned(), value.clone()),
        _ => (key.clone(), value.clone()),
    };
    let mut wide: Map<String, Value> = task.iter().map(named).collect();
    let done = task.get("completed") == Some(&Value::Bool(true));
    wide.insert("status".into(), json!(if done { "completed" } else { "incompleted" }));
    wide.insert("locationId".into(), location.into());
    wide.insert("deleted".into(), false.into());
    wide.into()
}

pub(super) fn events(ask: &Ask) -> Answered {
    let moment = |name: &str| {
        let ms = ask.query(name).and_then(|text| text.parse().ok());
        let moment = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        moment.ok_or_else(|| invalid(format!("{name} must be a number")))
    };
    if ask.query("locationId") != Some(ask.location_id) {
        return Err(Refusal::WrongLocation);
    }
    let (from, to) = (moment("startTime")?, moment("endTime")?);
    let by: Vec<_> = [("calendarId", "calendarId"), ("userId", "assignedUserId"), ("groupId", "groupId")]
        .into_iter()
        .filter_map(|(sent, held)| Some((held, ask.query(sent)?)))
        .collect();
    if by.is_empty() {
        return Err(invalid("Either of userId, groupId or calendarId is required"));
    }
    let all = ask.location.after(None).flat_map(|(_, record)| record.appointments.iter().map(grouped));
    let wanted = all.filter(|event| {
        let start = event["startTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        by.iter().all(|(held, value)| event[*held] == *value) && start.is_some_and(|start| (from..=to).contains(&start))
    });
    Ok(Answer::ok(&json!({ "events": wanted.collect::<Vec<_>>(), "traceId": ask.trace })))
}

/// An event with the group of its calendar, which this route tells and a contact's appointments need not: each calendar has
/// one of its own.
fn grouped(event: &Value) -> Value {
    let mut event = event.clone();
    if event["groupId"].is_null() {
        event["groupId"] = json!(event["calendarId"].as_str().map(|id| id.chars().rev().collect::<String>()));
    }
    event
}
