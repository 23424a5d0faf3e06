//! Each rule of validation, broken by itself in a sample that is otherwise right.

#[path = "../common/mod.rs"]
mod common;
mod gateway_wide;
mod traffic;

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

/// Sentences recorded from the service, with the change of the sample that calls for each.
#[test]
fn the_services_own_sentences_are_said_word_by_word() {
    let cases = sample("sentences.json");
    for case in cases.as_array().expect("a list") {
        let text = |member: &str| case[member].as_str().expect("a text");
        let changes = case["changes"].to_string().replace("{gw}", GATEWAY);
        let changes: Vec<(String, Value)> = serde_json::from_str(&changes).expect("changes");
        let changes: Vec<(&str, Value)> = changes
            .iter()
            .map(|(place, value)| (place.as_str(), value.clone()))
            .collect();
        let findings = check(&changes, &put());
        let code = text("code");
        let finding = findings
            .first()
            .unwrap_or_else(|| panic!("{code}: nothing found"));
        assert_eq!(finding.code, code, "{findings:#?}");
        assert_eq!(finding.message, text("sentence").replace("{gw}", GATEWAY));
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
