//! A backup, put in place.
//!
//! # Revisions after a restore
//!
//! The restored store begins a billion revisions after the highest one that is known, and its
//! change log begins there, empty. So no number ever names two different steps: who watched the
//! store before, or holds a revision to write with [`Condition::ModifiedAt`], is not answered from
//! another history. A watch is told [`WatchError::Compacted`] and lists anew; a write is a conflict
//! unless the backup has the very entry. Entries keep the revisions that they had.
//!
//! etcd's own tool does the same when it is told `--bump-revision 1000000000 --mark-compacted`.
//!
//! [`Condition::ModifiedAt`]: crate::Condition::ModifiedAt
//! [`WatchError::Compacted`]: crate::WatchError::Compacted

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::audit::{Contents, audit};
use super::backup::{copy, sync};
use super::directory::{Directory, is_there};
use super::error::OpenError;
use super::hold;
use super::schema::{self, State};
use crate::model::Revision;
use crate::traits::StoreError;

/// More steps than any store makes between a backup and its loss.
const REVISION_GAP: u64 = 1_000_000_000;

/// Databases that are kept aside in one directory.
const ASIDE_MAX: u32 = 1_000;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The revision that the backup shows.
    pub backup: Revision,
    /// The revision that the store goes on from.
    pub revision: Revision,
    pub entries: u64,
    /// The database that was there before; its write-ahead log, if any, lies beside it.
    pub kept_aside: Option<PathBuf>,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the backup {} cannot be restored: {reason}", file.display())]
    Backup { file: PathBuf, reason: String },
    #[error(
        "the data directory {} has a database already; restore with --replace: it is kept aside",
        directory.display()
    )]
    Occupied { directory: PathBuf },
    #[error(transparent)]
    Directory(#[from] OpenError),
}

/// Verifies the backup `from` and makes it the database of `directory`, which is made where it is
/// missing. A database that is there is refused, or with `replace` renamed. The sealing key is no
/// part of a backup: the directory must have, or get, the one that it had.
///
/// A restore that is cut off leaves the old database, or the new one, or a directory that says so
/// when it is opened; it can be run again.
///
/// # Errors
/// When the backup is damaged or newer than this program, or the directory is in use, cannot be
/// written, or has a database.
pub fn restore(
    from: &Path,
    directory: &Path,
    replace: bool,
) -> Result<RestoreReport, RestoreError> {
    let source = open_backup(from)?;
    let (directory, _lock) = hold(directory)?;
    let parts = [directory.database(), directory.log(), directory.journal()];
    let occupied = parts.iter().any(|part| is_there(part));
    if occupied && !replace {
        return Err(RestoreError::Occupied {
            directory: directory.path().to_owned(),
        });
    }
    let beside = directory.restoring();
    let cut_off = is_there(&beside);
    let prepared = prepare(from, &source, &directory);
    if prepared.is_err() && !cut_off {
        schema::discard(&directory, &beside)?;
    }
    let (contents, revision) = prepared?;
    let kept_aside = occupied.then(|| set_aside(&directory)).transpose()?;
    let moved = std::fs::rename(&beside, directory.database());
    moved.map_err(|error| directory.unusable(&error))?;
    directory.sync()?;
    Ok(RestoreReport {
        backup: contents.revision,
        revision,
        entries: contents.entries,
        kept_aside,
    })
}

fn open_backup(from: &Path) -> Result<Connection, RestoreError> {
    let opened = schema::reader(from).and_then(|source| {
        schema::check_header(from, &source)?;
        schema::check_version(from, &source)?;
        schema::check_pages(from, &source, schema::EVERY_PAGE)?;
        Ok(source)
    });
    opened.map_err(|error| backup_error(from, error))
}

/// The file's name is said once.
fn backup_error(from: &Path, error: OpenError) -> RestoreError {
    let reason = match error {
        OpenError::Damaged { reason, .. } | OpenError::Failed { reason, .. } => reason,
        other => return other.into(),
    };
    RestoreError::Backup {
        file: from.to_owned(),
        reason,
    }
}

