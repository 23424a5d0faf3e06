//! Rules of the parts that traffic passes.

use super::*;

#[test]
fn frontend_rules() {
    let private = json!({ "subnet": { "id": "/subscriptions/s/resourceGroups/g/providers/\
        Microsoft.Network/virtualNetworks/v/subnets/s" } });
    let mut fixed = private.clone();
    fixed["privateIPAllocationMethod"] = json!("Static");
    let mut addressed = fixed.clone();
    addressed["privateIPAddress"] = json!("10.0.0.4");
    let mut both = addressed.clone();
    both["publicIPAddress"] = json!({ "id": "/subscriptions/s/resourceGroups/g/providers/\
        Microsoft.Network/publicIPAddresses/p" });
    let item = |properties: Value| {
        vec![(
            "/frontendIPConfigurations/-",
            json!({ "name": "private", "properties": properties }),
        )]
    };
    expect(vec![
        (
            "ApplicationGatewayFrontendIpPrivateIpAddressInvalidAllocationType",
            "/frontendIPConfigurations/1/properties/privateIPAllocationMethod",
            item(private),
        ),
        (
            "GW-E-frontend-ip",
            "/frontendIPConfigurations/1/properties/privateIPAddress",
            item(fixed),
        ),
        (
            "ApplicationGatewayFrontendIpCannotHavePublicIpAndSubnet",
            "/frontendIPConfigurations/1",
            item(both),
        ),
        (
            "ApplicationGatewayFrontendPortInvalidPortNumber",
            "/frontendPorts/0/properties/Port",
            vec![("/frontendPorts/0/properties/Port", json!(65200))],
        ),
        (
            "GW-W-duplicate-frontend-port",
            "/frontendPorts/2/properties/Port",
            vec![
                ("/frontendPorts/2/properties/Port", json!(80)),
                ("/listeners", json!([])),
                ("/routingRules", json!([])),
                ("/backendSettingsCollection", json!([])),
            ],
        ),
        (
            "GW-E-gateway-subnet",
            "/gatewayIPConfigurations",
            vec![("/gatewayIPConfigurations", json!([]))],
        ),
    ]);
    let only_private = [("/frontendIPConfigurations/0/properties", addressed)];
    assert_eq!(check(&only_private, &put()), []);
    let strict = Context {
        allow_private_only: false,
        ..put()
    };
    let message = first(
        &only_private,
        &strict,
        "ApplicationGatewayFeatureCannotBeEnabledForSelectedSku",
        "/properties/frontendIPConfigurations",
    );
    assert!(message.contains("does not support Application Gateway without Public IP for"));
}

#[test]
fn listener_rules() {
    let names = |names: Value| vec![("/httpListeners/1/properties/hostNames", names)];
    expect(vec![
        (
            "ApplicationGatewayPortNotValidForProtocol",
            "/httpListeners/0/properties/FrontendPort",
            vec![
                ("/frontendPorts/0/properties/Port", json!(443)),
                ("/frontendPorts/1/properties/Port", json!(444)),
            ],
        ),
        (
            "GW-E-host-name",
            "/httpListeners/1/properties/hostName",
            vec![("/httpListeners/1/properties/hostName", json!("a.com"))],
        ),
        (
            "GW-E-host-name",
            "/httpListeners/1/properties/hostNames",
            names(json!(["a", "b", "c", "d", "e", "f"])),
        ),
        (
            "GW-E-host-name",
            "/httpListeners/1/properties/hostNames/0",
            names(json!(["**.a.com"])),
        ),
        (
            "GW-E-host-name",
            "/httpListeners/2/properties/hostName",
            vec![("/httpListeners/2/properties/hostName", json!("*.a.com"))],
        ),
    ]);
}

