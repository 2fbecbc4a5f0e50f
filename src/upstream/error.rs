//! Why a call brought nothing, by what can be done about it, and how an answer is told to be one of these.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::governor::Governor;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such record.
    NotFound,
    /// The upstream refuses what was asked; its reasons.
    Refused(Vec<String>),
    /// The upstream refuses a new contact because it has one with the same mail or phone: this one.
    Duplicate(Box<str>),
    /// The gateway's credential is not accepted.
    Credential,
    /// The caller's own credential is not accepted.
    CallersCredential,
    /// The credential lacks this scope.
    Scope(&'static str),
    /// The credential has no access to this location.
    Location,
    /// Too many calls; the time until the next may be made.
    RateLimited(Duration),
    /// No answer in time.
    Timeout,
    /// No connection, a broken one, or a 5xx.
    Unavailable,
    /// A redirect, which is not followed: the credential would be sent to wherever it points.
    Redirect,
    /// A 2xx whose body is not of the route's shape; what is wrong with it.
    BadResponse(String),
    /// A mistake of the gateway itself.
    Gateway(String),
}

impl Fault {
    /// It in a word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Refused(_) => "refused",
            Self::Duplicate(_) => "duplicate",
            Self::Credential => "credential",
            Self::CallersCredential => "callers_credential",
            Self::Scope(_) => "scope",
            Self::Location => "location",
            Self::RateLimited(_) => "rate_limited",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Redirect => "redirect",
            Self::BadResponse(_) => "bad_response",
            Self::Gateway(_) => "gateway",
        }
    }
}

/// A failed call: what went wrong, where, and what the upstream said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub fault: Fault,
    /// The route's template, as `GET /contacts/{contactId}`.
    pub route: &'static str,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The upstream's own name for the call.
    pub trace_id: Option<String>,
    /// After how long the upstream wants to be asked again, if it says so, or the gateway knows that it asks no earlier.
    pub retry_after: Option<Duration>,
    /// Whether the call may have reached the upstream.
    pub reached: bool,
    /// Whether it was to change something.
    pub is_write: bool,
    /// A contact that is there already and that the failed write may be about.
    pub existing: Option<Box<str>>,
}

impl Error {
    /// A failure without an answer.
    pub fn new(route: &'static str, fault: Fault) -> Self {
        Self {
            fault,
            route,
            status: None,
            trace_id: None,
            retry_after: None,
            reached: true,
            is_write: false,
            existing: None,
        }
    }

    /// A 2xx whose body cannot be used.
    pub fn bad_response(route: &'static str, what: impl fmt::Display) -> Self {
        Self { status: Some(200), ..Self::new(route, Fault::BadResponse(what.to_string())) }
    }

    /// Takes a secret out of what the upstream said, should it have quoted it.
    pub(super) fn hide(&mut self, secret: &str) {
        let hide = |text: &mut String| {
            if !secret.is_empty() && text.contains(secret) {
                *text = text.replace(secret, "(hidden)");
            }
        };
        match &mut self.fault {
            Fault::Refused(lines) => lines.iter_mut().for_each(hide),
            Fault::Duplicate(id) if !secret.is_empty() && id.contains(secret) => {
                *id = id.replace(secret, "(hidden)").into();
            }
            Fault::BadResponse(text) | Fault::Gateway(text) => hide(text),
            _ => {}
        }
        self.trace_id.iter_mut().for_each(hide);
    }

    /// A failure before anything was sent.
    pub fn unsent(route: &'static str, why: impl Into<String>) -> Self {
        Self { reached: false, ..Self::new(route, Fault::Gateway(why.into())) }
    }

    /// Whether a write that failed like this may have taken effect all the same.
    pub fn is_unclear(&self) -> bool {
        self.reached
            && matches!(self.fault, Fault::Timeout | Fault::Unavailable | Fault::Redirect | Fault::BadResponse(_))
    }

