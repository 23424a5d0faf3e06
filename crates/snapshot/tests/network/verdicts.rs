//! Verdicts on flows, and the facts in them.

use gatewright_snapshot::network::{
    Access, AddressTerm, Attachment, Beyond, Direction, Flow, Gate, NextHop, Protocol, RouteSource,
    UNDECIDED_MAX,
};
use gatewright_snapshot::{GatewayIndex, SubnetIndex};

use crate::support::{World, address, flow, gateway_subnet, group, outcome, table};

fn with_gateway_group(rules: &[&str]) -> World {
    World {
        gateway_group: Attachment::Known(group(rules)),
        ..World::default()
    }
}

fn with_table(routes: &[&str]) -> World {
    World {
        gateway_table: Attachment::Known(table(routes, false)),
        ..World::default()
    }
}

#[test]
fn without_groups_and_tables_the_service_s_own_routes_hold() {
    let policy = World::default().build();
    let cases = [
        (
            "10.0.1.4:80",
            "10.0.0.0/16",
            RouteSource::VirtualNetwork,
            "allowed",
        ),
        (
            "10.1.0.4:80",
            "10.1.0.0/16",
            RouteSource::Peering,
            "allowed",
        ),
        ("20.1.2.3:443", "0.0.0.0/0", RouteSource::Default, "allowed"),
        (
            "10.7.0.4:80",
            "10.0.0.0/8",
            RouteSource::Default,
            "dropped by 10.0.0.0/8",
        ),
        (
            "172.16.0.1:80",
            "172.16.0.0/12",
            RouteSource::Default,
            "dropped by 172.16.0.0/12",
        ),
        (
            "100.64.0.1:80",
            "100.64.0.0/10",
            RouteSource::Default,
            "dropped by 100.64.0.0/10",
        ),
        (
            "[fd00:0:0:1::4]:80",
            "fd00::/48",
            RouteSource::VirtualNetwork,
            "allowed",
        ),
        ("[2001:db8::1]:80", "::/0", RouteSource::Default, "allowed"),
    ];
    for (to, prefix, source, expected) in cases {
        let verdict = policy.evaluate(&flow(to));
        let route = verdict.route.expect("a route").route;
        assert_eq!(route.prefix.to_string(), prefix, "{to}");
        assert_eq!(route.source, source, "{to}");
        assert_eq!(outcome(&policy, to), expected, "{to}");
    }
    assert!(matches!(
        policy.evaluate(&flow("10.0.1.4:80")).inbound,
        Gate::Open(_)
    ));
    assert_eq!(
        policy.evaluate(&flow("20.1.2.3:443")).inbound,
        Gate::Outside
    );
    assert_eq!(
        policy.gateway_subnet(GatewayIndex::new(1)),
        Some(gateway_subnet())
    );
    assert_eq!(policy.gateway_subnet(GatewayIndex::new(0)), None);
    assert_eq!(policy.gateway_subnet(GatewayIndex::new(2)), None);
}

#[test]
fn the_lowest_priority_that_matches_decides() {
    let policy = with_gateway_group(&[
        "300 out allow * *:* -> *:*",
        "200 out deny tcp *:* -> 10.0.1.0/24,10.1.0.0/24:8000-8999,443",
        "100 out allow * *:* -> 10.0.1.4:443",
        "150 out deny udp *:* -> *:*",
        "90 in deny * *:* -> *:*",
    ])
    .build();
    assert_eq!(outcome(&policy, "10.0.1.4:443"), "allowed");
    assert_eq!(
        outcome(&policy, "10.0.1.5:443"),
        "denied at gateway by rule-200-out"
    );
    assert_eq!(
        outcome(&policy, "10.1.0.9:8500"),
        "denied at gateway by rule-200-out"
    );
    assert_eq!(outcome(&policy, "10.0.1.5:9000"), "allowed");
    let udp = Flow {
        protocol: Protocol::Udp,
        ..flow("10.0.1.5:9000")
    };
    let verdict = policy.evaluate(&udp);
    let decision = verdict.outbound.decision().expect("a decision");
    assert_eq!(decision.rule.priority, 150);
    assert!(decision.is_denied() && decision.is_certain());
    assert_eq!(decision.group.name, "nsg");
    assert_eq!(decision.subnet.name, "gateway");
}

