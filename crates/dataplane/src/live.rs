//! A snapshot made ready to serve: servers with addresses, TLS configurations, label numbers.
//!
//! Built off the data path whenever the configuration or a DNS answer changes, and never changed
//! afterwards; a request pins one and sees only it.

mod targets;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use gatewright_snapshot::{
    Action, EndpointIndex, EndpointKey, GatewayIndex, ListenerIndex, Member, RouteIndex, Snapshot,
    Upstream, UpstreamIndex,
};
use gatewright_telemetry::{LabelId, LabelRegistry, Labels};
pub(crate) use targets::spec_of;
use targets::{Probed, Targets};

use crate::address_map::AddressMap;
use crate::dns::{Addresses, NetworkServers};
use crate::network::{Obstacle, obstacle};
use crate::probe::{Epoch, Place, Target, Watched};
use crate::rotation::Rotation;
use crate::tls::{BackendTls, ListenerTls, ListenerTlsError};

/// A server across snapshots: the same as long as its upstream, address and security are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServerId(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Counts up with every build: what is cached from a `Live` is good for its version only.
    pub(crate) version: u64,
    /// By [`UpstreamIndex`].
    upstreams: Vec<LiveUpstream>,
    /// By [`RouteIndex`].
    labels: Vec<LabelId>,
    /// By [`GatewayIndex`](gatewright_snapshot::GatewayIndex); for requests without a route.
    gateway_labels: Vec<LabelId>,
    /// By [`ListenerIndex`]; for listeners with TLS.
    tls: Vec<Option<ListenerTls>>,
    endpoints: HashMap<EndpointKey, EndpointIndex>,
    current_servers: HashSet<ServerId>,
    draining_servers: HashSet<ServerId>,
    targets: HashMap<Place, Arc<Target>>,
}

/// A (pool, setting) pair with its servers.
#[derive(Debug)]
pub(crate) struct LiveUpstream {
    pub(crate) identity: UpstreamIdentity,
    pub(crate) servers: Vec<Server>,
    /// Gone from the pool, but still serving the requests that carry their cookie.
    pub(crate) draining: Vec<(Server, Instant)>,
    /// Which servers take their turns.
    rotation: Rotation,
    /// Which turn is next; shared by all threads, so that the rotation is one.
    cursor: Arc<AtomicUsize>,
    by_affinity: HashMap<[u8; 32], usize>,
    pub(crate) tls: Option<BackendTls>,
    /// Whether some member is a name without an address.
    pub(crate) has_unresolved: bool,
}

/// What makes two upstreams of different snapshots the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UpstreamIdentity {
    pub(crate) gateway: String,
    pool: String,
    pub(crate) setting: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) id: ServerId,
    /// As routing knows it; the log names this one.
    pub(crate) logical: SocketAddr,
    /// Where connections go.
    pub(crate) address: SocketAddr,
    /// The member's position in its pool.
    pub(crate) member: usize,
    /// The value of its affinity cookie, where the setting has one: a hash, which is not worth its
    /// time on each of a large pool's servers for nothing.
    pub(crate) affinity: Option<[u8; 32]>,
    /// Whether a mapping gives it an address in place of its name: its own is not known.
    pub(crate) is_stand_in: bool,
    /// What drops connections to it on their way.
    pub(crate) obstacle: Option<Obstacle>,
    /// Its state by the probes; `None` where there are none.
    pub(crate) target: Option<Arc<Target>>,
}

/// What a build needs besides the snapshot.
pub(crate) struct Surroundings<'a> {
    pub(crate) addresses: &'a Addresses,
    pub(crate) name_servers: &'a NetworkServers,
    pub(crate) map: &'a AddressMap,
    pub(crate) labels: &'a LabelRegistry,
    pub(crate) epoch: &'a Epoch,
}

/// Hands out server ids; they are never used twice.
static NEXT_SERVER: AtomicU64 = AtomicU64::new(1);
static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

