//! Copies of a store: made while it works, verified, and put in its place again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::audit::{Contents, audit};
use super::error::OpenError;
use super::schema;
use crate::files;
use crate::model::Revision;
use crate::traits::StoreError;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The revision that it shows.
    pub revision: Revision,
    pub entries: u64,
    /// Length of the file.
    pub bytes: u64,
}

/// Why no backup was made. Nothing is left under its name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already; a backup does not replace a file", file.display())]
    Exists { file: PathBuf },
    #[error("the backup {} cannot be written: {reason}", file.display())]
    Failed { file: PathBuf, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies `database` to `to`: beside it first, then verified, synced, and renamed.
pub(super) fn back_up(database: &Path, to: &Path) -> Result<BackupReport, BackupError> {
    if to.symlink_metadata().is_ok() {
        let file = to.to_owned();
        return Err(BackupError::Exists { file });
    }
    let source = schema::reader(database).map_err(unreadable)?;
    let beside = Beside::new(to).map_err(|error| failed(to, &error))?;
    copy(&source, &beside.file).map_err(|reason| BackupError::Failed {
        file: to.to_owned(),
        reason,
    })?;
    let contents = verify(&beside.file)?;
    let bytes = sync(&beside.file).map_err(|error| failed(to, &error))?;
    match files::rename_new(&beside.file, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = to.to_owned();
            return Err(BackupError::Exists { file });
        }
        Err(error) => return Err(failed(to, &error)),
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    files::sync_directory(folder).map_err(|error| failed(to, &error))?;
    Ok(BackupReport {
        revision: contents.revision,
        entries: contents.entries,
        bytes,
    })
}

/// One statement, so all of one moment; what was deleted from the database is not in the copy.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), String> {
    let name = to.to_str().ok_or("its name is not UTF-8")?;
    let copied = source.execute("VACUUM INTO ?1", [name]);
    copied.map(drop).map_err(|error| error.to_string())
}

fn verify(file: &Path) -> Result<Contents, BackupError> {
    let copy = schema::reader(file).map_err(unreadable)?;
    schema::check_pages(file, &copy, schema::EVERY_PAGE).map_err(unreadable)?;
    Ok(audit(&copy)?)
}

pub(super) fn sync(file: &Path) -> io::Result<u64> {
    let file = File::open(file)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// A file that is removed again, unless it was renamed.
struct Beside {
    file: PathBuf,
}

impl Beside {
    /// Makes an empty file for its owner alone, in the folder of `to`.
    fn new(to: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = to.as_os_str().to_owned();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".partial-{}-{count}", std::process::id()));
        let file = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&file)?;
        Ok(Self { file })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn failed(file: &Path, error: &io::Error) -> BackupError {
    BackupError::Failed {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}

fn unreadable(error: OpenError) -> BackupError {
    BackupError::Store(StoreError::Unreadable(error.to_string()))
}
