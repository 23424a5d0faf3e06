//! What a diagnosis of a gateway with 1,000 servers costs, from the parsed files to the answer:
//! milliseconds. Run it with `--release`.

#![allow(
    clippy::print_stdout,
    reason = "the report is what this program is for"
)]

use std::hint::black_box;

use anyhow::{Context, bail};
use gatewright_benches::timing::{median, milliseconds};
use gatewright_diagnosis::{Evidence, File, diagnose, predict};
use serde_json::{Value, json};

/// Pools, each with a rule, a listener, a setting and a probe of its own; servers of each.
const POOLS: usize = 100;
const SERVERS: usize = 10;
/// Rules of the security group before the one that decides.
const RULES: usize = 100;
const ROWS: usize = 2_000;
/// Of the case with a long log; each server has its part of them, and of as many requests that
/// somebody made.
const LONG_ROWS: usize = 20_000;
const REQUESTS: usize = 2_000;
/// The median of this many runs counts.
const RUNS: usize = 9;
const NOW: i64 = 1_780_000_000;

const NETWORK: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network";
const CONNECT: &str = "Application Gateway could not connect to the backend. Check that the \
    backend responds on the port used for the probe.";
const STATUS: &str = "Received invalid status code: 404 in the backend server's HTTP response.";
const SLOW: &str = "Time taken by the backend to respond to application gateway's health probe \
    is more than the time-out threshold in the probe setting.";
const WELL: &str = "Success. Received 200 status code";

/// What is measured, and the cause that is to be found.
const CASES: [(Kind, Option<&str>); 5] = [
    (Kind::Well, None),
    (Kind::NotFound, Some("probe-404")),
    (Kind::Denied, Some("nsg-backend-deny")),
    (Kind::Stale, Some("stale-backend-targets")),
    (Kind::Slow, Some("probe-timeout-too-short")),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Well,
    NotFound,
    Denied,
    Stale,
    Slow,
}

impl Kind {
    fn what(self) -> &'static str {
        match self {
            Self::Well => "every server is well",
            Self::NotFound => "every server answers 404",
            Self::Denied => "a rule denies every server",
            Self::Stale => "every pod was replaced",
            Self::Slow => "every server is slow, a long log",
        }
    }

    /// The sentence of every server.
    fn log(self) -> &'static str {
        match self {
            Self::Well => WELL,
            Self::NotFound => STATUS,
            Self::Denied | Self::Stale => CONNECT,
            Self::Slow => SLOW,
        }
    }
}

fn main() -> anyhow::Result<()> {
    println!(
        "{} servers in {POOLS} pools, {ROWS} rows of the log, or {LONG_ROWS} of a long one",
        POOLS * SERVERS
    );
    for (kind, cause) in CASES {
        let (what, files) = (kind.what(), files(kind));
        let evidence = read(&files)?;
        let verdict = diagnose(&evidence, NOW);
        let found = verdict.findings.first().map(|one| one.cause.name());
        if found != cause {
            bail!("{what}: {found:?} was found instead of {cause:?}");
        }
        let reading = median(RUNS, || drop(black_box(read(&files))));
        let diagnosing = median(RUNS, || drop(black_box(diagnose(&evidence, NOW))));
        let foretelling = median(RUNS, || drop(black_box(predict(&evidence, NOW))));
        println!(
            "{what:32} read {:6.1} ms  diagnose {:6.1} ms  predict {:6.1} ms",
            milliseconds(reading),
            milliseconds(diagnosing),
            milliseconds(foretelling)
        );
    }
    Ok(())
}

fn read(files: &[(&str, Value)]) -> anyhow::Result<Evidence> {
    let files = files.iter();
    let files = files.map(|(name, value)| File::of_value(*name, value.clone()));
    Evidence::read(files).context("the evidence cannot be read")
}

fn gateway_id() -> String {
    format!("{NETWORK}/applicationGateways/gw")
}

fn part(of: &str, name: impl std::fmt::Display) -> Value {
    json!({"id": format!("{}/{of}/{name}", gateway_id())})
}

