//! The database: its tables, the steps between versions of them, and how it is opened.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::directory::{Directory, is_there};
use super::error::{OpenError, is_damage};
use crate::traits::StoreError;

/// Marks a database as one of ours, in its header: "GWst".
const APPLICATION_ID: i64 = 0x4757_7374;

/// The step at place `n` leads from version `n` to version `n + 1`. A step that was released is
/// never changed: databases out there were made by it.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        log_bytes INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0);
    CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE entry (
        key TEXT NOT NULL PRIMARY KEY,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE TABLE step (revision INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
    CREATE TABLE change (
        revision INTEGER NOT NULL,
        key TEXT NOT NULL,
        created INTEGER,
        value BLOB,
        PRIMARY KEY (revision, key)
    ) STRICT;
",
    // The length of a value that lies there packed: see `packing`.
    "
    ALTER TABLE entry ADD COLUMN unpacked INTEGER;
    ALTER TABLE change ADD COLUMN unpacked INTEGER;
",
];

/// Asks SQLite whether every page of a file holds together, and indexes are those of their tables.
pub(super) const EVERY_PAGE: &str = "PRAGMA integrity_check(1)";

/// The same without the indexes, in time that grows with the file only: for every start.
const TREES_ONLY: &str = "PRAGMA quick_check(1)";

/// How long a statement waits for another connection of this process.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// The write-ahead log's file is cut back to this size when it starts anew, in bytes.
const LOG_FILE_BYTES: i64 = 64 * 1024 * 1024;

/// The one row of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Of the last step.
    pub(super) revision: u64,
    /// The last step that the change log does not hold any more; it holds every later one.
    pub(super) compacted: u64,
    /// What the change log holds, in bytes of keys and values.
    pub(super) log_bytes: u64,
}

impl State {
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let query = "SELECT revision, compacted, log_bytes FROM state WHERE one = 1";
        let mut statement = connection.prepare_cached(query)?;
        let state = statement.query_row((), |row| {
            Ok(Self {
                revision: row.get(0)?,
                compacted: row.get(1)?,
                log_bytes: row.get(2)?,
            })
        })?;
        if state.compacted > state.revision {
            let reason = "the change log is said to begin after the last revision";
            return Err(StoreError::Unreadable(reason.to_owned()));
        }
        Ok(state)
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let update = "UPDATE state SET revision = ?1, compacted = ?2, log_bytes = ?3";
        let mut statement = connection.prepare_cached(update)?;
        statement.execute((self.revision, self.compacted, self.log_bytes))?;
        Ok(())
    }
}

/// Opens the directory's database for its one writer, brings it to the present version, and makes
/// it where there is none.
pub(super) fn open(directory: &Directory) -> Result<Connection, OpenError> {
    let file = directory.database();
    if !is_there(&file) {
        create(directory)?;
    }
    discard(directory, &directory.unfinished())?;
    discard(directory, &directory.restoring())?;
    let mut connection = connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_header(&file, &connection)?;
    check_pages(&file, &connection, TREES_ONLY)?;
    migrate(&file, &mut connection, &STEPS)?;
    check_tables(&file, &connection)?;
    write_ahead(&file, &connection)?;
    Ok(connection)
}

/// Opens a database that was checked already, for the writer.
pub(super) fn reopen(file: &Path) -> Result<Connection, OpenError> {
    let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    write_ahead(file, &connection)?;
    Ok(connection)
}

/// Opens a database that was checked already, for reading only.
pub(super) fn reader(file: &Path) -> Result<Connection, OpenError> {
    connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Makes an empty database beside its place, and moves it there when it is whole: an empty file
/// under the final name is thus always damage, which SQLite alone would take for a new database.
fn create(directory: &Directory) -> Result<(), OpenError> {
    refuse_remains(directory)?;
    let file = directory.unfinished();
    discard(directory, &file)?;
    make(&file, &STEPS)?;
    let moved = std::fs::rename(&file, directory.database());
    moved.map_err(|error| directory.unusable(&error))?;
    directory.sync()
}

/// What lies there without a database says that there was one.
fn refuse_remains(directory: &Directory) -> Result<(), OpenError> {
    let file = directory.database();
    if is_there(&directory.restoring()) {
        let reason = "a restore was cut off and must be run again";
        return Err(damaged(&file, reason));
    }
    let holds = |file: PathBuf| file.metadata().is_ok_and(|file| file.len() > 0);
    if holds(directory.log()) || holds(directory.journal()) {
        let reason = "the file is missing, but its write-ahead log is there";
        return Err(damaged(&file, reason));
    }
    Ok(())
}

/// Removes a file that may be missing.
pub(super) fn discard(directory: &Directory, file: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(directory.unusable(&error))
        }
        _ => Ok(()),
    }
}

/// Makes a database of the version that `steps` lead to, on disk, for its owner alone.
fn make(file: &Path, steps: &[&str]) -> Result<(), OpenError> {
    let failed = |error: std::io::Error| OpenError::Failed {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let created = options.open(file).map_err(failed)?;
    let mut connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mark = connection.pragma_update(None, "application_id", APPLICATION_ID);
    mark.map_err(|error| cannot(file, &error))?;
    migrate(file, &mut connection, steps)?;
    drop(connection);
    created.sync_all().map_err(failed)
}

pub(super) fn connect(file: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags);
    let connection = connection.map_err(|error| cannot(file, &error))?;
    configure(&connection).map_err(|error| cannot(file, &error))?;
    Ok(connection)
}

