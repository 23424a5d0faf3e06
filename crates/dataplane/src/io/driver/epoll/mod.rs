//! An epoll loop: every socket is registered once, edge-triggered, and never again.
//!
//! A socket remembers whether it can be received from or sent to. A call that comes back short
//! says that it cannot any more; an event says that it can again. So a request costs its two
//! receives and two sends, and a wait for each batch.

mod establish;
mod outbox;
mod socket;
mod source;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Context;
use std::time::{Duration, Instant};

pub(crate) use establish::{Acceptor, connect};
use outbox::Outbox;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
pub(crate) use socket::Socket;
use source::Source;

use super::tasks::{TaskId, Tasks};

/// Events that one wait takes.
const EVENTS_MAX: usize = 256;
/// Stands for the bell among the sources.
const BELL: u64 = u64::MAX;

thread_local! {
    static DRIVER: RefCell<Option<Rc<Driver>>> = const { RefCell::new(None) };
}

struct Driver {
    epoll: OwnedFd,
    tasks: Tasks,
    sources: RefCell<Vec<Source>>,
    free: RefCell<Vec<usize>>,
    now: Cell<Instant>,
    outbox: Outbox,
}

impl Driver {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &bell,
            EventData::new_u64(BELL),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            epoll,
            tasks: Tasks::new(bell),
            sources: RefCell::default(),
            free: RefCell::default(),
            now: Cell::new(Instant::now()),
            outbox: Outbox::default(),
        })
    }

    fn wait(&self, events: &mut Vec<epoll::Event>, timeout: Duration) -> io::Result<()> {
        events.clear();
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&self, event: &epoll::Event) {
        let number = event.data.u64();
        if number == BELL {
            let _ = rustix::io::read(self.tasks.bell(), &mut [0; 8]);
            return;
        }
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(number as usize) else {
            return;
        };
        let (waiting, blocked) = source.note(event.flags);
        drop(sources);
        if let Some(connection) = blocked {
            connection.send_put_off(self);
        }
        for task in waiting.into_iter().flatten() {
            self.tasks.wake(task);
        }
    }
}

fn driver() -> Rc<Driver> {
    DRIVER.with_borrow(|driver| driver.clone().expect("sockets live on a worker's thread"))
}

fn with_driver<T>(work: impl FnOnce(&Driver) -> T) -> T {
    DRIVER.with_borrow(|driver| {
        work(
            driver
                .as_ref()
                .expect("sockets and tasks live on a worker's thread"),
        )
    })
}

/// The time of the current batch of events: one clock read serves all of it.
pub(crate) fn now() -> Instant {
    with_driver(|driver| driver.now.get())
}

/// Runs `main` to its end, with the tasks that it spawns. `on_tick` is called every `tick`.
///
/// # Errors
/// When the event loop cannot be made, or its wait fails.
pub(crate) fn run(
    main: impl Future<Output = ()> + 'static,
    tick: Duration,
    mut on_tick: impl FnMut(),
) -> io::Result<()> {
    let driver = Rc::new(Driver::new()?);
    DRIVER.set(Some(Rc::clone(&driver)));
    let is_done = Rc::new(Cell::new(false));
    let done = Rc::clone(&is_done);
    driver.tasks.spawn(Box::pin(async move {
        main.await;
        done.set(true);
    }));
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut next_tick = driver.now.get() + tick;
    while !is_done.get() {
        let left = match driver.tasks.has_ready() {
            true => Duration::ZERO,
            false => next_tick.saturating_duration_since(driver.now.get()),
        };
        driver.wait(&mut events, left)?;
        let now = Instant::now();
        driver.now.set(now);
        events.iter().for_each(|event| driver.handle(event));
        driver.outbox.is_open.set(events.len() > 1);
        driver.tasks.run_ready();
        driver.outbox.send_put_off(&driver);
        if now >= next_tick {
            next_tick = now + tick;
            on_tick();
        }
    }
    // While there still is a driver: what tasks own may look for it.
    driver.tasks.clear_all();
    DRIVER.set(None);
    Ok(())
}

/// A task that [`spawn`] started.
#[derive(Debug)]
pub(crate) struct Task(TaskId);

/// Starts a task on this thread.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    Task(driver().tasks.spawn(Box::pin(future)))
}

impl Task {
    /// Drops the task's future. A task does not abort itself.
    pub(crate) fn abort(self) {
        driver().tasks.abort(self.0);
    }
}

/// Who is to be woken.
#[derive(Debug)]
pub(crate) struct Waiter(TaskId);

impl Waiter {
    /// The task that is polled now.
    pub(crate) fn current(_context: &Context<'_>) -> Option<Self> {
        DRIVER
            .with_borrow(|driver| driver.as_ref()?.tasks.current())
            .map(Self)
    }

    pub(crate) fn wake(self) {
        with_driver(|driver| driver.tasks.wake(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn ticks_come_while_nothing_happens() {
        let ticks = Rc::new(Cell::new(0));
        let counter = Rc::clone(&ticks);
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let mut sender = Some(sender);
        let main = async move { drop(receiver.await) };
        let on_tick = move || {
            counter.set(counter.get() + 1);
            if counter.get() == 3 {
                drop(sender.take());
            }
        };
        run(main, TICK, on_tick).unwrap();
        assert_eq!(ticks.get(), 3);
    }
}
