//! Reading JSON that was written by several hands: each field may be missing, null, or of another type than
//! last time. What cannot be read is absent and counted; only a wrong envelope is an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Error;

static UNREADABLE: AtomicU64 = AtomicU64::new(0);

/// How many values could not be read since the start, and were answered as null.
pub fn unreadable() -> u64 {
    UNREADABLE.load(Ordering::Relaxed)
}

/// Notes that a value could not be read.
pub fn note_unreadable<T>() -> Option<T> {
    UNREADABLE.fetch_add(1, Ordering::Relaxed);
    None
}

/// A text, if the value is one.
pub type Text = Option<Box<str>>;

/// The same, where it is in the body, if it is there as it is.
pub type Spoken<'a> = Option<Cow<'a, str>>;

/// The body as `T`; an error of the route when it is not of that shape.
pub fn decode<'a, T: Deserialize<'a>>(route: &'static str, body: &'a [u8]) -> Result<T, Error> {
    // Looked through as a whole, which is cheaper than text by text.
    let text = str::from_utf8(body).map_err(|error| Error::bad_response(route, error))?;
    serde_json::from_str(text).map_err(|error| Error::bad_response(route, wordless(&error)))
}

/// What is wrong with a body, without the value that is: it goes into a log, and may be anybody's.
fn wordless(error: &serde_json::Error) -> String {
    let told = error.to_string();
    match told.rsplit_once(", expected ") {
        Some((_, ours)) => format!("expected {ours}"),
        None => told,
    }
}

/// Whether a change succeeded, in the spellings that were seen.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Success {
    #[serde(deserialize_with = "flag")]
    succeded: Option<bool>,
    #[serde(deserialize_with = "flag")]
    succeeded: Option<bool>,
    #[serde(deserialize_with = "flag")]
    success: Option<bool>,
}

impl Success {
    /// Whether the answer says that it did not succeed.
    pub fn is_denied(&self) -> bool {
        [self.succeded, self.succeeded, self.success].contains(&Some(false))
    }
}

/// The body of a change that tells nothing but its success.
pub fn succeeded(route: &'static str, body: &[u8]) -> Result<(), Error> {
    match decode::<Success>(route, body)?.is_denied() {
        false => Ok(()),
        true => Err(Error::bad_response(route, "it did not succeed")),
    }
}

/// The one value that a key may hold, in whatever type it comes.
trait Lenient<'de>: Sized {
    fn of_text(_: &str) -> Option<Self>;
    fn of_borrowed(text: &'de str) -> Option<Self> {
        Self::of_text(text)
    }
    fn of_number(_: serde_json::Number) -> Option<Self>;
    fn of_bool(_: bool) -> Option<Self>;
}

impl Lenient<'_> for Box<str> {
    fn of_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
    fn of_number(number: serde_json::Number) -> Option<Self> {
        Some(number.to_string().into())
    }
    fn of_bool(value: bool) -> Option<Self> {
        Some(value.to_string().into())
    }
}

impl Lenient<'_> for bool {
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().or_else(note_unreadable)
    }
    fn of_number(_: serde_json::Number) -> Option<Self> {
        note_unreadable()
    }
    fn of_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Lenient<'_> for u64 {
    fn of_text(text: &str) -> Option<Self> {
        text.trim().parse().ok().or_else(note_unreadable)
    }
    fn of_number(number: serde_json::Number) -> Option<Self> {
        number.as_u64().or_else(note_unreadable)
    }
    fn of_bool(_: bool) -> Option<Self> {
        note_unreadable()
    }
}

impl Lenient<'_> for i64 {
    fn of_text(text: &str) -> Option<Self> {
        text.trim().parse().ok().or_else(note_unreadable)
    }
    fn of_number(number: serde_json::Number) -> Option<Self> {
        number.as_i64().or_else(note_unreadable)
    }
    fn of_bool(_: bool) -> Option<Self> {
        note_unreadable()
    }
}

impl<'de> Lenient<'de> for Cow<'de, str> {
    fn of_text(text: &str) -> Option<Self> {
        Some(text.to_owned().into())
    }
    fn of_borrowed(text: &'de str) -> Option<Self> {
        Some(text.into())
    }
    fn of_number(number: serde_json::Number) -> Option<Self> {
        Some(number.to_string().into())
    }
    fn of_bool(value: bool) -> Option<Self> {
        Some(value.to_string().into())
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::of_text(text))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::of_borrowed(text))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(serde_json::Number::from_f64(number).and_then(T::of_number))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(T::of_bool(value))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(note_unreadable())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(note_unreadable())
    }
}

/// For a field whose value is wanted: text.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
    from.deserialize_any(Any::<Box<str>>(PhantomData))
}

/// For a field whose value is wanted: text, as it is in the body.
pub fn spoken<'de, D: Deserializer<'de>>(from: D) -> Result<Spoken<'de>, D::Error> {
    from.deserialize_any(Any::<Cow<'de, str>>(PhantomData))
}

/// For a field whose value is wanted: true or false.
pub fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    from.deserialize_any(Any::<bool>(PhantomData))
}

/// For a field whose value is wanted: a count.
pub fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    from.deserialize_any(Any::<u64>(PhantomData))
}

