//! How parts of one contact fail, so that an application can be seen in each state: empty, partial, broken, slow.

use super::{
    fault::{Cut, Fault},
    lock,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::RwLock,
    time::Duration,
};

/// What of a contact is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The contact by its id.
    Contact,
    Tasks,
    Notes,
    Appointments,
    /// Every change of it.
    Changes,
}

impl Part {
    /// What a route with a contact in its path is about.
    fn of(template: &str) -> Option<Self> {
        let Some(path) = template.strip_prefix("GET ") else { return Some(Self::Changes) };
        let of_contact = path.strip_prefix("/contacts/{contactId}")?;
        Some(match of_contact.split('/').nth(1) {
            None => Self::Contact,
            Some("tasks") => Self::Tasks,
            Some("notes") => Self::Notes,
            Some(_) => Self::Appointments,
        })
    }
}

/// In which way it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Word", into = "Word")]
pub enum Way {
    Status(u16),
    /// A list without anything in it.
    Empty,
    /// JSON in another shape than the API's.
    WrongShape,
    /// A page of HTML, as from a network edge.
    Html,
    /// The connection is cut.
    Cut,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a status from 400 to 599, or one of: empty, wrong-shape, html, cut")]
enum Word {
    Status(u16),
    Text(String),
}

impl TryFrom<Word> for Way {
    type Error = String;

    fn try_from(word: Word) -> Result<Self, String> {
        let was = match word {
            Word::Status(status @ 400..=599) => return Ok(Self::Status(status)),
            Word::Status(status) => status.to_string(),
            Word::Text(text) => match text.as_str() {
                "empty" => return Ok(Self::Empty),
                "wrong-shape" => return Ok(Self::WrongShape),
                "html" => return Ok(Self::Html),
                "cut" => return Ok(Self::Cut),
                _ => text,
            },
        };
        Err(format!("`{was}`: expected a status from 400 to 599, or one of: empty, wrong-shape, html, cut"))
    }
}

impl From<Way> for Word {
    fn from(way: Way) -> Self {
        let text = match way {
            Way::Status(status) => return Self::Status(status),
            Way::Empty => "empty",
            Way::WrongShape => "wrong-shape",
            Way::Html => "html",
            Way::Cut => "cut",
        };
        Self::Text(text.to_owned())
    }
}

/// How each part fails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Part, Way>")]
pub struct Fail(BTreeMap<Part, Way>);

impl TryFrom<BTreeMap<Part, Way>> for Fail {
    type Error = &'static str;

    fn try_from(ways: BTreeMap<Part, Way>) -> Result<Self, &'static str> {
        let whole = [Part::Contact, Part::Changes];
        match whole.iter().any(|part| ways.get(part) == Some(&Way::Empty)) {
            true => Err("only tasks, notes and appointments can be empty"),
            false => Ok(Self(ways)),
        }
    }
}

/// How much later each part is answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slow(BTreeMap<Part, Delay>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Delay(Duration);

impl TryFrom<String> for Delay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time = humantime::parse_duration(&text).ok().filter(|time| *time <= Duration::from_secs(600));
        time.map(Self).ok_or_else(|| format!("`{text}`: expected a time up to 10m, as 2s or 500ms"))
    }
}

impl From<Delay> for String {
    fn from(Delay(time): Delay) -> Self {
        humantime::format_duration(time).to_string()
    }
}

/// What is switched of one contact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    fail: Fail,
    slow: Slow,
}

impl Switches {
    pub(super) fn new(fail: Fail, slow: Slow) -> Self {
        Self { fail, slow }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn touches(&self, part: Part) -> bool {
        self.fail.0.contains_key(&part) || self.slow.0.contains_key(&part)
    }

    fn fault(&self, template: &str, contact: &str) -> Option<Fault> {
        let part = Part::of(template)?;
        let mut fault = Fault::on("*").contact(contact);
        if let Some(Delay(time)) = self.slow.0.get(&part) {
            fault = fault.delay(*time);
        }
        Some(match self.fail.0.get(&part) {
            Some(Way::Status(status)) => fault.status(*status),
            Some(Way::Empty) => match empty(template) {
                Some(body) => fault.body(body),
                None => fault,
            },
            Some(Way::WrongShape) => fault.body(json!({ "unexpected": [1, 2, 3] })),
            Some(Way::Html) => fault.html(),
            Some(Way::Cut) => fault.cut(Cut::Unseen),
            None => fault,
        })
    }
}

/// A list without rows; one thing by its id cannot be that.
fn empty(template: &str) -> Option<Value> {
    match template {
        "GET /contacts/{contactId}/tasks" => Some(json!({ "tasks": [] })),
        "GET /contacts/{contactId}/notes" => Some(json!({ "notes": [] })),
        "GET /contacts/{contactId}/appointments" => Some(json!({ "events": [] })),
        _ => None,
    }
}

/// The switches of all contacts, by id.
#[derive(Default)]
pub(super) struct Switchboard(RwLock<HashMap<String, Switches>>);

impl Switchboard {
    pub fn new(switches: HashMap<String, Switches>) -> Self {
        Self(RwLock::new(switches))
    }

    /// Each contact that is named gets these instead of its own.
    pub fn set(&self, switches: HashMap<String, Switches>) {
        lock::write(&self.0).extend(switches);
    }

    /// Those that do something.
    pub fn in_force(&self) -> BTreeMap<String, Switches> {
        let all = lock::read(&self.0);
        all.iter().filter(|(_, switches)| !switches.is_none()).map(|(id, one)| (id.clone(), one.clone())).collect()
    }

    /// What is in the way of a call.
    pub fn fault(&self, template: &str, contact: Option<&str>) -> Option<Fault> {
        let all = lock::read(&self.0);
        if let Some(contact) = contact {
            return all.get(contact)?.fault(template, contact);
        }
        // A search brings many contacts at once and could not fail for one of them: it is refused, so that they are read one by one.
        let part = match template {
            "POST /contacts/search" => Part::Contact,
            "POST /locations/{locationId}/tasks/search" => Part::Tasks,
            _ => return None,
        };
        all.values().any(|switches| switches.touches(part)).then(|| Fault::on("*").status(422))
    }
}