#[test]
fn rules_of_a_listeners_protocol_and_pages() {
    expect(vec![
        (
            "GW-E-listener-protocol",
            "/httpListeners/0/properties/Protocol",
            vec![("/httpListeners/0/properties/Protocol", json!("Tcp"))],
        ),
        (
            "GW-E-listener-protocol",
            "/listeners/0/properties/protocol",
            vec![(
                "/listeners/0/properties/frontendPort",
                reference("frontendPorts/http"),
            )],
        ),
        (
            "ApplicationGatewayTlsListenerMustReferenceSslCert",
            "/listeners/0/properties/sslCertificate",
            vec![("/listeners/0/properties/protocol", json!("Tls"))],
        ),
        (
            "GW-W-certificate-on-plain-listener",
            "/httpListeners/0/properties/SslCertificate",
            vec![(
                "/httpListeners/0/properties/SslCertificate",
                reference("sslCertificates/shop"),
            )],
        ),
        (
            "GW-E-custom-error",
            "/httpListeners/2/properties/customErrorConfigurations/0/customErrorPageUrl",
            vec![(
                "/httpListeners/2/properties/customErrorConfigurations/0/customErrorPageUrl",
                json!(null),
            )],
        ),
    ]);
    let old = Context {
        api_version: Some("2022-05-01".parse().expect("a version")),
        refuse_old_tls: false,
        ..Context::default()
    };
    let status = format!(
        "{}/statusCode",
        "/httpListeners/2/properties/customErrorConfigurations/0"
    );
    first(
        &[(&status, json!("HttpStatus404"))],
        &old,
        "ApplicationGatewayCustomErrorStatusCodeIsInvalid",
        &format!("/properties{status}"),
    );
}

#[test]
fn rules_of_rules_and_priorities() {
    let priority = "/requestRoutingRules/1/properties/priority";
    let redirect = reference("redirectConfigurations/to-shop");
    expect(vec![
        ("GW-E-priority", priority, vec![(priority, json!(20001))]),
        ("GW-E-priority", priority, vec![(priority, json!(10))]),
        (
            "GW-W-priority-shared",
            "/routingRules/0/properties/priority",
            vec![("/routingRules/0/properties/priority", json!(30))],
        ),
        (
            "GW-E-priority",
            "/routingRules/0/properties/priority",
            vec![("/routingRules/0/properties/priority", json!(null))],
        ),
        (
            "GW-E-rule-destination",
            "/requestRoutingRules/2/properties/backendAddressPool",
            vec![(
                "/requestRoutingRules/2/properties/redirectConfiguration",
                redirect,
            )],
        ),
        (
            "ApplicationGatewayRequestRoutingRuleMustReference",
            "/requestRoutingRules/1/properties/urlPathMap",
            vec![("/requestRoutingRules/1/properties/urlPathMap", json!(null))],
        ),
        (
            "ApplicationGatewayRoutingRuleMustReference",
            "/routingRules/0/properties/backendSettings",
            vec![("/routingRules/0/properties/backendSettings", json!(null))],
        ),
    ]);
    let old = Context {
        api_version: Some("2020-06-01".parse().expect("a version")),
        refuse_old_tls: false,
        ..Context::default()
    };
    first(
        &[(priority, json!(null))],
        &old,
        "ApplicationGatewayRequestRoutingRulePartialPriorityDefined",
        &format!("/properties{priority}"),
    );
}

#[test]
fn backend_rules() {
    let setting = "/backendHttpSettingsCollection/1/properties";
    let at = |member: &str| format!("{setting}/{member}");
    let root = json!([reference("trustedRootCertificates/contoso-root")]);
    for (code, place, value) in [
        ("GW-E-backend-setting", at("requestTimeout"), json!(86401)),
        ("GW-E-backend-setting", at("Protocol"), json!("Tcp")),
        (
            "ApplicationGatewayBackendHttpSettingsCannotHaveTrustedRootCertificate",
            at("trustedRootCertificates"),
            root,
        ),
        (
            "GW-E-backend-setting",
            "/backendSettingsCollection/0/properties/timeout".into(),
            json!(0),
        ),
        (
            "GW-E-backend-address",
            "/backendAddressPools/0/properties/backendAddresses/0".into(),
            json!({ "fqdn": "https://a.com" }),
        ),
        (
            "GW-E-backend-address",
            "/backendAddressPools/0/properties/backendAddresses/0".into(),
            json!({}),
        ),
        (
            "GW-E-backend-address",
            "/backendAddressPools/0/properties/backendAddresses/1".into(),
            json!({ "ipAddress": "10.0.0.256" }),
        ),
        (
            "ApplicationGatewayBackendHttpSettingsHostNameFieldConflict",
            "/backendHttpSettingsCollection/0/properties/hostName".into(),
            json!("a.com"),
        ),
    ] {
        let mut changes = vec![(place.as_str(), value)];
        if code.ends_with("HostNameFieldConflict") {
            changes.push((
                "/backendHttpSettingsCollection/0/properties/\
                           pickHostNameFromBackendAddress",
                json!(true),
            ));
        }
        first(&changes, &put(), code, &format!("/properties{place}"));
    }
}

