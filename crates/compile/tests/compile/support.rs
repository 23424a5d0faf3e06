//! Gateways for tests, written short: a base that serves one HTTP site, members of its properties
//! replaced at will, and `"@pools/p"` for the id of a part.

use gatewright_arm::{ApplicationGateway, Diagnostic, read_gateways};
use gatewright_compile::{Compiled, Options, compile, compile_validated};
use gatewright_snapshot::{Action, EndpointIndex, RequestKey, Route, Scratch, Snapshot};
use serde_json::{Map, Value, json};

pub(crate) const GATEWAY_ID: &str = concat!(
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg",
    "/providers/Microsoft.Network/applicationGateways/gw"
);
const NETWORK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
                       /providers/Microsoft.Network";

/// 2026-06-01, in seconds since the Unix epoch: what these tests call now.
pub(crate) const NOW: i64 = 1_780_272_000;

pub(crate) fn options() -> Options {
    Options {
        now: NOW,
        ..Options::default()
    }
}

/// One HTTP site: listener `l`, rule `r`, pool `p`, setting `s`, port 80.
pub(crate) fn base() -> Value {
    json!({
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
        "gatewayIPConfigurations": [item("g", json!({"subnet": {"id": "%subnet"}}))],
        "frontendIPConfigurations": [
            item("public", json!({"publicIPAddress": {"id": "%address"}})),
        ],
        "frontendPorts": [
            item("p80", json!({"port": 80})),
            item("p443", json!({"port": 443})),
            item("p8080", json!({"port": 8080})),
        ],
        "backendAddressPools":
            [item("p", json!({"backendAddresses": [{"ipAddress": "10.0.0.4"}]}))],
        "backendHttpSettingsCollection": [setting("s", json!({}))],
        "httpListeners": [listener("l", "p80", "Http", json!({}))],
        "requestRoutingRules": [rule("r", "l", 10, json!({}))],
    })
}

pub(crate) fn item(name: &str, properties: Value) -> Value {
    json!({"name": name, "properties": properties})
}

/// `{"id": …}` of a part, such as `pools/p`.
pub(crate) fn to(part: &str) -> Value {
    json!({"id": format!("@{part}")})
}

pub(crate) fn setting(name: &str, more: Value) -> Value {
    let base = json!({
        "port": 80, "protocol": "Http", "cookieBasedAffinity": "Disabled", "requestTimeout": 30,
    });
    item(name, merged(base, more))
}

pub(crate) fn listener(name: &str, port: &str, protocol: &str, more: Value) -> Value {
    let base = json!({
        "frontendIPConfiguration": to("frontendIPConfigurations/public"),
        "frontendPort": to(&format!("frontendPorts/{port}")),
        "protocol": protocol,
    });
    item(name, merged(base, more))
}

/// A basic rule to pool `p` and setting `s`; a priority of 0 is left out. `more` replaces, and null
/// removes.
pub(crate) fn rule(name: &str, listener: &str, priority: i32, more: Value) -> Value {
    let mut base = json!({
        "ruleType": "Basic",
        "httpListener": to(&format!("httpListeners/{listener}")),
        "backendAddressPool": to("backendAddressPools/p"),
        "backendHttpSettings": to("backendHttpSettingsCollection/s"),
    });
    if priority != 0 {
        base["priority"] = json!(priority);
    }
    item(name, merged(base, more))
}

/// Members that make a rule path-based.
pub(crate) fn by_path(map: &str) -> Value {
    json!({
        "ruleType": "PathBasedRouting",
        "urlPathMap": to(&format!("urlPathMaps/{map}")),
        "backendAddressPool": null,
        "backendHttpSettings": null,
    })
}

pub(crate) fn path_rule(name: &str, paths: &[&str], more: Value) -> Value {
    let base = json!({
        "paths": paths,
        "backendAddressPool": to("backendAddressPools/p"),
        "backendHttpSettings": to("backendHttpSettingsCollection/s"),
    });
    item(name, merged(base, more))
}

pub(crate) fn merged(mut base: Value, more: Value) -> Value {
    let (Value::Object(into), Value::Object(more)) = (&mut base, more) else {
        panic!("objects are merged, nothing else");
    };
    for (name, value) in more {
        match value {
            Value::Null => drop(into.shift_remove(&name)),
            value => drop(into.insert(name, value)),
        }
    }
    base
}

