//! What the experiment writes.

use anyhow::Context;
use serde_json::{Value, json};

use super::client::Client;
use crate::gateway_json::{big_gateway, more_addresses};

pub(super) const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-4000-8000-000000000001";
const NETWORK: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/bench\
                       /providers/Microsoft.Network";
const SUBNET: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/bench\
                      /providers/Microsoft.Network/virtualNetworks/bench/subnets/gateway";

/// The port of every gateway's listeners.
pub(super) const PORT: u16 = 8400;

/// The host that the changed gateway redirects.
pub(super) const REDIRECTED_HOST: &str = "site000.example.com";

/// The private address of the gateway that is changed.
pub(super) const BIG_ADDRESS: [u8; 4] = [10, 0, 200, 10];

pub(super) fn gateway_path(name: &str) -> String {
    format!("{NETWORK}/applicationGateways/{name}")
}

pub(super) fn small_name(number: usize) -> String {
    format!("small-{number:04}")
}

/// A group, and a network whose subnet has room for all gateways, and which the servers are in.
pub(super) fn make_network(client: &mut Client) -> anyhow::Result<()> {
    let group = format!("{SUBSCRIPTION}/resourceGroups/bench");
    client.put(&group, &json!({"location": "local"}).to_string())?;
    let network = json!({"location": "local", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
        "subnets": [{"name": "gateway", "properties": {
            "addressPrefix": "10.0.0.0/16",
            // Its gateways have no public address.
            "delegations": [{"name": "d", "properties": {
                "serviceName": "Microsoft.Network/applicationGateways",
            }}],
        }}],
    }});
    let operation = client.put(
        &format!("{NETWORK}/virtualNetworks/bench"),
        &network.to_string(),
    )?;
    client.finish(&operation)
}

/// Pools of the gateway that is changed, and servers of each.
const POOLS: usize = 20;
const POOL_SERVERS: usize = 4;

/// The addresses of all servers.
pub(super) fn servers() -> Vec<String> {
    more_addresses(POOLS * POOL_SERVERS)
}

/// A gateway with so many listeners, the first of which redirects to `target`.
pub(super) fn big(listeners: usize, target: &str) -> Value {
    let mut body = placed(
        "big",
        big_gateway(listeners, 4, POOLS, POOL_SERVERS),
        BIG_ADDRESS,
    );
    let redirect = format!("{}/redirectConfigurations/moved", gateway_path("big"));
    let properties = &mut body["properties"];
    properties["redirectConfigurations"] = json!([{"name": "moved", "properties": {
        "redirectType": "Found", "targetUrl": target,
    }}]);
    let rule = &mut properties["requestRoutingRules"][0]["properties"];
    *rule = json!({
        "ruleType": "Basic",
        "priority": rule["priority"],
        "httpListener": rule["httpListener"],
        "redirectConfiguration": {"id": redirect},
    });
    body
}

/// A gateway with one listener; `version` makes it another one each time.
pub(super) fn small(number: usize, version: u64) -> Value {
    // Beside the addresses that a subnet keeps, and the changed gateway's.
    let third = u8::try_from(1 + number / 200).unwrap_or(u8::MAX);
    let fourth = u8::try_from(10 + number % 200).unwrap_or(u8::MAX);
    let address = [10, 0, third, fourth];
    let mut body = placed(&small_name(number), big_gateway(1, 1, 1, 1), address);
    body["tags"] = json!({"version": version.to_string()});
    body["properties"]["backendHttpSettingsCollection"][0]["properties"]["requestTimeout"] =
        json!(20 + version % 60);
    body
}

/// The gateway under this name, with a private frontend at this address.
fn placed(name: &str, gateway: Value, address: [u8; 4]) -> Value {
    let own = gateway["id"].as_str().unwrap_or_default().to_owned();
    let text = gateway.to_string().replace(&own, &gateway_path(name));
    let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
    let [a, b, c, d] = address;
    let properties = &mut body["properties"];
    properties["gatewayIPConfigurations"][0]["properties"] = json!({"subnet": {"id": SUBNET}});
    properties["frontendIPConfigurations"][0]["properties"] = json!({
        "privateIPAddress": format!("{a}.{b}.{c}.{d}"),
        "privateIPAllocationMethod": "Static",
        "subnet": {"id": SUBNET},
    });
    properties["frontendPorts"][0]["properties"] = json!({"port": PORT});
    json!({"location": "local", "properties": body["properties"]})
}

/// The first word of a line that begins so.
pub(super) fn word_after(text: &str, beginning: &str) -> anyhow::Result<String> {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_prefix(beginning));
    let word = line.and_then(|line| line.split_whitespace().next());
    Ok(word
        .with_context(|| format!("no line begins with {beginning}"))?
        .to_owned())
}
