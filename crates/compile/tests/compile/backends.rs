//! Pools and backend settings.

use std::time::Duration;

use gatewright_snapshot::{BackendProtocol, BackendSetting, HostOverride, Member};
use serde_json::{Value, json};

use crate::support::*;

fn pool(addresses: Value) -> Value {
    json!({"backendAddressPools": [item("p", json!({"backendAddresses": addresses}))]})
}

#[test]
fn members_are_addresses_or_names_in_lower_case_each_once() {
    let snapshot = compiled(pool(json!([
        {"ipAddress": "10.0.0.4"},
        {"fqdn": "App.Contoso.COM."},
        {"fqdn": "10.0.0.5"},
        {"ipAddress": "other.contoso.com"},
        {"ipAddress": "10.0.0.4"},
        {"fqdn": "app.contoso.com"},
    ])))
    .snapshot;
    let ip = |text: &str| Member::Ip(text.parse().expect("an address"));
    let [name, other] = ["app", "other"].map(|host| Member::Fqdn(format!("{host}.contoso.com")));
    assert_eq!(
        snapshot.pools[0].members,
        [ip("10.0.0.4"), name, ip("10.0.0.5"), other]
    );
}

#[test]
fn what_is_neither_an_address_nor_a_name_is_an_error_at_its_place() {
    for address in [
        json!({"ipAddress": "10.0.0.256"}),
        json!({"fqdn": "https://a.com"}),
        json!({"fqdn": "*.contoso.com"}),
        json!({"fqdn": "a.com:8080"}),
    ] {
        let found = diagnostics(
            pool(json!([{"ipAddress": "10.0.0.4"}, address])),
            &options(),
        );
        let first = found.first().expect("an error");
        assert!(first.is_error(), "{first}");
        let place = "/properties/backendAddressPools/0/properties/backendAddresses/1";
        assert!(first.pointer.starts_with(place), "{first}");
    }
}

#[test]
fn members_that_joined_from_their_side_are_named() {
    let interface = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network\
                     /networkInterfaces/vm1-nic/ipConfigurations/ipconfig1";
    let changes = json!({"backendAddressPools": [
        item("p", json!({"backendIPConfigurations": [{"id": interface}]})),
    ]});
    let message = message(changes, &options(), "GW-W-backend-interfaces");
    assert!(message.contains("(vm1-nic/ipconfig1)"), "{message}");
}

/// The row of setting `s` with `more` members, of a gateway with `changes`.
#[track_caller]
fn compiled_setting(mut changes: Value, more: Value) -> BackendSetting {
    changes["backendHttpSettingsCollection"] = json!([setting("s", more)]);
    compiled(changes).snapshot.settings.remove(0)
}

fn v1() -> Value {
    json!({
        "sku": {"name": "Standard_Medium", "tier": "Standard", "capacity": 1},
        "requestRoutingRules": [rule("r", "l", 0, json!({}))],
    })
}

#[test]
fn a_setting_has_the_defaults_of_the_service() {
    let setting = compiled_setting(json!({}), json!({"requestTimeout": null}));
    assert_eq!(
        (setting.port, setting.protocol),
        (80, BackendProtocol::Http)
    );
    assert_eq!(setting.request_timeout, Duration::from_secs(30));
    assert_eq!(setting.drain_timeout, Duration::from_secs(30));
    assert_eq!(setting.affinity_cookie, None);
    assert_eq!(setting.host, HostOverride::Keep);
    assert_eq!((setting.path, setting.dedicated_connection), (None, false));
    assert!(setting.verification.is_none());
}

#[test]
fn draining_counts_only_when_it_is_on() {
    for (enabled, seconds) in [(true, 120), (false, 30)] {
        let draining = json!({"enabled": enabled, "drainTimeoutInSec": 120});
        let setting = compiled_setting(json!({}), json!({"connectionDraining": draining}));
        assert_eq!(setting.drain_timeout, Duration::from_secs(seconds));
    }
}

#[test]
fn the_affinity_cookie_has_its_generations_name_or_its_own() {
    let on = json!({"cookieBasedAffinity": "Enabled"});
    let name = |changes, more| compiled_setting(changes, more).affinity_cookie;
    assert_eq!(
        name(json!({}), on.clone()).as_deref(),
        Some("ApplicationGatewayAffinity")
    );
    assert_eq!(name(v1(), on.clone()).as_deref(), Some("ARRAffinity"));
    let own = merged(on.clone(), json!({"affinityCookieName": "shop"}));
    assert_eq!(name(json!({}), own).as_deref(), Some("shop"));
    assert_eq!(name(json!({}), json!({"affinityCookieName": "shop"})), None);
    let bad = merged(on, json!({"affinityCookieName": "a=b; c"}));
    let changes = json!({"backendHttpSettingsCollection": [setting("s", bad)]});
    assert!(
        diagnostics(changes, &options())
            .iter()
            .any(gatewright_arm::Diagnostic::is_error)
    );
}

#[test]
fn the_host_that_a_backend_sees() {
    let host = |more| compiled_setting(json!({}), more).host;
    let fixed = HostOverride::Fixed("app.contoso.com".to_owned());
    assert_eq!(host(json!({"hostName": "app.contoso.com"})), fixed);
    assert_eq!(
        host(json!({"pickHostNameFromBackendAddress": true})),
        HostOverride::FromMember
    );
    assert_eq!(host(json!({"hostName": ""})), HostOverride::Keep);
    for bad in ["a b", "a.com\r\nX: y", "https://a.com", "*.a.com"] {
        let changes =
            json!({"backendHttpSettingsCollection": [setting("s", json!({"hostName": bad}))]});
        let found = diagnostics(changes, &options());
        assert!(
            found.iter().any(gatewright_arm::Diagnostic::is_error),
            "{bad}"
        );
    }
}

#[test]
fn the_override_path_begins_with_a_slash_and_stays_in_its_line() {
    let path = |more| compiled_setting(json!({}), more).path;
    assert_eq!(path(json!({"path": "/over/"})).as_deref(), Some("/over/"));
    assert_eq!(path(json!({"path": ""})), None);
    for bad in ["/a b", "/a\r\nb", "/a?b"] {
        let changes =
            json!({"backendHttpSettingsCollection": [setting("s", json!({"path": bad}))]});
        let found = diagnostics(changes, &options());
        assert!(
            found.iter().any(gatewright_arm::Diagnostic::is_error),
            "{bad:?}"
        );
    }
}

#[test]
fn an_https_setting_verifies_all_unless_told_otherwise() {
    let https = json!({"protocol": "Https", "port": 443});
    let all = compiled_setting(json!({}), https.clone())
        .verification
        .expect("present");
    assert_eq!(
        (all.check_chain, all.check_name, all.sni_name),
        (true, true, None)
    );
    let more = json!({"validateCertChainAndExpiry": false, "sniName": "b.com"});
    let some = compiled_setting(json!({}), merged(https.clone(), more)).verification;
    let some = some.expect("present");
    assert_eq!((some.check_chain, some.check_name), (false, true));
    assert_eq!(some.sni_name.as_deref(), Some("b.com"));
    let none = compiled_setting(json!({}), merged(https, json!({"validateSNI": false})));
    assert!(!none.verification.expect("present").check_name);
}
