//! When each target is probed: at its interval, spread over time, and never all at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use foldhash::HashMap;

/// Probes that may begin in one tick however few targets there are.
const BEGIN_PER_TICK_MIN: usize = 64;
/// v1 makes sure of a failure with further probes at this distance, before it is down.
const RETRY_V1: Duration = Duration::from_secs(1);

/// What a target's next probe depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    /// Whether a failure is followed by further probes at once (v1).
    pub(super) retries_quickly: bool,
}

#[derive(Debug)]
struct Entry {
    pace: Pace,
    /// When the probe that is under way began.
    running_since: Option<Instant>,
    /// Whether a probe has ended: the first one begins the target's own rhythm.
    has_rhythm: bool,
    due: Instant,
}

/// The due times of all targets, by number. Holds no clock: every moment is told.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: HashMap<u64, Entry>,
    /// May hold moments that were replaced since; they are passed over.
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Probes per second that the intervals ask for.
    rate: f64,
}

impl Schedule {
    /// Probes exactly these from now on. New ones are due at once.
    pub(super) fn set(&mut self, targets: impl Iterator<Item = (u64, Pace)>, now: Instant) {
        let mut before = std::mem::take(&mut self.entries);
        self.rate = 0.0;
        for (target, pace) in targets {
            // Two configurations may have it while one takes the other's place.
            if self.entries.contains_key(&target) {
                continue;
            }
            self.rate += 1.0 / pace.interval.as_secs_f64();
            let entry = before.remove(&target).unwrap_or_else(|| {
                self.queue.push(Reverse((now, target)));
                Entry {
                    pace,
                    running_since: None,
                    has_rhythm: false,
                    due: now,
                }
            });
            self.entries.insert(target, entry);
        }
        let entries = &self.entries;
        self.queue
            .retain(|Reverse((_, target))| entries.contains_key(target));
    }

    /// The targets whose probes are to begin now: those that are due, the longest overdue first,
    /// and at most `room` and twice what the intervals ask of a tick.
    pub(super) fn begin(&mut self, now: Instant, tick: Duration, room: usize) -> Vec<u64> {
        let steady = (self.rate * tick.as_secs_f64() * 2.0).ceil() as usize;
        let most = steady.max(BEGIN_PER_TICK_MIN).min(room);
        let mut begun = Vec::new();
        while begun.len() < most {
            match self.queue.peek() {
                Some(Reverse((due, _))) if *due <= now => {}
                Some(_) | None => break,
            }
            let Some(Reverse((due, target))) = self.queue.pop() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&target) else {
                continue;
            };
            if entry.due != due || entry.running_since.is_some() {
                continue;
            }
            entry.running_since = Some(now);
            begun.push(target);
        }
        begun
    }

    /// The target's probe has ended. `is_failing`: with a failure that has not taken it down.
    pub(super) fn end(&mut self, target: u64, is_failing: bool, now: Instant) {
        let Some(entry) = self.entries.get_mut(&target) else {
            return;
        };
        let Some(began) = entry.running_since.take() else {
            return;
        };
        // From when it was due, not from when there was room: a crowd dissolves.
        let next = match std::mem::replace(&mut entry.has_rhythm, true) {
            true => entry.due + entry.pace.interval,
            false => began + entry.pace.interval.mul_f64(spread(target)),
        };
        entry.due = match is_failing && entry.pace.retries_quickly {
            true => now + RETRY_V1.min(entry.pace.interval),
            false => next.max(now),
        };
        self.queue.push(Reverse((entry.due, target)));
    }
}

