//! The one writer: transactions that wait together are synced together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::apply::apply;
use super::schema::{self, State};
use super::{Options, change_log};
use crate::model::{Revision, Transaction};
use crate::traits::{CommitError, StoreError};

/// Transactions that are synced together.
const BATCH_MAX: usize = 256;

/// After this many times the usual length of the write-ahead log, a checkpoint waits for readers
/// rather than leaving a part of the log to the next.
const OVERDUE: u32 = 16;

/// A transaction and who waits for it.
pub(super) struct Job {
    pub(super) transaction: Transaction,
    pub(super) answer: oneshot::Sender<Outcome>,
    /// Its place in the queue's bytes, given back when it was answered.
    pub(super) _room: OwnedSemaphorePermit,
}

type Outcome = Result<Revision, CommitError>;

pub(super) struct Writer {
    connection: Connection,
    file: PathBuf,
    options: Options,
    last: watch::Sender<u64>,
    /// Length of the write-ahead log, in pages.
    log_pages: Arc<AtomicU32>,
}

impl Writer {
    /// # Errors
    /// When the database does not let itself be asked.
    pub(super) fn new(
        connection: Connection,
        file: PathBuf,
        options: Options,
    ) -> Result<(Self, watch::Receiver<u64>), StoreError> {
        let state = State::read(&connection)?;
        let (last, seen) = watch::channel(state.revision);
        let mut writer = Self {
            connection,
            file,
            options,
            last,
            log_pages: Arc::default(),
        };
        writer.count_pages()?;
        Ok((writer, seen))
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.serve(batch);
            self.checkpoint();
        }
    }

    fn serve(&mut self, batch: Vec<Job>) {
        match self.carry_out(&batch) {
            Ok((revision, outcomes)) => {
                self.last.send_if_modified(|last| {
                    let later = *last < revision;
                    *last = revision;
                    later
                });
                for (job, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = job.answer.send(outcome);
                }
            }
            Err(error) => {
                self.recover();
                for job in batch {
                    let _ = job.answer.send(Err(error.clone().into()));
                }
            }
        }
    }

    /// Carries out a batch and syncs it. Where this fails, nothing of it is told to anyone but the
    /// failure: also a conflict may have been with a transaction that was not committed.
    fn carry_out(&mut self, batch: &[Job]) -> Result<(u64, Vec<Outcome>), StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let mut all = self.connection.transaction_with_behavior(behavior)?;
        let found = State::read(&all)?;
        let mut state = found;
        let mut outcomes = Vec::with_capacity(batch.len());
        for job in batch {
            let mut one = all.savepoint()?;
            let outcome = apply(&one, &mut state, &job.transaction);
            match &outcome {
                Ok(_) => one.commit()?,
                Err(CommitError::Store(StoreError::Failed(reason))) => {
                    return Err(StoreError::Failed(reason.clone()));
                }
                Err(_) => {
                    one.rollback()?;
                    one.commit()?;
                }
            }
            outcomes.push(outcome);
        }
        if state == found {
            return Ok((state.revision, outcomes));
        }
        let (steps, bytes) = (self.options.log_steps, self.options.log_bytes);
        change_log::compact(&all, &mut state, steps, bytes)?;
        state.write(&all)?;
        all.commit()?;
        Ok((state.revision, outcomes))
    }

    /// After a failure: a connection that could not even roll back is not used again.
    fn recover(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Ok(connection) = schema::reopen(&self.file) {
            self.connection = connection;
            let _ = self.count_pages();
        }
    }

    fn count_pages(&mut self) -> rusqlite::Result<()> {
        let pages = Arc::clone(&self.log_pages);
        self.connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, length: std::ffi::c_int| {
                pages.store(u32::try_from(length).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            },
        ))
    }

    /// Moves the write-ahead log into the database when it has become long. This comes after the
    /// answers, so that no commit waits for it; one that fails is made again after the next batch.
    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        let usual = self.options.checkpoint_pages;
        if pages < usual {
            return;
        }
        let checkpoint = if pages < usual.saturating_mul(OVERDUE) {
            "PRAGMA wal_checkpoint(PASSIVE)"
        } else {
            "PRAGMA wal_checkpoint(RESTART)"
        };
        let _ = self.connection.query_row(checkpoint, (), |_| Ok(()));
    }
}
