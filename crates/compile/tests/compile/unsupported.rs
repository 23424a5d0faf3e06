//! What is asked for and not done: refused, or warned about.

use gatewright_compile::Options;
use serde_json::{Value, json};

use crate::support::*;

/// Whether the code is an error as it is, and whether it still is when the operator accepts less.
#[track_caller]
fn check_feature(changes: Value, name: &str, refused: bool, refused_always: bool) {
    let accepting = Options {
        allow_unsupported: true,
        ..options()
    };
    for (options, is_error) in [(options(), refused), (accepting, refused_always)] {
        let found = own_diagnostics(changes.clone(), &options);
        let with_code: Vec<_> = found
            .iter()
            .filter(|one| one.code.ends_with(name))
            .collect();
        let [one] = with_code.as_slice() else {
            panic!("{name} not once in:\n{}", lines(&found));
        };
        assert_eq!(one.is_error(), is_error, "{one}");
        assert_eq!(one.code.starts_with("GW-E-"), is_error, "{one}");
        assert!(one.pointer.starts_with("/properties/"), "{one}");
    }
}

const ADMISSION: (bool, bool) = (true, true);
const TRAFFIC: (bool, bool) = (true, false);
const NOTHING: (bool, bool) = (false, false);

#[track_caller]
fn check_as((refused, always): (bool, bool), name: &str, changes: Value) {
    check_feature(changes, name, refused, always);
}

fn profile(more: Value) -> Value {
    json!({
        "sslProfiles": [item("tls", more)],
        "trustedClientCertificates": [item("ca", json!({"data": "AAAA"}))],
        "httpListeners":
            [listener("l", "p80", "Http", json!({"sslProfile": to("sslProfiles/tls")}))],
    })
}

#[test]
fn client_certificates_are_never_left_out() {
    let trusted = json!([to("trustedClientCertificates/ca")]);
    for more in [
        json!({"trustedClientCertificates": trusted}),
        json!({
            "trustedClientCertificates": trusted,
            "clientAuthConfiguration": {"verifyClientAuthMode": "Strict"},
        }),
    ] {
        check_as(ADMISSION, "client-certificates", profile(more));
    }
    let passed = json!({"clientAuthConfiguration": {"verifyClientAuthMode": "Passthrough"}});
    check_as(TRAFFIC, "client-certificates-passed", profile(passed));
}

#[test]
fn a_profile_with_the_services_defaults_asks_for_no_certificate() {
    let defaults = json!({"clientAuthConfiguration":
        {"verifyClientCertIssuerDN": false, "verifyClientRevocation": "None"}});
    let found = diagnostics(profile(defaults), &options());
    assert!(
        !lines(&found).contains("client-certificates"),
        "{}",
        lines(&found)
    );
}

#[test]
fn token_validation_is_never_left_out() {
    let rules = |more| json!([rule("r", "l", 10, more)]);
    check_as(
        ADMISSION,
        "token-validation",
        json!({
            "entraJWTValidationConfigs": [item("jwt", json!({
                "unAuthorizedRequestAction": "Deny", "audiences": ["a"],
                "tenantId": "00000000-0000-0000-0000-000000000001",
                "clientId": "00000000-0000-0000-0000-000000000002",
            }))],
            "requestRoutingRules":
                rules(json!({"entraJWTValidationConfig": to("entraJWTValidationConfigs/jwt")})),
        }),
    );
}

fn rewrite_set(rules: Value) -> Value {
    json!([item("set", json!({"rewriteRules": rules}))])
}

fn a_rewrite() -> Value {
    json!([{
        "name": "one", "ruleSequence": 100, "conditions": [],
        "actionSet": {"requestHeaderConfigurations": [{"headerName": "X-A", "headerValue": "b"}]},
    }])
}

#[test]
fn a_rewrite_set_counts_where_it_is_attached_and_does_something() {
    let attached = json!([rule(
        "r",
        "l",
        10,
        json!({"rewriteRuleSet": to("rewriteRuleSets/set")})
    )]);
    let rewriting = |sets| json!({"rewriteRuleSets": sets, "requestRoutingRules": attached});
    check_as(
        TRAFFIC,
        "unsupported-rewrite",
        rewriting(rewrite_set(a_rewrite())),
    );
    let idle = json!({"rewriteRuleSets": rewrite_set(a_rewrite())});
    for changes in [idle, rewriting(rewrite_set(json!([])))] {
        let found = own_diagnostics(changes, &options());
        assert!(found.is_empty(), "{}", lines(&found));
    }
}

