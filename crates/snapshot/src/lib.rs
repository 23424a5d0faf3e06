//! The immutable routing form of one or more gateways.
//!
//! `compile` makes a [`Snapshot`] out of ARM documents; the data plane asks it two questions per
//! request: which listener and route answer this head ([`Snapshot::select`]), and what that route
//! needs (pools, backend settings, redirects, certificates). Nothing in here changes after it was
//! built, does I/O, or reads a clock, so that one request sees one configuration from start to end.
//!
//! What must never be here: an ARM type, a socket, a lock, a counter, anything that a request
//! writes.

mod append;
mod hosts;
mod index;
mod model;
pub mod network;
mod path;
mod probe;
mod select;
mod size;
mod tls;

pub use hosts::{HostPattern, HostPatternError, HostTable, HostTableBuilder};
pub use index::{
    CertificateIndex, EndpointIndex, GatewayIndex, ListenerIndex, NetworkIndex, PathMapIndex,
    PoolIndex, RouteIndex, RouteTableIndex, SecurityGroupIndex, SettingIndex, SubnetIndex,
    UpstreamIndex,
};
pub use model::{
    Action, BackendProtocol, BackendSetting, BackendTrust, BackendVerification, Endpoint,
    EndpointKey, ErrorPage, Gateway, Generation, HostOverride, Idle, Listener, Member, PathMap,
    Pool, Redirect, RedirectTarget, Route, Routing, Scheme, Snapshot, Upstream,
};
pub use path::{PathTable, PathTableBuilder, decoded_prefix_length};
pub use probe::{Probe, ProbeHost};
pub use select::{RequestKey, Scratch, Selected};
pub use tls::{Certificate, CipherSuite, PrivateKey, TlsPolicy, TlsVersion};
