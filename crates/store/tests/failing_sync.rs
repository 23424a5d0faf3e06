//! A disk that fails when it is told to sync.
//!
//! This test starts itself under strace, which makes some of the writer's syncs fail and writes
//! down which; where strace is missing or may not trace, it says so and does nothing.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gatewright_store::{
    CommitError, Embedded, Key, Options, Revision, Store, StoreError, Transaction,
};

const DIRECTORY: &str = "GATEWRIGHT_TEST_DIRECTORY";

/// Every how many of a thread's syncs fails, from its 11th on. Several, since a commit and a
/// checkpoint that is due take turns: with one number alone the same of them might always be met.
const STEPS: [u32; 4] = [2, 3, 5, 7];

/// Where the child tells the last revision that was acknowledged, and how many commits failed.
const TOLD: &str = "told";

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
    let (mut failed, mut last) = (0_u64, base);
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
    std::fs::write(Path::new(&directory).join(TOLD), format!("{last} {failed}")).unwrap();
    // As a power cut would: the writer's last checkpoint is not made.
    std::process::exit(0);
}

/// Writes what it traces to `trace`.
fn strace(trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    let calls = "trace=fsync,fdatasync,pwrite64";
    strace
        .args(["-f", "-y", "-qq", "-e", calls, "-o"])
        .arg(trace);
    strace
}

/// How many syncs of commits and how many of checkpoints failed: a commit writes to the
/// write-ahead log and syncs it at once; a checkpoint begins with a sync.
fn failures(trace: &str) -> (u64, u64) {
    let (mut commits, mut checkpoints) = (0, 0);
    let mut after_log_write = HashMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let written = after_log_write.insert(thread, false).unwrap_or(false);
        if call.contains("(INJECTED)") {
            *(if written {
                &mut commits
            } else {
                &mut checkpoints
            }) += 1;
        }
        if call.trim_start().starts_with("pwrite64(") && call.contains("-wal>") {
            after_log_write.insert(thread, true);
        }
    }
    (commits, checkpoints)
}

/// Runs the child; says what failed.
fn run(directory: &Path, step: u32) -> (u64, u64) {
    let trace = directory.join("trace");
    let output = strace(&trace)
        .arg("-e")
        .arg(format!("inject=fsync,fdatasync:error=EIO:when=11+{step}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(DIRECTORY, directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let trace = std::fs::read(trace).unwrap();
    failures(&String::from_utf8_lossy(&trace))
}

#[tokio::test]
async fn a_sync_that_fails_is_told_and_got_over() {
    let mut tried = strace(Path::new("/dev/null"));
    let tried = tried.arg("true").stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        use std::io::Write;
        let said = writeln!(std::io::stderr(), "SKIPPED: strace cannot trace here");
        return said.unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    // Made before, so that the syncs that fail are those of commits.
    drop(Embedded::open(place.path()).unwrap());
    let (mut commits, mut checkpoints) = (0, 0);
    for step in STEPS {
        let failures = run(place.path(), step);
        commits += failures.0;
        checkpoints += failures.1;
        let told = std::fs::read_to_string(place.path().join(TOLD)).unwrap();
        let (last, failed) = told.split_once(' ').unwrap();
        // As many as the kernel let fail: none was acknowledged, and no checkpoint failed any.
        assert_eq!(failed.parse::<u64>().unwrap(), failures.0, "every {step}");
        check(place.path(), last.parse().unwrap()).await;
    }
    assert!(
        commits >= 10 && checkpoints >= 10,
        "{commits} commits, {checkpoints} checkpoints"
    );
}

/// What failed may be there or not; what was acknowledged is, and all agrees with itself.
async fn check(directory: &Path, last: u64) {
    let store = Embedded::open_with(directory, OPTIONS).unwrap();
    let backup = directory.join("audit.db");
    store.backup(&backup).await.unwrap();
    std::fs::remove_file(backup).unwrap();
    let page = store.list("", None, 100).await.unwrap();
    assert!(page.revision.0 >= last, "{page:?} of {last}");
    let (a, b) = page.entries.split_at(page.entries.len() / 2);
    for (a, b) in a.iter().zip(b) {
        assert_eq!((&a.value, a.modified), (&b.value, b.modified));
    }
}
