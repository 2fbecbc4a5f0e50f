//! An event as the journal has it: what it is, how far it is, and what kept it from getting further.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::events::Event;

/// Longest text of an event that is shown or made a key; the sender's own are shorter.
const LONGEST: usize = 100;

/// How far an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is to be handled, for the first time or again.
    Waiting,
    /// Everything that follows from it was done.
    Done,
    /// Nothing follows from it.
    Ignored,
    /// It failed as often as it is tried.
    Dead,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
        })
    }
}

/// An event in the journal. `events list --json` prints it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its place in the order of arrival.
    pub id: u64,
    /// The sender's id of it, or a digest of what was sent.
    pub event: Box<str>,
    /// Its type; empty where it told none.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    pub location_id: Option<Box<str>>,
    pub contact_id: Option<Box<str>>,
    /// When it was sent first, by the sender.
    pub timestamp: Option<Timestamp>,
    pub arrived: Timestamp,
    pub state: State,
    /// How often it was handled and failed.
    pub tries: u32,
    /// When it is handled again.
    pub due: Option<Timestamp>,
    /// Why it is ignored, or what failed last.
    pub why: Option<Box<str>>,
    /// How many bytes were sent.
    pub bytes: u64,
}

/// What comes of handling an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that follows from it was done.
    Done,
    /// Nothing follows from it, and why.
    Ignored(&'static str),
    /// It failed, and is handled again then.
    Failed { why: String, due: Timestamp },
    /// It failed for the last time.
    Dead { why: String },
}

impl Entry {
    /// What arrived; its place is given by the journal.
    pub fn new(event: Option<&Event>, body: &[u8], arrived: Timestamp) -> Self {
        let change = event.and_then(Event::change);
        Self {
            id: 0,
            event: name(event, body),
            kind: event.map(|event| brief(&event.kind)).unwrap_or_default(),
            location_id: event.and_then(|event| event.location.as_deref()).map(brief),
            contact_id: change.map(|change| brief(&change.contact)),
            timestamp: event.and_then(|event| event.timestamp),
            arrived,
            state: State::Waiting,
            tries: 0,
            due: None,
            why: None,
            bytes: body.len() as u64,
        }
    }

    /// Notes what came of handling it.
    pub fn settle(&mut self, outcome: Outcome) {
        (self.state, self.due, self.why) = match outcome {
            Outcome::Done => (State::Done, None, None),
            Outcome::Ignored(why) => (State::Ignored, None, Some(why.into())),
            Outcome::Failed { why, due } => (State::Waiting, Some(due), Some(brief(&why))),
            Outcome::Dead { why } => (State::Dead, None, Some(brief(&why))),
        };
        if self.state == State::Dead || self.due.is_some() {
            self.tries += 1;
        }
    }

    /// Lets it be handled again, as often as a new one.
    pub fn renew(&mut self) {
        (self.state, self.tries, self.due, self.why) = (State::Waiting, 0, None, None);
    }
}

/// The sender's id of an event, or a digest of what was sent.
pub fn name(event: Option<&Event>, body: &[u8]) -> Box<str> {
    let sent = event.and_then(|event| event.id.as_deref()).filter(|id| is_plain(id));
    sent.map_or_else(|| digest(body), Into::into)
}

/// Whether an id of the sender's can be one here: it is shown, and part of a key.
fn is_plain(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn digest(body: &[u8]) -> Box<str> {
    let digest = Sha256::digest(body);
    let hex = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("sha256-{}", hex.collect::<String>()).into()
}

fn brief(text: &str) -> Box<str> {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &str) -> Entry {
        Entry::new(Event::read(body.as_bytes()).ok().as_ref(), body.as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_entry_has_what_the_event_tells_and_a_name_of_its_own_where_it_tells_none() {
        let told = entry(r#"{"type":"NoteCreate","locationId":"L","webhookId":"w-1","contactId":"c","id":"n"}"#);
        assert_eq!((&*told.event, &*told.kind), ("w-1", "NoteCreate"));
        assert_eq!((told.location_id.as_deref(), told.contact_id.as_deref()), (Some("L"), Some("c")));
        let (one, other) = (entry(r#"{"type":"NoteCreate"}"#), entry("no JSON"));
        assert!(one.event.starts_with("sha256-") && other.event.starts_with("sha256-") && one.event != other.event);
        assert_eq!((&*one.kind, &*other.kind), ("NoteCreate", ""));
        // What could not be shown on a line, or is longer than a line, is no name.
        for strange in ["a b", "a\\u0000", &"x".repeat(LONGEST + 1)] {
            let entry = entry(&format!(r#"{{"type":"T","webhookId":"{strange}"}}"#));
            assert!(entry.event.starts_with("sha256-"), "{strange}");
        }
    }

    #[test]
    fn tries_are_failures() {
        let mut entry = entry("{}");
        entry.settle(Outcome::Failed { why: "x".repeat(1000), due: Timestamp::UNIX_EPOCH });
        assert_eq!((entry.state, entry.tries, entry.why.as_deref().map(str::len)), (State::Waiting, 1, Some(LONGEST)));
        entry.settle(Outcome::Dead { why: "still".into() });
        assert_eq!((entry.state, entry.tries, entry.due), (State::Dead, 2, None));
        entry.renew();
        assert_eq!((entry.state, entry.tries, entry.why.clone()), (State::Waiting, 0, None));
        entry.settle(Outcome::Ignored("nobody asked"));
        assert_eq!((entry.state, entry.tries), (State::Ignored, 0));
    }
}
