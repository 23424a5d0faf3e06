//! Each rule of validation, broken by itself in a sample that is otherwise right.

mod common;

use common::{gateway, sample};
use gatewright_arm::{ApiVersion, Context, Diagnostic, validate};
use serde_json::{Value, json};

const GATEWAY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/\
    contoso/providers/Microsoft.Network/applicationGateways/contoso-gw";

fn put() -> Context<'static> {
    Context {
        api_version: Some(ApiVersion::NEWEST),
        ..Context::default()
    }
}

/// The sample with some places changed: a null removes a member, a path beyond the end of an
/// array appends to it. Places are relative to `/properties`.
fn changed(changes: &[(&str, Value)]) -> Value {
    let mut document = sample("contoso-put.json");
    for (place, value) in changes {
        let (parent, last) = place.rsplit_once('/').expect("a place");
        let parent = format!("/properties{parent}");
        let parent = document
            .pointer_mut(&parent)
            .unwrap_or_else(|| panic!("no {parent}"));
        match parent {
            Value::Array(list) if last == "-" => list.push(value.clone()),
            Value::Array(list) => list[last.parse::<usize>().expect("an index")] = value.clone(),
            Value::Object(map) if value.is_null() => drop(map.shift_remove(last)),
            Value::Object(map) => drop(map.insert(last.to_owned(), value.clone())),
            other => panic!("{other} has no members"),
        }
    }
    document
}

fn reference(path: &str) -> Value {
    json!({ "id": format!("{GATEWAY}/{path}") })
}

fn check(changes: &[(&str, Value)], context: &Context<'_>) -> Vec<Diagnostic> {
    validate(&gateway(&changed(changes)), context)
}

/// Expects the first finding to have this code and place; returns its message.
fn first(changes: &[(&str, Value)], context: &Context<'_>, code: &str, place: &str) -> String {
    let findings = check(changes, context);
    let first = findings
        .first()
        .unwrap_or_else(|| panic!("{code}: nothing found"));
    assert_eq!(
        (first.code.as_ref(), first.pointer.as_str()),
        (code, place),
        "{findings:#?}"
    );
    first.message.clone()
}