#[test]
fn what_hangs_on_path_rules_is_found_once_for_all_listeners() {
    check_as(
        TRAFFIC,
        "unsupported-rewrite",
        json!({
            "rewriteRuleSets": rewrite_set(a_rewrite()),
            "httpListeners": [
                listener("l", "p80", "Http", json!({"hostName": "a.com"})),
                listener("k", "p80", "Http", json!({"hostName": "b.com"})),
            ],
            "requestRoutingRules":
                [rule("r", "l", 1, by_path("m")), rule("q", "k", 2, by_path("m"))],
            "urlPathMaps": [item("m", json!({
                "defaultBackendAddressPool": to("backendAddressPools/p"),
                "defaultBackendHttpSettings": to("backendHttpSettingsCollection/s"),
                "pathRules":
                    [path_rule("x", &["/x/*"], json!({
                        "rewriteRuleSet": to("rewriteRuleSets/set"),
                    }))],
            }))],
        }),
    );
}

#[test]
fn a_load_distribution_policy_falls_back_to_its_first_pool_when_accepted() {
    let changes = json!({
        "loadDistributionPolicies": [item("spread", json!({
            "loadDistributionAlgorithm": "RoundRobin",
            "loadDistributionTargets": [item("t", json!({
                "weightPerServer": 1, "backendAddressPool": to("backendAddressPools/p"),
            }))],
        }))],
        "requestRoutingRules": [rule("r", "l", 10, json!({
            "backendAddressPool": null,
            "loadDistributionPolicy": to("loadDistributionPolicies/spread"),
        }))],
    });
    check_as(TRAFFIC, "load-distribution", changes.clone());
    let accepting = Options {
        allow_unsupported: true,
        ..options()
    };
    let snapshot = compiled_with(changes, &accepting).snapshot;
    assert_eq!(
        shown(&snapshot, route(&snapshot, 80, "h", "/")),
        "l/r → p+s"
    );
}

#[test]
fn tcp_is_refused_and_left_out_when_accepted() {
    check_as(
        TRAFFIC,
        "unsupported-layer4",
        json!({
            "listeners": [item("tcp", json!({
                "frontendIPConfiguration": to("frontendIPConfigurations/public"),
                "frontendPort": to("frontendPorts/p8080"), "protocol": "Tcp",
            }))],
            "backendSettingsCollection":
                [item("raw", json!({"port": 5432, "protocol": "Tcp", "timeout": 30}))],
            "routingRules": [item("tcp", json!({
                "ruleType": "Basic", "priority": 500, "listener": to("listeners/tcp"),
                "backendAddressPool": to("backendAddressPools/p"),
                "backendSettings": to("backendSettingsCollection/raw"),
            }))],
        }),
    );
}

#[test]
fn what_changes_neither_admission_nor_traffic_is_a_warning() {
    check_as(NOTHING, "unsupported-http2", json!({"enableHttp2": true}));
    check_as(NOTHING, "unsupported-fips", json!({"enableFips": true}));
    let buffering = json!({"globalConfiguration": {"enableRequestBuffering": true}});
    check_as(NOTHING, "unsupported-buffering", buffering);
    let http3 = listener("l", "p80", "Http", json!({"enableHttp3": true}));
    check_as(
        NOTHING,
        "unsupported-http3",
        json!({"httpListeners": [http3]}),
    );
    let waf = json!({"name": "WAF_v2", "tier": "WAF_v2", "capacity": 1});
    let policy = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network\
                  /ApplicationGatewayWebApplicationFirewallPolicies/w";
    check_as(
        NOTHING,
        "unsupported-firewall",
        json!({"sku": waf, "firewallPolicy": {"id": policy}}),
    );
    check_as(
        NOTHING,
        "unsupported-firewall",
        json!({
            "sku": waf,
            "webApplicationFirewallConfiguration": {
                "enabled": true, "firewallMode": "Prevention", "ruleSetType": "OWASP",
                "ruleSetVersion": "3.2",
            },
        }),
    );
}

#[test]
fn a_gateway_that_asks_for_nothing_special_has_no_findings() {
    let found = own_diagnostics(json!({}), &options());
    assert!(found.is_empty(), "{}", lines(&found));
}
