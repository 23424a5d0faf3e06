//! A healthy export, broken in one way after the other: each has its own cause, and the export as
//! it was has none.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::run;

const SUBSCRIPTION: &str = "/subscriptions/5e1f0c3a-0000-4000-8000-00000000beef";

/// The files of a folder by their names.
type Export = BTreeMap<&'static str, Value>;

fn network(kind: &str, name: &str) -> String {
    format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network/{kind}/{name}")
}

fn gateway_id() -> String {
    network("applicationGateways", "gw")
}

fn part(of: &str, name: &str) -> Value {
    json!({"id": format!("{}/{of}/{name}", gateway_id())})
}

fn item(of: &str, name: &str, properties: Value) -> Value {
    json!({"name": name, "id": format!("{}/{of}/{name}", gateway_id()), "properties": properties})
}

fn gateway() -> Value {
    let subnet = format!("{}/subnets/gw", network("virtualNetworks", "vn"));
    let address = network("publicIPAddresses", "ip");
    json!({
        "name": "gw", "id": gateway_id(), "location": "westeurope",
        "properties": {
            "provisioningState": "Succeeded", "operationalState": "Running",
            "sku": {"name": "Standard_v2", "tier": "Standard_v2"},
            "autoscaleConfiguration": {"minCapacity": 1, "maxCapacity": 4},
            "gatewayIPConfigurations": [
                item("gatewayIPConfigurations", "ip", json!({"subnet": {"id": subnet}})),
            ],
            "frontendIPConfigurations": [item("frontendIPConfigurations", "public",
                json!({"publicIPAddress": {"id": address}}))],
            "frontendPorts": [item("frontendPorts", "p80", json!({"port": 80}))],
            "backendAddressPools": [
                item("backendAddressPools", "web", json!({"backendAddresses": [
                    {"ipAddress": "10.0.1.4"}, {"ipAddress": "10.0.1.5"}]})),
                item("backendAddressPools", "api", json!({"backendAddresses": [
                    {"fqdn": "api.contoso.test"}]})),
            ],
            "probes": [item("probes", "up", json!({"protocol": "Http", "host": "www.contoso.test",
                "path": "/up", "interval": 30, "timeout": 5, "unhealthyThreshold": 3}))],
            "backendHttpSettingsCollection": [
                item("backendHttpSettingsCollection", "http", json!({"port": 8080,
                    "protocol": "Http", "requestTimeout": 20, "hostName": "www.contoso.test",
                    "probe": part("probes", "up")})),
                item("backendHttpSettingsCollection", "api", json!({"port": 8081,
                    "protocol": "Http", "requestTimeout": 20,
                    "pickHostNameFromBackendAddress": true})),
            ],
            "httpListeners": [
                item("httpListeners", "www", json!({"protocol": "Http",
                    "frontendIPConfiguration": part("frontendIPConfigurations", "public"),
                    "frontendPort": part("frontendPorts", "p80"), "hostName": "www.contoso.test"})),
                item("httpListeners", "all", json!({"protocol": "Http",
                    "frontendIPConfiguration": part("frontendIPConfigurations", "public"),
                    "frontendPort": part("frontendPorts", "p80"),
                    "hostNames": ["*.contoso.test"]})),
            ],
            "urlPathMaps": [item("urlPathMaps", "map", json!({
                "defaultBackendAddressPool": part("backendAddressPools", "web"),
                "defaultBackendHttpSettings": part("backendHttpSettingsCollection", "http"),
                "pathRules": [{"name": "api", "properties": {"paths": ["/api/*"],
                    "backendAddressPool": part("backendAddressPools", "api"),
                    "backendHttpSettings": part("backendHttpSettingsCollection", "api")}}],
            }))],
            "requestRoutingRules": [
                item("requestRoutingRules", "www", json!({"ruleType": "PathBasedRouting",
                    "priority": 100, "httpListener": part("httpListeners", "www"),
                    "urlPathMap": part("urlPathMaps", "map")})),
                item("requestRoutingRules", "all", json!({"ruleType": "Basic", "priority": 200,
                    "httpListener": part("httpListeners", "all"),
                    "backendAddressPool": part("backendAddressPools", "web"),
                    "backendHttpSettings": part("backendHttpSettingsCollection", "http")})),
            ],
        },
    })
}

