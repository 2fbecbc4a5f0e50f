//! Tokens in files: those that are given, and those that are kept.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use super::*;

/// A gateway whose token is in a file.
async fn with_key_file() -> (Stage, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let path = dir.path().join("key");
    fs::write(&path, format!("{}\n", sandbox.info().token)).expect("a file");
    let settings = [("LOCATION_ID", sandbox.info().location_id.clone()), ("API_KEY_FILE", path.display().to_string())];
    (over(sandbox, &settings).await, dir)
}

/// Writes the file as rotations do: a new one in its place.
fn rotate(stage: &Stage, dir: &TempDir, token: &str) {
    stage.sandbox.allow(token, &stage.sandbox.info().location_id, &["contacts.readonly"]);
    fs::write(dir.path().join("key.new"), token).expect("a file");
    fs::rename(dir.path().join("key.new"), dir.path().join("key")).expect("a move");
}

#[tokio::test]
async fn a_token_file_that_changes_is_used_a_second_later() {
    let (stage, dir) = with_key_file().await;
    name(&stage, 0).await;
    rotate(&stage, &dir, "pit-second");
    stage.clock.advance(Duration::from_secs(1));
    name(&stage, 1).await;
    // The old one is not sent any more, or this would be two calls.
    stage.sandbox.revoke(&stage.sandbox.info().token);
    name(&stage, 2).await;
    assert_eq!(calls(&stage), [0, 0, 3]);
}

#[tokio::test]
async fn a_token_that_dies_as_its_file_changes_is_replaced_within_the_call() {
    let (stage, dir) = with_key_file().await;
    name(&stage, 0).await;
    rotate(&stage, &dir, "pit-second");
    stage.sandbox.revoke(&stage.sandbox.info().token);
    name(&stage, 1).await;
    assert_eq!(calls(&stage), [0, 0, 3], "refused once, answered with the new one");
    assert_eq!(ready(&stage).await, 200);
}

#[tokio::test]
async fn a_token_file_that_is_gone_or_no_token_leaves_the_last_one_in_use() {
    let (stage, dir) = with_key_file().await;
    let path = dir.path().join("key");
    for (n, content) in ["", "two words", "\u{fc}"].into_iter().enumerate() {
        fs::write(&path, content).expect("a file");
        stage.clock.advance(Duration::from_secs(2));
        name(&stage, n).await;
    }
    fs::remove_file(&path).expect("a file");
    stage.clock.advance(Duration::from_secs(2));
    name(&stage, 4).await;
    assert_eq!(calls(&stage), [0, 0, 4]);
    stage.sandbox.revoke(&stage.sandbox.info().token);
    assert!(is_refused(&ask_name(&stage, 5).await));
    assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 1], 503));
}

#[tokio::test]
async fn a_static_token_that_is_refused_is_asked_once() {
    let (stage, _dir) = with_key_file().await;
    stage.sandbox.revoke(&stage.sandbox.info().token);
    assert!(is_refused(&ask_name(&stage, 0).await));
    assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 1], 503));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("what is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_kept_is_for_its_owners_eyes_alone() {
    let state = tempfile::tempdir().expect("a directory");
    // An operator's own directory is left as it is, and one that was made too wide is closed.
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let ours = state.path().join("credentials");
    fs::create_dir(&ours).expect("a directory");
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o777)).expect("a mode");
    let sandbox = sandbox("").await;
    let settings = granted(&sandbox, &state);
    let stage = over(sandbox, &settings).await;
    name(&stage, 0).await;
    assert_eq!((mode(state.path()), mode(&ours)), (0o755, 0o700));
    let mut files: Vec<_> = fs::read_dir(&ours).expect("files").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");

    let missing = tempfile::tempdir().expect("a directory");
    let deep = missing.path().join("a/b");
    let mut settings = settings;
    settings.retain(|(name, _)| *name != "STATE_DIR");
    settings.push(("STATE_DIR", deep.display().to_string()));
    let sandbox = self::sandbox("").await;
    let stage = over(sandbox, &settings).await;
    name(&stage, 0).await;
    assert_eq!(mode(&deep), 0o700);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_told_with_what_helps_and_left_as_it_is() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let settings = granted(&sandbox, &state);
    let file = state.path().join("credentials/grants.redb");
    fs::create_dir(state.path().join("credentials")).expect("a directory");
    fs::write(&file, [0; 4096]).expect("a file");
    let (code, told) = served::run(&["serve"], &sandbox, &settings).await;
    assert!(code == 1 && told.contains("grants.redb") && told.contains("move it away"), "{told}");
    assert_eq!(fs::read(&file).expect("the file"), [0; 4096]);
    fs::rename(&file, file.with_extension("bad")).expect("a move");
    let (code, told) = served::run(&["check"], &sandbox, &settings).await;
    assert_eq!(code, 0, "{told}");
}

/// The service has an owner of its own; `check` is run by whoever looks after it, root as a rule.
#[tokio::test]
async fn what_check_makes_belongs_to_the_owner_of_the_state_directory() {
    let state = tempfile::tempdir().expect("a directory");
    // Only root can, and without root there is one owner.
    let _ = std::os::unix::fs::chown(state.path(), Some(65_534), Some(65_534));
    let sandbox = sandbox("").await;
    let (code, told) = served::run(&["check"], &sandbox, &granted(&sandbox, &state)).await;
    assert_eq!(code, 0, "{told}");
    let owner = |path: &Path| fs::metadata(path).expect("what is there").uid();
    let ours = state.path().join("credentials");
    let files = fs::read_dir(&ours).expect("files").map(|file| file.expect("a file").path());
    let made: Vec<_> = files.chain([ours]).collect();
    assert_eq!(made.len(), 4, "{made:?}");
    assert!(made.iter().all(|path| owner(path) == owner(state.path())), "{made:?}");
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_made_is_told_at_the_start() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    fs::write(state.path().join("file"), "").expect("a file");
    let mut settings = granted(&sandbox, &state);
    settings.retain(|(name, _)| *name != "STATE_DIR");
    settings.push(("STATE_DIR", state.path().join("file/dir").display().to_string()));
    let (code, told) = served::run(&["serve"], &sandbox, &settings).await;
    assert!(code == 1 && told.contains("GATEWAY_STATE_DIR"), "{told}");
    // Where nothing is kept, nothing is made.
    let settings =
        [("LOCATION_ID", "L".to_owned()), ("API_KEY", "t".to_owned()), settings.pop().expect("the directory")];
    let (_, told) = served::run(&["check"], &sandbox, &settings).await;
    assert!(!told.contains("GATEWAY_STATE_DIR"), "{told}");
}