/// For a field whose value is wanted: milliseconds since 1970.
pub fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    from.deserialize_any(Any::<i64>(PhantomData))
}

/// A value by itself: text, as it is in the body.
#[derive(Deserialize)]
pub struct Said<'a>(#[serde(borrow, deserialize_with = "spoken")] pub Spoken<'a>);

/// A value by itself: true or false.
#[derive(Deserialize)]
pub struct Flag(#[serde(deserialize_with = "flag")] pub Option<bool>);

/// A value by itself: a list of texts.
#[derive(Deserialize)]
pub struct Strings(#[serde(deserialize_with = "texts")] pub Vec<Box<str>>);

/// For a key that must be there, and may be null.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

/// For a list: null is an empty one; anything but a list is a wrong shape.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// For a list of texts inside a record: what is not a text is left out.
pub fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Box<str>>, D::Error> {
    from.deserialize_any(List)
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Vec<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Said(item)) = seq.next_element()? {
            list.extend(item.map(Into::into));
        }
        Ok(list)
    }
    fn visit_str<E>(self, one: &str) -> Result<Self::Value, E> {
        Ok(vec![one.into()])
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(note_unreadable().unwrap_or_default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(note_unreadable().unwrap_or_default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(note_unreadable().unwrap_or_default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(note_unreadable().unwrap_or_default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(note_unreadable().unwrap_or_default())
    }
}

/// The first text that has something in it.
pub fn first_of<T: Deref<Target = str>, const N: usize>(texts: [Option<T>; N]) -> Option<T> {
    texts.into_iter().flatten().find(|text| !text.trim().is_empty())
}

/// A moment: RFC 3339, milliseconds since 1970, or a date with or without a time, which `zone` places.
pub fn moment(text: Option<&str>, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Ok(ms) = text.parse::<i64>() {
        return Timestamp::from_millisecond(ms).ok().or_else(note_unreadable);
    }
    let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from));
    local.ok().and_then(|local| zone.to_timestamp(local).ok()).or_else(note_unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        moment(Some(text), &TimeZone::UTC).map(|moment| moment.to_string())
    }

    #[test]
    fn moments_are_read_in_every_form_that_was_seen() {
        let rows = [
            ("2021-07-08T02:30:00.000Z", "2021-07-08T02:30:00Z"),
            ("2026-03-04T11:00:00-06:00", "2026-03-04T17:00:00Z"),
            ("2021-07-16 11:00:00", "2021-07-16T11:00:00Z"),
            ("2021-07-16T11:00:00", "2021-07-16T11:00:00Z"),
            ("2021-07-16", "2021-07-16T00:00:00Z"),
            ("1767225600000", "2026-01-01T00:00:00Z"),
        ];
        for (text, want) in rows {
            assert_eq!(utc(text).as_deref(), Some(want), "{text}");
        }
        for text in ["", " ", "not a date", "2021-13-45", "99999999999999999"] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_placed_with_daylight_saving() {
        let zone = TimeZone::get("America/Chicago").expect("a zone of the bundled database");
        let at = |text| moment(Some(text), &zone).map(|moment| moment.to_string());
        assert_eq!(at("2026-01-15 09:00:00").as_deref(), Some("2026-01-15T15:00:00Z"));
        assert_eq!(at("2026-07-15 09:00:00").as_deref(), Some("2026-07-15T14:00:00Z"));
    }

    #[test]
    fn fields_of_another_type_are_read_or_left_out() {
        #[derive(Deserialize)]
        struct Row {
            #[serde(default, deserialize_with = "text")]
            a: Text,
            #[serde(default, deserialize_with = "flag")]
            b: Option<bool>,
            #[serde(default, deserialize_with = "texts")]
            c: Vec<Box<str>>,
        }
        let read = |json: &str| {
            let row: Row = serde_json::from_str(json).expect("a row");
            (row.a.map(String::from), row.b, row.c.len())
        };
        assert_eq!(read("{}"), (None, None, 0));
        assert_eq!(read(r#"{"a":null,"b":null,"c":null}"#), (None, None, 0));
        assert_eq!(read(r#"{"a":7,"b":"true","c":["x",1,null]}"#), (Some("7".into()), Some(true), 2));
        assert_eq!(read(r#"{"a":{"x":[1]},"b":[],"c":"one"}"#), (None, None, 1));
        assert_eq!(read(r#"{"a":[1,{}],"b":{},"c":{"x":1}}"#), (None, None, 0));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_its_words() {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(rename = "contact")]
            _contact: Vec<u64>,
        }
        let rows = [
            (r#"{"contact":"Ada, expected at noon"}"#, "expected a sequence at line 1 column 34"),
            (r#"{"contact":[1,"Ada"]}"#, "expected u64 at line 1 column 19"),
            (r#"{"Ada":1}"#, "missing field `contact` at line 1 column 9"),
            ("Ada", "expected value at line 1 column 1"),
        ];
        for (body, what) in rows {
            let error = decode::<Envelope>("GET /x", body.as_bytes()).err();
            assert_eq!(error, Some(Error::bad_response("GET /x", what)), "{body}");
        }
    }
}
