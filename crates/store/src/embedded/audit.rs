//! Holds what a database says against itself: more than SQLite can know.

use rusqlite::{Connection, OptionalExtension};

use super::rows;
use super::schema::State;
use crate::model::{Key, Revision};
use crate::traits::StoreError;

/// What a database holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents {
    pub(super) revision: Revision,
    pub(super) entries: u64,
}

/// Reads every entry and every change. `connection` must be in a transaction, or be alone.
pub(super) fn audit(connection: &Connection) -> Result<Contents, StoreError> {
    let state = State::read(connection)?;
    let entries = entries(connection, &state)?;
    steps(connection, &state)?;
    changes(connection, &state)?;
    Ok(Contents {
        revision: Revision(state.revision),
        entries,
    })
}

fn entries(connection: &Connection, state: &State) -> Result<u64, StoreError> {
    let query = "SELECT key, created, modified, value, unpacked FROM entry";
    let mut statement = connection.prepare(query)?;
    let mut found = statement.query(())?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        let entry = rows::entry(row)?;
        let modified = entry.modified.0;
        if modified > state.revision {
            let what = "it was written after the last revision";
            return Err(rows::unreadable(&entry.key, what));
        }
        if modified > state.compacted
            && logged(connection, modified, &entry.key)?.as_ref() != Some(&entry.value)
        {
            let what = "the change log does not have its value";
            return Err(rows::unreadable(&entry.key, what));
        }
        count += 1;
    }
    Ok(count)
}

fn logged(
    connection: &Connection,
    revision: u64,
    key: &Key,
) -> Result<Option<bytes::Bytes>, StoreError> {
    let query = "SELECT value, unpacked FROM change WHERE revision = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_row((revision, key.as_str()), |row| Ok(rows::value(row, 0, key)));
    Ok(found.optional()?.transpose()?.flatten())
}

/// The log has every step after the one that was compacted last.
fn steps(connection: &Connection, state: &State) -> Result<(), StoreError> {
    let query = "SELECT revision, bytes FROM step ORDER BY revision";
    let mut statement = connection.prepare(query)?;
    let mut found = statement.query(())?;
    let (mut last, mut weight) = (state.compacted, 0_u64);
    while let Some(row) = found.next()? {
        let (revision, bytes): (u64, u64) = (row.get(0)?, row.get(1)?);
        if revision != last + 1 {
            return Err(log(&format!("step {revision} follows on step {last}")));
        }
        last = revision;
        weight = weight.saturating_add(bytes);
    }
    if last != state.revision {
        return Err(log("it does not end with the last revision"));
    }
    if weight != state.log_bytes {
        return Err(log("it does not weigh what it is said to weigh"));
    }
    Ok(())
}

/// The changes are those of the steps, and the last one of a key is what its entry says.
fn changes(connection: &Connection, state: &State) -> Result<(), StoreError> {
    let strays = "SELECT count(*) FROM change WHERE revision <= ?1 OR revision > ?2";
    let strays: u64 =
        connection.query_row(strays, (state.compacted, state.revision), |row| row.get(0))?;
    let empty = "SELECT count(*) FROM step WHERE revision NOT IN (SELECT revision FROM change)";
    let empty: u64 = connection.query_row(empty, (), |row| row.get(0))?;
    if strays + empty > 0 {
        return Err(log("its changes are not those of its steps"));
    }
    let last = "SELECT count(*) FROM (
                    SELECT key, max(revision) AS revision, value FROM change GROUP BY key
                ) AS last LEFT JOIN entry ON entry.key = last.key
                WHERE (last.value IS NULL) <> (entry.key IS NULL)
                   OR entry.modified <> last.revision";
    let differing: u64 = connection.query_row(last, (), |row| row.get(0))?;
    if differing > 0 {
        return Err(log("its last changes are not what the entries say"));
    }
    Ok(())
}

fn log(what: &str) -> StoreError {
    StoreError::Unreadable(format!("the change log: {what}"))
}