    /// Whether the upstream's answer says that it did not do what was asked, though there may be what it was asked about.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, Some(400 | 401 | 403 | 409 | 422 | 429))
            && !self.is_unclear()
            && self.fault != Fault::NotFound
    }

    /// Whether there is leave to send the call again. What waits for a window is no more load on the upstream.
    pub(super) fn may_go_again(&self, governor: &Governor) -> bool {
        matches!(self.fault, Fault::RateLimited(_)) || governor.may_retry()
    }

    /// Whether the upstream answered as a server that is well, whatever it said.
    pub fn is_of_one_that_is_well(&self) -> bool {
        self.status.is_some() && !matches!(self.fault, Fault::Timeout | Fault::Unavailable)
    }

    /// Whether the same read may well succeed if it is sent again.
    pub fn is_transient(&self) -> bool {
        matches!(self.fault, Fault::Timeout | Fault::Unavailable | Fault::RateLimited(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.route, self.fault)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The keys that error bodies were seen with; which of them are there differs by route.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: Message,
    error: Message,
    #[serde(rename = "traceId")]
    trace_id: Option<String>,
    #[serde(deserialize_with = "lenient_meta")]
    meta: Meta,
}

/// What a refused duplicate is told with.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    #[serde(deserialize_with = "super::wire::text")]
    contact_id: super::wire::Text,
}

