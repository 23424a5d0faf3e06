//! How records leave the threads that serve traffic: in batches, without ever making them wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::time::Duration;

use crate::RecordBatch;

/// A channel that holds at most `capacity_batches` filled batches (at least 1). Batches go around
/// between the two ends, so that nothing is allocated once both have settled.
pub fn record_channel(capacity_batches: usize) -> (RecordSender, RecordReceiver) {
    let capacity = capacity_batches.max(1);
    let (full_sender, full_receiver) = mpsc::sync_channel(capacity);
    let shared = Arc::new(Shared {
        spare: Mutex::new(Vec::with_capacity(capacity)),
        spare_max: capacity,
        dropped: AtomicU64::new(0),
    });
    let sender = RecordSender {
        full: full_sender,
        shared: Arc::clone(&shared),
    };
    let receiver = RecordReceiver {
        full: full_receiver,
        shared,
    };
    (sender, receiver)
}

#[derive(Debug)]
struct Shared {
    /// Empty batches that keep their room.
    spare: Mutex<Vec<RecordBatch>>,
    spare_max: usize,
    dropped: AtomicU64,
}

impl Shared {
    fn keep(&self, mut spare: MutexGuard<'_, Vec<RecordBatch>>, mut batch: RecordBatch) {
        batch.clear();
        if spare.len() < self.spare_max {
            spare.push(batch);
        }
    }
}

/// One worker's end. Clones feed the same receiver.
#[derive(Clone, Debug)]
pub struct RecordSender {
    full: SyncSender<RecordBatch>,
    shared: Arc<Shared>,
}

impl RecordSender {
    /// Hands over the records of `batch` and leaves an empty one in its place; does nothing when
    /// there are none. Never waits: when the receiver is behind by the channel's capacity, or gone,
    /// the records are dropped and counted.
    pub fn submit(&self, batch: &mut RecordBatch) {
        if batch.is_empty() {
            return;
        }
        let filled = std::mem::replace(batch, self.take_spare());
        let (TrySendError::Full(refused) | TrySendError::Disconnected(refused)) =
            match self.full.try_send(filled) {
                Ok(()) => return,
                Err(error) => error,
            };
        let lost = refused.records().len() as u64;
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        // The refused batch has the room that this worker needs: it stays, the spare goes back.
        let spare = std::mem::replace(batch, refused);
        batch.clear();
        if let Some(list) = try_lock(&self.shared.spare) {
            self.shared.keep(list, spare);
        }
    }

    /// How many records were dropped so far, over all clones.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// A recycled batch, or a new one where there is none or another thread holds the list.
    fn take_spare(&self) -> RecordBatch {
        try_lock(&self.shared.spare)
            .and_then(|mut spare| spare.pop())
            .unwrap_or_default()
    }
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What came out of a [`RecordReceiver`].
#[derive(Debug)]
pub enum Received {
    Batch(RecordBatch),
    /// Nothing came in time.
    Nothing,
    /// Every sender is gone and every batch was received.
    Closed,
}

/// The end that reads.
#[derive(Debug)]
pub struct RecordReceiver {
    full: Receiver<RecordBatch>,
    shared: Arc<Shared>,
}

impl RecordReceiver {
    /// The next batch, waiting for it at most this long.
    pub fn recv_timeout(&self, patience: Duration) -> Received {
        match self.full.recv_timeout(patience) {
            Ok(batch) => Received::Batch(batch),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::Closed,
        }
    }

    /// The next batch, if one is there.
    pub fn try_recv(&self) -> Received {
        match self.full.try_recv() {
            Ok(batch) => Received::Batch(batch),
            Err(TryRecvError::Empty) => Received::Nothing,
            Err(TryRecvError::Disconnected) => Received::Closed,
        }
    }

    /// Gives a batch that was read back to the senders.
    pub fn recycle(&self, batch: RecordBatch) {
        let spare = &self.shared.spare;
        let list = spare.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.keep(list, batch);
    }

    /// How many records were dropped so far, over all senders.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::plain_request;

    const SOON: Duration = Duration::from_millis(10);

    fn filled(records: usize) -> RecordBatch {
        let mut batch = RecordBatch::default();
        for _ in 0..records {
            let record = plain_request(&mut batch);
            batch.push(record);
        }
        batch
    }

    #[test]
    fn records_arrive_in_order_and_the_sender_gets_an_empty_batch() {
        let (sender, receiver) = record_channel(2);
        let mut batch = filled(3);
        sender.submit(&mut batch);
        assert!(batch.is_empty());
        let mut second = filled(1);
        sender.submit(&mut second);
        for expected in [3, 1] {
            match receiver.recv_timeout(SOON) {
                Received::Batch(batch) => assert_eq!(batch.records().len(), expected),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(receiver.recv_timeout(SOON), Received::Nothing));
        drop(sender);
        assert!(matches!(receiver.recv_timeout(SOON), Received::Closed));
    }

    #[test]
    fn a_receiver_that_is_behind_costs_records_not_time() {
        let (sender, receiver) = record_channel(1);
        for _ in 0..3 {
            let mut batch = filled(5);
            sender.submit(&mut batch);
            assert!(batch.is_empty());
        }
        assert_eq!(sender.dropped(), 10);
        assert_eq!(receiver.dropped(), 10);
        assert!(matches!(receiver.try_recv(), Received::Batch(_)));
        drop(receiver);
        sender.submit(&mut filled(2));
        assert_eq!(sender.dropped(), 12);
    }

    #[test]
    fn an_empty_batch_takes_no_place() {
        let (sender, receiver) = record_channel(1);
        sender.submit(&mut RecordBatch::default());
        assert!(matches!(receiver.try_recv(), Received::Nothing));
    }

    #[test]
    fn recycled_batches_keep_their_room_and_their_number_is_bounded() {
        let (sender, receiver) = record_channel(2);
        receiver.recycle(filled(4));
        let used = filled(4);
        let room = used.records().as_ptr();
        receiver.recycle(used);
        receiver.recycle(filled(4));
        assert_eq!(receiver.shared.spare.lock().unwrap().len(), 2);
        let spare = sender.take_spare();
        assert!(spare.is_empty());
        assert_eq!(spare.records().as_ptr(), room);
    }
}
