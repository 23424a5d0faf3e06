//! Revisioned documents: read, committed in transactions, watched.
//!
//! A store is a map from keys to values with one counter, the revision. A [`Transaction`] checks
//! its conditions and carries out its operations as one step, which has the next revision. A
//! [`Watch`] gives every step from a revision on, in order, without a gap.
//!
//! Promised by every implementation, and held by one suite of tests: a commit that was
//! acknowledged is never lost; a reader sees the whole of a transaction or nothing; revisions only
//! grow; a watch that was told of revision `r` was told of every earlier one that it asked for.
//!
//! What must never be here: the meaning of a key or a value. This crate depends on no other crate
//! of the product.

mod embedded;
mod files;
mod model;
mod sealing;
mod traits;

pub use embedded::{
    BackupError, BackupReport, Embedded, OpenError, Options, RestoreError, RestoreReport, restore,
};
pub use model::{
    Change, Condition, Entry, KEY_BYTES_MAX, Key, KeyError, LIST_MAX, OPERATIONS_MAX, Operation,
    Page, Revision, Step, TRANSACTION_BYTES_MAX, Transaction, VALUE_BYTES_MAX,
};
pub use sealing::{
    KeySources, SEALING_KEY_CREDENTIAL, SEALING_KEY_FILE, SEALING_KEY_VARIABLE, SealError,
    SealingKey, SealingKeyError,
};
pub use traits::{CommitError, Pending, Store, StoreError, Watch, WatchError};
