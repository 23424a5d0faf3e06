//! From the results of probes to a server's state.

use gatewright_telemetry::Health;

/// What the results so far come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    health: Health,
    last_was_good: bool,
    in_a_row: u32,
}

impl Verdict {
    pub(super) fn health(self) -> Health {
        self.health
    }

    /// How many results like the last one there were in a row.
    pub(super) fn in_a_row(self) -> u32 {
        self.in_a_row
    }

    /// Whether failures have begun that have not taken the server down yet.
    pub(super) fn is_failing(self) -> bool {
        self.in_a_row > 0 && !self.last_was_good && self.health == Health::Healthy
    }

    /// Takes one more result; the state before, where it has changed.
    ///
    /// One good probe heals. A server that never was healthy is unhealthy with its first failure,
    /// since it takes no traffic anyway; a healthy one with the `threshold`-th in a row.
    pub(super) fn take(&mut self, is_good: bool, threshold: u32) -> Option<Health> {
        if self.last_was_good != is_good {
            self.in_a_row = 0;
        }
        self.last_was_good = is_good;
        self.in_a_row = self.in_a_row.saturating_add(1);
        let before = self.health;
        self.health = match (is_good, before) {
            (true, _) => Health::Healthy,
            (false, Health::Healthy) if self.in_a_row < threshold => Health::Healthy,
            (false, _) => Health::Unhealthy,
        };
        (self.health != before).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states after each of `results`, `+` and `-`.
    fn states(results: &str, threshold: u32) -> String {
        let mut verdict = Verdict::default();
        let mut state = |result: char| {
            let before = verdict.health();
            let changed = verdict.take(result == '+', threshold);
            assert_eq!(changed.is_some(), verdict.health() != before);
            match verdict.health() {
                Health::Unknown => '?',
                Health::Healthy => 'h',
                Health::Unhealthy => 'u',
            }
        };
        results.chars().map(&mut state).collect()
    }

    #[test]
    fn one_success_heals_and_the_threshold_takes_down() {
        assert_eq!(states("+-+--+---+-", 3), "hhhhhhhhuhh");
        assert_eq!(states("+-", 1), "hu");
        assert_eq!(states("----+", 20), "uuuuh");
        let twenty = format!("+{}", "-".repeat(20));
        assert_eq!(states(&twenty, 20), format!("{}u", "h".repeat(20)));
    }

    #[test]
    fn results_in_a_row_are_counted() {
        let mut verdict = Verdict::default();
        let rows: Vec<u32> = "++---+"
            .chars()
            .map(|result| {
                verdict.take(result == '+', 2);
                verdict.in_a_row()
            })
            .collect();
        assert_eq!(rows, [1, 2, 1, 2, 3, 1]);
    }

    #[test]
    fn a_server_is_failing_until_it_is_down() {
        let mut verdict = Verdict::default();
        verdict.take(false, 3);
        assert!(!verdict.is_failing(), "it never was healthy");
        verdict.take(true, 3);
        verdict.take(false, 3);
        verdict.take(false, 3);
        assert!(verdict.is_failing());
        verdict.take(false, 3);
        assert!(!verdict.is_failing());
    }
}