/// What a tampered file could do is kept small: no code in the schema, no writing to it by name,
/// no trust in a page's own counts.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "memory")
}

/// Every commit is on the disk before it is told: the write-ahead log is synced each time.
fn write_ahead(file: &Path, connection: &Connection) -> Result<(), OpenError> {
    let set = || {
        // Checkpoints are the writer's, after commits were told: see `writer`.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "synchronous", "full")?;
        // Without it, macOS leaves what was synced in the disk's own memory.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "journal_size_limit", LOG_FILE_BYTES)?;
        let journal = "PRAGMA journal_mode = wal";
        let mode: String = connection.query_row(journal, (), |row| row.get(0))?;
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0))?;
        Ok((mode, synchronous))
    };
    let set: rusqlite::Result<(String, i64)> = set();
    let (mode, synchronous) = set.map_err(|error| cannot(file, &error))?;
    if mode != "wal" || synchronous != 2 {
        return Err(OpenError::Failed {
            file: file.to_owned(),
            reason: format!("it works in mode {mode} with synchronous={synchronous}"),
        });
    }
    Ok(())
}

/// Whether the file is one of ours at all.
pub(super) fn check_header(file: &Path, connection: &Connection) -> Result<(), OpenError> {
    let application = pragma(file, connection, "application_id")?;
    let version = pragma(file, connection, "user_version")?;
    if application != APPLICATION_ID || version < 1 {
        return Err(damaged(file, "it is not a database of gatewright"));
    }
    Ok(())
}

/// Whether this program knows the version of the file.
pub(super) fn check_version(file: &Path, connection: &Connection) -> Result<(), OpenError> {
    missing_steps(file, connection, &STEPS).map(drop)
}

pub(super) fn migrate_to_present(
    file: &Path,
    connection: &mut Connection,
) -> Result<(), OpenError> {
    migrate(file, connection, &STEPS)
}

/// Carries out the steps that the database has not seen, each in a transaction of its own.
fn migrate(file: &Path, connection: &mut Connection, steps: &[&str]) -> Result<(), OpenError> {
    let (found, missing) = missing_steps(file, connection, steps)?;
    for (version, step) in (found + 1..).zip(missing) {
        migrate_to(connection, version, step).map_err(|error| cannot(file, &error))?;
    }
    Ok(())
}

/// The version of the database, and the steps after it.
fn missing_steps<'a>(
    file: &Path,
    connection: &Connection,
    steps: &'a [&'a str],
) -> Result<(i64, &'a [&'a str]), OpenError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found = pragma(file, connection, "user_version")?;
    let missing = usize::try_from(found).ok().and_then(|at| steps.get(at..));
    missing
        .map(|missing| (found, missing))
        .ok_or_else(|| OpenError::Newer {
            file: file.to_owned(),
            found,
            known,
        })
}

fn migrate_to(connection: &mut Connection, version: i64, step: &str) -> rusqlite::Result<()> {
    let behavior = TransactionBehavior::Immediate;
    let transaction: Transaction<'_> = connection.transaction_with_behavior(behavior)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

/// Asks SQLite with `pragma` whether the pages of the file hold together.
pub(super) fn check_pages(
    file: &Path,
    connection: &Connection,
    pragma: &str,
) -> Result<(), OpenError> {
    let verdict = connection.query_row(pragma, (), |row| row.get::<_, String>(0));
    match verdict.map_err(|error| cannot(file, &error))?.as_str() {
        "ok" => Ok(()),
        verdict => Err(damaged(file, verdict)),
    }
}

/// Whether a database of the present version has the tables of it, and nothing else.
pub(super) fn check_tables(file: &Path, connection: &Connection) -> Result<(), OpenError> {
    let expected = expected_schema().map_err(|error| cannot(file, &error))?;
    let found = schema(connection).map_err(|error| cannot(file, &error))?;
    if found != expected {
        return Err(damaged(file, "its tables are not those of its version"));
    }
    State::read(connection).map_err(|error| damaged(file, &error.to_string()))?;
    Ok(())
}

/// What every database of the present version has, whichever version it was made in.
fn expected_schema() -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let fresh = Connection::open_in_memory()?;
    for step in STEPS {
        fresh.execute_batch(step)?;
    }
    schema(&fresh)
}

/// With the text encoding first: another one would order keys in another way.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let encoding = connection.query_row("PRAGMA encoding", (), |row| row.get(0))?;
    let mut found = vec![("encoding".to_owned(), encoding, None)];
    // SQLite's own tables of statistics come and go.
    let query = "SELECT type, name, sql FROM sqlite_schema
                 WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name";
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        found.push(row?);
    }
    Ok(found)
}

fn pragma(file: &Path, connection: &Connection, name: &str) -> Result<i64, OpenError> {
    let value = connection.pragma_query_value(None, name, |row| row.get(0));
    value.map_err(|error| cannot(file, &error))
}

fn damaged(file: &Path, reason: &str) -> OpenError {
    OpenError::Damaged {
        file: file.to_owned(),
        reason: reason.to_owned(),
    }
}

pub(super) fn cannot(file: &Path, error: &rusqlite::Error) -> OpenError {
    let (file, reason) = (file.to_owned(), error.to_string());
    if is_damage(error) {
        OpenError::Damaged { file, reason }
    } else {
        OpenError::Failed { file, reason }
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
