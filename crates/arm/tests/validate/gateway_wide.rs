//! Rules of the gateway as a whole, and of what is useless in it.

use super::*;

#[test]
fn sku_rules() {
    expect(vec![
        (
            "ApplicationGatewayV2SkuMustSpecifyEitherCapacityOrAutoscaleConfiguration",
            "/sku/capacity",
            vec![("/autoscaleConfiguration", json!(null))],
        ),
        (
            "GW-E-capacity-range",
            "/sku/capacity",
            vec![("/sku/capacity", json!(126))],
        ),
        (
            "GW-W-capacity-ignored",
            "/sku/capacity",
            vec![("/sku/capacity", json!(2))],
        ),
        (
            "GW-E-autoscale-bounds",
            "/autoscaleConfiguration/minCapacity",
            vec![("/autoscaleConfiguration/minCapacity", json!(null))],
        ),
        (
            "GW-E-autoscale-bounds",
            "/autoscaleConfiguration/maxCapacity",
            vec![("/autoscaleConfiguration/minCapacity", json!(11))],
        ),
        (
            "GW-E-reserved-capacity",
            "/reservedCapacity",
            vec![("/reservedCapacity", json!(1))],
        ),
    ]);
}

/// The messages about the gateway when it has this SKU.
fn messages_of_sku(sku: Value) -> String {
    let findings = check(&[("/sku", sku)], &put());
    let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
    messages.join("\n")
}

#[test]
fn a_tier_is_told_what_it_does_not_support() {
    let v1 = json!({ "name": "Standard_Medium", "tier": "Standard", "capacity": 2 });
    let messages = messages_of_sku(v1);

    for feature in [
        "Priority",
        "Identity",
        "Autoscaling",
        "RewriteRuleSets",
        "Listeners",
    ] {
        assert!(
            messages.contains(&format!("does not support {feature} for")),
            "{feature}"
        );
    }
    assert!(messages.contains("retired on 28 April 2026"));
    let basic = json!({ "name": "Basic", "tier": "Basic", "capacity": 3 });
    let messages = messages_of_sku(basic);
    for part in [
        "does not support URL Rewrite for the selected SKU tier Basic. Supported SKU tiers are \
         Standard_v2,WAF_v2.",
        "does not support Autoscaling for",
        "For specified sku-tier Basic, property BackendSettingsCollection or Listeners or \
         RoutingRules is not supported.",
        "Supported range is [1, 2]",
    ] {
        assert!(messages.contains(part), "{part} is not in {messages}");
    }
}

#[test]
fn a_firewalls_bounds_are_told() {
    let waf = json!({ "enabled": true, "firewallMode": "Detection", "ruleSetType": "OWASP",
                      "ruleSetVersion": "3.0", "maxRequestBodySizeInKb": 129 });
    let changes = [
        ("/sku", json!({ "name": "WAF_v2", "tier": "WAF_v2" })),
        ("/webApplicationFirewallConfiguration", waf),
    ];
    let message = first(
        &changes,
        &put(),
        "GW-E-firewall",
        "/properties/webApplicationFirewallConfiguration/maxRequestBodySizeInKb",
    );
    assert_eq!(
        message,
        "MaxRequestBodySizeInKb 129 is out of range, it should be within 8 and 128"
    );
}

#[test]
fn limits_name_the_number_and_the_maximum() {
    let pool = |i: usize| json!({ "name": format!("p{i}") });
    let pools: Vec<Value> = (0..101).map(pool).collect();
    let findings = check(&[("/backendAddressPools", json!(pools))], &put());
    let limit = findings
        .iter()
        .find(|f| f.code.ends_with("LimitReached"))
        .expect("a limit");
    assert_eq!(
        limit.code,
        "ApplicationGatewayBackendAddressPoolLimitReached"
    );
    assert_eq!(
        limit.message,
        "The number of BackendAddressPools exceeds the maximum allowed value. \
        The number of BackendAddressPools is 101 and the maximum allowed is 100."
    );
    let servers: Vec<Value> = (0..6)
        .map(|i| json!({ "ipAddress": format!("10.0.0.{i}") }))
        .collect();
    let changes = [
        (
            "/sku",
            json!({ "name": "Basic", "tier": "Basic", "capacity": 1 }),
        ),
        (
            "/backendAddressPools/0/properties/backendAddresses",
            json!(servers),
        ),
    ];
    let findings = check(&changes, &put());
    assert!(
        findings
            .iter()
            .any(|f| f.code == "ApplicationGatewayBackendServersPerPoolLimitReached")
    );
}

