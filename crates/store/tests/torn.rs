//! What a power cut leaves: a write-ahead log that ends anywhere.
//!
//! The files are copied while transactions are written, as they are at that moment, and the log's
//! copy is cut off at random, or its end overwritten, as half-written sectors are. Checkpoints are
//! kept away: a disk that keeps what it was told to keep never loses a part of the log that is
//! already in the database, so such a pair of files would be no likeness of anything.

mod noise;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_store::{Change, Embedded, Key, Options, Revision, Step, Store, Transaction};
use tokio::task::JoinSet;

use noise::noise;

const OPTIONS: Options = Options {
    log_steps: 1_000_000,
    log_bytes: u64::MAX,
    checkpoint_pages: u32::MAX,
};

const TASKS: u64 = 4;

/// Copies of one run.
const COPIES: usize = 8;

/// Cuts of one copy.
const CUTS: usize = 25;

/// Numbers that only look random; the first is told where a test fails.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// The files of a store at one moment, and the last revision that was acknowledged before it.
struct Copy {
    database: Vec<u8>,
    log: Vec<u8>,
    acknowledged: u64,
}

async fn write(store: Arc<Embedded>, task: u64, acknowledged: Arc<AtomicU64>) {
    for n in 0..150_u64 {
        let length = usize::try_from(n % 7 * 300).unwrap();
        let text = match n % 2 {
            0 => "x".repeat(length),
            _ => noise(n, length),
        };
        let value = format!("{n} {text}");
        let keys = ["a", "b"].map(|half| Key::new(format!("{half}/{task}/{}", n % 3)).unwrap());
        let transaction = keys.into_iter().fold(Transaction::default(), |all, key| {
            all.put(key, value.clone())
        });
        let revision = store.commit(transaction).await.unwrap();
        acknowledged.fetch_max(revision.0, Ordering::SeqCst);
    }
}

/// Writes, copies the files now and then, and returns the whole history too.
async fn run(directory: &Path) -> (Vec<Copy>, Vec<Step>) {
    let store = Arc::new(Embedded::open_with(directory, OPTIONS).unwrap());
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(write(Arc::clone(&store), task, Arc::clone(&acknowledged)));
    }
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let mut copies = Vec::new();
    let all = TASKS * 150;
    while copies.len() < COPIES {
        let due = all * u64::try_from(copies.len()).unwrap() / u64::try_from(COPIES).unwrap();
        while acknowledged.load(Ordering::SeqCst) < due {
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        copies.push(Copy {
            acknowledged: acknowledged.load(Ordering::SeqCst),
            database: read("gatewright.db"),
            log: read("gatewright.db-wal"),
        });
    }
    tasks.join_all().await;
    (copies, history(&store).await)
}

async fn history(store: &Embedded) -> Vec<Step> {
    let last = store.revision().await.unwrap();
    let mut watch = store.watch("", Revision(0)).await.unwrap();
    let mut steps = Vec::new();
    while steps.len() < usize::try_from(last.0).unwrap() {
        steps.push(watch.next().await.unwrap());
    }
    steps
}

/// Opens copied files, and holds what is there against the history; says its last revision.
async fn check(copy: &Copy, log: &[u8], all: &[Step]) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("gatewright.db"), &copy.database).unwrap();
    std::fs::write(directory.join("gatewright.db-wal"), log).unwrap();
    let store = Embedded::open_with(&directory, OPTIONS).unwrap();
    let revision = store.revision().await.unwrap().0;
    let steps = history(&store).await;
    assert_eq!(steps, all[..usize::try_from(revision).unwrap()]);
    let mut expected = BTreeMap::new();
    for change in steps.iter().flat_map(|step| &step.changes) {
        let Change::Put(entry) = change else {
            panic!("nothing was deleted");
        };
        expected.insert(entry.key.clone(), entry.clone());
    }
    let page = store.list("", None, 10_000).await.unwrap();
    assert_eq!(page.entries, expected.into_values().collect::<Vec<_>>());
    let (a, b) = page.entries.split_at(page.entries.len() / 2);
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.key.as_str()[1..], b.key.as_str()[1..]);
        assert_eq!((&a.value, a.modified), (&b.value, b.modified));
    }
    store.backup(&place.path().join("audit.db")).await.unwrap();
    // It goes on from there.
    let key = Key::new("after").unwrap();
    let after = store.commit(Transaction::default().put(key, "")).await;
    assert_eq!(after.unwrap().0, revision + 1);
    revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_anywhere_gives_a_beginning_of_the_history() {
    let place = tempfile::tempdir().unwrap();
    let (copies, all) = run(&place.path().join("data")).await;
    assert_eq!(all.len(), usize::try_from(TASKS * 150).unwrap());
    let seed = u64::from(std::process::id());
    let mut random = Random(seed);
    let mut lost = 0;
    for copy in &copies {
        // What was acknowledged had been handed to the disk before it was copied.
        let whole = check(copy, &copy.log, &all).await;
        assert!(
            whole >= copy.acknowledged,
            "{whole} of {}",
            copy.acknowledged
        );
        let mut by_length = BTreeMap::new();
        for _ in 0..CUTS {
            let cut = random.below(copy.log.len() + 1);
            let mut log = copy.log[..cut].to_vec();
            let mut length = cut;
            if random.below(2) == 0 {
                // Sectors that were written in another order than they were asked to be.
                let torn = random.below(8 * 512).min(cut);
                length = cut - torn;
                let filler = u8::try_from(random.below(256)).unwrap();
                log[length..].fill(filler);
            }
            let revision = check(copy, &log, &all).await;
            assert!(revision <= whole, "seed {seed}");
            by_length.insert(length, revision);
            lost += u64::from(revision < whole);
        }
        // A longer log never gives less.
        assert!(by_length.values().is_sorted(), "seed {seed}: {by_length:?}");
    }
    assert!(lost > 0, "no cut lost anything");
}
