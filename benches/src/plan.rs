//! What the driver asks of the load generator, and what it hears back.
//!
//! The plan travels as one JSON argument, the outcome as one JSON line: the generator is a
//! process of its own, so that it can be pinned and its cost never counts for a proxy.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Printed by the generator when its connections stand and its warm-up is over.
pub const READY: &str = "ready";
/// Told to the generator to begin what is measured.
pub const GO: &str = "go";

/// One run of the load generator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadPlan {
    pub address: SocketAddr,
    /// The certificate (DER) that the server must present; without it the run is plain HTTP.
    pub certificate: Option<PathBuf>,
    pub path: String,
    /// A POST with a body of this many bytes; `None` is a GET.
    pub post_bytes: Option<usize>,
    /// The length that every response's body must have.
    pub response_bytes: u64,
    pub connections: usize,
    /// A fresh connection (and a full handshake) for every request.
    pub new_connection_each: bool,
    /// Requests per second on a fixed schedule; `None` is a closed loop.
    pub rate: Option<u32>,
    pub warm_up: u64,
    pub requests: u64,
    /// The run ends here whatever is still open; what is unanswered then is an error.
    pub limit_seconds: u64,
}

/// What the measured part of a run gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadOutcome {
    pub successes: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub seconds: f64,
    pub body_bytes: u64,
    pub p50_us: f64,
    pub p99_us: f64,
}
