//! What a cached value belongs to: a view (one location seen by one credential), a kind and an id.

use std::fmt;

use sha2::{Digest, Sha256};

/// One location as one credential sees it. Two views never share a cached value.
///
/// There is no other way to make a cache key than from a view, and no other way to make a view than from
/// both of its parts. Only digests are kept, so a key can be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    location: u128,
    credential: u128,
}

impl View {
    /// `credential` names whose credential it is, for example `configured`, or a digest of a caller's own bearer.
    pub fn new(location: &str, credential: &str) -> Self {
        Self { location: digest("location", location), credential: digest("credential", credential) }
    }

    /// What tells it from other views, for everyone who serves the same.
    pub fn name(&self) -> String {
        format!("{:032x}{:032x}", self.location, self.credential)
    }

    /// What is to be forgotten when the thing of this kind with this id changes.
    pub fn tag<'a>(&self, kind: Kind, id: &'a str) -> Tag<'a> {
        Tag { location: self.location, kind, id }
    }

    /// What is to be forgotten when some contact of the location changes and nobody can tell which: each contact, and every
    /// list of them.
    pub fn any_contact(&self) -> Tag<'static> {
        self.tag(Kind::Contact, "")
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({:08x})", self.location as u32)
    }
}

fn digest(what: &str, text: &str) -> u128 {
    let hash = Sha256::new().chain_update(what).chain_update([0]).chain_update(text).finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}

/// The kinds of things that are cached; each has its own ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// One contact, whole or as far as a list row told it.
    Contact,
    /// All tasks of a contact.
    Tasks,
    /// One task.
    Task,
    /// All notes of a contact.
    Notes,
    /// One note.
    Note,
    /// All appointments of a contact.
    Appointments,
    /// One upstream page of a list of contacts. As a tag: the lists of one sort, of which each can gain or lose contacts.
    Page,
}

/// Names one cached value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EntityKey {
    view: View,
    kind: Kind,
    id: Box<str>,
}

impl EntityKey {
    /// `id` must tell all values of this kind within the view apart.
    pub fn new(view: View, kind: Kind, id: impl Into<Box<str>>) -> Self {
        Self { view, kind, id: id.into() }
    }

    /// What has to be forgotten for this value to become stale, if that is nothing but itself.
    pub fn tag(&self) -> Tag<'_> {
        self.view.tag(self.kind, &self.id)
    }

    /// Bytes that the key itself takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.id.len()
    }
}

/// A thing in a location, whoever looks at it: a change concerns every credential's view of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag<'a> {
    location: u128,
    kind: Kind,
    /// No thing has an empty one: it stands for any.
    id: &'a str,
}

impl Tag<'_> {
    /// Whether it is for any contact of its location.
    pub(super) fn is_any(&self) -> bool {
        self.id.is_empty()
    }

    /// The location, if what has this tag shows contacts.
    pub(super) fn place_of_contacts(&self) -> Option<u128> {
        matches!(self.kind, Kind::Contact | Kind::Page).then_some(self.location)
    }
}