#[test]
fn the_rules_that_every_group_ends_with_let_the_virtual_network_and_the_internet_pass() {
    let world = World {
        gateway_group: Attachment::Known(group(&[])),
        backend_group: Attachment::Known(group(&[])),
        peer_group: Attachment::Known(group(&[])),
        ..World::default()
    };
    let policy = world.build();
    let cases = [
        ("10.0.1.4:80", "AllowVnetOutBound", "allowed"),
        ("10.1.0.4:80", "AllowVnetOutBound", "allowed"),
        ("168.63.129.16:53", "AllowVnetOutBound", "allowed"),
        ("20.1.2.3:443", "AllowInternetOutBound", "allowed"),
        ("[2001:db8::1]:80", "AllowInternetOutBound", "allowed"),
        (
            "10.7.0.4:80",
            "DenyAllOutBound",
            "denied at gateway by DenyAllOutBound",
        ),
        (
            "169.254.169.254:80",
            "DenyAllOutBound",
            "denied at gateway by DenyAllOutBound",
        ),
        (
            "[fd01::1]:80",
            "DenyAllOutBound",
            "denied at gateway by DenyAllOutBound",
        ),
    ];
    for (to, rule, expected) in cases {
        let verdict = policy.evaluate(&flow(to));
        let decision = verdict.outbound.decision().expect("a decision");
        assert_eq!(decision.rule.name, rule, "{to}");
        assert!(decision.rule.is_default && decision.is_certain(), "{to}");
        assert_eq!(outcome(&policy, to), expected, "{to}");
    }
    let inbound = policy.evaluate(&flow("10.1.0.4:80")).inbound;
    let decision = inbound.decision().expect("a decision");
    assert_eq!(decision.rule.name, "AllowVnetInBound");
}

#[test]
fn a_peer_without_access_is_routed_but_not_in_the_tag() {
    let world = World {
        peer_in_tag: false,
        peer_group: Attachment::Known(group(&[])),
        ..World::default()
    };
    let policy = world.build();
    assert_eq!(
        outcome(&policy, "10.1.0.4:80"),
        "denied at peer by DenyAllInBound"
    );
    let route = policy.evaluate(&flow("10.1.0.4:80")).route.unwrap().route;
    assert_eq!(route.next_hop, NextHop::VnetPeering);
}

#[test]
fn an_interface_s_own_group_is_asked_as_that_of_a_subnet() {
    let world = World {
        backend_group: Attachment::Known(group(&["100 in deny tcp *:* -> *:81"])),
        gateway_group: Attachment::Known(group(&[
            "100 in deny tcp VirtualNetwork:* -> *:80",
            "100 out deny tcp *:* -> 10.0.1.4:80",
        ])),
        ..World::default()
    };
    let policy = world.build();
    let group_of = |subnet: usize| match policy.subnets()[subnet].security_group {
        Attachment::Known(group) => group,
        _ => panic!("both subnets have a group"),
    };
    let (of_gateways, of_backends) = (group_of(0), group_of(1));
    let backends = SubnetIndex::new(1);
    let says = |direction, to: &str| {
        let (flow, at) = (flow(to), backends);
        let by_interface = policy.interface_gate(at, of_gateways, &flow, direction);
        let by_subnet = policy.subnet_gate(at, &flow, direction);
        [by_interface, by_subnet].map(|gate| gate.decision().unwrap().is_denied())
    };
    assert_eq!(says(Direction::Inbound, "10.0.1.4:80"), [true, false]);
    assert_eq!(says(Direction::Inbound, "10.0.1.4:81"), [false, true]);
    assert_eq!(says(Direction::Outbound, "10.0.1.4:80"), [true, false]);
    assert_eq!(says(Direction::Outbound, "10.0.1.5:80"), [false, false]);
    let (at, flow) = (gateway_subnet(), flow("10.0.0.5:81"));
    let gate = policy.interface_gate(at, of_backends, &flow, Direction::Inbound);
    assert!(gate.decision().unwrap().is_denied());
}

