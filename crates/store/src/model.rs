//! Keys, values, revisions, transactions.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::traits::StoreError;

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4096;

/// Largest value, in bytes: a document of 16 MiB, and its wrapping.
pub const VALUE_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Most conditions and most operations of one transaction; also what an etcd server takes when it
/// is set up for it.
pub const OPERATIONS_MAX: usize = 1024;

/// Keys and values of one transaction, in bytes.
pub const TRANSACTION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most entries of one [`Page`].
pub const LIST_MAX: usize = 10_000;

/// The number of a step. The first step of a store has 1; 0 is the state before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Names an entry: UTF-8, 1 to 4,096 bytes, without NUL. Keys are compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key may not be empty")]
    Empty,
    #[error("a key of {0} bytes is too long; at most {KEY_BYTES_MAX} are taken")]
    TooLong(usize),
    #[error("a key may not hold a NUL character")]
    Nul,
}

impl Key {
    /// # Errors
    /// When the text is empty, longer than 4,096 bytes, or holds a NUL.
    pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        match text.len() {
            0 => Err(KeyError::Empty),
            length if length > KEY_BYTES_MAX => Err(KeyError::TooLong(length)),
            _ if text.contains('\0') => Err(KeyError::Nul),
            _ => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A key's present value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub value: Bytes,
    /// The step that made it, or made it anew after it was deleted.
    pub created: Revision,
    /// The step that last wrote it.
    pub modified: Revision,
}

/// What must be so for a transaction to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no such entry.
    Absent(Key),
    /// There is one.
    Present(Key),
    /// There is one, and exactly this step wrote it last.
    ModifiedAt(Key, Revision),
}

impl Condition {
    pub fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::Present(key) | Self::ModifiedAt(key, _) => key,
        }
    }
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// At most 20 MiB.
    Put(Key, Bytes),
    /// Nothing happens where there is no such entry.
    Delete(Key),
}

impl Operation {
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Put(_, value) => Some(value),
            Self::Delete(_) => None,
        }
    }
}

/// Conditions and operations: all are carried out, as one step, or none is. At most 1,024 of each;
/// no key twice among the operations; keys and values of at most 64 MiB together.
///
/// One that changes nothing, having no operations or only deletions of what is not there, makes no
/// step: it is answered with the revision as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    pub conditions: Vec<Condition>,
    pub operations: Vec<Operation>,
}

impl Transaction {
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Self {
        self.operations.push(Operation::Put(key, value.into()));
        self
    }

    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.operations.push(Operation::Delete(key));
        self
    }

    /// Holds it against the bounds of every store; the keys and values together, in bytes.
    ///
    /// # Errors
    /// [`StoreError::Refused`], with the bound.
    pub fn check(&self) -> Result<usize, StoreError> {
        let refused = |reason: String| Err(StoreError::Refused(reason));
        for (what, count) in [
            ("conditions", self.conditions.len()),
            ("operations", self.operations.len()),
        ] {
            if count > OPERATIONS_MAX {
                return refused(format!(
                    "a transaction with {count} {what} is too large; \
                     at most {OPERATIONS_MAX} are taken"
                ));
            }
        }
        let mut keys = HashSet::new();
        let mut bytes = 0_usize;
        for operation in &self.operations {
            let key = operation.key();
            if !keys.insert(key) {
                return refused(format!("a transaction may change {key} once only"));
            }
            let value = operation.value().map_or(0, Bytes::len);
            if value > VALUE_BYTES_MAX {
                return refused(format!(
                    "a value of {value} bytes for {key} is too large; \
                     at most {VALUE_BYTES_MAX} are taken"
                ));
            }
            bytes = bytes.saturating_add(key.as_str().len().saturating_add(value));
        }
        if bytes > TRANSACTION_BYTES_MAX {
            return refused(format!(
                "a transaction of {bytes} bytes is too large; \
                 at most {TRANSACTION_BYTES_MAX} are taken"
            ));
        }
        Ok(bytes)
    }
}

/// Entries of one prefix, by key, all of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// The revision that the page shows.
    pub revision: Revision,
    /// Whether entries follow after the last. A page may end before the limit that was asked for,
    /// where its values are large.
    pub more: bool,
}

/// What a step did to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Entry),
    Deleted(Key),
}

impl Change {
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Deleted(key) => key,
        }
    }
}

/// One transaction that was carried out, as a watch tells of it: the changes to keys with its
/// prefix, by key; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub revision: Revision,
    pub changes: Vec<Change>,
}
