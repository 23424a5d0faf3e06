//! Random transactions, held against a map.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_store::{
    Change, CommitError, Condition, Entry, Key, Operation, Revision, Step, Store, Transaction,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::task::JoinSet;

use crate::Fresh;
use crate::subject::{key, next, put};

/// Few keys, so that transactions meet.
const NAMES: [&str; 6] = ["a", "a/1", "a/2", "ab", "b", "\u{10ffff}"];

/// A store as it should be.
#[derive(Clone, Debug, Default)]
struct Model {
    entries: BTreeMap<Key, Entry>,
    revision: u64,
    steps: Vec<Step>,
}

impl Model {
    fn holds(&self, condition: &Condition) -> bool {
        let entry = self.entries.get(condition.key());
        match condition {
            Condition::Absent(_) => entry.is_none(),
            Condition::Present(_) => entry.is_some(),
            Condition::ModifiedAt(_, at) => entry.is_some_and(|entry| entry.modified == *at),
        }
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Revision, Condition> {
        let mut conditions = transaction.conditions.iter();
        if let Some(failing) = conditions.find(|condition| !self.holds(condition)) {
            return Err(failing.clone());
        }
        let revision = Revision(self.revision + 1);
        let mut changes = Vec::new();
        for operation in &transaction.operations {
            changes.extend(self.carry_out(operation, revision));
        }
        if !changes.is_empty() {
            changes.sort_by(|one, other| one.key().cmp(other.key()));
            self.revision = revision.0;
            self.steps.push(Step { revision, changes });
        }
        Ok(Revision(self.revision))
    }

    fn carry_out(&mut self, operation: &Operation, modified: Revision) -> Option<Change> {
        match operation {
            Operation::Put(key, value) => {
                let created = self
                    .entries
                    .get(key)
                    .map_or(modified, |entry| entry.created);
                let entry = Entry {
                    key: key.clone(),
                    value: value.clone(),
                    created,
                    modified,
                };
                self.entries.insert(key.clone(), entry.clone());
                Some(Change::Put(entry))
            }
            Operation::Delete(key) => {
                let deleted = self.entries.remove(key);
                deleted.map(|_| Change::Deleted(key.clone()))
            }
        }
    }

    async fn check(&self, store: &dyn Store, base: Revision) {
        assert_eq!(store.revision().await.unwrap().0, self.revision);
        for prefix in ["", "a", "a/", "b", "c", "\u{10ffff}"] {
            let page = store.list(prefix, None, 10_000).await.unwrap();
            let all = self.entries.values();
            let wanted = all.filter(|entry| entry.key.as_str().starts_with(prefix));
            assert_eq!(page.entries, wanted.cloned().collect::<Vec<_>>());
            let mut watch = store.watch(prefix, base).await.unwrap();
            for step in &self.steps {
                let changes = step.changes.iter();
                let changes = changes.filter(|change| change.key().as_str().starts_with(prefix));
                let changes: Vec<Change> = changes.cloned().collect();
                if !changes.is_empty() {
                    let step = Step {
                        revision: step.revision,
                        changes,
                    };
                    assert_eq!(next(&mut watch).await, step);
                }
            }
        }
    }
}

/// A transaction whose revisions are guesses: steps back from the last one.
#[derive(Clone, Debug)]
struct Draft {
    conditions: Vec<(usize, u8, u64)>,
    operations: Vec<(usize, Option<Vec<u8>>)>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let condition = (0..NAMES.len(), 0..3_u8, 0..8_u64);
    let value = proptest::option::weighted(0.7, vec(any::<u8>(), 0..20));
    let operation = (0..NAMES.len(), value);
    (vec(condition, 0..3), vec(operation, 0..5)).prop_map(|(conditions, operations)| Draft {
        conditions,
        operations,
    })
}

impl Draft {
    fn transaction(&self, last: u64) -> Transaction {
        let mut transaction = Transaction::default();
        for (name, kind, back) in &self.conditions {
            let key = key(NAMES[*name]);
            transaction = transaction.when(match kind {
                0 => Condition::Absent(key),
                1 => Condition::Present(key),
                _ => Condition::ModifiedAt(key, Revision(last.saturating_sub(*back))),
            });
        }
        let mut named = BTreeMap::new();
        for (name, value) in &self.operations {
            named.insert(name, value);
        }
        for (name, value) in named {
            let key = key(NAMES[*name]);
            transaction = match value {
                Some(value) => transaction.put(key, Bytes::from(value.clone())),
                None => transaction.delete(key),
            };
        }
        transaction
    }
}

fn drafts(runner: &mut TestRunner, count: usize) -> Vec<Draft> {
    let tree = vec(draft(), count).new_tree(runner).unwrap();
    tree.current()
}

/// Each case goes on with the store of the last one, emptied.
pub(crate) async fn one_after_another_as_a_map_would_do(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let (done, refused) = (Cell::new(0), Cell::new(0));
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::block_in_place(|| {
        runner.run(&vec(draft(), 0..60), |drafts| {
            let (taken, failed) = runtime.block_on(compare(store.as_ref(), drafts))?;
            done.set(done.get() + taken);
            refused.set(refused.get() + failed);
            Ok(())
        })
    });
    checked.unwrap();
    assert!(
        done.get() > 100 && refused.get() > 100,
        "{done:?} done, {refused:?} refused"
    );
}

/// How many transactions a store and a map carried out, and how many both refused.
async fn compare(store: &dyn Store, drafts: Vec<Draft>) -> Result<(u64, u64), TestCaseError> {
    let empty = NAMES
        .iter()
        .fold(Transaction::default(), |all, name| all.delete(key(name)));
    let base = store.commit(empty).await.unwrap();
    let mut model = Model {
        revision: base.0,
        ..Model::default()
    };
    let (mut done, mut refused) = (0, 0);
    for draft in drafts {
        let transaction = draft.transaction(model.revision);
        let expected = model.commit(&transaction);
        match (store.commit(transaction.clone()).await, expected) {
            (Ok(revision), Ok(expected)) if revision == expected => done += 1,
            (Err(CommitError::Conflict(told)), Err(failing)) if told == failing => refused += 1,
            other => {
                let failure = format!("{transaction:?} gave {other:?}");
                return Err(TestCaseError::fail(failure));
            }
        }
    }
    model.check(store, base).await;
    Ok((done, refused))
}

/// Transactions of several tasks are those of one task in the order of their revisions: replayed
/// in that order, each one's conditions hold, and the state and every watch come out the same.
pub(crate) async fn side_by_side_in_the_order_of_their_revisions(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let mut runner = TestRunner::default();
    let base = store.revision().await.unwrap();
    let mut watch = store.watch("", base).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, drafts) = (Arc::clone(&store), drafts(&mut runner, 100));
        tasks.spawn(async move {
            let mut committed = Vec::new();
            for draft in drafts {
                let before = store.revision().await.unwrap();
                let transaction = draft.transaction(before.0);
                match store.commit(transaction.clone()).await {
                    Ok(revision) => {
                        assert!(revision >= before);
                        committed.push((revision, transaction));
                    }
                    Err(CommitError::Conflict(told)) => {
                        assert!(transaction.conditions.contains(&told));
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            committed
        });
    }
    let committed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let end = store.revision().await.unwrap();
    let mut model = Model {
        revision: base.0,
        ..Model::default()
    };
    for revision in base.0 + 1..=end.0 {
        let step = next(&mut watch).await;
        assert_eq!(step.revision.0, revision);
        // Of those with this revision one made the step; the others changed nothing after it.
        let mut here = committed.iter().filter(|(at, _)| at.0 == revision);
        let made = here.find(|(_, transaction)| {
            let mut tried = model.clone();
            tried.commit(transaction).is_ok() && tried.steps.last() == Some(&step)
        });
        let (_, made) = made.expect("a step that no transaction makes");
        model.commit(made).unwrap();
    }
    model.check(store.as_ref(), base).await;
}

pub(crate) async fn a_page_shows_whole_transactions(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..300 {
                let value = n.to_string();
                let transaction = put("t/1", &value).put(key("t/2"), value.clone());
                store
                    .commit(transaction.put(key("t/3"), value))
                    .await
                    .unwrap();
            }
        })
    };
    let (mut last, mut pages) = (Revision(0), 0);
    while !writer.is_finished() {
        let page = store.list("t/", None, 10).await.unwrap();
        assert!(page.revision >= last);
        last = page.revision;
        let Some(first) = page.entries.first() else {
            continue;
        };
        assert_eq!(page.entries.len(), 3);
        for entry in &page.entries {
            assert_eq!(
                (&entry.value, entry.modified),
                (&first.value, page.revision)
            );
        }
        pages += 1;
    }
    writer.await.unwrap();
    assert!(pages > 10, "{pages} pages were seen");
}
