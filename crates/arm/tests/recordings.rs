//! Bodies recorded from the service: what is read must be written as the service wrote it.
#![allow(clippy::print_stderr)]

mod common;

use common::quoted_strings;
use gatewright_arm::{ApiVersion, AsOf, Context, WriteOptions, read_gateways, validate, write};
use serde_json::Value;

/// The newest API version of the recordings, about.
const RECORDED_UNDER: ApiVersion = ApiVersion::new(2024, 5, 1);

fn is_gateway(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("Microsoft.Network/applicationGateways")
}

/// Gateways recorded from builds of the service that did not know `enableHttp3` yet.
fn adapt(written: &mut Value, real: &Value) {
    let pointer = "/properties/httpListeners";
    let old = real
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let old: Vec<bool> = old
        .map(|l| l.pointer("/properties/enableHttp3").is_none())
        .collect();
    let listeners = written.pointer_mut(pointer).and_then(Value::as_array_mut);
    for (listener, old) in listeners.into_iter().flatten().zip(old) {
        if old
            && let Some(bag) = listener
                .pointer_mut("/properties")
                .and_then(Value::as_object_mut)
        {
            bag.shift_remove("enableHttp3");
        }
    }
}

/// Rules that back-references name stand in the order in which the service came to know them,
/// which no single body tells.
fn sort_back_references(gateway: &mut Value) {
    for collection in ["backendAddressPools", "backendHttpSettingsCollection"] {
        let items = gateway["properties"][collection].as_array_mut();
        for item in items.into_iter().flatten() {
            if let Some(rules) = item["properties"].get_mut("requestRoutingRules") {
                let rules = rules.as_array_mut().expect("a list");
                rules.sort_by_key(|rule| rule.to_string());
            }
        }
    }
}

/// What follows the first difference, on both sides.
fn difference(written: &str, real: &str) -> Option<(String, String)> {
    let same = written
        .chars()
        .zip(real.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let tail = |text: &str| {
        text.chars()
            .skip(same.saturating_sub(40))
            .take(160)
            .collect()
    };
    (written != real).then(|| (tail(written), tail(real)))
}

#[test]
fn recorded_gateways_are_accepted_and_written_as_they_were_read() {
    let Some(folder) = common::shared("recordings") else {
        return;
    };
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        for body in quoted_strings(&text, "string: '") {
            let Ok(body) = serde_json::from_str::<Value>(&body) else {
                continue;
            };
            let list = body.get("value").and_then(Value::as_array).cloned();
            for real in list.unwrap_or(vec![body]).iter().filter(|v| is_gateway(v)) {
                let report = read_gateways(real).expect("readable");
                assert_eq!(report.warnings, [], "{:?}", entry.path());
                let findings = validate(&report.gateways[0], &Context::default());
                let refused: Vec<_> = findings.iter().filter(|f| f.is_error()).collect();
                assert!(refused.is_empty(), "{:?}: {refused:?}", entry.path());
                let mut written = write(&report.gateways[0], &WriteOptions::default());
                let as_of = AsOf::new(&written, RECORDED_UNDER);
                written = serde_json::to_value(as_of).expect("JSON");
                adapt(&mut written, real);
                // As texts, so that the order of the members is compared too.
                let mut real = real.clone();
                sort_back_references(&mut written);
                sort_back_references(&mut real);
                let difference = difference(&written.to_string(), &real.to_string());
                assert_eq!(difference, None, "{:?}", entry.path());
                compared += 1;
            }
        }
    }
    assert!(
        compared > 100,
        "only {compared} gateways were found in the recordings"
    );
}

#[test]
fn recorded_puts_are_accepted() {
    let Some(folder) = common::shared("recordings") else {
        return;
    };
    let context = Context {
        api_version: Some("2023-11-01".parse().expect("a version")),
        // The recordings are older than the end of TLS 1.0 and 1.1.
        refuse_old_tls: false,
        ..Context::default()
    };
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else {
            continue;
        };
        for body in quoted_strings(&text, "body: '") {
            let Ok(body) = serde_json::from_str::<Value>(&body) else {
                continue;
            };
            if body.pointer("/properties/frontendPorts").is_none() {
                continue;
            }
            let report = read_gateways(&body).expect("readable");
            let findings = validate(&report.gateways[0], &context);
            let refused: Vec<_> = findings.iter().filter(|f| f.is_error()).collect();
            assert!(refused.is_empty(), "{:?}: {refused:?}", entry.path());
            checked += 1;
        }
    }
    assert!(
        checked > 10,
        "only {checked} bodies were found in the recordings"
    );
}
