//! The embedded store as a subject.

use std::sync::Arc;

use gatewright_store::{Embedded, Options, Pending, Revision, Store};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::subject::{Fresh, Subject, put};

/// Steps that are kept: more than a test makes that does not want to see them forgotten.
const LOG_STEPS: u64 = 2_000;

pub(crate) struct OnSqlite;

struct Place {
    store: Arc<Embedded>,
    _directory: TempDir,
}

impl Subject for OnSqlite {
    fn fresh(&self) -> Pending<'_, Box<dyn Fresh>> {
        Box::pin(async {
            let directory = tempfile::tempdir().unwrap();
            let options = Options {
                log_steps: LOG_STEPS,
                // Often enough that every test of some size meets a checkpoint.
                checkpoint_pages: 50,
                ..Options::default()
            };
            let store = Embedded::open_with(directory.path(), options).unwrap();
            Box::new(Place {
                store: Arc::new(store),
                _directory: directory,
            }) as Box<dyn Fresh>
        })
    }
}

impl Fresh for Place {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn forget(&self, until: Revision) -> Pending<'_, ()> {
        Box::pin(async move {
            let last = self.store.revision().await.unwrap();
            let mut fillers = JoinSet::new();
            for n in last.0..until.0 + LOG_STEPS {
                let store = Arc::clone(&self.store);
                let filler = put(&format!("filler/{}", n % 10), "");
                fillers.spawn(async move { store.commit(filler).await.unwrap() });
            }
            fillers.join_all().await;
        })
    }
}
