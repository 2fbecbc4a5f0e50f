//! Ids that callers give and that become a segment of an upstream path.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest id that is sent upstream; the upstream's own have 20 to 24 characters.
pub const MAX_LENGTH: usize = 128;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Words that stand where a contact's id does, and name other routes.
const ROUTES: [&str; 4] = ["search", "business", "upsert", "bulk"];

/// An id that can only ever be one segment of a path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoId {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It has more than `MAX_LENGTH` characters.
    #[error("is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// It holds something that means more than itself in a path.
    #[error("has a character that ids do not have (letters, digits and ASCII marks other than / \\ ? # % are fine)")]
    Character,
    /// It is the name of another route.
    #[error("is the name of another route, not an id")]
    Route,
}

impl Id {
    /// The id of a task, a note or a business.
    pub fn new(text: &str) -> Result<Self, NoId> {
        if text.is_empty() {
            return Err(NoId::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(NoId::TooLong);
        }
        let fine = |b: u8| b.is_ascii_graphic() && !b"/\\?#%".contains(&b);
        if !text.bytes().all(fine) || text == "." || text == ".." {
            return Err(NoId::Character);
        }
        Ok(Self(text.into()))
    }

    /// The id of a contact.
    pub fn of_contact(text: &str) -> Result<Self, NoId> {
        let id = Self::new(text)?;
        if ROUTES.iter().any(|route| route.eq_ignore_ascii_case(text)) {
            return Err(NoId::Route);
        }
        Ok(id)
    }

    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a segment of a path.
    pub(super) fn segment(&self) -> impl Iterator<Item = &str> + fmt::Display {
        utf8_percent_encode(&self.0, ENCODED)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_upstream_pass_as_they_are() {
        for text in ["seD4PfOuKoVMLkEZqohJ", "641c094001436dbc2081e642", "a_1-b.c~d"] {
            assert_eq!(Id::of_contact(text).map(|id| id.segment().to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn marks_are_encoded() {
        let id = Id::new("a;b=c@d:e").map(|id| id.segment().to_string());
        assert_eq!(id, Ok("a%3Bb%3Dc%40d%3Ae".into()));
    }

    #[test]
    fn what_could_be_a_path_is_refused() {
        let long = "x".repeat(10_000);
        let rows = [
            ("", NoId::Empty),
            (long.as_str(), NoId::TooLong),
            ("../x", NoId::Character),
            ("a/b", NoId::Character),
            ("?", NoId::Character),
            ("#", NoId::Character),
            ("%2e", NoId::Character),
            (".", NoId::Character),
            ("..", NoId::Character),
            ("a\\b", NoId::Character),
            ("a b", NoId::Character),
            ("a\nb", NoId::Character),
            ("\0", NoId::Character),
            ("é", NoId::Character),
            ("search", NoId::Route),
            ("Business", NoId::Route),
            ("upsert", NoId::Route),
            ("bulk", NoId::Route),
        ];
        for (text, why) in rows {
            assert_eq!(Id::of_contact(text), Err(why), "{text:?}");
        }
    }
}