fn health() -> Value {
    let server = |address: &str| {
        json!({"address": address, "health": "Healthy",
               "healthProbeLog": "Success. Received 200 status code"})
    };
    let pool = |pool: &str, setting: &str, servers: Vec<Value>| {
        json!({"backendAddressPool": part("backendAddressPools", pool),
            "backendHttpSettingsCollection": [{
                "backendHttpSettings": part("backendHttpSettingsCollection", setting),
                "servers": servers}]})
    };
    json!({"backendAddressPools": [
        pool("web", "http", vec![server("10.0.1.4"), server("10.0.1.5")]),
        pool("api", "api", vec![server("api.contoso.test")]),
    ]})
}

fn rule(name: &str, priority: u32, access: &str, source: &str, ports: &str) -> Value {
    json!({"name": name, "properties": {"priority": priority, "direction": "Inbound",
        "access": access, "protocol": "*", "sourceAddressPrefix": source,
        "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": ports}})
}

fn row(uri: &str, status: u16) -> Value {
    let (pool, server) = match uri.starts_with("/api/") {
        true => ("api", "10.0.2.7:8081"),
        false => ("web", "10.0.1.4:8080"),
    };
    let setting = if pool == "api" { "api" } else { "http" };
    json!({"timeStamp": "2026-05-01T10:00:00Z", "listenerName": "www", "ruleName": "www",
        "backendPoolName": pool, "backendSettingName": setting, "properties": {
            "httpStatus": status, "serverStatus": status.to_string(), "timeTaken": 0.02,
            "serverResponseLatency": "0.018", "requestUri": uri,
            "originalRequestUriWithArgs": uri, "serverRouted": server,
            "originalHost": "www.contoso.test", "host": "www.contoso.test",
            "error_info": "ERRORINFO_NO_ERROR"}})
}

fn healthy() -> Export {
    let group = |name: &str| json!({"id": network("networkSecurityGroups", name)});
    let subnets = json!([
        {"name": "gw", "id": format!("{}/subnets/gw", network("virtualNetworks", "vn")),
         "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": group("gw")}},
        {"name": "web", "id": format!("{}/subnets/web", network("virtualNetworks", "vn")),
         "properties": {"addressPrefix": "10.0.1.0/24", "networkSecurityGroup": group("web"),
                        "routeTable": {"id": network("routeTables", "rt")}}},
    ]);
    let groups = json!([
        {"name": "gw", "id": network("networkSecurityGroups", "gw"),
         "type": "Microsoft.Network/networkSecurityGroups", "properties": {"securityRules": [
            rule("manager", 100, "Allow", "GatewayManager", "65200-65535"),
            rule("clients", 110, "Allow", "Internet", "80")]}},
        {"name": "web", "id": network("networkSecurityGroups", "web"),
         "type": "Microsoft.Network/networkSecurityGroups", "properties": {"securityRules": [
            rule("gateway", 120, "Allow", "10.0.0.0/24", "8080"),
            rule("nobody", 4000, "Deny", "*", "*")]}},
    ]);
    let tables = json!([{"name": "rt", "id": network("routeTables", "rt"),
        "type": "Microsoft.Network/routeTables", "properties": {"routes": [
            {"name": "out", "properties": {"addressPrefix": "0.0.0.0/0",
                "nextHopType": "Internet"}}]}}]);
    BTreeMap::from([
        ("gateway.json", gateway()),
        ("backend-health.json", health()),
        ("nsgs.json", groups),
        ("route-tables.json", tables),
        (
            "vnet.json",
            json!({"name": "vn", "id": network("virtualNetworks", "vn"),
            "type": "Microsoft.Network/virtualNetworks", "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}}),
        ),
        (
            "access-logs.json",
            json!([row("/", 200), row("/api/a", 200), row("/b", 200)]),
        ),
        (
            "metrics.json",
            json!([
                metric("CapacityUnits", 8.0),
                metric("FailedRequests", 0.0),
                metric("UnhealthyHostCount", 0.0)
            ]),
        ),
    ])
}

fn metric(name: &str, maximum: f64) -> Value {
    json!({"name": {"value": name}, "timeseries": [{"data": [
        {"timeStamp": "2026-05-01T10:00:00Z", "maximum": maximum}]}]})
}

/// The verdict and the first cause.
fn diagnosed(export: &Export) -> (String, Option<String>, Value) {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in export {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    let output = run(&["-o", "json"], folder.path());
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let cause = answer["findings"][0]["cause"].as_str().map(str::to_owned);
    (
        answer["verdict"].as_str().unwrap().to_owned(),
        cause,
        answer,
    )
}

/// A member of the export, by the file and a pointer.
fn at<'e>(export: &'e mut Export, file: &str, pointer: &str) -> &'e mut Value {
    let document = export.get_mut(file).unwrap();
    document
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("{file} has no {pointer}"))
}

