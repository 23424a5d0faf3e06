//! Networks through [`gatewright_compile::compile_network`], from the outside.

use std::net::IpAddr;

use gatewright_arm::{NetworkResources, read_gateways_text, read_network, read_network_text};
use gatewright_compile::{CompiledNetwork, NetworkFinding, NetworkPlace, compile_network};
use gatewright_snapshot::network::{
    Access, Attachment, Beyond, Direction, Flow, Gate, ManagementPorts, NetworkPolicy, NextHop,
    Outcome, Protocol, RouteSource,
};
use gatewright_snapshot::{GatewayIndex, Generation};
use serde_json::{Value, json};

use crate::support::{gateway, merged};

const NET: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
                   /providers/Microsoft.Network";

fn id(part: &str) -> String {
    format!("{NET}/{part}")
}

fn reference(part: &str) -> Value {
    json!({"id": id(part)})
}

fn read(documents: &[Value]) -> Vec<NetworkResources> {
    let read = |document| match read_network(document) {
        Ok(report) => report.resources,
        Err(error) => panic!("{error}"),
    };
    documents.iter().map(read).collect()
}

fn try_compile(documents: &[Value]) -> Result<CompiledNetwork, Vec<NetworkFinding>> {
    compile_network(&read(documents), &[gateway(json!({}))])
}

