//! The state directory: its databases outlive the process and any crash, and only their owner can read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use redb::{Builder, Database};

/// Makes what is missing of a directory below the state directory, for its owner's eyes alone.
pub fn directory(state_dir: &Path, name: &str) -> io::Result<PathBuf> {
    let mut private = DirBuilder::new();
    private.mode(0o700);
    let dir = state_dir.join(name);
    private.recursive(true).create(state_dir)?;
    match private.recursive(false).create(&dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    // It is ours, whoever made it and however wide. What a link leads to is not: root would open another's directory, or close one.
    let opened = File::open(&dir)?;
    let (there, named) = (opened.metadata()?, fs::symlink_metadata(&dir)?);
    if !named.is_dir() || (there.dev(), there.ino()) != (named.dev(), named.ino()) {
        let told = format!("{} is no directory but a link; let GATEWAY_STATE_DIR name where it leads", dir.display());
        return Err(io::Error::other(told));
    }
    opened.set_permissions(Permissions::from_mode(0o700))?;
    hand_over(&dir);
    Ok(dir)
}

/// The names of files that were made in a directory outlive a power cut once the directory itself was written.
pub fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Opens a file, or makes one that only its owner can read.
pub fn owned(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    hand_over(path);
    Ok(file)
}

/// Gives what root made to the owner of the directory that it is in: what `check` made as root could not be opened by the
/// service. Nobody else can, and nobody else has to. Never what a link leads to: the owner of the directory could make one to a file
/// of root's.
fn hand_over(path: &Path) {
    let around = path.parent().and_then(|around| fs::metadata(around).ok());
    let differs = |around: &fs::Metadata| fs::symlink_metadata(path).is_ok_and(|made| made.uid() != around.uid());
    if let Some(around) = around.filter(differs) {
        let _ = lchown(path, Some(around.uid()), Some(around.gid()));
    }
}

/// Opens a database to write it, and makes it where there is none. `cache`: most memory for it, in bytes.
pub fn database(path: &Path, cache: usize) -> Result<Database, redb::Error> {
    if is_missing(path) {
        make(path, cache)?;
    }
    Ok(Builder::new().set_cache_size(cache).open(path)?)
}

/// Whether there is no database yet.
pub fn is_missing(path: &Path) -> bool {
    // Whoever cannot be asked is not missing: making another would put it in the place of the one that is there.
    match fs::metadata(path) {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Makes the database under another name first: one that a crash left half made could not be opened any more.
fn make(path: &Path, cache: usize) -> Result<(), redb::Error> {
    let aside = path.with_extension("new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // The database opens what is there, and would make it readable for others.
    let file = owned(&aside)?;
    drop(Builder::new().set_cache_size(cache).create(&aside)?);
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync(path.parent().unwrap_or(Path::new(".")))?;
    Ok(())
}

/// What is wrong with a database, and what helps where its file is none or is damaged. It is not taken away here: somebody
/// may be able to put it right, and what is in it is nowhere else. `without`: what it is like to begin with another.
pub fn mended(error: &redb::Error, without: &str) -> String {
    let is_damaged = match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    };
    match is_damaged {
        true => format!("{error}. Put a copy of the file in its place, or move it away: then {without}"),
        false => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_is_narrowed_and_what_a_link_leads_to_is_left_alone() {
        let around = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let wide = |name: &str| {
            let path = around.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (own, other) = (wide("own"), wide("other"));
        assert_eq!(directory(around.path(), "own").unwrap(), own);
        assert_eq!(mode(&own), 0o700);
        symlink(&other, around.path().join("link")).unwrap();
        let told = directory(around.path(), "link").unwrap_err().to_string();
        assert!(told.contains("link") && mode(&other) == 0o755, "{told}");
    }
}