/// Other errors have other things under this key, or nothing.
fn lenient_meta<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Meta, D::Error> {
    let meta = serde_json::Value::deserialize(from)?;
    // A list would be read as the fields in their order.
    Ok(Some(meta)
        .filter(|meta| meta.is_object())
        .and_then(|meta| serde_json::from_value(meta).ok())
        .unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    One(String),
    Many(Vec<String>),
    Other(serde::de::IgnoredAny),
}

impl Default for Message {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Message {
    fn into_lines(self) -> Vec<String> {
        match self {
            Self::One(line) => vec![line],
            Self::Many(lines) => lines,
            Self::Other(_) => Vec::new(),
        }
    }
}

/// Whether a line of a 401 says that the credential lacks a scope.
pub(super) fn names_a_scope(line: &str) -> bool {
    line.to_ascii_lowercase().contains("not authorized for this scope")
}

/// Whether a line of a 401 says that the credential itself is not accepted. The upstream says so in these words; it
/// answers 401 for other things too, and other sentences have the word "token" in them.
pub(super) fn names_a_credential(line: &str) -> bool {
    const WORDS: [&str; 3] = ["invalid jwt", "invalid token", "invalid private integration token"];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|words| line.starts_with(words))
}

/// Tells what a refusal means. Goes by the HTTP status: the one inside the body can differ from it.
pub fn classify(route: &'static str, scope: &'static str, status: u16, body: &[u8], window: Duration) -> Error {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let trace_id = body.trace_id;
    let mut lines = body.message.into_lines();
    let reasons = lines.len();
    lines.extend(body.error.into_lines());
    let says = |part: &str| lines.iter().any(|line| line.to_ascii_lowercase().contains(part));
    // "Not found" alone is what a server says that has no such route; the upstream names what it has not found.
    let names_what =
        |line: &String| line.to_ascii_lowercase().strip_suffix("not found").is_some_and(|what| what.len() > 1);
    let fault = match status {
        400 | 404 if lines.iter().any(names_what) => Fault::NotFound,
        400 | 409 | 422 => match super::wire::first_of([body.meta.contact_id]) {
            Some(id) => Fault::Duplicate(id),
            None => {
                // The name of the status stands beside them.
                lines.truncate(if reasons > 0 { reasons } else { lines.len() });
                Fault::Refused(lines)
            }
        },
        401 if lines.iter().any(|line| names_a_scope(line)) => Fault::Scope(scope),
        401 if says("timed out") => Fault::Timeout,
        401 if lines.iter().any(|line| names_a_credential(line)) => Fault::Credential,
        // A path, a header or a parameter: nothing that another token would help.
        401 => Fault::Gateway(lines.join("; ")),
        403 => Fault::Location,
        300..400 => Fault::Redirect,
        429 => Fault::RateLimited(window),
        500.. => Fault::Unavailable,
        _ => Fault::Gateway(format!("unexpected status {status}")),
    };
    Error { status: Some(status), trace_id, ..Error::new(route, fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> Fault {
        let window = Duration::from_secs(10);
        classify("GET /x", "contacts.readonly", status, body.as_bytes(), window).fault
    }

    #[test]
    fn each_answer_is_told_from_the_others() {
        let refused = |lines: &[&str]| Fault::Refused(lines.iter().map(|l| l.to_string()).collect());
        let rows = [
            (400, r#"{"error":"Contact with id c1 not found","status":400}"#, Fault::NotFound),
            (400, r#"{"message":"Contact with id c1 not found","statusCode":400}"#, Fault::NotFound),
            (404, r#"{"statusCode":404,"message":"Contact not found"}"#, Fault::NotFound),
            (404, r#"{"statusCode":404,"message":"Not Found"}"#, Fault::Gateway("unexpected status 404".into())),
            (404, r#"{"message":"Cannot GET /x","error":"Not Found"}"#, Fault::Gateway("unexpected status 404".into())),
            (404, "", Fault::Gateway("unexpected status 404".into())),
            (400, r#"{"statusCode":422,"message":["a","b"],"error":"Unprocessable Entity"}"#, refused(&["a", "b"])),
            (400, r#"{"error":"Bad Request"}"#, refused(&["Bad Request"])),
            (422, r#"{"message":"x"}"#, refused(&["x"])),
            (
                400,
                r#"{"message":"x","meta":{"contactId":"c1","matchingField":"email"}}"#,
                Fault::Duplicate("c1".into()),
            ),
            (400, r#"{"message":"x","meta":{"contactId":null}}"#, refused(&["x"])),
            (400, r#"{"message":"x","meta":["c1"]}"#, refused(&["x"])),
            (401, r#"{"statusCode":401,"message":"Invalid JWT","error":"Unauthorized"}"#, Fault::Credential),
            (401, r#"{"message":"Invalid Private Integration token"}"#, Fault::Credential),
            (401, r#"{"message":"Invalid token: access token is invalid"}"#, Fault::Credential),
            (401, r#"{"error":"invalid jwt."}"#, Fault::Credential),
            (
                401,
                r#"{"message":"The token is not authorized for this scope.","error":"Unauthorized"}"#,
                Fault::Scope("contacts.readonly"),
            ),
            (
                401,
                r#"{"message":"version header was not found."}"#,
                Fault::Gateway("version header was not found.".into()),
            ),
            (401, r#"{"message":"Command timed out"}"#, Fault::Timeout),
            (
                401,
                r#"{"message":"Unauthorized","error":"Unauthorized"}"#,
                Fault::Gateway("Unauthorized; Unauthorized".into()),
            ),
            (401, r#"{"message":"No user for this token"}"#, Fault::Gateway("No user for this token".into())),
            (401, r#"{"message":"scope is missing"}"#, Fault::Gateway("scope is missing".into())),
            (401, r#"{"message":"the TOKEN is Not Authorized For This Scope"}"#, Fault::Scope("contacts.readonly")),
            (
                401,
                r#"{"message":"Route is mis-spelled","error":"Unauthorized"}"#,
                Fault::Gateway("Route is mis-spelled; Unauthorized".into()),
            ),
            (401, "", Fault::Gateway(String::new())),
            (403, r#"{"message":"The token does not have access to this location."}"#, Fault::Location),
            (429, r#"{"statusCode":429,"message":"Too Many Requests"}"#, Fault::RateLimited(Duration::from_secs(10))),
            (302, r#"{"message":"Contact not found"}"#, Fault::Redirect),
            (502, "<html>Bad gateway</html>", Fault::Unavailable),
            (503, r#"{"error":{"code":"X"},"message":null}"#, Fault::Unavailable),
        ];
        for (status, body, want) in rows {
            assert_eq!(fault(status, body), want, "{status} {body}");
        }
    }
}
