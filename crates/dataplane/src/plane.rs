//! The face of the data plane: start it, give it snapshots, ask how it is, drain it.

mod nameless;
mod on_demand;
mod places;
mod warm_up;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatewright_snapshot::{EndpointKey, GatewayIndex, Member, Scheme, Snapshot, Upstream};
use gatewright_telemetry::{
    HandshakeTotals, Health, HealthChange, LabelRegistry, ProbeOutcome, ProbeRecord, RecordSender,
};
use tokio::sync::{Mutex, mpsc, oneshot};

pub use self::places::HostPlace;

use self::nameless::Nameless;
use self::warm_up::serving;
use crate::address_map::AddressMap;
use crate::core::Shared;
use crate::dns::{Dns, NameServers, NetworkServers, Question};
use crate::io::{bind, is_free};
use crate::live::{Live, LiveUpstream, Server, Surroundings};
use crate::network::unretrievable;
use crate::probe::{Epoch, Prober, member_name};
use crate::worker::{Command, Opening, WorkerHandle};

/// How long a program that may listen on a port has to answer.
const LISTENER_PATIENCE: Duration = Duration::from_millis(250);

pub struct DataplaneConfig {
    /// Threads that serve traffic, each with sockets and connections of its own; at least 1.
    pub workers: usize,
    /// Local stand-ins for backend addresses.
    pub address_map: AddressMap,
    pub name_servers: NameServers,
    pub labels: Arc<LabelRegistry>,
    /// Where the record of every request goes; each worker keeps a clone.
    pub records: RecordSender,
    /// Whether answers that the gateway makes for a failure carry `Proxy-Status` (RFC 9209).
    pub tells_failures: bool,
    /// Where every change of a server's health goes; those for which it has no room are dropped.
    pub health_changes: mpsc::Sender<HealthChange>,
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
    /// An address that cannot be listened on.
    #[error("frontend '{frontend}' of gateway '{gateway}' cannot listen on {address}: {reason}")]
    Bind {
        gateway: String,
        frontend: String,
        address: SocketAddr,
        reason: BindError,
        /// The endpoint that wanted it.
        endpoint: Box<EndpointKey>,
    },
    /// A certificate that cannot be used: a full sentence.
    #[error("{0}")]
    Tls(String),
    #[error("the data plane is shutting down")]
    ShuttingDown,
}