fn set(export: &mut Export, pointer: &str, value: Value) {
    let (outer, name) = pointer.rsplit_once('/').unwrap();
    let outer = at(export, "gateway.json", &format!("/properties{outer}"));
    match outer {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        outer => outer[name] = value,
    }
}

/// Both servers of the pool web fail with this sentence.
fn fail(export: &mut Export, state: &str, log: &str) {
    for server in ["0", "1"] {
        let pointer =
            format!("/backendAddressPools/0/backendHttpSettingsCollection/0/servers/{server}");
        let server = at(export, "backend-health.json", &pointer);
        server["health"] = state.into();
        server["healthProbeLog"] = log.into();
    }
}

fn log(export: &mut Export, rows: Value) {
    export.insert("access-logs.json", rows);
}

const STATUS: &str = "Received invalid status code: ";
const CONNECT: &str = "Application Gateway could not connect to the backend. Check that the \
    backend responds on the port used for the probe. Also check whether any NSG/UDR/Firewall is \
    blocking access to the Ip and port of this backend.";
const UNKNOWN: &str = "The backend health status could not be retrieved. This happens when an \
    NSG/UDR/Firewall on the application gateway subnet is blocking traffic on ports 65503-65534 in \
    case of v1 SKU, and ports 65200-65535 in case of the v2 SKU or if the FQDN configured in the \
    backend pool could not be resolved to an IP address.";
const NAME: &str = "The Common Name (CN) of the backend certificate does not match.";

fn statuses(export: &mut Export, status: u16) {
    let log = format!("{STATUS}{status} in the backend server's HTTP response.");
    fail(export, "Unhealthy", &log);
}

/// A rule of the group at the servers' subnet, before those that are there.
fn deny_web(export: &mut Export) {
    let rules = at(export, "nsgs.json", "/1/properties/securityRules");
    rules
        .as_array_mut()
        .unwrap()
        .insert(0, rule("stop", 110, "Deny", "*", "8080"));
    fail(export, "Unhealthy", CONNECT);
}

fn observe(export: &mut Export, value: Value) {
    export.insert("observations.json", value);
}

fn gateway_row(export: &mut Export, uri: &str, status: u16, change: impl Fn(&mut Value)) {
    let mut own = row(uri, status);
    // What was answered before says nothing of what has been changed since.
    own["timeStamp"] = json!("2026-05-01T10:00:01Z");
    change(&mut own["properties"]);
    log(export, json!([row("/", 200), own]));
}

