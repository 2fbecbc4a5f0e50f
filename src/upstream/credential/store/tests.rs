//! What a crash leaves of the store, at each step of making and of writing it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use redb::{BackendError, StorageBackend};
use serde_json::json;

use super::*;

/// One step on the way to the disk.
#[derive(Clone, Debug)]
enum Step {
    Length(u64),
    Bytes(u64, Vec<u8>),
}

/// A file in memory that remembers how it came to be.
#[derive(Clone, Debug, Default)]
struct Recorded(Arc<Mutex<(Vec<u8>, Vec<Step>)>>);

impl Recorded {
    fn with<T>(&self, look: impl FnOnce(&mut (Vec<u8>, Vec<Step>)) -> T) -> Result<T, BackendError> {
        Ok(look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn steps(&self) -> Vec<Step> {
        self.with(|(_, steps)| steps.clone()).expect("a lock")
    }
}

impl StorageBackend for Recorded {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.with(|(bytes, _)| bytes.len() as u64).expect("a lock"))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let at = offset as usize;
        self.with(|(bytes, _)| out.copy_from_slice(&bytes[at..at + out.len()])).expect("a lock");
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.with(|(bytes, steps)| {
            bytes.resize(len as usize, 0);
            steps.push(Step::Length(len));
        })
        .expect("a lock");
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let at = offset as usize;
        self.with(|(bytes, steps)| {
            bytes[at..at + data.len()].copy_from_slice(data);
            steps.push(Step::Bytes(offset, data.to_vec()));
        })
        .expect("a lock");
        Ok(())
    }
}

/// The file after these steps, the last of which was torn in the middle.
fn after(steps: &[Step], torn: bool) -> Vec<u8> {
    let mut file = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::Length(len) => file.resize(*len as usize, 0),
            Step::Bytes(offset, data) => {
                let most = if torn && n + 1 == steps.len() { data.len() / 2 } else { data.len() };
                file[*offset as usize..*offset as usize + most].copy_from_slice(&data[..most]);
            }
        }
    }
    file
}

fn row(token: &str) -> Row {
    let row = json!({ "access_token": token, "refresh_token": "r", "expires_at": 1, "lifetime": 1, "scope": "",
                      "user_type": "Location", "location_id": null, "company_id": null });
    serde_json::from_value(row).expect("a row")
}

fn bytes(token: &str) -> Vec<u8> {
    serde_json::to_vec(&row(token)).expect("JSON")
}

fn write(database: &Database, token: &str) {
    let write = database.begin_write().expect("a write");
    write.open_table(GRANTS).expect("a table").insert("grant", &*bytes(token)).expect("a row");
    write.commit().expect("a commit");
}

/// A store whose database file has these bytes.
fn store_of(file: &[u8]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("credentials")).expect("a directory");
    fs::write(dir.path().join("credentials/grants.redb"), file).expect("a file");
    let store = Store::open(dir.path()).expect("a store");
    (dir, store)
}

#[test]
fn a_write_that_is_cut_off_anywhere_leaves_the_old_row_or_the_new_one() {
    let recorded = Recorded::default();
    let database = Builder::new().create_with_backend(recorded.clone()).expect("a database");
    write(&database, "old");
    drop(database);
    let before = recorded.steps().len();
    let database = Builder::new().create_with_backend(recorded.clone()).expect("a database");
    write(&database, "new");
    drop(database);
    let steps = recorded.steps();
    let mut seen = Vec::new();
    for n in before..=steps.len() {
        for torn in [false, true] {
            let (_dir, store) = store_of(&after(&steps[..n], torn));
            let found = store.look("grant").expect("a database").expect("a row");
            assert!(found == bytes("old") || found == bytes("new"), "{n} of {}, torn: {torn}", steps.len());
            if seen.last() != Some(&found) {
                seen.push(found);
            }
        }
    }
    assert!(steps.len() > before + 3 && seen.first() == Some(&bytes("old")) && seen.last() == Some(&bytes("new")));
}

#[test]
fn a_store_that_was_made_by_halves_is_made_again() {
    let recorded = Recorded::default();
    drop(Builder::new().create_with_backend(recorded.clone()).expect("a database"));
    let steps = recorded.steps();
    for n in 0..=steps.len() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("credentials")).expect("a directory");
        fs::write(dir.path().join("credentials/grants.new"), after(&steps[..n], true)).expect("a file");
        let store = Store::open(dir.path()).expect("a store");
        assert_eq!(store.look("grant"), Ok(None), "{n}");
        assert!(!dir.path().join("credentials/grants.new").exists());
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone_and_told_with_what_helps() {
    for file in [&b"something else"[..], &[0; 4096]] {
        let (dir, store) = store_of(file);
        let told = store.look("grant").expect_err("a refusal");
        assert!(told.contains("grants.redb") && told.contains("move it away") && told.contains("/oauth/install"));
        assert_eq!(fs::read(dir.path().join("credentials/grants.redb")).expect("the file"), file);
    }
}

#[test]
fn what_a_link_leads_to_is_not_given_away() {
    let (dir, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    // Only root can give anything away, and without root there is one owner.
    let _ = std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534));
    let (link, target) = (dir.path().join("grants.new"), elsewhere.path().join("file"));
    fs::write(&target, "").expect("a file");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let owner = || fs::metadata(&target).expect("a file").uid();
    let before = owner();
    owned(&link).expect("a file");
    assert_eq!(owner(), before);
}
