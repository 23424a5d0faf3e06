//! Serves a [`Snapshot`] on real traffic.
//!
//! One thread per core, each with an event loop, listening sockets and backend connections of its
//! own; nothing is shared on the path of a request. The way of a request:
//!
//! `worker` accepts → `tls` → `exchange::client` reads the head → `exchange::decide` selects →
//! `exchange::forward` picks a server and connects (`upstream`) → `exchange::relay` passes the
//! answer on → `exchange::recording` writes the record.
//!
//! What must never be here: an ARM type, a document, a verdict. The configuration comes compiled,
//! failures leave as facts.
//!
//! [`Snapshot`]: gatewright_snapshot::Snapshot

mod address_map;
mod core;
mod dns;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod http;
mod io;
mod live;
mod network;
mod plane;
mod probe;
mod rotation;
mod time_out;
mod tls;
mod upstream;
mod worker;

pub use address_map::{AddressMap, Mapping, MappingError};
pub use dns::{NameFailure, NameServers, resolve};
pub use plane::{
    ApplyError, BindError, Bound, Dataplane, DataplaneConfig, HostPlace, ServerState, UpstreamState,
};
pub use probe::{ProbeNames, ProbePlan, probe_names, probe_now};
pub use tls::trust_as_well_known;