#[test]
fn probe_rules() {
    for (code, member, value) in [
        ("GW-E-probe", "interval", json!(0)),
        ("GW-E-probe", "unhealthyThreshold", json!(21)),
        ("GW-E-probe", "port", json!(65536)),
        ("GW-W-probe-timeout", "timeout", json!(31)),
        (
            "ApplicationGatewayProbePathIsInvalid",
            "path",
            json!("alive"),
        ),
        ("GW-W-probe-host-ignored", "host", json!("x")),
    ] {
        let place = format!("/probes/0/properties/{member}");
        let wanted = format!("/properties{place}");
        first(&[(&place, value)], &put(), code, &wanted);
    }
}

#[test]
fn rules_of_probes_and_their_settings() {
    expect(vec![
        (
            "ApplicationGatewayBackendHttpSettingsIncompatibleProbeSettingPickHostName",
            "/backendHttpSettingsCollection/0/properties/probe",
            vec![(
                "/backendHttpSettingsCollection/0/properties/hostName",
                json!(null),
            )],
        ),
        (
            "GW-E-probe",
            "/probes/0/properties/match/statusCodes/1",
            vec![(
                "/probes/0/properties/match",
                json!({ "statusCodes": ["200-399", "4xx"] }),
            )],
        ),
        (
            "GW-W-probe-protocol",
            "/backendHttpSettingsCollection/0/properties/probe",
            vec![("/probes/0/properties/protocol", json!("Http"))],
        ),
    ]);
}

#[test]
fn path_rules() {
    let rule = "/urlPathMaps/0/properties/pathRules/0/properties";
    let paths = format!("{rule}/paths");
    let redirect = format!("{rule}/redirectConfiguration");
    let pool = format!("{rule}/backendAddressPool");
    let at = |place: &str| format!("/properties{place}");
    let one = format!("{paths}/0");
    first(
        &[(&paths, json!(["/a*b"]))],
        &put(),
        "GW-E-path-pattern",
        &at(&one),
    );
    first(
        &[(&paths, json!(["a"]))],
        &put(),
        "GW-E-path-pattern",
        &at(&one),
    );
    first(
        &[(&paths, json!([]))],
        &put(),
        "GW-E-path-rule",
        &at(&paths),
    );
    first(
        &[(&pool, json!(null))],
        &put(),
        "GW-E-path-rule",
        &at(&pool),
    );
    let target = reference("redirectConfigurations/to-shop");
    let message = first(
        &[(&redirect, target)],
        &put(),
        "GW-E-path-rule-redirect",
        &at(&redirect),
    );
    assert!(message.ends_with(
        "cannot reference a BackendAddressPool when Redirect Setting is \
                               specified."
    ));
    expect(vec![
        (
            "GW-E-path-map-default",
            "/urlPathMaps/0",
            vec![(
                "/urlPathMaps/0/properties/defaultBackendAddressPool",
                json!(null),
            )],
        ),
        (
            "GW-W-empty-path-map",
            "/urlPathMaps/0/properties/pathRules",
            vec![("/urlPathMaps/0/properties/pathRules", json!([]))],
        ),
    ]);
    let mut later =
        sample("contoso-put.json")["properties"]["urlPathMaps"][0]["properties"]["pathRules"][0]
            .clone();
    later["name"] = json!("later");
    later["properties"]["paths"] = json!(["/Images/logo/*", "/other"]);
    let findings = check(&[("/urlPathMaps/0/properties/pathRules/-", later)], &put());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "GW-W-unreachable-path");
    assert_eq!(
        findings[0].pointer,
        "/properties/urlPathMaps/0/properties/pathRules/1/properties/paths/0"
    );
}

