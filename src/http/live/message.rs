//! The messages and close codes of `graphql-transport-ws`.

use std::borrow::Cow;

use async_graphql::ServerError;
use axum::extract::ws::{CloseFrame, Utf8Bytes};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graph::Error;

/// Longest id of an operation: it is in every message about it.
const LONGEST_ID: usize = 256;

/// Longest reason of a close frame, in bytes; the protocol has no room for more.
const LONGEST_REASON: usize = 123;

/// What a client says.
#[derive(Debug)]
pub enum Said<'a> {
    Init(Option<&'a RawValue>),
    Ping,
    Pong,
    Subscribe(Cow<'a, str>, &'a RawValue),
    Complete(Cow<'a, str>),
}

/// A message, if it is one.
pub fn read(text: &str) -> Option<Said<'_>> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "type")]
        kind: Cow<'a, str>,
        #[serde(default)]
        id: Option<Cow<'a, str>>,
        #[serde(default, borrow)]
        payload: Option<&'a RawValue>,
    }
    if !is_object(text) {
        return None;
    }
    let Envelope { kind, id, payload } = serde_json::from_str(text).ok()?;
    let id = id.filter(|id| (1..=LONGEST_ID).contains(&id.len()));
    Some(match &*kind {
        "connection_init" => Said::Init(payload),
        "ping" => Said::Ping,
        "pong" => Said::Pong,
        "subscribe" => Said::Subscribe(id?, payload?),
        "complete" => Said::Complete(id?),
        _ => return None,
    })
}

/// Whether JSON is an object: a list of its values would be read like one.
pub fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

/// The client may go on.
pub const ACK: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#);
/// An answer to a ping.
pub const PONG: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"pong"}"#);

/// An answer of an operation.
pub fn next(id: &str, answer: &[u8]) -> Utf8Bytes {
    // It is made by a writer of JSON.
    about(id, "next", &String::from_utf8_lossy(answer))
}

/// An operation is refused.
pub fn error(id: &str, errors: &[ServerError]) -> Utf8Bytes {
    about(id, "error", &serde_json::to_string(errors).unwrap_or_else(|_| "[]".to_owned()))
}

/// There are no more answers.
pub fn complete(id: &str) -> Utf8Bytes {
    about(id, "complete", "")
}

fn about(id: &str, kind: &str, payload: &str) -> Utf8Bytes {
    let id = serde_json::to_string(id).unwrap_or_default();
    let mut text = String::with_capacity(id.len() + payload.len() + 48);
    text.extend(["{\"id\":", &id, ",\"type\":\"", kind, "\""]);
    if !payload.is_empty() {
        text.extend([",\"payload\":", payload]);
    }
    text.push('}');
    text.into()
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    pub const GOING: Self = Self::new(1001, "The gateway ends");
    pub const PROTOCOL: Self = Self::new(1002, "Not the WebSocket protocol");
    pub const TOO_BIG: Self = Self::new(1009, "A message is larger than 64 KiB");
    pub const SLOW: Self = Self::new(1013, "Too slow: more waited than there is room for");
    pub const SILENT: Self = Self::new(1013, "No answer to pings");
    pub const NO_MESSAGE: Self = Self::new(4400, "Not a message of graphql-transport-ws");
    pub const UNACKNOWLEDGED: Self = Self::new(4401, "Unauthorized");
    pub const LATE: Self = Self::new(4408, "Connection initialisation timeout");
    pub const AGAIN: Self = Self::new(4429, "Too many initialisation requests");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// An operation with this id is not over yet.
    pub fn in_use(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    /// There is no caller, for what would be this HTTP status.
    pub fn unidentified((status, error): (u16, Error)) -> Self {
        let code = match status {
            401 | 403 => 4403,
            503 => 1013,
            _ => 4400,
        };
        Self { code, reason: error.message.into() }
    }

    /// As it is sent.
    pub fn frame(&self) -> CloseFrame {
        let end = self.reason.floor_char_boundary(LONGEST_REASON);
        CloseFrame { code: self.code, reason: self.reason[..end].into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_message_is_told_from_what_is_not() {
        let long = "x".repeat(LONGEST_ID + 1);
        let rows = [
            (r#"{"type":"connection_init"}"#, true),
            (r#"{"type":"connection_init","payload":null}"#, true),
            (r#"{"type":"connection_init","payload":{"authorization":"Bearer x"}}"#, true),
            (r#"{"type":"ping","payload":{}}"#, true),
            (r#"{"id":"1","type":"subscribe","payload":{"query":"{a}"}}"#, true),
            (r#"{"id":"1","type":"complete"}"#, true),
            (r#"{"id":"a\"b","type":"c\u006fmplete"}"#, true),
            (r#"{"type":"subscribe","payload":{"query":"{a}"}}"#, false),
            (r#"{"id":"","type":"complete"}"#, false),
            (r#"{"id":1,"type":"complete"}"#, false),
            (r#"{"id":"1","type":"subscribe"}"#, false),
            (r#"{"id":"1","type":"next","payload":{}}"#, false),
            (r#"{"type":"sing"}"#, false),
            (r#"["ping"]"#, false),
            ("}{", false),
            ("", false),
        ];
        for (text, is_one) in rows {
            assert_eq!(read(text).is_some(), is_one, "{text}");
        }
        assert!(read(&format!(r#"{{"id":"{long}","type":"complete"}}"#)).is_none());
    }

    #[test]
    fn ids_are_sent_back_as_they_came() {
        let sent = next("a\"b\\", b"{\"data\":1}");
        assert_eq!(sent.as_str(), r#"{"id":"a\"b\\","type":"next","payload":{"data":1}}"#);
        assert_eq!(complete("1").as_str(), r#"{"id":"1","type":"complete"}"#);
        assert_eq!(error("1", &[]).as_str(), r#"{"id":"1","type":"error","payload":[]}"#);
    }

    #[test]
    fn a_reason_fits_into_its_frame() {
        let close = Close::in_use(&"ä".repeat(100));
        let frame = close.frame();
        assert!(frame.reason.len() <= LONGEST_REASON && frame.reason.len() > LONGEST_REASON - 2);
        assert_eq!(frame.code, 4409);
    }
}
