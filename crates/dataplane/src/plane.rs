//! The face of the data plane: start it, give it snapshots, ask how it is, drain it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_snapshot::{EndpointKey, Scheme, Snapshot};
use gatewright_telemetry::{LabelRegistry, RecordSender};

pub struct DataplaneConfig {
    /// Threads that serve traffic, each with sockets and connections of its own; at least 1.
    pub workers: usize,
    /// Local stand-ins for backend addresses.
    pub address_map: AddressMap,
    pub name_servers: NameServers,
    pub labels: Arc<LabelRegistry>,
    /// Where the record of every request goes; each worker keeps a clone.
    pub records: RecordSender,
}

/// Whom to ask for the addresses of backend names.
pub enum NameServers {
    /// What this machine is configured to use.
    System,
    These(Vec<SocketAddr>),
}

/// `--map HOST[:PORT]=ADDRESS[:PORT]`: where a backend of an exported gateway lives locally.
#[derive(Clone, Debug, Default)]
pub struct AddressMap {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(pub String);

impl std::str::FromStr for Mapping {
    type Err = MappingError;
    fn from_str(_text: &str) -> Result<Self, MappingError> {
        Ok(Self {})
    }
}

impl FromIterator<Mapping> for AddressMap {
    fn from_iter<I: IntoIterator<Item = Mapping>>(_mappings: I) -> Self {
        Self {}
    }
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub endpoint: EndpointKey,
    pub scheme: Scheme,
    pub address: SocketAddr,
}

/// Why a snapshot was not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A full sentence that names the listener's endpoint, the address and the remedy.
    #[error("{0}")]
    Bind(String),
    #[error("{0}")]
    Tls(String),
}

/// The servers behind one (pool, setting).
#[derive(Clone, Debug)]
pub struct UpstreamState {
    pub gateway: String,
    pub pool: String,
    pub setting: String,
    pub servers: Vec<ServerState>,
}

#[derive(Clone, Debug)]
pub struct ServerState {
    /// The member as the pool names it.
    pub member: String,
    /// Where it is reached, after DNS and mapping; `None` while a name has no address.
    pub address: Option<SocketAddr>,
}

/// The running data plane. Cheap to clone.
#[derive(Clone)]
pub struct Dataplane {}

impl Dataplane {
    /// Starts the worker threads; nothing is served until the first [`apply`](Self::apply).
    ///
    /// # Errors
    /// When a thread or its event loop cannot be made.
    pub fn start(_config: DataplaneConfig) -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Serves `snapshot` from the next request on. `addresses` has the local address of each of
    /// its endpoints, in the same order. New sockets are bound before anything else happens;
    /// sockets that both snapshots have stay open; those of the old one are closed last. Returns
    /// when every worker has switched.
    ///
    /// # Errors
    /// When an address cannot be bound or a certificate cannot be used; the old snapshot is then
    /// served on, unchanged.
    pub async fn apply(
        &self,
        _snapshot: Arc<Snapshot>,
        _addresses: &[SocketAddr],
    ) -> Result<Vec<Bound>, ApplyError> {
        Ok(Vec::new())
    }

    /// The custom error page that stands at `url`, once it has been fetched.
    pub fn publish_error_page(&self, _url: &str, _body: Bytes) {}

    /// Every upstream with its servers, as of now.
    pub fn upstreams(&self) -> Vec<UpstreamState> {
        Vec::new()
    }

    /// Open client connections, over all workers.
    pub fn connections(&self) -> u64 {
        0
    }

    /// Stops accepting, lets requests finish for at most `patience`, then cuts them off.
    pub async fn drain(&self, _patience: Duration) {}
}