fn item(of: &str, name: String, properties: Value) -> Value {
    json!({"name": name, "id": part(of, &name)["id"], "properties": properties})
}

fn address(pool: usize, server: usize) -> String {
    let number = pool * SERVERS + server;
    format!("10.{}.1.{}", 1 + number / 250, number % 250 + 1)
}

fn each(make: impl Fn(usize) -> Value) -> Value {
    (0..POOLS).map(make).collect()
}

fn files(kind: Kind) -> Vec<(&'static str, Value)> {
    let mut files = vec![
        ("gateway.json", gateway(kind == Kind::Stale)),
        ("backend-health.json", health(kind.log())),
        ("vnet.json", virtual_network()),
        ("nsgs.json", groups(kind == Kind::Denied)),
        ("access-logs.json", rows(kind)),
    ];
    if kind == Kind::Slow {
        files.push(("observations.json", requests()));
    }
    if kind == Kind::Stale {
        files.push(("k8s-endpoints.json", endpoints()));
    }
    files
}

/// A service for each pool, whose pods have other addresses than the pool.
fn endpoints() -> Value {
    let pods = |service: usize| -> Value {
        (0..SERVERS)
            .map(|pod| json!({"ip": format!("10.200.{service}.{}", pod + 1)}))
            .collect()
    };
    json!({"items": each(|service| json!({
        "metadata": {"name": format!("p{service}"), "namespace": "shop"},
        "subsets": [{"addresses": pods(service), "ports": [{"port": 8000 + service}]}]}))})
}

fn gateway(is_managed: bool) -> Value {
    let tags = match is_managed {
        true => json!({"managed-by-k8s-ingress": "1.7"}),
        false => json!({}),
    };
    let subnet = format!("{NETWORK}/virtualNetworks/vn/subnets/gw");
    json!({"name": "gw", "id": gateway_id(), "location": "westeurope", "tags": tags, "properties": {
        "provisioningState": "Succeeded", "operationalState": "Running",
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2},
        "gatewayIPConfigurations": [item("gatewayIPConfigurations", "ip".to_owned(),
            json!({"subnet": {"id": subnet}}))],
        "frontendIPConfigurations": [item("frontendIPConfigurations", "f".to_owned(),
            json!({"privateIPAddress": "10.0.0.9"}))],
        "frontendPorts": [item("frontendPorts", "p80".to_owned(), json!({"port": 80}))],
        "backendAddressPools": each(|pool| item("backendAddressPools", format!("p{pool}"), json!({
            "backendAddresses": (0..SERVERS)
                .map(|server| json!({"ipAddress": address(pool, server)}))
                .collect::<Vec<_>>()}))),
        "probes": each(|pool| item("probes", format!("pr{pool}"), json!({"protocol": "Http",
            "host": format!("h{pool}.test"), "path": "/up", "interval": 30, "timeout": 30}))),
        "backendHttpSettingsCollection": each(|pool| item("backendHttpSettingsCollection",
            format!("s{pool}"), json!({"port": 8000 + pool, "protocol": "Http",
                "hostName": format!("h{pool}.test"),
                "probe": part("probes", format!("pr{pool}"))}))),
        "httpListeners": each(|pool| item("httpListeners", format!("l{pool}"), json!({
            "protocol": "Http", "hostName": format!("h{pool}.test"),
            "frontendIPConfiguration": part("frontendIPConfigurations", "f"),
            "frontendPort": part("frontendPorts", "p80")}))),
        "requestRoutingRules": each(|pool| item("requestRoutingRules", format!("r{pool}"), json!({
            "ruleType": "Basic", "priority": pool + 1,
            "httpListener": part("httpListeners", format!("l{pool}")),
            "backendAddressPool": part("backendAddressPools", format!("p{pool}")),
            "backendHttpSettings":
                part("backendHttpSettingsCollection", format!("s{pool}"))}))),
    }})
}

