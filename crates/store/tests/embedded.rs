//! The embedded store as its owner meets it: opening, holding, writing together.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatewright_store::{Embedded, Key, OpenError, Revision, Store, StoreError, Transaction};
use rusqlite::Connection;
use tokio::task::JoinSet;

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
    let directory = place.path().join("some/data");
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

#[tokio::test]
async fn the_directory_and_its_files_are_their_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let store = open(&directory);
    store.commit(put("a", "1")).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut files = 0;
    for file in std::fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files >= 3, "{files} files");
}

#[tokio::test]
async fn a_directory_is_held_by_one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let refused = Embedded::open(place.path()).unwrap_err();
    let expected = format!(
        "the data directory {} is in use by process {}; one process at a time may use it",
        place.path().display(),
        std::process::id()
    );
    assert_eq!(refused.to_string(), expected);
    drop(store);
    open(place.path());
}

#[test]
fn a_place_that_is_no_directory_is_refused() {
    let place = tempfile::NamedTempFile::new().unwrap();
    for path in [place.path().to_owned(), place.path().join("below")] {
        let refused = Embedded::open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::Unusable { .. }), "{refused}");
    }
}

/// The commits in a write-ahead log: frames that say how long the database is after them. The
/// format is SQLite's, <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
fn synced_commits(directory: &Path) -> usize {
    let log = std::fs::read(directory.join("gatewright.db-wal")).unwrap();
    let frames = log[32..].chunks_exact(24 + 4096);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Keeps the writer waiting, as a slow disk would.
fn stall(directory: &Path) -> Connection {
    let connection = Connection::open(directory.join("gatewright.db")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn what_waits_together_is_synced_together() {
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(open(place.path()));
    let stalled = stall(place.path());
    let mut tasks = JoinSet::new();
    for n in 0..200 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.commit(put(&format!("k{n}"), "")).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        tasks.try_join_next().is_none(),
        "acknowledged before it was written"
    );
    drop(stalled);
    let mut revisions = tasks.join_all().await;
    revisions.sort();
    assert_eq!(revisions, (1..=200).map(Revision).collect::<Vec<_>>());
    // The first one that came, and those that came while it waited.
    let commits = synced_commits(place.path());
    assert!((1..=2).contains(&commits), "{commits} commits");
}

#[tokio::test]
async fn a_full_queue_waits() {
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(open(place.path()));
    let stalled = stall(place.path());
    let mut tasks = JoinSet::new();
    for n in 0..3_000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.commit(put(&format!("k{}", n % 5), "")).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stalled);
    tasks.join_all().await;
    assert_eq!(store.revision().await.unwrap(), Revision(3_000));
}

#[tokio::test]
async fn what_was_queued_is_written_when_the_store_is_dropped() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let stalled = stall(place.path());
    for n in 0..50 {
        let commit = store.commit(put(&format!("k{n}"), ""));
        let given_up = tokio::time::timeout(Duration::from_millis(1), commit).await;
        assert!(given_up.is_err());
    }
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(stalled);
    });
    drop(store);
    release.join().unwrap();
    assert_eq!(open(place.path()).revision().await.unwrap(), Revision(50));
}

#[tokio::test]
async fn a_watch_ends_when_the_store_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let mut watch = store.watch("", Revision(0)).await.unwrap();
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    drop(store);
    let ended = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    let ended = ended.unwrap().unwrap().unwrap_err();
    assert_eq!(ended.to_string(), StoreError::Closed.to_string());
}