type Mutation = (&'static str, fn(&mut Export));

/// What breaks it, by the cause that is to be found.
const NETWORK: [Mutation; 9] = [
    ("nsg-backend-deny", deny_web),
    ("not-listening", |export| {
        fail(export, "Unhealthy", CONNECT);
        observe(
            export,
            json!({"tcp": [
            {"from": "vm", "to": "10.0.1.4:8080", "result": "refused"}]}),
        );
    }),
    ("wrong-port", |export| {
        fail(export, "Unhealthy", CONNECT);
        observe(
            export,
            json!({"tcp": [
            {"from": "vm", "to": "10.0.1.4:8080", "result": "refused"},
            {"from": "vm", "to": "10.0.1.4:80", "result": "open"}]}),
        );
    }),
    ("host-firewall", |export| {
        fail(export, "Unhealthy", CONNECT);
        observe(
            export,
            json!({"tcp": [
            {"from": "gateway subnet", "to": "10.0.1.4:8080", "result": "timed out"},
            {"from": "10.0.1.9", "to": "10.0.1.4:8080", "result": "open"}]}),
        );
    }),
    ("v2-mgmt-ports", |export| {
        let rule = at(
            export,
            "nsgs.json",
            "/0/properties/securityRules/0/properties",
        );
        rule["access"] = "Deny".into();
        fail(export, "Unknown", UNKNOWN);
    }),
    ("udr-default-route", |export| {
        let subnet = at(export, "vnet.json", "/properties/subnets/0/properties");
        subnet["routeTable"] = json!({"id": network("routeTables", "rt")});
        let route = at(
            export,
            "route-tables.json",
            "/0/properties/routes/0/properties",
        );
        route["nextHopType"] = "VirtualAppliance".into();
        route["nextHopIpAddress"] = "10.0.9.4".into();
        fail(export, "Unknown", UNKNOWN);
    }),
    ("asymmetric-routing", |export| {
        let route = at(
            export,
            "route-tables.json",
            "/0/properties/routes/0/properties",
        );
        route["addressPrefix"] = "10.0.0.0/24".into();
        route["nextHopType"] = "VirtualAppliance".into();
        route["nextHopIpAddress"] = "10.0.9.4".into();
        fail(export, "Unhealthy", CONNECT);
    }),
    ("missing-route", |export| {
        let subnet = at(export, "vnet.json", "/properties/subnets/0/properties");
        subnet["routeTable"] = json!({"id": network("routeTables", "rt")});
        let routes = at(export, "route-tables.json", "/0/properties/routes");
        routes
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "hole", "properties": {
            "addressPrefix": "10.0.1.0/24", "nextHopType": "None"}}));
        fail(export, "Unhealthy", CONNECT);
    }),
    ("unroutable-address", |export| {
        set(
            export,
            "/backendAddressPools/0/properties/backendAddresses/0",
            json!({"ipAddress": "127.0.0.1"}),
        );
        let pointer = "/backendAddressPools/0/backendHttpSettingsCollection/0/servers/0";
        let server = at(export, "backend-health.json", pointer);
        server["address"] = "127.0.0.1".into();
        server["health"] = "Unhealthy".into();
        server["healthProbeLog"] = CONNECT.into();
    }),
];

const PROBES: [Mutation; 8] = [
    ("probe-404", |export| statuses(export, 404)),
    ("probe-401", |export| statuses(export, 401)),
    ("probe-403", |export| statuses(export, 403)),
    ("probe-5xx", |export| statuses(export, 503)),
    ("probe-redirect", |export| {
        set(
            export,
            "/probes/0/properties/match",
            json!({"statusCodes": ["200"]}),
        );
        statuses(export, 302);
    }),
    ("probe-not-attached", |export| {
        let pointer = "/properties/backendHttpSettingsCollection/0/properties";
        at(export, "gateway.json", pointer)
            .as_object_mut()
            .unwrap()
            .remove("probe");
        statuses(export, 404);
    }),
    ("body-mismatch", |export| {
        set(
            export,
            "/probes/0/properties/match",
            json!({"body": "well"}),
        );
        fail(
            export,
            "Unhealthy",
            "Body of the backend's HTTP response did not match the probe \
            setting.",
        );
    }),
    ("cn-san-mismatch", |export| {
        set(
            export,
            "/backendHttpSettingsCollection/0/properties/protocol",
            json!("Https"),
        );
        set(export, "/probes/0/properties/protocol", json!("Https"));
        fail(export, "Unhealthy", NAME);
    }),
];

