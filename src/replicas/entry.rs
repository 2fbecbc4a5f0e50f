//! The form of a value in the second level: a head that Redis itself reads to tell whether the value still holds, and then what
//! was read, packed and sealed.
//!
//! The head: the name of the table of forgettings (16 characters), its number when the reading began (12 digits), how many places in it
//! count (4 digits), and those places (5 digits each).

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Seal;

/// The table's size. Two things can share a place, and are forgotten together: a call more, never a wrong answer.
const PLACES: u32 = 1 << 16;

/// The name of the table and its number.
pub const TABLE: usize = 28;
const COUNT: usize = 4;
const PLACE: usize = 5;

/// What is made of more than this is not kept: looking at each of them would hold up everybody else's commands.
const MOST_PLACES: usize = 500;

/// A longer text is packed. A shorter one would gain nothing.
const PACKED_FROM: usize = 512;

/// As much as is read of one answer. What claims to be longer was not put there by us.
const MOST_BYTES: usize = 16 << 20;

const NOTHING: u8 = 0;
const PLAIN: u8 = 1;
const PACKED: u8 = 2;

/// Where the forgettings of a thing are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

impl Place {
    /// The place of what has this name.
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name);
        Self(u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) % PLACES)
    }
}

/// Places as they are told to a script.
pub fn spell(places: &BTreeSet<Place>) -> String {
    places.iter().map(|Place(place)| format!("{place:05}")).collect()
}

/// What was read, and how old it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The body of the answer; `None`: there is no such thing.
    pub body: Option<Vec<u8>>,
    /// For how long it was good when it was read.
    pub ttl: Duration,
    /// Where what it was made from is noted.
    pub places: BTreeSet<Place>,
}

impl Entry {
    /// The text that is stored under a key; `table`: the head of the table when the reading began. `None`: it cannot be stored.
    pub fn write(&self, key: &str, table: &[u8], seal: &Seal) -> Option<Vec<u8>> {
        if table.len() != TABLE || self.places.len() > MOST_PLACES {
            return None;
        }
        let head = format!("{}{:04}{}", str::from_utf8(table).ok()?, self.places.len(), spell(&self.places));
        let mut text = Vec::new();
        text.extend_from_slice(&u64::try_from(self.ttl.as_millis()).ok()?.to_be_bytes());
        match &self.body {
            None => text.push(NOTHING),
            Some(body) if body.len() < PACKED_FROM => {
                text.push(PLAIN);
                text.extend_from_slice(body);
            }
            Some(body) => {
                text.push(PACKED);
                text.extend_from_slice(&lz4_flex::compress_prepend_size(body));
            }
        }
        let sealed = seal.seal(&place_of(key, &head), &text)?;
        Some([head.as_bytes(), &sealed].concat())
    }

    /// What was stored under a key. `None`: nothing that can be used.
    pub fn read(key: &str, text: &[u8], seal: &Seal) -> Option<Self> {
        let count: usize = str::from_utf8(text.get(TABLE..TABLE + COUNT)?).ok()?.parse().ok()?;
        let (head, sealed) = text.split_at_checked(TABLE + COUNT + count * PLACE)?;
        let head = str::from_utf8(head).ok()?;
        let each = head.as_bytes()[TABLE + COUNT..].chunks(PLACE);
        let place = |digits: &[u8]| str::from_utf8(digits).ok()?.parse().ok().map(Place);
        let places: BTreeSet<Place> = each.map(place).collect::<Option<_>>()?;
        let text = seal.open(&place_of(key, head), sealed)?;
        let (ttl, rest) = text.split_first_chunk()?;
        let (form, bytes) = rest.split_first()?;
        let body = match *form {
            NOTHING => None,
            PLAIN => Some(bytes.to_vec()),
            PACKED => Some(unpack(bytes)?),
            _ => return None,
        };
        Some(Self { body, ttl: Duration::from_millis(u64::from_be_bytes(*ttl)), places })
    }
}

fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, packed) = lz4_flex::block::uncompressed_size(bytes).ok()?;
    if length > MOST_BYTES {
        return None;
    }
    lz4_flex::decompress(packed, length).ok()
}

/// What is sealed can be opened under its own key and with its own head alone.
fn place_of(key: &str, head: &str) -> String {
    format!("{key} {head}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] = b"0123456789abcdef000000000007";

    fn entry(body: Option<Vec<u8>>) -> Entry {
        let places = ["a", "b"].map(Place::of).into();
        Entry { body, ttl: Duration::from_secs(60), places }
    }

    #[test]
    fn a_long_body_is_packed_and_comes_back_as_it_was() {
        let long = br#"{"id":"x","name":"Ada"}"#.repeat(100);
        let seal = Seal::default();
        let stored = entry(Some(long.clone())).write("k", HEAD, &seal).expect("a text");
        assert!(stored.len() < long.len() / 4, "{} bytes", stored.len());
        assert!(stored.starts_with(b"0123456789abcdef0000000000070002"));
        assert_eq!(Entry::read("k", &stored, &seal), Some(entry(Some(long))));
    }

    #[test]
    fn what_would_be_looked_at_for_too_long_is_not_stored() {
        let places = (0..600).map(|n| Place::of(&n.to_string())).collect();
        let entry = Entry { places, ..entry(None) };
        assert_eq!(entry.write("k", HEAD, &Seal::default()), None);
    }

    proptest! {
        #[test]
        fn what_was_stored_is_what_is_read(body: Option<Vec<u8>>) {
            let stored = entry(body.clone()).write("k", HEAD, &Seal::default()).expect("a text");
            prop_assert_eq!(Entry::read("k", &stored, &Seal::default()), Some(entry(body)));
        }

        #[test]
        fn whatever_is_there_is_no_panic(text: Vec<u8>, cut in 0..64_usize) {
            let _ = Entry::read("k", &text, &Seal::default());
            let mut stored = entry(Some(text.repeat(64))).write("k", HEAD, &Seal::default()).expect("a text");
            stored.truncate(stored.len().saturating_sub(cut));
            let _ = Entry::read("k", &stored, &Seal::default());
            let claims = [HEAD, b"9999", &text].concat();
            prop_assert_eq!(Entry::read("k", &claims[..], &Seal::default()), None);
        }
    }
}