impl Live {
    /// Before the first configuration: nothing is served.
    pub(crate) fn empty() -> Self {
        Self {
            snapshot: Arc::new(Snapshot::default()),
            version: 0,
            upstreams: Vec::new(),
            labels: Vec::new(),
            gateway_labels: Vec::new(),
            tls: Vec::new(),
            endpoints: HashMap::new(),
            current_servers: HashSet::new(),
            draining_servers: HashSet::new(),
            targets: HashMap::new(),
        }
    }

    /// # Errors
    /// When a listener's certificate cannot be used.
    pub(crate) fn build(
        snapshot: Arc<Snapshot>,
        previous: &Self,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, ListenerTlsError> {
        let tls = listeners_tls(&snapshot, previous)?;
        let mut targets = Targets::new(&previous.targets, surroundings.epoch);
        let upstreams = build_upstreams(&snapshot, previous, surroundings, &mut targets);
        let targets = targets.into_map();
        let current_servers = (upstreams.iter())
            .flat_map(|upstream| upstream.servers.iter().map(|server| server.id))
            .collect();
        let draining_servers = (upstreams.iter())
            .flat_map(|upstream| upstream.draining.iter().map(|(server, _)| server.id))
            .collect();
        let endpoints = (snapshot.endpoints.iter().enumerate())
            .map(|(position, endpoint)| (endpoint.key.clone(), EndpointIndex::new(position)))
            .collect();
        let labels = route_labels(&snapshot, surroundings.labels);
        let gateway_labels = gateway_labels(&snapshot, surroundings.labels);
        let version = NEXT_VERSION.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            snapshot,
            version,
            upstreams,
            labels,
            gateway_labels,
            tls,
            endpoints,
            current_servers,
            draining_servers,
            targets,
        })
    }

    /// Everything that is probed, with the pools that lead to it.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let mut watched: HashMap<u64, Watched> = HashMap::with_capacity(self.targets.len());
        for (upstream, live) in self.upstreams() {
            let pool = &self.snapshot.pool(upstream.pool).name;
            for target in live.servers.iter().filter_map(|one| one.target.as_ref()) {
                let entry = watched.entry(target.number).or_insert_with(|| Watched {
                    target: Arc::clone(target),
                    pools: Vec::new(),
                });
                if entry.pools.last() != Some(pool) {
                    entry.pools.push(pool.clone());
                }
            }
        }
        watched.into_values().collect()
    }

    pub(crate) fn upstream(&self, index: UpstreamIndex) -> &LiveUpstream {
        &self.upstreams[index.position()]
    }

    pub(crate) fn upstreams(&self) -> impl Iterator<Item = (Upstream, &LiveUpstream)> {
        self.snapshot.upstreams.iter().copied().zip(&self.upstreams)
    }

    pub(crate) fn labels(&self, route: RouteIndex) -> LabelId {
        self.labels[route.position()]
    }

    /// What a request is logged under that reached an endpoint and no listener.
    pub(crate) fn gateway_labels(&self, endpoint: EndpointIndex) -> LabelId {
        self.gateway_labels[self.snapshot.endpoint(endpoint).gateway.position()]
    }

    pub(crate) fn tls(&self, listener: ListenerIndex) -> Option<&ListenerTls> {
        self.tls.get(listener.position())?.as_ref()
    }

    pub(crate) fn endpoint(&self, key: &EndpointKey) -> Option<EndpointIndex> {
        self.endpoints.get(key).copied()
    }

    /// Whether requests are spread over `server`.
    pub(crate) fn has_server(&self, server: ServerId) -> bool {
        self.current_servers.contains(&server)
    }

    /// Whether `server` has left, but serves those that carry its cookie a while longer.
    pub(crate) fn is_draining(&self, server: ServerId) -> bool {
        self.draining_servers.contains(&server)
    }

    /// The servers, each with how long requests may go on with it when the next `Live` lacks it.
    pub(crate) fn drain_timeouts(&self) -> impl Iterator<Item = (ServerId, Duration)> {
        self.upstreams().flat_map(|(upstream, live)| {
            let drain = self.snapshot.setting(upstream.setting).drain_timeout;
            live.servers.iter().map(move |server| (server.id, drain))
        })
    }
}

