//! A process that writes is killed again and again, and what it was told is held against what is
//! there.
//!
//! This test starts itself as the process that writes: see [`child`].

mod noise;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use gatewright_store::{Embedded, Entry, Key, Options, Revision, Store, Transaction};

use noise::noise;

/// Processes that are killed; on a slow machine, as many as can be in [`TIME`].
const ROUNDS: u32 = 300;

/// Fewer are never enough.
const ROUNDS_MIN: u32 = 100;

const TIME: Duration = Duration::from_secs(35);

/// Writers in each process.
const TASKS: usize = 6;

/// Pairs of entries that a writer has.
const PAIRS: u64 = 4;

/// Set for the process that writes: the data directory.
const DIRECTORY: &str = "GATEWRIGHT_TEST_DIRECTORY";

/// Set for it too: for each task, how many transactions it has made.
const MADE: &str = "GATEWRIGHT_TEST_MADE";

/// So that the change log is compacted and checkpoints are made all the time.
const OPTIONS: Options = Options {
    log_steps: 150,
    log_bytes: 64 * 1024,
    checkpoint_pages: 30,
};

/// What the transaction `n` of a task does to its pair `n % PAIRS`: a value for both, or none. Some
/// can be packed.
fn value(n: u64) -> Option<String> {
    let length = usize::try_from(n % 13 * 200).unwrap();
    let text = match n % 2 {
        0 => "x".repeat(length),
        _ => noise(n, length),
    };
    (n % 11 != 5).then(|| format!("{n} {text}"))
}

fn names(task: usize, n: u64) -> [Key; 2] {
    let pair = n % PAIRS;
    ["a", "b"].map(|half| Key::new(format!("{half}/{task}/{pair}")).unwrap())
}

/// The pairs of a task after its first `made` transactions.
fn pairs(task: usize, made: u64) -> BTreeMap<Key, String> {
    let mut pairs = BTreeMap::new();
    for n in made.saturating_sub(PAIRS)..made {
        for key in names(task, n) {
            if let Some(value) = value(n) {
                pairs.insert(key, value);
            }
        }
    }
    pairs
}

