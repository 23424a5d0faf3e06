//! What network watchers say of single packets, and which questions they refuse.

mod support;
mod watching;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{LOCATION, StandIns, net};
use watching::{ask, denial, guard, machine_path, network, refusal, route, site_with, to_address};

fn next_hop(to: &str) -> Value {
    json!({
        "targetResourceId": machine_path("vm1"),
        "sourceIPAddress": "10.0.0.4",
        "destinationIPAddress": to,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_hop_is_that_of_the_effective_route() {
    let (site, _) = site_with(StandIns::default()).await;
    let (path, body) = network("net2", "10.2.0.0/16", &[]);
    site.api.create(&path, &body).await;
    for (own, other) in [("net1", "net2"), ("net2", "net1")] {
        let path = net(&format!("virtualNetworks/{own}/virtualNetworkPeerings/p"));
        let remote = json!({"id": net(&format!("virtualNetworks/{other}"))});
        let body = json!({"properties": {"remoteVirtualNetwork": remote}});
        site.api.create(&path, &body).await;
    }
    let system = "System Route";
    let cases = [
        // Recorded.
        ("10.0.0.6", "VirtualNetwork"),
        ("10.2.0.4", "VirtualNetworkPeering"),
        ("198.51.100.1", "Internet"),
        ("10.9.0.1", "None"),
    ];
    for (to, kind) in cases {
        let answer = ask(&site.api, "nextHop", &next_hop(to)).await;
        assert_eq!(
            answer,
            json!({"nextHopType": kind, "routeTableId": system}),
            "{to}"
        );
    }
    let by_appliance = json!({
        "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.0.0.9",
    });
    route(&site.api, by_appliance).await;
    let answer = ask(&site.api, "nextHop", &next_hop("198.51.100.1")).await;
    let expected = json!({
        "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.9",
        "routeTableId": net("routeTables/rt1"),
    });
    assert_eq!(answer, expected);
    let answer = ask(&site.api, "nextHop", &next_hop("10.0.1.4")).await;
    assert_eq!(
        answer["routeTableId"], system,
        "the table does not cover it"
    );
    let mut question = next_hop("10.0.1.4");
    question["targetNicResourceId"] = json!(net("networkInterfaces/vm1nic"));
    ask(&site.api, "nextHop", &question).await;
    question["targetNicResourceId"] = json!(net("networkInterfaces/vm2nic"));
    refusal(&site.api, "nextHop", &question)
        .await
        .refused("GW-E-network-watcher");
}

fn flow(direction: &str, local_port: &str, remote: &str, remote_port: &str) -> Value {
    json!({
        "targetResourceId": machine_path("vm1"),
        "direction": direction,
        "protocol": "TCP",
        "localIPAddress": "10.0.0.4",
        "localPort": local_port,
        "remoteIPAddress": remote,
        "remotePort": remote_port,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_verified_against_both_groups() {
    let (site, _) = site_with(StandIns::default()).await;
    let verify = async |question: Value| ask(&site.api, "ipFlowVerify", &question).await;
    let open = verify(flow("Inbound", "80", "12.11.12.14", "*")).await;
    assert_eq!(
        open,
        json!({"access": "Allow"}),
        "there is no group, so no rule"
    );
    guard(
        &site.api,
        "networkInterfaces/vm1nic",
        denial("Outbound", "80"),
    )
    .await;
    // Recorded.
    let inbound = verify(flow("Inbound", "12100", "12.11.12.14", "80")).await;
    let denied = json!({
        "access": "Deny", "ruleName": "defaultSecurityRules/DenyAllInBound", "ruleId": "",
    });
    assert_eq!(inbound, denied);
    let outbound = verify(flow("Outbound", "*", "100.1.2.3", "443")).await;
    let allowed = json!({
        "access": "Allow", "ruleName": "defaultSecurityRules/AllowInternetOutBound", "ruleId": "",
    });
    assert_eq!(outbound, allowed);
    let web = verify(flow("Outbound", "*", "100.1.2.3", "80")).await;
    assert_eq!(
        (&web["access"], &web["ruleName"]),
        (&json!("Deny"), &json!("securityRules/no-web"))
    );
    let id = net("networkSecurityGroups/nsg1/securityRules/no-web");
    assert_eq!(web["ruleId"], id);
    // From within the network it may come, at the interface; the subnet's group says no.
    let near = verify(flow("Inbound", "443", "10.0.1.4", "*")).await;
    assert_eq!(near["ruleName"], "defaultSecurityRules/AllowVnetInBound");
    let body = json!({"location": LOCATION, "properties": {"securityRules": [
        {"name": "at-subnet", "properties": denial("Inbound", "443")},
    ]}});
    let other = net("networkSecurityGroups/nsg2");
    site.api.create(&other, &body).await;
    let place = net("virtualNetworks/net1/subnets/front");
    let mut body = site.api.get(&place).await.body;
    body["properties"]["networkSecurityGroup"] = json!({ "id": other });
    site.api.create(&place, &body).await;
    let near = verify(flow("Inbound", "443", "10.0.1.4", "*")).await;
    assert_eq!(
        (&near["access"], &near["ruleName"]),
        (&json!("Deny"), &json!("securityRules/at-subnet"))
    );
    let mut question = flow("Inbound", "443", "10.0.1.4", "*");
    question["protocol"] = json!("udp");
    assert_eq!(
        verify(question).await["access"],
        "Allow",
        "the rule is for TCP"
    );
}

/// What is asked, where a good question is changed, what stands there then, and the refusal.
const REFUSED: &[&str] = &[
    "connectivityCheck /source/resourceId FAR missing",
    "connectivityCheck /source/resourceId ELSEWHERE missing",
    "connectivityCheck /source/resourceId NETWORK own",
    "connectivityCheck /source/resourceId vm1 own",
    "connectivityCheck /source/resourceId null format",
    "connectivityCheck /destination/address 10.0.0.256 own",
    "connectivityCheck /destination/address a|b own",
    "connectivityCheck /destination/address null own",
    "connectivityCheck /destination/port 0 own",
    "connectivityCheck /destination/port null own",
    "connectivityCheck /destination/port 70000 format",
    "connectivityCheck /destination/resourceId FAR missing",
    "connectivityCheck /protocol Icmp own",
    "connectivityCheck /protocol Sctp format",
    "nextHop /targetResourceId FAR missing",
    "nextHop /targetResourceId ELSEWHERE missing",
    "nextHop /sourceIPAddress 10.0.0.5 own",
    "nextHop /sourceIPAddress x own",
    "nextHop /destinationIPAddress 10.0.0 own",
    "nextHop /destinationIPAddress null format",
    "ipFlowVerify /targetResourceId GATEWAY own",
    "ipFlowVerify /localIPAddress 10.0.0.5 own",
    "ipFlowVerify /remotePort * own",
    "ipFlowVerify /remotePort 65536 own",
    "ipFlowVerify /direction Sideways format",
];

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_are_refused_at_once() {
    let (site, _) = site_with(StandIns::default()).await;
    let api = &site.api;
    let elsewhere = machine_path("elsewhere");
    api.create(&elsewhere, &json!({"location": "westeurope"}))
        .await;
    for row in REFUSED {
        let words: Vec<&str> = row.split(' ').collect();
        let [word, pointer, value, refused] = words[..] else {
            panic!("{row}");
        };
        let mut question = match word {
            "nextHop" => next_hop("10.0.1.4"),
            "ipFlowVerify" => flow("Outbound", "*", "10.0.1.4", "80"),
            _ => to_address("10.0.1.4", 80),
        };
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        question.pointer_mut(parent).unwrap()[name] = match value {
            "null" => Value::Null,
            "FAR" => json!(machine_path("absent")),
            "ELSEWHERE" => json!(elsewhere),
            "NETWORK" => json!(net("virtualNetworks/net1")),
            "GATEWAY" => json!(net("applicationGateways/gw1")),
            text => json!(text.replace('|', " ")),
        };
        let reply = refusal(api, word, &question).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{row}: {reply:#?}");
        reply.refused(match refused {
            "own" => "GW-E-network-watcher",
            "missing" => "InvalidResourceReference",
            _ => "InvalidRequestFormat",
        });
    }
    let path = net("networkWatchers/none/nextHop");
    let reply = api.post(&path, Some(&next_hop("10.0.1.4"))).await;
    reply.refused("ResourceNotFound");
}
