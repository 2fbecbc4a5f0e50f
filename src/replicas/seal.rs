//! What leaves this process for Redis is sealed with a key of the settings: nobody who reads Redis reads it, and nobody who
//! writes there can put anything in its place.
//!
//! AES-256-GCM, with a key of its own for each text: HKDF of the key that was set and of a salt. So there is no bound on how many
//! texts a key is good for, which random nonces alone would have.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::config::Redis;

/// The first byte: nothing is sealed, what follows is what was said.
const PLAIN: u8 = 0;

/// The first byte: by which key (4 bytes), with which salt and nonce, and then the text with its tag.
const SEALED: u8 = 1;

const KEY_ID: usize = 4;
const SALT: usize = 16;
const HEAD: usize = 1 + KEY_ID + SALT + NONCE_LEN;

struct Key {
    id: [u8; KEY_ID],
    root: Prk,
}

impl Key {
    fn new(bytes: &[u8]) -> Self {
        let mut id = [0; KEY_ID];
        let digest = Sha256::new().chain_update("key").chain_update(bytes).finalize();
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { id, root: Prk::new_less_safe(HKDF_SHA256, bytes) }
    }

    fn for_salt(&self, salt: &[u8]) -> Result<LessSafeKey, Unspecified> {
        let info = [salt];
        Ok(LessSafeKey::new(UnboundKey::from(self.root.expand(&info, &AES_256_GCM)?)))
    }
}

/// Seals and opens. Clones share the keys.
#[derive(Clone, Default)]
pub struct Seal {
    /// The first one seals, all of them open.
    keys: Arc<[Key]>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({} keys)", self.keys.len())
    }
}

impl Seal {
    /// With the keys of the settings. Without one, what is stored is stored as it is.
    pub fn new(redis: &Redis) -> Self {
        Self { keys: redis.keys.iter().map(|key| Key::new(key.expose_secret())).collect() }
    }

    /// The same; where no key is set, with one that comes of this secret.
    #[must_use]
    pub fn or_by(self, secret: &[u8]) -> Self {
        if self.has_key() { self } else { Self { keys: [Key::new(secret)].into() } }
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Seals a text for one place: it cannot be opened at another. `None`: the system has no random numbers.
    pub fn seal(&self, place: &str, text: &[u8]) -> Option<Vec<u8>> {
        let Some(key) = self.keys.first() else {
            return Some([&[PLAIN], text].concat());
        };
        let mut random = [0; SALT + NONCE_LEN];
        getrandom::fill(&mut random).ok()?;
        let (salt, nonce) = random.split_at(SALT);
        let mut sealed = Vec::with_capacity(HEAD + text.len() + AES_256_GCM.tag_len());
        sealed.push(SEALED);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&random);
        sealed.extend_from_slice(text);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aead = key.for_salt(salt).ok()?;
        let tag = aead.seal_in_place_separate_tag(nonce, Aad::from(place), &mut sealed[HEAD..]).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// What was sealed for a place. `None`: by nobody who has one of the keys, or for another place, or not at all where there are
    /// keys.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        match sealed.split_first()? {
            (&PLAIN, text) if self.keys.is_empty() => Some(text.to_vec()),
            (&SEALED, _) if sealed.len() >= HEAD => {
                let (head, text) = sealed.split_at(HEAD);
                let (id, rest) = head[1..].split_at(KEY_ID);
                let (salt, nonce) = rest.split_at(SALT);
                let key = self.keys.iter().find(|key| key.id == id)?;
                let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
                let mut text = text.to_vec();
                let opened = key.for_salt(salt).ok()?.open_in_place(nonce, Aad::from(place), &mut text).ok()?.len();
                text.truncate(opened);
                Some(text)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(keys: &[u8]) -> Seal {
        Seal { keys: keys.iter().map(|byte| Key::new(&[*byte; 32])).collect() }
    }

    #[test]
    fn only_a_holder_of_the_key_opens_it_and_only_at_its_place() {
        let sealed = with(&[1]).seal("here", b"Ada").expect("sealed");
        assert!(!sealed.windows(3).any(|part| part == b"Ada"));
        assert_eq!(with(&[1]).open("here", &sealed).as_deref(), Some(&b"Ada"[..]));
        assert_eq!(with(&[1]).open("there", &sealed), None);
        assert_eq!(with(&[2]).open("here", &sealed), None);
        assert_eq!(with(&[]).open("here", &sealed), None);
    }

    #[test]
    fn a_new_key_seals_while_the_old_one_still_opens() {
        let old = with(&[1]).seal("here", b"Ada").expect("sealed");
        assert!(with(&[2, 1]).open("here", &old).is_some());
        let new = with(&[2, 1]).seal("here", b"Ada").expect("sealed");
        assert!(with(&[2]).open("here", &new).is_some() && with(&[1]).open("here", &new).is_none());
    }

    #[test]
    fn where_there_is_a_key_nothing_is_taken_that_was_not_sealed() {
        let plain = with(&[]).seal("here", b"Ada").expect("as it is");
        assert_eq!(with(&[]).open("here", &plain).as_deref(), Some(&b"Ada"[..]));
        assert_eq!(with(&[1]).open("here", &plain), None);
    }

    proptest! {
        #[test]
        fn whatever_is_changed_of_it_is_seen(text: Vec<u8>, at: usize, bit in 0..8_u8) {
            let seal = with(&[1]);
            let mut sealed = seal.seal("here", &text).expect("sealed");
            prop_assert_eq!(seal.open("here", &sealed), Some(text));
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(seal.open("here", &sealed), None);
        }

        #[test]
        fn whatever_somebody_wrote_is_no_panic(text: Vec<u8>) {
            prop_assert_eq!(with(&[1]).open("here", &text), None);
        }
    }
}