/// No test of its own: the process that is killed. It tells each commit that was acknowledged.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let made = std::env::var(MADE).unwrap();
    let made: Vec<u64> = made.split(' ').map(|made| made.parse().unwrap()).collect();
    let builder = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build();
    builder.unwrap().block_on(async {
        let store = Embedded::open_with(Path::new(&directory), OPTIONS).unwrap();
        let store = Arc::new(store);
        let tasks = made.into_iter().enumerate();
        let tasks = tasks.map(|(task, made)| tokio::spawn(write(Arc::clone(&store), task, made)));
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

async fn write(store: Arc<Embedded>, task: usize, made: u64) {
    for n in made.. {
        let keys = names(task, n).into_iter();
        let transaction = keys.fold(Transaction::default(), |all, key| match value(n) {
            Some(value) => all.put(key, value),
            None => all.delete(key),
        });
        let revision = store.commit(transaction).await.unwrap();
        // One call, so that a line is there whole or not at all.
        let line = format!("\nack {task} {n} {revision}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        std::io::stdout().lock().flush().unwrap();
    }
}

#[derive(Clone, Copy, Default)]
struct Told {
    /// Transactions of the task that are there for certain.
    made: u64,
    /// Of the last one, or a later one.
    revision: u64,
    /// Whether the last one was acknowledged, so that this is its revision.
    acknowledged: bool,
}

/// When a process is killed.
#[derive(Clone, Copy)]
enum Life {
    FromItsStart(Duration),
    FromItsFirstCommit(Duration),
}

/// Starts a process, kills it, and returns what it told.
fn round(directory: &Path, told: &[Told], life: Life) -> Vec<Told> {
    let made: Vec<String> = told.iter().map(|told| told.made.to_string()).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(MADE, made.join(" "))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (committed, first_commit) = mpsc::channel();
    let killer = std::thread::spawn(move || {
        match life {
            Life::FromItsStart(life) => std::thread::sleep(life),
            Life::FromItsFirstCommit(life) => {
                let _ = first_commit.recv_timeout(Duration::from_secs(60));
                std::thread::sleep(life);
            }
        }
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let mut told = told.to_vec();
    for line in output.lines() {
        let line = line.unwrap();
        let Some(numbers) = line.strip_prefix("ack ") else {
            continue;
        };
        let _ = committed.send(());
        let numbers: Vec<u64> = numbers
            .split(' ')
            .map(|part| part.parse().unwrap())
            .collect();
        let task = &mut told[usize::try_from(numbers[0]).unwrap()];
        assert_eq!(numbers[1], task.made, "a task was not answered in order");
        assert!(numbers[2] > task.revision, "revisions went back");
        *task = Told {
            made: numbers[1] + 1,
            revision: numbers[2],
            acknowledged: true,
        };
    }
    let status = killer.join().unwrap();
    assert!(
        !status.success() && status.code().is_none(),
        "it ended by itself: {status}"
    );
    told
}

/// Holds the store against what was told; says what is there.
async fn check(directory: &Path, place: &Path, told: &[Told], audit: bool) -> Vec<Told> {
    let store = Embedded::open_with(directory, OPTIONS).unwrap();
    let page = store.list("", None, 10_000).await.unwrap();
    let highest = told.iter().map(|told| told.revision).max().unwrap();
    assert!(
        page.revision.0 >= highest,
        "an acknowledged revision is gone"
    );
    let mut found = Vec::new();
    for (task, told) in told.iter().enumerate() {
        let middle = format!("/{task}/");
        let entries = page.entries.iter();
        let entries = entries.filter(|entry| entry.key.as_str().contains(&middle));
        found.push(check_task(task, *told, entries.collect(), page.revision));
    }
    if audit {
        // A backup is audited: pages, indexes, the change log against the entries.
        let backup = place.join("audit.db");
        store.backup(&backup).await.unwrap();
        std::fs::remove_file(&backup).unwrap();
    }
    found
}

/// A task's entries are those after what was acknowledged, or after one more that was under way.
fn check_task(task: usize, told: Told, entries: Vec<&Entry>, last: Revision) -> Told {
    let found = entries.iter().map(|entry| {
        let value = String::from_utf8(entry.value.to_vec()).unwrap();
        (entry.key.clone(), value)
    });
    let found: BTreeMap<Key, String> = found.collect();
    if found == pairs(task, told.made) {
        for entry in &entries {
            assert!(entry.modified <= last);
            if told.acknowledged && names(task, told.made - 1).contains(&entry.key) {
                assert_eq!(entry.modified.0, told.revision);
            }
        }
        return told;
    }
    let one_more = pairs(task, told.made + 1);
    assert_eq!(
        found, one_more,
        "task {task} was told of {} transactions",
        told.made
    );
    Told {
        made: told.made + 1,
        revision: last.0,
        acknowledged: false,
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let mut told = vec![Told::default(); TASKS];
    let (began, mut rounds, mut late, mut recovered) = (Instant::now(), 0, 0, 0);
    let mut random = std::process::id();
    while rounds < ROUNDS_MIN || rounds < ROUNDS && began.elapsed() < TIME {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let micros = u64::from(random >> 8);
        let life = match rounds % 3 {
            // From before the database is open to well into the writing.
            0 => Life::FromItsStart(Duration::from_micros(micros % 60_000)),
            _ => Life::FromItsFirstCommit(Duration::from_micros(micros % 40_000)),
        };
        let heard = round(&directory, &told, life);
        if heard
            .iter()
            .zip(&told)
            .any(|(now, then)| now.made > then.made)
        {
            late += 1;
        }
        let log = std::fs::metadata(directory.join("gatewright.db-wal"));
        recovered += u32::from(log.is_ok_and(|log| log.len() > 0));
        told = check(&directory, place.path(), &heard, rounds % 4 == 0).await;
        rounds += 1;
    }
    let made: u64 = told.iter().map(|told| told.made).sum();
    let took = began.elapsed();
    let summary = format!(
        "{rounds} killed in {took:.1?}, {late} of them while they wrote, {recovered} with a log \
         to recover; {made} transactions"
    );
    writeln!(std::io::stderr(), "{summary}").unwrap();
    assert!(late > rounds / 2 && recovered > rounds / 2, "{summary}");
}
