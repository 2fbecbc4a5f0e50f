//! The scalars that GraphQL itself does not have.

use async_graphql::{InputValueResult, Scalar, ScalarType, Value};
use jiff::Timestamp;

use super::error::Error;

/// A moment: RFC 3339, always in UTC when it is answered, with any offset when it is given.
///
/// A text that is no moment is `None`, and refused by the field that uses it: if reading it failed, the library would
/// take the error for one of the whole parent.
#[derive(Clone, Copy, Debug)]
pub struct DateTime(Option<Timestamp>);

impl DateTime {
    /// The moment, if a text that was given is one.
    pub fn at_all(self) -> Option<Timestamp> {
        self.0
    }

    /// A moment to answer with.
    pub fn at(moment: Timestamp) -> Self {
        Self(Some(moment))
    }

    /// A moment that was given as this argument.
    pub fn given(self, argument: &str) -> Result<Timestamp, Error> {
        self.0.ok_or_else(|| {
            Error::bad_input(format!(
                "`{argument}` is not a moment in RFC 3339 with an offset, as 2026-06-15T15:00:00Z or \
                 2026-06-15T10:00:00-05:00."
            ))
        })
    }
}

/// A moment: RFC 3339, always in UTC when it is answered, with any offset when it is given.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(match value {
            Value::String(text) => text.parse().ok(),
            _ => None,
        }))
    }

    fn to_value(&self) -> Value {
        self.0.map_or(Value::Null, |moment| Value::String(moment.to_string()))
    }
}

/// Any JSON value.
#[derive(Clone, Debug)]
pub struct Json(pub serde_json::Value);

/// Any JSON value: a string, a number, a list, an object.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}
