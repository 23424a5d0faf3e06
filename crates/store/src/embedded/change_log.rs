//! The last steps, kept for those who watch.

use std::collections::VecDeque;

use bytes::Bytes;
use rusqlite::Connection;

use super::packing::Packed;
use super::rows;
use super::schema::State;
use crate::model::{Change, Entry, Key, Revision, Step};
use crate::traits::{StoreError, WatchError};

/// What a step adds to the log beside its keys and values, in bytes; counted so that many small
/// steps weigh something.
const STEP_BYTES: u64 = 64;

/// Changes that one reading looks at, most of them perhaps with other prefixes. It bounds how long
/// a reading keeps a snapshot.
const SCAN_MAX: usize = 10_000;

/// Steps that one reading hands over.
const STEPS_MAX: usize = 256;

/// Values of one reading, in bytes; a single step may have more.
const READING_BYTES: usize = 4 * 1024 * 1024;

/// What a transaction did to one key.
pub(super) struct Written<'a> {
    pub(super) key: &'a Key,
    /// What was put there; none where it was deleted.
    pub(super) put: Option<Put<'a>>,
}

pub(super) struct Put<'a> {
    pub(super) value: Packed<'a>,
    /// The step that made the entry.
    pub(super) created: Revision,
}

/// Adds a step; says what it weighs, in bytes.
pub(super) fn append(
    connection: &Connection,
    revision: Revision,
    changes: &[Written<'_>],
) -> Result<u64, StoreError> {
    let insert = "INSERT INTO change (revision, key, created, value, unpacked)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(insert)?;
    let mut weight = STEP_BYTES;
    for change in changes {
        let key = change.key.as_str();
        let put = change.put.as_ref();
        let (created, value) = (
            put.map(|put| put.created.0),
            put.map(|put| &*put.value.bytes),
        );
        let unpacked = put.and_then(|put| put.value.unpacked);
        statement.execute((revision.0, key, created, value, unpacked))?;
        let bytes = key.len().saturating_add(value.map_or(0, <[u8]>::len));
        weight = weight.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    let insert = "INSERT INTO step (revision, bytes) VALUES (?1, ?2)";
    let mut statement = connection.prepare_cached(insert)?;
    statement.execute((revision.0, weight))?;
    Ok(weight)
}

/// Forgets the oldest steps until at most `steps_max` are left, of at most `bytes_max`.
pub(super) fn compact(
    connection: &Connection,
    state: &mut State,
    steps_max: u64,
    bytes_max: u64,
) -> Result<(), StoreError> {
    let mut kept = state.revision - state.compacted;
    if kept <= steps_max && state.log_bytes <= bytes_max {
        return Ok(());
    }
    let query = "SELECT revision, bytes FROM step ORDER BY revision";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(())?;
    while kept > steps_max || state.log_bytes > bytes_max {
        let Some(row) = rows.next()? else { break };
        let (revision, bytes): (u64, u64) = (row.get(0)?, row.get(1)?);
        if revision <= state.compacted || revision > state.revision {
            let reason = format!("the change log holds step {revision} against its own bounds");
            return Err(StoreError::Unreadable(reason));
        }
        state.compacted = revision;
        state.log_bytes = state.log_bytes.saturating_sub(bytes);
        kept = state.revision - revision;
    }
    drop(rows);
    for table in ["step", "change"] {
        let delete = format!("DELETE FROM {table} WHERE revision <= ?1");
        let mut statement = connection.prepare_cached(&delete)?;
        statement.execute([state.compacted])?;
    }
    Ok(())
}

/// What one reading of the log gave.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) steps: VecDeque<Step>,
    /// Every step up to this one was looked at.
    pub(super) position: u64,
}

/// The steps after `after` that change a key with this prefix, as far as one reading goes.
/// `connection` must be in a transaction, so that all is of one moment.
pub(super) fn read(
    connection: &Connection,
    prefix: &str,
    after: u64,
) -> Result<Reading, WatchError> {
    let state = State::read(connection)?;
    if after < state.compacted {
        let oldest = Revision(state.compacted + 1);
        return Err(WatchError::Compacted { oldest });
    }
    // The keys come out of an index alone; only those that are wanted cost a look at their values.
    let query = "SELECT revision, key FROM change WHERE revision > ?1 ORDER BY revision, key";
    let mut scan = Scan::new(after);
    let mut statement = connection.prepare_cached(query).map_err(StoreError::from)?;
    // The database counts with one bit less; there is nothing up there.
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = statement.query([from]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let revision = row.get(0).map_err(StoreError::from)?;
        if scan.is_full_before(revision) {
            return Ok(scan.reading);
        }
        let key = rows::key(row, 1)?;
        if key.as_str().starts_with(prefix) {
            scan.take(revision, change(connection, revision, key)?);
        }
    }
    scan.reading.position = state.revision.max(after);
    Ok(scan.reading)
}

/// A walk along the log that stops between two steps only.
struct Scan {
    reading: Reading,
    scanned: usize,
    bytes: usize,
    at: u64,
}

impl Scan {
    fn new(after: u64) -> Self {
        Self {
            reading: Reading {
                steps: VecDeque::new(),
                position: after,
            },
            scanned: 0,
            bytes: 0,
            at: after,
        }
    }

    /// Moves on to a row of the step `revision`, unless the reading ends before that step.
    fn is_full_before(&mut self, revision: u64) -> bool {
        if revision != self.at {
            self.reading.position = self.at;
            let steps = self.reading.steps.len();
            if self.scanned >= SCAN_MAX || self.bytes >= READING_BYTES || steps >= STEPS_MAX {
                return true;
            }
            self.at = revision;
        }
        self.scanned += 1;
        false
    }

    fn take(&mut self, revision: u64, change: Change) {
        if let Change::Put(entry) = &change {
            self.bytes += entry.value.len();
        }
        let revision = Revision(revision);
        match self.reading.steps.back_mut() {
            Some(step) if step.revision == revision => step.changes.push(change),
            _ => self.reading.steps.push_back(Step {
                revision,
                changes: vec![change],
            }),
        }
    }
}

fn change(connection: &Connection, revision: u64, key: Key) -> Result<Change, StoreError> {
    let query = "SELECT created, value, unpacked FROM change WHERE revision = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query((revision, key.as_str()))?;
    let Some(row) = rows.next()? else {
        return Err(rows::unreadable(&key, "its change is missing"));
    };
    let created: Option<u64> = row.get(0)?;
    let value: Option<Bytes> = rows::value(row, 1, &key)?;
    match (created, value) {
        (None, None) => Ok(Change::Deleted(key)),
        (Some(created), Some(value)) if created <= revision => Ok(Change::Put(Entry {
            key,
            value,
            created: Revision(created),
            modified: Revision(revision),
        })),
        _ => Err(rows::unreadable(&key, "its change says two things")),
    }
}