#[track_caller]
fn compiled(documents: &[Value]) -> CompiledNetwork {
    try_compile(documents).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// `CODE /pointer` of each finding, with the document's position, or `g` for the gateway.
fn told(findings: &[NetworkFinding]) -> Vec<String> {
    let line = |one: &NetworkFinding| {
        let place = match one.place {
            NetworkPlace::Gateway(_) => "g".to_owned(),
            NetworkPlace::Document(position) => position.to_string(),
        };
        format!("{} {place}{}", one.diagnostic.code, one.diagnostic.pointer)
    };
    findings.iter().map(line).collect()
}

fn vnet(more: Value) -> Value {
    let base = json!({
        "name": "v",
        "id": id("virtualNetworks/v"),
        "type": "Microsoft.Network/virtualNetworks",
        "properties": {},
    });
    let properties = json!({
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [subnet("s", "10.0.0.0/24", json!({})), subnet("b", "10.0.1.0/24", json!({}))],
    });
    merged(base, json!({"properties": merged(properties, more)}))
}

fn subnet(name: &str, prefix: &str, more: Value) -> Value {
    json!({
        "name": name,
        "id": id(&format!("virtualNetworks/v/subnets/{name}")),
        "properties": merged(json!({"addressPrefix": prefix}), more),
    })
}

fn nsg(rules: Vec<Value>) -> Value {
    json!({
        "name": "nsg",
        "id": id("networkSecurityGroups/nsg"),
        "properties": {"securityRules": rules},
    })
}

fn rule(name: &str, more: Value) -> Value {
    let base = json!({
        "protocol": "*", "access": "Deny", "direction": "Outbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "*",
    });
    json!({"name": name, "properties": merged(base, more)})
}

fn table(routes: Vec<Value>) -> Value {
    json!({
        "name": "rt",
        "id": id("routeTables/rt"),
        "properties": {"routes": routes, "disableBgpRoutePropagation": true},
    })
}

fn route(name: &str, prefix: &str, hop: &str, more: Value) -> Value {
    let base = json!({"addressPrefix": prefix, "nextHopType": hop});
    json!({"name": name, "properties": merged(base, more)})
}

fn flow(policy: &NetworkPolicy, to: &str, port: u16) -> Flow {
    let subnet = policy
        .gateway_subnet(GatewayIndex::new(0))
        .expect("a subnet");
    Flow::tcp(subnet, to.parse::<IpAddr>().expect(to), port)
}

fn outcome(policy: &NetworkPolicy, to: &str, port: u16) -> String {
    match policy.evaluate(&flow(policy, to, port)).outcome() {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Denied(by) => format!("{} at {}", by.rule.name, by.subnet.name),
        Outcome::Dropped(by) => format!("dropped by {}", by.route.name),
    }
}

#[test]
fn documents_refer_to_each_other_in_any_case_and_any_order() {
    let upper = |part: &str| json!({"id": id(part).to_ascii_uppercase()});
    let subnets = json!([
        subnet(
            "s",
            "10.0.0.0/24",
            json!({
                "networkSecurityGroup": upper("networkSecurityGroups/nsg"),
                "routeTable": upper("routeTables/rt"),
            })
        ),
        subnet(
            "b",
            "10.0.1.0/24",
            json!({
                "networkSecurityGroup": reference("networkSecurityGroups/nsg"),
            })
        ),
    ]);
    let rules = vec![
        rule("no-8080", json!({"destinationPortRange": "8080"})),
        rule(
            "no-in",
            json!({
                "direction": "inbound", "destinationPortRange": null,
                "destinationPortRanges": ["81", "9000-9001"],
            }),
        ),
    ];
    let routes = vec![
        route("black-hole", "10.0.1.7", "None", json!({})),
        route(
            "fw",
            "0.0.0.0/0",
            "VirtualAppliance",
            json!({"nextHopIpAddress": "10.0.9.4"}),
        ),
    ];
    let documents = [
        vnet(json!({"subnets": subnets})),
        json!([nsg(rules), table(routes)]),
    ];
    let CompiledNetwork { policy, findings } = compiled(&documents);
    assert_eq!(findings, []);
    assert_eq!(outcome(&policy, "10.0.1.4", 80), "allowed");
    assert_eq!(outcome(&policy, "10.0.1.4", 8080), "no-8080 at s");
    assert_eq!(outcome(&policy, "10.0.1.4", 81), "no-in at b");
    assert_eq!(outcome(&policy, "10.0.1.4", 9001), "no-in at b");
    assert_eq!(outcome(&policy, "10.0.1.7", 80), "dropped by black-hole");
    let verdict = policy.evaluate(&flow(&policy, "20.0.0.1", 443));
    let found = verdict.route.expect("a route");
    let appliance = NextHop::VirtualAppliance(vec!["10.0.9.4".parse().unwrap()]);
    assert_eq!(found.route.next_hop, appliance);
    assert!(
        found
            .table
            .is_some_and(|table| table.ignores_learned_routes)
    );
    assert_eq!(policy.gateway_subnet(GatewayIndex::new(1)), None);
}

#[test]
fn what_leads_nowhere_is_told_and_the_policy_says_so() {
    let subnets = json!([subnet(
        "s",
        "10.0.0.0/24",
        json!({
            "networkSecurityGroup": reference("networkSecurityGroups/lost"),
            "routeTable": reference("routeTables/lost"),
        })
    )]);
    let network = compiled(&[vnet(json!({"subnets": subnets}))]);
    let expected = [
        "GW-W-network-missing 0/properties/subnets/0/properties/networkSecurityGroup",
        "GW-W-network-missing 0/properties/subnets/0/properties/routeTable",
    ];
    assert_eq!(told(&network.findings), expected);
    let policy = &network.policy;
    let verdict = policy.evaluate(&flow(policy, "10.0.1.4", 80));
    let Gate::Unknown { group, .. } = verdict.outbound else {
        panic!("{verdict:?}");
    };
    assert_eq!(group, id("networkSecurityGroups/lost"));
    let missing = verdict.route.and_then(|route| route.missing_table);
    assert_eq!(missing, Some(id("routeTables/lost").as_str()));

    let network = compiled(&[nsg(vec![])]);
    let expected =
        ["GW-W-network-missing g/properties/gatewayIPConfigurations/0/properties/subnet"];
    assert_eq!(told(&network.findings), expected);
    assert_eq!(network.policy.gateway_subnet(GatewayIndex::new(0)), None);
}

#[test]
fn bad_values_of_rules_are_errors_with_their_place() {
    let rule_place = "0/properties/securityRules/0/properties";
    let cases = [
        (json!({"priority": 99}), "GW-E-security-rule", "priority"),
        (json!({"priority": 4097}), "GW-E-security-rule", "priority"),
        (json!({"priority": null}), "GW-E-security-rule", "priority"),
        (json!({"access": null}), "GW-E-security-rule", "access"),
        (
            json!({"direction": null}),
            "GW-E-security-rule",
            "direction",
        ),
        (json!({"protocol": null}), "GW-E-security-rule", "protocol"),
        (
            json!({"sourceAddressPrefix": ""}),
            "GW-E-security-rule",
            "sourceAddressPrefix",
        ),
        (
            json!({"destinationPortRange": []}),
            "GW-E-security-rule",
            "destinationPortRange",
        ),
        (
            json!({"sourceAddressPrefix": "10.0.0.1/24"}),
            "SecurityRuleInvalidAddressPrefix",
            "sourceAddressPrefix",
        ),
        (
            json!({"destinationAddressPrefixes": ["10.0.0.0/8", "[parameters('x')]"]}),
            "SecurityRuleInvalidAddressPrefix",
            "destinationAddressPrefixes/1",
        ),
        (
            json!({"sourcePortRange": "80,443"}),
            "SecurityRuleInvalidPortRange",
            "sourcePortRange",
        ),
        (
            json!({"destinationPortRange": 65536}),
            "SecurityRuleInvalidPortRange",
            "destinationPortRange",
        ),
        (
            json!({"destinationPortRange": "90-80"}),
            "SecurityRuleInvalidPortRange",
            "destinationPortRange",
        ),
        (
            json!({"destinationPortRange": "+80"}),
            "SecurityRuleInvalidPortRange",
            "destinationPortRange",
        ),
    ];
    for (more, code, member) in cases {
        let findings = try_compile(&[nsg(vec![rule("r", more.clone())])]).expect_err("an error");
        assert_eq!(
            told(&findings)[0],
            format!("{code} {rule_place}/{member}"),
            "{more}"
        );
    }
}

#[test]
fn bad_values_of_routes_and_networks_are_errors_with_their_place() {
    let place = "0/properties/routes/0/properties";
    let cases = [
        (
            route("r", "10.0.0.1/8", "None", json!({})),
            "InvalidAddressPrefixFormat",
            "addressPrefix",
        ),
        (
            route("r", "", "None", json!({})),
            "GW-E-route",
            "addressPrefix",
        ),
        (
            route("r", "10.0.0.0/8", "VirtualAppliance", json!({})),
            "GW-E-route",
            "nextHopIpAddress",
        ),
        (
            route(
                "r",
                "10.0.0.0/8",
                "VirtualAppliance",
                json!({"nextHopIpAddress": "fw"}),
            ),
            "GW-E-route",
            "nextHopIpAddress",
        ),
        (
            route("r", "10.0.0.0/8", "None", json!({"nextHopType": null})),
            "GW-E-route",
            "nextHopType",
        ),
    ];
    for (route, code, member) in cases {
        let findings = try_compile(&[table(vec![route.clone()])]).expect_err("an error");
        assert_eq!(
            told(&findings)[0],
            format!("{code} {place}/{member}"),
            "{route}"
        );
    }
    let bad_space = vnet(json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10/8"]}}));
    let findings = try_compile(&[nsg(vec![]), bad_space]).expect_err("an error");
    let expected = "InvalidAddressPrefixFormat 1/properties/addressSpace/addressPrefixes/1";
    assert_eq!(told(&findings)[0], expected);
}

#[test]
fn two_rules_of_one_direction_and_priority_conflict() {
    let inbound = json!({"direction": "Inbound"});
    let fine = nsg(vec![rule("a", json!({})), rule("b", inbound.clone())]);
    assert!(try_compile(&[fine]).is_ok());
    let clash = nsg(vec![rule("a", inbound.clone()), rule("b", inbound)]);
    let findings = try_compile(&[clash]).expect_err("a conflict");
    let expected = "SecurityRuleConflict 0/properties/securityRules/1/properties/priority";
    assert_eq!(told(&findings)[0], expected);
    let message = &findings[0].diagnostic.message;
    assert!(
        message.starts_with("Security rule b conflicts with rule a."),
        "{message}"
    );
}

#[test]
fn what_is_not_evaluated_is_a_warning() {
    let rules = vec![
        rule(
            "tag",
            json!({"destinationAddressPrefix": "Storage.WestEurope"}),
        ),
        rule(
            "manager",
            json!({
                "priority": 101, "direction": "Inbound", "sourceAddressPrefix": "GatewayManager",
            }),
        ),
        rule(
            "asg",
            json!({
                "priority": 102, "destinationAddressPrefix": null,
                "destinationApplicationSecurityGroups": [reference("applicationSecurityGroups/a")],
            }),
        ),
        rule(
            "number",
            json!({"priority": 103, "destinationAddressPrefix": "789"}),
        ),
    ];
    let routes = vec![route("apps", "AppService", "Internet", json!({}))];
    let subnets = json!([subnet(
        "s",
        "10.0.0.0/24",
        json!({
            "networkSecurityGroup": reference("networkSecurityGroups/nsg"),
            "routeTable": reference("routeTables/rt"),
        })
    )]);
    let network = compiled(&[nsg(rules), table(routes), vnet(json!({"subnets": subnets}))]);
    let expected = [
        "GW-W-not-evaluated 0/properties/securityRules/0",
        "GW-W-not-evaluated 0/properties/securityRules/2",
        "GW-W-network-value 0/properties/securityRules/3/properties/destinationAddressPrefix",
        "GW-W-not-evaluated 0/properties/securityRules/3",
        "GW-W-not-evaluated 1/properties/routes/0/properties/addressPrefix",
    ];
    assert_eq!(told(&network.findings), expected);
    let policy = &network.policy;
    let verdict = policy.evaluate(&flow(policy, "10.0.1.4", 80));
    let decision = verdict.outbound.decision().expect("a decision");
    let named: Vec<&str> = decision.undecided.rules().map(|rule| &*rule.name).collect();
    assert_eq!(named, ["tag", "asg", "number"]);
    assert!(verdict.is_allowed() && !decision.is_certain());
}

#[test]
fn peers_are_in_the_policy_once_they_are_connected() {
    let peering = |more: Value| {
        let base = json!({
            "peeringState": "Connected",
            "remoteVirtualNetwork": reference("virtualNetworks/other"),
        });
        json!([{"name": "p", "properties": merged(base, more)}])
    };
    let other = json!({
        "id": id("virtualNetworks/other"),
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
        "subnets": [{"name": "far", "addressPrefix": "10.1.0.0/24"}],
    });
    let policy = |more: Value| {
        let home = vnet(json!({"virtualNetworkPeerings": peering(more)}));
        let network = compiled(&[home, other.clone()]);
        (
            outcome(&network.policy, "10.1.0.4", 80),
            told(&network.findings),
        )
    };
    let space = json!({"addressPrefixes": ["10.1.0.0/24"]});
    assert_eq!(policy(json!({})).0, "allowed", "the other's own space");
    assert_eq!(policy(json!({"remoteAddressSpace": space})).0, "allowed");
    let (result, findings) = policy(json!({"peeringState": "Disconnected"}));
    assert_eq!(result, "dropped by ");
    let place = "0/properties/virtualNetworkPeerings/0/properties/peeringState";
    assert_eq!(findings, [format!("GW-W-peering {place}")]);
    let home = vnet(json!({"virtualNetworkPeerings": peering(json!({}))}));
    let network = compiled(&[home, other]);
    let peer = &network.policy.networks()[0].peers[0];
    assert!(peer.in_tag);
    let verdict = network
        .policy
        .evaluate(&flow(&network.policy, "10.1.0.4", 80));
    let Gate::Open(far) = verdict.inbound else {
        panic!("{verdict:?}");
    };
    assert_eq!(far.name, "far");
}

#[test]
fn a_virtual_network_gateway_shows_in_its_subnet_or_in_a_peering() {
    let beyond = |more: Value| compiled(&[vnet(more)]).policy.networks()[0].beyond;
    assert_eq!(beyond(json!({})), Beyond::Nothing);
    let subnets = json!([subnet("gatewaysubnet", "10.0.9.0/27", json!({}))]);
    assert_eq!(beyond(json!({"subnets": subnets})), Beyond::OnPremises);
    let peerings = json!([{"name": "p", "useRemoteGateways": true,
                           "remoteAddressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}]);
    assert_eq!(
        beyond(json!({"virtualNetworkPeerings": peerings})),
        Beyond::OnPremises
    );
    let servers = json!({"dnsServers": ["10.0.0.53", "dns"]});
    let network = compiled(&[vnet(json!({"dhcpOptions": servers}))]);
    let expected = ["GW-W-network-value 0/properties/dhcpOptions/dnsServers/1"];
    assert_eq!(told(&network.findings), expected);
    let servers = &network.policy.networks()[0].dns_servers;
    assert_eq!(servers, &["10.0.0.53".parse::<IpAddr>().unwrap()]);
}

#[test]
fn subnets_without_their_network_share_one_that_is_made_up() {
    let group = reference("networkSecurityGroups/nsg");
    let own = subnet("s", "10.0.0.0/24", json!({"networkSecurityGroup": group}));
    let documents = [own, subnet("b", "10.0.1.0/24", json!({})), nsg(vec![])];
    let network = compiled(&documents);
    assert_eq!(told(&network.findings), ["GW-W-network-missing 0"]);
    let policy = &network.policy;
    assert_eq!(policy.networks().len(), 1);
    assert_eq!(policy.networks()[0].name, "v");
    assert_eq!(outcome(policy, "10.0.1.4", 80), "allowed");
    assert_eq!(
        outcome(policy, "10.200.0.4", 80),
        "allowed",
        "perhaps in the same network"
    );
    let route = policy.evaluate(&flow(policy, "10.200.0.4", 80)).route;
    assert_eq!(
        route.map(|found| found.route.source),
        Some(RouteSource::Assumed)
    );
}

#[test]
fn what_is_given_twice_counts_once() {
    let same = subnet("s", "10.0.0.0/24", json!({}));
    let network = compiled(&[vnet(json!({})), same]);
    assert_eq!(
        network.findings,
        [],
        "as `vnet show` and `subnet show` tell it"
    );
    assert_eq!(network.policy.subnets().len(), 2);
    let other = subnet("s", "10.0.3.0/24", json!({}));
    let deny = nsg(vec![rule("r", json!({}))]);
    let documents = [
        vnet(json!({})),
        vnet(json!({})),
        other,
        nsg(vec![]),
        deny,
        table(vec![]),
        table(vec![]),
    ];
    let network = compiled(&documents);
    let expected = [
        "GW-W-network-twice 1",
        "GW-W-network-twice 2",
        "GW-W-network-twice 4",
        "GW-W-network-twice 6",
    ];
    assert_eq!(told(&network.findings), expected);
    assert_eq!(network.policy.groups().len(), 1);
}

#[test]
fn a_template_s_resources_find_each_other_by_name() {
    let to = |kind: &str, name: &str| {
        let id = format!("[resourceId('Microsoft.Network/{kind}', '{name}')]");
        json!({ "id": id })
    };
    let properties = |item: Value| item["properties"].clone();
    let for_port = |port: &str, priority: i32| {
        let changes = json!({ "destinationPortRange": port, "priority": priority });
        rule("x", changes)
    };
    let template = json!({"resources": [
        {
            "type": "Microsoft.Network/virtualNetworks", "name": "v",
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "s", "properties": {
                    "addressPrefix": "10.0.0.0/24",
                    "networkSecurityGroup": to("networkSecurityGroups", "nsg"),
                    "routeTable": to("routeTables", "rt"),
                }}],
            },
            "resources": [{"type": "subnets", "name": "b",
                           "properties": {"addressPrefix": "10.0.1.0/24"}}],
        },
        {"type": "Microsoft.Network/networkSecurityGroups", "name": "nsg",
         "properties": {"securityRules": [rule("r", json!({"destinationPortRange": "81"}))]}},
        {"type": "Microsoft.Network/networkSecurityGroups/securityRules", "name": "nsg/r",
         "properties": rule("r", json!({"destinationPortRange": "81"}))["properties"]},
        {"type": "Microsoft.Network/networkSecurityGroups/securityRules", "name": "nsg/more",
         "properties": properties(for_port("82", 200))},
        {"type": "Microsoft.Network/networkSecurityGroups/securityRules", "name": "lost/more",
         "properties": rule("x", json!({}))["properties"]},
        {"type": "Microsoft.Network/routeTables", "name": "rt", "properties": {"routes": []}},
        {"type": "Microsoft.Network/routeTables/routes", "name": "rt/hole",
         "properties": route("x", "10.0.1.9", "None", json!({}))["properties"]},
        {"type": "Microsoft.Network/routeTables/routes", "name": "lost/hole",
         "properties": route("x", "10.0.1.9", "None", json!({}))["properties"]},
    ]});
    let network = compiled(&[template]);
    let expected = [
        "GW-W-network-missing 0/resources/4",
        "GW-W-network-missing 0/resources/7",
    ];
    assert_eq!(told(&network.findings), expected);
    let policy = &network.policy;
    assert_eq!(policy.subnets().len(), 2);
    assert_eq!(outcome(policy, "10.0.1.4", 80), "allowed");
    assert_eq!(outcome(policy, "10.0.1.4", 81), "r at s");
    assert_eq!(outcome(policy, "10.0.1.4", 82), "more at s");
    assert_eq!(outcome(policy, "10.0.1.9", 80), "dropped by hole");
    let backend = policy
        .subnets()
        .iter()
        .find(|subnet| subnet.name.ends_with('b'));
    assert_eq!(
        backend.map(|subnet| &subnet.security_group),
        Some(&Attachment::None)
    );
}

#[test]
fn no_documents_make_an_empty_policy() {
    let network = compile_network(&[], &[]).expect("a policy");
    assert!(network.findings.is_empty() && network.policy.subnets().is_empty());
}

#[test]
fn the_management_ports_of_a_public_case_are_denied() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/cases/15-v1-management-ports-denied-health-unknown");
    let Ok(text) = std::fs::read(folder.join("gateway.json")) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let gateways = read_gateways_text(&text).expect("a gateway").gateways;
    let documents = ["subnet.json", "nsgs.json"].map(|name| {
        let text = std::fs::read(folder.join(name)).expect(name);
        read_network_text(&text).expect(name).resources
    });
    let network = compile_network(&documents, &gateways).expect("a policy");
    let policy = &network.policy;
    let subnet = policy
        .gateway_subnet(GatewayIndex::new(0))
        .expect("a subnet");
    let ports = policy.management_ports(subnet, Generation::V1);
    let ManagementPorts::Denied { group, rule, .. } = ports else {
        panic!("{ports:?}");
    };
    assert_eq!(group.name, "nsg-appgw");
    println!("{} ({}) denies", rule.name, rule.priority);
    let found = policy.default_route(subnet).expect("a route");
    assert!(found.leads_to_internet());
}

#[test]
fn a_rule_keeps_its_access_and_its_protocol() {
    let protocols = ["Tcp", "UDP", "icmp", "Esp", "Ah", "*"];
    let rules = (100..).zip(protocols).map(|(priority, protocol)| {
        let more = json!({"priority": priority, "protocol": protocol, "access": "Allow"});
        rule(protocol, more)
    });
    let network = compiled(&[nsg(rules.collect()), vnet(json!({}))]);
    let group = &network.policy.groups()[0];
    let outbound = group.rules(Direction::Outbound).iter();
    let custom = outbound.filter(|rule| !rule.is_default);
    let found: Vec<_> = custom.map(|rule| (rule.access, rule.protocol)).collect();
    let expected = [
        Some(Protocol::Tcp),
        Some(Protocol::Udp),
        Some(Protocol::Icmp),
        Some(Protocol::Esp),
        Some(Protocol::Ah),
        None,
    ];
    assert_eq!(found, expected.map(|protocol| (Access::Allow, protocol)));
}

#[test]
fn a_route_may_lead_to_several_appliances() {
    let more = json!({"nextHop": {"nextHopIpAddresses": ["10.0.9.4", "10.0.9.5"]}});
    let routes = vec![route("r", "10.0.1.0/24", "VirtualApplianceEcmp", more)];
    let network = compiled(&[table(routes), vnet(json!({}))]);
    let routes = network.policy.route_tables()[0].routes();
    let both = ["10.0.9.4", "10.0.9.5"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(routes[0].next_hop, NextHop::VirtualAppliance(both.to_vec()));
}

#[test]
fn a_route_or_rule_inside_its_parent_counts_before_one_that_stands_alone() {
    let mut alone = route("r", "10.0.1.0/24", "Internet", json!({}));
    alone["id"] = json!(id("routeTables/rt/routes/R"));
    let inside = table(vec![route("r", "10.0.1.0/24", "None", json!({}))]);
    let network = compiled(&[alone, inside, vnet(json!({}))]);
    let routes = network.policy.route_tables()[0].routes();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].next_hop, NextHop::None);
}

