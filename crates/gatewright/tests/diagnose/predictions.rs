//! `gatewright predict`: over the configurations of cases whose cause shows there.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{run, stderr, stdout};
use crate::{CASES, folders, name};

fn predict(gateway: &Path, network: Option<&Path>, more: &[&str]) -> Output {
    let mut arguments = vec!["predict", gateway.to_str().unwrap()];
    arguments.extend(more);
    if let Some(network) = network {
        arguments.extend(["--network", network.to_str().unwrap()]);
    }
    run(&arguments)
}

/// The causes that are foreseen with the gateway and the network of a case alone.
fn foreseen(case: &str) -> Vec<String> {
    let folder = Path::new(CASES).join(case);
    let output = predict(&folder.join("gateway.json"), Some(&folder), &["-o", "json"]);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = verdict["findings"].as_array().unwrap().iter();
    let sure = findings.filter(|one| one["confidence"] != "possible");
    sure.map(|one| one["cause"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_a_configuration_shows_is_foreseen() {
    for (case, cause) in [
        ("a-nsg-backend-deny", "nsg-backend-deny"),
        ("c-v1-mgmt-ports", "v1-mgmt-ports"),
        ("c-v2-mgmt-ports", "v2-mgmt-ports"),
        ("d-empty-pool", "empty-pool"),
        ("d-no-pool", "no-pool"),
        ("e-rule-order-v1", "rule-order"),
        (
            "l-listener-suites-of-profile",
            "tls-version-or-cipher-mismatch",
        ),
        ("e-unmatched-path-default", "unmatched-path-default-backend"),
        ("i-appservice-host-header", "appservice-host-header"),
        ("j-udr-default-route", "udr-default-route"),
        ("j-asymmetric-routing", "asymmetric-routing"),
    ] {
        let found = foreseen(case);
        assert_eq!(
            found.first().map(String::as_str),
            Some(cause),
            "{case}: {found:?}"
        );
    }
}

#[test]
fn nothing_is_foreseen_of_what_is_well() {
    let mut count = 0;
    for folder in folders(CASES) {
        let is_well = name(&folder).starts_with("healthy-");
        if !is_well {
            continue;
        }
        let gateway = folder.join("gateway.json");
        let output = predict(&gateway, Some(&folder), &[]);
        let text = stdout(&output);
        let case = format!("{}: {text}{}", name(&folder), stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{case}");
        let says_so = text.starts_with("Nothing that the configuration of ");
        assert!(says_so && text.contains(" shows will fail.\n"), "{case}");
        let is_sure = text.contains(", certain") || text.contains(", likely");
        assert!(!is_sure, "{case}");
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

fn gateway() -> Value {
    let id =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/applicationGateways/gw";
    let part = |of: &str, name: &str| json!({"id": format!("{id}/{of}/{name}")});
    let listener = |name: &str, hosts: &[&str]| {
        json!({"name": name, "frontendPort": part("frontendPorts", "p80"), "protocol": "Http",
               "frontendIPConfiguration": part("frontendIPConfigurations", "f"),
               "hostNames": hosts})
    };
    let rule = |name: &str, priority: u32, listener: &str, pool: &str| {
        json!({"name": name, "ruleType": "Basic", "priority": priority,
               "httpListener": part("httpListeners", listener),
               "backendAddressPool": part("backendAddressPools", pool),
               "backendHttpSettings": part("backendHttpSettingsCollection", "set")})
    };
    json!({
        "name": "gw", "id": id, "sku": {"name": "Standard_v2", "tier": "Standard_v2"},
        "frontendPorts": [{"name": "p80", "port": 80}],
        "frontendIPConfigurations": [{"name": "f", "privateIPAddress": "10.0.0.9"}],
        "httpListeners": [listener("any", &["*.a.test"]), listener("one", &["b.a.test"])],
        "backendAddressPools": [
            {"name": "pool", "backendAddresses": [{"ipAddress": "10.0.1.4"}]},
            {"name": "other", "backendAddresses": [{"ipAddress": "10.0.1.5"}]},
        ],
        "backendHttpSettingsCollection": [{"name": "set", "port": 80, "protocol": "Http"}],
        "requestRoutingRules": [
            rule("first", 10, "any", "pool"),
            rule("second", 20, "one", "other"),
        ],
    })
}

fn of(document: &Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.json");
    fs::write(&file, document.to_string()).unwrap();
    let output = predict(&file, None, &["-o", "json"]);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(verdict["verdict"] == "root-cause"))
    );
    verdict["findings"][0].clone()
}

#[test]
fn rules_that_stand_in_each_others_way_are_told_and_the_remedy_is_proved() {
    let mut document = gateway();
    let found = of(&document);
    assert_eq!(found["cause"], "rule-order", "{found:#}");
    assert_eq!(found["fix"][0]["replay"], "gone");
    let command = found["fix"][0]["commands"][0].as_str().unwrap();
    assert!(command.contains("-n second --priority 9"), "{command}");
    // The other way round, and for another host, nothing stands in the way.
    document["requestRoutingRules"][0]["priority"] = 30.into();
    assert_eq!(of(&document), Value::Null);
    document["requestRoutingRules"][0]["priority"] = 10.into();
    document["httpListeners"][1]["hostNames"] = json!(["b.c.test"]);
    assert_eq!(of(&document), Value::Null);
    // And nothing does where both lead to the same servers in the same way.
    let mut document = gateway();
    document["requestRoutingRules"][0]["backendAddressPool"] =
        document["requestRoutingRules"][1]["backendAddressPool"].clone();
    assert_eq!(of(&document), Value::Null);
}

#[test]
fn paths_that_an_earlier_rule_takes_are_told() {
    let id = gateway()["id"].as_str().unwrap().to_owned();
    let path = |name: &str, path: &str, pool: &str| {
        json!({"name": name, "paths": [path],
               "backendAddressPool": {"id": format!("{id}/backendAddressPools/{pool}")},
               "backendHttpSettings": {"id": format!("{id}/backendHttpSettingsCollection/set")}})
    };
    let mut document = gateway();
    document["requestRoutingRules"][1]["priority"] = 5.into();
    let mut with = |rules: Value| {
        let pool = json!({"id": format!("{id}/backendAddressPools/pool")});
        let setting = json!({"id": format!("{id}/backendHttpSettingsCollection/set")});
        document["urlPathMaps"] = json!([{
            "name": "map", "pathRules": rules, "defaultBackendAddressPool": pool,
            "defaultBackendHttpSettings": setting,
        }]);
        of(&document)
    };
    let found = with(json!([
        path("all", "/api/*", "other"),
        path("new", "/api/v2/*", "pool")
    ]));
    assert_eq!(found["cause"], "rule-order", "{found:#}");
    assert_eq!(found["fix"][0]["replay"], "gone");
    let found = with(json!([
        path("new", "/api/v2/*", "pool"),
        path("all", "/api/*", "other")
    ]));
    assert_eq!(found, Value::Null);
    let found = with(json!([path("one", "/api", "other")]));
    assert_eq!(
        (&found["cause"], &found["confidence"]),
        (&json!("missing-path-rule"), &json!("possible"))
    );
    assert!(
        found["assumes"].as_str().unwrap().contains("below /api"),
        "{found:#}"
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.json");
    let output = predict(&file, None, &[]);
    assert_eq!(output.status.code(), Some(65));
    fs::write(&file, "{").unwrap();
    let output = predict(&file, None, &[]);
    assert_eq!(output.status.code(), Some(65));
    assert!(!output.stderr.is_empty() && output.stdout.is_empty());
}
