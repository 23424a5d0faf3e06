//! Changing the configuration under traffic, and stopping: nobody's request is lost by it.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_dataplane::{ApplyError, BindError, NameServers};
use gatewright_snapshot::{Action, BackendSetting, Member, Scheme};
use gatewright_telemetry::Failure;
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::certificates::{Authority, Leaf};
use gatewright_testkit::client::{RawClient, get};
use gatewright_testkit::resolver::{Mood, Resolver};
use support::{Setup, TestGateway, logical, setting, until};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn no_names() -> NameServers {
    NameServers::These(Vec::new())
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn draining_in(drain_timeout: Duration) -> BackendSetting {
    BackendSetting {
        drain_timeout,
        ..setting()
    }
}

async fn named(names: &[&str]) -> Vec<Backend> {
    let mut backends = Vec::new();
    for name in names {
        let backend = Backend::with(Manners::Named).named(name).remembering(0);
        backends.push(backend.start().await.unwrap());
    }
    backends
}

fn addresses(backends: &[Backend]) -> Vec<SocketAddr> {
    backends.iter().map(Backend::address).collect()
}

/// A basic gateway whose pool has these backends.
fn with_members(members: &[usize], setting: BackendSetting) -> Setup {
    let mut setup = Setup::default();
    let members = members.iter().map(|at| Member::Ip(logical(*at)));
    let upstream = setup.upstream(members, setting);
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    setup
}

/// Clients that ask without a pause until they are told to stop.
struct Traffic {
    served: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    fn start(address: SocketAddr) -> Self {
        let mut traffic = Self {
            served: Arc::default(),
            stop: Arc::default(),
            clients: Vec::new(),
        };
        for number in 0..8 {
            let (served, stop) = (Arc::clone(&traffic.served), Arc::clone(&traffic.stop));
            let keeps = number < 6;
            traffic.clients.push(tokio::spawn(async move {
                let mut client = RawClient::connect(address).await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    if !keeps {
                        client = RawClient::connect(address).await.unwrap();
                    }
                    client.send(GET).await.unwrap();
                    let response = client.read_response().await.unwrap();
                    assert_eq!(response.status, 200);
                    assert_eq!(response.header("connection"), None);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        traffic
    }

    /// Waits for `count` requests more.
    async fn goes_on(&self, count: u64) {
        let goal = self.served.load(Ordering::Relaxed) + count;
        until("traffic goes on", async || {
            let has_failed = self.clients.iter().any(|client| client.is_finished());
            has_failed || self.served.load(Ordering::Relaxed) >= goal
        })
        .await;
    }

    /// How many requests were served; all of them.
    async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.served.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn no_request_is_lost_when_pools_and_routes_change() {
    let backends = named(&["a", "b", "c", "d"]).await;
    let first = with_members(&[0, 1], setting());
    let mut gateway = TestGateway::start_on(&addresses(&backends), first, no_names(), 2).await;
    let traffic = Traffic::start(gateway.address());
    for round in 0..10 {
        traffic.goes_on(480).await;
        let members: &[usize] = match round % 3 {
            0 => &[2, 3],
            1 => &[1, 2],
            _ => &[0],
        };
        let mut setup = with_members(members, setting());
        if round % 2 == 0 {
            // Another pool, another setting, another rule: everything is new.
            setup.snapshot.pools[0].name = format!("pool of {round}");
            setup.snapshot.settings[0].name = format!("setting of {round}");
            setup.snapshot.routes[0].rule = format!("rule of {round}");
        }
        gateway.apply(setup).await;
    }
    traffic.goes_on(480).await;
    let served = traffic.finish().await;
    assert!(served >= 5_000, "{served}");
    let records = gateway.records(usize::try_from(served).unwrap()).await;
    assert_eq!(records.len() as u64, served);
    let failed = records.iter().filter(|seen| seen.record.failure.is_some());
    assert_eq!(failed.count(), 0);
    let seen: Vec<u64> = backends.iter().map(Backend::request_count).collect();
    assert_eq!(seen.iter().sum::<u64>(), served, "each was delivered once");
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[tokio::test]
async fn no_request_is_lost_when_dns_changes() {
    let resolver = Resolver::start().await.unwrap();
    let backends = named(&["a", "b", "c"]).await;
    let address = |at: u8| std::net::Ipv4Addr::new(10, 0, 0, at + 1);
    resolver.set("app.contoso.com", &[address(0)], 1);
    let mut setup = Setup::default();
    let member = Member::Fqdn("app.contoso.com".into());
    let upstream = setup.upstream([member], setting());
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    let servers = NameServers::These(vec![resolver.address()]);
    let gateway = TestGateway::start_on(&addresses(&backends), setup, servers, 2).await;
    let traffic = Traffic::start(gateway.address());
    traffic.goes_on(100).await;
    resolver.set("app.contoso.com", &[address(1), address(2)], 1);
    until("both new servers serve", async || {
        traffic.goes_on(20).await;
        backends[1].request_count() > 0 && backends[2].request_count() > 0
    })
    .await;
    let before = backends[0].request_count();
    traffic.goes_on(100).await;
    let after = backends[0].request_count();
    assert!(
        after <= before + 8,
        "the old server is asked on: {before} then {after}"
    );
    traffic.finish().await;
}

/// A gateway with a slow first server and a good second one; a request is under way to the first.
async fn with_a_request_under_way(
    manners: Manners,
    drain: Duration,
) -> ([Backend; 2], TestGateway, RawClient) {
    let slow = Backend::with(manners).named("slow").start().await.unwrap();
    let good = Backend::with(Manners::Named)
        .named("good")
        .start()
        .await
        .unwrap();
    let setup = with_members(&[0, 1], draining_in(drain));
    let gateway = TestGateway::start(&[&slow, &good], setup).await;
    let client = gateway.client_sending(GET).await;
    assert!(slow.wait_for_requests(1, 5 * SECOND).await);
    ([slow, good], gateway, client)
}

#[tokio::test]
async fn a_request_to_a_removed_server_may_finish() {
    let manners = Manners::slow(SECOND / 2, Manners::Named);
    let ([slow, _good], mut gateway, mut client) =
        with_a_request_under_way(manners, 10 * SECOND).await;
    gateway
        .apply(with_members(&[1], draining_in(10 * SECOND)))
        .await;
    // Everybody else goes elsewhere meanwhile.
    for _ in 0..4 {
        let response = get(gateway.address(), "a", "/").await.unwrap();
        assert_eq!(response.text().trim(), "good");
    }
    let response = client.read_response().await.unwrap();
    assert_eq!((response.status, response.text().trim()), (200, "slow"));
    assert!(slow.wait_for_open_connections(0, 5 * SECOND).await);
    client.send(GET).await.unwrap();
    let response = client.read_response().await.unwrap();
    assert_eq!(response.text().trim(), "good");
}

#[tokio::test]
async fn a_request_to_a_removed_server_is_cut_when_its_time_is_over() {
    let ([slow, _good], mut gateway, mut client) =
        with_a_request_under_way(Manners::BlackHole, SECOND).await;
    let removed = Instant::now();
    gateway.apply(with_members(&[1], draining_in(SECOND))).await;
    // A second change does not give it more time.
    gateway
        .apply(with_members(&[1], draining_in(9 * SECOND)))
        .await;
    let response = client.read_response().await.unwrap();
    let waited = removed.elapsed();
    assert_eq!(response.status, 502);
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
    let record = gateway.next_record().await;
    assert_eq!(record.failure, Some(Failure::ServerDrained));
    assert!(slow.wait_for_open_connections(0, 5 * SECOND).await);
}

#[tokio::test]
async fn an_answer_of_a_removed_server_is_cut_when_its_time_is_over() {
    let dribbling = Manners::Dribble {
        step: 150,
        interval: SECOND / 5,
        then: Box::new(Manners::text(&"x".repeat(10_000))),
    };
    let (_backends, mut gateway, mut client) = with_a_request_under_way(dribbling, SECOND).await;
    client.read_exactly(50).await.unwrap();
    gateway.apply(with_members(&[1], draining_in(SECOND))).await;
    let removed = Instant::now();
    let rest = client.read_to_end(5 * SECOND).await;
    assert!(rest.bytes.len() < 10_000);
    let waited = removed.elapsed();
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
    let record = gateway.next_record().await;
    assert_eq!(record.failure, Some(Failure::ServerDrained));
}

#[tokio::test]
async fn a_cookie_reaches_its_server_while_that_drains() {
    let backends = named(&["a", "b"]).await;
    let mut sticky = draining_in(SECOND);
    sticky.affinity_cookie = Some("ApplicationGatewayAffinity".into());
    let setup = with_members(&[0, 1], sticky.clone());
    let mut gateway = TestGateway::start_on(&addresses(&backends), setup, no_names(), 1).await;
    let first = get(gateway.address(), "a", "/").await.unwrap();
    assert_eq!(first.text().trim(), "a");
    let cookies = first.headers_named("set-cookie");
    let cookie = cookies[1].split(';').next().unwrap().to_owned();
    // Its time begins within the change, not after it.
    let removed = Instant::now();
    gateway.apply(with_members(&[1], sticky)).await;
    let with_cookie = async || {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        gateway.ask(text).await
    };
    for _ in 0..3 {
        let held = with_cookie().await;
        assert_eq!(held.text().trim(), "a");
        assert_eq!(held.header("set-cookie"), None);
        let other = get(gateway.address(), "a", "/").await.unwrap();
        assert_eq!(other.text().trim(), "b");
    }
    until("the server is gone for its cookies, too", async || {
        with_cookie().await.text().trim() == "b"
    })
    .await;
    assert!(removed.elapsed() >= SECOND);
    assert_eq!(with_cookie().await.headers_named("set-cookie").len(), 2);
    assert!(backends[0].wait_for_open_connections(0, 5 * SECOND).await);
}

#[tokio::test]
async fn the_rotation_goes_on_where_it_was() {
    let backends = named(&["a", "b", "c"]).await;
    let all = || with_members(&[0, 1, 2], setting());
    let mut gateway = TestGateway::start_on(&addresses(&backends), all(), no_names(), 2).await;
    let mut order = String::new();
    for _ in 0..9 {
        order += get(gateway.address(), "a", "/")
            .await
            .unwrap()
            .text()
            .trim();
        gateway.apply(all()).await;
    }
    assert_eq!(order, "abcabcabc");
}

#[tokio::test]
async fn connections_to_servers_survive_a_change_that_is_not_theirs() {
    let backends = named(&["a"]).await;
    let setup = with_members(&[0], setting());
    let mut gateway = TestGateway::start_on(&addresses(&backends), setup, no_names(), 1).await;
    for round in 0..5 {
        assert_eq!(gateway.ask(GET).await.status, 200);
        let mut setup = with_members(&[0], setting());
        setup.snapshot.routes[0].rule = format!("rule{round}");
        setup.snapshot.settings[0].request_timeout = Duration::from_secs(7);
        gateway.apply(setup).await;
    }
    assert_eq!(backends[0].connections(), 1);
}

/// A gateway with an endpoint for each of these ports; each answers with its own backend.
fn with_ports(ports: &[u16]) -> Setup {
    let mut setup = Setup::default();
    for port in ports {
        let member = Member::Ip(logical(usize::from(*port) - 80));
        let upstream = setup.upstream([member], setting());
        let endpoint = setup.endpoint(*port, Scheme::Http);
        setup.listener(endpoint, &[], Action::Forward(upstream));
    }
    setup
}

#[tokio::test]
async fn endpoints_come_and_go() {
    let backends = named(&["a", "b", "c"]).await;
    let mut gateway =
        TestGateway::start_on(&addresses(&backends), with_ports(&[80, 81]), no_names(), 2).await;
    let [first, second] = [0, 1].map(|at| gateway.bound[at].address);
    let text = async |address| {
        get(address, "a", "/")
            .await
            .unwrap()
            .text()
            .trim()
            .to_owned()
    };
    assert_eq!([text(first).await, text(second).await], ["a", "b"]);
    let mut kept = RawClient::connect(second).await.unwrap();
    kept.send(GET).await.unwrap();
    assert_eq!(kept.read_response().await.unwrap().text().trim(), "b");

    gateway.apply(with_ports(&[82, 81])).await;
    let third = gateway.bound[0].address;
    assert_eq!(gateway.bound[1].address, second, "it kept its socket");
    assert_eq!([text(third).await, text(second).await], ["c", "b"]);
    until("the removed endpoint refuses", async || {
        RawClient::connect(first)
            .await
            .is_err_and(|error| error.is_refused())
    })
    .await;
    kept.send(GET).await.unwrap();
    assert_eq!(kept.read_response().await.unwrap().text().trim(), "b");
}

/// Sockets that share their port share it with every program of the user, and the system deals
/// connections out among them: a second node gets no share of the first one's.
#[tokio::test]
async fn an_address_of_another_node_is_refused_also_where_the_port_is_ours() {
    let backends = named(&["a"]).await;
    let two = |ports: &[u16]| {
        let mut setup = Setup::default();
        let upstream = setup.upstream([Member::Ip(logical(0))], setting());
        for port in ports {
            let endpoint = setup.endpoint(*port, Scheme::Http);
            setup.listener(endpoint, &[], Action::Forward(upstream));
        }
        setup.build()
    };
    let addresses = addresses(&backends);
    let first = TestGateway::start_on(&addresses, with_members(&[0], setting()), no_names(), 2);
    let second = TestGateway::start_on(&addresses, with_members(&[0], setting()), no_names(), 2);
    let (first, second) = (first.await, second.await);
    let held = first.address();
    let beside = |last: u8| SocketAddr::from(([127, 0, 0, last], held.port()));
    let apply = async |places: &[SocketAddr]| second.plane.apply(two(&[80, 81]), places).await;
    let everywhere = SocketAddr::from(([0, 0, 0, 0], held.port()));
    for (own, taken) in [(any_port(), everywhere), (beside(2), held)] {
        let refused = apply(&[own, taken]).await;
        let Err(ApplyError::Bind { reason, .. }) = &refused else {
            panic!("{taken}: {refused:?}");
        };
        let is_told = matches!(reason, BindError::Taken);
        assert!(is_told, "{taken}: {reason}");
        apply(&[any_port(), beside(2)]).await.unwrap();
    }
    // Its own addresses it may change among themselves.
    apply(&[beside(3), beside(2)]).await.unwrap();
    for _ in 0..50 {
        assert_eq!(first.ask(GET).await.text().trim(), "a");
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_made_changes_nothing() {
    let resolver = Resolver::start().await.unwrap();
    let backends = named(&["a"]).await;
    resolver.set("old.contoso.com", &["10.0.0.1".parse().unwrap()], 300);
    resolver.set("new.contoso.com", &["10.0.0.9".parse().unwrap()], 300);
    let by_name = |name: &str, ports: &[u16]| {
        let mut setup = Setup::default();
        let upstream = setup.upstream([Member::Fqdn(name.into())], setting());
        for port in ports {
            let endpoint = setup.endpoint(*port, Scheme::Http);
            setup.listener(endpoint, &[], Action::Forward(upstream));
        }
        setup
    };
    let servers = NameServers::These(vec![resolver.address()]);
    let setup = by_name("old.contoso.com", &[80]);
    let gateway = TestGateway::start_on(&addresses(&backends), setup, servers, 2).await;
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = (occupied.local_addr().unwrap(), occupied);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (bad_authority, other) = (Authority::new("Root"), Authority::new("Other"));

    let setup = by_name("new.contoso.com", &[80, 81, 82]);
    let places = [any_port(), free, occupied.0];
    let refused = gateway.plane.apply(setup.build(), &places).await;
    assert!(
        matches!(&refused, Err(ApplyError::Bind { address, .. }) if *address == occupied.0),
        "{refused:?}"
    );
    let mut setup = by_name("new.contoso.com", &[80]);
    let upstream = gatewright_snapshot::UpstreamIndex::new(0);
    let endpoint = setup.endpoint(443, Scheme::Https);
    let listener = setup.listener(endpoint, &[], Action::Forward(upstream));
    let mut mixed = bad_authority.issue(Leaf::named("a"));
    mixed.key = other.issue(Leaf::named("a")).key;
    setup.certificate(listener, &mixed);
    let refused = gateway
        .plane
        .apply(setup.build(), &[any_port(), free])
        .await;
    assert!(matches!(&refused, Err(ApplyError::Tls(_))), "{refused:?}");

    let still = RawClient::connect(free).await;
    assert!(still.is_err(), "a socket of the refused snapshot is open");
    assert_eq!(
        gateway.plane.upstreams()[0].servers[0].member,
        "old.contoso.com"
    );
    // Whatever DNS says next, the old names' addresses are still known.
    resolver.set_mood(Mood::ServerFailure);
    let queries = resolver.queries_for("new.contoso.com");
    assert!(queries > 0, "the new name was looked up");
    for _ in 0..20 {
        assert_eq!(gateway.ask(GET).await.text().trim(), "a");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_drain_ends_the_idle_and_waits_for_the_busy() {
    let slow = Manners::slow(SECOND / 2, Manners::Named);
    let backend = Backend::with(Manners::Named)
        .on_path("/slow", slow)
        .start()
        .await
        .unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut idle = gateway.client_sending(GET).await;
    idle.read_response().await.unwrap();
    let silent = &mut gateway.client().await;
    let mut busy = gateway
        .client_sending(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(backend.wait_for_requests(2, 5 * SECOND).await);
    let plane = gateway.plane.clone();
    until("all connections are counted", async || {
        plane.connections() == 3
    })
    .await;

    let began = Instant::now();
    let draining = tokio::spawn(async move { plane.drain(10 * SECOND).await });
    assert!(idle.is_closed_within(SECOND).await);
    assert!(silent.is_closed_within(SECOND).await);
    assert!(idle.read_to_end(SECOND).await.bytes.is_empty());
    let refused = RawClient::connect(gateway.address()).await;
    assert!(refused.is_err_and(|error| error.is_refused()));
    let response = busy.read_response().await.unwrap();
    assert_eq!(
        (response.status, response.header("connection")),
        (200, Some("close"))
    );
    assert!(busy.is_closed_within(SECOND).await);
    draining.await.unwrap();
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    assert_eq!(gateway.plane.connections(), 0);
    assert_eq!(gateway.records(2).await.len(), 2);
    let late = gateway
        .plane
        .apply(Setup::basic(1).build(), &[any_port()])
        .await;
    assert!(matches!(late, Err(ApplyError::ShuttingDown)));
}

#[tokio::test]
async fn a_drain_lets_an_upload_finish() {
    let backend = Backend::start(Manners::Echo).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    for framing in ["Content-Length: 6", "Transfer-Encoding: chunked"] {
        // One gateway per framing: a drain is for good.
        let gateway = match framing {
            "Content-Length: 6" => &gateway,
            _ => &TestGateway::start(&[&backend], Setup::basic(1)).await,
        };
        backend.forget();
        let (first, rest): (&[u8], &[u8]) = match framing {
            "Content-Length: 6" => (b"abc", b"def"),
            _ => (b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"),
        };
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let mut client = gateway.client_sending(head).await;
        client.send(first).await.unwrap();
        until("half of the body has arrived", async || {
            let seen = backend.requests();
            seen.first().is_some_and(|request| request.body_length == 3)
        })
        .await;
        let mut idle = gateway.client().await;
        until("both are counted", async || {
            gateway.plane.connections() == 2
        })
        .await;
        let plane = gateway.plane.clone();
        let draining = tokio::spawn(async move { plane.drain(10 * SECOND).await });
        assert!(idle.is_closed_within(2 * SECOND).await);
        client.send(rest).await.unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(response.status, 200, "{framing}");
        assert_eq!(response.json()["body_length"], 6);
        draining.await.unwrap();
    }
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let dribbling = Manners::Dribble {
        step: 150,
        interval: SECOND / 5,
        then: Box::new(Manners::text(&"x".repeat(10_000))),
    };
    let backend = Backend::with(Manners::BlackHole)
        .on_path("/dribbling", dribbling)
        .start()
        .await
        .unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut answered = gateway
        .client_sending("GET /dribbling HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    answered.read_exactly(50).await.unwrap();
    let waiting = gateway.client_sending(GET).await;
    let half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
    let uploading = gateway.client_sending(half).await;
    until("all requests are there", async || {
        backend.request_count() == 3
    })
    .await;
    let began = Instant::now();
    gateway.plane.drain(SECOND).await;
    let waited = began.elapsed();
    assert!(waited >= SECOND && waited < 3 * SECOND, "{waited:?}");
    for mut client in [waiting, uploading] {
        assert_eq!(client.read_response().await.unwrap().status, 502);
    }
    let rest = answered.read_to_end(SECOND).await;
    assert!(rest.bytes.len() < 10_000);
    for seen in gateway.records(3).await {
        assert_eq!(seen.record.failure, Some(Failure::ShuttingDown));
    }
}

/// What the defaults come to for a gateway with a public and a private frontend on one port.
#[tokio::test]
async fn all_addresses_and_one_of_them_can_share_a_port() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let mut setup = Setup::basic(1);
    setup.endpoint(81, Scheme::Http);
    let addresses = [([0, 0, 0, 0], port).into(), ([127, 0, 0, 2], port).into()];
    let bound = gateway
        .plane
        .apply(setup.build(), &addresses)
        .await
        .unwrap();
    assert_eq!(bound.len(), 2);
    // The second has no listener: its answer tells which one took the connection.
    for (ip, status) in [([127, 0, 0, 1], 200), ([127, 0, 0, 2], 404)] {
        let response = get((ip, port).into(), "a", "/").await.unwrap();
        assert_eq!(response.status, status, "{ip:?}");
    }
}
