//! Callers who present a key of the keys file.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::reach::{Callers, Reach};
use super::{Admitted, Refusal};
use crate::caller::Scopes;
use crate::clock::Clock;
use crate::config::keys;
use crate::live_file::LiveFile;
use crate::upstream::Payer;

/// The keys by their digests. Keys themselves are never compared: none is held.
type Table = HashMap<KeyDigest, Key>;

/// The digest of a key, in words. Comparing two takes the same time wherever they differ.
#[derive(Eq)]
struct KeyDigest([u64; 4]);

impl From<[u8; 32]> for KeyDigest {
    fn from(bytes: [u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks();
        Self(std::array::from_fn(|number| u64::from_ne_bytes(words[number])))
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

// By hand, as the comparison is.
impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

struct Key {
    reach: Arc<Reach>,
    expires: Option<SystemTime>,
}

/// The keys file.
pub struct Keys {
    file: Arc<LiveFile<Table>>,
    clock: Clock,
}

/// No key is longer; what is longer is not even digested.
const LONGEST: usize = 512;

impl Keys {
    pub fn open(path: &Path, callers: Callers, clock: Clock) -> anyhow::Result<Self> {
        let file = LiveFile::open(path, clock.clone(), move |text| table(text, &callers))?;
        Ok(Self { file, clock })
    }

    pub async fn caller(&self, bearer: Option<&[u8]>, location: Option<&[u8]>) -> Result<Admitted, Refusal> {
        let key = bearer.ok_or(Refusal::Unauthenticated("Send a key of this gateway: `Authorization: Bearer KEY`."))?;
        let unknown = Refusal::Unauthenticated("This gateway does not know the key.");
        if key.len() > LONGEST {
            return Err(unknown);
        }
        self.file.keep_up().await;
        let digest = KeyDigest::from(<[u8; 32]>::from(Sha256::digest(key)));
        self.file.with(|table, _| {
            let key = table.get(&digest).ok_or(unknown)?;
            match key.expires {
                Some(end) if end <= self.clock.wall() => Err(Refusal::Unauthenticated("The key has expired.")),
                _ => Ok((key.reach.at(location)?, Payer(digest.0[0]))),
            }
        })
    }
}

fn table(text: &str, callers: &Callers) -> Result<Table, String> {
    let rows = keys::parse(text).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(|problem| problem.to_string()).collect();
        problems.join("; ")
    })?;
    let keys = rows.into_iter().map(|row| {
        let scopes = Scopes::named(row.scopes.iter().map(String::as_str));
        let reach = match &row.locations {
            None => callers.everywhere(scopes),
            Some(locations) => callers.among(scopes, locations.iter().map(String::as_str)),
        };
        if reach.len() == 0 {
            tracing::warn!(name = row.name, "this key opens no location of this gateway");
        }
        (KeyDigest::from(row.sha256), Key { reach, expires: row.expires })
    });
    Ok(keys.collect())
}
