//! Documents that were read or written a short while ago, so that a large one is not parsed each
//! time that somebody asks for it.

use std::fmt;

use gatewright_store::{Entry, Key, StoreError};
use moka::sync::Cache;
use serde_json::Value;

use crate::resources::document::Document;

/// About how much memory they may take, in bytes.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// About what a JSON value takes besides its text, in bytes; that of a member of an object is more.
const VALUE_BYTES: usize = 32;
const MEMBER_BYTES: usize = 96;

/// By key. What is stored decides: an entry of another revision is read anew.
pub(crate) struct Recent(Cache<Key, Document>);

impl Default for Recent {
    fn default() -> Self {
        let weigh = |key: &Key, document: &Document| {
            let sealed = document.sealed.as_ref().map_or(0, Vec::len);
            let bytes = key.as_str().len() + sealed + size(&document.body) + size(&document.notes);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().weigher(weigh).max_capacity(BYTES_MAX);
        Self(cache.build())
    }
}

impl Recent {
    /// The document of an entry.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub(crate) fn read(&self, entry: &Entry) -> Result<Document, StoreError> {
        let known = self.0.get(&entry.key);
        if let Some(known) = known.filter(|known| known.revision == entry.modified) {
            return Ok(known);
        }
        let document = Document::read(entry)?;
        self.0.insert(entry.key.clone(), document.clone());
        Ok(document)
    }

    /// Takes note of a document as it was stored.
    pub(crate) fn put(&self, key: Key, document: &Document) {
        self.0.insert(key, document.clone());
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} recent documents", self.0.entry_count())
    }
}

/// About what a value takes in memory, in bytes.
fn size(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(members) => {
                let sizes = members.iter();
                sizes
                    .map(|(name, value)| MEMBER_BYTES + name.len() + size(value))
                    .sum()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gatewright_arm::ResourceId;
    use gatewright_store::Revision;
    use serde_json::json;

    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/t";

    fn entry(text: &str, revision: u64) -> Entry {
        let mut document = Document::new(ResourceId::parse(ID).unwrap(), json!({"text": text}));
        document.revision = Revision(revision);
        Entry {
            key: Key::new("resource/t").unwrap(),
            value: Bytes::from(document.to_bytes()),
            created: Revision(1),
            modified: Revision(revision),
        }
    }

    #[test]
    fn what_is_stored_decides() {
        let recent = Recent::default();
        assert_eq!(
            recent.read(&entry("first", 1)).unwrap().text("/text"),
            Some("first")
        );
        assert_eq!(
            recent.read(&entry("second", 2)).unwrap().text("/text"),
            Some("second")
        );
        // Somebody who was slow puts the older one back: it is of no use to anyone.
        recent.put(
            Key::new("resource/t").unwrap(),
            &Document::read(&entry("first", 1)).unwrap(),
        );
        assert_eq!(
            recent.read(&entry("second", 2)).unwrap().text("/text"),
            Some("second")
        );
    }

    #[test]
    fn what_was_read_is_not_parsed_again() {
        let recent = Recent::default();
        let first = recent.read(&entry("first", 1)).unwrap();
        let damaged = Entry {
            value: Bytes::from_static(b"{"),
            ..entry("first", 1)
        };
        let again = recent.read(&damaged).unwrap();
        assert!(std::sync::Arc::ptr_eq(&first.body, &again.body));
    }

    #[test]
    fn they_take_no_more_than_they_may() {
        let recent = Recent::default();
        let text = "x".repeat(1024 * 1024);
        for number in 0..200 {
            let document = Document::read(&entry(&text, number)).unwrap();
            recent.put(Key::new(format!("resource/{number}")).unwrap(), &document);
        }
        recent.0.run_pending_tasks();
        assert!(recent.0.weighted_size() <= BYTES_MAX);
        assert!(recent.0.entry_count() > 32);
    }
}
