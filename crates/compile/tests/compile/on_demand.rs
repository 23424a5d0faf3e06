//! Probes on demand.

use std::time::Duration;

use gatewright_arm::{Diagnostic, read_on_demand_probe};
use gatewright_compile::{OnDemand, compile_on_demand};
use gatewright_snapshot::{BackendProtocol, GatewayIndex, Probe, ProbeHost, Snapshot};
use serde_json::{Value, json};

use crate::support::*;

/// A gateway whose setting `s` has a probe with a port of its own and a switch that is off.
fn snapshot() -> Snapshot {
    let probe = json!({
        "protocol": "Https", "host": "a.com", "path": "/healthz", "interval": 7, "timeout": 5,
        "unhealthyThreshold": 2, "port": 9443, "match": { "statusCodes": ["200"], "body": "fine" },
    });
    let switches = json!({
        "port": 8443, "protocol": "Https", "probe": to("probes/c"),
        "validateCertChainAndExpiry": false, "validateSNI": false,
    });
    compiled(json!({
        "probes": [item("c", probe)],
        "backendHttpSettingsCollection": [setting("s", switches)],
    }))
    .snapshot
}

/// `{"id": …}` of a part, as the service's ids end.
fn at(part: &str) -> Value {
    json!({ "id": format!("/x/applicationGateways/gw/{part}") })
}

/// What `body` asks for, of the pool `p` under the setting `s` unless it says otherwise.
fn asked(body: Value) -> Result<OnDemand, Vec<Diagnostic>> {
    let pair = json!({
        "backendAddressPool": at("backendAddressPools/p"),
        "backendHttpSettings": at("backendHttpSettingsCollection/S"),
    });
    let body = read_on_demand_probe(&merged(pair, body))?;
    compile_on_demand(&body, GatewayIndex::new(0), &snapshot())
}

fn probe(body: Value) -> Probe {
    asked(body).expect("a sound body").probe
}

#[test]
fn what_the_body_leaves_out_is_as_in_the_settings_own_probe_but_all_is_checked() {
    let snapshot = snapshot();
    let own = snapshot.settings[0].probe.clone().unwrap();
    let switches = own.verification.clone().unwrap();
    assert!(!switches.check_chain && !switches.check_name);
    let asked = asked(json!({})).unwrap();
    assert_eq!(snapshot.pool(asked.upstream.pool).name, "p");
    let probe = asked.probe;
    let checks = probe.verification.as_ref().unwrap();
    assert!(checks.check_chain && checks.check_name);
    assert_eq!(checks.trust, switches.trust);
    let expected = (
        9443,
        &own.host,
        "/healthz",
        Duration::from_secs(5),
        &own.body,
    );
    let seen = (
        probe.port,
        &probe.host,
        probe.path.as_str(),
        probe.timeout,
        &probe.body,
    );
    assert_eq!(seen, expected);
    assert_eq!(probe.statuses, own.statuses);
}

#[test]
fn what_the_body_says_counts() {
    let changed = probe(json!({
        "protocol": "Http", "host": "b.com", "path": "/x?y", "timeout": "100",
        "match": { "statusCodes": ["401"] },
    }));
    assert_eq!(changed.protocol, BackendProtocol::Http);
    assert_eq!(
        changed.port, 8443,
        "another protocol's port is the setting's"
    );
    assert_eq!(changed.host, ProbeHost::Fixed("b.com".to_owned()));
    assert_eq!(
        (changed.path.as_str(), changed.timeout.as_secs()),
        ("/x?y", 100)
    );
    assert_eq!((changed.expected().as_str(), changed.body), ("401", None));
    assert_eq!(changed.verification, None);
    let picked = probe(json!({ "pickHostNameFromBackendHttpSettings": true }));
    assert_eq!(picked.host, ProbeHost::FromSetting);
    let not_picked = probe(json!({ "pickHostNameFromBackendHttpSettings": false }));
    assert_eq!(not_picked.host, ProbeHost::Loopback);
}

#[test]
fn a_bad_body_is_refused_with_its_place() {
    let cases = [
        (json!({ "timeout": 0 }), "/timeout", "cannot take 0 s"),
        (json!({ "timeout": 86_401 }), "/timeout", "cannot take"),
        (json!({ "timeout": -5 }), "/timeout", "cannot take"),
        (
            json!({ "protocol": "Tcp" }),
            "/protocol",
            "not probed by Tcp",
        ),
        (json!({ "path": "x" }), "/path", "'/' in front"),
        (json!({ "path": "/a b" }), "/path", "no path has"),
        (json!({ "host": "a\r\nX: y" }), "/host", "no host name"),
        (
            json!({ "match": { "statusCodes": ["200", "20x"] } }),
            "/match/statusCodes/1",
            "'20x'",
        ),
        (
            json!({ "match": { "body": "x".repeat(4_091) } }),
            "/match/body",
            "4090",
        ),
        (
            json!({ "backendAddressPool": at("backendAddressPools/other") }),
            "/backendAddressPool/id",
            "names nothing",
        ),
        (
            json!({ "backendHttpSettings": at("probes/s") }),
            "/backendHttpSettings/id",
            "names nothing",
        ),
        (
            json!({ "backendAddressPool": null }),
            "/backendAddressPool/id",
            "no backendAddressPool",
        ),
        (json!({ "paht": "/" }), "/paht", "Could not find member"),
        (json!({ "timeout": [] }), "/timeout", "timeout"),
    ];
    for (body, pointer, said) in cases {
        let shown = body.to_string();
        let found = asked(body).expect_err(&shown);
        let named = |one: &Diagnostic| one.pointer == pointer && one.to_string().contains(said);
        assert!(found.iter().any(named), "{shown}: {found:#?}");
    }
}