#[test]
fn a_source_port_that_is_known_is_compared() {
    let denies = |from: Option<u16>| {
        let policy = with_gateway_group(&["100 out deny tcp *:53 -> *:80"]).build();
        let one = Flow {
            source_port: from,
            ..flow("10.0.1.4:80")
        };
        let verdict = policy.evaluate(&one);
        let decision = verdict.outbound.decision().expect("a decision");
        (decision.is_denied(), decision.is_certain())
    };
    assert_eq!(denies(Some(53)), (true, true));
    assert_eq!(denies(Some(54)), (false, true));
    assert_eq!(denies(None), (false, true));
}

#[test]
fn the_server_s_group_is_asked_about_the_gateway_s_subnet() {
    let denies = |source: &str, from: Option<&str>| {
        let rule = format!("100 in deny tcp {source}:* -> *:80");
        let world = World {
            backend_group: Attachment::Known(group(&[&rule])),
            ..World::default()
        };
        let policy = world.build();
        let one = Flow {
            source: from.map(address),
            ..flow("10.0.1.4:80")
        };
        let verdict = policy.evaluate(&one);
        let decision = *verdict.inbound.decision().expect("a decision");
        (decision.is_denied(), decision.is_certain())
    };
    assert_eq!(denies("10.0.0.0/24", None), (true, true));
    assert_eq!(denies("10.0.0.0/29,10.0.0.8/29", None), (true, true));
    assert_eq!(denies("10.0.2.0/24", None), (false, true));
    assert_eq!(
        denies("10.0.0.0/29", None),
        (false, false),
        "some instances only"
    );
    assert_eq!(denies("10.0.0.0/29", Some("10.0.0.5")), (true, true));
    assert_eq!(denies("10.0.0.0/29", Some("10.0.0.9")), (false, true));
    assert_eq!(denies("VirtualNetwork", None), (true, true));
    assert_eq!(denies("Internet", None), (false, true));
    assert_eq!(denies("AzureLoadBalancer", None), (false, true));
    assert_eq!(denies("fd00::/8", None), (false, true));
}

#[test]
fn what_cannot_be_evaluated_is_skipped_and_named() {
    let rules: Vec<String> = (0..12)
        .map(|n| format!("{} out deny * *:* -> Storage.R{n}:*", 200 + n))
        .collect();
    let mut rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    rules.push("100 out allow * *:* -> Sql:1433");
    rules.push("110 out deny tcp *:5000 -> 20.0.0.0/8:443");
    let policy = with_gateway_group(&rules).build();
    let verdict = policy.evaluate(&flow("20.1.2.3:443"));
    let decision = verdict.outbound.decision().expect("a decision");
    assert_eq!(decision.rule.name, "AllowInternetOutBound");
    assert_eq!(
        decision.undecided.count(),
        13,
        "the port of Sql does not fit"
    );
    let named: Vec<_> = decision.undecided.rules().collect();
    assert_eq!(named.len(), UNDECIDED_MAX);
    assert_eq!(named[0].priority, 110);
    assert_eq!(
        named[0].unknown_terms().count(),
        0,
        "in doubt by its source port"
    );
    let tag = AddressTerm::ServiceTag("Storage.R0".to_owned());
    assert_eq!(named[1].unknown_terms().collect::<Vec<_>>(), [&tag]);
    assert!(!decision.is_certain() && verdict.is_allowed());
    let sql = policy.evaluate(&flow("10.0.1.4:1433"));
    let decision = sql.outbound.decision().expect("a decision");
    assert_eq!(
        decision.undecided.rules().next().map(|rule| rule.access),
        Some(Access::Allow)
    );
}

