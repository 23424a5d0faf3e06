//! Counts what became of each request, and how long it took.

use std::time::Duration;

use crate::plan::LoadOutcome;

#[derive(Default)]
pub(super) struct Tally {
    latencies_ns: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
    body_bytes: u64,
}

impl Tally {
    /// Room for every latency beforehand: growing would show in the run.
    pub(super) fn with_capacity(requests: u64) -> Self {
        let capacity = usize::try_from(requests).unwrap_or_default();
        Self {
            latencies_ns: Vec::with_capacity(capacity),
            ..Self::default()
        }
    }

    pub(super) fn success(&mut self, latency: Duration, body_bytes: u64) {
        self.latencies_ns
            .push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        self.body_bytes += body_bytes;
    }

    pub(super) fn failure(&mut self, error: &str) {
        self.give_up(1, error);
    }

    pub(super) fn give_up(&mut self, requests: u64, error: &str) {
        self.errors += requests;
        if requests > 0 && self.first_error.is_none() {
            self.first_error = Some(error.to_owned());
        }
    }

    pub(super) fn finished(&self) -> u64 {
        self.latencies_ns.len() as u64 + self.errors
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    pub(super) fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    pub(super) fn outcome(mut self, elapsed: Duration) -> LoadOutcome {
        self.latencies_ns.sort_unstable();
        LoadOutcome {
            successes: self.latencies_ns.len() as u64,
            errors: self.errors,
            seconds: elapsed.as_secs_f64(),
            body_bytes: self.body_bytes,
            p50_us: self.percentile(50),
            p99_us: self.percentile(99),
            first_error: self.first_error,
        }
    }

    /// The smallest latency that so many percent of the (sorted) latencies do not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.latencies_ns.len() * percent).div_ceil(100);
        let at = self.latencies_ns.get(rank.saturating_sub(1));
        at.map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let mut tally = Tally::default();
        (1..=100)
            .rev()
            .for_each(|us| tally.success(Duration::from_micros(us), 10));
        tally.failure("first");
        tally.failure("second");
        assert_eq!(tally.finished(), 102);
        let outcome = tally.outcome(Duration::from_secs(2));
        assert_eq!((outcome.p50_us, outcome.p99_us), (50.0, 99.0));
        assert_eq!(
            (outcome.successes, outcome.errors, outcome.body_bytes),
            (100, 2, 1_000)
        );
        assert_eq!(outcome.first_error.as_deref(), Some("first"));
    }

    #[test]
    fn a_run_without_an_answer_has_no_latency() {
        let outcome = Tally::default().outcome(Duration::ZERO);
        assert_eq!(
            (outcome.p50_us, outcome.p99_us, outcome.successes),
            (0.0, 0.0, 0)
        );
    }
}
