//! What every store can do.

use std::pin::Pin;

use crate::model::{Condition, Entry, Key, Page, Revision, Step, Transaction};

/// What a store's calls return; they wait for a disk, or for another machine.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a store cannot answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the other machine, failed. What was to be written may be there or not.
    #[error("the store failed: {0}")]
    Failed(String),
    /// What is stored is damaged, or of a newer version.
    #[error("the store cannot be read: {0}")]
    Unreadable(String),
    /// A bound of the request: too many operations, a value too large, a key twice.
    #[error("{0}")]
    Refused(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// Why nothing was committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition does not hold; the first that does not.
    #[error("the entry {} is not as it was expected", .0.key())]
    Conflict(Condition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a watch cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WatchError {
    /// Steps that it asked for are not kept any more: list anew, and watch from that revision on.
    #[error("changes are kept from revision {oldest} on only")]
    Compacted { oldest: Revision },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Steps in order, each once.
pub trait Watch: Send {
    /// Waits for the next step that changes a key of the watch's prefix. May be dropped while it
    /// waits, without losing a step.
    ///
    /// # Errors
    /// As [`WatchError`] says; the watch is over then.
    fn next(&mut self) -> Pending<'_, Result<Step, WatchError>>;
}

/// A map from keys to values with transactions, revisions and watches.
pub trait Store: Send + Sync + 'static {
    /// The present entry of `key`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Result<Option<Entry>, StoreError>>;

    /// The step that last wrote `key`; `None` where there is no such entry. Costs nothing of what
    /// reading a large value does.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn modified<'a>(&'a self, key: &'a Key) -> Pending<'a, Result<Option<Revision>, StoreError>>;

    /// Up to `limit` entries (at most 10,000) whose keys begin with `prefix`, which may be empty,
    /// and come after `after`, in the order of their keys, byte by byte.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a Key>,
        limit: usize,
    ) -> Pending<'a, Result<Page, StoreError>>;

    /// Carries out a transaction. When it returns, what was written survives a power cut. Dropping
    /// the future does not undo it: the transaction may have been carried out, or yet be.
    ///
    /// # Errors
    /// When a condition does not hold, or the store cannot be written.
    fn commit(&self, transaction: Transaction) -> Pending<'_, Result<Revision, CommitError>>;

    /// The revision of the last step.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn revision(&self) -> Pending<'_, Result<Revision, StoreError>>;

    /// Watches the keys that begin with `prefix`: every step after `after`, which may be yet to
    /// come.
    ///
    /// # Errors
    /// When steps after `after` are not kept any more, or the store cannot be read.
    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> Pending<'a, Result<Box<dyn Watch>, WatchError>>;
}