#[test]
fn tls_rules() {
    let custom = |kind: &str, min: &str| {
        json!({ "policyType": kind, "minProtocolVersion": min,
        "cipherSuites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] })
    };
    let old = "ApplicationGatewayDeprecatedTlsVersionUsedInSslPolicy";
    expect(vec![
        (
            old,
            "/sslPolicy",
            vec![("/sslPolicy", custom("Custom", "TLSv1_1"))],
        ),
        (
            "GW-E-tls-policy",
            "/sslPolicy/policyName",
            vec![("/sslPolicy/policyName", json!(null))],
        ),
        (
            "GW-E-tls-policy",
            "/sslPolicy/cipherSuites",
            vec![(
                "/sslPolicy",
                json!({ "policyType": "CustomV2", "minProtocolVersion": "TLSv1_2" }),
            )],
        ),
        (
            "GW-E-tls-policy",
            "/sslPolicy/minProtocolVersion",
            vec![("/sslPolicy", custom("Custom", "TLSv1_3"))],
        ),
        (
            "GW-E-tls-policy",
            "/sslPolicy",
            vec![(
                "/sslProfiles",
                json!([{ "name": "p", "properties":
             { "sslPolicy": custom("Custom", "TLSv1_2") } }]),
            )],
        ),
    ]);
    assert_eq!(
        check(
            &[(
                "/sslPolicy",
                json!({ "disabledSslProtocols": ["TLSv1_0", "TLSv1_1"] })
            )],
            &put()
        ),
        []
    );
    let none = [("/sslPolicy", json!(null))];
    assert_eq!(check(&none, &put()), []);
    let before = Context {
        api_version: Some("2022-05-01".parse().expect("a version")),
        ..put()
    };
    first(&none, &before, old, "/properties/sslPolicy");
    let lenient = Context {
        refuse_old_tls: false,
        ..before
    };
    let findings = check(&none, &lenient);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "GW-W-tls-deprecated");
}

#[test]
fn certificates_must_have_data_unless_the_service_has_it() {
    let certificate = "/sslCertificates/0/properties";
    let code = "ApplicationGatewayCertificateDataOrKeyVaultSecretIdMustBeSpecified";
    let bare = [(certificate, json!({}))];
    let at = format!("/properties{certificate}/data");
    first(&bare, &put(), code, &at);
    first(&bare, &Context::default(), code, &at);
    // An answer of the service that is put again.
    let answered = [(certificate, json!({ "provisioningState": "Succeeded" }))];
    assert_eq!(check(&answered, &put()), []);
    assert_eq!(
        check(
            &[(certificate, json!({ "publicCertData": "x" }))],
            &Context::default()
        ),
        []
    );
    let previous = gateway(&sample("contoso-put.json"));
    let known = Context {
        previous: Some(&previous),
        ..put()
    };
    assert_eq!(check(&bare, &known), []);
    first(
        &[(
            "/sslCertificates/-",
            json!({ "name": "new", "properties":
             { "provisioningState": "Succeeded" } }),
        )],
        &known,
        code,
        "/properties/sslCertificates/2/properties/data",
    );
    expect(vec![
        (
            code,
            "/trustedRootCertificates/0/properties/data",
            vec![("/trustedRootCertificates/0/properties", json!({}))],
        ),
        (
            "ApplicationGatewayTrustedClientCertificateMustSpecifyData",
            "/trustedClientCertificates/0/properties/data",
            vec![(
                "/trustedClientCertificates",
                json!([{ "name": "c", "properties": {} }]),
            )],
        ),
    ]);
}

#[test]
fn names_are_well_formed_and_unique() {
    expect(vec![
        (
            "DuplicateResourceName",
            "/frontendPorts/1/Name",
            vec![("/frontendPorts/1/Name", json!("HTTP"))],
        ),
        (
            "InvalidResourceName",
            "/probes/0/name",
            vec![("/probes/0/name", json!("-a"))],
        ),
    ]);
    let findings = check(&[("/probes/0/name", json!(null))], &put());
    assert_eq!(findings[0].code, "InvalidResourceName");
}

#[test]
fn changes_that_the_service_refuses_are_refused() {
    let policy = json!({ "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
        ApplicationGatewayWebApplicationFirewallPolicies/p" });
    let waf = ("/sku", json!({ "name": "WAF_v2", "tier": "WAF_v2" }));
    let config = |mode: &str| {
        (
            "/webApplicationFirewallConfiguration",
            json!({ "enabled": true,
        "firewallMode": mode, "ruleSetType": "OWASP", "ruleSetVersion": "3.2" }),
        )
    };
    let with_policy = ("/firewallPolicy", policy);
    let before = gateway(&changed(&[
        waf.clone(),
        with_policy.clone(),
        config("Detection"),
    ]));
    let context = Context {
        previous: Some(&before),
        ..put()
    };
    assert_eq!(
        check(
            &[waf.clone(), with_policy.clone(), config("Detection")],
            &context
        ),
        []
    );
    first(
        &[waf.clone(), with_policy.clone(), config("Prevention")],
        &context,
        "ApplicationGatewayWafConfigurationCannotBeChangedWithWafPolicy",
        "/properties/webApplicationFirewallConfiguration",
    );
    first(
        &[waf, config("Detection")],
        &context,
        "ApplicationGatewayFirewallPolicyCannotBeRemoved",
        "/properties/firewallPolicy",
    );
    let mut zoned = gateway(&sample("contoso-put.json"));
    zoned.zones.pop();
    first(
        &[],
        &Context {
            previous: Some(&zoned),
            ..put()
        },
        "GW-E-zones",
        "/zones",
    );
}

#[test]
fn what_is_useless_is_warned_of() {
    let unused = |place: &'static str, value: Value| vec![(place, value)];
    expect(vec![
        (
            "GW-W-unused-probe",
            "/probes/0",
            unused(
                "/backendHttpSettingsCollection/0/properties/probe",
                json!(null),
            ),
        ),
        (
            "GW-W-unused",
            "/backendAddressPools/3",
            unused("/backendAddressPools/-", json!({ "name": "spare" })),
        ),
        (
            "GW-W-unused",
            "/trustedRootCertificates/0",
            unused(
                "/backendHttpSettingsCollection/0/properties/trustedRootCertificates",
                json!(null),
            ),
        ),
        (
            "GW-W-empty-pool",
            "/urlPathMaps/0/properties/pathRules/0/properties/backendAddressPool",
            unused(
                "/backendAddressPools/1/properties/backendAddresses",
                json!([]),
            ),
        ),
        (
            "GW-W-empty-pool",
            "/routingRules/0/properties/backendAddressPool",
            unused(
                "/backendAddressPools/2/properties/backendAddresses",
                json!([]),
            ),
        ),
        (
            "GW-W-listener-without-rule",
            "/listeners/0",
            vec![
                ("/routingRules", json!([])),
                ("/backendSettingsCollection", json!([])),
                ("/backendAddressPools/2", json!({ "name": "mqtt" })),
                (
                    "/requestRoutingRules/2/properties/backendAddressPool",
                    reference("backendAddressPools/mqtt"),
                ),
                (
                    "/backendAddressPools/2/properties",
                    json!({ "backendAddresses":
                  [{ "fqdn": "a.contoso.com" }] }),
                ),
            ],
        ),
    ]);
    let identity = {
        let mut document = sample("contoso-put.json");
        document["identity"] = json!(null);
        validate(&gateway(&document), &put())
    };
    assert_eq!(identity[0].code, "GW-W-key-vault-without-identity");
}

#[test]
fn a_listener_is_hidden_by_one_that_comes_first_and_takes_its_hosts() {
    let rule = "/requestRoutingRules/2/properties/priority";
    let code = "GW-W-hidden-listener";
    first(
        &[(rule, json!(15))],
        &put(),
        code,
        "/properties/httpListeners/2",
    );
    let basic = ("/httpListeners/1/properties/hostNames", json!([]));
    first(
        &[(rule, json!(15)), basic.clone()],
        &put(),
        code,
        "/properties/httpListeners/2",
    );
    assert_eq!(
        check(&[basic], &put()),
        [],
        "behind the narrower one it hides nothing"
    );
}

#[test]
fn a_gateway_from_before_priorities_is_only_warned() {
    let nothing = json!(null);
    let mut changes: Vec<(&str, Value)> = vec![("/provisioningState", json!("Succeeded"))];
    changes.extend(
        [
            "/requestRoutingRules/0/properties/priority",
            "/requestRoutingRules/1/properties/priority",
            "/requestRoutingRules/2/properties/priority",
        ]
        .map(|place| (place, nothing.clone())),
    );
    let findings = check(&changes, &Context::default());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code, "GW-W-priority-missing");
    let code = "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty";
    let place = "/properties/requestRoutingRules/0/properties/priority";
    first(&changes, &put(), code, place);
}

#[test]
fn versions_that_are_switched_off_are_not_deprecated() {
    let old = Context {
        api_version: Some("2022-05-01".parse().expect("a version")),
        ..put()
    };
    let without = |versions: Value| [("/sslPolicy", json!({ "disabledSslProtocols": versions }))];
    assert_eq!(check(&without(json!(["TLSv1_0", "TLSv1_1"])), &old), []);
    let code = "ApplicationGatewayDeprecatedTlsVersionUsedInSslPolicy";
    first(
        &without(json!(["TLSv1_0"])),
        &old,
        code,
        "/properties/sslPolicy",
    );
}

#[test]
fn a_probe_port_needs_the_second_generation_and_zero_is_none() {
    let port = "/probes/0/properties/port";
    assert_eq!(check(&[(port, json!(0))], &put()), []);
    let v1 = (
        "/sku",
        json!({ "name": "Standard_Small", "tier": "Standard", "capacity": 1 }),
    );
    let told = |value: i32| {
        let findings = check(&[v1.clone(), (port, json!(value))], &put());
        findings
            .iter()
            .any(|f| f.message.contains("does not support Probe Port for"))
    };
    assert!(told(81));
    assert!(!told(0));
}

#[test]
fn a_private_gateway_has_no_private_link() {
    let frontend = json!({ "subnet": { "id": "/subscriptions/s/resourceGroups/g/providers/\
        Microsoft.Network/virtualNetworks/v/subnets/s" },
        "privateIPAllocationMethod": "Static", "privateIPAddress": "10.0.0.4" });
    let changes = [
        ("/frontendIPConfigurations/0/properties", frontend),
        ("/privateLinkConfigurations", json!([{ "name": "l" }])),
    ];
    let code = "ApplicationGatewayNetworkIsolationNotSupportedWithFeature";
    let message = first(
        &changes,
        &put(),
        code,
        "/properties/privateLinkConfigurations",
    );
    assert!(message.ends_with("is not supported with feature {Private Link Configuration}.."));
}

#[test]
fn path_rules_of_a_map_are_counted() {
    let rule = |i: usize| {
        json!({ "name": format!("r{i}"), "properties": { "paths": [format!("/{i}")],
            "backendAddressPool": reference("backendAddressPools/images"),
            "backendHttpSettings": reference("backendHttpSettingsCollection/http"),
            "rewriteRuleSet": reference("rewriteRuleSets/headers") } })
    };
    let rules = |count: usize| {
        let rules: Vec<Value> = (0..count).map(rule).collect();
        [("/urlPathMaps/0/properties/pathRules", json!(rules))]
    };
    assert_eq!(check(&rules(100), &put()), []);
    let code = "ApplicationGatewayPathRulesLimitReached";
    first(
        &rules(101),
        &put(),
        code,
        "/properties/urlPathMaps/0/properties/pathRules",
    );
}

#[test]
fn errors_come_before_warnings_that_were_found_first() {
    let changes = [
        (
            "/frontendPorts/-",
            json!({ "name": "again", "properties": { "port": 80 } }),
        ),
        ("/probes/0/properties/path", json!("alive")),
    ];
    let findings = check(&changes, &put());
    assert_eq!(findings[0].code, "ApplicationGatewayProbePathIsInvalid");
    assert!(
        findings
            .iter()
            .any(|f| f.code == "GW-W-duplicate-frontend-port")
    );
}

#[test]
fn a_custom_policy_of_tls_1_3_alone_needs_no_suites() {
    let policy = |kind: &str, minimum: &str| {
        let policy = json!({
            "policyType": kind, "minProtocolVersion": minimum, "cipherSuites": [],
        });
        check(&[("/sslPolicy", policy)], &put())
    };
    assert_eq!(policy("CustomV2", "TLSv1_3"), []);
    for (kind, minimum) in [("CustomV2", "TLSv1_2"), ("Custom", "TLSv1_2")] {
        assert_eq!(policy(kind, minimum)[0].code, "GW-E-tls-policy", "{kind}");
    }
}
