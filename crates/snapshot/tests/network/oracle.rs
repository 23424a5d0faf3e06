//! `evaluate` against a naive reading of the same texts: addresses as numbers, rules tried one by
//! one for each address of the gateway's subnet, routes collected and sorted anew for each flow.

use gatewright_snapshot::network::{Attachment, Beyond, Flow, Outcome, Protocol, RouteSource};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{World, address, flow, group, table};

/// A rule as text is all that the oracle gets.
#[derive(Clone, Debug)]
struct RuleText {
    priority: u32,
    direction: &'static str,
    access: &'static str,
    protocol: &'static str,
    source: Vec<&'static str>,
    source_ports: &'static str,
    destination: Vec<&'static str>,
    ports: &'static str,
}

impl RuleText {
    fn text(&self) -> String {
        format!(
            "{} {} {} {} {}:{} -> {}:{}",
            self.priority,
            self.direction,
            self.access,
            self.protocol,
            self.source.join(","),
            self.source_ports,
            self.destination.join(","),
            self.ports
        )
    }
}

const TERMS: &[&str] = &[
    "*",
    "0.0.0.0/0",
    "VirtualNetwork",
    "Internet",
    "AzureLoadBalancer",
    "Storage",
    "GatewayManager",
    "10.0.0.0/8",
    "10.0.0.0/28",
    "10.0.0.0/29",
    "10.0.0.8/29",
    "10.0.1.0/24",
    "10.0.1.4",
    "10.1.0.0/16",
    "20.0.0.0/8",
    "20.1.2.3/32",
];
const DESTINATIONS: &[&str] = &[
    "10.0.0.5",
    "10.0.1.4",
    "10.0.1.200",
    "10.1.0.4",
    "10.1.200.4",
    "10.7.0.4",
    "10.200.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "168.63.129.16",
    "169.254.1.1",
    "20.1.2.3",
    "20.1.2.4",
    "31.0.0.1",
    "230.0.0.1",
];
const ROUTES: &[&str] = &[
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.1.4/32",
    "10.1.0.0/16",
    "10.7.0.0/24",
    "192.168.0.0/16",
    "20.0.0.0/8",
];
const HOPS: &[&str] = &["local", "internet", "gateway", "none", "appliance 10.0.9.4"];
const PORTS: &[&str] = &[
    "*",
    "80",
    "443",
    "80,443",
    "1-79",
    "81-442,444-65535",
    "0-65535",
];

fn rules() -> impl Strategy<Value = Vec<RuleText>> {
    let terms = || prop::collection::vec(select(TERMS), 1..4);
    let rule = (
        select(&["in", "out"][..]),
        select(&["allow", "deny"][..]),
        select(&["*", "tcp", "udp"][..]),
        terms(),
        prop_oneof![8 => Just("*"), 1 => Just("5000"), 1 => Just("1024-65535")],
        terms(),
        select(PORTS),
    );
    let rules = prop::collection::vec((100u32..4097, rule), 0..12);
    rules.prop_map(|rules| {
        let mut seen = std::collections::HashSet::new();
        let fresh = rules
            .into_iter()
            .filter(|(priority, _)| seen.insert(*priority));
        fresh
            .map(|(priority, one)| RuleText {
                priority,
                direction: one.0,
                access: one.1,
                protocol: one.2,
                source: one.3,
                source_ports: one.4,
                destination: one.5,
                ports: one.6,
            })
            .collect()
    })
}

#[derive(Clone, Debug)]
struct Case {
    gateway_rules: Option<Vec<RuleText>>,
    backend_rules: Option<Vec<RuleText>>,
    routes: Option<Vec<(&'static str, &'static str)>>,
    ignores_learned: bool,
    beyond: Beyond,
    peer_in_tag: bool,
    destination: &'static str,
    port: u16,
    udp: bool,
    source: Option<&'static str>,
}

