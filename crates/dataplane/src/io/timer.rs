//! Coarse timers: a deadline is a number in a table, and one look per tick finds those that are
//! over. Setting one costs a store; there is no wheel to insert into, and no clock to read.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::driver::Waiter;

/// How often deadlines are looked at: timers are late by up to two ticks, and never early.
pub(crate) const TICK: Duration = Duration::from_millis(100);

const NEVER: u64 = u64::MAX;

/// The group of timers that belong to none.
pub(crate) const NO_GROUP: u64 = 0;

/// Whose limit a timer has run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// That of its group.
    Group,
    /// That of all timers; the limit on those without a group comes with it.
    All,
}

#[derive(Debug, Default)]
struct Table {
    now: u64,
    /// In ticks; apart from the waiters, so that a look at all of them reads little memory.
    deadlines: Vec<u64>,
    waiters: Vec<Option<Waiter>>,
    /// An upper bound that [`Timer::start`] cannot move.
    limits: Vec<u64>,
    /// Whom each timer belongs to, for limits on all timers of one.
    groups: Vec<u64>,
    free: Vec<u32>,
    /// The limit that no timer can leave behind any more.
    ceiling: Option<u64>,
}

/// The timers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Timers(RefCell<Table>);

impl Timers {
    /// A tick has passed: wakes whoever's deadline is over.
    pub(crate) fn advance(&self) {
        let mut due = Vec::new();
        {
            let mut table = self.0.borrow_mut();
            table.now += 1;
            let table = &mut *table;
            for (deadline, waiter) in table.deadlines.iter().zip(&mut table.waiters) {
                if *deadline <= table.now {
                    due.extend(waiter.take());
                }
            }
        }
        due.into_iter().for_each(Waiter::wake);
    }

    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        let mut table = self.0.borrow_mut();
        let slot = table.free.pop().unwrap_or_else(|| {
            table.deadlines.push(NEVER);
            table.limits.push(NEVER);
            table.groups.push(NO_GROUP);
            table.waiters.push(None);
            (table.deadlines.len() - 1) as u32
        });
        // A limit on all timers falls on free slots, too.
        table.deadlines[slot as usize] = NEVER;
        table.limits[slot as usize] = table.ceiling.unwrap_or(NEVER);
        Timer {
            timers: Rc::clone(self),
            slot: slot as usize,
        }
    }

    /// No deadline of this group's timers may lie beyond `duration` from now any more. Looks at
    /// every timer: for reloads and shutdown.
    pub(crate) fn limit_group(&self, group: u64, duration: Duration) {
        self.limit_where(duration, |of| of == group);
    }

    /// The same for every timer, and for those to come.
    pub(crate) fn limit_all(&self, duration: Duration) {
        self.limit_where(duration, |_| true);
        let mut table = self.0.borrow_mut();
        table.ceiling = Some(table.now + ticks(duration));
    }

    fn limit_where(&self, duration: Duration, applies: impl Fn(u64) -> bool) {
        let table = &mut *self.0.borrow_mut();
        let limit = table.now + ticks(duration);
        for (slot, group) in table.groups.iter().enumerate() {
            if applies(*group) {
                table.limits[slot] = table.limits[slot].min(limit);
                table.deadlines[slot] = table.deadlines[slot].min(limit);
            }
        }
    }
}

/// One deadline at a time.
#[derive(Debug)]
pub(crate) struct Timer {
    timers: Rc<Timers>,
    slot: usize,
}

impl Timer {
    /// The deadline is at least `duration` from now; replaces the one before.
    pub(crate) fn start(&self, duration: Duration) {
        let mut table = self.timers.0.borrow_mut();
        let deadline = table.now + ticks(duration);
        table.deadlines[self.slot] = deadline.min(table.limits[self.slot]);
    }

    /// The timer belongs to `group` from now on, and a limit that it ran under is lifted, but for
    /// that of all timers.
    pub(crate) fn join(&self, group: u64) {
        let mut table = self.timers.0.borrow_mut();
        table.groups[self.slot] = group;
        table.limits[self.slot] = table.ceiling.unwrap_or(NEVER);
    }

    /// Lifts every limit: for whoever waits for the others to keep theirs.
    pub(crate) fn exempt(&self) {
        self.timers.0.borrow_mut().limits[self.slot] = NEVER;
    }

