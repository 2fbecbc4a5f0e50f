//! The public errors: every failure becomes one of these codes, here and nowhere else.

use std::time::Duration;

use async_graphql::indexmap::IndexMap;
use async_graphql::{Context, ErrorExtensionValues, Name, Value};

use crate::upstream::{self, Fault};

/// The values of `extensions.code`. Their names are promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// A value that the caller gave cannot be used.
    BadUserInput,
    /// The caller did not say who it is, or it is not accepted.
    Unauthenticated,
    /// The caller or its credential may not do this.
    Forbidden,
    /// What was named does not exist.
    NotFound,
    /// There is something already that stands in the way.
    Conflict,
    /// The upstream's limit is used up, or the gateway has no room.
    RateLimited,
    /// There is no document with the id or digest that was sent instead of one.
    PersistedQueryNotFound,
    /// The operation is larger than the settings allow.
    OperationTooExpensive,
    /// No answer in time.
    UpstreamTimeout,
    /// The upstream cannot be used at the moment.
    UpstreamUnavailable,
    /// The upstream's answer makes no sense.
    UpstreamBadResponse,
    /// A mistake of the gateway.
    Internal,
}

impl Code {
    /// Each of them.
    pub const ALL: [Self; 14] = [
        Self::ParseFailed,
        Self::ValidationFailed,
        Self::BadUserInput,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::RateLimited,
        Self::PersistedQueryNotFound,
        Self::OperationTooExpensive,
        Self::UpstreamTimeout,
        Self::UpstreamUnavailable,
        Self::UpstreamBadResponse,
        Self::Internal,
    ];

    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::OperationTooExpensive => "OPERATION_TOO_EXPENSIVE",
            Self::UpstreamTimeout => "UPSTREAM_TIMEOUT",
            Self::UpstreamUnavailable => "UPSTREAM_UNAVAILABLE",
            Self::UpstreamBadResponse => "UPSTREAM_BAD_RESPONSE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// What any upstream call can end in.
pub const OF_CALLS: [Code; 5] =
    [Code::Forbidden, Code::RateLimited, Code::UpstreamTimeout, Code::UpstreamUnavailable, Code::UpstreamBadResponse];

/// What a field fails with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// For programs.
    pub code: Code,
    /// For people; nothing internal, no secret.
    pub message: String,
    /// What the caller can act on.
    told: Option<Box<Told>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    upstream: Option<Origin>,
    missing_scopes: Vec<&'static str>,
    retry_after: Option<Duration>,
    existing_contact: Option<Box<str>>,
    input_path: Vec<Value>,
    guard: Option<&'static str>,
    /// The calls that an operation needs, and those that it may need.
    calls: Option<(u64, u64)>,
}

/// Where it happened upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    route: &'static str,
    status: Option<u16>,
    trace_id: Option<String>,
}