fn case() -> impl Strategy<Value = Case> {
    let routes = prop::collection::vec((select(ROUTES), select(HOPS)), 0..6);
    let beyond = [Beyond::Nothing, Beyond::OnPremises, Beyond::SameNetwork];
    let network = (
        prop::option::of(routes),
        any::<bool>(),
        select(beyond.to_vec()),
        any::<bool>(),
    );
    let flow = (
        select(DESTINATIONS),
        select(vec![0u16, 79, 80, 81, 443, 65535]),
        any::<bool>(),
        prop::option::of(select(
            &["10.0.0.1", "10.0.0.7", "10.0.0.8", "10.0.0.15"][..],
        )),
    );
    let groups = (prop::option::of(rules()), prop::option::of(rules()));
    (groups, network, flow).prop_map(|(groups, network, flow)| Case {
        gateway_rules: groups.0,
        backend_rules: groups.1,
        routes: network.0,
        ignores_learned: network.1,
        beyond: network.2,
        peer_in_tag: network.3,
        destination: flow.0,
        port: flow.1,
        udp: flow.2,
        source: flow.3,
    })
}

fn number(text: &str) -> u32 {
    let octets = text.split('.').map(|octet| octet.parse::<u32>().unwrap());
    octets.fold(0, |sum, octet| sum * 256 + octet)
}

fn within(address: u32, prefix: &str) -> bool {
    let (base, length) = prefix.split_once('/').unwrap_or((prefix, "32"));
    let size = 1u64 << (32 - length.parse::<u32>().unwrap());
    let base = u64::from(number(base));
    (base..base + size).contains(&u64::from(address))
}

fn within_any(address: u32, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| within(address, prefix))
}

const RESERVED: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

/// `Some(true)`, `Some(false)`, or nobody knows.
type Maybe = Option<bool>;

impl Case {
    /// The routes of the subnet whose group is asked: only the gateway's has a table.
    fn routes_at(&self, at_gateway: bool) -> &[(&'static str, &'static str)] {
        let routes = self.routes.as_deref().filter(|_| at_gateway);
        routes.unwrap_or_default()
    }

