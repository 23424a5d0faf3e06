//! Policies for tests, written short.

use std::net::IpAddr;

use gatewright_snapshot::network::{
    Access, AddressTerm, Attachment, Beyond, Direction, Flow, NetworkPolicy, NetworkPolicyBuilder,
    NextHop, Outcome, Peer, PortSet, Prefix, Protocol, Route, RouteSource, RouteTable, Rule,
    SecurityGroup, Subnet, TaggedRoute, VirtualNetwork,
};
use gatewright_snapshot::{GatewayIndex, SubnetIndex};

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect(text)
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

/// `"100 in deny tcp 10.0.0.0/8,Internet:* -> *:80,8000-8999"`.
pub(crate) fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [
        priority,
        direction,
        access,
        protocol,
        source,
        "->",
        destination,
    ] = words[..]
    else {
        panic!("{text}");
    };
    let (source, source_ports) = source.rsplit_once(':').expect(text);
    let (destination, destination_ports) = destination.rsplit_once(':').expect(text);
    let terms = |list: &str| {
        let terms = list.split(',').map(AddressTerm::parse);
        terms.map(|term| term.expect(text)).collect()
    };
    Rule {
        name: format!("rule-{priority}-{direction}"),
        priority: priority.parse().expect(text),
        direction: match direction {
            "in" => Direction::Inbound,
            "out" => Direction::Outbound,
            _ => panic!("{text}"),
        },
        access: match access {
            "allow" => Access::Allow,
            "deny" => Access::Deny,
            _ => panic!("{text}"),
        },
        protocol: match protocol {
            "*" => None,
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "icmp" => Some(Protocol::Icmp),
            _ => panic!("{text}"),
        },
        source: terms(source),
        source_ports: ports(source_ports),
        destination: terms(destination),
        destination_ports: ports(destination_ports),
        is_default: false,
    }
}

fn ports(list: &str) -> PortSet {
    PortSet::new(list.split(',').map(|one| match one.split_once('-') {
        _ if one == "*" => (0, u16::MAX),
        Some((low, high)) => (low.parse().unwrap(), high.parse().unwrap()),
        None => (one.parse().unwrap(), one.parse().unwrap()),
    }))
}

pub(crate) fn group(rules: &[&str]) -> SecurityGroup {
    let rules = rules.iter().map(|text| rule(text)).collect();
    SecurityGroup::new("nsg".to_owned(), "/nsg".to_owned(), rules)
}

/// `"10.1.0.0/16 appliance 10.0.9.4"`, `"0.0.0.0/0 none"`, `"Storage internet"`.
pub(crate) fn table(routes: &[&str], ignores_learned_routes: bool) -> RouteTable {
    let (mut known, mut tagged) = (Vec::new(), Vec::new());
    for text in routes {
        let mut words = text.split_whitespace();
        let target = words.next().expect(text);
        let next_hop = match words.next().expect(text) {
            "local" => NextHop::VnetLocal,
            "internet" => NextHop::Internet,
            "gateway" => NextHop::VirtualNetworkGateway,
            "none" => NextHop::None,
            "appliance" => NextHop::VirtualAppliance(words.map(address).collect()),
            _ => panic!("{text}"),
        };
        let name = format!("to-{target}");
        match target.parse() {
            Ok(prefix) => known.push(Route {
                name,
                prefix,
                next_hop,
                source: RouteSource::User,
            }),
            Err(_) => tagged.push(TaggedRoute {
                name,
                tag: target.to_owned(),
                next_hop,
            }),
        }
    }
    let (name, id) = ("rt".to_owned(), "/rt".to_owned());
    RouteTable::new(name, id, ignores_learned_routes, known, tagged)
}

/// A gateway's subnet 10.0.0.0/28 and a backend's 10.0.1.0/24 in one VNet, a subnet 10.1.0.0/24 in
/// a peered one, and 10.7.0.0/24 in one that is connected to none.
pub(crate) struct World {
    pub(crate) address_space: Vec<&'static str>,
    pub(crate) beyond: Beyond,
    pub(crate) peer_in_tag: bool,
    pub(crate) gateway_group: Attachment<SecurityGroup>,
    pub(crate) gateway_table: Attachment<RouteTable>,
    pub(crate) backend_group: Attachment<SecurityGroup>,
    pub(crate) peer_group: Attachment<SecurityGroup>,
    pub(crate) far_group: Attachment<SecurityGroup>,
    pub(crate) far_table: Attachment<RouteTable>,
    /// Whether there is another VNet, connected to none, with the addresses of the last two.
    pub(crate) has_twin: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            address_space: vec!["10.0.0.0/16", "fd00::/48"],
            beyond: Beyond::Nothing,
            peer_in_tag: true,
            gateway_group: Attachment::None,
            gateway_table: Attachment::None,
            backend_group: Attachment::None,
            peer_group: Attachment::None,
            far_group: Attachment::None,
            far_table: Attachment::None,
            has_twin: false,
        }
    }
}