#[test]
fn a_known_address_beside_a_tag_still_decides() {
    let policy = with_gateway_group(&["100 out deny * *:* -> Storage,10.0.1.0/24:*"]).build();
    assert_eq!(
        outcome(&policy, "10.0.1.4:80"),
        "denied at gateway by rule-100-out"
    );
}

#[test]
fn the_longest_prefix_wins_and_the_user_s_of_two_alike() {
    let policy = with_table(&[
        "0.0.0.0/0 appliance 10.0.9.4",
        "10.0.0.0/16 appliance 10.0.9.4 10.0.9.5",
        "10.0.1.128/25 none",
        "10.1.0.0/16 none",
        "10.1.0.0/24 local",
        "10.1.0.0/24 none",
        "AppService internet",
    ])
    .build();
    assert_eq!(
        outcome(&policy, "10.0.1.200:80"),
        "dropped by 10.0.1.128/25"
    );
    assert_eq!(outcome(&policy, "10.1.1.1:80"), "dropped by 10.1.0.0/16");
    assert_eq!(
        outcome(&policy, "10.1.0.1:80"),
        "allowed",
        "the first of two alike"
    );
    let appliances = NextHop::VirtualAppliance(vec![address("10.0.9.4"), address("10.0.9.5")]);
    let verdict = policy.evaluate(&flow("10.0.1.4:80"));
    let route = verdict.route.expect("a route");
    assert_eq!(route.route.next_hop, appliances);
    assert_eq!(route.route.source, RouteSource::User);
    assert!(verdict.is_allowed(), "traffic to an appliance goes on");
    assert_eq!(
        route.table.map(|table| table.tagged_routes().len()),
        Some(1)
    );
}

#[test]
fn a_default_route_of_the_user_s_takes_the_reserved_ranges_away() {
    // The documentation's Subnet1: its 0.0.0.0/0 removes the routes of 10.0.0.0/8 and its like.
    let mut world = with_table(&["0.0.0.0/0 appliance 10.0.9.4"]);
    world.gateway_group = Attachment::Known(group(&[]));
    world.far_group = Attachment::Known(group(&[]));
    let policy = world.build();
    assert_eq!(outcome(&policy, "192.168.3.4:80"), "allowed");
    assert_eq!(
        outcome(&policy, "10.7.0.4:80"),
        "denied at far by DenyAllInBound",
        "an appliance leads to a VNet that is not peered, whose group does not know this one"
    );
    let mut world = with_table(&["0.0.0.0/0 appliance 10.0.9.4"]);
    world.far_group = Attachment::Known(group(&[]));
    world.far_table = Attachment::Known(table(&["0.0.0.0/0 appliance 10.0.9.4"], false));
    assert_eq!(outcome(&world.build(), "10.7.0.4:80"), "allowed");
}

#[test]
fn prefixes_of_the_subnet_s_routes_are_in_the_tag_and_default_ones_perhaps() {
    let deny = "100 out deny * *:* -> VirtualNetwork:*";
    let mut world = with_table(&["30.0.0.0/8 gateway"]);
    world.gateway_group = Attachment::Known(group(&[deny]));
    let policy = world.build();
    assert_eq!(
        outcome(&policy, "30.1.2.3:80"),
        "denied at gateway by rule-100-out"
    );
    assert_eq!(outcome(&policy, "31.1.2.3:80"), "allowed");
    let mut world = with_table(&["0.0.0.0/0 internet"]);
    world.gateway_group = Attachment::Known(group(&[deny]));
    let policy = world.build();
    let verdict = policy.evaluate(&flow("31.1.2.3:80"));
    let decision = verdict.outbound.decision().expect("a decision");
    assert!(!decision.is_denied() && !decision.is_certain());
}