    fn term(&self, term: &str, address: u32, at_gateway: bool) -> Maybe {
        let routes = self.routes_at(at_gateway);
        let default = routes.iter().any(|(prefix, _)| *prefix == "0.0.0.0/0");
        let mut tag = vec!["10.0.0.0/16", "168.63.129.16"];
        if self.peer_in_tag {
            tag.push("10.1.0.0/16");
        }
        tag.extend(
            routes
                .iter()
                .map(|route| route.0)
                .filter(|one| *one != "0.0.0.0/0"),
        );
        let network = within_any(address, &tag);
        let reserved = within_any(address, RESERVED);
        match term {
            "*" => Some(true),
            "Storage" | "GatewayManager" => None,
            "AzureLoadBalancer" => Some(address == number("168.63.129.16")),
            "Internet" => {
                let dark = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];
                Some(!network && !reserved && !within_any(address, &dark))
            }
            "VirtualNetwork" if network => Some(true),
            "VirtualNetwork" if reserved => Some(default || self.beyond != Beyond::Nothing),
            "VirtualNetwork" if default => None,
            "VirtualNetwork" => Some(false),
            prefix => Some(within(address, prefix)),
        }
    }

    fn terms(&self, terms: &[&str], address: u32, at_gateway: bool) -> Maybe {
        let all: Vec<Maybe> = terms
            .iter()
            .map(|term| self.term(term, address, at_gateway))
            .collect();
        match () {
            () if all.contains(&Some(true)) => Some(true),
            () if all.contains(&None) => None,
            () => Some(false),
        }
    }

    fn rule(&self, rule: &RuleText, at_gateway: bool) -> Maybe {
        let protocol = if self.udp { "udp" } else { "tcp" };
        let in_ports = rule.ports.split(',').any(|range| {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            range == "*"
                || (low.parse::<u16>().unwrap()..=high.parse().unwrap()).contains(&self.port)
        });
        let destination = self.terms(&rule.destination, number(self.destination), at_gateway);
        let sources: Vec<u32> = match self.source {
            Some(source) => vec![number(source)],
            None => (0..16).map(|last| number("10.0.0.0") + last).collect(),
        };
        let mut truths: Vec<Maybe> = sources
            .iter()
            .map(|source| self.terms(&rule.source, *source, at_gateway))
            .collect();
        truths.dedup();
        let source = if let [one] = truths[..] { one } else { None };
        let source_port = (rule.source_ports != "5000").then_some(true);
        let fits = rule.protocol == "*" || rule.protocol == protocol;
        let all = [Some(fits && in_ports), destination, source, source_port];
        // A source port that is not known can only cast doubt on what matches otherwise.
        match () {
            () if all.contains(&Some(false)) => Some(false),
            () if all.contains(&None) => None,
            () => Some(true),
        }
    }

    /// The name of the deciding rule, whether it denies, and how many were skipped.
    fn decide(&self, rules: &[RuleText], outbound: bool) -> (String, bool, usize) {
        let direction = if outbound { "out" } else { "in" };
        let row = |priority, access, source, destination| RuleText {
            priority,
            direction,
            access,
            protocol: "*",
            source: vec![source],
            source_ports: "*",
            destination: vec![destination],
            ports: "*",
        };
        let second = match outbound {
            true => row(65001, "allow", "*", "Internet"),
            false => row(65001, "allow", "AzureLoadBalancer", "*"),
        };
        let mut all = rules.to_vec();
        all.push(row(65000, "allow", "VirtualNetwork", "VirtualNetwork"));
        all.push(second);
        all.push(row(65500, "deny", "*", "*"));
        all.retain(|rule| rule.direction == direction);
        all.sort_by_key(|rule| rule.priority);
        let mut skipped = 0;
        for rule in &all {
            match self.rule(rule, outbound) {
                Some(true) => {
                    let name = match (rule.priority, outbound) {
                        (65000, true) => "AllowVnetOutBound".to_owned(),
                        (65000, false) => "AllowVnetInBound".to_owned(),
                        (65001, true) => "AllowInternetOutBound".to_owned(),
                        (65001, false) => "AllowAzureLoadBalancerInBound".to_owned(),
                        (65500, true) => "DenyAllOutBound".to_owned(),
                        (65500, false) => "DenyAllInBound".to_owned(),
                        (priority, _) => format!("rule-{priority}-{direction}"),
                    };
                    return (name, rule.access == "deny", skipped);
                }
                None => skipped += 1,
                Some(false) => {}
            }
        }
        unreachable!("the last rule matches all")
    }

    /// Prefix, hop and source of the effective route.
    fn route(&self) -> (String, String, RouteSource) {
        let default = self.routes_at(true).iter().any(|one| one.0 == "0.0.0.0/0");
        let mut all: Vec<(&str, &str, RouteSource, u8)> = Vec::new();
        for (prefix, hop) in self.routes_at(true) {
            all.push((prefix, hop, RouteSource::User, 0));
        }
        all.push(("10.0.0.0/16", "local", RouteSource::VirtualNetwork, 1));
        all.push(("10.1.0.0/16", "peering", RouteSource::Peering, 1));
        all.push(("0.0.0.0/0", "internet", RouteSource::Default, 1));
        let ignores = self.ignores_learned && self.routes.is_some();
        for prefix in RESERVED {
            match self.beyond {
                Beyond::SameNetwork => all.push((prefix, "local", RouteSource::Assumed, 1)),
                _ if default => {}
                Beyond::OnPremises if !ignores => {
                    all.push((prefix, "gateway", RouteSource::Assumed, 1));
                }
                _ => all.push((prefix, "none", RouteSource::Default, 1)),
            }
        }
        let length = |prefix: &str| prefix.split_once('/').unwrap().1.parse::<i32>().unwrap();
        all.retain(|route| within(number(self.destination), route.0));
        all.sort_by_key(|route| (-length(route.0), route.3));
        let (prefix, hop, source, _) = all[0];
        let hop = hop.split(' ').next().unwrap();
        (prefix.to_owned(), hop.to_owned(), source)
    }
}