#[test]
fn what_is_legal_and_leads_nowhere_is_warned_of() {
    let mut rule =
        sample("contoso-put.json")["properties"]["urlPathMaps"][0]["properties"]["pathRules"][0]
            .clone();
    rule["name"] = json!("later");
    rule["properties"]["paths"] = json!(["/a%2Fb/*", "/100%"]);
    let place = "/urlPathMaps/0/properties/pathRules/-";
    let findings = check(&[(place, rule.clone())], &put());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code, "GW-W-encoded-path");
    assert_eq!(findings[0].help.as_deref(), Some("Write '/a/b/*'."));
    rule["properties"] = json!({
        "paths": ["/old/*"],
        "redirectConfiguration": reference("redirectConfigurations/to-shop"),
    });
    let findings = check(&[(place, rule)], &put());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code, "GW-W-redirect-loop");
    let ipv6 = json!({ "ipAddress": "fd00::4" });
    let server = "/backendAddressPools/0/properties/backendAddresses/-";
    let findings = check(&[(server, ipv6)], &put());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].code, "GW-W-ipv6-backend");
}

#[test]
fn redirect_rules() {
    let redirect = "/redirectConfigurations/0/properties";
    let target = format!("{redirect}/targetListener");
    let url = format!("{redirect}/targetUrl");
    let at = |place: &str| format!("/properties{place}");
    first(
        &[(&target, json!(null))],
        &put(),
        "GW-E-redirect",
        "/properties/redirectConfigurations/0",
    );
    first(
        &[(&url, json!("https://a.com"))],
        &put(),
        "GW-E-redirect",
        &at(&url),
    );
    first(
        &[(&target, json!(null)), (&url, json!("ftp://a"))],
        &put(),
        "GW-E-redirect",
        &at(&url),
    );
    let wild = reference("httpListeners/https");
    first(&[(&target, wild)], &put(), "GW-E-redirect", &at(&target));
    let own = reference("httpListeners/http");
    first(
        &[(&target, own)],
        &put(),
        "GW-E-redirect-loop",
        "/properties/requestRoutingRules/0/properties/redirectConfiguration",
    );
    let back = json!({ "name": "back", "properties": { "redirectType": "Found",
        "targetListener": reference("httpListeners/http") } });
    let rule = json!({ "name": "shop", "properties": { "ruleType": "Basic", "priority": 20,
        "httpListener": reference("httpListeners/shop"),
        "redirectConfiguration": reference("redirectConfigurations/back") } });
    let changes = [
        ("/redirectConfigurations/-", back),
        ("/requestRoutingRules/1", rule),
    ];
    let findings = check(&changes, &put());
    assert_eq!(
        findings
            .iter()
            .filter(|f| f.code == "GW-W-redirect-loop")
            .count(),
        2
    );
}

#[test]
fn rewrite_rules() {
    let rule = "/rewriteRuleSets/0/properties/rewriteRules/0";
    let header = format!("{rule}/actionSet/requestHeaderConfigurations");
    let conditions = format!("{rule}/conditions");
    let at = |place: &str| format!("/properties{place}");
    for name in ["Host", "connection", ""] {
        let headers = json!([{ "headerName": name, "headerValue": "" }]);
        first(
            &[(&header, headers)],
            &put(),
            "GW-E-rewrite",
            &at(&format!("{header}/0")),
        );
    }
    let bad = json!([{ "variable": "host", "pattern": "x" }]);
    first(
        &[(&conditions, bad)],
        &put(),
        "GW-E-rewrite",
        &at(&format!("{conditions}/0/variable")),
    );
    let many: Vec<Value> = (0..41)
        .map(|_| json!({ "variable": "var_host", "pattern": "x" }))
        .collect();
    first(
        &[(&conditions, json!(many))],
        &put(),
        "GW-E-rewrite",
        "/properties/rewriteRuleSets/0",
    );
}

#[test]
fn rules_of_tcp_and_tls() {
    let mut second = sample("contoso-put.json")["properties"]["routingRules"][0].clone();
    second["name"] = json!("second");
    second["properties"]["priority"] = json!(50);
    expect(vec![
        (
            "ApplicationGatewayRoutingRulesUsingSameListener",
            "/routingRules/1/properties/listener",
            vec![("/routingRules/-", second)],
        ),
        (
            "InvalidResourceReference",
            "/backendSettingsCollection/0/properties/probe",
            vec![(
                "/backendSettingsCollection/0/properties/probe",
                reference("probes/gone"),
            )],
        ),
    ]);
}

