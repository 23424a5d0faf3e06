//! One thread's idle connections to one server.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::io::{Inbox, Stream};
use crate::live::{Server, ServerId};

/// How long a connection may lie idle. Below the keep-alive time of common servers, so that it is
/// rarely they who close.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Idle connections that a thread keeps to one server.
const IDLE_CONNECTIONS_MAX: usize = 2048;

/// A server as one thread knows it.
#[derive(Debug)]
pub(crate) struct ServerSlot {
    pub(crate) id: ServerId,
    pub(crate) address: SocketAddr,
    /// The most recently used last.
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    name: Option<Rc<str>>,
    local_port: u16,
    since: Instant,
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) slot: Rc<ServerSlot>,
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
    /// The name that the server's certificate was checked against; with TLS only.
    pub(crate) name: Option<Rc<str>>,
    pub(crate) local_port: u16,
    pub(crate) is_reused: bool,
}

impl ServerSlot {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            id: server.id,
            address: server.address,
            idle: RefCell::default(),
        }
    }

    /// The most recently used idle connection that is still good. With TLS, one that was checked
    /// for the same name.
    pub(crate) fn take_idle(self: &Rc<Self>, name: Option<&str>) -> Option<Backend> {
        let mut idle = self.idle.borrow_mut();
        let mut from = idle.len();
        while from > 0 {
            from -= 1;
            if idle[from].name.as_deref() != name {
                continue;
            }
            let found = idle.remove(from);
            if found.stream.is_quiet() {
                return Some(Backend {
                    slot: Rc::clone(self),
                    stream: found.stream,
                    inbox: Inbox::default(),
                    name: found.name,
                    local_port: found.local_port,
                    is_reused: true,
                });
            }
        }
        None
    }

    pub(crate) fn close_idle(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Closes what has been idle for too long. The oldest are first, so one look is the usual cost.
    pub(crate) fn close_stale(&self, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        let is_stale = |one: &Idle| now.saturating_duration_since(one.since) > IDLE_MAX;
        let stale = idle.iter().take_while(|one| is_stale(one)).count();
        idle.drain(..stale);
    }
}

impl Backend {
    /// Puts the connection away for the next request. Bytes that nobody asked for end it instead.
    pub(crate) fn keep(self, now: Instant) {
        if !self.inbox.is_empty() {
            return;
        }
        let mut idle = self.slot.idle.borrow_mut();
        if idle.len() == IDLE_CONNECTIONS_MAX {
            // The oldest goes: names that clients make up must not keep real ones out.
            idle.remove(0);
        }
        let Self {
            stream,
            name,
            local_port,
            ..
        } = self;
        idle.push(Idle {
            stream,
            name,
            local_port,
            since: now,
        });
    }
}
