//! The embedded store as its owner meets it: opening, locking, damage, the disk.

use std::path::Path;

use gatewright_store::{Embedded, Key, Revision, Store, Transaction};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(name: &str, value: impl Into<bytes::Bytes>) -> Transaction {
    Transaction::default().put(key(name), value)
}

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory).unwrap()
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let store = open(&directory);
    assert_eq!(store.revision().await.unwrap(), Revision(0));
    assert_eq!(store.commit(put("a", "1")).await.unwrap(), Revision(1));
    assert_eq!(store.commit(put("b", "")).await.unwrap(), Revision(2));
    drop(store);
    let store = open(&directory);
    assert_eq!(store.revision().await.unwrap(), Revision(2));
    let entry = store.get(&key("b")).await.unwrap().unwrap();
    assert_eq!((entry.created, entry.value.len()), (Revision(2), 0));
    let mut watch = store.watch("", Revision(0)).await.unwrap();
    for revision in [1, 2] {
        assert_eq!(watch.next().await.unwrap().revision, Revision(revision));
    }
}
