//! What no recording can say: connections that a network watcher is asked to try are made in truth,
//! to the stand-ins that the node was given.

use std::net::TcpListener;
use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::{Value, json};

use crate::compare::RECORDED_SUBSCRIPTION;
use crate::node::Node;

const GROUP: &str = "rg1";

const PATIENCE: Duration = Duration::from_secs(10);

fn path(resource: &str) -> String {
    format!("/subscriptions/{RECORDED_SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{resource}")
}

fn net(resource: &str) -> String {
    path(&format!("Microsoft.Network/{resource}"))
}

async fn put(node: &Node, path: &str, body: &Value) {
    let target = format!("{path}?api-version=2024-05-01");
    let answer = node.send("PUT", &target, &body.to_string()).await;
    assert!(
        matches!(answer.status, 200 | 201),
        "{path}: {}",
        answer.body
    );
    if let Some(link) = header(&answer.headers, "azure-asyncoperation") {
        let end = node.poll(link).await.body;
        assert!(end.contains("Succeeded"), "{path}: {end}");
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str())
}

/// vm1 at 10.0.0.4 and vm2 at 10.0.1.4, whose subnet has a security group.
async fn furnish(node: &Node) {
    let group = format!("/subscriptions/{RECORDED_SUBSCRIPTION}/resourceGroups/{GROUP}");
    put(node, &group, &json!({"location": "local"})).await;
    let rule = json!({"name": "no-ssh", "properties": {
        "access": "Deny", "direction": "Inbound", "priority": 100, "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22",
    }});
    let rules = json!({"location": "local", "properties": {"securityRules": [rule]}});
    put(node, &net("networkSecurityGroups/nsg1"), &rules).await;
    let guard = json!({"id": net("networkSecurityGroups/nsg1")});
    let network = json!({"location": "local", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [
            {"name": "front", "properties": {"addressPrefix": "10.0.0.0/24"}},
            {"name": "back", "properties": {
                "addressPrefix": "10.0.1.0/24", "networkSecurityGroup": guard,
            }},
        ],
    }});
    put(node, &net("virtualNetworks/net1"), &network).await;
    for (name, subnet) in [("vm1", "front"), ("vm2", "back")] {
        let interface = net(&format!("networkInterfaces/{name}"));
        let subnet = net(&format!("virtualNetworks/net1/subnets/{subnet}"));
        let body = json!({"location": "local", "properties": {"ipConfigurations": [
            {"name": "ip", "properties": {"subnet": {"id": subnet}}},
        ]}});
        put(node, &interface, &body).await;
        let machine = path(&format!("Microsoft.Compute/virtualMachines/{name}"));
        let body = json!({"location": "local", "properties": {
            "networkProfile": {"networkInterfaces": [{"id": interface}]},
        }});
        put(node, &machine, &body).await;
    }
}

async fn check(node: &Node, destination: &Value, more: &[(&str, Value)]) -> Value {
    let mut question = json!({
        "source": {"resourceId": path("Microsoft.Compute/virtualMachines/vm1")},
        "destination": destination,
    });
    for (name, value) in more {
        question[*name] = value.clone();
    }
    let target = format!(
        "/subscriptions/{RECORDED_SUBSCRIPTION}/resourceGroups/NetworkWatcherRG/providers/\
         Microsoft.Network/networkWatchers/NetworkWatcher_local/connectivityCheck\
         ?api-version=2022-01-01"
    );
    let begun = node.send("POST", &target, &question.to_string()).await;
    assert_eq!((begun.status, &*begun.body), (202, "null"));
    let link = header(&begun.headers, "location").expect("a Location");
    let answer = node.poll(link).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn only_issue(answer: &Value) -> &Value {
    let hops = answer["hops"].as_array().unwrap();
    let mut all = hops
        .iter()
        .flat_map(|hop| hop["issues"].as_array().unwrap());
    let first = all.next().unwrap_or_else(|| panic!("no issue: {answer:#}"));
    assert_eq!(all.next(), None, "{answer:#}");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_tried_where_the_node_is_told_that_addresses_are() {
    let backend = Backend::start(Manners::text("well")).await.unwrap();
    let refusing = closed_port();
    let maps = [
        format!("10.0.1.4:80={}", backend.address()),
        format!("10.0.1.4:22={}", backend.address()),
        format!("10.0.1.4:81=127.0.0.1:{refusing}"),
        format!("www.shop.test={}", backend.address()),
    ];
    let arguments: Vec<&str> = maps
        .iter()
        .flat_map(|map| ["--map", map.as_str()])
        .collect();
    let node = Node::start_with(&arguments).await;
    furnish(&node).await;
    let to = |port: u16| json!({"address": "10.0.1.4", "port": port});

    let answer = check(&node, &to(80), &[]).await;
    assert_eq!(answer["connectionStatus"], "Reachable", "{answer:#}");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(10), &json!(0))
    );
    assert!(answer["avgLatencyInMs"].is_u64());
    // The backend may take the last one a moment later.
    assert!(backend.wait_for_connections(10, PATIENCE).await);
    assert_eq!(
        backend.request_count(),
        0,
        "it was connected to, and not asked"
    );

    let answer = check(&node, &to(81), &[]).await;
    assert_eq!(answer["connectionStatus"], "Unreachable", "{answer:#}");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(10), &json!(10))
    );
    let why = only_issue(&answer)["context"][0]["value"].as_str().unwrap();
    assert!(why.contains("refused"), "{why}");

    // What the network drops is not tried, though it listens.
    let answer = check(&node, &to(22), &[]).await;
    assert_eq!(answer["connectionStatus"], "Unreachable", "{answer:#}");
    let rule = json!([{"key": "RuleName", "value": "UserRule_no-ssh"}]);
    assert_eq!(only_issue(&answer)["context"], rule);
    assert_eq!(backend.connections(), 10);

    // A request, with its headers, to a name that has a stand-in.
    let named = json!({"address": "http://www.Shop.test/health", "port": 80});
    let configuration = |status: u16| {
        json!({"HTTPConfiguration": {
            "method": "Get",
            "headers": [{"name": "X-Trace", "value": "seven"}],
            "validStatusCodes": [status],
        }})
    };
    let answer = check(
        &node,
        &named,
        &[("protocolConfiguration", configuration(200))],
    )
    .await;
    assert_eq!(answer["connectionStatus"], "Reachable", "{answer:#}");
    let asked = backend.requests();
    assert_eq!(asked.len(), 1);
    let text = format!("{:?}", asked[0]).to_ascii_lowercase();
    for part in ["www.shop.test", "/health", "x-trace", "seven"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let answer = check(
        &node,
        &named,
        &[("protocolConfiguration", configuration(204))],
    )
    .await;
    assert_eq!(answer["connectionStatus"], "Unreachable", "{answer:#}");
    let why = only_issue(&answer)["context"][0]["value"].as_str().unwrap();
    assert!(why.contains("200"), "{why}");
    assert!(backend.violations().is_empty());

    // A name that nobody knows.
    let nobody = json!({"address": "nobody.invalid", "port": 80});
    let answer = check(&node, &nobody, &[]).await;
    assert_eq!(only_issue(&answer)["type"], "DnsResolution");
}

/// A port that nobody listens at.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
