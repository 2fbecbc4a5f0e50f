//! The reads, each answered from the store under one lock.

use super::{
    answer::{Answer, Refusal},
    server::Ask,
    store::Record,
    view::{Appointment, Contact, Note, Row, Task},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;

type Answered = Result<Answer, Refusal>;

fn missing(what: &'static str, id: &str) -> Refusal {
    Refusal::Missing { what, id: id.into() }
}

fn record<'a>(ask: &'a Ask) -> Result<&'a Record, Refusal> {
    let id = &ask.segments[0];
    ask.location.get(id).ok_or_else(|| missing("Contact", id))
}

fn one_of<'a>(list: &'a [Value], what: &'static str, id: &str) -> Result<&'a Value, Refusal> {
    list.iter().find(|item| item["id"] == id).ok_or_else(|| missing(what, id))
}

pub(super) fn contact(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        contact: Contact<'a>,
        trace_id: &'a str,
    }
    let contact = Contact(&record(ask)?.contact, ask.quirks);
    Ok(Answer::ok(&Body { contact, trace_id: ask.trace }))
}

pub(super) fn tasks(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    struct Body<'a> {
        tasks: Vec<Task<'a>>,
    }
    let tasks = record(ask)?.tasks.iter().map(|task| Task(task, ask.quirks)).collect();
    Ok(Answer::ok(&Body { tasks }))
}

pub(super) fn task(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    struct Body<'a> {
        task: Task<'a>,
    }
    let task = one_of(&record(ask)?.tasks, "Task", &ask.segments[1])?;
    Ok(Answer::ok(&Body { task: Task(task, ask.quirks) }))
}

pub(super) fn notes(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    struct Body<'a> {
        notes: Vec<Note<'a>>,
    }
    let mut newest_first: Vec<&Value> = record(ask)?.notes.iter().collect();
    newest_first.sort_by_key(|note| Reverse(note["dateAdded"].as_str()));
    let notes = newest_first.into_iter().map(|note| Note(note, ask.quirks)).collect();
    Ok(Answer::ok(&Body { notes }))
}

pub(super) fn note(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    struct Body<'a> {
        note: Note<'a>,
    }
    let note = one_of(&record(ask)?.notes, "Note", &ask.segments[1])?;
    Ok(Answer::ok(&Body { note: Note(note, ask.quirks) }))
}

pub(super) fn appointments(ask: &Ask) -> Answered {
    #[derive(Serialize)]
    struct Body<'a> {
        events: Vec<Appointment<'a>>,
    }
    let all = record(ask)?.appointments.iter();
    let events = all.map(|event| Appointment { event, quirks: ask.quirks, zone: ask.zone }).collect();
    Ok(Answer::ok(&Body { events }))
}

/// The contacts that the `query` parameter leaves, in list order.
fn searched<'a>(ask: &'a Ask, cursor: Option<(i64, &'a str)>) -> impl Iterator<Item = ((i64, &'a str), &'a Record)> {
    let text = ask.query("query").map(str::to_lowercase).filter(|text| !text.is_empty());
    let all = ask.location.after(cursor);
    all.filter(move |((_, id), _)| text.as_ref().is_none_or(|text| ask.location.mentions(id, text)))
}

fn total(ask: &Ask) -> usize {
    match ask.query("query") {
        None | Some("") => ask.location.len(),
        Some(_) => searched(ask, None).count(),
    }
}

pub(super) fn contacts(ask: &Ask) -> Answered {
    own_location(ask)?;
    let limit = number(ask, "limit", 20, 1, Some(100))?;
    let cursor = cursor(ask)?;
    let mut found = searched(ask, cursor);
    let rows: Vec<_> = found
        .by_ref()
        .take(limit)
        .map(|(cursor, record)| Row { contact: &record.contact, cursor: Some(cursor), quirks: ask.quirks })
        .collect();
    if ask.quirks.no_meta {
        return Ok(Answer::ok(&json!({"contacts": rows, "count": rows.len()})));
    }
    let more = found.next().is_some();
    let meta = meta(ask, &rows, more, limit);
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        contacts: Vec<Row<'a>>,
        meta: Value,
        trace_id: &'a str,
    }
    Ok(Answer::ok(&Body { contacts: rows, meta, trace_id: ask.trace }))
}

