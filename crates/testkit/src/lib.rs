//! What tests, benches and `gatewright demo` are made of: backends with every kind of manners, a
//! certificate workshop, a client that can say anything, and a name server that can fail.
//!
//! * [`backend`]: an origin server on 127.0.0.1 that answers well, badly or not at all, behind TLS
//!   or not, and writes down every byte it was sent.
//! * [`certificates`]: authorities, chains, keys, PEM and PFX, good and spoilt.
//! * [`client`]: HTTP/1.1 on a raw socket, for sending what no library would send.
//! * [`resolver`]: a DNS server whose answers can change and fail while it runs.
//! * [`situations`]: the backends that operators know from their nights on call, by name.
//!
//! For time, use tokio's paused clock (`start_paused`); for pipes in memory, `tokio::io::duplex`.
//!
//! # What this crate must never be
//!
//! * A dependency of a product crate, except the one that holds `gatewright demo`: everything in
//!   here is made to break rules, panics on misuse, and trusts whom it is told to trust.
//! * Dependent on another crate of this workspace. It is the other side of the wire: code shared
//!   with the gateway would share the gateway's mistakes, and a test would then agree with them.
//! * Reachable from elsewhere: every server in here listens on 127.0.0.1 only.
//! * Built on an HTTP library, which would refuse to misbehave.

pub mod backend;
pub mod certificates;
pub mod client;
pub mod resolver;
pub mod situations;
