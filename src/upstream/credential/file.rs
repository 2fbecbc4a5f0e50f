//! A token in a file, read again when the file has changed: a rotation needs no restart.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::Bearer;
use crate::clock::Clock;

/// How long a look at the file holds.
///
/// A look is one `stat`, some microseconds once a second: that is cheaper than a thread that watches, needs no
/// other API for each system, and sees what watchers miss, such as files swapped by a symbolic link further up.
/// A token that dies at the moment of its rotation is no problem either: who is refused looks at once.
const HOLDS_FOR: Duration = Duration::from_secs(1);

/// No token is longer.
const LONGEST: u64 = 64 << 10;

/// A file that holds a token.
pub struct KeyFile {
    path: PathBuf,
    clock: Clock,
    seen: Mutex<Seen>,
}

struct Seen {
    bearer: Bearer,
    stamp: Option<Stamp>,
    at: Instant,
}

/// What differs once a file was written or replaced.
#[derive(PartialEq, Eq)]
struct Stamp([i64; 4], u64);

impl KeyFile {
    /// Reads the file.
    pub fn open(path: PathBuf, clock: Clock) -> io::Result<Self> {
        let stamp = stamp(&path).ok();
        let bearer = read(&path)?;
        let seen = Mutex::new(Seen { bearer, stamp, at: clock.now() });
        Ok(Self { path, clock, seen })
    }

    /// The token, as the file had it a second ago at the latest.
    pub(super) fn bearer(&self) -> Bearer {
        let mut seen = self.seen();
        let now = self.clock.now();
        if now.saturating_duration_since(seen.at) >= HOLDS_FOR {
            seen.at = now;
            let stamp = stamp(&self.path).ok();
            if stamp.is_some() && stamp != seen.stamp {
                self.take_over(&mut seen, stamp);
            }
        }
        seen.bearer.clone()
    }

    /// The token that the file has now, if it is another than the one that was refused.
    pub(super) fn instead_of(&self, refused: &Bearer) -> Option<Bearer> {
        let mut seen = self.seen();
        if seen.bearer.is(refused) {
            let stamp = stamp(&self.path).ok();
            self.take_over(&mut seen, stamp);
        }
        (seen.bearer.token() != refused.token()).then(|| seen.bearer.clone())
    }

    /// What cannot be read changes nothing: it may be just being written.
    fn take_over(&self, seen: &mut Seen, stamp: Option<Stamp>) {
        match read(&self.path) {
            Ok(bearer) => {
                if bearer.token() != seen.bearer.token() {
                    tracing::info!(file = %self.path.display(), "the file has another token, which is used from now on");
                    seen.bearer = bearer;
                }
                seen.stamp = stamp;
            }
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "the token cannot be read anew; the last one is used");
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &PathBuf) -> io::Result<Stamp> {
    let file = fs::metadata(path)?;
    Ok(Stamp([file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()], file.ino()))
}

fn read(path: &PathBuf) -> io::Result<Bearer> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    let token = text.trim();
    let sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let bearer = sendable.then(|| Bearer::new(&SecretString::from(token))).flatten();
    bearer.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "expected one token of visible ASCII"))
}
