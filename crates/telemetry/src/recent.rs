//! The requests that were seen last, kept so that somebody can ask about one of them.

use std::cmp::Reverse;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Failure, RecordBatch, RequestRecord, Side, TraceId};

/// Requests that are kept which the gateway or a backend failed.
const FAILED_MAX: usize = 2_048;
/// Requests that are kept which were refused, or whose client left.
const REFUSED_MAX: usize = 1_024;
/// Others that are kept.
const SAMPLED_MAX: usize = 1_024;
/// Time between two of the others that are kept, in microseconds: with fewer than 100 in a second
/// all are.
const SAMPLE_MICROS: u64 = 10_000;
/// More of a text is not kept, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// The last requests: those that failed, those that were refused, and a sample of the others, each
/// kind within bounds of its own, so that none displaces another. One thread writes, any may read.
#[derive(Debug, Default)]
pub struct RecentRequests(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    failed: Ring<FAILED_MAX>,
    refused: Ring<REFUSED_MAX>,
    sampled: Ring<SAMPLED_MAX>,
    /// When the last sample began, in microseconds since the Unix epoch.
    last_sample: u64,
}

/// The last `N` requests. The oldest one's room is used again.
#[derive(Debug, Default)]
struct Ring<const N: usize> {
    /// Each with one record.
    kept: Vec<RecordBatch>,
    next: usize,
}

impl<const N: usize> Ring<N> {
    fn keep(&mut self, batch: &RecordBatch, record: &RequestRecord) {
        if self.kept.len() < N {
            self.kept.push(RecordBatch::default());
        }
        if let Some(slot) = self.kept.get_mut(self.next) {
            slot.clear();
            slot.push_copy(batch, record, TEXT_BYTES_MAX);
        }
        self.next = (self.next + 1) % N;
    }

    /// The newest first.
    fn iter(&self) -> impl Iterator<Item = &RecordBatch> {
        let (newer, older) = self
            .kept
            .split_at_checked(self.next)
            .unwrap_or((self.kept.as_slice(), &[]));
        newer.iter().rev().chain(older.iter().rev())
    }
}

impl RecentRequests {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at every record of `batch`.
    pub fn take(&self, batch: &RecordBatch) {
        let mut rings = self.rings();
        for record in batch.records() {
            rings.take(batch, record);
        }
    }

    /// The request with this identity, while it is kept: a batch of its record alone. Texts are cut
    /// at 1 KiB.
    pub fn find(&self, trace: TraceId) -> Option<RecordBatch> {
        let rings = self.rings();
        let mut all = rings.iter();
        all.find(|kept| is_of(kept, |record| record.trace == trace))
            .cloned()
    }

    /// Up to `most` of the requests of which `is_meant`, each a batch of its record alone: those
    /// that failed, then those that were refused, then the others, the newest of each first.
    pub fn list(
        &self,
        most: usize,
        mut is_meant: impl FnMut(&RequestRecord) -> bool,
    ) -> Vec<RecordBatch> {
        let rings = self.rings();
        let meant = rings.iter().filter(|kept| is_of(kept, &mut is_meant));
        meant.take(most).cloned().collect()
    }

    /// Up to `most` of the requests of which `is_meant`, the newest of all first.
    pub fn newest(
        &self,
        most: usize,
        mut is_meant: impl FnMut(&RequestRecord) -> bool,
    ) -> Vec<RecordBatch> {
        let rings = self.rings();
        let mut meant: Vec<&RecordBatch> = rings
            .iter()
            .filter(|kept| is_of(kept, &mut is_meant))
            .collect();
        let started = |kept: &RecordBatch| Some(kept.records().first()?.started_unix_micros);
        meant.sort_by_key(|kept| Reverse(started(kept)));
        // The writer waits meanwhile: no more is copied than is asked for.
        meant.into_iter().take(most).cloned().collect()
    }
}

fn is_of(kept: &RecordBatch, is_meant: impl FnMut(&RequestRecord) -> bool) -> bool {
    kept.records().first().is_some_and(is_meant)
}

