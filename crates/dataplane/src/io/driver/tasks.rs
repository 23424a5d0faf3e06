//! The tasks of one thread: a table of futures and a queue of those that can get on.
//!
//! A task is woken by its number, without a reference count, by whatever runs on its own thread.
//! Only wakers of the standard kind, which other threads use, go through a lock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Receives that a task may do before others get their turn.
const RECEIVES_MAX: u32 = 64;

type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A task's place in the table, and which of the place's tasks it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    place: u32,
    generation: u32,
}

#[derive(Default)]
struct Place {
    generation: u32,
    /// Absent while it is polled, and when there is no task here.
    future: Option<BoxedFuture>,
    waker: Option<Waker>,
    is_queued: bool,
    is_live: bool,
}

pub(super) struct Tasks {
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
    ready: RefCell<VecDeque<TaskId>>,
    current: Cell<Option<TaskId>>,
    /// Receives that the current task has left.
    budget: Cell<u32>,
    remote: Arc<Remote>,
}

/// Wake-ups that came by way of a standard waker, possibly from another thread.
pub(super) struct Remote {
    woken: Mutex<Vec<TaskId>>,
    has_woken: AtomicBool,
    /// Rings the event loop out of its wait.
    bell: OwnedFd,
}

struct TaskWaker {
    task: TaskId,
    remote: Arc<Remote>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.remote
            .woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.task);
        if !self.remote.has_woken.swap(true, Ordering::AcqRel) {
            // It cannot overflow, and a loop that is gone needs no bell.
            let _ = rustix::io::write(&self.remote.bell, &1_u64.to_ne_bytes());
        }
    }
}

impl Tasks {
    pub(super) fn new(bell: OwnedFd) -> Self {
        let remote = Remote {
            woken: Mutex::default(),
            has_woken: AtomicBool::new(false),
            bell,
        };
        Self {
            places: RefCell::default(),
            free: RefCell::default(),
            ready: RefCell::default(),
            current: Cell::new(None),
            budget: Cell::new(0),
            remote: Arc::new(remote),
        }
    }

    pub(super) fn bell(&self) -> &OwnedFd {
        &self.remote.bell
    }

