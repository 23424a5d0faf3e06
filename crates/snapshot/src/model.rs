//! The tables of a snapshot.

use std::net::IpAddr;
use std::time::Duration;

use crate::index::{
    CertificateIndex, EndpointIndex, GatewayIndex, ListenerIndex, PathMapIndex, PoolIndex,
    RouteIndex, SettingIndex, UpstreamIndex,
};
use crate::network::NetworkPolicy;
use crate::{Certificate, HostTable, PathTable, Probe, TlsPolicy};

/// Everything that the data plane needs to know of the gateways that it serves.
///
/// The tables refer to each other by index; `compile` makes sure that every index is in range.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub gateways: Vec<Gateway>,
    /// Where clients connect: one row per (frontend IP configuration, port) that has a listener
    /// with a rule.
    pub endpoints: Vec<Endpoint>,
    pub listeners: Vec<Listener>,
    pub routes: Vec<Route>,
    pub path_maps: Vec<PathMap>,
    pub pools: Vec<Pool>,
    pub settings: Vec<BackendSetting>,
    /// The (pool, setting) pairs that some route forwards to. Health and load balancing are per
    /// pair: one pool under two settings gets two verdicts.
    pub upstreams: Vec<Upstream>,
    pub certificates: Vec<Certificate>,
    /// What is known of the networks that the gateways and their servers are in; nothing, where no
    /// document was given.
    pub network: NetworkPolicy,
}

/// Which generation of the service a gateway belongs to, by its SKU: many details differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Generation {
    V1,
    V2,
}

/// Why a gateway answers 502 to every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idle {
    /// It was stopped.
    Stopped,
    /// Its last change failed, and there is no configuration that was good before.
    Failed,
}

impl Idle {
    /// The state in a word: `stopped`, `failed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub name: String,
    /// The ARM resource id, in the document's casing; empty where the document has none.
    pub resource_id: String,
    pub generation: Generation,
    /// Why it answers 502 to every request; `None` where it serves.
    pub idle: Option<Idle>,
    /// `disableDefaultServerHeaderInResponse`: leave the gateway's `Server` header out.
    pub hide_server_header: bool,
}

/// Names an endpoint across snapshots, so that its sockets survive a reload. Lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey {
    /// The gateway's resource id, or its name where it has none.
    pub gateway: String,
    /// The name of the frontend IP configuration.
    pub frontend: String,
    /// The frontend port, before any offset.
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme leaves out.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// One address and port that clients connect to, with the listeners behind it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub key: EndpointKey,
    /// The name of the frontend IP configuration, in the document's casing.
    pub frontend: String,
    pub gateway: GatewayIndex,
    pub scheme: Scheme,
    /// The frontend's private address, where the document names one.
    pub logical_address: Option<IpAddr>,
    /// Finds the listener by `Host`, and for TLS by SNI.
    pub hosts: HostTable,
    /// TLS only: whose certificate answers a client that names no site, or an unknown one. `None`
    /// ends the handshake, as a v1 gateway does.
    pub sni_fallback: Option<ListenerIndex>,
}

#[derive(Clone, Debug)]
pub struct Listener {
    pub name: String,
    pub endpoint: EndpointIndex,
    /// The host names as configured; empty for a basic listener.
    pub host_names: Vec<String>,
    pub routing: Routing,
    /// Present exactly on listeners whose endpoint is Https.
    pub certificate: Option<CertificateIndex>,
    /// Present exactly on listeners whose endpoint is Https.
    pub tls_policy: Option<TlsPolicy>,
    /// Custom error pages: the listener's own, then those of the gateway that it does not replace.
    pub error_pages: Vec<ErrorPage>,
}

/// A page that replaces the body of an error which the gateway itself makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    pub status: u16,
    pub url: String,
}

/// How a listener's rule finds the route.
#[derive(Clone, Debug)]
pub enum Routing {
    /// A basic rule.
    Always(RouteIndex),
    /// A path-based rule. Route `first + n` belongs to the map's n-th path rule.
    ByPath {
        map: PathMapIndex,
        first: RouteIndex,
        default: RouteIndex,
    },
}

