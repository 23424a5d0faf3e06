//! The data directory: its files, and the lock that one process holds.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::files;

/// Longest process number that is read from the lock's file, in bytes.
const HOLDER_BYTES_MAX: u64 = 16;

/// A data directory, whether it is there or not.
#[derive(Clone, Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join("gatewright.db")
    }

    /// SQLite's write-ahead log. It belongs to the database: one without the other is damage.
    pub(super) fn log(&self) -> PathBuf {
        self.0.join("gatewright.db-wal")
    }

    /// What SQLite needs to undo a change that was cut off, outside of its write-ahead log.
    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("gatewright.db-journal")
    }

    /// SQLite's index of its write-ahead log, which can be made anew at any time.
    pub(super) fn log_index(&self) -> PathBuf {
        self.0.join("gatewright.db-shm")
    }

    /// A database that is being made; it is renamed when it is whole.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.0.join("gatewright.db.new")
    }

    /// A database that is being restored. Without a database beside it, the restore was cut off
    /// between the old and the new one.
    pub(super) fn restoring(&self) -> PathBuf {
        self.0.join("gatewright.db.restoring")
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Makes the directory, for its owner alone, where it is missing.
    pub(super) fn create(&self) -> Result<(), OpenError> {
        let missing: Vec<&Path> = self
            .0
            .ancestors()
            .take_while(|path| !is_there(path))
            .collect();
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.0);
        // A directory is kept by the one above it.
        let mut above = missing.into_iter().filter_map(Path::parent);
        let mut kept = made.and_then(|()| above.try_for_each(files::sync_directory));
        if !self.0.is_dir() {
            kept = kept.and(Err(io::ErrorKind::NotADirectory.into()));
        }
        kept.map_err(|error| self.unusable(&error))
    }

    /// Takes the directory for this process; the kernel gives it back when the process ends.
    pub(super) fn lock(&self) -> Result<Lock, OpenError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.mode(0o600).open(self.lock_file());
        let mut file = opened.map_err(|error| self.unusable(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Held {
                    directory: self.0.clone(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(self.unusable(&error)),
        }
        let named = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        named.map_err(|error| self.unusable(&error))?;
        Ok(Lock(file))
    }

    /// Makes what was created, renamed and removed in the directory survive a power cut.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        files::sync_directory(&self.0).map_err(|error| self.unusable(&error))
    }

    pub(super) fn unusable(&self, error: &io::Error) -> OpenError {
        OpenError::Unusable {
            directory: self.0.clone(),
            reason: error.to_string(),
        }
    }
}

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // The next holder overwrites the number; until then it would name a process that is gone.
        let _ = self.0.set_len(0);
    }
}

/// Whether there is something of that name, be it a link to nothing.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The process that says in the lock's file that it holds it.
fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