impl Rings {
    /// Those that failed, then those that were refused, then the others, the newest of each first.
    fn iter(&self) -> impl Iterator<Item = &RecordBatch> {
        let failed = self.failed.iter();
        failed.chain(self.refused.iter()).chain(self.sampled.iter())
    }

    fn take(&mut self, batch: &RecordBatch, record: &RequestRecord) {
        let side = record.failure.map(Failure::side);
        match (record.status, side) {
            (500.., _) | (_, Some(Side::Gateway | Side::Backend)) => {
                self.failed.keep(batch, record);
            }
            (400.., _) | (_, Some(Side::Client)) => self.refused.keep(batch, record),
            // Workers hand their records over in turns, so that times are not in order.
            _ if record.started_unix_micros.abs_diff(self.last_sample) >= SAMPLE_MICROS => {
                self.last_sample = record.started_unix_micros;
                self.sampled.keep(batch, record);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{plain_request, refused_request};

    fn batch_of(make: fn(&mut RecordBatch) -> RequestRecord, number: u64) -> RecordBatch {
        let mut batch = RecordBatch::default();
        let record = make(&mut batch);
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&number.to_be_bytes());
        batch.push(RequestRecord {
            trace: TraceId(trace),
            started_unix_micros: number * SAMPLE_MICROS,
            ..record
        });
        batch
    }

    fn trace_of(number: u64) -> TraceId {
        batch_of(plain_request, number).records()[0].trace
    }

    #[test]
    fn a_request_is_found_with_its_texts() {
        let recent = RecentRequests::default();
        recent.take(&batch_of(refused_request, 1));
        recent.take(&batch_of(plain_request, 2));
        let found = recent.find(trace_of(2)).unwrap();
        let record = &found.records()[0];
        assert_eq!(found.resolve(record.host), b"shop.contoso.com");
        assert_eq!(found.resolve(record.target), b"/shop/?q=a%20b");
        assert!(recent.find(trace_of(3)).is_none());
        let listed = recent.list(9, |_| true);
        let statuses: Vec<_> = listed.iter().map(|one| one.records()[0].status).collect();
        assert_eq!(statuses, [502, 200]);
        assert_eq!(recent.list(1, |_| true).len(), 1);
        assert_eq!(recent.list(9, |record| record.status == 200).len(), 1);
    }

    #[test]
    fn each_kind_is_bounded_and_none_displaces_another() {
        let recent = RecentRequests::default();
        recent.take(&batch_of(plain_request, 1));
        let most = FAILED_MAX as u64;
        for number in 2..most + 12 {
            recent.take(&batch_of(refused_request, number));
        }
        assert!(recent.find(trace_of(1)).is_some());
        assert!(recent.find(trace_of(2)).is_none() && recent.find(trace_of(11)).is_none());
        assert!(recent.find(trace_of(12)).is_some());
        let listed = recent.list(usize::MAX, |record| record.status == 502);
        assert_eq!(listed.len(), FAILED_MAX);
        assert_eq!(listed[0].records()[0].trace, trace_of(most + 11));
        assert_eq!(listed[FAILED_MAX - 1].records()[0].trace, trace_of(12));
    }

    #[test]
    fn of_many_that_went_well_some_are_kept() {
        let recent = RecentRequests::default();
        let mut batch = RecordBatch::default();
        for number in 0..1_000 {
            let record = plain_request(&mut batch);
            batch.push(RequestRecord {
                started_unix_micros: 1_000_000 + number * SAMPLE_MICROS / 100,
                ..record
            });
        }
        recent.take(&batch);
        assert_eq!(recent.list(usize::MAX, |_| true).len(), 10);
    }

    #[test]
    fn long_texts_are_cut() {
        let recent = RecentRequests::default();
        let mut batch = RecordBatch::default();
        let mut record = refused_request(&mut batch);
        record.target = batch.text(&[b'a'; 9_000]);
        record.host = batch.text(b"after.it.test");
        batch.push(record);
        recent.take(&batch);
        let found = recent.list(1, |_| true).remove(0);
        let record = &found.records()[0];
        assert_eq!(found.resolve(record.target).len(), TEXT_BYTES_MAX);
        assert_eq!(found.resolve(record.host), b"after.it.test");
    }
}
