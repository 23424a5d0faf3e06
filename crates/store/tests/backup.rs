//! Backups and restores.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_store::{
    BackupError, CommitError, Condition, Embedded, Key, OpenError, RestoreError, Revision, Store,
    Transaction, WatchError, restore,
};
use rusqlite::Connection;

/// What a restored store's revisions are ahead of every earlier one.
const GAP: u64 = 1_000_000_000;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(name: &str, value: &str) -> Transaction {
    Transaction::default().put(key(name), value.to_owned())
}

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory).unwrap()
}

async fn value(store: &Embedded, name: &str) -> Option<String> {
    let entry = store.get(&key(name)).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// A place with a data directory of three steps, and a backup of it.
struct Place {
    place: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let this = Self {
            place: tempfile::tempdir().unwrap(),
        };
        let store = open(&this.data());
        store.commit(put("a", "1")).await.unwrap();
        store.commit(put("b", "1")).await.unwrap();
        store.commit(put("a", "2")).await.unwrap();
        let report = store.backup(&this.backup()).await.unwrap();
        assert_eq!((report.revision, report.entries), (Revision(3), 2));
        assert_eq!(report.bytes, fs::metadata(this.backup()).unwrap().len());
        this
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn backup(&self) -> PathBuf {
        self.place.path().join("backup.db")
    }

    fn other(&self) -> PathBuf {
        self.place.path().join("other")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_others_write_is_of_one_moment() {
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&place.path().join("data")));
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..400 {
                let value = n.to_string();
                let both = put("a", &value).put(key("b"), value);
                store.commit(both).await.unwrap();
            }
        })
    };
    let mut revisions = Vec::new();
    while !writer.is_finished() {
        let n = revisions.len();
        let backup = place.path().join(format!("{n}.db"));
        let before = store.revision().await.unwrap();
        let report = store.backup(&backup).await.unwrap();
        assert!(report.revision >= before);
        let directory = place.path().join(format!("restored-{n}"));
        let restored = restore(&backup, &directory, false).unwrap();
        assert_eq!(
            (restored.backup, restored.entries),
            (report.revision, report.entries)
        );
        let copy = open(&directory);
        assert_eq!(value(&copy, "a").await, value(&copy, "b").await);
        revisions.push(report.revision);
    }
    writer.await.unwrap();
    assert!(revisions.is_sorted());
    assert!(
        revisions.iter().any(|at| at.0 > 0 && at.0 < 400),
        "{revisions:?}"
    );
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let place = Place::new().await;
    let store = open(&place.data());
    let before = fs::read(place.backup()).unwrap();
    let refused = store.backup(&place.backup()).await.unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
    assert_eq!(fs::read(place.backup()).unwrap(), before);
    let link = place.place.path().join("link.db");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    let refused = store.backup(&link).await.unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
    let nowhere = place.place.path().join("missing/backup.db");
    let refused = store.backup(&nowhere).await.unwrap_err();
    assert!(matches!(refused, BackupError::Failed { .. }), "{refused}");
    let names = fs::read_dir(place.place.path()).unwrap().count();
    assert_eq!(names, 3, "something was left behind");
}

#[tokio::test]
async fn a_restored_store_goes_on_where_no_revision_was() {
    let place = Place::new().await;
    let report = restore(&place.backup(), &place.other(), false).unwrap();
    assert_eq!(report.backup, Revision(3));
    assert_eq!(report.revision, Revision(3 + GAP));
    assert_eq!((report.entries, report.kept_aside), (2, None));
    let store = open(&place.other());
    assert_eq!(store.revision().await.unwrap(), report.revision);
    let entry = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        (entry.value.as_ref(), entry.modified),
        (&b"2"[..], Revision(3))
    );
    // Who watched before cannot be told what happened since; who lists anew can go on.
    for seen in [0, 2, 3, 50] {
        match store.watch("", Revision(seen)).await.map(drop) {
            Err(WatchError::Compacted { oldest }) => assert_eq!(oldest.0, 4 + GAP),
            other => panic!("{other:?}"),
        }
    }
    let page = store.list("", None, 10).await.unwrap();
    let mut watch = store.watch("", page.revision).await.unwrap();
    let next = store.commit(put("c", "1")).await.unwrap();
    assert_eq!(next.0, 4 + GAP);
    assert_eq!(watch.next().await.unwrap().revision, next);
    // What the backup has can be written on; what came after it is not mistaken for it.
    let held = put("a", "3").when(Condition::ModifiedAt(key("a"), Revision(3)));
    store.commit(held).await.unwrap();
    let lost = put("b", "3").when(Condition::ModifiedAt(key("b"), Revision(4)));
    assert!(matches!(
        store.commit(lost).await,
        Err(CommitError::Conflict(_))
    ));
}

#[tokio::test]
async fn a_database_is_replaced_only_when_told_and_then_kept() {
    let place = Place::new().await;
    let store = open(&place.data());
    for n in 0..10 {
        store.commit(put("later", &n.to_string())).await.unwrap();
    }
    let refused = restore(&place.backup(), &place.data(), true).unwrap_err();
    let held = OpenError::Held {
        directory: place.data(),
        holder: Some(std::process::id()),
    };
    assert_eq!(refused.to_string(), held.to_string());
    drop(store);
    let refused = restore(&place.backup(), &place.data(), false).unwrap_err();
    assert!(
        matches!(refused, RestoreError::Occupied { .. }),
        "{refused}"
    );
    assert_eq!(open(&place.data()).revision().await.unwrap(), Revision(13));

    for round in 1..=2 {
        let report = restore(&place.backup(), &place.data(), true).unwrap();
        // Ahead of what was replaced, too.
        let last = [13, 13 + GAP][round - 1];
        assert_eq!(report.revision.0, last + GAP);
        let aside = report.kept_aside.unwrap();
        assert_eq!(
            aside,
            place.data().join(format!("gatewright.db.replaced-{round}"))
        );
        assert_eq!(value(&open(&place.data()), "later").await, None);
        let old = place.place.path().join(format!("old-{round}"));
        fs::create_dir(&old).unwrap();
        fs::copy(aside, old.join("gatewright.db")).unwrap();
        assert_eq!(open(&old).revision().await.unwrap().0, last);
    }
}