/// Makes the new database beside its place, on disk. What an earlier restore left there is written
/// over, not removed: it says that the directory is not an empty one.
fn prepare(
    from: &Path,
    source: &Connection,
    directory: &Directory,
) -> Result<(Contents, Revision), RestoreError> {
    let beside = directory.restoring();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let made = options.open(&beside);
    made.map_err(|error| directory.unusable(&error))?;
    copy(source, &beside).map_err(|reason| OpenError::Failed {
        file: beside.clone(),
        reason,
    })?;
    let prepared = rebase(from, &beside, last_revision(directory))?;
    sync(&beside).map_err(|error| directory.unusable(&error))?;
    directory.sync()?;
    Ok(prepared)
}

/// Brings the copy to the present version, verifies it, and moves its revision to where no
/// revision was before.
fn rebase(
    from: &Path,
    copy: &Path,
    last: Option<u64>,
) -> Result<(Contents, Revision), RestoreError> {
    let about_backup = |error: StoreError| RestoreError::Backup {
        file: from.to_owned(),
        reason: error.to_string(),
    };
    let opened = schema::connect(copy, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let mut connection = opened?;
    let migrated = schema::migrate_to_present(copy, &mut connection)
        .and_then(|()| schema::check_tables(copy, &connection));
    migrated.map_err(|error| backup_error(from, error))?;
    let contents = audit(&connection).map_err(about_backup)?;
    let base = contents.revision.0.max(last.unwrap_or(0));
    let revision = base.checked_add(REVISION_GAP);
    let revision = revision.filter(|revision| i64::try_from(*revision).is_ok());
    let revision = revision.ok_or_else(|| {
        about_backup(StoreError::Unreadable(
            "its revision is too high".to_owned(),
        ))
    })?;
    move_revision(&connection, revision).map_err(about_backup)?;
    let closed = connection.close();
    closed.map_err(|(_, error)| about_backup(error.into()))?;
    Ok((contents, Revision(revision)))
}

fn move_revision(connection: &Connection, revision: u64) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch("DELETE FROM change; DELETE FROM step;")?;
    let state = State {
        revision,
        compacted: revision,
        log_bytes: 0,
    };
    state.write(&transaction)?;
    Ok(transaction.commit()?)
}

/// Of the database that is there, if it can be read. It is kept as it is, with its logs: whoever
/// wants to know what went wrong with it needs it so.
fn last_revision(directory: &Directory) -> Option<u64> {
    let file = directory.database();
    if !is_there(&file) {
        return None;
    }
    let connection = schema::reader(&file).ok()?;
    schema::check_header(&file, &connection).ok()?;
    State::read(&connection).ok().map(|state| state.revision)
}

/// Renames the database and its logs, which are of no use without each other. Cut off in between,
/// the directory has no database beside a restore, and is refused when it is opened.
fn set_aside(directory: &Directory) -> Result<PathBuf, OpenError> {
    let named = |file: PathBuf, suffix: &str| {
        let mut name = file.into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    let names = (1..=ASIDE_MAX).map(|n| {
        let aside = named(directory.database(), &format!(".replaced-{n}"));
        [
            (aside.clone(), ""),
            (aside.clone(), "-wal"),
            (aside, "-journal"),
        ]
        .map(|(aside, part)| named(aside, part))
    });
    let mut free = names.filter(|names| !names.iter().any(|name| is_there(name)));
    let Some([database, log, journal]) = free.next() else {
        let error = io::Error::other("too many databases were kept aside; remove some");
        return Err(directory.unusable(&error));
    };
    for (from, to) in [
        (directory.database(), &database),
        (directory.log(), &log),
        (directory.journal(), &journal),
    ] {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(directory.unusable(&error));
            }
            _ => {}
        }
    }
    schema::discard(directory, &directory.log_index())?;
    directory.sync()?;
    Ok(database)
}
