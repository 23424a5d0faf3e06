//! Endpoints, frontends and listeners.

use crate::support::*;
use gatewright_compile::{Options, compile};
use gatewright_snapshot::{Idle, Scheme};
use serde_json::json;

#[test]
fn an_endpoint_for_each_frontend_and_port_that_has_a_rule() {
    let private = |name: &str| {
        listener(
            name,
            "p80",
            "Http",
            json!({
                "frontendIPConfiguration": to("frontendIPConfigurations/Private"),
            }),
        )
    };
    let snapshot = compiled(json!({
        "frontendIPConfigurations": [
            item("public", json!({"publicIPAddress": {"id": "%address"}})),
            item("Private", json!({
                "privateIPAddress": "10.0.0.9", "privateIPAllocationMethod": "Static",
                "subnet": {"id": "%subnet"},
            })),
        ],
        "httpListeners": [
            listener("l", "p80", "Http", json!({"hostName": "a.com"})),
            listener("k", "p80", "Http", json!({"hostName": "b.com"})),
            private("m"),
        ],
        "requestRoutingRules": [
            rule("r1", "l", 1, json!({})),
            rule("r2", "k", 2, json!({})),
            rule("r3", "m", 3, json!({})),
        ],
    }))
    .snapshot;
    let keys: Vec<_> = snapshot
        .endpoints
        .iter()
        .map(|one| {
            (
                one.key.gateway.as_str(),
                one.key.frontend.as_str(),
                one.key.port,
            )
        })
        .collect();
    let gateway = GATEWAY_ID.to_ascii_lowercase();
    assert_eq!(
        keys,
        [
            (gateway.as_str(), "public", 80),
            (gateway.as_str(), "private", 80)
        ]
    );
    let addresses: Vec<_> = snapshot
        .endpoints
        .iter()
        .map(|one| one.logical_address)
        .collect();
    assert_eq!(addresses, [None, "10.0.0.9".parse().ok()]);
    assert!(
        snapshot
            .endpoints
            .iter()
            .all(|one| one.scheme == Scheme::Http)
    );
    assert_eq!(snapshot.listeners.len(), 3);
}

#[test]
fn a_listener_without_a_rule_is_not_served() {
    let changes = json!({"httpListeners": [
        listener("l", "p80", "Http", json!({})), listener("idle", "p8080", "Http", json!({})),
    ]});
    assert_eq!(compiled(changes).snapshot.endpoints.len(), 1);
}

#[test]
fn a_port_beyond_the_last_one_is_an_error() {
    let options = Options {
        port_offset: 65_500,
        ..options()
    };
    let found = message(json!({}), &options, "GW-E-port-offset");
    assert!(found.contains("at most 65455"), "{found}");
}

#[test]
fn the_same_gateway_twice_is_an_error() {
    let one = gateway(json!({}));
    let found = compile(&[one.clone(), one], &options()).expect_err("refused");
    assert_eq!(
        found.first().map(|one| &*one.code),
        Some("GW-E-duplicate-gateway")
    );
}

#[test]
fn two_gateways_share_a_snapshot() {
    let one = gateway(json!({}));
    let mut other = gateway(json!({"frontendPorts": [item("p80", json!({"port": 81}))]}));
    other.name = "other".to_owned();
    other.id = Some(GATEWAY_ID.replace("/gw", "/other"));
    let text = |value: &str| value.replace(GATEWAY_ID, &GATEWAY_ID.replace("/gw", "/other"));
    let properties = &mut other.properties;
    for rule in &mut properties.request_routing_rules {
        let rule = &mut rule.properties;
        for reference in [
            &mut rule.http_listener,
            &mut rule.backend_address_pool,
            &mut rule.backend_http_settings,
        ] {
            let reference = reference.as_mut().expect("set");
            reference.id = text(&reference.id);
        }
    }
    for listener in &mut properties.http_listeners {
        let listener = &mut listener.properties;
        for reference in [
            &mut listener.frontend_ip_configuration,
            &mut listener.frontend_port,
        ] {
            let reference = reference.as_mut().expect("set");
            reference.id = text(&reference.id);
        }
    }
    let compiled = compile(&[one, other], &options()).expect("compiles");
    let snapshot = &compiled.snapshot;
    assert_eq!(snapshot.gateways.len(), 2);
    let route = route(snapshot, 81, "h", "/").expect("a route");
    assert_eq!(snapshot.gateway_of(route.listener).name, "other");
    let gatewright_snapshot::Action::Forward(upstream) = &route.action else {
        panic!("{:?}", route.action);
    };
    let pool = snapshot.pool(snapshot.upstream(*upstream).pool);
    assert_eq!(snapshot.gateway(pool.gateway).name, "other");
}

#[test]
fn a_gateway_is_stopped_only_when_it_was_stopped() {
    let state = |operational: &str, provisioning: &str| {
        compiled(json!({"operationalState": operational, "provisioningState": provisioning}))
    };
    for (provisioning, idle, code) in [
        ("Succeeded", Idle::Stopped, "GW-W-stopped"),
        ("Failed", Idle::Failed, "GW-W-failed"),
    ] {
        let compiled = state("Stopped", provisioning);
        assert_eq!(compiled.snapshot.gateways[0].idle, Some(idle));
        assert!(compiled.diagnostics.iter().any(|one| one.code == code));
    }
    for (operational, provisioning) in [
        ("Stopped", "Updating"),
        ("Running", "Succeeded"),
        ("Running", "Failed"),
        ("Starting", "Failed"),
    ] {
        let gateway = &state(operational, provisioning).snapshot.gateways[0];
        assert_eq!(gateway.idle, None, "{operational}, {provisioning}");
    }
}

#[test]
fn error_pages_of_the_listener_come_before_those_of_the_gateway() {
    let page = |status: &str, url: &str| json!({"statusCode": status, "customErrorPageUrl": url});
    let snapshot = compiled(json!({
        "customErrorConfigurations": [
            page("HttpStatus502", "https://a.com/502.html"),
            page("HttpStatus403", "https://a.com/403.htm"),
        ],
        "httpListeners": [listener("l", "p80", "Http", json!({
            "customErrorConfigurations": [page("HttpStatus502", "https://b.com/own.html?sig=x")],
        }))],
    }))
    .snapshot;
    let pages: Vec<_> = snapshot.listeners[0]
        .error_pages
        .iter()
        .map(|page| (page.status, page.url.as_str()))
        .collect();
    assert_eq!(
        pages,
        [
            (502, "https://b.com/own.html?sig=x"),
            (403, "https://a.com/403.htm")
        ]
    );
}