/// Where a target's rhythm lies within its interval, from 0 to 1: evenly for numbers in a row (the
/// multiples of the golden ratio).
fn spread(target: u64) -> f64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let fraction = target.wrapping_mul(GOLDEN) as f64 / u64::MAX as f64;
    fraction.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);
    const PACE: Pace = Pace {
        interval: Duration::from_secs(30),
        retries_quickly: false,
    };

    /// When each target's probes began, in ticks; each takes no time, and fails as `fails` says.
    fn run(
        targets: u64,
        pace: Pace,
        ticks: u32,
        fails: impl Fn(u64, usize) -> bool,
    ) -> HashMap<u64, Vec<u32>> {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.set((0..targets).map(|target| (target, pace)), start);
        let mut begun: HashMap<u64, Vec<u32>> = HashMap::default();
        for tick in 0..ticks {
            let now = start + TICK * tick;
            for target in schedule.begin(now, TICK, usize::MAX) {
                let times = begun.entry(target).or_default();
                times.push(tick);
                let is_failing = fails(target, times.len());
                schedule.end(target, is_failing, now);
            }
        }
        begun
    }

    #[test]
    fn every_target_is_probed_at_once_and_then_at_its_interval() {
        let begun = run(10, PACE, 1_000, |_, _| false);
        for times in begun.values() {
            assert!(times[0] == 0 && times[1] <= 300, "{times:?}");
            // The second of the target whose rhythm begins at once waits for the next tick.
            let mut pauses = times.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
            assert!(pauses.all(|pause| (299..=300).contains(&pause)));
        }
        assert_eq!(begun.len(), 10);
        let mut seconds: Vec<u32> = begun.values().map(|times| times[1]).collect();
        seconds.sort_unstable();
        let widest = seconds.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest < Some(60), "ten over 300 ticks: {seconds:?}");
    }

    #[test]
    fn ten_thousand_targets_are_no_burst() {
        let begun = run(10_000, PACE, 1_200, |_, _| false);
        assert_eq!(begun.len(), 10_000);
        let mut per_tick = [0; 1_200];
        for tick in begun.values().flatten() {
            per_tick[*tick as usize] += 1;
        }
        // 10,000 in 30 s are 33.3 a tick.
        assert!(per_tick.iter().all(|count| *count <= 67), "{per_tick:?}");
        let steady = &per_tick[600..900];
        assert!(
            steady.iter().all(|count| (20..=50).contains(count)),
            "{steady:?}"
        );
    }

    #[test]
    fn a_failure_is_made_sure_of_quickly_on_v1_only() {
        let fails = |_, ordinal| ordinal == 2 || ordinal == 3;
        let v2 = run(1, PACE, 1_300, fails);
        assert_eq!(v2[&0], [0, 1, 300, 600, 900, 1_200]);
        let quick = Pace {
            retries_quickly: true,
            ..PACE
        };
        let v1 = run(1, quick, 1_000, fails);
        assert_eq!(v1[&0], [0, 1, 11, 21, 321, 621, 921]);
    }

    #[test]
    fn a_target_that_is_named_twice_keeps_its_rhythm() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.set([(1, PACE)].into_iter(), start);
        assert_eq!(schedule.begin(start, TICK, 9), [1]);
        let both = || [(1, PACE), (1, PACE)].into_iter();
        schedule.set(both(), start);
        assert!(schedule.begin(start + TICK, TICK, 9).is_empty(), "it runs");
        schedule.end(1, false, start + TICK);
        let (rate, due) = (schedule.rate, schedule.entries[&1].due);
        schedule.set(both(), start + TICK * 2);
        assert!((schedule.rate - rate).abs() < f64::EPSILON);
        assert_eq!(schedule.entries[&1].due, due);
    }

    #[test]
    fn a_probe_that_is_under_way_is_not_begun_again_and_its_target_may_go() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.set([(1, PACE), (2, PACE)].into_iter(), start);
        assert_eq!(schedule.begin(start, TICK, 1).len(), 1, "room for one");
        assert_eq!(schedule.begin(start, TICK, 9).len(), 1, "the other");
        let later = start + PACE.interval * 3;
        assert!(schedule.begin(later, TICK, 9).is_empty(), "both run");
        schedule.set([(2, PACE)].into_iter(), later);
        schedule.end(1, false, later);
        schedule.end(2, false, later);
        assert_eq!(schedule.begin(later, TICK, 9), [2], "overdue, and alone");
    }
}