impl Error {
    /// An error that has nothing to do with an upstream call.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), told: None }
    }

    /// A value that the caller gave cannot be used.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message)
    }

    /// The caller lacks this scope.
    pub fn missing(scope: &'static str) -> Self {
        Self::without(scope, format!("This needs the scope {scope}, which the caller does not have."))
    }

    /// The upstream credential lacks this scope.
    pub fn not_granted(scope: &'static str) -> Self {
        Self::without(scope, not_granted(scope))
    }

    fn without(scope: &'static str, message: String) -> Self {
        let told = Told { missing_scopes: vec![scope], ..Told::default() };
        Self { code: Code::Forbidden, message, told: Some(Box::new(told)) }
    }

    /// The operation is larger than the settings allow; `guard`: the word for what is bounded.
    pub fn over(guard: &'static str, message: String) -> Self {
        Self::new(Code::OperationTooExpensive, message).by(guard)
    }

    /// This error, as that of a bound.
    pub fn by(mut self, guard: &'static str) -> Self {
        self.told.get_or_insert_default().guard = Some(guard);
        self
    }

    /// The operation needs more upstream calls than its caller may spend on one.
    pub fn too_many_calls(planned: u64, allowed: u64) -> Self {
        let message = format!("The operation needs up to {planned} upstream calls; it can need {allowed}.");
        let told = Told { guard: Some("calls"), calls: Some((planned, allowed)), ..Told::default() };
        Self { told: Some(Box::new(told)), ..Self::new(Code::OperationTooExpensive, message) }
    }

    /// What was bounded, where that is why it failed.
    pub fn guard(&self) -> Option<&'static str> {
        self.told.as_ref()?.guard
    }

    /// A value inside an input cannot be used; the way to it from the field's argument, names and places.
    pub fn bad_input_at(path: Vec<Value>, message: impl Into<String>) -> Self {
        let told = Told { input_path: path, ..Told::default() };
        Self { told: Some(Box::new(told)), ..Self::bad_input(message) }
    }

    /// A failed call as one error for each reason that the upstream gave: the last, and those before it.
    pub fn each(error: upstream::Error) -> (Self, Vec<Self>) {
        const MOST: usize = 20;
        let Fault::Refused(reasons) = &error.fault else {
            return (error.into(), Vec::new());
        };
        let each = reasons.iter().take(MOST).map(|reason| {
            let fault = Fault::Refused(vec![reason.clone()]);
            Self::from(upstream::Error { fault, ..error.clone() })
        });
        let mut each: Vec<Self> = each.collect();
        (each.pop().unwrap_or_else(|| error.into()), each)
    }

    /// Adds it to the answer, as an error of the field that is resolved.
    pub fn add(self, ctx: &Context<'_>) {
        let error = async_graphql::Error::from(self).into_server_error(ctx.item.pos);
        ctx.add_error(ctx.set_error_path(error));
    }

    /// There is no room for the request; there may be after so long.
    pub fn crowded(after: Duration) -> Self {
        let message = "The gateway is busy with as many requests as it may be: send this one again later.";
        let told = Told { retry_after: Some(after), ..Told::default() };
        Self { told: Some(Box::new(told)), ..Self::new(Code::RateLimited, message) }
    }

    /// A mistake of the gateway, of which callers are told no more.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "The gateway failed. The request id tells which log lines.")
    }

    /// The request's own time is over.
    pub fn out_of_time() -> Self {
        let message = "The request's time was over before the upstream had answered.";
        Self::new(Code::UpstreamTimeout, message)
    }
}

/// What is added where a write failed in a way that says nothing of its effect.
const UNCLEAR: &str = "It is not known whether the change was made: look before you send it again.";

