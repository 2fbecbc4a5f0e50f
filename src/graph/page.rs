//! Cursors: where a page of a list begins, as a text that means nothing to callers and cannot be altered.
//!
//! A cursor carries a checksum over the list it belongs to (location, kind, search) and its position. It is not
//! a secret: whoever forges one gets no more than another place in a list that they may read anyway.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::Error;

const CHECKSUM: usize = 12;

/// Longest text that is looked at.
const LONGEST: usize = 1024;

/// The place after a row, in the upstream's own terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// After the contact with this `startAfter` and `startAfterId`: both, always together.
    Pair(i64, Box<str>),
    /// After so many rows.
    Skip(u32),
}

impl Position {
    fn to_text(&self) -> String {
        match self {
            Self::Pair(ms, id) => format!("p{ms}:{id}"),
            Self::Skip(rows) => format!("s{rows}"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        if let Some(rows) = text.strip_prefix('s') {
            return rows.parse().ok().map(Self::Skip);
        }
        let (ms, id) = text.strip_prefix('p')?.split_once(':')?;
        Some(Self::Pair(ms.parse().ok()?, id.into()))
    }
}

/// The cursor of a position in `list`; `list` has to tell all lists of all locations apart.
pub fn encode(list: &str, position: &Position) -> String {
    let text = position.to_text();
    let mut bytes = checksum(list, &text).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position of a cursor that [`encode`] made for the same list.
pub fn decode(list: &str, cursor: &str) -> Result<Position, Error> {
    read(list, cursor).ok_or_else(|| {
        Error::bad_input(
            "`after` is not a cursor of this list. Use a cursor as it was answered, at the same location and with the same arguments.",
        )
    })
}

fn read(list: &str, cursor: &str) -> Option<Position> {
    if cursor.len() > LONGEST {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (sum, text) = bytes.split_at_checked(CHECKSUM)?;
    let text = std::str::from_utf8(text).ok()?;
    (sum == checksum(list, text)).then(|| Position::from_text(text)).flatten()
}

fn checksum(list: &str, text: &str) -> [u8; CHECKSUM] {
    let hash = Sha256::new()
        .chain_update("contacts-gateway cursor 1")
        .chain_update((list.len() as u64).to_be_bytes())
        .chain_update(list)
        .chain_update(text)
        .finalize();
    let mut first = [0; CHECKSUM];
    first.copy_from_slice(&hash[..CHECKSUM]);
    first
}
