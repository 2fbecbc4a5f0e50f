//! Where tokens outlive the process: a small database below the state directory, for its owner's eyes alone.
//!
//! The database is opened for a moment, under a lock, and not for the life of the process: tokens change once a day,
//! and so `check` and a second gateway (the next one of a rolling restart) work beside the one that runs.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::{Builder, Database, ReadableDatabase, TableDefinition};
use tokio::time::{Instant, sleep};

use super::tokens::Row;
use super::trouble::Trouble;
use crate::state::{self, is_missing, mended, owned};

/// By the grant's key, JSON.
const GRANTS: TableDefinition<&str, &[u8]> = TableDefinition::new("grants");

/// Most memory for the database: it has a few rows.
const CACHE: usize = 1 << 20;

/// What it is like without what was kept.
const WITHOUT: &str = "the locations begin again with the tokens of the settings, or with /oauth/install";

/// Most time that another process may take to renew the same grant.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tokens that are kept. Clones share the directory.
#[derive(Clone)]
pub struct Store(Arc<PathBuf>);

/// While it lives, no other process renews this grant. The system takes it back from a process that died.
pub struct Hold(#[allow(dead_code, reason = "it is held, not looked at")] File);

impl Store {
    /// Makes what is missing of the directory; fails where nothing could be kept.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let dir = state::directory(state_dir, "credentials")?;
        let store = Self(Arc::new(dir));
        if is_missing(&store.path()) {
            store.with(|_| Ok(())).map_err(io::Error::other)?;
        }
        state::sync(&store.0)?;
        state::sync(state_dir)?;
        Ok(store)
    }

    /// The newest tokens of a grant; for the start, before anything is waited for.
    pub fn read(&self, key: &str) -> Result<Option<Row>, Trouble> {
        let found = self.look(key).map_err(Trouble::Storage)?;
        found.map(|row| serde_json::from_slice(&row).map_err(|_| unreadable())).transpose()
    }

    /// The same, while other work goes on.
    pub async fn get(&self, key: &str) -> Result<Option<Row>, Trouble> {
        let (store, key) = (self.clone(), key.to_owned());
        aside(move || store.read(&key)).await
    }

    /// Keeps the tokens; returns when they are on the disk.
    pub async fn put(&self, key: &str, row: Row) -> Result<(), Trouble> {
        let (store, key) = (self.clone(), key.to_owned());
        let row = serde_json::to_vec(&row).map_err(|_| unreadable())?;
        aside(move || {
            let put = store.with(|database| {
                let write = database.begin_write()?;
                write.open_table(GRANTS)?.insert(&*key, &*row)?;
                // A commit is durable when it returns; that is redb's default and what all of this is about.
                write.commit()?;
                Ok(())
            });
            put.map_err(Trouble::Storage)
        })
        .await
    }

    /// Waits until no other process renews this grant.
    pub async fn hold(&self, key: &str) -> Result<Hold, Trouble> {
        let name = key.get(..16).unwrap_or(key);
        let file = owned(&self.0.join(format!("{name}.lock"))).map_err(|error| Trouble::Storage(error.to_string()))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Hold(file)),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(Trouble::Storage("another process is renewing this grant and does not end".into()));
                }
                Err(TryLockError::Error(error)) => return Err(Trouble::Storage(error.to_string())),
            }
        }
    }

    /// Looks without writing: opening a database to write it waits for the disk several times. What a crash left
    /// unfinished has to be put right first, and that is a write.
    fn look(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let locked = self.lock()?;
        let found = Builder::new()
            .set_cache_size(CACHE)
            .open_read_only(self.path())
            .map_err(redb::Error::from)
            .and_then(|database| row(&database, key));
        drop(locked);
        found.or_else(|_| self.with(|database| row(database, key)))
    }

    /// Opens the database for a moment, to write it.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, String> {
        let _locked = self.lock()?;
        let path = self.path();
        let told = |error: redb::Error| format!("{}: {}", path.display(), mended(&error, WITHOUT));
        state::database(&path, CACHE).and_then(|database| work(&database)).map_err(told)
    }

    /// Keeps all others out, in this process and in others. Moments are short, so that waiting for one needs no end.
    fn lock(&self) -> Result<File, String> {
        let told = |error: io::Error| format!("{}: {error}", self.0.display());
        let lock = owned(&self.0.join("grants.lock")).map_err(told)?;
        lock.lock().map_err(told)?;
        Ok(lock)
    }

    fn path(&self) -> PathBuf {
        self.0.join("grants.redb")
    }
}

fn row(database: &impl ReadableDatabase, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let table = match database.begin_read()?.open_table(GRANTS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    Ok(table.get(key)?.map(|row| row.value().to_vec()))
}

fn unreadable() -> Trouble {
    Trouble::Storage("a row is not what this version writes".into())
}

/// Does what waits for a disk where it holds up nobody else.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Trouble::Storage("the work on the database ended early".into())))
}

#[cfg(test)]
mod tests;
