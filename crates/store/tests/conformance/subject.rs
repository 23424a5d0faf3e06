//! A store to be tested.

use std::sync::Arc;
use std::time::Duration;

use gatewright_store::{Key, Pending, Revision, Step, Store, Transaction, Watch};

/// Makes stores for tests.
pub(crate) trait Subject: Sync {
    /// A store without entries that nobody else uses.
    fn fresh(&self) -> Pending<'_, Box<dyn Fresh>>;
}

/// A store of a test.
pub(crate) trait Fresh: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;

    /// Makes the store forget the steps up to `until`; it may forget later ones, and may write
    /// entries with the prefix `filler/` to this end.
    fn forget(&self, until: Revision) -> Pending<'_, ()>;
}

/// What a test waits at most for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs one test on a store of its own.
pub(crate) fn run<F, T>(subject: &dyn Subject, test: T)
where
    T: FnOnce(Box<dyn Fresh>) -> F,
    F: Future<Output = ()>,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { test(subject.fresh().await).await });
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn put(name: &str, value: &str) -> Transaction {
    Transaction::default().put(key(name), value.to_owned())
}

pub(crate) fn delete(name: &str) -> Transaction {
    Transaction::default().delete(key(name))
}

/// The next step, within the time that a test has.
pub(crate) async fn next(watch: &mut Box<dyn Watch>) -> Step {
    let next = tokio::time::timeout(PATIENCE, watch.next());
    next.await.expect("no step came").unwrap()
}

/// The keys of a page, and whether more follow.
pub(crate) async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let page = store.list(prefix, None, 10_000).await.unwrap();
    assert!(!page.more);
    let names = page.entries.iter().map(|entry| entry.key.to_string());
    names.collect()
}
