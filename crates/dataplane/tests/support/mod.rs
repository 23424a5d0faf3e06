//! A real data plane on loopback, with a snapshot put together by hand.

// Each test file uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_dataplane::{AddressMap, Bound, Dataplane, DataplaneConfig, Mapping, NameServers};
use gatewright_snapshot::{
    Action, BackendProtocol, BackendSetting, BackendTrust, BackendVerification, Certificate,
    CertificateIndex, CipherSuite, Endpoint, EndpointIndex, EndpointKey, Gateway, GatewayIndex,
    Generation, HostOverride, HostPattern, HostTable, HostTableBuilder, Listener, ListenerIndex,
    Member, Pool, PoolIndex, PrivateKey, Route, RouteIndex, Routing, Scheme, SettingIndex,
    Snapshot, TlsPolicy, TlsVersion, Upstream, UpstreamIndex,
};
use gatewright_telemetry::{
    HealthChange, LabelRegistry, Received, RecordBatch, RecordReceiver, RequestRecord,
    record_channel,
};
use gatewright_testkit::backend::Backend;
use gatewright_testkit::certificates::Identity;
use gatewright_testkit::client::{RawClient, Response};

/// A snapshot under construction: one gateway, endpoints on port 80 unless told otherwise.
pub struct Setup {
    pub snapshot: Snapshot,
    hosts: Vec<HostTableBuilder>,
}

impl Default for Setup {
    fn default() -> Self {
        let gateway = Gateway {
            name: "gw".into(),
            resource_id: "/subscriptions/s/gw".into(),
            generation: Generation::V2,
            idle: None,
            hide_server_header: false,
        };
        let snapshot = Snapshot {
            gateways: vec![gateway],
            ..Snapshot::default()
        };
        Self {
            snapshot,
            hosts: Vec::new(),
        }
    }
}

/// The logical address of the n-th backend, from 0.
pub fn logical(position: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, position as u8 + 1))
}

pub fn setting() -> BackendSetting {
    BackendSetting {
        name: "setting".into(),
        gateway: GatewayIndex::new(0),
        port: 80,
        protocol: BackendProtocol::Http,
        request_timeout: Duration::from_secs(5),
        affinity_cookie: None,
        drain_timeout: Duration::from_secs(30),
        host: HostOverride::Keep,
        path: None,
        dedicated_connection: false,
        verification: None,
        // Servers take traffic without a probe: most tests are of traffic alone.
        probe: None,
    }
}

/// The public authorities, everything checked.
pub fn verification() -> BackendVerification {
    BackendVerification {
        trust: BackendTrust::WellKnown,
        check_chain: true,
        check_name: true,
        sni_name: None,
    }
}

impl Setup {
    /// The usual gateway: one basic listener, one pool with the first `backends` of them.
    pub fn basic(backends: usize) -> Self {
        Self::with_setting(backends, setting())
    }

    pub fn with_setting(backends: usize, setting: BackendSetting) -> Self {
        let mut setup = Self::default();
        let upstream = setup.upstream((0..backends).map(|at| Member::Ip(logical(at))), setting);
        let endpoint = setup.endpoint(80, Scheme::Http);
        setup.listener(endpoint, &[], Action::Forward(upstream));
        setup
    }

    pub fn upstream(
        &mut self,
        members: impl IntoIterator<Item = Member>,
        setting: BackendSetting,
    ) -> UpstreamIndex {
        let name = format!("pool{}", self.snapshot.pools.len());
        let members = members.into_iter().collect();
        self.snapshot.pools.push(Pool {
            name,
            gateway: GatewayIndex::new(0),
            members,
        });
        self.snapshot.settings.push(setting);
        self.snapshot.upstreams.push(Upstream {
            pool: PoolIndex::new(self.snapshot.pools.len() - 1),
            setting: SettingIndex::new(self.snapshot.settings.len() - 1),
        });
        UpstreamIndex::new(self.snapshot.upstreams.len() - 1)
    }

    pub fn endpoint(&mut self, port: u16, scheme: Scheme) -> EndpointIndex {
        self.snapshot.endpoints.push(Endpoint {
            key: EndpointKey {
                gateway: "gw".into(),
                frontend: "public".into(),
                port,
            },
            frontend: "public".into(),
            gateway: GatewayIndex::new(0),
            scheme,
            logical_address: None,
            hosts: HostTable::default(),
            sni_fallback: None,
        });
        self.hosts.push(HostTableBuilder::default());
        EndpointIndex::new(self.snapshot.endpoints.len() - 1)
    }

    /// A listener with a basic rule. Without hosts it takes all.
    pub fn listener(
        &mut self,
        endpoint: EndpointIndex,
        hosts: &[&str],
        action: Action,
    ) -> ListenerIndex {
        let position = self.snapshot.listeners.len();
        let listener = ListenerIndex::new(position);
        self.snapshot.routes.push(Route {
            listener,
            rule: format!("rule{position}"),
            path_rule: None,
            action,
        });
        self.snapshot.listeners.push(Listener {
            name: format!("listener{position}"),
            endpoint,
            host_names: hosts.iter().map(|host| (*host).to_owned()).collect(),
            routing: Routing::Always(RouteIndex::new(self.snapshot.routes.len() - 1)),
            certificate: None,
            tls_policy: None,
            error_pages: Vec::new(),
        });
        let table = &mut self.hosts[endpoint.position()];
        let order = position as u32;
        for host in hosts {
            table.add(HostPattern::parse(host).unwrap(), order, listener);
        }
        if hosts.is_empty() {
            table.add_any(order, listener);
        }
        listener
    }

