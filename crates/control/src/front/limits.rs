//! The bounds of the front door and of what is kept: of time, of room, of number.

use std::time::Duration;

/// Most connections at a time; the next one waits.
const CONNECTIONS_MAX: usize = 512;

/// Most connections of one address at a time, or of one IPv6 network of 64 bits. For one more,
/// another one of them gives way; where something is being carried out on each, or many of them are
/// about to go already, it is closed. Half of all, so that nobody alone can keep the others out.
const ADDRESS_CONNECTIONS_MAX: usize = 256;

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may stay on which no request had a good token.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to send a request's head, the wait for it included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a client may take to send a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the control plane was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Largest body of a request, in bytes: the service's own bound of 4 MiB, twice, so that a gateway
/// that was exported with everything in it can come back.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests with large bodies that are answered at a time, and from how many bytes on a body is
/// one.
pub(crate) const LARGE_AT_A_TIME: usize = 2;
pub(crate) const LARGE_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Largest body of a request that needs no token, in bytes: a form with credentials.
const STRANGER_BODY_BYTES_MAX: usize = 64 * 1024;

/// Pause between two rounds of housekeeping.
const HOUSEKEEPING_PAUSE: Duration = Duration::from_secs(3600);

/// How long operations are kept after they ended: clients poll for minutes, not days.
const OPERATIONS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long events of the activity log are kept, as in the service.
const EVENTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Most events that a round of housekeeping leaves; the oldest go. Some 150 MB.
const EVENTS_MAX: usize = 100_000;

/// The bounds of a control plane. The defaults are those that it serves with; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections of one address, or of one IPv6 network of 64 bits, at a time.
    pub address_connections: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For a connection on which no request had a good token.
    pub stranger: Duration,
    /// For a request's head, the wait for it included.
    pub head: Duration,
    /// For a request's body.
    pub body: Duration,
    /// For a client that takes nothing of an answer.
    pub write: Duration,
    /// For requests in progress when it stops.
    pub stop: Duration,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of the body of a request that needs no token.
    pub stranger_body_bytes: usize,
    /// Between two rounds of housekeeping.
    pub housekeeping: Duration,
    /// For an operation that ended.
    pub operations_kept: Duration,
    /// For an event of the activity log.
    pub events_kept: Duration,
    /// Events of the activity log.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            address_connections: ADDRESS_CONNECTIONS_MAX,
            handshake: HANDSHAKE_TIMEOUT,
            stranger: STRANGER_TIMEOUT,
            head: HEAD_TIMEOUT,
            body: BODY_TIMEOUT,
            write: WRITE_TIMEOUT,
            stop: STOP_TIMEOUT,
            body_bytes: BODY_BYTES_MAX,
            stranger_body_bytes: STRANGER_BODY_BYTES_MAX,
            housekeeping: HOUSEKEEPING_PAUSE,
            operations_kept: OPERATIONS_KEPT,
            events_kept: EVENTS_KEPT,
            events: EVENTS_MAX,
        }
    }
}
