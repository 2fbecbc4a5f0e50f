//! What is sent back: bodies, and refusals in the spelling that the quirks ask for.

use super::quirks::Quirks;
use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const HTML: &str = "text/html";

/// A whole response but for its headers about limits.
pub(super) struct Answer {
    pub status: StatusCode,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
    /// Where to go instead.
    pub location: Option<String>,
}

impl Answer {
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("values with text keys are always JSON");
        Self { status, content_type: Some(JSON), body, location: None }
    }

    /// A text that is sent as it is.
    pub fn text(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, content_type: Some(JSON), body, location: None }
    }

    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// How the API answers a path that it does not have.
    pub fn nothing_here() -> Self {
        Self { status: StatusCode::NOT_FOUND, content_type: None, body: Vec::new(), location: None }
    }

    pub fn see_other(address: &str) -> Self {
        let location = Some(address.to_owned());
        Self { status: StatusCode::SEE_OTHER, content_type: None, body: Vec::new(), location }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if let Some(kind) = self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(address) = self.location.and_then(|address| HeaderValue::try_from(address).ok()) {
            response.headers_mut().insert(LOCATION, address);
        }
        response
    }
}

/// Why a call is not answered with data.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Unauthorized(&'static str),
    /// The API leaves out `error` when the version header is what it refuses.
    Version(&'static str),
    WrongLocation,
    /// Only for a company.
    Forbidden,
    /// The database behind the API was too slow, which it calls 401.
    TimedOut,
    Missing {
        what: &'static str,
        id: String,
    },
    Invalid(Vec<String>),
    /// A new contact that has nothing but a location.
    Nameless,
    /// Another contact has the mail or phone of a new one.
    Duplicate {
        id: String,
        name: String,
        field: &'static str,
    },
    TooMany,
    Broken,
}

impl Refusal {
    pub fn answer(self, quirks: &Quirks, trace: &str) -> Answer {
        let status = self.status(quirks);
        let mut body = if quirks.status_errors {
            Map::from_iter([("error".into(), self.message()), ("status".into(), json!(status.as_u16()))])
        } else if let (Self::Missing { what, .. }, false) = (&self, quirks.message_errors) {
            self.missing_as_seen(what, status)
        } else {
            self.as_declared(status)
        };
        if let Self::Duplicate { id, name, field } = &self {
            body.insert("meta".into(), json!({"contactId": id, "contactName": name, "matchingField": field}));
        }
        body.insert("traceId".into(), json!(trace));
        Answer::json(status, &body)
    }

    fn status(&self, quirks: &Quirks) -> StatusCode {
        match self {
            Self::Unauthorized(_) | Self::Version(_) | Self::TimedOut => StatusCode::UNAUTHORIZED,
            Self::WrongLocation | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Missing { .. } if quirks.missing_404 => StatusCode::NOT_FOUND,
            Self::Missing { .. } | Self::Nameless | Self::Duplicate { .. } => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> Value {
        match self {
            Self::Unauthorized(text) | Self::Version(text) => json!(text),
            Self::WrongLocation => json!("The token does not have access to this location."),
            Self::Forbidden => json!("Forbidden resource"),
            Self::TimedOut => json!("Command timed out"),
            Self::Missing { what, id } => json!(format!("{what} with id {id} not found")),
            Self::Invalid(problems) => json!(problems),
            Self::Nameless => json!(["a contact needs a name, an email or a phone"]),
            Self::Duplicate { .. } => json!("This location does not allow duplicated contacts."),
            Self::TooMany => json!("Too Many Requests"),
            Self::Broken => json!("Internal server error"),
        }
    }

    fn missing_as_seen(&self, what: &str, status: StatusCode) -> Map<String, Value> {
        let mut body = Map::from_iter([("error".into(), self.message())]);
        if what == "Contact" {
            body.insert("status".into(), json!(status.as_u16()));
        }
        body
    }

    fn as_declared(&self, status: StatusCode) -> Map<String, Value> {
        // The one refusal whose body says another status than it is sent with.
        let said = if matches!(self, Self::Nameless) { 422 } else { status.as_u16() };
        let mut body = Map::from_iter([("statusCode".into(), json!(said)), ("message".into(), self.message())]);
        let error = match self {
            Self::Unauthorized(_) => "Unauthorized",
            Self::WrongLocation | Self::Forbidden => "Forbidden",
            Self::Invalid(_) | Self::Nameless => "Unprocessable Entity",
            _ => return body,
        };
        body.insert("error".into(), json!(error));
        body
    }
}