fn hop_name(hop: &gatewright_snapshot::network::NextHop) -> &'static str {
    use gatewright_snapshot::network::NextHop;
    match hop {
        NextHop::VnetLocal => "local",
        NextHop::VnetPeering => "peering",
        NextHop::Internet => "internet",
        NextHop::VirtualNetworkGateway => "gateway",
        NextHop::VirtualAppliance(_) => "appliance",
        NextHop::None => "none",
    }
}

fn compiled(
    rules: &Option<Vec<RuleText>>,
) -> Attachment<gatewright_snapshot::network::SecurityGroup> {
    let Some(rules) = rules else {
        return Attachment::None;
    };
    let texts: Vec<String> = rules.iter().map(RuleText::text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Attachment::Known(group(&texts))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_verdict_is_that_of_a_naive_reading(case in case()) {
        let routes: Option<Vec<String>> = case.routes.as_ref().map(|routes| {
            routes.iter().map(|(prefix, hop)| format!("{prefix} {hop}")).collect()
        });
        let gateway_table = routes.map_or(Attachment::None, |routes| {
            let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
            Attachment::Known(table(&routes, case.ignores_learned))
        });
        let policy = World {
            address_space: vec!["10.0.0.0/16"],
            beyond: case.beyond,
            peer_in_tag: case.peer_in_tag,
            gateway_group: compiled(&case.gateway_rules),
            backend_group: compiled(&case.backend_rules),
            gateway_table,
            ..World::default()
        }
        .build();
        let asked = Flow {
            source: case.source.map(address),
            protocol: if case.udp { Protocol::Udp } else { Protocol::Tcp },
            port: case.port,
            ..flow(&format!("{}:1", case.destination))
        };
        let verdict = policy.evaluate(&asked);
        let seen = |decision: &gatewright_snapshot::network::Decision<'_>| {
            let name = decision.rule.name.clone();
            (name, decision.is_denied(), decision.undecided.count())
        };
        let outbound = case.gateway_rules.as_ref().map(|rules| case.decide(rules, true));
        prop_assert_eq!(verdict.outbound.decision().map(seen), outbound.clone());
        let at_backend = within(number(case.destination), "10.0.1.0/24");
        let at_gateway = within(number(case.destination), "10.0.0.0/28");
        prop_assume!(!at_gateway || case.gateway_rules.is_none());
        let inbound = case.backend_rules.as_ref().filter(|_| at_backend);
        let inbound = inbound.map(|rules| case.decide(rules, false));
        prop_assert_eq!(verdict.inbound.decision().map(seen), inbound.clone());
        let (prefix, hop, source) = case.route();
        let route = verdict.route.expect("a route").route;
        prop_assert_eq!(route.prefix.to_string(), prefix);
        prop_assert_eq!(hop_name(&route.next_hop), hop.clone());
        prop_assert_eq!(route.source, source);
        let denies = |decision: &Option<(String, bool, usize)>| {
            decision.as_ref().is_some_and(|decision| decision.1)
        };
        let expected = match () {
            () if denies(&outbound) => "denied out",
            () if hop == "none" => "dropped",
            () if denies(&inbound) => "denied in",
            () => "allowed",
        };
        let outcome = match verdict.outcome() {
            Outcome::Allowed => "allowed",
            Outcome::Dropped(_) => "dropped",
            Outcome::Denied(by) if by.subnet.name == "gateway" => "denied out",
            Outcome::Denied(_) => "denied in",
        };
        prop_assert_eq!(outcome, expected);
    }
}