    pub fn certificate(&mut self, listener: ListenerIndex, identity: &Identity) {
        self.snapshot.certificates.push(Certificate {
            name: format!("certificate{}", listener.position()),
            chain: identity.chain.iter().map(|der| der.to_vec()).collect(),
            key: PrivateKey::new(identity.key.secret_der().to_vec()),
        });
        let at = CertificateIndex::new(self.snapshot.certificates.len() - 1);
        let listener = &mut self.snapshot.listeners[listener.position()];
        listener.certificate = Some(at);
        listener.tls_policy = Some(TlsPolicy {
            name: "AppGwSslPolicy20220101".into(),
            minimum: TlsVersion::Tls12,
            maximum: TlsVersion::Tls13,
            suites: CipherSuite::ALL.to_vec(),
        });
    }

    pub fn build(mut self) -> Arc<Snapshot> {
        for (endpoint, hosts) in self.snapshot.endpoints.iter_mut().zip(self.hosts) {
            endpoint.hosts = hosts.build();
        }
        Arc::new(self.snapshot)
    }
}

pub struct TestGateway {
    pub plane: Dataplane,
    pub bound: Vec<Bound>,
    pub health_changes: tokio::sync::mpsc::Receiver<HealthChange>,
    receiver: RecordReceiver,
    batches: Vec<RecordBatch>,
    /// How many records [`TestGateway::next_record`] has given out.
    given_out: usize,
}

/// A record with the texts that tests look at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub record: RequestRecord,
    pub target: String,
    pub sent_host: String,
}

impl TestGateway {
    /// The n-th backend has the address `logical(n)`, on whatever port a setting names.
    pub async fn start(backends: &[&Backend], setup: Setup) -> Self {
        let addresses: Vec<SocketAddr> = backends.iter().map(|one| one.address()).collect();
        Self::start_on(&addresses, setup, NameServers::These(Vec::new()), 1).await
    }

    pub async fn start_on(
        backends: &[SocketAddr],
        setup: Setup,
        name_servers: NameServers,
        workers: usize,
    ) -> Self {
        let rule =
            |(position, address): (usize, &SocketAddr)| format!("{}={address}", logical(position));
        let rules: Vec<String> = backends.iter().enumerate().map(rule).collect();
        Self::start_mapped(&rules, setup, name_servers, workers).await
    }

    /// With the rules of `--map`.
    pub async fn start_mapped(
        rules: &[String],
        setup: Setup,
        name_servers: NameServers,
        workers: usize,
    ) -> Self {
        let mapping = |rule: &String| -> Mapping { rule.parse().unwrap() };
        let address_map: AddressMap = rules.iter().map(mapping).collect();
        let (records, receiver) = record_channel(1024);
        let (health_sender, health_changes) = tokio::sync::mpsc::channel(1024);
        let labels = Arc::new(LabelRegistry::default());
        let config = DataplaneConfig {
            tells_failures: false,
            workers,
            address_map,
            name_servers,
            labels,
            records,
            health_changes: health_sender,
        };
        let plane = Dataplane::start(config).unwrap();
        let mut gateway = Self {
            plane,
            bound: Vec::new(),
            health_changes,
            receiver,
            batches: Vec::new(),
            given_out: 0,
        };
        gateway.apply(setup).await;
        gateway
    }

    /// Serves another snapshot; endpoints that are new get ports of their own.
    pub async fn apply(&mut self, setup: Setup) {
        let snapshot = setup.build();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let addresses = vec![any; snapshot.endpoints.len()];
        self.bound = self.plane.apply(snapshot, &addresses).await.unwrap();
        self.plane.first_probes(None).await;
    }

    pub fn address(&self) -> SocketAddr {
        self.bound[0].address
    }

    pub async fn client(&self) -> RawClient {
        RawClient::connect(self.address()).await.unwrap()
    }

    /// A client that has sent `bytes`.
    pub async fn client_sending(&self, bytes: impl AsRef<[u8]>) -> RawClient {
        let mut client = self.client().await;
        client.send(bytes.as_ref()).await.unwrap();
        client
    }

    /// The answer to `bytes`, sent on a connection of their own.
    pub async fn ask(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut client = self.client_sending(bytes).await;
        client.read_response().await.unwrap()
    }

    /// The record after the one that this gave out last.
    pub async fn next_record(&mut self) -> RequestRecord {
        let at = self.given_out;
        self.given_out += 1;
        self.records(at + 1).await[at].record
    }

    /// The first `count` records, waiting for them.
    pub async fn records(&mut self, count: usize) -> Vec<Seen> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let seen: Vec<Seen> = self.batches.iter().flat_map(seen).collect();
            if seen.len() >= count {
                return seen;
            }
            assert!(
                Instant::now() < deadline,
                "only {} of {count} records came",
                seen.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            while let Received::Batch(batch) = self.receiver.recv_timeout(Duration::ZERO) {
                self.batches.push(batch);
            }
        }
    }
}

fn seen(batch: &RecordBatch) -> Vec<Seen> {
    let text = |span| String::from_utf8_lossy(batch.resolve(span)).into_owned();
    let seen = |record: &RequestRecord| Seen {
        record: *record,
        target: text(record.target),
        sent_host: text(record.sent_host),
    };
    batch.records().iter().map(seen).collect()
}

/// A listener whose connections take a few kilobytes before somebody reads: tens of times less
/// than loopback gives otherwise.
pub fn narrow_listener() -> TcpListener {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    // What the sender buffers goes by the size of a segment.
    socket.set_tcp_mss(88).unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(16).unwrap();
    socket.into()
}

/// Waits until `holds`, for ten seconds at most.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends `bytes` in pieces of `step`, each in a segment of its own. A server that has heard enough
/// may close meanwhile.
pub async fn send_in_pieces(client: &mut RawClient, bytes: &[u8], step: usize) {
    for piece in bytes.chunks(step) {
        if client.send(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
