//! The seam to the operating system: accept, connect, receive, send-many, timers, buffers.
//!
//! Nothing else in this crate looks behind it: today tokio's reactor is there, and an epoll or
//! io_uring driver of our own can take its place without a change to the exchange.

mod buffer;
mod inbox;
mod socket;
mod stream;
mod timer;

pub(crate) use buffer::Buffer;
pub(crate) use inbox::Inbox;
pub(crate) use socket::{Acceptor, Socket, bind, connect};
pub(crate) use stream::{Stream, StreamError};
pub(crate) use timer::{NO_GROUP, TICK, Timer, Timers};
