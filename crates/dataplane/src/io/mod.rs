//! The seam to the operating system: accept, connect, receive, send-many, timers, buffers.
//!
//! Nothing else in this crate looks behind it: `driver` is an epoll loop of our own or tokio's
//! reactor, and an io_uring driver can take their place without a change to the exchange.

mod buffer;
mod driver;
mod inbox;
mod listen;
mod stream;
mod timer;

pub(crate) use buffer::Buffer;
pub(crate) use driver::{Acceptor, Socket, Task, connect, now, run, spawn};
pub(crate) use inbox::Inbox;
pub(crate) use listen::{bind, is_free};
pub(crate) use stream::{Stream, StreamError};
pub(crate) use timer::{Limit, NO_GROUP, TICK, Timer, Timers};
