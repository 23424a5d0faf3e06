//! What the network's documents mean for probes and for traffic: dropped flows, health that the
//! platform could not have, and name servers of the network's own. And probes on demand, which ask
//! for names anew.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gatewright_dataplane::{NameServers, ServerState};
use gatewright_snapshot::network::{
    Access, AddressTerm, Addresses, Attachment, Beyond, Direction, NetworkPolicy,
    NetworkPolicyBuilder, NextHop, PortSet, Prefix, Route, RouteSource, RouteTable, Rule,
    SecurityGroup, Subnet, VirtualNetwork,
};
use gatewright_snapshot::{
    Action, BackendProtocol, BackendSetting, GatewayIndex, Generation, Member, Probe, Scheme,
};
use gatewright_telemetry::{Failure, Health, HealthMessage as M};
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::resolver::{Mood, Resolver};
use support::{Setup, TestGateway, setting, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A rule of a security group at the backends' subnet or the gateway's, that decides about every
/// flow of its direction to these ports from or to this prefix.
fn rule(name: &str, direction: Direction, access: Access, to: &str, ports: (u16, u16)) -> Rule {
    let any: Addresses = [AddressTerm::Any].into_iter().collect();
    Rule {
        name: name.to_owned(),
        priority: if access == Access::Deny { 100 } else { 4_000 },
        direction,
        access,
        protocol: None,
        source: any,
        source_ports: PortSet::all(),
        destination: [AddressTerm::parse(to).unwrap()].into_iter().collect(),
        destination_ports: PortSet::new([ports]),
        is_default: false,
    }
}

const EVERY_PORT: (u16, u16) = (0, u16::MAX);

fn group(denial: Rule) -> SecurityGroup {
    let open = [Direction::Inbound, Direction::Outbound]
        .map(|direction| rule("open", direction, Access::Allow, "*", EVERY_PORT));
    let rules = [denial].into_iter().chain(open).collect();
    SecurityGroup::new("web-nsg".to_owned(), "/web-nsg".to_owned(), rules)
}

/// A virtual network with the gateway's subnet, 10.0.9.0/24, and the backends', 10.0.0.0/24, where
/// [`support::logical`] puts them.
#[derive(Default)]
struct Network {
    at_gateway: Option<SecurityGroup>,
    at_backends: Option<SecurityGroup>,
    default_route: Option<NextHop>,
    dns_servers: Vec<Ipv4Addr>,
    isolates_gateways: bool,
}

impl Network {
    fn build(self) -> NetworkPolicy {
        let prefix = |text: &str| -> Prefix { text.parse().unwrap() };
        let mut builder = NetworkPolicyBuilder::default();
        let network = builder.add_network(VirtualNetwork {
            name: "vnet".to_owned(),
            resource_id: "/vnet".to_owned(),
            address_space: vec![prefix("10.0.0.0/16")],
            peers: Vec::new(),
            beyond: Beyond::Nothing,
            dns_servers: self.dns_servers.into_iter().map(Into::into).collect(),
        });
        let mut attach = |group: Option<SecurityGroup>| match group {
            Some(group) => Attachment::Known(builder.add_group(group)),
            None => Attachment::None,
        };
        let groups = [attach(self.at_gateway), attach(self.at_backends)];
        let table = match self.default_route {
            None => Attachment::None,
            Some(next_hop) => {
                let route = Route {
                    name: "all-inspected".to_owned(),
                    prefix: prefix("0.0.0.0/0"),
                    next_hop,
                    source: RouteSource::User,
                };
                let (name, id) = ("rt".to_owned(), "/rt".to_owned());
                let table = RouteTable::new(name, id, false, vec![route], Vec::new());
                Attachment::Known(builder.add_table(table))
            }
        };
        let [at_gateway, at_backends] = groups;
        let subnet = |name: &str, range: &str, security_group, route_table| Subnet {
            name: name.to_owned(),
            resource_id: format!("/vnet/{name}"),
            network,
            prefixes: vec![prefix(range)],
            security_group,
            route_table,
            isolates_gateways: self.isolates_gateways,
        };
        let gateway = subnet("gateways", "10.0.9.0/24", at_gateway, table);
        let gateway = builder.add_subnet(gateway);
        let backends = subnet("web", "10.0.0.0/24", at_backends, Attachment::None);
        builder.add_subnet(backends);
        builder.place_gateway(GatewayIndex::new(0), gateway);
        builder.build()
    }
}

fn probed() -> BackendSetting {
    let probe = Probe {
        timeout: SECOND,
        interval: SECOND,
        unhealthy_threshold: 1,
        ..Probe::default_for(BackendProtocol::Http, 80, None)
    };
    BackendSetting {
        probe: Some(probe),
        ..setting()
    }
}

fn servers(gateway: &TestGateway) -> Vec<ServerState> {
    gateway.plane.upstreams().swap_remove(0).servers
}

async fn polite() -> Backend {
    Backend::start(Manners::Named).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_flow_is_dropped_and_the_rule_is_named() {
    let (denied, open) = (polite().await, polite().await);
    let denial = rule(
        "no-web",
        Direction::Inbound,
        Access::Deny,
        "10.0.0.1",
        (80, 80),
    );
    let mut setup = Setup::with_setting(2, probed());
    setup.snapshot.network = Network {
        at_backends: Some(group(denial)),
        ..Network::default()
    }
    .build();
    let gateway = TestGateway::start(&[&denied, &open], setup).await;
    until("both have a verdict", async || {
        servers(&gateway).iter().all(|one| one.record.is_some())
    })
    .await;
    let states = servers(&gateway);
    let health: Vec<Health> = states.iter().map(|one| one.health).collect();
    assert_eq!(health, [Health::Unhealthy, Health::Healthy]);
    let record = states[0].record.as_ref().unwrap();
    assert_eq!(record.message, M::ConnectTimedOut);
    let detail = record.detail.as_deref().unwrap();
    let named = "the rule no-web (priority 100, inbound) of the security group web-nsg at the \
                 subnet web denies 10.0.0.1:80";
    assert!(detail.ends_with(named), "{detail}");
    assert_eq!(gateway.ask(GET).await.status, 200);
    assert_eq!(denied.request_count(), 0, "nothing has reached it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_flow_of_traffic_times_out_too() {
    let backend = polite().await;
    let denial = rule(
        "no-way",
        Direction::Outbound,
        Access::Deny,
        "10.0.0.0/24",
        EVERY_PORT,
    );
    let mut setup = Setup::with_setting(
        1,
        BackendSetting {
            request_timeout: SECOND,
            ..setting()
        },
    );
    setup.snapshot.network = Network {
        at_gateway: Some(group(denial)),
        ..Network::default()
    }
    .build();
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let status = gateway.ask(GET).await.status;
    let failure = gateway.next_record().await.failure;
    assert_eq!(
        (status, failure),
        (502, Some(Failure::ConnectTimedOut)),
        "as where packets vanish"
    );
    assert_eq!(backend.request_count(), 0);
}

/// What stands on this machine's loopback is on no network, whatever the gateway's subnet denies.
#[tokio::test(flavor = "multi_thread")]
async fn the_networks_rules_do_not_hold_for_loopback() {
    let backend = polite().await;
    let denial = rule(
        "DenyAllOutBound",
        Direction::Outbound,
        Access::Deny,
        "*",
        EVERY_PORT,
    );
    let own = BackendSetting {
        port: backend.address().port(),
        ..setting()
    };
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Ip(Ipv4Addr::LOCALHOST.into())], own);
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    setup.snapshot.network = Network {
        at_gateway: Some(group(denial)),
        default_route: Some(NextHop::None),
        ..Network::default()
    }
    .build();
    let gateway = TestGateway::start(&[], setup).await;
    assert_eq!(gateway.ask(GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_that_the_platform_could_not_have_is_said_to_be_so_and_traffic_flows() {
    let backend = polite().await;
    let ports = (65_200, 65_535);
    let denial = rule(
        "no-management",
        Direction::Inbound,
        Access::Deny,
        "*",
        ports,
    );
    let closed = Network {
        at_gateway: Some(group(denial.clone())),
        ..Network::default()
    };
    let inspected = Network {
        default_route: Some(NextHop::VirtualAppliance(vec![[10, 0, 0, 9].into()])),
        ..Network::default()
    };
    let cases = [
        (closed, "the rule no-management (priority 100, inbound)"),
        (
            inspected,
            "the default route all-inspected (0.0.0.0/0) leads to the appliance 10.0.0.9",
        ),
    ];
    for (network, said) in cases {
        let mut setup = Setup::with_setting(1, probed());
        setup.snapshot.network = network.build();
        let gateway = TestGateway::start(&[&backend], setup).await;
        let upstream = gateway.plane.upstreams().swap_remove(0);
        let why = upstream.unretrievable.unwrap();
        assert!(why.starts_with(said), "{why}");
        assert_eq!(gateway.ask(GET).await.status, 200);
    }
    let isolated = || Network {
        at_gateway: Some(group(denial.clone())),
        default_route: Some(NextHop::None),
        isolates_gateways: true,
        ..Network::default()
    };
    // The first generation cannot be isolated.
    for (network, generation, is_told) in [
        (isolated(), Generation::V2, true),
        (isolated(), Generation::V1, false),
        (Network::default(), Generation::V2, true),
    ] {
        let mut setup = Setup::with_setting(1, probed());
        setup.snapshot.network = network.build();
        setup.snapshot.gateways[0].generation = generation;
        let gateway = TestGateway::start(&[&backend], setup).await;
        let why = &gateway.plane.upstreams()[0].unretrievable;
        assert_eq!(why.is_none(), is_told, "{why:?}");
    }
}

/// A gateway with one member by name, whose network's name server is the first address.
fn named(network: Network) -> Setup {
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Fqdn("app.test".to_owned())], probed());
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    setup.snapshot.network = network.build();
    setup
}

/// A name server that knows `app.test` as the second backend's address.
async fn resolver() -> Resolver {
    let resolver = Resolver::start().await.unwrap();
    resolver.set("app.test", &[Ipv4Addr::new(10, 0, 0, 2)], 300);
    resolver
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_the_way_to_a_stand_in_for_a_name() {
    let backend = polite().await;
    let denial = rule(
        "no-loopback",
        Direction::Outbound,
        Access::Deny,
        "127.0.0.0/8",
        EVERY_PORT,
    );
    let mut setting = probed();
    if let Some(probe) = &mut setting.probe {
        probe.port = 8081;
    }
    let mut setup = named(Network {
        at_gateway: Some(group(denial)),
        ..Network::default()
    });
    setup.snapshot.settings[0] = setting;
    // By its name, for every port.
    let map = format!("app.test={}", backend.address());
    let servers = NameServers::These(Vec::new());
    let gateway = TestGateway::start_mapped(&[map], setup, servers, 1).await;
    until("a verdict", async || {
        self::servers(&gateway)[0].record.is_some()
    })
    .await;
    assert_eq!(self::servers(&gateway)[0].health, Health::Healthy);
    assert_eq!(gateway.ask(GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_asked_of_the_networks_own_name_servers() {
    let (resolver, backend) = (resolver().await, polite().await);
    let own = || Network {
        // The first of the addresses, which the mapping leads to the resolver.
        dns_servers: vec![Ipv4Addr::new(10, 0, 0, 1)],
        ..Network::default()
    };
    let places = [resolver.address(), backend.address()];
    let gateway = TestGateway::start_on(&places, named(own()), NameServers::System, 1).await;
    assert_eq!(gateway.ask(GET).await.status, 200);
    let asked = resolver.queries_for("app.test");
    assert!(asked > 0);
    let logical: Vec<Option<SocketAddr>> =
        servers(&gateway).iter().map(|one| one.logical).collect();
    assert_eq!(logical, [Some("10.0.0.2:80".parse().unwrap())]);
    // Those that the node is given go before the network's.
    let given = self::resolver().await;
    let name_servers = NameServers::These(vec![given.address()]);
    let gateway = TestGateway::start_on(&places, named(own()), name_servers, 1).await;
    assert_eq!(gateway.ask(GET).await.status, 200);
    assert_eq!(resolver.queries_for("app.test"), asked);
    assert!(given.queries_for("app.test") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_on_demand_is_made_at_once_and_changes_nothing() {
    let backend = Backend::with(Manners::Named)
        .on_path("/other", Manners::Status(503))
        .start()
        .await
        .unwrap();
    let refused = Backend::start(Manners::Refused).await.unwrap();
    let setup = Setup::with_setting(2, probed());
    let gateway = TestGateway::start(&[&backend, &refused], setup).await;
    let snapshot = Setup::with_setting(2, probed()).build();
    let pair = snapshot.upstreams[0];
    let wanted = Probe {
        path: "/other".to_owned(),
        ..probed().probe.unwrap()
    };
    let states = gateway
        .plane
        .probe_on_demand(&snapshot, pair, &wanted)
        .await;
    let told: Vec<(M, Option<u16>)> = states
        .iter()
        .map(|one| {
            one.record
                .as_ref()
                .map(|record| (record.message, record.status))
                .unwrap()
        })
        .collect();
    assert_eq!(
        told,
        [(M::StatusMismatch, Some(503)), (M::ConnectRefused, None)]
    );
    assert_eq!(states[0].health, Health::Unhealthy);
    let kept = &servers(&gateway)[0];
    assert_eq!((kept.health, kept.takes_traffic), (Health::Healthy, true));
    assert_eq!(gateway.ask(GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_on_demand_asks_for_names_anew_and_needs_no_rule() {
    let (resolver, backend) = (resolver().await, polite().await);
    let name_servers = NameServers::These(vec![resolver.address()]);
    let places = [resolver.address(), backend.address()];
    let served = named(Network::default());
    let gateway = TestGateway::start_on(&places, served, name_servers, 1).await;
    let mut other = named(Network::default());
    // A pool that nothing leads to.
    other.snapshot.pools[0]
        .members
        .push(Member::Fqdn("gone.test".to_owned()));
    resolver.set_mood_of("silent.test", Mood::Silent);
    other.snapshot.pools[0]
        .members
        .push(Member::Fqdn("silent.test".to_owned()));
    let snapshot = other.build();
    let probe = probed().probe.unwrap();
    let pair = snapshot.upstreams[0];
    let states = gateway.plane.probe_on_demand(&snapshot, pair, &probe).await;
    let told: Vec<(&str, Health)> = states
        .iter()
        .map(|one| (one.member.as_str(), one.health))
        .collect();
    let expected = [
        ("app.test", Health::Healthy),
        ("gone.test", Health::Unhealthy),
        ("silent.test", Health::Unknown),
    ];
    assert_eq!(told, expected);
    resolver.remove("app.test");
    let states = gateway.plane.probe_on_demand(&snapshot, pair, &probe).await;
    assert_eq!(
        (states[0].health, states[0].has_no_such_name),
        (Health::Unhealthy, true)
    );
    assert_eq!(
        servers(&gateway)[0].health,
        Health::Healthy,
        "the last good answer is kept"
    );
}