/// The servers behind one (pool, setting).
#[derive(Clone, Debug)]
pub struct UpstreamState {
    pub gateway: String,
    /// The gateway's resource id, in the document's casing; empty where the document has none.
    pub gateway_id: String,
    pub pool: String,
    pub setting: String,
    pub servers: Vec<ServerState>,
    /// Failed probes in a row that make a server unhealthy; `None` where nothing is probed.
    pub unhealthy_threshold: Option<u32>,
    /// Why the platform could not tell the health of this gateway's servers: a clause. By the
    /// network policy, where there is one.
    pub unretrievable: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ServerState {
    /// The member as the pool names it.
    pub member: String,
    /// Its address and port as routing knows them; `None` while a name has no address.
    pub logical: Option<SocketAddr>,
    /// Where it is reached, after DNS and mapping; `None` while a name has no address.
    pub address: Option<SocketAddr>,
    /// By the probes; a server that is not probed is `Healthy`.
    pub health: Health,
    /// Whether it takes traffic: it is healthy, or the probe's `minServers` keeps it.
    pub takes_traffic: bool,
    /// Since when it is in its state, in microseconds since the Unix epoch; `None` before the first
    /// verdict.
    pub since_micros: Option<u64>,
    /// How many probes in a row had the last one's result.
    pub in_a_row: u32,
    /// The last probe; `None` before the first has ended, and where there are none.
    pub record: Option<Arc<ProbeRecord>>,
    /// Whether the name servers say that the member's name does not exist.
    pub has_no_such_name: bool,
}

/// The running data plane. Cheap to clone.
#[derive(Clone)]
pub struct Dataplane(Arc<Plane>);

struct Plane {
    workers: Vec<WorkerHandle>,
    address_map: ArcSwap<AddressMap>,
    labels: Arc<LabelRegistry>,
    dns: Dns,
    prober: Prober,
    without_name: Nameless,
    epoch: Epoch,
    shared: Arc<Shared>,
    live: ArcSwap<Live>,
    /// What is listened on. Held while a snapshot is applied, so that there is one at a time.
    bound: Mutex<Sockets>,
}

type SocketKey = (EndpointKey, Scheme, SocketAddr);

#[derive(Default)]
struct Sockets {
    /// With the address that was asked for: its port may be 0.
    open: HashMap<SocketKey, SocketAddr>,
    is_draining: bool,
}

impl Dataplane {
    /// Starts the worker threads; nothing is served until the first [`apply`](Self::apply).
    /// Must be called within a tokio runtime, which the answers of DNS are handled on.
    ///
    /// # Errors
    /// When a thread or its event loop cannot be made, or the system's resolver configuration
    /// cannot be read.
    pub fn start(config: DataplaneConfig) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            error_pages: ArcSwap::default(),
            connections: AtomicU64::new(0),
            connections_max: connections_max(),
            tells_failures: config.tells_failures,
            next_connection: AtomicU64::new(1),
            handshakes: HandshakeTotals::default(),
        });
        let workers = (0..config.workers.max(1))
            .map(|number| WorkerHandle::start(number, Arc::clone(&shared), config.records.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        let (changed, changes) = mpsc::unbounded_channel();
        let plane = Arc::new(Plane {
            workers,
            address_map: ArcSwap::from_pointee(config.address_map),
            labels: config.labels,
            dns: Dns::start(config.name_servers, changed)?,
            prober: Prober::start(config.health_changes.clone())?,
            without_name: Nameless::new(config.health_changes),
            epoch: Epoch::default(),
            shared,
            live: ArcSwap::from_pointee(Live::empty()),
            bound: Mutex::default(),
        });
        tokio::spawn(follow_dns(Arc::downgrade(&plane), changes));
        Ok(Self(plane))
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
        snapshot: Arc<Snapshot>,
        addresses: &[SocketAddr],
    ) -> Result<Vec<Bound>, ApplyError> {
        let plane = &self.0;
        let mut sockets = plane.bound.lock().await;
        if sockets.is_draining {
            return Err(ApplyError::ShuttingDown);
        }
        let names = plane.names_to_resolve(&snapshot);
        let served = plane.names_to_resolve(&plane.live.load().snapshot);
        // Until it is certain that the new snapshot can be served, the old one is.
        plane
            .dns
            .watch(names.union(&served).cloned().collect())
            .await;
        let prepared = plane.prepare(snapshot, addresses, &sockets);
        let names = if prepared.is_ok() { names } else { served };
        plane.dns.watch(names).await;
        let Prepared {
            live,
            wanted,
            opened,
        } = prepared?;
        let serving = serving(&live.snapshot, addresses, &sockets);
        plane
            .warm_up(&live, &|gateway| serving.contains(&gateway))
            .await;
        let kept: HashSet<&SocketKey> = wanted.iter().collect();
        let close: Vec<SocketKey> = sockets
            .open
            .keys()
            .filter(|key| !kept.contains(key))
            .cloned()
            .collect();
        for (key, listeners) in &opened {
            let address = listeners.first().and_then(|one| one.local_addr().ok());
            sockets.open.insert(key.clone(), address.unwrap_or(key.2));
        }
        plane.swap(live, opened, &close).await;
        sockets.open.retain(|key, _| kept.contains(key));
        let bound = |key: &SocketKey| Bound {
            endpoint: key.0.clone(),
            scheme: key.1,
            address: sockets.open.get(key).copied().unwrap_or(key.2),
        };
        Ok(wanted.iter().map(bound).collect())
    }

    /// Other stand-ins for backend addresses, from the next [`apply`](Self::apply) on.
    pub fn set_address_map(&self, map: AddressMap) {
        self.0.address_map.store(Arc::new(map));
    }

    /// The custom error page that stands at `url`, once it has been fetched.
    pub fn publish_error_page(&self, url: &str, body: Bytes) {
        self.0.shared.error_pages.rcu(|pages| {
            let mut pages = HashMap::clone(pages);
            pages.insert(url.to_owned(), body.clone());
            pages
        });
    }

    /// Every upstream with its servers and what the last probes found, as of now. Probes nothing.
    pub fn upstreams(&self) -> Vec<UpstreamState> {
        let live = self.0.live.load_full();
        let snapshot = &live.snapshot;
        let nameless = self.0.nameless(snapshot);
        let state = |(upstream, servers): (Upstream, &LiveUpstream)| {
            let pool = snapshot.pool(upstream.pool);
            let members = pool.members.iter().enumerate();
            let is_nameless = |name: &str| nameless(pool.gateway, name);
            UpstreamState {
                gateway: snapshot.gateway(pool.gateway).name.clone(),
                gateway_id: snapshot.gateway(pool.gateway).resource_id.clone(),
                pool: pool.name.clone(),
                setting: snapshot.setting(upstream.setting).name.clone(),
                unhealthy_threshold: threshold(snapshot, upstream),
                unretrievable: unretrievable(snapshot, pool.gateway),
                servers: members
                    .flat_map(|(position, member)| {
                        servers_of(servers, position, member, &is_nameless)
                    })
                    .collect(),
            }
        };
        live.upstreams().map(state).collect()
    }

    /// What the last 32 probes of a server found, the newest last; none where it is not probed.
    /// `gateway`: its id; empty for any. `server`: as routing knows it.
    pub fn probe_outcomes(
        &self,
        gateway: &str,
        setting: &str,
        server: SocketAddr,
    ) -> Vec<ProbeOutcome> {
        let live = self.0.live.load();
        let servers = live.upstreams().flat_map(|(_, upstream)| &upstream.servers);
        let mut targets = servers.filter_map(|server| server.target.as_ref());
        let found = targets.find(|target| {
            let place = &target.place;
            place.logical == server
                && place.setting.eq_ignore_ascii_case(setting)
                && (gateway.is_empty() || place.gateway.eq_ignore_ascii_case(gateway))
        });
        found.map(|target| target.outcomes()).unwrap_or_default()
    }

    /// Open client connections, over all workers.
    pub fn connections(&self) -> u64 {
        self.0.shared.connections.load(Ordering::Relaxed)
    }

    /// Clients' TLS handshakes that failed, over all workers.
    pub fn failed_handshakes(&self) -> &HandshakeTotals {
        &self.0.shared.handshakes
    }

    /// Stops accepting, lets requests finish for at most `patience`, then cuts them off.
    pub async fn drain(&self, patience: Duration) {
        // A configuration that is being applied may hold the lock; it is not waited for long.
        let lock = tokio::time::timeout(patience, self.0.bound.lock()).await;
        if let Ok(mut sockets) = lock {
            sockets.is_draining = true;
        }
        let waits: Vec<_> = (self.0.workers.iter())
            .map(|worker| {
                let (done, is_done) = oneshot::channel();
                worker.send(Command::Drain { patience, done });
                is_done
            })
            .collect();
        let all = async {
            for wait in waits {
                // The worker drops its end when it is done.
                let _ = wait.await;
            }
        };
        // A little more than the workers' own limit, which they keep in ticks.
        let _ = tokio::time::timeout(patience + Duration::from_secs(1), all).await;
    }
}

