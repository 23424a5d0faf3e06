//! Gateways in the JSON that `az network application-gateway show` prints: the one that the
//! bench serves, and one as large as the service allows.

use serde_json::{Map, Value, json};

use crate::certificates::{Certificates, PFX_PASSWORD};
use crate::engines::Ports;

/// The backend's address in the gateway's own network; `--map` gives it a local stand-in.
pub const GATEWAY_BACKEND: &str = "10.0.1.4:80";

const NETWORK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/bench\
                       /providers/Microsoft.Network";
const GATEWAY_NAME: &str = "bench";
/// What a gateway with nothing unusual configures, so that the measured path is not a toy's.
const LISTENERS: usize = 10;
const PATH_RULES: usize = 50;
/// The paths that the cases ask for; they are the last of the rules.
const CASE_PATHS: [&str; 3] = ["/1k", "/64k", "/post"];

/// Servers of one pool (the service's limit).
const POOL_SERVERS_MAX: usize = 1_200;

/// The gateway that the bench measures: ten listeners (one plain, two TLS, seven by host name)
/// and fifty path rules before one backend. `more_servers`: as many beside it, in pools of their
/// own that path rules lead to, each with the address that [`more_addresses`] gives it.
pub fn bench_gateway(ports: Ports, certificates: &Certificates, more_servers: usize) -> Value {
    let mut paths: Vec<String> = (0..PATH_RULES - CASE_PATHS.len())
        .map(|n| format!("/app{n:02}/*"))
        .collect();
    paths.extend(CASE_PATHS.map(str::to_owned));
    let mut listeners = vec![
        basic_listener("plain", "port-plain", None),
        basic_listener("tls-rsa", "port-tls-rsa", Some("rsa")),
        basic_listener("tls-p256", "port-tls-p256", Some("p256")),
    ];
    for site in listeners.len()..LISTENERS {
        listeners.push(site_listener(site, "port-plain"));
    }
    let servers = more_addresses(more_servers);
    let more_pools: Vec<Vec<String>> = servers
        .chunks(POOL_SERVERS_MAX)
        .map(<[String]>::to_vec)
        .collect();
    let path_rules = path_rules(&paths, |rule| match rule < more_pools.len() {
        true => format!("pool-{}", rule + 1),
        false => "pool-0".to_owned(),
    });
    let certificate = |name: &str, data: &str| {
        item(
            "sslCertificates",
            name,
            json!({ "data": data, "password": PFX_PASSWORD }),
        )
    };
    let (_, port) = GATEWAY_BACKEND.split_once(':').unwrap_or_default();
    gateway(Parts {
        certificates: vec![
            certificate("rsa", &certificates.rsa.pfx_base64),
            certificate("p256", &certificates.p256.pfx_base64),
        ],
        ports: vec![
            ("port-plain", ports.plain),
            ("port-tls-rsa", ports.tls_rsa),
            ("port-tls-p256", ports.tls_p256),
        ],
        pools: std::iter::once(vec![
            GATEWAY_BACKEND
                .trim_end_matches(&format!(":{port}"))
                .to_owned(),
        ])
        .chain(more_pools)
        .collect(),
        backend_port: port.parse().unwrap_or(80),
        path_maps: vec![path_rules],
        listeners,
    })
}

/// A gateway of any size: every listener has a host name and a path map of its own, whose rules
/// take turns over the pools; every pool has this many servers.
pub fn big_gateway(listeners: usize, path_rules: usize, pools: usize, servers: usize) -> Value {
    let pool_of = |number: usize| format!("pool-{}", number % pools.max(1));
    let paths: Vec<String> = (0..path_rules)
        .map(|n| format!("/service{n:03}/v1/*"))
        .collect();
    let map = |listener: usize| self::path_rules(&paths, |rule| pool_of(listener + rule));
    gateway(Parts {
        certificates: Vec::new(),
        ports: vec![("port-plain", 80)],
        pools: (0..pools)
            .map(|pool| addresses(pool * servers, servers))
            .collect(),
        backend_port: 8080,
        path_maps: (0..listeners).map(map).collect(),
        listeners: (0..listeners)
            .map(|site| site_listener(site, "port-plain"))
            .collect(),
    })
}

