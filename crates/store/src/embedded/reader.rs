//! Reading: a few connections that cannot write, each used by one reader at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::Semaphore;

use super::error::OpenError;
use super::schema::{self, State};
use super::{change_log, rows};
use crate::model::{Entry, Key, LIST_MAX, Page, Revision};
use crate::traits::{StoreError, WatchError};

/// Readers at a time; more wait. Each has a page cache of its own.
const READERS: usize = 4;

/// Keys and values of one page, in bytes; a single entry may have more.
const PAGE_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(file: &Path) -> Result<Self, OpenError> {
        let idle: Result<_, _> = (0..READERS).map(|_| schema::reader(file)).collect();
        Ok(Self {
            idle: Mutex::new(idle?),
            permits: Arc::new(Semaphore::new(READERS)),
        })
    }

    /// Runs `read` in a read transaction, on a thread that may wait for a disk.
    pub(super) async fn read<T, E>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            // Goes back after the connection did, also where nobody waits for the answer any more.
            let _permit = permit;
            let connection = readers.take().ok_or(StoreError::Closed)?;
            let answer = snapshot(&connection, read);
            readers.put_back(connection);
            answer
        });
        reading.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// Ends every later reading, and closes the connections that are not in use.
    pub(super) fn close(&self) {
        self.permits.close();
        self.lock().clear();
    }

    fn take(&self) -> Option<Connection> {
        self.lock().pop()
    }

    fn put_back(&self, connection: Connection) {
        if !self.permits.is_closed() {
            self.lock().push(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that `read` sees is of one moment.
fn snapshot<T, E: From<StoreError>>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.unchecked_transaction();
    let transaction = transaction.map_err(|error| E::from(error.into()))?;
    read(&transaction)
}

pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Entry>, StoreError> {
    let query = "SELECT key, created, modified, value, unpacked FROM entry WHERE key = ?1";
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_row([key.as_str()], |row| Ok(rows::entry(row)));
    found.optional()?.transpose()
}

pub(super) fn modified(connection: &Connection, key: &Key) -> Result<Option<Revision>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT modified FROM entry WHERE key = ?1")?;
    let found = statement.query_row([key.as_str()], |row| Ok(Revision(row.get(0)?)));
    Ok(found.optional()?)
}

pub(super) fn revision(connection: &Connection) -> Result<Revision, StoreError> {
    Ok(Revision(State::read(connection)?.revision))
}

pub(super) fn list(
    connection: &Connection,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut page = Page {
        revision: revision(connection)?,
        ..Page::default()
    };
    let limit = limit.min(LIST_MAX);
    let mut bytes = 0;
    // Keys with the prefix stand together, so there is no need for an upper bound.
    let (from, comparison) = match after {
        Some(after) if after.as_str() >= prefix => (after.as_str(), ">"),
        _ => (prefix, ">="),
    };
    let query = format!(
        "SELECT key, created, modified, value, unpacked FROM entry
         WHERE key {comparison} ?1 ORDER BY key"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let mut found = statement.query([from])?;
    while let Some(row) = found.next()? {
        if !rows::key(row, 0)?.as_str().starts_with(prefix) {
            break;
        }
        if page.entries.len() >= limit || bytes >= PAGE_BYTES {
            page.more = true;
            break;
        }
        let entry = rows::entry(row)?;
        bytes += entry.key.as_str().len() + entry.value.len();
        page.entries.push(entry);
    }
    Ok(page)
}

pub(super) fn steps(
    connection: &Connection,
    prefix: &str,
    after: Revision,
) -> Result<change_log::Reading, WatchError> {
    change_log::read(connection, prefix, after.0)
}