#[tokio::test]
async fn a_damaged_database_is_kept_aside_with_its_logs() {
    let place = Place::new().await;
    let file = |part: &str| place.data().join(format!("gatewright.db{part}"));
    let store = open(&place.data());
    store.commit(put("a", "lost")).await.unwrap();
    store.commit(put("later", "lost")).await.unwrap();
    let log = fs::read(file("-wal")).unwrap();
    drop(store);
    let left = [
        ("", b"old".to_vec()),
        ("-wal", log),
        ("-journal", b"journal".to_vec()),
    ];
    for (part, bytes) in &left {
        fs::write(file(part), bytes).unwrap();
    }
    let report = restore(&place.backup(), &place.data(), true).unwrap();
    assert_eq!(report.revision.0, 3 + GAP);
    assert_eq!(report.kept_aside, Some(file(".replaced-1")));
    for (part, bytes) in &left {
        let kept = fs::read(file(&format!(".replaced-1{part}"))).unwrap();
        assert!(kept == *bytes, "{part}");
        assert!(part.is_empty() || !file(part).exists());
    }
    // The old log, whole as it is, did not get into the new database.
    let store = open(&place.data());
    assert_eq!(store.revision().await.unwrap().0, 3 + GAP);
    assert_eq!(value(&store, "a").await.unwrap(), "2");
    assert_eq!(value(&store, "later").await, None);
}

#[tokio::test]
async fn what_is_no_backup_is_not_restored() {
    let place = Place::new().await;
    let whole = fs::read(place.backup()).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2..whole.len() / 2 + 4096].fill(0x5a);
    let bad = place.place.path().join("bad.db");
    for bytes in [
        Vec::new(),
        b"text".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        flipped,
    ] {
        fs::write(&bad, bytes).unwrap();
        let refused = restore(&bad, &place.other(), false).unwrap_err();
        assert!(matches!(refused, RestoreError::Backup { .. }), "{refused}");
    }
    let tampered = [
        "UPDATE entry SET modified = 9 WHERE key = 'a'",
        "UPDATE entry SET value = x'39' WHERE key = 'a'",
        "UPDATE entry SET unpacked = 2 WHERE key = 'a'",
        "DELETE FROM entry WHERE key = 'b'",
        "DELETE FROM change WHERE revision = 2",
        "DELETE FROM step WHERE revision = 2",
        "UPDATE step SET bytes = 1 WHERE revision = 2",
        "INSERT INTO change VALUES (9, 'z', NULL, NULL, NULL)",
        "INSERT INTO entry VALUES ('', 1, 1, x'', NULL)",
        "UPDATE state SET revision = 9223372036854775000",
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
    ];
    for sql in tampered {
        fs::write(&bad, &whole).unwrap();
        Connection::open(&bad).unwrap().execute_batch(sql).unwrap();
        let refused = restore(&bad, &place.other(), false).unwrap_err();
        assert!(
            matches!(refused, RestoreError::Backup { .. }),
            "{sql}: {refused}"
        );
    }
    fs::write(&bad, &whole).unwrap();
    Connection::open(&bad)
        .unwrap()
        .execute_batch("PRAGMA user_version = 50")
        .unwrap();
    let refused = restore(&bad, &place.other(), false).unwrap_err();
    assert!(
        matches!(refused, RestoreError::Directory(OpenError::Newer { .. })),
        "{refused}"
    );
    restore(
        &place.place.path().join("missing.db"),
        &place.other(),
        false,
    )
    .unwrap_err();
    // None of this left anything that a first start would stumble over.
    assert_eq!(open(&place.other()).revision().await.unwrap(), Revision(0));
}

#[tokio::test]
async fn a_restore_that_was_cut_off_is_run_again_or_without_effect() {
    let place = Place::new().await;
    // Before the old database was set aside: it is still the database.
    let beside = place.data().join("gatewright.db.restoring");
    fs::write(&beside, "half").unwrap();
    assert_eq!(open(&place.data()).revision().await.unwrap(), Revision(3));
    assert!(!beside.exists());
    // After it was: there is no database, and none is made.
    fs::write(&beside, "half").unwrap();
    let database = place.data().join("gatewright.db");
    fs::rename(&database, place.data().join("gatewright.db.replaced-1")).unwrap();
    let refused = Embedded::open(&place.data()).unwrap_err();
    assert!(
        refused.to_string().contains("a restore was cut off"),
        "{refused}"
    );
    // Nor does another restore that fails make it look like a first start.
    let bad = place.place.path().join("bad.db");
    restore(&bad, &place.data(), false).unwrap_err();
    Embedded::open(&place.data()).unwrap_err();
    fs::copy(place.backup(), &bad).unwrap();
    let connection = Connection::open(&bad).unwrap();
    connection
        .execute_batch("DELETE FROM step WHERE revision = 2")
        .unwrap();
    drop(connection);
    restore(&bad, &place.data(), false).unwrap_err();
    Embedded::open(&place.data()).unwrap_err();
    restore(&place.backup(), &place.data(), false).unwrap();
    assert_eq!(value(&open(&place.data()), "a").await.unwrap(), "2");
}