const REQUESTS: [Mutation; 8] = [
    ("request-timeout", |export| {
        gateway_row(export, "/slow", 504, |row| {
            row["timeTaken"] = 20.01.into();
            row["serverStatus"] = "".into();
            row["error_info"] = "ERRORINFO_UPSTREAM_TIMED_OUT".into();
        });
    }),
    ("backend-5xx-relayed", |export| {
        gateway_row(export, "/x", 500, |_| {})
    }),
    ("host-not-matched", |export| {
        gateway_row(export, "/x", 404, |row| {
            row["originalHost"] = "other.example".into();
            row["serverRouted"] = "".into();
            row["serverStatus"] = "".into();
        });
    }),
    ("keepalive-race", |export| {
        gateway_row(export, "/x", 502, |row| {
            row["serverStatus"] = "".into();
            row["timeTaken"] = 0.001.into();
            row["error_info"] = "ERRORINFO_UPSTREAM_CLOSED_CONNECTION".into();
        });
        observe(
            export,
            json!({"backend": [
            {"address": "10.0.1.4", "keepAliveTimeoutSeconds": 2}]}),
        );
    }),
    ("backend-path", |export| {
        set(
            export,
            "/backendHttpSettingsCollection/0/properties/path",
            json!("/v1/"),
        );
        gateway_row(export, "/x", 404, |_| {});
    }),
    ("missing-path-rule", |export| {
        gateway_row(export, "/hub/x", 404, |_| {})
    }),
    ("autoscale-max", |export| {
        export.insert(
            "metrics.json",
            json!([
                metric("CapacityUnits", 40.0),
                metric("FailedRequests", 300.0)
            ]),
        );
    }),
    ("fixed-capacity", |export| {
        let properties = at(export, "gateway.json", "/properties")
            .as_object_mut()
            .unwrap();
        properties.remove("autoscaleConfiguration");
        properties["sku"]["capacity"] = 1.into();
        export.insert(
            "metrics.json",
            json!([
                metric("CapacityUnits", 10.0),
                metric("FailedRequests", 300.0)
            ]),
        );
    }),
];

const STATES: [Mutation; 8] = [
    ("stopped", |export| {
        set(export, "/operationalState", json!("Stopped"))
    }),
    ("transitioning", |export| {
        set(export, "/operationalState", json!("Starting"))
    }),
    ("empty-pool", |export| {
        set(
            export,
            "/backendAddressPools/1/properties/backendAddresses",
            json!([]),
        );
        let servers = "/backendAddressPools/1/backendHttpSettingsCollection/0/servers";
        *at(export, "backend-health.json", servers) = json!([]);
    }),
    ("no-pool", |export| {
        set(export, "/backendAddressPools", json!([]));
        export.remove("backend-health.json");
        export.remove("access-logs.json");
    }),
    ("put-failed-reference", |export| {
        set(export, "/provisioningState", json!("Failed"));
        export.insert(
            "last-error.json",
            json!({"error": {"code": "InvalidResourceReference",
            "message": format!("Resource {0}/probes/gone referenced by resource {0}/\
                backendHttpSettingsCollection/http was not found.", gateway_id())}}),
        );
    }),
    ("rule-order", |export| {
        set(
            export,
            "/requestRoutingRules/1/properties/priority",
            json!(50),
        );
        let mut taken = row("/", 404);
        taken["listenerName"] = "all".into();
        taken["ruleName"] = "all".into();
        log(export, json!([taken]));
    }),
    ("dns-unresolvable-backend", |export| {
        let pointer = "/backendAddressPools/1/backendHttpSettingsCollection/0/servers/0";
        let server = at(export, "backend-health.json", pointer);
        server["health"] = "Unknown".into();
        server["healthProbeLog"] = UNKNOWN.into();
        observe(
            export,
            json!({"dns": [
            {"name": "api.contoso.test", "server": "10.0.0.4", "error": "NXDOMAIN"}]}),
        );
    }),
    ("dns-stale-cache", |export| {
        observe(
            export,
            json!({"dns": [
            {"name": "api.contoso.test", "server": "10.0.0.4", "answers": ["10.0.2.9"]}]}),
        );
        let mut failed = row("/api/a", 502);
        failed["properties"]["serverStatus"] = "".into();
        log(export, json!([failed]));
    }),
];

#[test]
fn a_healthy_export_is_healthy() {
    let (verdict, cause, answer) = diagnosed(&healthy());
    assert_eq!((verdict.as_str(), cause), ("healthy", None), "{answer:#}");
}

#[test]
fn each_way_to_break_it_has_its_cause() {
    let mut wrong = Vec::new();
    for (expected, mutate) in NETWORK
        .iter()
        .chain(&PROBES)
        .chain(&REQUESTS)
        .chain(&STATES)
    {
        let mut export = healthy();
        mutate(&mut export);
        let (verdict, cause, answer) = diagnosed(&export);
        if verdict != "root-cause" || cause.as_deref() != Some(expected) {
            let title = answer["findings"][0]["title"].as_str().unwrap_or_default();
            wrong.push(format!("{expected}: {verdict} {cause:?} {title}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
