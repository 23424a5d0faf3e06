//! What is done now and then: entries that nobody will ask for go, and a certificate that ends soon
//! is made anew.

use std::sync::Arc;

use gatewright_store::{CommitError, Entry, Key, StoreError, Transaction};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::activity;
use crate::clock;
use crate::core::Core;
use crate::operations::{self, Operation};
use crate::pki::Presented;

/// Entries that are read, and deleted in one transaction, at a time: writes of clients come
/// between.
const BATCH: usize = 256;

/// At once, and again after each pause, until the control plane stops.
pub(crate) async fn run(
    core: Arc<Core>,
    presented: Vec<Arc<Presented>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let now = clock::now();
        for one in &presented {
            match one.renew(now) {
                Ok(true) => tracing::info!("{one:?}: a new certificate is presented"),
                Ok(false) => {}
                Err(why) => tracing::error!("{one:?} could not be made anew: {why}"),
            }
        }
        if let Err(error) = core.prune(now).await {
            tracing::warn!("old entries could not be deleted: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(core.limits.housekeeping) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Core {
    /// Deletes operations that ended, and events, that are older than they are kept; and the oldest
    /// events where there are too many.
    async fn prune(&self, now: OffsetDateTime) -> Result<(), StoreError> {
        let operations = self.prune_operations(now).await?;
        let events = self.prune_events(now).await?;
        if operations + events > 0 {
            tracing::info!(operations, events, "old entries were deleted");
        }
        Ok(())
    }

    async fn prune_operations(&self, now: OffsetDateTime) -> Result<usize, StoreError> {
        let oldest = now - self.limits.operations_kept;
        let is_old = |entry: &Entry| match Operation::read(entry) {
            Ok(operation) => {
                let ended = operation.ended.as_deref().and_then(clock::parse);
                ended.is_some_and(|ended| ended < oldest)
            }
            Err(error) => {
                tracing::warn!("{error}");
                false
            }
        };
        let (mut gone, mut after) = (0, None);
        loop {
            let list = self.store.list(operations::PREFIX, after.as_ref(), BATCH);
            let page = list.await?;
            let old: Vec<Key> = page
                .entries
                .iter()
                .filter(|entry| is_old(entry))
                .map(|entry| entry.key.clone())
                .collect();
            gone += self.delete_entries(old).await?;
            after = page.entries.last().map(|entry| entry.key.clone());
            if !page.more || after.is_none() {
                return Ok(gone);
            }
        }
    }

    /// Events lie in the order of time.
    async fn prune_events(&self, now: OffsetDateTime) -> Result<usize, StoreError> {
        let oldest = activity::key_at(now - self.limits.events_kept, "")?;
        let surplus = self.events().await?.saturating_sub(self.limits.events);
        let mut gone = 0;
        loop {
            let page = self.store.list(activity::PREFIX, None, BATCH).await?;
            let old: Vec<Key> = page
                .entries
                .into_iter()
                .enumerate()
                .take_while(|(at, entry)| entry.key < oldest || gone + at < surplus)
                .map(|(_, entry)| entry.key)
                .collect();
            let deleted = self.delete_entries(old).await?;
            gone += deleted;
            if deleted < BATCH {
                return Ok(gone);
            }
        }
    }

    /// How many there are.
    async fn events(&self) -> Result<usize, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let list = self.store.list(activity::PREFIX, after.as_ref(), BATCH);
            let page = list.await?;
            count += page.entries.len();
            after = page.entries.last().map(|entry| entry.key.clone());
            if !page.more || after.is_none() {
                return Ok(count);
            }
        }
    }

    async fn delete_entries(&self, keys: Vec<Key>) -> Result<usize, StoreError> {
        let count = keys.len();
        if count == 0 {
            return Ok(0);
        }
        let transaction = keys
            .into_iter()
            .fold(Transaction::default(), Transaction::delete);
        match self.commit(transaction).await {
            Ok(_) => Ok(count),
            Err(CommitError::Store(error)) => Err(error),
            // It has no conditions that could fail.
            Err(conflict @ CommitError::Conflict(_)) => {
                Err(StoreError::Refused(conflict.to_string()))
            }
        }
    }
}
