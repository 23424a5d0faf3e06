//! How many requests there were, by how they ended.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Failure, RecordBatch};

/// Counts since the process began. One thread writes, any may read.
#[derive(Debug)]
pub struct RequestTotals {
    /// By the hundreds of the status; what has no such class (none should) is at 0.
    by_class: [AtomicU64; 6],
    /// In the order of [`Failure::ALL`].
    by_failure: Box<[AtomicU64]>,
}

impl Default for RequestTotals {
    fn default() -> Self {
        Self {
            by_class: Default::default(),
            by_failure: Failure::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl RequestTotals {
    /// Counts every record of `batch`.
    pub fn count(&self, batch: &RecordBatch) {
        for record in batch.records() {
            let class = usize::from(record.status / 100);
            let class = self.by_class.get(class).unwrap_or(&self.by_class[0]);
            class.fetch_add(1, Ordering::Relaxed);
            let failure = record.failure.map(|failure| failure as usize);
            if let Some(counter) = failure.and_then(|at| self.by_failure.get(at)) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.by_class
            .iter()
            .map(|class| class.load(Ordering::Relaxed))
            .sum()
    }

    /// Requests whose status begins with `hundreds`, 1 to 5; 0 for any other number.
    pub fn with_class(&self, hundreds: u8) -> u64 {
        match hundreds {
            1..=5 => self.by_class[usize::from(hundreds)].load(Ordering::Relaxed),
            _ => 0,
        }
    }

    /// The failures that occurred, with their numbers, in the order of [`Failure::ALL`].
    pub fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        let counters = self
            .by_failure
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed));
        Failure::ALL
            .iter()
            .copied()
            .zip(counters)
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestRecord;
    use crate::samples::{plain_request, refused_request};

    #[test]
    fn requests_are_counted_by_class_and_by_failure() {
        let totals = RequestTotals::default();
        let mut batch = RecordBatch::default();
        for make in [plain_request, refused_request, plain_request] {
            let record = make(&mut batch);
            batch.push(record);
        }
        let odd = RequestRecord {
            status: 999,
            ..plain_request(&mut batch)
        };
        batch.push(odd);
        totals.count(&batch);
        assert_eq!(totals.requests(), 4);
        assert_eq!(
            (
                totals.with_class(2),
                totals.with_class(5),
                totals.with_class(4)
            ),
            (2, 1, 0)
        );
        let failures: Vec<_> = totals.failures().collect();
        assert_eq!(failures, [(Failure::ConnectRefused, 1)]);
    }

    #[test]
    fn a_failures_number_is_its_place_in_the_list() {
        for (place, failure) in Failure::ALL.iter().enumerate() {
            assert_eq!(*failure as usize, place, "{}", failure.code());
        }
    }
}