/// The addresses of a bench gateway's servers beside [`GATEWAY_BACKEND`].
pub fn more_addresses(count: usize) -> Vec<String> {
    addresses(0, count)
}

/// Addresses of the private network 10.0.0.0/8, from 10.1.0.0 on, each once.
fn addresses(first: usize, count: usize) -> Vec<String> {
    let address = |number: usize| {
        let [_, high, middle, low] = ((number + 0x01_0000) as u32).to_be_bytes();
        format!("10.{high}.{middle}.{low}")
    };
    (first..first + count).map(address).collect()
}

struct Parts {
    certificates: Vec<Value>,
    ports: Vec<(&'static str, u16)>,
    pools: Vec<Vec<String>>,
    backend_port: u16,
    listeners: Vec<Value>,
    /// Listener n uses map n; with fewer maps than listeners, the last.
    path_maps: Vec<Vec<Value>>,
}

fn gateway(parts: Parts) -> Value {
    let mut properties = Map::new();
    let sku = json!({ "name": "Standard_v2", "tier": "Standard_v2", "capacity": 2 });
    let policy = json!({ "policyType": "Predefined", "policyName": "AppGwSslPolicy20220101" });
    for (name, value) in [
        ("provisioningState", json!("Succeeded")),
        ("sku", sku),
        ("operationalState", json!("Running")),
    ] {
        properties.insert(name.to_owned(), value);
    }
    for (collection, items) in collections(parts) {
        properties.insert(collection.to_owned(), Value::Array(items));
    }
    properties.insert("sslPolicy".to_owned(), policy);
    json!({
        "name": GATEWAY_NAME,
        "id": format!("{NETWORK}/applicationGateways/{GATEWAY_NAME}"),
        "type": "Microsoft.Network/applicationGateways",
        "location": "westeurope",
        "tags": {},
        "properties": properties,
    })
}

/// The collections in the order of the wire; an export names the empty ones too.
fn collections(parts: Parts) -> Vec<(&'static str, Vec<Value>)> {
    let rules = routing_rules(&parts);
    let subnet = format!("{NETWORK}/virtualNetworks/bench/subnets/gateway");
    let subnet = json!({ "subnet": { "id": subnet } });
    let ports = parts.ports.iter();
    let pools = parts.pools.iter().enumerate();
    let maps = parts.path_maps.into_iter().enumerate();
    vec![
        (
            "gatewayIPConfigurations",
            vec![item("gatewayIPConfigurations", "subnet", subnet)],
        ),
        ("sslCertificates", parts.certificates),
        ("trustedRootCertificates", Vec::new()),
        ("trustedClientCertificates", Vec::new()),
        ("sslProfiles", Vec::new()),
        ("frontendIPConfigurations", vec![frontend()]),
        (
            "frontendPorts",
            ports
                .map(|(name, port)| frontend_port(name, *port))
                .collect(),
        ),
        (
            "backendAddressPools",
            pools.map(|(index, servers)| pool(index, servers)).collect(),
        ),
        ("loadDistributionPolicies", Vec::new()),
        (
            "backendHttpSettingsCollection",
            vec![backend_setting(parts.backend_port)],
        ),
        ("backendSettingsCollection", Vec::new()),
        ("httpListeners", parts.listeners),
        ("listeners", Vec::new()),
        (
            "urlPathMaps",
            maps.map(|(index, rules)| path_map(index, rules)).collect(),
        ),
        ("requestRoutingRules", rules),
        ("routingRules", Vec::new()),
        ("probes", Vec::new()),
        ("rewriteRuleSets", Vec::new()),
        ("redirectConfigurations", Vec::new()),
        ("privateLinkConfigurations", Vec::new()),
        ("privateEndpointConnections", Vec::new()),
    ]
}

fn routing_rules(parts: &Parts) -> Vec<Value> {
    let last_map = parts.path_maps.len().saturating_sub(1);
    let rule = |(index, listener): (usize, &Value)| {
        let map = format!("map-{}", index.min(last_map));
        routing_rule(index, listener["id"].clone(), &map)
    };
    parts.listeners.iter().enumerate().map(rule).collect()
}

fn id(collection: &str, name: &str) -> String {
    format!("{NETWORK}/applicationGateways/{GATEWAY_NAME}/{collection}/{name}")
}

fn reference(collection: &str, name: &str) -> Value {
    json!({ "id": id(collection, name) })
}

fn item(collection: &str, name: &str, properties: Value) -> Value {
    json!({
        "name": name,
        "id": id(collection, name),
        "type": format!("Microsoft.Network/applicationGateways/{collection}"),
        "properties": properties,
    })
}

fn frontend() -> Value {
    let public_ip = format!("{NETWORK}/publicIPAddresses/bench");
    let properties = json!({
        "privateIPAllocationMethod": "Dynamic",
        "publicIPAddress": { "id": public_ip },
    });
    item("frontendIPConfigurations", "public", properties)
}

fn frontend_port(name: &str, port: u16) -> Value {
    item("frontendPorts", name, json!({ "port": port }))
}

fn pool(index: usize, servers: &[String]) -> Value {
    let servers: Vec<Value> = servers
        .iter()
        .map(|address| json!({ "ipAddress": address }))
        .collect();
    item(
        "backendAddressPools",
        &format!("pool-{index}"),
        json!({ "backendAddresses": servers }),
    )
}

fn backend_setting(port: u16) -> Value {
    let properties = json!({
        "port": port,
        "protocol": "Http",
        "cookieBasedAffinity": "Disabled",
        "pickHostNameFromBackendAddress": false,
        "requestTimeout": 30,
    });
    item("backendHttpSettingsCollection", "setting", properties)
}

fn basic_listener(name: &str, port: &str, certificate: Option<&str>) -> Value {
    let protocol = if certificate.is_some() {
        "Https"
    } else {
        "Http"
    };
    let mut properties = json!({
        "frontendIPConfiguration": reference("frontendIPConfigurations", "public"),
        "frontendPort": reference("frontendPorts", port),
        "protocol": protocol,
        "hostNames": [],
        "requireServerNameIndication": false,
    });
    if let Some(certificate) = certificate {
        properties["sslCertificate"] = reference("sslCertificates", certificate);
    }
    item("httpListeners", name, properties)
}

fn site_listener(site: usize, port: &str) -> Value {
    let mut listener = basic_listener(&format!("site-{site}"), port, None);
    listener["properties"]["hostName"] = json!(format!("site{site:03}.example.com"));
    listener
}

fn path_rules(paths: &[String], pool_of: impl Fn(usize) -> String) -> Vec<Value> {
    let rule = |(index, path): (usize, &String)| {
        let properties = json!({
            "paths": [path],
            "backendAddressPool": reference("backendAddressPools", &pool_of(index)),
            "backendHttpSettings": reference("backendHttpSettingsCollection", "setting"),
        });
        // The id depends on the map, which sets it when it takes the rule in.
        json!({ "name": format!("path-{index}"), "properties": properties })
    };
    paths.iter().enumerate().map(rule).collect()
}

fn path_map(index: usize, mut rules: Vec<Value>) -> Value {
    let name = format!("map-{index}");
    for rule in &mut rules {
        let rule_name = rule["name"].as_str().unwrap_or_default().to_owned();
        rule["id"] = json!(id("urlPathMaps", &format!("{name}/pathRules/{rule_name}")));
        rule["type"] = json!("Microsoft.Network/applicationGateways/urlPathMaps/pathRules");
    }
    let properties = json!({
        "defaultBackendAddressPool": reference("backendAddressPools", "pool-0"),
        "defaultBackendHttpSettings": reference("backendHttpSettingsCollection", "setting"),
        "pathRules": rules,
    });
    item("urlPathMaps", &name, properties)
}

fn routing_rule(index: usize, listener: Value, map: &str) -> Value {
    let properties = json!({
        "ruleType": "PathBasedRouting",
        // The listener that takes every host comes first in the list, and last in order.
        "priority": 1000 - index,
        "httpListener": { "id": listener },
        "urlPathMap": reference("urlPathMaps", map),
    });
    item("requestRoutingRules", &format!("rule-{index}"), properties)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Gathers every id that an item has, and every id that something refers to.
    fn ids(value: &Value, own: &mut BTreeSet<String>, referred: &mut BTreeSet<String>) {
        if let Some(id) = value["id"].as_str() {
            if value["name"].is_null() {
                referred.insert(id.to_owned());
            } else {
                assert!(own.insert(id.to_owned()), "{id} is given twice");
            }
        }
        let inner: Vec<&Value> = match value {
            Value::Object(members) => members.values().collect(),
            Value::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        };
        inner.into_iter().for_each(|one| ids(one, own, referred));
    }

    fn count(gateway: &Value, collection: &str) -> usize {
        gateway["properties"][collection]
            .as_array()
            .map_or(0, Vec::len)
    }

    fn assert_closed(gateway: &Value) {
        let (mut own, mut referred) = (BTreeSet::new(), BTreeSet::new());
        ids(gateway, &mut own, &mut referred);
        let within = format!("{NETWORK}/applicationGateways/");
        for id in referred.iter().filter(|id| id.starts_with(&within)) {
            assert!(own.contains(id), "{id} is referred to and not there");
        }
    }

    fn sample(more_servers: usize) -> Value {
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = Certificates::make(folder.path()).expect("certificates");
        let ports = Ports {
            plain: 8001,
            tls_rsa: 8002,
            tls_p256: 8003,
            admin: 8004,
        };
        bench_gateway(ports, &certificates, more_servers)
    }

    #[test]
    fn the_bench_gateway_has_ten_listeners_and_fifty_path_rules() {
        let gateway = sample(0);
        assert_closed(&gateway);
        assert_eq!(count(&gateway, "httpListeners"), 10);
        assert_eq!(count(&gateway, "requestRoutingRules"), 10);
        let rules = &gateway["properties"]["urlPathMaps"][0]["properties"]["pathRules"];
        assert_eq!(rules.as_array().map(Vec::len), Some(50));
        assert_eq!(rules[49]["properties"]["paths"], json!(["/post"]));
        let servers = &gateway["properties"]["backendAddressPools"][0]["properties"];
        assert_eq!(
            servers["backendAddresses"],
            json!([{ "ipAddress": "10.0.1.4" }])
        );
    }

    #[test]
    fn more_servers_are_in_pools_that_rules_lead_to() {
        let gateway = sample(3_000);
        assert_closed(&gateway);
        assert_eq!(count(&gateway, "backendAddressPools"), 4);
        let rules = &gateway["properties"]["urlPathMaps"][0]["properties"]["pathRules"];
        let pool = &rules[2]["properties"]["backendAddressPool"]["id"];
        assert!(
            pool.as_str().is_some_and(|id| id.ends_with("/pool-3")),
            "{pool}"
        );
    }

    #[test]
    fn a_big_gateway_has_the_size_that_was_asked_for() {
        let gateway = big_gateway(3, 4, 5, 300);
        assert_closed(&gateway);
        assert_eq!(count(&gateway, "httpListeners"), 3);
        assert_eq!(count(&gateway, "urlPathMaps"), 3);
        assert_eq!(count(&gateway, "backendAddressPools"), 5);
        let pools = gateway["properties"]["backendAddressPools"]
            .as_array()
            .expect("pools");
        let mut addresses = BTreeSet::new();
        for pool in pools {
            let servers = pool["properties"]["backendAddresses"]
                .as_array()
                .expect("servers");
            assert_eq!(servers.len(), 300);
            addresses.extend(servers.iter().map(|one| one["ipAddress"].to_string()));
        }
        assert_eq!(addresses.len(), 1_500, "every address once");
        assert!(addresses.contains("\"10.1.5.219\""), "the last one");
    }
}
