//! The table of registered sockets: what is known of each, and who waits for it.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::socket::Connection;
use super::{DRIVER, with_driver};
use crate::io::driver::tasks::TaskId;

/// A registered socket.
#[derive(Debug, Default)]
pub(super) struct Source {
    readable: bool,
    writable: bool,
    /// The peer is done, or the connection broken: what can be read can be read to the end.
    ended: bool,
    reader: Option<TaskId>,
    writer: Option<TaskId>,
    /// The connection, while the socket was too full for all that had been put off.
    pub(super) blocked: Option<Rc<Connection>>,
}

impl Source {
    /// Takes in what has happened. Gives out who waited for that: tasks, and the connection that
    /// has something put off.
    pub(super) fn note(
        &mut self,
        flags: EventFlags,
    ) -> ([Option<TaskId>; 2], Option<Rc<Connection>>) {
        let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        self.ended |= broken || flags.contains(EventFlags::RDHUP);
        let mut reader = None;
        if self.ended || flags.contains(EventFlags::IN) {
            self.readable = true;
            reader = self.reader.take();
        }
        let (mut writer, mut blocked) = (None, None);
        if broken || flags.contains(EventFlags::OUT) {
            self.writable = true;
            writer = self.writer.take();
            blocked = self.blocked.take();
        }
        ([reader, writer], blocked)
    }
}

/// A place in the driver's table, given back when dropped. The kernel forgets the socket by itself
/// when it is closed.
#[derive(Debug)]
pub(super) struct Registration(usize);

impl Registration {
    pub(super) fn new(socket: impl AsFd, writable: bool) -> io::Result<Self> {
        with_driver(|driver| {
            let mut sources = driver.sources.borrow_mut();
            let place = driver.free.borrow_mut().pop().unwrap_or_else(|| {
                sources.push(Source::default());
                sources.len() - 1
            });
            // Perhaps something is there already; the first receive will tell.
            sources[place] = Source {
                readable: true,
                writable,
                ..Source::default()
            };
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let added = epoll::add(
                &driver.epoll,
                socket,
                EventData::new_u64(place as u64),
                flags,
            );
            let registration = Self(place);
            drop(sources);
            added?;
            Ok(registration)
        })
    }

    /// Its place in the table.
    pub(super) fn place(&self) -> usize {
        self.0
    }

    /// Whether there may be something to receive, for all that is known.
    pub(super) fn is_readable(&self) -> bool {
        self.with(|source, _| source.readable)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Source, Option<TaskId>) -> T) -> T {
        with_driver(|driver| {
            let mut sources = driver.sources.borrow_mut();
            work(&mut sources[self.0], driver.tasks.current())
        })
    }

    /// Whether a receive may get something; otherwise the current task is woken when it may.
    pub(super) fn poll_readable(&self) -> bool {
        self.with(|source, task| {
            if !source.readable {
                source.reader = task;
            }
            source.readable
        })
    }

    pub(super) fn poll_writable(&self) -> bool {
        self.with(|source, task| {
            if !source.writable {
                source.writer = task;
            }
            source.writable
        })
    }

    pub(super) fn not_readable(&self) {
        self.with(|source, _| source.readable = source.ended);
    }

    pub(super) fn wait_readable(&self) {
        self.with(|source, task| {
            source.readable = false;
            source.reader = task;
        });
    }

    pub(super) fn wait_writable(&self) {
        self.with(|source, task| {
            source.writable = false;
            // The end of a batch is no task, and must not push out the one that waits.
            source.writer = task.or(source.writer);
        });
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A thread that is ending has no table any more.
        let _ = DRIVER.try_with(|driver| {
            if let Some(driver) = driver.borrow().as_ref() {
                driver.free.borrow_mut().push(self.0);
            }
        });
    }
}
