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

impl Kind {
    const ALL: [Self; 7] =
        [Self::Contact, Self::Tasks, Self::Task, Self::Notes, Self::Note, Self::Appointments, Self::Page];

    /// What it is called in names.
    fn letter(self) -> char {
        match self {
            Self::Contact => 'c',
            Self::Tasks => 'T',
            Self::Task => 't',
            Self::Notes => 'N',
            Self::Note => 'n',
            Self::Appointments => 'A',
            Self::Page => 'p',
        }
    }
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

    /// What it is called outside of this process: a digest, so that nobody there learns whose it is.
    pub fn name(&self) -> String {
        let View { location, credential } = self.view;
        let id = Sha256::new().chain_update(location.to_be_bytes()).chain_update(credential.to_be_bytes());
        let hash = id.chain_update([self.kind.letter() as u8]).chain_update(&*self.id).finalize();
        hash.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
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

impl<'a> Tag<'a> {
    /// What it is called outside of this process.
    pub fn name(&self) -> String {
        format!("{:032x}{}{}", self.location, self.kind.letter(), self.id)
    }

    /// The one that is called this.
    pub fn named(name: &'a str) -> Option<Self> {
        let (location, rest) = name.split_at_checked(32)?;
        let location = u128::from_str_radix(location, 16).ok()?;
        let letter = rest.chars().next()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.letter() == letter)?;
        Some(Self { location, kind, id: &rest[letter.len_utf8()..] })
    }

    /// What is forgotten with it, if it is of a contact or of a list: any contact of its location.
    pub fn any_of_its_contacts(&self) -> Option<Tag<'static>> {
        self.place_of_contacts().map(|location| Tag { location, kind: Kind::Contact, id: "" })
    }

    /// Whether it is for any contact of its location.
    pub(super) fn is_any(&self) -> bool {
        self.id.is_empty()
    }

    /// The location, if what has this tag shows contacts.
    pub(super) fn place_of_contacts(&self) -> Option<u128> {
        matches!(self.kind, Kind::Contact | Kind::Page).then_some(self.location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_what_its_name_says() {
        let view = View::new("L", "c");
        for kind in Kind::ALL {
            let tag = view.tag(kind, "seD4é");
            assert!(Tag::named(&tag.name()) == Some(tag), "{tag:?}");
        }
        assert!(Tag::named(&view.any_contact().name()) == Some(view.any_contact()));
        assert!(view.tag(Kind::Page, "x").any_of_its_contacts() == Some(view.any_contact()));
        assert!(view.tag(Kind::Task, "x").any_of_its_contacts().is_none());
        for name in ["", "c", "zz", &"0".repeat(32), &format!("{}x1", "0".repeat(32)), &"é".repeat(20)] {
            assert!(Tag::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_key_is_called_by_all_that_it_is() {
        let key =
            |location, credential, kind, id: &str| EntityKey::new(View::new(location, credential), kind, id).name();
        let names = [
            key("L", "c", Kind::Contact, "a"),
            key("M", "c", Kind::Contact, "a"),
            key("L", "d", Kind::Contact, "a"),
            key("L", "c", Kind::Tasks, "a"),
            key("L", "c", Kind::Contact, "b"),
        ];
        let apart: std::collections::BTreeSet<_> = names.iter().collect();
        assert!(apart.len() == names.len() && names.iter().all(|name| name.len() == 64), "{names:?}");
    }
}