/// What a snapshot needs, before anything has changed.
struct Prepared {
    live: Arc<Live>,
    wanted: Vec<SocketKey>,
    opened: HashMap<SocketKey, Vec<TcpListener>>,
}

impl Plane {
    fn prepare(
        &self,
        snapshot: Arc<Snapshot>,
        addresses: &[SocketAddr],
        sockets: &Sockets,
    ) -> Result<Prepared, ApplyError> {
        let wanted: Vec<SocketKey> = (snapshot.endpoints.iter().zip(addresses))
            .map(|(endpoint, address)| (endpoint.key.clone(), endpoint.scheme, *address))
            .collect();
        let live = self.build(snapshot)?;
        let mut ours: HashSet<SocketAddr> = sockets.open.values().copied().collect();
        let mut opened = HashMap::new();
        for key in wanted.iter().filter(|key| !sockets.open.contains_key(*key)) {
            let (endpoint, _, address) = key;
            let listeners = self.open(*address, &ours).map_err(|reason| {
                let (gateway, frontend) = names(&live.snapshot, endpoint);
                ApplyError::Bind {
                    gateway,
                    frontend,
                    address: *address,
                    reason,
                    endpoint: Box::new(endpoint.clone()),
                }
            })?;
            ours.insert(*address);
            opened.insert(key.clone(), listeners);
        }
        Ok(Prepared {
            live,
            wanted,
            opened,
        })
    }

    /// The members' names that no mapping gives an address.
    fn names_to_resolve(&self, snapshot: &Snapshot) -> BTreeSet<Question> {
        let servers = self.dns.network_servers(snapshot, &self.address_map.load());
        let mut names = BTreeSet::new();
        for upstream in &snapshot.upstreams {
            names.extend(self.names_of(snapshot, *upstream, &servers));
        }
        names
    }