    pub(super) fn spawn(&self, future: BoxedFuture) -> TaskId {
        let mut places = self.places.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            places.push(Place::default());
            (places.len() - 1) as u32
        });
        let slot = &mut places[place as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let task = TaskId {
            place,
            generation: slot.generation,
        };
        slot.future = Some(future);
        slot.is_live = true;
        slot.is_queued = true;
        slot.waker = Some(
            Arc::new(TaskWaker {
                task,
                remote: Arc::clone(&self.remote),
            })
            .into(),
        );
        self.ready.borrow_mut().push_back(task);
        task
    }

    /// Which task is being polled.
    pub(super) fn current(&self) -> Option<TaskId> {
        self.current.get()
    }

    /// Whether the current task may receive once more. When it has had its share it is queued
    /// again: a fast backend and a fast client must not keep a thread to themselves.
    pub(super) fn may_receive(&self) -> bool {
        match (self.budget.get().checked_sub(1), self.current.get()) {
            (None, Some(task)) => {
                self.wake(task);
                false
            }
            (left, _) => {
                self.budget.set(left.unwrap_or(0));
                true
            }
        }
    }

    pub(super) fn wake(&self, task: TaskId) {
        let mut places = self.places.borrow_mut();
        let slot = &mut places[task.place as usize];
        if slot.generation == task.generation && slot.is_live && !slot.is_queued {
            slot.is_queued = true;
            self.ready.borrow_mut().push_back(task);
        }
    }

    /// Drops a task, unless it is the one that is being polled.
    pub(super) fn abort(&self, task: TaskId) {
        let future = {
            let mut places = self.places.borrow_mut();
            let slot = &mut places[task.place as usize];
            if slot.generation != task.generation || slot.future.is_none() {
                return;
            }
            slot.future.take()
        };
        // Outside the borrow: what it owns may want to wake or spawn.
        drop(future);
        self.clear(task);
    }

    /// Drops every task.
    pub(super) fn clear_all(&self) {
        let futures: Vec<_> = self
            .places
            .borrow_mut()
            .iter_mut()
            .map(|place| place.future.take())
            .collect();
        drop(futures);
    }

    /// Polls every task that was ready when this began; how many that were.
    pub(super) fn run_ready(&self) -> usize {
        self.take_remote();
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let task = self.ready.borrow_mut().pop_front();
            if let Some(task) = task {
                self.poll(task);
            }
        }
        count
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty() || self.remote.has_woken.load(Ordering::Acquire)
    }

    /// Takes over the wake-ups of other threads. The bell stays rung: whoever waits, empties it.
    pub(super) fn take_remote(&self) {
        if !self.remote.has_woken.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut woken = self
            .remote
            .woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let tasks = std::mem::take(&mut *woken);
        drop(woken);
        tasks.into_iter().for_each(|task| self.wake(task));
    }

    fn poll(&self, task: TaskId) {
        let (mut future, waker) = {
            let mut places = self.places.borrow_mut();
            let slot = &mut places[task.place as usize];
            if slot.generation != task.generation {
                return;
            }
            slot.is_queued = false;
            let (Some(future), Some(waker)) = (slot.future.take(), slot.waker.take()) else {
                return;
            };
            (future, waker)
        };
        self.current.set(Some(task));
        self.budget.set(RECEIVES_MAX);
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        self.current.set(None);
        match polled {
            Ok(Poll::Pending) => {
                let mut places = self.places.borrow_mut();
                let slot = &mut places[task.place as usize];
                slot.future = Some(future);
                slot.waker = Some(waker);
            }
            Ok(Poll::Ready(())) => {
                drop(future);
                self.clear(task);
            }
            // One connection's bug is not the end of the others. The panic's text is printed.
            Err(_) => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
                self.clear(task);
            }
        }
    }

    fn clear(&self, task: TaskId) {
        let mut places = self.places.borrow_mut();
        let slot = &mut places[task.place as usize];
        slot.is_live = false;
        slot.waker = None;
        // A wake-up that is still queued finds another generation, or no future.
        slot.is_queued = false;
        self.free.borrow_mut().push(task.place);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;

    use super::*;

    fn tasks() -> Tasks {
        let flags = rustix::event::EventfdFlags::NONBLOCK;
        Tasks::new(rustix::event::eventfd(0, flags).unwrap())
    }

    #[test]
    fn tasks_run_when_woken_and_only_then() {
        let tasks = tasks();
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        let task = tasks.spawn(Box::pin(poll_fn(move |_| {
            counter.set(counter.get() + 1);
            if counter.get() == 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })));
        tasks.run_ready();
        tasks.run_ready();
        assert_eq!(polls.get(), 1);
        tasks.wake(task);
        tasks.wake(task);
        assert_eq!(tasks.run_ready(), 1, "two wake-ups are one poll");
        tasks.wake(task);
        tasks.run_ready();
        tasks.wake(task);
        assert_eq!((polls.get(), tasks.run_ready()), (3, 0), "it is done");
    }

    #[test]
    fn a_late_wake_up_does_not_reach_the_next_task() {
        let tasks = tasks();
        let first = tasks.spawn(Box::pin(async {}));
        tasks.run_ready();
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        let second = tasks.spawn(Box::pin(poll_fn(move |_| {
            counter.set(counter.get() + 1);
            Poll::Pending
        })));
        assert_eq!(first.place, second.place);
        tasks.run_ready();
        tasks.wake(first);
        tasks.run_ready();
        assert_eq!(polls.get(), 1);
    }

    #[test]
    fn other_threads_can_wake() {
        let tasks = tasks();
        let (sender, receiver) = tokio::sync::oneshot::channel::<u8>();
        let seen = Rc::new(Cell::new(0));
        let to = Rc::clone(&seen);
        tasks.spawn(Box::pin(async move { to.set(receiver.await.unwrap_or(1)) }));
        tasks.run_ready();
        std::thread::spawn(move || sender.send(7))
            .join()
            .unwrap()
            .unwrap();
        assert!(tasks.has_ready());
        tasks.run_ready();
        assert_eq!(seen.get(), 7);
    }

    #[test]
    fn a_panic_ends_its_task_alone() {
        let tasks = tasks();
        tasks.spawn(Box::pin(async { panic!("on purpose") }));
        let ran = Rc::new(Cell::new(false));
        let flag = Rc::clone(&ran);
        tasks.spawn(Box::pin(async move { flag.set(true) }));
        tasks.run_ready();
        assert!(ran.get());
    }

    #[test]
    fn an_aborted_task_is_dropped() {
        let tasks = tasks();
        let held = Rc::new(());
        let inner = Rc::clone(&held);
        let task = tasks.spawn(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(inner);
        }));
        tasks.run_ready();
        tasks.abort(task);
        assert_eq!(Rc::strong_count(&held), 1);
        tasks.wake(task);
        assert_eq!(tasks.run_ready(), 0);
    }
}
