//! Connections to backend servers: found among the idle ones, or made.

mod connect;
mod slot;

pub(crate) use connect::{CONNECT_TIMEOUT, connect_in_time, open};
pub(crate) use slot::{Backend, ServerSlot};
