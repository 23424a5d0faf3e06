//! The bench: Gatewright beside its peers, on one machine, over loopback.
//!
//! What counts is the CPU time that a proxy's processes spend per successful request; a rate
//! or a latency says as much about the load generator as about the proxy. Linux only.
//!
//! - [`backend`] answers, [`load`] asks: both are small event loops of our own;
//! - [`engines`] starts each proxy on settings as equal as their languages allow;
//! - [`compare`], [`memory`], [`scale`] and [`probes`] are the four experiments;
//! - [`timing`] is of what is measured without load;
//! - [`report`] keeps the numbers, [`markdown`] shows them.

pub mod backend;
pub mod cases;
pub mod certificates;
pub mod compare;
pub mod control;
pub mod cpu;
pub mod engines;
pub mod floor;
pub mod gateway_json;
pub mod load;
pub mod machine;
pub mod markdown;
pub mod memory;
pub mod plan;
pub mod probes;
pub mod process;
pub mod report;
pub mod scale;
pub mod stage;
pub mod timing;
