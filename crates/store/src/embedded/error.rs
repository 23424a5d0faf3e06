//! Why a data directory cannot be opened, and what SQLite's errors mean to a caller.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::sealing::SealingKeyError;
use crate::traits::StoreError;

/// Why a store cannot be opened. What it holds was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory {} cannot be used: {reason}", directory.display())]
    Unusable { directory: PathBuf, reason: String },
    /// Another process holds the directory.
    #[error(
        "the data directory {} is in use by {}; one process at a time may use it",
        directory.display(),
        holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        directory: PathBuf,
        holder: Option<u32>,
    },
    #[error(
        "{} has version {found} of the format, and this program knows versions up to {known}; \
         use the newer program that wrote it",
        file.display()
    )]
    Newer {
        file: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("{} is damaged: {reason}; restore a backup", file.display())]
    Damaged { file: PathBuf, reason: String },
    /// The file is there and may be whole, but could not be read or written just now.
    #[error("{} cannot be opened: {reason}", file.display())]
    Failed { file: PathBuf, reason: String },
    #[error(transparent)]
    SealingKey(#[from] SealingKeyError),
}

/// Whether what is stored is at fault, and not the disk or the moment.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
        ),
        rusqlite::Error::QueryReturnedNoRows
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let reason = error.to_string();
        if is_damage(&error) {
            Self::Unreadable(reason)
        } else {
            Self::Failed(reason)
        }
    }
}
