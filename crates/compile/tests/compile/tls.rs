//! HTTPS endpoints: who answers which server name, with which policy.

use gatewright_compile::{CertificateId, Identity, Options};
use gatewright_snapshot::{ListenerIndex, PrivateKey, Scheme, Snapshot, TlsVersion};
use serde_json::{Value, json};

use crate::support::*;

/// Options with a stand-in for certificate `c`; compilation does not look inside.
fn with_stand_in() -> Options {
    let stand_in = Identity {
        chain: vec![vec![1]],
        key: PrivateKey::new(vec![2]),
    };
    let id = CertificateId::new(GATEWAY_ID, "C");
    Options {
        development_certificates: [(id, stand_in)].into(),
        ..options()
    }
}

/// Changes for HTTPS listeners on port 443, each with its rule, the first asked first.
fn sites(listeners: &[(&str, Value)], priorities: bool) -> Value {
    let https = |name: &str, more: &Value| {
        let certificate = json!({"sslCertificate": to("sslCertificates/c")});
        listener(name, "p443", "Https", merged(certificate, more.clone()))
    };
    let rules = listeners.iter().enumerate().map(|(position, (name, _))| {
        let priority = if priorities { position as i32 + 1 } else { 0 };
        rule(&format!("r-{name}"), name, priority, json!({}))
    });
    json!({
        "sslCertificates": [item("c", json!({"publicCertData": "AAAA"}))],
        "httpListeners":
            listeners.iter().map(|(name, more)| https(name, more)).collect::<Vec<_>>(),
        "requestRoutingRules": rules.collect::<Vec<_>>(),
        "provisioningState": "Succeeded",
    })
}

fn on_v1(mut changes: Value) -> Value {
    changes["sku"] = json!({"name": "Standard_Medium", "tier": "Standard", "capacity": 1});
    changes
}

fn named(snapshot: &Snapshot, listener: Option<ListenerIndex>) -> Option<&str> {
    listener.map(|index| snapshot.listener(index).name.as_str())
}

/// Asserts who answers on the only endpoint: without a server name, and with an unknown one.
#[track_caller]
fn check_fallback(changes: Value, fallback: Option<&str>, unknown: Option<&str>) {
    let snapshot = compiled_with(changes, &with_stand_in()).snapshot;
    let endpoint = &snapshot.endpoints[0];
    assert_eq!(endpoint.scheme, Scheme::Https);
    assert_eq!(named(&snapshot, endpoint.sni_fallback), fallback);
    assert_eq!(
        named(&snapshot, endpoint.hosts.find(b"unknown.example")),
        unknown
    );
}

#[test]
fn who_answers_without_a_known_server_name() {
    let site = |host: &str| json!({"hostName": host, "requireServerNameIndication": true});
    let two = [("b", site("b.com")), ("a", site("a.com"))];
    let basic = [("b", site("b.com")), ("all", json!({}))];
    check_fallback(sites(&two, true), Some("b"), None);
    check_fallback(sites(&basic, true), Some("all"), Some("all"));
    check_fallback(on_v1(sites(&two, false)), None, None);
    check_fallback(on_v1(sites(&basic, false)), Some("all"), Some("all"));
    let lax = [("b", site("b.com")), ("a", json!({"hostName": "a.com"}))];
    check_fallback(on_v1(sites(&lax, false)), Some("a"), Some("a"));
}

#[test]
fn a_listeners_profile_goes_before_the_gateways_policy() {
    let policy = |name: &str| json!({"policyType": "Predefined", "policyName": name});
    let mut changes = sites(
        &[
            (
                "a",
                json!({"hostName": "a.com", "sslProfile": to("sslProfiles/strict")}),
            ),
            (
                "b",
                json!({"hostName": "b.com", "sslProfile": to("sslProfiles/plain")}),
            ),
        ],
        true,
    );
    changes["sslPolicy"] = policy("AppGwSslPolicy20220101");
    changes["sslProfiles"] = json!([
        item(
            "strict",
            json!({"sslPolicy": {
                "policyType": "CustomV2", "minProtocolVersion": "TLSv1_3",
                "cipherSuites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
            }})
        ),
        item("plain", json!({})),
    ]);
    let compiled = compiled_with(changes, &with_stand_in());
    let shown: Vec<_> = compiled
        .snapshot
        .listeners
        .iter()
        .filter_map(|listener| listener.tls_policy.as_ref())
        .map(|policy| (policy.name.as_str(), policy.minimum))
        .collect();
    let expected = [
        ("CustomV2", TlsVersion::Tls13),
        ("AppGwSslPolicy20220101", TlsVersion::Tls12),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn suites_that_are_missing_here_are_named_once_for_each_policy() {
    let two = [
        ("a", json!({"hostName": "a.com"})),
        ("b", json!({"hostName": "b.com"})),
    ];
    let message = message(sites(&two, true), &with_stand_in(), "GW-W-tls-suites");
    assert!(
        message.contains("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
        "{message}"
    );
    assert!(message.contains("AppGwSslPolicy20220101"), "{message}");
}

#[test]
fn a_running_gateway_with_a_withdrawn_default_is_served_with_what_remains() {
    let mut changes = sites(&[("a", json!({}))], true);
    changes["defaultPredefinedSslPolicy"] = json!("AppGwSslPolicy20150501");
    let compiled = compiled_with(changes, &with_stand_in());
    let policy = compiled.snapshot.listeners[0]
        .tls_policy
        .as_ref()
        .expect("a policy");
    assert_eq!(
        (policy.minimum, policy.maximum),
        (TlsVersion::Tls12, TlsVersion::Tls12)
    );
    let told = lines(&compiled.diagnostics);
    assert!(told.contains("deprecated TLS version"), "{told}");
    assert!(told.contains("TLS 1.0 and TLS 1.1"), "{told}");
    assert!(told.contains("TLS 1.2 only"), "{told}");
}

#[test]
fn a_policy_of_which_nothing_is_left_is_an_error() {
    let mut changes = sites(&[("a", json!({}))], true);
    changes["sslPolicy"] = json!({
        "policyType": "Custom", "minProtocolVersion": "TLSv1_2",
        "cipherSuites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"],
    });
    let message = message(changes, &with_stand_in(), "GW-E-tls-policy");
    assert!(message.contains("/properties/sslPolicy"), "{message}");
}

#[test]
fn http_and_https_do_not_share_an_endpoint() {
    let mut changes = sites(&[("a", json!({}))], true);
    let mut plain = listener("plain", "p443", "Http", json!({"hostName": "p.com"}));
    plain["properties"]["frontendPort"] = to("frontendPorts/p8080");
    changes["httpListeners"]
        .as_array_mut()
        .expect("a list")
        .push(plain);
    changes["requestRoutingRules"]
        .as_array_mut()
        .expect("a list")
        .push(rule("r-plain", "plain", 9, json!({})));
    assert_eq!(
        compiled_with(changes.clone(), &with_stand_in())
            .snapshot
            .endpoints
            .len(),
        2
    );
    changes["httpListeners"][1]["properties"]["frontendPort"] = to("frontendPorts/p443");
    let found = diagnostics(changes, &with_stand_in());
    assert!(
        found.iter().any(gatewright_arm::Diagnostic::is_error),
        "{}",
        lines(&found)
    );
}
