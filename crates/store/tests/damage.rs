//! Files that are not as the store left them: refused in a sentence, never repaired in silence,
//! never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_store::{
    CommitError, Condition, Embedded, Key, OpenError, Revision, Store, StoreError, Transaction,
    WatchError,
};
use rusqlite::Connection;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(name: &str, value: &str) -> Transaction {
    Transaction::default().put(key(name), value.to_owned())
}

/// A closed store with some entries.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path()).unwrap();
        for n in 0..40 {
            let value = n.to_string().repeat(800);
            store
                .commit(put(&format!("k{n:02}"), &value))
                .await
                .unwrap();
        }
        drop(store);
        assert!(!directory.path().join("gatewright.db-wal").exists());
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn database(&self) -> PathBuf {
        self.path().join("gatewright.db")
    }

    /// Changes the database behind the store's back.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// What opening says; the file must be as it was afterwards.
    fn refused(&self) -> String {
        let before = fs::read(self.database()).ok();
        let refused = Embedded::open(self.path()).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
        assert_eq!(fs::read(self.database()).ok(), before);
        refused.to_string()
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let place = Place::new().await;
    let whole = fs::read(place.database()).unwrap();
    let garbage = b"not a database at all, but long enough to be read as the header of one; ";
    let broken = [
        Vec::new(),
        vec![0; whole.len()],
        garbage.repeat(100),
        whole[..50].to_vec(),
        whole[..4096].to_vec(),
        whole[..whole.len() / 2 / 4096 * 4096].to_vec(),
    ];
    for bytes in broken {
        fs::write(place.database(), &bytes).unwrap();
        let sentence = place.refused();
        let begin = format!("{} is damaged: ", place.database().display());
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.ends_with("; restore a backup"), "{sentence}");
    }
    fs::write(place.database(), &whole).unwrap();
    Embedded::open(place.path()).unwrap();
}

/// Every page overwritten in turn, and bytes all over the file: refused, or what is then read is
/// an error or an answer, but nothing panics.
#[tokio::test]
async fn overwritten_bytes_are_no_reason_to_panic() {
    let place = Place::new().await;
    let whole = fs::read(place.database()).unwrap();
    let pages = whole.len() / 4096;
    let mut refused = 0;
    for n in 0..pages + 150 {
        let mut bytes = whole.clone();
        if n < pages {
            bytes[n * 4096..(n + 1) * 4096].fill(0xa5);
        } else {
            let at = n * 7_919 * 31 % whole.len();
            bytes[at] ^= 0xff;
        }
        fs::write(place.database(), &bytes).unwrap();
        let Ok(store) = Embedded::open(place.path()) else {
            refused += 1;
            continue;
        };
        let _ = store.list("", None, 100).await;
        let _ = store.get(&key("k07")).await;
        if let Ok(mut watch) = store.watch("", Revision(0)).await {
            for _ in 0..40 {
                if watch.next().await.is_err() {
                    break;
                }
            }
        }
        let _ = store.commit(put("k07", "new")).await;
    }
    assert!(
        refused > pages / 2,
        "{refused} of {pages} pages and 150 bytes"
    );
}