    fn names_of(
        &self,
        snapshot: &Snapshot,
        upstream: Upstream,
        servers: &NetworkServers,
    ) -> impl Iterator<Item = Question> {
        let port = snapshot.setting(upstream.setting).port;
        let pool = snapshot.pool(upstream.pool);
        let map = self.address_map.load();
        pool.members.iter().filter_map(move |member| match member {
            Member::Fqdn(name) if map.find(name, port).is_none() => {
                Some(servers.question(pool.gateway, name))
            }
            Member::Fqdn(_) | Member::Ip(_) => None,
        })
    }

    /// Whether the name servers of a gateway say that a name does not exist.
    fn nameless(&self, snapshot: &Snapshot) -> impl Fn(GatewayIndex, &str) -> bool {
        let servers = self.dns.network_servers(snapshot, &self.address_map.load());
        let nameless = self.dns.nameless();
        move |gateway, name| nameless.contains(&servers.question(gateway, name))
    }

    fn build(&self, snapshot: Arc<Snapshot>) -> Result<Arc<Live>, ApplyError> {
        let surroundings = Surroundings {
            addresses: &self.dns.addresses(),
            name_servers: &self
                .dns
                .network_servers(&snapshot, &self.address_map.load()),
            map: &self.address_map.load(),
            labels: &self.labels,
            epoch: &self.epoch,
        };
        let live = Live::build(snapshot, &self.live.load(), &surroundings);
        live.map(Arc::new)
            .map_err(|error| ApplyError::Tls(error.to_string()))
    }

    /// A listening socket for each worker. `ours`: where we listen already.
    fn open(
        &self,
        address: SocketAddr,
        ours: &HashSet<SocketAddr>,
    ) -> Result<Vec<TcpListener>, BindError> {
        // Where we listen on it, or on a part of it, the system would name us as the other.
        if !ours.iter().any(|own| overlap(*own, address)) {
            is_free(address).map_err(|error| refusal(error, address))?;
        }
        let first = bind(address).map_err(|error| refusal(error, address))?;
        let address = first.local_addr()?;
        let others = (1..self.workers.len()).map(|_| bind(address));
        let all: io::Result<Vec<_>> = std::iter::once(Ok(first)).chain(others).collect();
        Ok(all?)
    }

    /// Has every worker serve `live`, and its servers alone probed; returns when all do.
    async fn swap(
        &self,
        live: Arc<Live>,
        mut opened: HashMap<SocketKey, Vec<TcpListener>>,
        close: &[SocketKey],
    ) {
        let mut waits = Vec::new();
        for worker in &self.workers {
            let open = opened
                .iter_mut()
                .filter_map(|((endpoint, scheme, address), listeners)| {
                    Some(Opening {
                        endpoint: Arc::new(endpoint.clone()),
                        scheme: *scheme,
                        address: *address,
                        listener: listeners.pop()?,
                    })
                });
            let (done, is_done) = oneshot::channel();
            worker.send(Command::Swap {
                live: Arc::clone(&live),
                open: open.collect(),
                close: close.to_vec(),
                done,
            });
            waits.push(is_done);
        }
        for wait in waits {
            let _ = wait.await;
        }
        self.prober.watch(live.watched());
        self.without_name.tell(&live, self.nameless(&live.snapshot));
        let before = self.live.swap(live);
        // A large one takes a while to go, and nobody is to wait for that.
        tokio::task::spawn_blocking(move || drop(before));
    }
}

/// Builds anew whenever a name's addresses have changed.
async fn follow_dns(plane: std::sync::Weak<Plane>, mut changes: mpsc::UnboundedReceiver<()>) {
    while changes.recv().await.is_some() {
        while changes.try_recv().is_ok() {}
        let Some(plane) = plane.upgrade() else { return };
        let sockets = plane.bound.lock().await;
        let snapshot = Arc::clone(&plane.live.load().snapshot);
        if snapshot.endpoints.is_empty() || sockets.is_draining {
            continue;
        }
        // Its certificates were good before.
        if let Ok(live) = plane.build(snapshot) {
            plane.warm_up(&live, &|_| true).await;
            plane.swap(live, HashMap::new(), &[]).await;
        }
    }
}

/// The servers of one member: one for each of its addresses, or one without.
fn servers_of(
    upstream: &LiveUpstream,
    member_position: usize,
    member: &Member,
    is_nameless: &dyn Fn(&str) -> bool,
) -> Vec<ServerState> {
    let name = member_name(member);
    let servers = upstream.servers.iter().enumerate();
    let own = servers.filter(|(_, server)| server.member == member_position);
    let states: Vec<ServerState> = own
        .map(|(position, server)| server_state(&name, server, upstream.is_in_rotation(position)))
        .collect();
    if !states.is_empty() {
        return states;
    }
    let has_no_such_name = is_nameless(&name);
    vec![nameless_state(name, has_no_such_name)]
}

