//! What it means for a request that a time is over.

use gatewright_telemetry::Failure;

use crate::io::{Limit, Timer};

/// The failure when `timer`'s deadline is over: ours, where it was a limit that we set to let a
/// server or the gateway go; otherwise `failure`, the peer's.
pub(crate) fn time_out(timer: &Timer, failure: Failure) -> Failure {
    match timer.limit_over() {
        Some(Limit::All) => Failure::ShuttingDown,
        Some(Limit::Group) => Failure::ServerDrained,
        None => failure,
    }
}
