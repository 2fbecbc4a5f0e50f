//! What the API accepts in the body of a write: which properties there are, and of which type.

use super::super::answer::Refusal;
use serde_json::{Map, Value};

/// The type of a property.
#[derive(Clone, Copy)]
pub(super) enum Is {
    /// Text, or null.
    Text,
    /// Text, never null.
    Words,
    /// One of the API's eight forms of a date: three numbers with `/`, `-`, `.` or `_` between.
    Date,
    /// A moment in ISO 8601.
    Moment,
    Mail,
    Flag,
    Texts,
    /// `[{id, key, field_value}]`.
    Fields,
    Object,
}

/// What a body may have, and what it must have.
pub(super) struct Form {
    pub may: &'static [(&'static str, Is)],
    pub must: &'static [&'static str],
}

impl Form {
    /// All that is wrong with a body, in the API's words.
    pub fn problems(&self, body: &Map<String, Value>) -> Vec<String> {
        let mut problems: Vec<String> = body
            .keys()
            .filter(|key| self.of(key).is_none())
            .map(|key| format!("property {key} should not exist"))
            .collect();
        for key in self.must {
            if body.get(*key).is_none_or(|value| value.is_null() || value == "") {
                problems.push(format!("{key} should not be empty"));
            }
        }
        for (key, value) in body {
            if let Some(problem) = self.of(key).and_then(|is| wrong(is, key, value)) {
                problems.push(problem);
            }
        }
        problems
    }

    /// The body, when nothing is wrong with it.
    pub fn check(&self, body: &Map<String, Value>) -> Result<(), Refusal> {
        let problems = self.problems(body);
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }

    fn of(&self, key: &str) -> Option<Is> {
        self.may.iter().find(|(name, _)| *name == key).map(|(_, is)| *is)
    }
}

fn wrong(is: Is, key: &str, value: &Value) -> Option<String> {
    let text = value.as_str();
    let fine = match is {
        Is::Text => text.is_some() || value.is_null(),
        Is::Words => text.is_some(),
        Is::Date => text.is_some_and(|text| text.is_empty() || is_date(text)),
        Is::Moment => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        Is::Mail => value.is_null() || text.is_some_and(|text| text.is_empty() || is_mail(text)),
        Is::Flag => value.is_boolean(),
        Is::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Is::Fields => value.as_array().is_some_and(|items| items.iter().all(|item| item["id"].is_string())),
        Is::Object => value.is_object(),
    };
    let must = match is {
        Is::Text | Is::Words => "must be a string",
        Is::Date => "must be a valid date",
        Is::Moment => "must be a valid ISO 8601 date string",
        Is::Mail => "must be an email",
        Is::Flag => "must be a boolean value",
        Is::Texts => "must be an array of strings",
        Is::Fields => "must be an array of objects with an id",
        Is::Object => "must be an object",
    };
    (!fine).then(|| format!("{key} {must}"))
}

fn is_mail(text: &str) -> bool {
    text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'))
}

fn is_date(text: &str) -> bool {
    ['/', '-', '.', '_'].into_iter().any(|mark| {
        let parts: Vec<_> = text.split(mark).collect();
        let number = |part: &&str| part.len() <= 4 && part.parse::<u16>().is_ok();
        parts.len() == 3 && parts.iter().all(number)
    })
}
