//! A store in a directory of this machine, on SQLite.
//!
//! One process at a time holds the directory. Commits go through one writer, which syncs those
//! that wait together in one go; readers never wait for it. The change log keeps the last steps for
//! watches.

mod apply;
mod audit;
mod backup;
mod change_log;
mod directory;
mod error;
mod meta;
mod packing;
mod reader;
mod restore;
mod rows;
mod schema;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::backup::{BackupError, BackupReport};
pub use self::error::OpenError;
pub use self::restore::{RestoreError, RestoreReport, restore};

use self::directory::{Directory, Lock};
use self::reader::Readers;
use self::watch::LogWatch;
use self::writer::{Job, Writer};
use crate::model::{Entry, Key, Page, Revision, Transaction};
use crate::sealing::{KeySources, SealingKey};
use crate::traits::{CommitError, Pending, Store, StoreError, Watch, WatchError};

/// Transactions that wait for the writer; more wait for a place.
const QUEUE_MAX: usize = 1024;

/// Keys and values that wait for the writer, in KiB.
const QUEUE_KIB: u32 = 256 * 1024;

/// What can be chosen about an [`Embedded`]; the defaults suit a control plane.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps that the change log keeps at most; 10,000 where nothing is said.
    pub log_steps: u64,
    /// Keys and values that it keeps at most, in bytes; 256 MiB where nothing is said.
    pub log_bytes: u64,
    /// The write-ahead log is moved into the database when it has this many pages of 4 KiB; 1,000
    /// where nothing is said.
    pub checkpoint_pages: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            log_steps: 10_000,
            log_bytes: 256 * 1024 * 1024,
            checkpoint_pages: 1_000,
        }
    }
}

/// A store in a directory. When it is dropped, it waits for the transactions that were queued.
///
/// Its calls must be made within a Tokio runtime.
#[derive(Debug)]
pub struct Embedded {
    /// Empty only while the store is being closed.
    jobs: Option<mpsc::Sender<Job>>,
    room: Arc<Semaphore>,
    readers: Arc<Readers>,
    last: tokio::sync::watch::Receiver<u64>,
    writer: Option<JoinHandle<()>>,
    directory: Directory,
    /// Given back last.
    _lock: Lock,
}

impl Embedded {
    /// Opens the store in `directory`, or makes one there. It blocks: checking a large database
    /// takes a while.
    ///
    /// # Errors
    /// When another process holds the directory, or what is in it is damaged, was written by a
    /// newer version, or cannot be read and written.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with(directory, Options::default())
    }

    /// As [`Embedded::open`], with options.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_with(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let (directory, lock) = hold(directory)?;
        let connection = schema::open(&directory)?;
        Self::start(directory, lock, connection, options)
    }

    /// As [`Embedded::open_with`], with the key that seals values. The first time, the directory is
    /// bound to the key: it opens with no other then.
    ///
    /// # Errors
    /// As [`Embedded::open`], and when the key is missing, is no key, or is another one.
    pub fn open_sealed(
        directory: &Path,
        options: Options,
        sources: &KeySources,
    ) -> Result<(Self, SealingKey), OpenError> {
        let (directory, lock) = hold(directory)?;
        let connection = schema::open(&directory)?;
        let key = meta::sealing_key(&directory, &connection, sources)?;
        let store = Self::start(directory, lock, connection, options)?;
        Ok((store, key))
    }

    fn start(
        directory: Directory,
        lock: Lock,
        connection: Connection,
        options: Options,
    ) -> Result<Self, OpenError> {
        let file = directory.database();
        let readers = Readers::open(&file)?;
        let failed = |reason: String| OpenError::Failed {
            file: file.clone(),
            reason,
        };
        let writer = Writer::new(connection, file.clone(), options);
        let (writer, last) = writer.map_err(|error| failed(error.to_string()))?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || writer.run(queue));
        Ok(Self {
            jobs: Some(jobs),
            room: Arc::new(Semaphore::new(QUEUE_KIB as usize)),
            readers: Arc::new(readers),
            last,
            writer: Some(thread.map_err(|error| failed(error.to_string()))?),
            directory,
            _lock: lock,
        })
    }

    /// The directory that it was opened in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Copies the store to a new file while it works: all of one moment, verified, and synced with
    /// its folder. The copy is for its owner alone. It does not hold the sealing key, without which
    /// sealed values cannot be read: keep that key too, and elsewhere.
    ///
    /// # Errors
    /// When there is such a file, it cannot be written, or the store cannot be read.
    pub async fn backup(&self, to: &Path) -> Result<BackupReport, BackupError> {
        let (database, to) = (self.directory.database(), to.to_owned());
        let copying = tokio::task::spawn_blocking(move || backup::back_up(&database, &to));
        copying.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    async fn queue(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        let bytes = transaction.check()?;
        let kib = u32::try_from(bytes.div_ceil(1024))
            .unwrap_or(QUEUE_KIB)
            .max(1);
        let room = Arc::clone(&self.room);
        let room = room.acquire_many_owned(kib.min(QUEUE_KIB)).await;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            transaction,
            answer,
            _room: room.map_err(|_| StoreError::Closed)?,
        };
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed.into()))
    }
}

fn hold(directory: &Path) -> Result<(Directory, Lock), OpenError> {
    let directory = Directory::new(directory);
    directory.create()?;
    let lock = directory.lock()?;
    Ok((directory, lock))
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The writer's connection shall be the last one: it then leaves no write-ahead log behind.
        self.readers.close();
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Store for Embedded {
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Result<Option<Entry>, StoreError>> {
        let key = key.clone();
        let read = move |connection: &_| reader::get(connection, &key);
        Box::pin(self.readers.read(read))
    }

    fn modified<'a>(&'a self, key: &'a Key) -> Pending<'a, Result<Option<Revision>, StoreError>> {
        let key = key.clone();
        let read = move |connection: &_| reader::modified(connection, &key);
        Box::pin(self.readers.read(read))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a Key>,
        limit: usize,
    ) -> Pending<'a, Result<Page, StoreError>> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        let read = move |connection: &_| reader::list(connection, &prefix, after.as_ref(), limit);
        Box::pin(self.readers.read(read))
    }

    fn commit(&self, transaction: Transaction) -> Pending<'_, Result<Revision, CommitError>> {
        Box::pin(self.queue(transaction))
    }

    fn revision(&self) -> Pending<'_, Result<Revision, StoreError>> {
        Box::pin(self.readers.read(reader::revision))
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> Pending<'a, Result<Box<dyn Watch>, WatchError>> {
        let (readers, last) = (Arc::clone(&self.readers), self.last.clone());
        Box::pin(async move {
            let watch = LogWatch::start(readers, last, prefix, after).await?;
            Ok(Box::new(watch) as Box<dyn Watch>)
        })
    }
}
