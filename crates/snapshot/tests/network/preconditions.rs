//! What the platform needs of a gateway's subnet.

use gatewright_snapshot::Generation;
use gatewright_snapshot::network::{
    Attachment, Beyond, ManagementPorts, NextHop, PortSet, RouteSource,
};

use crate::support::{World, gateway_subnet, group, table};

/// `open`, or the rule and the first of the ports that it denies; `?` for undecided rules.
fn ports(rules: &[&str], generation: Generation) -> String {
    let world = World {
        gateway_group: Attachment::Known(group(rules)),
        ..World::default()
    };
    let policy = world.build();
    let (says, undecided) = match policy.management_ports(gateway_subnet(), generation) {
        ManagementPorts::Open { undecided, .. } => ("open".to_owned(), undecided),
        ManagementPorts::Denied {
            rule,
            ports,
            undecided,
            ..
        } => (format!("{} {:?}", rule.name, ports.ranges()), undecided),
        other => panic!("{other:?}"),
    };
    says + &"?".repeat(undecided.count())
}

#[test]
fn each_generation_has_its_ports() {
    let v1 = ["100 in allow tcp GatewayManager:* -> *:65503-65534"];
    assert_eq!(ports(&v1, Generation::V1), "open");
    assert_eq!(
        ports(&v1, Generation::V2),
        "DenyAllInBound [(65200, 65502), (65535, 65535)]"
    );
    assert_eq!(
        ports(&[], Generation::V1),
        "DenyAllInBound [(65503, 65534)]"
    );
}

#[test]
fn the_first_rule_that_covers_a_port_decides_on_it() {
    let cases: [(&[&str], &str); 13] = [
        (&["100 in allow * Internet:* -> *:*"], "open"),
        (&["100 in allow * *:* -> *:65200-65535"], "open"),
        (&["100 in allow * 0.0.0.0/0:* -> 10.0.0.0/24:*"], "open"),
        (
            &["100 in allow * 0.0.0.0/1,128.0.0.0/1:* -> VirtualNetwork:*"],
            "open",
        ),
        (
            &[
                "100 in allow tcp GatewayManager:* -> *:65200-65300",
                "110 in allow tcp GatewayManager:* -> *:65301-65535",
            ],
            "open",
        ),
        (
            &[
                "100 in deny tcp *:* -> *:65300",
                "110 in allow tcp *:* -> *:*",
            ],
            "rule-100-in [(65300, 65300)]",
        ),
        (
            &["100 in allow udp *:* -> *:*"],
            "DenyAllInBound [(65200, 65535)]",
        ),
        (
            &["100 in allow * VirtualNetwork:* -> *:*"],
            "DenyAllInBound [(65200, 65535)]",
        ),
        (
            &["100 in allow * 10.0.0.0/8:* -> *:*"],
            "DenyAllInBound [(65200, 65535)]",
        ),
        (
            &["100 in allow * 20.1.0.0/16:* -> *:*"],
            "DenyAllInBound [(65200, 65535)]?",
        ),
        (
            &["100 in allow * AzureCloud:* -> *:*"],
            "DenyAllInBound [(65200, 65535)]?",
        ),
        (
            &["100 in allow * *:5000 -> *:*"],
            "DenyAllInBound [(65200, 65535)]?",
        ),
        (
            &["100 in allow * *:* -> 10.0.1.0/24:*"],
            "DenyAllInBound [(65200, 65535)]",
        ),
    ];
    for (rules, expected) in cases {
        assert_eq!(ports(rules, Generation::V2), expected, "{rules:?}");
    }
}

#[test]
fn the_load_balancer_is_let_in_unless_a_rule_stands_before() {
    let cases: [(&[&str], Option<&str>); 5] = [
        (&[], None),
        (&["100 in deny * *:* -> *:*"], Some("rule-100-in")),
        (&["100 in deny * Internet:* -> *:443"], None),
        (
            &[
                "100 in allow tcp GatewayManager:* -> *:65200-65535",
                "4000 in deny * *:* -> *:*",
            ],
            Some("rule-4000-in"),
        ),
        (
            &[
                "100 in allow * AzureLoadBalancer:* -> *:*",
                "4000 in deny * *:* -> *:*",
            ],
            None,
        ),
    ];
    for (rules, expected) in cases {
        let world = World {
            gateway_group: Attachment::Known(group(rules)),
            ..World::default()
        };
        let policy = world.build();
        let denied = match policy.load_balancer_ports(gateway_subnet(), Generation::V2) {
            ManagementPorts::Denied { rule, .. } => Some(rule.name.clone()),
            _ => None,
        };
        assert_eq!(denied.as_deref(), expected, "{rules:?}");
    }
}

#[test]
fn no_group_is_open_and_a_missing_one_unknown() {
    let policy = World::default().build();
    let ports = policy.management_ports(gateway_subnet(), Generation::V2);
    assert_eq!(ports, ManagementPorts::NoGroup);
    let world = World {
        gateway_group: Attachment::Missing("/lost".to_owned()),
        ..World::default()
    };
    let policy = world.build();
    let ports = policy.management_ports(gateway_subnet(), Generation::V2);
    assert_eq!(ports, ManagementPorts::UnknownGroup("/lost"));
    assert!(PortSet::all().contains(u16::MAX));
}

#[test]
fn a_default_route_is_found_in_whatever_words() {
    let cases: [(&[&str], NextHop, bool); 7] = [
        (&[], NextHop::Internet, true),
        (&["10.0.0.0/8 none"], NextHop::Internet, true),
        (&["0.0.0.0/0 internet"], NextHop::Internet, true),
        (
            &["0.0.0.0/0 gateway"],
            NextHop::VirtualNetworkGateway,
            false,
        ),
        (&["0.0.0.0/0 none"], NextHop::None, false),
        (
            &["128.0.0.0/1 none", "0.0.0.0/0 internet"],
            NextHop::None,
            false,
        ),
        (&["::/0 none"], NextHop::Internet, true),
    ];
    for (routes, next_hop, is_internet) in cases {
        let world = World {
            gateway_table: Attachment::Known(table(routes, false)),
            ..World::default()
        };
        let policy = world.build();
        let found = policy.default_route(gateway_subnet()).expect("a route");
        assert_eq!(found.route.route.next_hop, next_hop, "{routes:?}");
        assert_eq!(found.leads_to_internet(), is_internet, "{routes:?}");
        assert!(!found.may_be_learned);
        let users = routes.iter().any(|route| route.starts_with("0.0.0.0"));
        assert_eq!(found.route.route.source == RouteSource::User, users);
    }
}

#[test]
fn a_gateway_may_have_learned_a_default_route_unless_it_is_ignored_or_overridden() {
    let may_be_learned = |routes: &[&str], ignores| {
        let world = World {
            beyond: Beyond::OnPremises,
            gateway_table: Attachment::Known(table(routes, ignores)),
            ..World::default()
        };
        let policy = world.build();
        let found = policy.default_route(gateway_subnet()).expect("a route");
        assert!(found.route.table.is_some());
        if routes.is_empty() {
            assert_eq!(found.route.route.source, RouteSource::Default);
        }
        found.may_be_learned
    };
    assert!(may_be_learned(&[], false));
    assert!(!may_be_learned(&[], true));
    assert!(!may_be_learned(&["0.0.0.0/0 internet"], false));
}