/// Page numbers are not kept from call to call, so every page says that it follows what it was asked to follow.
fn meta(ask: &Ask, rows: &[Row], more: bool, limit: usize) -> Value {
    let last = rows.last().and_then(|row| row.cursor).filter(|_| more || !ask.quirks.no_last_cursor);
    let page = if ask.query("startAfterId").is_some() { 2 } else { 1 };
    let mut meta = json!({
        "startAfter": last.map(|(added, _)| added),
        "startAfterId": last.map(|(_, id)| id),
        "currentPage": page,
        "nextPage": last.map(|_| page + 1),
        "prevPage": (page > 1).then_some(page - 1),
        // The real one names a host that can't be reached either: nobody should follow it.
        "nextPageUrl": last.map(|(added, id)| format!(
            "http://localhost:5058/contacts/?limit={limit}&startAfter={added}&startAfterId={id}"
        )),
    });
    if !ask.quirks.no_totals {
        meta["total"] = json!(total(ask));
    }
    meta
}

/// Both values or none: the API takes one value alone for no cursor at all, and repeats page one.
fn cursor<'a>(ask: &'a Ask) -> Result<Option<(i64, &'a str)>, Refusal> {
    let (Some(added), Some(id)) = (ask.query("startAfter"), ask.query("startAfterId")) else {
        return Ok(None);
    };
    match added.parse() {
        Ok(added) => Ok(Some((added, id))),
        Err(_) => Err(Refusal::Invalid(vec!["startAfter must be a number".into()])),
    }
}

pub(super) fn of_business(ask: &Ask) -> Answered {
    own_location(ask)?;
    let limit = number(ask, "limit", 25, 1, None)?;
    let skip = number(ask, "skip", 0, 0, None)?;
    let business = ask.segments[0].as_str();
    let found = searched(ask, None).filter(|(_, record)| record.contact["businessId"] == business);
    let mut all = found.map(|(_, record)| Row { contact: &record.contact, cursor: None, quirks: ask.quirks });
    let rows: Vec<_> = all.by_ref().skip(skip).take(limit).collect();
    if ask.quirks.business_count {
        return Ok(Answer::ok(&json!({"contacts": rows, "count": rows.len()})));
    }
    #[derive(Serialize)]
    struct Body<'a> {
        contacts: Vec<Row<'a>>,
    }
    Ok(Answer::ok(&Body { contacts: rows }))
}

/// The contact with this mail or phone, whole; null for a stranger.
pub(super) fn duplicate(ask: &Ask) -> Answered {
    own_location(ask)?;
    let found = ask.location.same(ask.query("email"), ask.query("number"));
    let record = found.and_then(|(_, id, _)| ask.location.get(&id));
    let contact = record.map(|record| Contact(&record.contact, ask.quirks));
    #[derive(Serialize)]
    struct Body<'a> {
        contact: Option<Contact<'a>>,
    }
    Ok(Answer::ok(&Body { contact }))
}

fn own_location(ask: &Ask) -> Result<(), Refusal> {
    let same = ask.query("locationId") == Some(ask.location_id);
    if same { Ok(()) } else { Err(Refusal::WrongLocation) }
}

fn number(ask: &Ask, name: &str, usual: usize, least: usize, most: Option<usize>) -> Result<usize, Refusal> {
    let Some(sent) = ask.query(name) else {
        return Ok(usual);
    };
    let problem = match sent.parse::<usize>() {
        Err(_) => format!("{name} must be a number"),
        Ok(value) if value < least => format!("{name} must not be less than {least}"),
        Ok(value) => match most {
            Some(most) if value > most => format!("{name} must not be greater than {most}"),
            _ => return Ok(value),
        },
    };
    Err(Refusal::Invalid(vec![problem]))
}
