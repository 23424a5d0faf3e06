//! From rows to entries. A row that no writer of ours made is refused, not repaired.

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::packing;
use crate::model::{Entry, Key, Revision, VALUE_BYTES_MAX};
use crate::traits::StoreError;

/// A row of `key, created, modified, value, unpacked`.
pub(super) fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let key = key(row, 0)?;
    let value = value(row, 3, &key)?.ok_or_else(|| unreadable(&key, "it has no value"))?;
    let entry = Entry {
        value,
        created: Revision(row.get(1)?),
        modified: Revision(row.get(2)?),
        key,
    };
    if entry.created > entry.modified {
        return Err(unreadable(&entry.key, "it was written before it was made"));
    }
    Ok(entry)
}

pub(super) fn key(row: &Row<'_>, column: usize) -> Result<Key, StoreError> {
    let text = row.get_ref(column)?.as_str();
    let text = text.map_err(|error| StoreError::Unreadable(format!("a key: {error}")))?;
    Key::new(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A value, of the columns `value, unpacked`, or none where the row tells of a deletion.
pub(super) fn value(row: &Row<'_>, column: usize, key: &Key) -> Result<Option<Bytes>, StoreError> {
    let unpacked: Option<usize> = row.get(column + 1)?;
    match (row.get_ref(column)?, unpacked) {
        (ValueRef::Null, None) => Ok(None),
        (ValueRef::Null, Some(_)) => Err(unreadable(key, "its value is missing")),
        (ValueRef::Blob(bytes), _) if bytes.len() > VALUE_BYTES_MAX => {
            Err(unreadable(key, "its value is too large"))
        }
        (ValueRef::Blob(bytes), None) => Ok(Some(Bytes::copy_from_slice(bytes))),
        (ValueRef::Blob(bytes), Some(unpacked)) => {
            let value = packing::unpack(bytes, unpacked).map_err(|what| unreadable(key, &what))?;
            Ok(Some(value.into()))
        }
        _ => Err(unreadable(key, "its value is not made of bytes")),
    }
}

pub(super) fn unreadable(key: &Key, what: &str) -> StoreError {
    StoreError::Unreadable(format!("the entry {key}: {what}"))
}