    /// No deadline may lie beyond `duration` from now, whatever is started later, until the next
    /// [`join`](Self::join).
    pub(crate) fn limit(&self, duration: Duration) {
        let mut table = self.timers.0.borrow_mut();
        let limit = (table.now + ticks(duration)).min(table.limits[self.slot]);
        table.limits[self.slot] = limit;
        let deadline = table.deadlines[self.slot].min(limit);
        table.deadlines[self.slot] = deadline;
    }

    /// The limit that the deadline ran into, if it was one.
    pub(crate) fn limit_over(&self) -> Option<Limit> {
        let table = self.timers.0.borrow();
        if table.limits[self.slot] > table.now {
            return None;
        }
        let is_all = table.ceiling.is_some_and(|ceiling| ceiling <= table.now);
        match is_all || table.groups[self.slot] == NO_GROUP {
            true => Some(Limit::All),
            false => Some(Limit::Group),
        }
    }

    /// Ready when the deadline is over; otherwise the task is woken then.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut table = self.timers.0.borrow_mut();
        if table.deadlines[self.slot] <= table.now {
            return Poll::Ready(());
        }
        table.waiters[self.slot] = Waiter::current(context);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut table = self.timers.0.borrow_mut();
        table.deadlines[self.slot] = NEVER;
        table.limits[self.slot] = NEVER;
        table.groups[self.slot] = NO_GROUP;
        table.waiters[self.slot] = None;
        table.free.push(self.slot as u32);
    }
}

/// Rounded up, and one more because the current tick has already begun.
fn ticks(duration: Duration) -> u64 {
    let ticks = duration.as_millis().div_ceil(TICK.as_millis()) + 1;
    u64::try_from(ticks).unwrap_or(NEVER / 2)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn is_over(timer: &Timer) -> bool {
        timer
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn a_timer_is_never_early() {
        let timers = Rc::new(Timers::default());
        let timer = timers.timer();
        timer.start(TICK * 2);
        for _ in 0..2 {
            timers.advance();
            assert!(!is_over(&timer));
        }
        timers.advance();
        assert!(is_over(&timer));
        timer.start(TICK);
        assert!(!is_over(&timer));
    }

    #[test]
    fn a_limit_bounds_later_starts() {
        let timers = Rc::new(Timers::default());
        let timer = timers.timer();
        timer.limit(TICK);
        timer.start(TICK * 100);
        timers.advance();
        timers.advance();
        assert!(is_over(&timer) && timer.limit_over().is_some());
        timer.join(7);
        timer.start(TICK * 100);
        assert!(!is_over(&timer) && timer.limit_over().is_none());
        timers.limit_group(8, Duration::ZERO);
        timers.advance();
        assert!(!is_over(&timer));
        timers.limit_group(7, Duration::ZERO);
        timers.advance();
        assert!(is_over(&timer));
        assert_eq!(timer.limit_over(), Some(Limit::Group));
    }

    #[test]
    fn it_is_told_whose_limit_is_over() {
        let timers = Rc::new(Timers::default());
        let (grouped, alone) = (timers.timer(), timers.timer());
        grouped.join(7);
        grouped.start(Duration::ZERO);
        timers.advance();
        assert!(is_over(&grouped) && grouped.limit_over().is_none());
        timers.limit_all(TICK * 2);
        timers.limit_group(7, Duration::ZERO);
        timers.limit_group(NO_GROUP, Duration::ZERO);
        timers.advance();
        assert_eq!(grouped.limit_over(), Some(Limit::Group));
        assert_eq!(alone.limit_over(), Some(Limit::All));
        timers.advance();
        timers.advance();
        assert_eq!(grouped.limit_over(), Some(Limit::All));
    }

    #[test]
    fn a_limit_on_all_timers_holds_for_those_to_come() {
        let timers = Rc::new(Timers::default());
        let old = timers.timer();
        timers.limit_all(TICK);
        let new = timers.timer();
        for timer in [&old, &new] {
            timer.join(7);
            timer.start(TICK * 100);
        }
        timers.advance();
        timers.advance();
        assert!(is_over(&old) && is_over(&new));
    }

    #[test]
    fn slots_are_reused_clean() {
        let timers = Rc::new(Timers::default());
        let first = timers.timer();
        first.start(Duration::ZERO);
        drop(first);
        timers.advance();
        timers.limit_all(Duration::ZERO);
        timers.advance();
        assert!(!is_over(&timers.timer()));
        assert_eq!(timers.0.borrow().deadlines.len(), 1);
    }
}