#[test]
fn a_gateway_may_have_learned_what_no_document_shows() {
    let on_premises = |ignores| World {
        beyond: Beyond::OnPremises,
        gateway_group: Attachment::Known(group(&[])),
        gateway_table: Attachment::Known(table(&[], ignores)),
        ..World::default()
    };
    let policy = on_premises(false).build();
    let verdict = policy.evaluate(&flow("192.168.1.4:80"));
    let route = verdict.route.expect("a route").route;
    assert_eq!(route.next_hop, NextHop::VirtualNetworkGateway);
    assert_eq!(route.source, RouteSource::Assumed);
    assert!(verdict.is_allowed());
    assert_eq!(
        outcome(&on_premises(true).build(), "192.168.1.4:80"),
        "dropped by 192.168.0.0/16"
    );
    let unseen = World {
        beyond: Beyond::SameNetwork,
        gateway_table: Attachment::Known(table(&["0.0.0.0/0 none"], true)),
        ..World::default()
    };
    let policy = unseen.build();
    assert_eq!(outcome(&policy, "10.200.0.4:80"), "allowed");
    assert_eq!(outcome(&policy, "20.1.2.3:80"), "dropped by 0.0.0.0/0");
}

#[test]
fn a_space_that_includes_a_reserved_range_removes_its_route() {
    let world = World {
        address_space: vec!["10.0.0.0/16", "172.0.0.0/8", "192.168.0.0/16"],
        ..World::default()
    };
    let policy = world.build();
    assert_eq!(outcome(&policy, "172.16.0.4:80"), "allowed");
    assert_eq!(outcome(&policy, "192.168.0.4:80"), "allowed");
    assert_eq!(
        outcome(&policy, "100.64.0.4:80"),
        "dropped by 100.64.0.0/10"
    );
}

#[test]
fn what_no_document_has_is_told() {
    let world = World {
        gateway_group: Attachment::Missing("/lost-nsg".to_owned()),
        gateway_table: Attachment::Missing("/lost-rt".to_owned()),
        ..World::default()
    };
    let policy = world.build();
    let verdict = policy.evaluate(&flow("10.0.1.4:80"));
    assert!(matches!(
        verdict.outbound,
        Gate::Unknown {
            group: "/lost-nsg",
            ..
        }
    ));
    assert_eq!(
        verdict.route.and_then(|route| route.missing_table),
        Some("/lost-rt")
    );
    assert!(verdict.is_allowed());
}

#[test]
fn every_obstacle_is_told_and_the_first_is_the_outcome() {
    let world = World {
        gateway_group: Attachment::Known(group(&["100 out deny * *:* -> *:*"])),
        gateway_table: Attachment::Known(table(&["10.0.1.0/24 none"], false)),
        backend_group: Attachment::Known(group(&["100 in deny * *:* -> *:*"])),
        ..World::default()
    };
    let policy = world.build();
    assert_eq!(
        outcome(&policy, "10.0.1.4:80"),
        "denied at gateway by rule-100-out"
    );
    let verdict = policy.evaluate(&flow("10.0.1.4:80"));
    assert_eq!(
        verdict.route.map(|one| one.route.next_hop.clone()),
        Some(NextHop::None)
    );
    assert!(
        verdict
            .inbound
            .decision()
            .is_some_and(|decision| decision.is_denied())
    );
}

#[test]
fn ports_do_not_matter_to_protocols_without_them() {
    let policy = with_gateway_group(&["100 out deny icmp *:* -> *:80"]).build();
    let ping = Flow {
        protocol: Protocol::Icmp,
        ..flow("10.0.1.4:0")
    };
    assert!(!policy.evaluate(&ping).is_allowed());
}

#[test]
fn an_address_that_two_networks_have_belongs_to_the_nearer_or_to_nobody() {
    let world = World {
        has_twin: true,
        ..World::default()
    };
    let policy = world.build();
    let subnet = |to: &str| match policy.evaluate(&flow(to)).inbound {
        Gate::Open(subnet) => subnet.name.clone(),
        Gate::Outside => "outside".to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(subnet("10.1.0.4:80"), "peer");
    assert_eq!(subnet("10.7.0.4:80"), "outside");
    assert_eq!(subnet("10.0.1.4:80"), "backend");
    assert_eq!(
        subnet("10.0.2.4:80"),
        "outside",
        "in the VNet, but in no subnet"
    );
}