/// The gateway's subnet in every world.
pub(crate) fn gateway_subnet() -> SubnetIndex {
    SubnetIndex::new(0)
}

fn known<T, I>(what: Attachment<T>, add: impl FnOnce(T) -> I) -> Attachment<I> {
    match what {
        Attachment::None => Attachment::None,
        Attachment::Known(one) => Attachment::Known(add(one)),
        Attachment::Missing(id) => Attachment::Missing(id),
    }
}

impl World {
    pub(crate) fn build(self) -> NetworkPolicy {
        let mut builder = NetworkPolicyBuilder::default();
        let network = |id: &str, space: &[&str], peers: Vec<Peer>, beyond| VirtualNetwork {
            name: id.to_owned(),
            resource_id: format!("/{id}"),
            address_space: space.iter().map(|text| prefix(text)).collect(),
            peers,
            beyond,
            dns_servers: Vec::new(),
        };
        let peer = |id: &str, space: &[&str], in_tag| Peer {
            resource_id: id.to_owned(),
            address_space: space.iter().map(|text| prefix(text)).collect(),
            in_tag,
        };
        let to_near = vec![peer("/NEAR", &["10.1.0.0/16"], self.peer_in_tag)];
        let to_home = vec![peer("/home", &self.address_space, self.peer_in_tag)];
        let home = network("home", &self.address_space, to_near, self.beyond);
        let home = builder.add_network(home);
        let near = builder.add_network(network("near", &["10.1.0.0/16"], to_home, Beyond::Nothing));
        let far = builder.add_network(network("far", &["10.7.0.0/16"], vec![], Beyond::Nothing));
        let rows = [
            (
                "gateway",
                home,
                vec!["10.0.0.0/28", "fd00::/64"],
                self.gateway_group,
                self.gateway_table,
            ),
            (
                "backend",
                home,
                vec!["10.0.1.0/24", "fd00:0:0:1::/64"],
                self.backend_group,
                Attachment::None,
            ),
            (
                "peer",
                near,
                vec!["10.1.0.0/24"],
                self.peer_group,
                Attachment::None,
            ),
            (
                "far",
                far,
                vec!["10.7.0.0/24"],
                self.far_group,
                self.far_table,
            ),
        ];
        let mut rows = Vec::from(rows);
        if self.has_twin {
            let space = ["10.1.0.0/16", "10.7.0.0/16"];
            let twin = builder.add_network(network("twin", &space, vec![], Beyond::Nothing));
            let prefixes = vec!["10.1.0.0/24", "10.7.0.0/24"];
            rows.push(("twin", twin, prefixes, Attachment::None, Attachment::None));
        }
        for (name, network, prefixes, group, table) in rows {
            let subnet = Subnet {
                name: name.to_owned(),
                resource_id: format!("/{name}"),
                network,
                prefixes: prefixes.into_iter().map(prefix).collect(),
                security_group: known(group, |group| builder.add_group(group)),
                route_table: known(table, |table| builder.add_table(table)),
                isolates_gateways: false,
            };
            builder.add_subnet(subnet);
        }
        builder.place_gateway(GatewayIndex::new(1), gateway_subnet());
        builder.build()
    }
}

/// A TCP flow from the gateway's subnet to `"10.0.1.4:80"`.
pub(crate) fn flow(to: &str) -> Flow {
    let (host, port) = to.rsplit_once(':').expect(to);
    let host = host.trim_matches(['[', ']']);
    Flow::tcp(gateway_subnet(), address(host), port.parse().expect(to))
}

/// `allowed`, `denied at SUBNET by RULE`, `dropped by PREFIX`.
pub(crate) fn outcome(policy: &NetworkPolicy, to: &str) -> String {
    match policy.evaluate(&flow(to)).outcome() {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Denied(by) => format!("denied at {} by {}", by.subnet.name, by.rule.name),
        Outcome::Dropped(by) => format!("dropped by {}", by.route.prefix),
    }
}
