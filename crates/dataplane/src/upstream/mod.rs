//! Connections to backend servers: found among the idle ones, or made.

mod connect;
mod slot;

pub(crate) use connect::open;
pub(crate) use slot::{Backend, ServerSlot};
