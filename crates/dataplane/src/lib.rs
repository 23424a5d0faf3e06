//! Serves a [`Snapshot`] on real traffic.
//!
//! [`Snapshot`]: gatewright_snapshot::Snapshot

mod http;
mod io;
mod plane;
mod tls;

pub use plane::{
    AddressMap, ApplyError, Bound, Dataplane, DataplaneConfig, Mapping, MappingError, NameServers,
    ServerState, UpstreamState,
};
