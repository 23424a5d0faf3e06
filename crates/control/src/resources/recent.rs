//! Documents that were read or written a short while ago, so that a large one is not parsed each
//! time that somebody asks for it.

use gatewright_store::{Entry, Key, StoreError};
use moka::sync::Cache;
use serde_json::Value;

use crate::resources::document::Document;

/// About how much memory they may take, in bytes.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// About what a JSON value takes besides its text, in bytes; that of a member of an object is more.
const VALUE_BYTES: usize = 32;
const MEMBER_BYTES: usize = 96;

/// By key. What is stored decides: what is known under another revision is of no use. Clones are of
/// the same.
#[derive(Clone)]
pub(crate) struct Recent(Cache<Key, Document>);

impl Default for Recent {
    fn default() -> Self {
        let weigh = |key: &Key, document: &Document| {
            let sealed = document.sealed.as_ref().map_or(0, Vec::len);
            // What was made of a body takes about as much again.
            let times = 1 + usize::from(document.judged.is_some());
            let body = times * size(&document.body);
            let bytes = key.as_str().len() + sealed + body + size(&document.notes);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().weigher(weigh).max_capacity(BYTES_MAX);
        Self(cache.build())
    }
}

impl Recent {
    /// What is known under the key. It is good while the store's entry has its revision.
    pub(crate) fn find(&self, key: &Key) -> Option<Document> {
        self.0.get(key)
    }

    /// The document of an entry, where it is known.
    pub(crate) fn of(&self, entry: &Entry) -> Option<Document> {
        let known = self.find(&entry.key)?;
        (known.revision == entry.modified).then_some(known)
    }

    /// The document of an entry, which is known from now on.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub(crate) fn read(&self, entry: &Entry) -> Result<Document, StoreError> {
        let document = Document::read(entry)?;
        self.0.insert(entry.key.clone(), document.clone());
        Ok(document)
    }

    /// Takes note of a document as it was stored.
    pub(crate) fn put(&self, key: Key, document: &Document) {
        self.0.insert(key, document.clone());
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
    use std::sync::Arc;

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
    fn what_was_read_or_written_is_known() {
        let recent = Recent::default();
        let key = Key::new("resource/t").unwrap();
        assert!(recent.find(&key).is_none());
        let read = recent.read(&entry("first", 1)).unwrap();
        let known = recent.find(&key).unwrap();
        assert!(Arc::ptr_eq(&read.body, &known.body));
        recent.put(key.clone(), &Document::read(&entry("second", 2)).unwrap());
        let known = recent.find(&key).unwrap();
        assert_eq!(
            (known.revision, known.text("/text")),
            (Revision(2), Some("second"))
        );
        assert!(recent.of(&entry("second", 2)).is_some());
        for other in [1, 3] {
            assert!(recent.of(&entry("other", other)).is_none());
        }
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
