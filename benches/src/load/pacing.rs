//! A fixed schedule: when each request is due does not depend on how the last one went.
//!
//! Latencies are taken from the due time, so that a stall counts for every request that it
//! held up, not only for the one that was under way.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// epoll itself counts in milliseconds, which would send requests in clumps.
const TICK: Duration = Duration::from_micros(200);

pub(super) struct Pacer {
    timer: TimerFd,
    interval: Duration,
    next: Instant,
}

impl Pacer {
    pub(super) fn new(per_second: u32, start: Instant) -> anyhow::Result<Self> {
        anyhow::ensure!(
            per_second > 0,
            "a rate must be at least one request per second"
        );
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let tick = Expiration::Interval(TimeSpec::from_duration(TICK));
        timer.set(tick, TimerSetTimeFlags::empty())?;
        Ok(Self {
            timer,
            interval: Duration::from_secs(1) / per_second,
            next: start,
        })
    }

    /// Quiets the timer until its next tick.
    pub(super) fn acknowledge(&self) {
        // An error says only that it had not ticked.
        let _not_ticked = self.timer.wait();
    }

    /// When the next request was due, if that moment has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next;
        (due <= now).then(|| {
            self.next += self.interval;
            due
        })
    }
}

impl AsFd for Pacer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_request_is_due_when_the_schedule_said_so() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1_000, start).expect("a timer");
        let late = start + Duration::from_micros(2_500);
        let due: Vec<Duration> = std::iter::from_fn(|| pacer.take_due(late))
            .map(|due| due - start)
            .collect();
        assert_eq!(due, [0, 1, 2].map(Duration::from_millis));
    }
}