/// The base with `changes` to its properties, as the reader gives it.
pub(crate) fn gateway(changes: Value) -> ApplicationGateway {
    let mut document = json!({
        "name": "gw", "id": GATEWAY_ID, "location": "westeurope",
        "properties": merged(base(), changes),
    });
    expand(&mut document);
    let mut report = read_gateways(&document).unwrap_or_else(|error| panic!("{error}"));
    report.gateways.remove(0)
}

fn expand(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(part) = text.strip_prefix('@') {
                *text = format!("{GATEWAY_ID}/{part}");
            } else if text == "%subnet" {
                *text = format!("{NETWORK}/virtualNetworks/v/subnets/s");
            } else if text == "%address" {
                *text = format!("{NETWORK}/publicIPAddresses/a");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(expand),
        Value::Object(map) => map_values(map).for_each(expand),
        _ => {}
    }
}

fn map_values(map: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    map.values_mut()
}

/// The base with `changes`, which must compile.
pub(crate) fn compiled(changes: Value) -> Compiled {
    compiled_with(changes, &options())
}

pub(crate) fn compiled_with(changes: Value, options: &Options) -> Compiled {
    match compile(&[gateway(changes)], options) {
        Ok(compiled) => compiled,
        Err(diagnostics) => panic!("does not compile:\n{}", lines(&diagnostics)),
    }
}

/// What compilation alone says of the base with `changes`, without validation.
pub(crate) fn own_diagnostics(changes: Value, options: &Options) -> Vec<Diagnostic> {
    match compile_validated(&[gateway(changes)], options) {
        Ok(compiled) => compiled.diagnostics,
        Err(diagnostics) => diagnostics,
    }
}

/// The diagnostics of the base with `changes`, whether it compiles or not.
pub(crate) fn diagnostics(changes: Value, options: &Options) -> Vec<Diagnostic> {
    match compile(&[gateway(changes)], options) {
        Ok(compiled) => compiled.diagnostics,
        Err(diagnostics) => diagnostics,
    }
}

pub(crate) fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|one| format!("{one}\n")).collect()
}

/// The message of the only diagnostic with this code.
#[track_caller]
pub(crate) fn message(changes: Value, options: &Options, code: &str) -> String {
    let found = diagnostics(changes, options);
    let mut with_code = found.iter().filter(|one| one.code == code);
    let one = with_code
        .next()
        .unwrap_or_else(|| panic!("no {code} in:\n{}", lines(&found)));
    assert!(
        with_code.next().is_none(),
        "{code} twice in:\n{}",
        lines(&found)
    );
    one.to_string()
}

/// The route of a request on the endpoint with this port; `None` where no listener takes it.
pub(crate) fn route<'a>(
    snapshot: &'a Snapshot,
    port: u16,
    host: &str,
    path: &str,
) -> Option<&'a Route> {
    let position = snapshot
        .endpoints
        .iter()
        .position(|one| one.key.port == port);
    route_at(snapshot, position, (host, path))
}

/// As [`route`], of the gateway at this position.
pub(crate) fn route_of_gateway<'a>(
    snapshot: &'a Snapshot,
    gateway: usize,
    (port, host, path): (u16, &str, &str),
) -> Option<&'a Route> {
    let position = snapshot
        .endpoints
        .iter()
        .position(|one| one.key.port == port && one.gateway.position() == gateway);
    route_at(snapshot, position, (host, path))
}

fn route_at<'a>(
    snapshot: &'a Snapshot,
    position: Option<usize>,
    (host, path): (&str, &str),
) -> Option<&'a Route> {
    let endpoint = EndpointIndex::new(position.expect("an endpoint on that port"));
    let request = RequestKey {
        host: host.as_bytes(),
        path: path.as_bytes(),
    };
    let selected = snapshot.select(endpoint, request, &mut Scratch::default())?;
    Some(snapshot.route(selected.route))
}

/// `listener/rule[/path rule] → pool+setting` or `→ 301`, to compare routes by.
pub(crate) fn shown(snapshot: &Snapshot, route: Option<&Route>) -> String {
    let Some(route) = route else {
        return "404".to_owned();
    };
    let listener = &snapshot.listener(route.listener).name;
    let path_rule = route
        .path_rule
        .as_ref()
        .map(|name| format!("/{name}"))
        .unwrap_or_default();
    let action = match &route.action {
        Action::Forward(upstream) => {
            let upstream = snapshot.upstream(*upstream);
            let pool = &snapshot.pool(upstream.pool).name;
            format!("{pool}+{}", snapshot.setting(upstream.setting).name)
        }
        Action::Redirect(redirect) => redirect.status.to_string(),
    };
    format!("{listener}/{}{path_rule} → {action}", route.rule)
}
