//! Whole gateways through [`gatewright_compile::compile`], from the outside.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod backends;
mod cases;
mod certificates;
mod chains;
mod codes;
mod endpoints;
mod network;
mod on_demand;
mod probes;
mod roots;
mod routing;
mod support;
mod tls;
mod unsupported;
