//! Watching: woken by the writer, fed from the change log.
//!
//! A watch holds a position and one reading of the log, nothing that grows: one that is slow reads
//! later, and is told where the log has moved past it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::reader::{self, Readers};
use crate::model::{Revision, Step};
use crate::traits::{Pending, StoreError, Watch, WatchError};

pub(super) struct LogWatch {
    readers: Arc<Readers>,
    /// The revision that the writer committed last; its sender is gone when the store is closed.
    last: watch::Receiver<u64>,
    prefix: Arc<str>,
    /// Every step up to this one was handed over, or waits in `ready`, or has other prefixes.
    position: u64,
    ready: VecDeque<Step>,
}

impl LogWatch {
    /// # Errors
    /// When steps after `after` are not kept any more.
    pub(super) async fn start(
        readers: Arc<Readers>,
        last: watch::Receiver<u64>,
        prefix: &str,
        after: Revision,
    ) -> Result<Self, WatchError> {
        let mut watch = Self {
            readers,
            last,
            prefix: prefix.into(),
            position: after.0,
            ready: VecDeque::new(),
        };
        watch.read().await?;
        Ok(watch)
    }

    async fn step(&mut self) -> Result<Step, WatchError> {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return Ok(step);
            }
            // Marked as seen before the log is read: what is committed after that wakes again.
            if *self.last.borrow_and_update() > self.position {
                self.read().await?;
            } else if self.last.changed().await.is_err() {
                return Err(StoreError::Closed.into());
            }
        }
    }

    /// Nothing changes here before the reading is whole, so that a caller may drop it at any time.
    async fn read(&mut self) -> Result<(), WatchError> {
        let (prefix, after) = (Arc::clone(&self.prefix), Revision(self.position));
        let reading = self
            .readers
            .read(move |connection| reader::steps(connection, &prefix, after))
            .await?;
        self.position = reading.position;
        self.ready.extend(reading.steps);
        Ok(())
    }
}

impl Watch for LogWatch {
    fn next(&mut self) -> Pending<'_, Result<Step, WatchError>> {
        Box::pin(self.step())
    }
}