fn threshold(snapshot: &Snapshot, upstream: Upstream) -> Option<u32> {
    let probe = snapshot.setting(upstream.setting).probe.as_ref();
    probe.map(|probe| probe.unhealthy_threshold)
}

/// The state of a member whose name has no address.
fn nameless_state(member: String, has_no_such_name: bool) -> ServerState {
    ServerState {
        member,
        logical: None,
        address: None,
        health: match has_no_such_name {
            true => Health::Unhealthy,
            false => Health::Unknown,
        },
        takes_traffic: false,
        since_micros: None,
        in_a_row: 0,
        record: None,
        has_no_such_name,
    }
}

fn server_state(name: &str, server: &Server, takes_traffic: bool) -> ServerState {
    let report = server.target.as_ref().map(|target| target.report());
    let since = report.as_ref().map_or(0, |report| report.since_micros);
    ServerState {
        member: name.to_owned(),
        logical: Some(server.logical),
        address: Some(server.address),
        health: report
            .as_ref()
            .map_or(Health::Healthy, |report| report.health),
        takes_traffic,
        since_micros: (since > 0).then_some(since),
        in_a_row: report.as_ref().map_or(0, |report| report.in_a_row),
        record: report.and_then(|report| report.record),
        has_no_such_name: false,
    }
}

/// Half of the descriptors that this process may have, in the limit of this moment.
fn connections_max() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit
        .current
        .map_or(u64::MAX, |descriptors| (descriptors / 2).max(1))
}

/// Of the gateway and of the frontend, as their document writes them.
fn names(snapshot: &Snapshot, endpoint: &EndpointKey) -> (String, String) {
    let found = snapshot.endpoints.iter().find(|one| one.key == *endpoint);
    found.map_or_else(Default::default, |one| {
        let gateway = &snapshot.gateway(one.gateway).name;
        (gateway.clone(), one.frontend.clone())
    })
}

/// Whether a socket on one of them hears what is sent to the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (own, others) = (one.ip().to_canonical(), other.ip().to_canonical());
    // What listens at all addresses of IPv6 hears IPv4 too.
    let covers = |wide: IpAddr, ip: IpAddr| match wide {
        IpAddr::V4(wide) => wide.is_unspecified() && ip.is_ipv4(),
        IpAddr::V6(wide) => wide.is_unspecified(),
    };
    one.port() == other.port() && (own == others || covers(own, others) || covers(others, own))
}

/// Why `address` was refused, by who answers there.
fn refusal(error: io::Error, address: SocketAddr) -> BindError {
    match BindError::from(error) {
        BindError::InUse if is_listened_on(address) => BindError::Taken,
        reason => reason,
    }
}

/// Whether a program answers there.
fn is_listened_on(address: SocketAddr) -> bool {
    let reached = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let reached = SocketAddr::new(reached, address.port());
    TcpStream::connect_timeout(&reached, LISTENER_PATIENCE).is_ok()
}

/// Why an address cannot be listened on, with the way out.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "another program listens there; stop it, or move the gateway's ports with --port-offset"
    )]
    Taken,
    #[error(
        "the port is in use, though nobody listens there: by a program on another of this \
         machine's addresses, or by an outgoing connection, old ones included; \
         `ss -tan sport = :PORT` shows it, --port-offset moves the gateway's ports"
    )]
    InUse,
    #[error(
        "this user may not use ports below 1024; add --port-offset 8000, or run with the \
         capability CAP_NET_BIND_SERVICE"
    )]
    Forbidden,
    #[error("this machine has no such address; name one that it has with --bind")]
    NoSuchAddress,
    #[error("the operating system refused it: {0}")]
    Other(io::Error),
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress,
            _ => Self::Other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_within_what_their_sockets_hear() {
        let overlap = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(overlap(one, other), overlap(other, one));
            overlap(one, other)
        };
        for (one, other) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "127.0.0.1:80"),
            ("[::]:80", "[fd00::1]:80"),
            ("[::]:80", "0.0.0.0:80"),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
            ("[::ffff:0.0.0.0]:80", "127.0.0.1:80"),
        ] {
            assert!(overlap(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("0.0.0.0:80", "[fd00::1]:80"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("[::ffff:0.0.0.0]:80", "[fd00::1]:80"),
        ] {
            assert!(!overlap(one, other), "{one} {other}");
        }
    }
}