/// A rule: its code, its place below `/properties`, what breaks it.
type Rule = (&'static str, &'static str, Vec<(&'static str, Value)>);

fn expect(rules: Vec<Rule>) {
    for (code, place, changes) in rules {
        first(&changes, &put(), code, &format!("/properties{place}"));
    }
}

#[test]
fn the_sample_is_without_fault() {
    assert_eq!(check(&[], &put()), []);
    assert_eq!(check(&[], &Context::default()), []);
}

#[test]
fn the_services_own_sentences_are_said_word_by_word() {
    let cases: Vec<Rule> = vec![
        (
            "SubnetIsRequired",
            "Subnet reference is required for ipconfiguration {gw}/gatewayIPConfigurations/subnet.",
            vec![("/gatewayIPConfigurations/0/properties/subnet", json!(null))],
        ),
        (
            "ApplicationGatewayBackendHttpSettingsPortIsInvalid",
            "Port specified for BackendHttpSettings {gw}/backendHttpSettingsCollection/http is not \
          valid. Supported range is [1, 65535].",
            vec![("/backendHttpSettingsCollection/1/properties/Port", json!(0))],
        ),
        (
            "ApplicationGatewayConnectionDrainingTimeoutInvalid",
            "Backend Http Settings {gw}/backendHttpSettingsCollection/http connection draining \
          timeout is invalid. The current value is 0. Supported range is [1, 3600].",
            vec![(
                "/backendHttpSettingsCollection/1/properties/connectionDraining",
                json!({ "enabled": false }),
            )],
        ),
        (
            "ApplicationGatewayHttpListenerMustReference",
            "Http Listener {gw}/httpListeners/http must reference a FrontendIpConfiguration.",
            vec![(
                "/httpListeners/0/properties/FrontendIpConfiguration",
                json!(null),
            )],
        ),
        (
            "ApplicationGatewayHttpListenerMustReference",
            "Http Listener {gw}/httpListeners/http must reference a FrontendPort.",
            vec![("/httpListeners/0/properties/FrontendPort", json!(null))],
        ),
        (
            "ApplicationGatewayHttpsListenerMustReferenceSslCert",
            "Http Listener {gw}/httpListeners/shop uses protocol Https. Ssl Certificate must be \
          specified.",
            vec![("/httpListeners/2/properties/sslCertificate", json!(null))],
        ),
        (
            "ApplicationGatewayHttpListenersUsingSameFrontendPort",
            "Two Http Listeners of Application Gateway {gw} are using the same Frontend Port \
          {gw}/frontendPorts/https.",
            vec![(
                "/httpListeners/1/properties/hostNames",
                json!(["SHOP.contoso.com"]),
            )],
        ),
        (
            "ApplicationGatewayRequestRoutingRuleMustReference",
            "Request Routing Rule {gw}/requestRoutingRules/rest must reference a HttpListener.",
            vec![(
                "/requestRoutingRules/2/properties/httpListener",
                json!(null),
            )],
        ),
        (
            "ApplicationGatewayRequestRoutingRuleMustReference",
            "Request Routing Rule {gw}/requestRoutingRules/rest must reference a BackendAddressPool.",
            vec![(
                "/requestRoutingRules/2/properties/backendAddressPool",
                json!(null),
            )],
        ),
        (
            "ApplicationGatewayRequestRoutingRulesUsingSameHttpListener",
            "Two Request Routing Rules of Application Gateway {gw} are using the same Http Listener \
          {gw}/httpListeners/shop.",
            vec![(
                "/requestRoutingRules/2/properties/httpListener",
                reference("httpListeners/shop"),
            )],
        ),
        (
            "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
            "Priority for the request routing rule {gw}/requestRoutingRules/rest cannot be empty. \
          All request routing rules should have a priority defined starting from api-version \
          2021-08-01",
            vec![("/requestRoutingRules/2/properties/priority", json!(null))],
        ),
        (
            "ApplicationGatewayFrontendIpBothPublicIpAddressAndSubnetCannotBeNull",
            "FrontendIpConfiguration {gw}/frontendIPConfigurations/public cannot have both subnet and \
          publicIp as null. Either publicIp or subnet should be specified.",
            vec![(
                "/frontendIPConfigurations/0/properties/publicIPAddress",
                json!(null),
            )],
        ),
        (
            "ApplicationGatewayProbeHostIsNull",
            "Host specified for Probe '{gw}/probes/alive' is not valid. Host can only be null when \
          pickHostNameFromBackendHttpSettings is set to true.",
            vec![(
                "/probes/0/properties/pickHostNameFromBackendHttpSettings",
                json!(false),
            )],
        ),
        (
            "ApplicationGatewayPathRulePathShouldHaveNonEmptyMatchValue",
            "Path / should have a nonempty match value followed by '/'  in PathRule \
          {gw}/urlPathMaps/shop/pathRules/images",
            vec![(
                "/urlPathMaps/0/properties/pathRules/0/properties/paths",
                json!(["/"]),
            )],
        ),
        (
            "ApplicationGatewayPathsWithinUrlPathMapMustBeUnique",
            "Paths specified in a UrlPathMap must be unique. Path /a is already specified in another \
          PathRule in UrlPathMap {gw}/urlPathMaps/shop.",
            vec![(
                "/urlPathMaps/0/properties/pathRules/0/properties/paths",
                json!(["/a", "/a"]),
            )],
        ),
        (
            "ApplicationGatewayRewriteRuleSetActionSetInRewriteRuleCannotBeEmpty",
            "ActionSet is a required field in a RewriteRule.",
            vec![(
                "/rewriteRuleSets/0/properties/rewriteRules/0/actionSet",
                json!(null),
            )],
        ),
        (
            "ApplicationGatewayDeprecatedTlsVersionUsedInSslPolicy",
            "The TLS policy AppGwSslPolicy20150501 for Application Gateway {gw} is using a deprecated \
          TLS version. Update it to a supported version. Learn more \
          https://aka.ms/appgw-oldtlsversions",
            vec![("/sslPolicy/policyName", json!("AppGwSslPolicy20150501"))],
        ),
        (
            "InvalidResourceReference",
            "Resource {gw}/probes/gone referenced by resource \
          {gw}/backendHttpSettingsCollection/https was not found. Please make sure that the \
          referenced resource exists, and that both resources are in the same region.",
            vec![(
                "/backendHttpSettingsCollection/0/properties/probe",
                reference("probes/gone"),
            )],
        ),
        (
            "ApplicationGatewaySkuNameInvalidForSkuTier",
            "Application Gateway SKU name WAF_v2 is not valid for the SKU tier Standard_v2",
            vec![("/sku/name", json!("WAF_v2"))],
        ),
        (
            "ApplicationGatewayFirewallCannotBeEnabledForSelectedSku",
            "Application Gateway {gw} does not support WebApplicationFirewall with the selected SKU \
          tier Standard_v2",
            vec![(
                "/webApplicationFirewallConfiguration",
                json!({ "enabled": true, "firewallMode": "Detection", "ruleSetType": "OWASP",
                       "ruleSetVersion": "3.2" }),
            )],
        ),
        (
            "ApplicationGatewayFirewallNotConfiguredForSelectedSku",
            "Application Gateway {gw} with the selected SKU tier WAF_v2 must have a valid WAF policy \
          or configuration",
            vec![("/sku", json!({ "name": "WAF_v2", "tier": "WAF_v2" }))],
        ),
        (
            "ApplicationGatewayFeatureCannotBeEnabledForSelectedSku",
            "Application Gateway {gw} does not support AuthenticationCertificates for the selected \
          SKU tier Standard_v2. Supported SKU tiers are Standard,WAF.",
            vec![(
                "/authenticationCertificates",
                json!([{ "name": "a", "properties": { "data": "x" } }]),
            )],
        ),
        (
            "InvalidJsonReferenceFormat",
            "Reference Id probes/alive is not formatted correctly. The Id is expected to reference a \
          resource of type Microsoft.Network/applicationGateways/probes. Path \
          properties.backendHttpSettingsCollection[0].properties.probe.id.",
            vec![(
                "/backendHttpSettingsCollection/0/properties/probe",
                json!({ "id": "probes/alive" }),
            )],
        ),
    ];
    for (code, sentence, changes) in cases {
        let findings = check(&changes, &put());
        let finding = findings
            .first()
            .unwrap_or_else(|| panic!("{code}: nothing found"));
        assert_eq!(finding.code, code, "{findings:#?}");
        assert_eq!(finding.message, sentence.replace("{gw}", GATEWAY));
        let document = changed(&changes);
        let parent = finding
            .pointer
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        assert!(
            document.pointer(parent).is_some(),
            "{code} points to {}",
            finding.pointer
        );
    }
}

#[test]
fn errors_stand_in_the_order_in_which_the_service_finds_them() {
    let changes = [
        (
            "/frontendIPConfigurations/0/properties/publicIPAddress",
            json!(null),
        ),
        (
            "/requestRoutingRules/2/properties/backendAddressPool",
            json!(null),
        ),
        (
            "/requestRoutingRules/1/properties/httpListener",
            json!(null),
        ),
        ("/httpListeners/2/properties/frontendPort", json!(null)),
        (
            "/httpListeners/1/properties/frontendIPConfiguration",
            json!(null),
        ),
        (
            "/backendHttpSettingsCollection/0/properties/connectionDraining/drainTimeoutInSec",
            json!(0),
        ),
        (
            "/backendHttpSettingsCollection/1/properties/Port",
            json!(null),
        ),
        ("/frontendPorts/0/properties/Port", json!(null)),
        ("/gatewayIPConfigurations/0/properties/subnet", json!(null)),
        ("/probes/0/name", json!("a b")),
    ];
    let expected = [
        "InvalidResourceName",
        "SubnetIsRequired",
        "ApplicationGatewayFrontendPortInvalidPortNumber",
        "ApplicationGatewayBackendHttpSettingsPortIsInvalid",
        "ApplicationGatewayConnectionDrainingTimeoutInvalid",
        "ApplicationGatewayHttpListenerMustReference",
        "ApplicationGatewayHttpListenerMustReference",
        "ApplicationGatewayRequestRoutingRuleMustReference",
        "ApplicationGatewayRequestRoutingRuleMustReference",
        "ApplicationGatewayFrontendIpBothPublicIpAddressAndSubnetCannotBeNull",
    ];
    let findings = check(&changes, &put());
    let codes: Vec<&str> = findings
        .iter()
        .map(|f| f.code.as_ref())
        .filter(|code| expected.contains(code))
        .collect();
    assert_eq!(codes, expected, "{findings:#?}");
    assert!(findings.is_sorted_by_key(|f| f.severity));
}

#[test]
fn a_gateway_of_nothing_is_the_services_internal_error() {
    let empty = json!({ "name": "x", "type": "Microsoft.Network/applicationGateways" });
    let findings = validate(&gateway(&empty), &put());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "InternalServerError");
}

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
            "GW-E-trusted-root-on-http",
            at("trustedRootCertificates"),
            root,
        ),
        (
            "GW-E-backend-setting",
            "/backendSettingsCollection/0/properties/timeout".into(),
            json!(0),
        ),
        (
            "GW-E-probe",
            "/probes/0/properties/interval".into(),
            json!(0),
        ),
        (
            "GW-E-probe",
            "/probes/0/properties/unhealthyThreshold".into(),
            json!(21),
        ),
        (
            "GW-E-probe",
            "/probes/0/properties/port".into(),
            json!(65536),
        ),
        (
            "GW-W-probe-timeout",
            "/probes/0/properties/timeout".into(),
            json!(31),
        ),
        (
            "ApplicationGatewayProbePathIsInvalid",
            "/probes/0/properties/path".into(),
            json!("alive"),
        ),
        (
            "GW-W-probe-host-ignored",
            "/probes/0/properties/host".into(),
            json!("x"),
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
fn sku_rules() {
    expect(vec![
        (
            "GW-E-capacity-missing",
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
    let codes = |findings: &[Diagnostic]| -> Vec<String> {
        findings.iter().map(|f| f.message.clone()).collect()
    };
    let v1 = [(
        "/sku",
        json!({ "name": "Standard_Medium", "tier": "Standard", "capacity": 2 }),
    )];
    let messages = codes(&check(&v1, &put())).join("\n");
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
    let basic = [(
        "/sku",
        json!({ "name": "Basic", "tier": "Basic", "capacity": 3 }),
    )];
    let messages = codes(&check(&basic, &put())).join("\n");
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
fn findings_point_into_the_flat_shape_too() {
    let mut gateway_before = gateway(&sample("contoso-put.json"));
    gateway_before.properties.probes[0].properties.path = Some("alive".to_owned());
    let options = gatewright_arm::WriteOptions {
        secrets: true,
        shape: gatewright_arm::Shape::AzureCli,
    };
    let flat = gatewright_arm::write(&gateway_before, &options);
    let findings = validate(&gateway(&flat), &put());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(flat.pointer(&findings[0].pointer), Some(&json!("alive")));
}

#[test]
fn hostile_sizes_are_bounded() {
    let listener = |i: usize| {
        json!({ "name": format!("l{i}"), "properties": {
        "frontendIPConfiguration": reference("frontendIPConfigurations/public"),
        "frontendPort": reference("frontendPorts/http"), "protocol": "Http",
        "hostNames": [format!("*{i}*.com")] } })
    };
    let rule = |i: usize| {
        json!({ "name": format!("r{i}"), "properties": { "priority": i,
        "httpListener": reference(&format!("httpListeners/l{i}")) } })
    };
    let listeners: Vec<Value> = (0..5000).map(listener).collect();
    let rules: Vec<Value> = (0..5000).map(rule).collect();
    let changes = [
        ("/httpListeners", json!(listeners)),
        ("/requestRoutingRules", json!(rules)),
    ];
    let findings = check(&changes, &put());
    assert!(findings.len() <= 1001, "{}", findings.len());
}