/// A text that a caller or the upstream gave, short enough to repeat in a message.
pub fn brief(text: &str) -> String {
    const MOST: usize = 100;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A message of somebody else's with names of the caller's in it, each short enough to repeat: what explains it is to be left.
pub fn with_brief_words(message: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(begins) = rest.find(is_name) {
        let (before, from) = rest.split_at(begins);
        let (name, after) = from.split_at(from.find(|c| !is_name(c)).unwrap_or(from.len()));
        text.push_str(before);
        text.push_str(&brief(name));
        rest = after;
    }
    text + rest
}

impl From<upstream::Error> for Error {
    fn from(error: upstream::Error) -> Self {
        let unclear = error.is_write && error.is_unclear();
        let (code, mut message) = public(&error.fault);
        if unclear {
            message = format!("{message} {UNCLEAR}");
        }
        let mut told = Told { existing_contact: error.existing, retry_after: error.retry_after, ..Told::default() };
        match error.fault {
            Fault::Duplicate(id) => told.existing_contact = Some(id),
            Fault::Scope(scope) => told.missing_scopes.push(scope),
            Fault::RateLimited(after) => told.retry_after = Some(after),
            _ => {}
        }
        told.upstream = Some(Origin { route: error.route, status: error.status, trace_id: error.trace_id });
        Self { code, message, told: Some(Box::new(told)) }
    }
}

fn not_granted(scope: &str) -> String {
    format!(
        "The upstream credential lacks the scope {scope}: add it to the private integration, or grant the app access again."
    )
}

/// The one place where a failed call becomes something that callers see.
fn public(fault: &Fault) -> (Code, String) {
    let (code, message) = match fault {
        Fault::NotFound => (Code::NotFound, "There is no such record upstream."),
        Fault::Refused(lines) if !lines.is_empty() => {
            let why = brief(&lines.join("; "));
            return (Code::BadUserInput, format!("The upstream refused the input: {why}"));
        }
        Fault::Duplicate(_) => (Code::Conflict, "There is a contact with this mail address or phone number already."),
        Fault::Refused(_) => (Code::BadUserInput, "The upstream refused the input without saying why."),
        Fault::Credential => (Code::UpstreamUnavailable, "The upstream does not accept the gateway's credential."),
        Fault::CallersCredential => (Code::Unauthenticated, "The upstream does not accept your credential."),
        Fault::Scope(scope) => return (Code::Forbidden, not_granted(scope)),
        Fault::Location => (Code::Forbidden, "The upstream credential has no access to this location."),
        Fault::RateLimited(_) => (Code::RateLimited, "The upstream's rate limit is used up."),
        Fault::Timeout => (Code::UpstreamTimeout, "The upstream did not answer in time."),
        Fault::Unavailable => (Code::UpstreamUnavailable, "The upstream cannot be used at the moment."),
        Fault::Redirect => {
            (Code::UpstreamUnavailable, "The upstream answered with a redirect, which the gateway does not follow.")
        }
        Fault::BadResponse(_) => {
            (Code::UpstreamBadResponse, "The upstream answered with something that is not of the route's shape.")
        }
        Fault::Gateway(_) => (Code::Internal, "The gateway failed to ask the upstream."),
    };
    (code, message.to_owned())
}

impl From<&Error> for ErrorExtensionValues {
    fn from(error: &Error) -> Self {
        let mut values = Self::default();
        values.set("code", error.code.as_str());
        let Some(told) = &error.told else {
            return values;
        };
        if let Some(origin) = &told.upstream {
            values.set("upstream", origin.to_value());
        }
        if !told.missing_scopes.is_empty() {
            let scopes = told.missing_scopes.iter().map(|&scope| Value::from(scope));
            values.set("missingScopes", Value::List(scopes.collect()));
        }
        if let Some(after) = told.retry_after {
            values.set("retryAfterMs", after.as_millis() as u64);
        }
        if let Some(id) = &told.existing_contact {
            values.set("existingContactId", brief(id));
        }
        if let Some((planned, allowed)) = told.calls {
            values.set("planned", planned);
            values.set("allowed", allowed);
        }
        if !told.input_path.is_empty() {
            values.set("inputPath", Value::List(told.input_path.clone()));
        }
        values
    }
}

impl Origin {
    fn to_value(&self) -> Value {
        let mut value = IndexMap::new();
        value.insert(Name::new("route"), Value::from(self.route));
        if let Some(status) = self.status {
            value.insert(Name::new("status"), Value::from(status));
        }
        if let Some(id) = &self.trace_id {
            value.insert(Name::new("traceId"), Value::from(brief(id)));
        }
        Value::Object(value)
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let mut public = async_graphql::Error::new(error.message.clone());
        public.extensions = Some((&error).into());
        public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_code() {
        let window = Duration::from_secs(10);
        let rows = [
            (Fault::NotFound, "NOT_FOUND"),
            (Fault::Refused(vec!["no".into()]), "BAD_USER_INPUT"),
            (Fault::Duplicate("c1".into()), "CONFLICT"),
            (Fault::Credential, "UPSTREAM_UNAVAILABLE"),
            (Fault::CallersCredential, "UNAUTHENTICATED"),
            (Fault::Scope("contacts.readonly"), "FORBIDDEN"),
            (Fault::Location, "FORBIDDEN"),
            (Fault::RateLimited(window), "RATE_LIMITED"),
            (Fault::Timeout, "UPSTREAM_TIMEOUT"),
            (Fault::Unavailable, "UPSTREAM_UNAVAILABLE"),
            (Fault::Redirect, "UPSTREAM_UNAVAILABLE"),
            (Fault::BadResponse("why".into()), "UPSTREAM_BAD_RESPONSE"),
            (Fault::Gateway("why".into()), "INTERNAL"),
        ];
        for (fault, code) in rows {
            let error = upstream::Error::new("GET /x", fault.clone());
            assert_eq!(Error::from(error).code.as_str(), code, "{fault:?}");
        }
    }

    #[test]
    fn what_a_caller_can_act_on_is_told() {
        let scope = Fault::Scope("contacts.readonly");
        let error: async_graphql::Error = Error::from(upstream::Error::new("GET /x", scope)).into();
        let told = serde_json::to_value(error.extensions).expect("JSON");
        assert_eq!(told["missingScopes"], serde_json::json!(["contacts.readonly"]));
        let limited = Fault::RateLimited(Duration::from_secs(10));
        let error: async_graphql::Error = Error::from(upstream::Error::new("GET /x", limited)).into();
        let told = serde_json::to_value(error.extensions).expect("JSON");
        assert_eq!(told["retryAfterMs"], 10_000);
    }
}