#[tokio::test]
async fn a_database_that_is_gone_is_missed() {
    let place = Place::new().await;
    let store = Embedded::open(place.path()).unwrap();
    store.commit(put("a", "1")).await.unwrap();
    let log = fs::read(place.path().join("gatewright.db-wal")).unwrap();
    drop(store);
    fs::remove_file(place.database()).unwrap();
    fs::write(place.path().join("gatewright.db-wal"), log).unwrap();
    let sentence = place.refused();
    assert!(
        sentence.contains("its write-ahead log is there"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_newer_or_foreign_file_is_refused() {
    let place = Place::new().await;
    place.tamper("PRAGMA user_version = 999");
    let refused = Embedded::open(place.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }));
    let sentence = refused.to_string();
    assert!(
        sentence.contains("has version 999 of the format"),
        "{sentence}"
    );
    for version in [0, -1] {
        place.tamper(&format!("PRAGMA user_version = {version}"));
        assert!(place.refused().contains("not a database of gatewright"));
    }
    place.tamper("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert!(place.refused().contains("not a database of gatewright"));
}

#[tokio::test]
async fn a_tampered_schema_is_refused() {
    let tampered = [
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
        "CREATE VIEW v AS SELECT * FROM entry",
        "CREATE TABLE more (n INTEGER)",
        "DROP TABLE change",
        "ALTER TABLE entry ADD COLUMN more TEXT",
        "CREATE INDEX i ON entry (modified)",
        "DELETE FROM state",
        "UPDATE state SET revision = -1",
        "UPDATE state SET compacted = revision + 1",
    ];
    for sql in tampered {
        let place = Place::new().await;
        place.tamper(sql);
        place.refused();
    }
}

#[tokio::test]
async fn a_tampered_entry_is_unreadable_and_the_others_are_not() {
    let tampered = [
        "UPDATE entry SET key = '' WHERE key = 'k07'",
        "UPDATE entry SET key = 'k07' || char(0) WHERE key = 'k07'",
        "UPDATE entry SET key = CAST(x'6b3037ff' AS TEXT) WHERE key = 'k07'",
        "UPDATE entry SET key = 'k07' || hex(zeroblob(3000)) WHERE key = 'k07'",
        "UPDATE entry SET modified = -1 WHERE key = 'k07'",
        "UPDATE entry SET created = modified + 1 WHERE key = 'k07'",
        "UPDATE entry SET value = zeroblob(30000000) WHERE key = 'k07'",
        "UPDATE entry SET unpacked = 4 WHERE key = 'k07'",
        "UPDATE entry SET unpacked = -1 WHERE key = 'k07'",
        "UPDATE entry SET unpacked = 9000000000000000000 WHERE key = 'k07'",
    ];
    for sql in tampered {
        let place = Place::new().await;
        place.tamper(sql);
        let store = Embedded::open(place.path()).unwrap();
        let list = store.list("", None, 100).await;
        assert!(
            matches!(list, Err(StoreError::Unreadable(_))),
            "{sql}: {list:?}"
        );
        match store.get(&key("k07")).await {
            Ok(None) | Err(StoreError::Unreadable(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
        assert!(store.get(&key("k06")).await.unwrap().is_some());
        store.commit(put("k06", "new")).await.unwrap();
        let backup = store.backup(&place.path().join("backup.db")).await;
        assert!(backup.is_err(), "{sql}: {backup:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_meets_a_tampered_entry_fails_alone() {
    let place = Place::new().await;
    place.tamper("UPDATE entry SET created = -5, modified = -1 WHERE key = 'k07'");
    let store = Embedded::open(place.path()).unwrap();
    let meeting = [
        put("k00", "no").when(Condition::Present(key("k07"))),
        put("k00", "no").put(key("k07"), "no"),
    ];
    for transaction in meeting {
        let good = store.commit(put("k01", "yes"));
        let (bad, good) = tokio::join!(store.commit(transaction), good);
        assert!(
            matches!(bad, Err(CommitError::Store(StoreError::Unreadable(_)))),
            "{bad:?}"
        );
        good.unwrap();
    }
    assert_ne!(store.get(&key("k00")).await.unwrap().unwrap().value, "no");
    assert_eq!(store.get(&key("k01")).await.unwrap().unwrap().value, "yes");
    assert_eq!(store.revision().await.unwrap(), Revision(42));
}

#[tokio::test]
async fn a_tampered_change_log_ends_a_watch() {
    let tampered = [
        "UPDATE change SET key = '' WHERE revision = 8",
        "UPDATE change SET created = NULL WHERE revision = 8",
        "UPDATE change SET value = NULL WHERE revision = 8",
        "UPDATE change SET created = 9 WHERE revision = 8",
        "UPDATE change SET created = -9 WHERE revision = 8",
        "UPDATE change SET unpacked = 9 WHERE revision = 8",
    ];
    for sql in tampered {
        let place = Place::new().await;
        place.tamper(sql);
        let store = Embedded::open(place.path()).unwrap();
        let watch = store.watch("", Revision(0)).await.map(drop);
        match watch {
            Err(WatchError::Store(StoreError::Unreadable(_))) => {}
            other => panic!("{sql}: {other:?}"),
        }
        store
            .watch("", Revision(8))
            .await
            .unwrap()
            .next()
            .await
            .unwrap();
    }
}