fn health(log: &str) -> Value {
    let state = if log == WELL { "Healthy" } else { "Unhealthy" };
    let servers = |pool: usize| -> Value {
        (0..SERVERS)
            .map(|server| {
                json!({"address": address(pool, server), "health": state, "healthProbeLog": log})
            })
            .collect()
    };
    json!({"backendAddressPools": each(|pool| json!({
        "backendAddressPool": part("backendAddressPools", format!("p{pool}")),
        "backendHttpSettingsCollection": [{
            "backendHttpSettings": part("backendHttpSettingsCollection", format!("s{pool}")),
            "servers": servers(pool)}]}))})
}

fn virtual_network() -> Value {
    let subnet = |name: String, prefix: String, group: &str| {
        json!({"name": name, "id": format!("{NETWORK}/virtualNetworks/vn/subnets/{name}"),
            "properties": {"addressPrefix": prefix, "networkSecurityGroup": {
                "id": format!("{NETWORK}/networkSecurityGroups/{group}")}}})
    };
    let mut subnets = vec![subnet("gw".to_owned(), "10.0.0.0/24".to_owned(), "gw")];
    subnets.extend((1..6).map(|k| subnet(format!("b{k}"), format!("10.{k}.0.0/16"), "web")));
    json!({"name": "vn", "id": format!("{NETWORK}/virtualNetworks/vn"),
        "type": "Microsoft.Network/virtualNetworks", "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}, "subnets": subnets}})
}

fn groups(denies: bool) -> Value {
    let rule = |name: String, priority: usize, access: &str, source: &str, ports: String| {
        json!({"name": name, "properties": {"priority": priority, "direction": "Inbound",
            "access": access, "protocol": "*", "sourceAddressPrefix": source,
            "sourcePortRange": "*", "destinationAddressPrefix": "*",
            "destinationPortRange": ports}})
    };
    let group = |name: &str, rules: Vec<Value>| {
        json!({"name": name, "id": format!("{NETWORK}/networkSecurityGroups/{name}"),
            "type": "Microsoft.Network/networkSecurityGroups",
            "properties": {"securityRules": rules}})
    };
    let manager = rule(
        "m".to_owned(),
        100,
        "Allow",
        "GatewayManager",
        "65200-65535".to_owned(),
    );
    let mut web: Vec<Value> = (0..RULES)
        .map(|n| {
            let ports = (9000 + n).to_string();
            rule(format!("x{n}"), 100 + n, "Allow", "192.168.0.0/16", ports)
        })
        .collect();
    if denies {
        web.push(rule("deny".to_owned(), 1000, "Deny", "*", "*".to_owned()));
    }
    json!([group("gw", vec![manager]), group("web", web)])
}

/// Requests that somebody made past the gateway, none of the page that probes ask for.
fn requests() -> Value {
    let request = |n: usize| {
        let server = address(n % POOLS, n / POOLS % SERVERS);
        json!({"from": "a machine of the network", "request": format!("GET http://{server}/x{n}"),
            "server": server, "status": 404})
    };
    json!({"http": (0..REQUESTS).map(request).collect::<Value>()})
}

fn rows(kind: Kind) -> Value {
    let count = if kind == Kind::Slow { LONG_ROWS } else { ROWS };
    (0..count)
        .map(|n| {
            let pool = n % POOLS;
            let is_failure = kind != Kind::Well && n % 3 == 0;
            let time = if kind == Kind::Slow { 45.0 } else { 0.02 };
            json!({"timeStamp": "2026-05-01T10:00:00Z", "ruleName": format!("r{pool}"),
                "backendPoolName": format!("p{pool}"), "backendSettingName": format!("s{pool}"),
                "listenerName": format!("l{pool}"), "properties": {
                    "httpStatus": if is_failure { 502 } else { 200 },
                    "serverStatus": if is_failure { "" } else { "200" },
                    "serverRouted":
                        format!("{}:{}", address(pool, n / POOLS % SERVERS), 8000 + pool),
                    "timeTaken": time, "originalRequestUriWithArgs": format!("/x{n}"),
                    "originalHost": format!("h{pool}.test"), "host": format!("h{pool}.test")}})
        })
        .collect()
}