impl LiveUpstream {
    /// The next server in rotation, another than `not` if there is one.
    pub(crate) fn next(&self, not: Option<ServerId>) -> Option<&Server> {
        let turns = self.rotation.turns(&self.servers);
        let at = |turn: &u32| self.servers.get(*turn as usize);
        let is_tried = |turn: &u32| at(turn).is_some_and(|one| Some(one.id) == not);
        let Some(tried) = turns.iter().position(is_tried) else {
            let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
            return turns.get(turn.checked_rem(turns.len())?).and_then(at);
        };
        // Takes no turn: of two servers, a dead one would otherwise be everybody's first.
        let (before, from) = turns.split_at(tried);
        let mut others = from.iter().chain(before);
        let other = others.find(|turn| !is_tried(turn));
        other.or(from.first()).and_then(at)
    }

    /// Whether requests are sent to the server in this position.
    pub(crate) fn is_in_rotation(&self, position: usize) -> bool {
        let turns = self.rotation.turns(&self.servers);
        turns.binary_search(&(position as u32)).is_ok()
    }

    /// Whether some server takes its turns.
    pub(crate) fn takes_traffic(&self) -> bool {
        !self.rotation.turns(&self.servers).is_empty()
    }

    /// The servers that no probe has said anything of yet.
    pub(crate) fn without_state(&self) -> impl Iterator<Item = Arc<Target>> {
        let targets = self.servers.iter().filter_map(|one| one.target.as_ref());
        targets.filter(|target| !target.has_state()).cloned()
    }

    /// Whether there is another server than the one that was tried.
    pub(crate) fn has_others(&self) -> bool {
        self.rotation.turns(&self.servers).len() > 1
    }

    /// The server behind an affinity cookie, while it is healthy; also one that is draining, while
    /// it has time.
    pub(crate) fn by_affinity(&self, cookie: &[u8; 32]) -> Option<&Server> {
        if let Some(position) = self.by_affinity.get(cookie) {
            let server = self.servers.get(*position)?;
            return self.is_in_rotation(*position).then_some(server);
        }
        let mut draining = self.draining.iter();
        let (server, until) =
            draining.find(|(server, _)| server.affinity.as_ref() == Some(cookie))?;
        (*until > Instant::now()).then_some(server)
    }
}

fn listeners_tls(
    snapshot: &Snapshot,
    previous: &Live,
) -> Result<Vec<Option<ListenerTls>>, ListenerTlsError> {
    let kept: Vec<&ListenerTls> = previous.tls.iter().flatten().collect();
    let listener_tls = |listener: &gatewright_snapshot::Listener| {
        let (Some(certificate), Some(policy)) = (listener.certificate, &listener.tls_policy) else {
            return Ok(None);
        };
        let certificate = snapshot.certificate(certificate);
        // Kept: its session tickets stay good.
        if let Some(same) = kept.iter().find(|tls| tls.is_for(certificate, policy)) {
            return Ok(Some((*same).clone()));
        }
        ListenerTls::new(&listener.name, certificate, policy).map(Some)
    };
    snapshot.listeners.iter().map(listener_tls).collect()
}

fn gateway_labels(snapshot: &Snapshot, registry: &LabelRegistry) -> Vec<LabelId> {
    let label = |gateway: &gatewright_snapshot::Gateway| {
        let resource_id = gateway.resource_id.clone();
        registry.intern(Labels {
            resource_id,
            ..Labels::default()
        })
    };
    snapshot.gateways.iter().map(label).collect()
}

fn route_labels(snapshot: &Snapshot, registry: &LabelRegistry) -> Vec<LabelId> {
    let label = |route: &gatewright_snapshot::Route| {
        let (pool, setting) = match &route.action {
            Action::Forward(upstream) => {
                let upstream = snapshot.upstream(*upstream);
                let pool = snapshot.pool(upstream.pool).name.clone();
                (pool, snapshot.setting(upstream.setting).name.clone())
            }
            Action::Redirect(_) => (String::new(), String::new()),
        };
        registry.intern(Labels {
            resource_id: snapshot.gateway_of(route.listener).resource_id.clone(),
            listener: snapshot.listener(route.listener).name.clone(),
            rule: route.rule.clone(),
            path_rule: route.path_rule.clone().unwrap_or_default(),
            pool,
            setting,
        })
    };
    snapshot.routes.iter().map(label).collect()
}