#[test]
fn a_pattern_given_twice_is_one_finding() {
    let rules = "/urlPathMaps/0/properties/pathRules";
    let mut twice =
        sample("contoso-put.json")["properties"]["urlPathMaps"][0]["properties"]["pathRules"][0]
            .clone();
    let same_name = twice.clone();
    twice["name"] = json!("twice");
    let place = format!("{rules}/-");
    let findings = check(&[(&place, twice)], &put());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        findings[0].code,
        "ApplicationGatewayPathsWithinUrlPathMapMustBeUnique"
    );
    let findings = check(&[(&place, same_name)], &put());
    assert_eq!(findings[0].code, "DuplicateResourceName", "{findings:#?}");
}

#[test]
fn load_distribution_rules() {
    let policy = |weight: i32| {
        json!([{ "name": "p", "properties": { "loadDistributionTargets": [{ "name": "t",
            "properties": { "weightPerServer": weight,
                            "backendAddressPool": reference("backendAddressPools/shop") } }] } }])
    };
    let place = "/loadDistributionPolicies";
    assert_eq!(check(&[(place, policy(100))], &put()), []);
    let at = "/properties/loadDistributionPolicies/0/properties/loadDistributionTargets/0\
              /properties/weightPerServer";
    first(
        &[(place, policy(101))],
        &put(),
        "GW-E-load-distribution",
        at,
    );
    let none = json!([{ "name": "p" }]);
    let at = "/properties/loadDistributionPolicies/0/loadDistributionTargets";
    first(&[(place, none)], &put(), "GW-E-load-distribution", at);
}

#[test]
fn token_validation_rules() {
    let config = |audiences: usize| {
        json!([{ "name": "jwt", "properties": { "tenantId": "t", "clientId": "c",
            "audiences": vec!["a"; audiences] } }])
    };
    let place = "/entraJWTValidationConfigs";
    let jwt = reference("entraJWTValidationConfigs/jwt");
    let on_https = (
        "/requestRoutingRules/1/properties/entraJWTValidationConfig",
        jwt.clone(),
    );
    assert_eq!(check(&[(place, config(5)), on_https], &put()), []);
    let at = format!("/properties{place}/0/properties/audiences");
    first(&[(place, config(6))], &put(), "GW-E-jwt-validation", &at);
    let on_http = "/requestRoutingRules/0/properties/entraJWTValidationConfig";
    let at = format!("/properties{on_http}");
    first(
        &[(place, config(1)), (on_http, jwt)],
        &put(),
        "GW-E-jwt-validation",
        &at,
    );
}

#[test]
fn advanced_routing_rules() {
    let rule = |name: &str, priority: i32| {
        json!({ "name": name, "properties": { "priority": priority,
            "redirectConfiguration": reference("redirectConfigurations/to-shop"),
            "advancedRoutingConditionSet": reference("advancedRoutingConditionSets/s") } })
    };
    let map = |second: i32| {
        json!([{ "name": "m", "properties": {
            "defaultRedirectConfiguration": reference("redirectConfigurations/to-shop"),
            "advancedRoutingRules": [rule("a", 1), rule("b", second)] } }])
    };
    let set = |condition: Value| {
        json!([{ "name": "s", "properties":
        { "routingConditions": [condition] } }])
    };
    let good = json!({ "conditionType": "Method", "propertyValues": ["GET"] });
    let changes = |map: Value, set: Value| {
        [
            ("/advancedRoutingMaps", map),
            ("/advancedRoutingConditionSets", set),
        ]
    };
    assert_eq!(check(&changes(map(2), set(good.clone())), &put()), []);
    let at = "/properties/advancedRoutingMaps/0/properties/advancedRoutingRules/1/properties\
              /priority";
    first(
        &changes(map(1), set(good)),
        &put(),
        "GW-E-advanced-routing",
        at,
    );
    for bad in [
        json!({ "conditionType": "Method" }),
        json!({ "conditionType": "Header", "propertyValues": ["x"] }),
        json!({ "conditionType": "Path", "propertyName": "x", "propertyValues": ["x"] }),
        json!({ "conditionType": "ClientIP", "propertyValueMatcher": { "pattern": "x" } }),
        json!({ "propertyValues": ["x"] }),
    ] {
        let at = "/properties/advancedRoutingConditionSets/0/properties/routingConditions/0";
        first(
            &changes(map(2), set(bad)),
            &put(),
            "GW-E-advanced-routing",
            at,
        );
    }
}
