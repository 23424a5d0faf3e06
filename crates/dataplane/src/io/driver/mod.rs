//! What runs a worker's tasks and tells them when their sockets can get on.
//!
//! On Linux that is an epoll loop of our own; elsewhere tokio's. Both give the same few things:
//! [`run`], [`spawn`], [`Waiter`], and the sockets.

#[cfg(all(target_os = "linux", not(feature = "tokio-driver")))]
mod epoll;
#[cfg(all(target_os = "linux", not(feature = "tokio-driver")))]
mod tasks;
#[cfg(any(not(target_os = "linux"), feature = "tokio-driver"))]
mod tokio_reactor;

#[cfg(all(target_os = "linux", not(feature = "tokio-driver")))]
pub(crate) use epoll::{Acceptor, Socket, Task, Waiter, connect, now, run, spawn};
#[cfg(any(not(target_os = "linux"), feature = "tokio-driver"))]
pub(crate) use tokio_reactor::{Acceptor, Socket, Task, Waiter, connect, now, run, spawn};
