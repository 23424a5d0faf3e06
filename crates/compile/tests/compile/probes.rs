//! Health probes.

use std::time::Duration;

use gatewright_snapshot::{BackendProtocol, BackendTrust, Probe, ProbeHost};
use serde_json::{Value, json};

use crate::support::*;

/// The probe of the only setting, which names `probe` as its own.
fn probe_of(probe: Value, more: Value) -> Probe {
    let base = json!({
        "protocol": "Http", "host": "a.com", "path": "/healthz", "interval": 7, "timeout": 5,
        "unhealthyThreshold": 2,
    });
    let compiled = compiled(merged(
        json!({
            "probes": [item("c", merged(base, probe))],
            "backendHttpSettingsCollection":
                [setting("s", json!({"port": 8080, "probe": to("probes/c")}))],
        }),
        more,
    ));
    compiled.snapshot.settings[0]
        .probe
        .clone()
        .expect("a probe")
}

#[test]
fn a_setting_without_a_probe_has_the_default_one() {
    let snapshot = compiled(json!({
        "backendHttpSettingsCollection": [setting("s", json!({"port": 8080}))],
    }))
    .snapshot;
    let expected = Probe::default_for(BackendProtocol::Http, 8080, None);
    assert_eq!(snapshot.settings[0].probe, Some(expected));
}

#[test]
fn every_parameter_of_a_custom_probe_counts() {
    let probe = probe_of(
        json!({
            "port": 9090, "minServers": 1,
            "match": {"statusCodes": ["200", "401-403"], "body": "fine"},
        }),
        json!({}),
    );
    let expected = Probe {
        name: Some("c".to_owned()),
        protocol: BackendProtocol::Http,
        port: 9090,
        host: ProbeHost::Fixed("a.com".to_owned()),
        path: "/healthz".to_owned(),
        interval: Duration::from_secs(7),
        timeout: Duration::from_secs(5),
        unhealthy_threshold: 2,
        statuses: vec![200..=200, 401..=403],
        body: Some("fine".to_owned()),
        min_servers: 1,
        verification: None,
    };
    assert_eq!(probe, expected);
}

#[test]
fn what_a_custom_probe_leaves_open_comes_from_the_setting() {
    let probe = probe_of(
        json!({
            "host": "", "pickHostNameFromBackendHttpSettings": true, "port": 0,
            "match": {"statusCodes": [], "body": ""},
        }),
        json!({"backendHttpSettingsCollection": [setting("s", json!({
            "port": 8080, "hostName": "b.com", "probe": to("probes/c"),
        }))]}),
    );
    assert_eq!((probe.port, probe.host), (8080, ProbeHost::FromSetting));
    assert_eq!((probe.statuses, probe.body), (vec![200..=399], None));
}

#[test]
fn an_https_probe_trusts_what_its_setting_trusts() {
    let over = |protocol: &str| {
        let setting = setting("s", json!({"protocol": protocol, "probe": to("probes/c")}));
        let more = json!({"backendHttpSettingsCollection": [setting]});
        probe_of(json!({"protocol": "Https"}), more).verification
    };
    for protocol in ["Https", "Http"] {
        let verification = over(protocol).expect("an Https probe checks certificates");
        assert_eq!(verification.trust, BackendTrust::WellKnown);
        assert!(verification.check_chain && verification.check_name);
    }
}

#[test]
fn what_could_break_a_request_is_an_error_at_its_place() {
    for (member, value, code) in [
        ("host", "a.com\r\nX: y", "GW-E-probe-host"),
        ("host", "a.com/x", "GW-E-probe-host"),
        ("path", "/a b", "GW-E-probe-path"),
        ("path", "/a\r\nX: y", "GW-E-probe-path"),
        ("path", "/a#b", "GW-E-probe-path"),
    ] {
        let mut probe = json!({
            "protocol": "Http", "host": "a.com", "path": "/", "interval": 30, "timeout": 30,
            "unhealthyThreshold": 3,
        });
        probe[member] = json!(value);
        let found = diagnostics(
            json!({
                "probes": [item("c", probe)],
                "backendHttpSettingsCollection":
                    [setting("s", json!({"probe": to("probes/c")}))],
            }),
            &options(),
        );
        let first = found.first().expect("an error");
        assert_eq!(first.code, code, "{value:?}: {first}");
        let place = format!("/properties/probes/0/properties/{member}");
        assert_eq!(first.pointer, place, "{value:?}");
    }
}
