//! A disk that fails when it is told to sync.
//!
//! This test starts itself under strace, which makes some of the writer's syncs fail; where strace
//! is missing or may not trace, it says so and does nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gatewright_store::{
    CommitError, Embedded, Key, Options, Revision, Store, StoreError, Transaction,
};

const DIRECTORY: &str = "GATEWRIGHT_TEST_DIRECTORY";

/// The writer's syncs from the 11th on, every third.
const FAILING: &str = "inject=fsync,fdatasync:error=EIO:when=11+3";

/// Where the child tells the last revision that was acknowledged.
const LAST: &str = "last";

/// What is waited for a step that was acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);

const COMMITS: u64 = 60;

/// So that checkpoints fail, too.
const OPTIONS: Options = Options {
    log_steps: 1_000,
    log_bytes: 1_000_000,
    checkpoint_pages: 40,
};

fn put(n: u64) -> Transaction {
    let keys = ["a", "b"].map(|half| Key::new(format!("{half}/{}", n % 5)).unwrap());
    let none = Transaction::default();
    keys.into_iter()
        .fold(none, |all, key| all.put(key, n.to_string()))
}

/// No test of its own: what runs under strace.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = Embedded::open_with(Path::new(&directory), OPTIONS).unwrap();
    let base = store.revision().await.unwrap();
    let mut watch = store.watch("", base).await.unwrap();
    let (mut failed, mut last) = (0, base);
    for n in 0..COMMITS {
        match store.commit(put(n)).await {
            Ok(revision) => {
                assert_eq!(revision, Revision(last.0 + 1));
                let step = tokio::time::timeout(PATIENCE, watch.next()).await;
                let step = step.expect("no step came").unwrap();
                assert_eq!(step.revision, revision);
                let value = n.to_string();
                let entry = store.get(step.changes[0].key()).await.unwrap().unwrap();
                assert_eq!(
                    (entry.value.as_ref(), entry.modified),
                    (value.as_bytes(), revision)
                );
                last = revision;
            }
            Err(CommitError::Store(StoreError::Failed(_))) => {
                failed += 1;
                // Nothing of it is to be seen.
                assert_eq!(store.revision().await.unwrap(), last);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(failed >= 10, "{failed} failed");
    assert!(last.0 >= base.0 + 20, "{last:?}");
    std::fs::write(Path::new(&directory).join(LAST), last.to_string()).unwrap();
    // As a power cut would: the writer's last checkpoint is not made.
    std::process::exit(0);
}

fn strace() -> Command {
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
    ]);
    strace
}

#[tokio::test]
async fn a_sync_that_fails_is_told_and_got_over() {
    let tried = strace().arg("true").stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        use std::io::Write;
        let said = writeln!(std::io::stderr(), "SKIPPED: strace cannot trace here");
        return said.unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    // Made before, so that the syncs that fail are those of commits.
    drop(Embedded::open(place.path()).unwrap());
    for _ in 0..3 {
        let output = strace()
            .args(["-e", FAILING])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env(DIRECTORY, place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        let store = Embedded::open_with(place.path(), OPTIONS).unwrap();
        let backup = place.path().join("audit.db");
        store.backup(&backup).await.unwrap();
        std::fs::remove_file(backup).unwrap();
        let page = store.list("", None, 100).await.unwrap();
        // What failed may be there or not; what was acknowledged is.
        let last: u64 = std::fs::read_to_string(place.path().join(LAST))
            .unwrap()
            .parse()
            .unwrap();
        assert!(page.revision.0 >= last, "{page:?} of {last}");
        let (a, b) = page.entries.split_at(5);
        for (a, b) in a.iter().zip(b) {
            assert_eq!((&a.value, a.modified), (&b.value, b.modified));
        }
    }
}
