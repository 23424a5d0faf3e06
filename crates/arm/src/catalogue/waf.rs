//! The managed rule sets of the firewall. Source: bodies recorded from the service, the manifest
//! in West US; the path of a single manifest is that of the Azure REST API 2024-01-01.
//!
//! The two answers were recorded apart and differ in a few rules; [`waf_rules`](super::waf_rules)
//! marks those.

use serde_json::{Value, json};

use super::waf_rules::{Answer, RuleGroup, RuleSet, rule_sets};

const LIST_TYPE: &str = "Microsoft.Network/applicationGatewayAvailableWafRuleSets";
const MANIFESTS: &str = "Microsoft.Network/applicationGatewayWafDynamicManifests";
/// In the singular, unlike the id.
const MANIFEST_TYPE: &str = "Microsoft.Network/applicationGatewayWafDynamicManifest";
/// The set that the service proposes to those who name none.
const DEFAULT_SET: (&str, &str) = ("OWASP", "3.2");

/// The rule sets, as one page. Their ids are malformed and name no subscription, as the service's.
pub fn waf_rule_sets() -> Value {
    let sets = rule_sets()
        .iter()
        .filter(|set| Answer::List.has(set.only_in));
    let sets: Vec<Value> = sets.map(listed).collect();
    json!({ "value": sets })
}

/// The manifests of a location, as one page. There is one, the same everywhere.
pub fn waf_manifests(subscription: &str) -> Value {
    json!({ "value": [waf_manifest(subscription)] })
}

/// The manifest that the URL calls `dafault` and the body `default`.
pub fn waf_manifest(subscription: &str) -> Value {
    let sets = rule_sets()
        .iter()
        .filter(|set| Answer::Manifest.has(set.only_in));
    let sets: Vec<Value> = sets.map(in_manifest).collect();
    let (kind, version) = DEFAULT_SET;
    json!({
        "name": "default",
        "id": format!("/subscriptions/{subscription}/providers/{MANIFESTS}/default"),
        "type": MANIFEST_TYPE,
        "properties": {
            "defaultRuleSet": { "ruleSetType": kind, "ruleSetVersion": version },
            "availableRuleSets": sets,
        },
    })
}

fn listed(set: &RuleSet<'_>) -> Value {
    json!({
        "name": format!("{}_{}", set.kind, set.version),
        "id": format!("/subscriptions//resourceGroups//providers/{LIST_TYPE}/"),
        "type": LIST_TYPE,
        "properties": {
            "provisioningState": "Succeeded",
            "ruleSetType": set.kind,
            "ruleSetVersion": set.version,
            "tiers": set.tiers,
            "ruleGroups": groups(set, Answer::List),
        },
    })
}

fn in_manifest(set: &RuleSet<'_>) -> Value {
    json!({
        "ruleSetType": set.kind,
        "ruleSetVersion": set.version,
        "status": set.status,
        "tiers": set.tiers,
        "ruleGroups": groups(set, Answer::Manifest),
    })
}

fn groups(set: &RuleSet<'_>, answer: Answer) -> Vec<Value> {
    let group = |group: &RuleGroup<'_>| {
        let rules = group.rules.iter().filter(|rule| answer.has(rule.only_in));
        let rules = rules.map(|rule| {
            json!({
                "ruleId": rule.id,
                "ruleIdString": rule.id.to_string(),
                "description": rule.description,
                "state": "Enabled",
                "action": rule.action,
            })
        });
        json!({
            "ruleGroupName": group.name,
            "description": group.description,
            "rules": rules.collect::<Vec<_>>(),
        })
    };
    set.groups.iter().map(group).collect()
}
