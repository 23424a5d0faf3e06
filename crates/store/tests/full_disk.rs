//! A disk that is full, and then is not.
//!
//! The kernel refuses to let a process write files beyond a length that it set for itself. This
//! test starts itself as such a process, through a shell that has the signal ignored which would
//! end it: writing then fails as it does on a full disk.

mod noise;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gatewright_store::{CommitError, Embedded, Key, Revision, Store, StoreError, Transaction};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use noise::noise;

const CHILD: &str = "GATEWRIGHT_TEST_CHILD";

fn put(name: &str, length: usize) -> Transaction {
    Transaction::default().put(Key::new(name).unwrap(), noise(7, length))
}

/// Lets files grow to `bytes`, or as far as they may without this test.
fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

fn in_a_child(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{status}, signal {:?}", status.signal());
    false
}

#[tokio::test]
async fn a_full_disk_fails_what_waits_and_nothing_else() {
    if !in_a_child("a_full_disk_fails_what_waits_and_nothing_else") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(place.path()).unwrap());
    let first = store.commit(put("a", 10)).await.unwrap();
    let mut watch = store.watch("", first).await.unwrap();

    limit_files(Some(200 * 1024));
    // The large one fails, and those that wait with it do too: all or none are on the disk.
    let mut failed_together = 0;
    for _ in 0..50 {
        let mut tasks = JoinSet::new();
        let waiting = [("b", 10), ("c", 400 * 1024), ("d", 10)];
        for (name, transaction) in waiting.map(|(name, length)| (name, put(name, length))) {
            let store = Arc::clone(&store);
            tasks.spawn(async move { (name, store.commit(transaction).await) });
        }
        let mut written = Vec::new();
        for (name, outcome) in tasks.join_all().await {
            match outcome {
                Err(CommitError::Store(StoreError::Failed(_))) => {}
                // It came alone, before the large one or after it.
                Ok(_) if name != "c" => written.push(name),
                other => panic!("{name}: {other:?}"),
            }
        }
        let page = store.list("", None, 10).await.unwrap();
        let is_there = |name: &str| page.entries.iter().any(|entry| entry.key.as_str() == name);
        assert!(written.iter().all(|name| is_there(name)) && !is_there("c"));
        failed_together += usize::from(!written.contains(&"d"));
        if failed_together == 3 {
            break;
        }
    }
    assert_eq!(failed_together, 3);
    let backup = place.path().join("backup.db");
    store
        .commit(put("e", 10))
        .await
        .expect("a small one still fits");

    limit_files(Some(16 * 1024));
    store.backup(&backup).await.unwrap_err();
    let remains = std::fs::read_dir(place.path()).unwrap();
    let mut remains = remains.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("backup")
    });
    assert!(remains.next().is_none(), "half a backup was left");

    limit_files(None);
    let large = store.commit(put("c", 400 * 1024)).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), large);
    // Those who watch were told of what is there, without a gap, and of nothing else.
    let mut told = first;
    while told < large {
        let step = tokio::time::timeout(Duration::from_secs(10), watch.next()).await;
        let step = step.unwrap().unwrap();
        assert_eq!(step.revision, Revision(told.0 + 1));
        told = step.revision;
    }
    // An audit of all that is there.
    store.backup(&backup).await.unwrap();
    drop(store);
    let store = Embedded::open(place.path()).unwrap();
    assert_eq!(store.revision().await.unwrap(), large);
}