#[test]
fn a_peering_s_own_word_on_the_other_s_space_counts_first_and_it_may_stand_alone() {
    let peering = json!({
        "name": "p",
        "id": id("virtualNetworks/v/virtualNetworkPeerings/p"),
        "properties": {
            "remoteVirtualNetwork": {"id": id("virtualnetworks/other/")},
            "remoteAddressSpace": {"addressPrefixes": ["10.2.0.0/16"]},
            "allowVirtualNetworkAccess": false,
        },
    });
    let other = json!({
        "id": id("virtualNetworks/other"),
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
    });
    let both = json!({"addressPrefix": "10.0.0.0/24", "addressPrefixes": ["10.0.0.0/24"]});
    let subnets = json!([subnet("s", "10.0.0.0/24", both)]);
    let network = compiled(&[peering, vnet(json!({"subnets": subnets})), other]);
    assert_eq!(network.findings, []);
    let [home, remote] = network.policy.networks() else {
        panic!("{:?}", network.policy.networks());
    };
    let peer = &home.peers[0];
    assert_eq!(peer.address_space, ["10.2.0.0/16".parse().unwrap()]);
    assert_eq!(peer.resource_id, remote.resource_id, "in one spelling");
    assert!(!peer.in_tag);
    assert_eq!(network.policy.subnets()[0].prefixes.len(), 1);
}

#[test]
fn a_subnet_that_is_delegated_to_gateways_isolates_them() {
    let isolates = |service: &str| {
        let delegation = json!({"name": "0", "id": "/x", "etag": "e", "type": "t", "properties": {
            "provisioningState": "Succeeded", "serviceName": service, "actions": [],
        }});
        let subnet = json!({"name": "s", "properties": {
            "addressPrefix": "10.0.0.0/24", "delegations": [delegation],
        }});
        let compiled = compiled(&[vnet(json!({"subnets": [subnet]}))]);
        compiled.policy.subnets()[0].isolates_gateways
    };
    assert!(isolates("Microsoft.network/ApplicationGateways"));
    assert!(!isolates("Microsoft.Web/serverFarms"));
}
