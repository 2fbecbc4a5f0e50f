//! Rules that break an answer on purpose, for one route, one contact, a number of times.

use super::{
    answer::{Answer, HTML, Refusal},
    lock,
    quirks::Quirks,
    route,
    variant::Variant,
};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Mutex, time::Duration};

/// One rule. The first rule that fits a call and is not used up is applied.
///
/// A body that is a string is sent as it is; any other JSON is sent as JSON. Without a status a body goes out
/// with 200 and HTML with 502. A delay alone lets the true answer through, late.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// A route of the table, for example `GET /contacts/{contactId}/tasks`, or `*` for all.
    pub route: String,
    /// Only calls for this contact.
    pub contact_id: Option<String>,
    /// Status to send.
    pub status: Option<u16>,
    /// Body to send.
    pub body: Option<Value>,
    /// Refuse in the API's own words.
    pub refusal: Option<Variant>,
    /// Send a page of HTML, as a network edge does.
    #[serde(default)]
    pub html: bool,
    /// Wait so long first.
    pub delay_ms: Option<u64>,
    /// Apply it so often and no more.
    pub times: Option<u64>,
    /// Cut the connection.
    pub drop: Option<Cut>,
    /// Let the call take effect, although its answer is replaced.
    #[serde(default)]
    pub done: bool,
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Before the call is looked at: a write has no effect.
    Unseen,
    /// After the call took effect, and before anything is sent.
    Before,
    /// In the middle of the body.
    Mid,
}

impl Fault {
    /// A rule for a route (or `*`) that does nothing yet.
    pub fn on(route: &str) -> Self {
        Self {
            route: route.into(),
            contact_id: None,
            status: None,
            body: None,
            refusal: None,
            html: false,
            delay_ms: None,
            times: None,
            drop: None,
            done: false,
        }
    }

    /// Only calls for this contact.
    pub fn contact(self, id: &str) -> Self {
        Self { contact_id: Some(id.into()), ..self }
    }

    /// Answers with this status.
    pub fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Answers with this body.
    pub fn body(self, body: impl Into<Value>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Refuses in the API's own words.
    pub fn refuse(self, variant: Variant) -> Self {
        Self { refusal: Some(variant), ..self }
    }

    /// Answers with a page of HTML.
    pub fn html(self) -> Self {
        Self { html: true, ..self }
    }

    /// Waits first.
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay_ms: Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)), ..self }
    }

    /// Applies so often and no more.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Cuts the connection.
    pub fn cut(self, cut: Cut) -> Self {
        Self { drop: Some(cut), ..self }
    }

    /// Lets the call take effect, although its answer is replaced.
    pub fn done(self) -> Self {
        Self { done: true, ..self }
    }

    /// What is wrong with it, for whoever wrote it.
    pub(super) fn problem(&self) -> Option<String> {
        let route = &self.route;
        if route != "*" && !route::is_template(route) {
            let all: Vec<_> = route::ROUTES.iter().map(|row| row.template).collect();
            return Some(format!("route `{route}` is not known; there are *, {}", all.join(", ")));
        }
        if self.contact_id.is_some() && route != "*" && !route.contains("{contactId}") {
            return Some(format!("contactId is given, but `{route}` has none"));
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Some(format!("status {status} is not between 200 and 599"));
        }
        if self.times == Some(0) {
            return Some("times 0 would never apply; leave it out for always".into());
        }
        if self.html && self.body.is_some() {
            return Some("html and body are both given".into());
        }
        if self.refusal.is_some() && (self.html || self.body.is_some() || self.status.is_some()) {
            return Some("refusal has a status and a body of its own".into());
        }
        if self.done && !self.replaces() {
            return Some("done is for an answer that is replaced: give status, body, refusal or html".into());
        }
        let does = self.replaces() || self.delay_ms.is_some() || self.drop.is_some();
        (!does).then(|| "it does nothing: give status, body, refusal, html, delayMs or drop".into())
    }

    fn replaces(&self) -> bool {
        self.status.is_some() || self.body.is_some() || self.refusal.is_some() || self.html
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.delay_ms.unwrap_or(0))
    }

    /// What it sends instead of the true answer, if it replaces that.
    pub(super) fn answer(&self, quirks: &Quirks, trace: &str) -> Option<Answer> {
        if !self.replaces() {
            return None;
        }
        if let Some(variant) = self.refusal {
            return Some(variant.refusal().answer(quirks, trace));
        }
        let usual = if self.html { 502 } else { 200 };
        let status = StatusCode::from_u16(self.status.unwrap_or(usual)).unwrap_or(StatusCode::OK);
        Some(match &self.body {
            _ if self.html => Answer { content_type: Some(HTML), ..Answer::text(status, page(status)) },
            Some(Value::String(text)) => Answer::text(status, text.clone().into()),
            Some(body) => Answer::json(status, body),
            None => self.usual_body(status, quirks, trace),
        })
    }

    fn usual_body(&self, status: StatusCode, quirks: &Quirks, trace: &str) -> Answer {
        let refusal = match status {
            StatusCode::UNAUTHORIZED => Refusal::Unauthorized("Invalid JWT"),
            StatusCode::FORBIDDEN => Refusal::WrongLocation,
            StatusCode::TOO_MANY_REQUESTS => Refusal::TooMany,
            StatusCode::NOT_FOUND if let Some(id) = &self.contact_id => {
                Refusal::Missing { what: "Contact", id: id.clone() }
            }
            _ => Refusal::Broken,
        };
        Answer { status, ..refusal.answer(quirks, trace) }
    }
}

fn page(status: StatusCode) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or("Error");
    format!("<html><head><title>{title}</title></head><body><h1>{status}</h1></body></html>\n").into()
}

/// The rules in force, in order.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// All or none: the first bad rule is told by its place.
    pub fn replace(&self, rules: Vec<Fault>) -> Result<(), String> {
        for (place, rule) in rules.iter().enumerate() {
            if let Some(problem) = rule.problem() {
                return Err(format!("rule {place}: {problem}"));
            }
        }
        *lock::lock(&self.0) = rules;
        Ok(())
    }

    pub fn add(&self, rule: Fault) -> Result<(), String> {
        match rule.problem() {
            Some(problem) => Err(problem),
            None => {
                lock::lock(&self.0).push(rule);
                Ok(())
            }
        }
    }

    pub fn clear(&self) {
        lock::lock(&self.0).clear();
    }

    /// The rule for this call, with one use of it spent.
    pub fn take(&self, template: &str, contact: Option<&str>) -> Option<Fault> {
        let mut rules = lock::lock(&self.0);
        let rule = rules.iter_mut().find(|rule| {
            let route = rule.route == "*" || rule.route == template;
            let whom = rule.contact_id.is_none() || rule.contact_id.as_deref() == contact;
            route && whom && rule.times != Some(0)
        })?;
        if let Some(left) = &mut rule.times {
            *left -= 1;
        }
        Some(rule.clone())
    }
}