fn build_upstreams(
    snapshot: &Snapshot,
    previous: &Live,
    surroundings: &Surroundings<'_>,
    targets: &mut Targets<'_>,
) -> Vec<LiveUpstream> {
    let before: HashMap<&UpstreamIdentity, (&LiveUpstream, Duration)> = previous
        .upstreams()
        .map(|(upstream, live)| {
            let drain = previous.snapshot.setting(upstream.setting).drain_timeout;
            (&live.identity, (live, drain))
        })
        .collect();
    let mut build = |upstream: &Upstream| {
        let identity = identity(snapshot, *upstream);
        let before = before.get(&identity).copied();
        build_upstream(snapshot, *upstream, identity, before, surroundings, targets)
    };
    snapshot.upstreams.iter().map(&mut build).collect()
}

fn identity(snapshot: &Snapshot, upstream: Upstream) -> UpstreamIdentity {
    let pool = snapshot.pool(upstream.pool);
    let gateway = snapshot.gateway(pool.gateway);
    let id = if gateway.resource_id.is_empty() {
        &gateway.name
    } else {
        &gateway.resource_id
    };
    UpstreamIdentity {
        gateway: id.to_ascii_lowercase(),
        pool: pool.name.to_ascii_lowercase(),
        setting: snapshot.setting(upstream.setting).name.to_ascii_lowercase(),
    }
}

fn build_upstream(
    snapshot: &Snapshot,
    upstream: Upstream,
    identity: UpstreamIdentity,
    before: Option<(&LiveUpstream, Duration)>,
    surroundings: &Surroundings<'_>,
    targets: &mut Targets<'_>,
) -> LiveUpstream {
    let setting = snapshot.setting(upstream.setting);
    let same_tls = before
        .and_then(|(live, _)| live.tls.as_ref())
        .filter(|tls| {
            setting
                .verification
                .as_ref()
                .is_some_and(|wanted| tls.is_for(wanted))
        });
    let tls = match (&setting.verification, same_tls) {
        (None, _) => None,
        (Some(_), Some(same)) => Some(same.clone()),
        (Some(verification), None) => Some(BackendTls::new(verification)),
    };
    // A server whose security changed is another one: its connections must not be used again.
    let same_security = before.is_some_and(|(live, _)| match (&live.tls, &tls) {
        (None, None) => true,
        (Some(_), Some(_)) => same_tls.is_some(),
        _ => false,
    });
    let mut known: HashMap<(SocketAddr, SocketAddr), ServerId> = HashMap::new();
    if let Some((live, _)) = before.filter(|_| same_security) {
        known.extend(
            live.servers
                .iter()
                .map(|server| ((server.logical, server.address), server.id)),
        );
    }
    let (mut servers, has_unresolved) =
        build_servers(snapshot, upstream, &identity.gateway, &known, surroundings);
    if let Some(probe) = &setting.probe {
        let probed = Probed {
            snapshot,
            upstream,
            identity: &identity,
            probe,
        };
        for server in &mut servers {
            server.target = Some(targets.of_server(&probed, server, tls.as_ref(), surroundings));
        }
    }
    let min_servers = setting.probe.as_ref().map_or(0, |probe| probe.min_servers);
    let by_affinity = (servers.iter().enumerate())
        .filter_map(|(at, server)| Some((server.affinity?, at)))
        .collect();
    let draining = before.map_or_else(Vec::new, |(live, drain)| draining(live, drain, &servers));
    let cursor = before.map_or_else(Arc::default, |(live, _)| Arc::clone(&live.cursor));
    LiveUpstream {
        identity,
        servers,
        draining,
        rotation: Rotation::new(surroundings.epoch.clone(), min_servers),
        cursor,
        by_affinity,
        tls,
        has_unresolved,
    }
}