/// The end of routing: what to do, and under which names it is logged.
#[derive(Clone, Debug)]
pub struct Route {
    pub listener: ListenerIndex,
    /// The request routing rule's name.
    pub rule: String,
    /// The path rule's name; `None` for a basic rule or a path map's default.
    pub path_rule: Option<String>,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    Forward(UpstreamIndex),
    Redirect(Redirect),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303 or 307.
    pub status: u16,
    pub target: RedirectTarget,
    pub include_path: bool,
    pub include_query: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectTarget {
    /// An absolute URL, as configured.
    Url(String),
    /// A listener of this gateway. `host` is its host name; `None` keeps the request's own.
    /// `port` is where clients reach it, any offset included.
    Listener {
        scheme: Scheme,
        host: Option<String>,
        port: u16,
    },
}

/// A path map: which path rule a path belongs to.
#[derive(Clone, Debug)]
pub struct PathMap {
    pub name: String,
    pub gateway: GatewayIndex,
    /// Values are ordinals of path rules, in listed order.
    pub table: PathTable,
}

#[derive(Clone, Debug)]
pub struct Pool {
    pub name: String,
    pub gateway: GatewayIndex,
    pub members: Vec<Member>,
}

/// A backend server, as the pool names it. The port comes from the setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    Ip(IpAddr),
    /// Resolved by DNS, each address being a server. Lower case.
    Fqdn(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendProtocol {
    Http,
    Https,
}

/// Which `Host` the backend sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostOverride {
    /// The client's own.
    Keep,
    /// The setting's `hostName`.
    Fixed(String),
    /// `pickHostNameFromBackendAddress`: the member's FQDN, or its address.
    FromMember,
}

/// A `backendHttpSettingsCollection` entry.
#[derive(Clone, Debug)]
pub struct BackendSetting {
    pub name: String,
    pub gateway: GatewayIndex,
    pub port: u16,
    pub protocol: BackendProtocol,
    /// From the request sent to the response's head; 1–86,400 s.
    pub request_timeout: Duration,
    /// The base name of the affinity cookie, where affinity is on.
    pub affinity_cookie: Option<String>,
    /// How long requests may go on with a server that has left; 1–3,600 s, 30 s where draining is
    /// off.
    pub drain_timeout: Duration,
    pub host: HostOverride,
    /// The override path, as configured; begins and ends as the document has it.
    pub path: Option<String>,
    /// One backend connection per client connection, never shared.
    pub dedicated_connection: bool,
    /// Present exactly when `protocol` is Https.
    pub verification: Option<BackendVerification>,
    /// How its servers are probed; `None`: not at all, and every server counts as healthy.
    pub probe: Option<Probe>,
}

/// How the backend's certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BackendVerification {
    pub trust: BackendTrust,
    /// `validateCertChainAndExpiry`.
    pub check_chain: bool,
    /// `validateSNI`.
    pub check_name: bool,
    /// `sniName`: sent and checked instead of the name that the `Host` rules give.
    pub sni_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendTrust {
    /// The public certificate authorities.
    WellKnown,
    /// The public ones, and these uploaded roots (DER).
    Roots(Vec<Vec<u8>>),
    /// v1: exactly these server certificates (DER).
    Pinned(Vec<Vec<u8>>),
}

/// A pool under a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub pool: PoolIndex,
    pub setting: SettingIndex,
}

impl Snapshot {
    pub fn gateway(&self, index: GatewayIndex) -> &Gateway {
        &self.gateways[index.position()]
    }

    pub fn endpoint(&self, index: EndpointIndex) -> &Endpoint {
        &self.endpoints[index.position()]
    }

    pub fn listener(&self, index: ListenerIndex) -> &Listener {
        &self.listeners[index.position()]
    }

    pub fn route(&self, index: RouteIndex) -> &Route {
        &self.routes[index.position()]
    }

    pub fn path_map(&self, index: PathMapIndex) -> &PathMap {
        &self.path_maps[index.position()]
    }

    pub fn pool(&self, index: PoolIndex) -> &Pool {
        &self.pools[index.position()]
    }

    pub fn setting(&self, index: SettingIndex) -> &BackendSetting {
        &self.settings[index.position()]
    }

    pub fn upstream(&self, index: UpstreamIndex) -> Upstream {
        self.upstreams[index.position()]
    }

    pub fn certificate(&self, index: CertificateIndex) -> &Certificate {
        &self.certificates[index.position()]
    }

    /// The gateway that a listener belongs to.
    pub fn gateway_of(&self, listener: ListenerIndex) -> &Gateway {
        self.gateway(self.endpoint(self.listener(listener).endpoint).gateway)
    }
}