/// The servers of an upstream, those that were `known` under their ids; and whether some member is
/// a name without an address.
fn build_servers(
    snapshot: &Snapshot,
    upstream: Upstream,
    gateway: &str,
    known: &HashMap<(SocketAddr, SocketAddr), ServerId>,
    surroundings: &Surroundings<'_>,
) -> (Vec<Server>, bool) {
    let setting = snapshot.setting(upstream.setting);
    let is_sticky = setting.affinity_cookie.is_some();
    let mut servers = Vec::new();
    let mut has_unresolved = false;
    let pool = snapshot.pool(upstream.pool);
    for (member, name) in pool.members.iter().enumerate() {
        let places = places(pool.gateway, name, setting.port, surroundings);
        has_unresolved |= places.is_empty();
        for place in places {
            let Location {
                logical,
                address,
                is_stand_in,
            } = place;
            let id = known
                .get(&(logical, address))
                .copied()
                .unwrap_or_else(|| ServerId(NEXT_SERVER.fetch_add(1, Ordering::Relaxed)));
            let affinity = is_sticky.then(|| affinity_value(gateway, logical));
            servers.push(Server {
                id,
                logical,
                address,
                member,
                affinity,
                is_stand_in,
                // Nothing is known of the way to a server whose address is not.
                obstacle: match is_stand_in {
                    true => None,
                    false => obstacle(snapshot, pool.gateway, logical),
                },
                target: None,
            });
        }
    }
    (servers, has_unresolved)
}

/// The servers that a pool has under a setting, whether a rule pairs them or not.
pub(crate) fn servers_of_pair(
    snapshot: &Snapshot,
    upstream: Upstream,
    surroundings: &Surroundings<'_>,
) -> Vec<Server> {
    let identity = identity(snapshot, upstream);
    let known = HashMap::new();
    build_servers(snapshot, upstream, &identity.gateway, &known, surroundings).0
}

/// Where a member is, as routing knows it and in truth.
struct Location {
    logical: SocketAddr,
    address: SocketAddr,
    is_stand_in: bool,
}

/// The places of a member; none while its name is not resolved.
fn places(
    gateway: GatewayIndex,
    member: &Member,
    port: u16,
    surroundings: &Surroundings<'_>,
) -> Vec<Location> {
    let mapped = |host: &str| {
        let map = surroundings.map;
        if map.is_empty() {
            None
        } else {
            map.find(host, port)
        }
    };
    let at = |ip: IpAddr| {
        let logical = SocketAddr::new(ip, port);
        Location {
            logical,
            address: mapped(&ip.to_string()).unwrap_or(logical),
            is_stand_in: false,
        }
    };
    match member {
        Member::Ip(ip) => {
            vec![at(*ip)]
        }
        Member::Fqdn(name) => {
            if let Some(address) = mapped(name) {
                return vec![Location {
                    logical: address,
                    address,
                    is_stand_in: true,
                }];
            }
            let question = surroundings.name_servers.question(gateway, name);
            let resolved = surroundings.addresses.get(&question).map(Vec::as_slice);
            let resolved = resolved.unwrap_or_default().iter();
            resolved.map(|ip| at(*ip)).collect()
        }
    }
}

/// Those that were there before and are not now, and those that were draining and still may.
fn draining(before: &LiveUpstream, drain: Duration, now: &[Server]) -> Vec<(Server, Instant)> {
    let present: HashSet<SocketAddr> = now.iter().map(|server| server.logical).collect();
    let instant = Instant::now();
    let still = before
        .draining
        .iter()
        .filter(|(_, until)| *until > instant)
        .cloned();
    let left = before
        .servers
        .iter()
        .map(|server| (server.clone(), instant + drain));
    left.chain(still)
        .filter(|(server, _)| !present.contains(&server.logical))
        .collect()
}

/// 32 hexadecimal digits that tell servers apart and tell nothing else.
fn affinity_value(gateway: &str, server: SocketAddr) -> [u8; 32] {
    let text = format!("{gateway} {server}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut value = [0; 16];
    value.copy_from_slice(&digest.as_ref()[..16]);
    gatewright_telemetry::TraceId(value).to_hex()
}
