//! Rules: what they must refer to, and their priorities.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use super::ApiVersion;
use super::checker::Checker;
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{Item, RequestRoutingRule, RoutingRule, RuleType};

/// Priorities of rules; 1 comes first (Azure REST API).
const PRIORITIES: RangeInclusive<i32> = 1..=20000;

/// From this version on each rule must have a priority (Azure documentation).
const PRIORITY_REQUIRED_FROM: ApiVersion = ApiVersion::new(2021, 8, 1);

pub(crate) fn check(c: &mut Checker<'_>) {
    let p = c.properties;
    for item in &p.request_routing_rules {
        must_reference(
            c,
            item,
            item.properties.http_listener.is_none(),
            "HttpListener",
        );
    }
    for item in &p.request_routing_rules {
        destination(c, item);
    }
    c.dangling("requestRoutingRules");
    same_listener(c);
    priorities(c);
    for item in &p.routing_rules {
        l4_rule(c, item);
    }
    c.dangling("routingRules");
    l4_listeners_shared(c);
}

fn must_reference(c: &mut Checker<'_>, item: &Item<RequestRoutingRule>, missing: bool, what: &str) {
    if !missing {
        return;
    }
    let member = match what {
        "HttpListener" => "httpListener",
        "BackendAddressPool" => "backendAddressPool",
        "BackendHttpSettings" => "backendHttpSettings",
        "UrlPathMap" => "urlPathMap",
        _ => "advancedRoutingMap",
    };
    let message = format!(
        "Request Routing Rule {} must reference a {what}.",
        c.id_of(item)
    );
    let code = "ApplicationGatewayRequestRoutingRuleMustReference";
    c.error(code, message, item.pointer_to(member));
}

fn destination(c: &mut Checker<'_>, item: &Item<RequestRoutingRule>) {
    let p = &item.properties;
    match p.rule_type.unwrap_or(RuleType::Basic) {
        RuleType::Basic if p.redirect_configuration.is_some() => {
            let extra = [
                (
                    p.backend_address_pool.is_some(),
                    "BackendAddressPool",
                    "backendAddressPool",
                ),
                (
                    p.backend_http_settings.is_some(),
                    "BackendHttpSettings",
                    "backendHttpSettings",
                ),
            ];
            for (given, what, member) in extra {
                if given {
                    let message = format!(
                        "Request Routing Rule {} cannot reference a {what} when Redirect Setting \
                         is specified.",
                        c.id_of(item)
                    );
                    c.error(codes::E_RULE_DESTINATION, message, item.pointer_to(member));
                }
            }
        }
        RuleType::Basic => {
            let no_pool = p.backend_address_pool.is_none() && p.load_distribution_policy.is_none();
            must_reference(c, item, no_pool, "BackendAddressPool");
            must_reference(
                c,
                item,
                p.backend_http_settings.is_none(),
                "BackendHttpSettings",
            );
        }
        RuleType::PathBasedRouting => {
            must_reference(c, item, p.url_path_map.is_none(), "UrlPathMap");
        }
        RuleType::AdvancedRouting => {
            must_reference(
                c,
                item,
                p.advanced_routing_map.is_none(),
                "AdvancedRoutingMap",
            );
        }
    }
}

fn same_listener(c: &mut Checker<'_>) {
    let mut seen = HashSet::new();
    for item in &c.properties.request_routing_rules {
        let Some(listener) = &item.properties.http_listener else {
            continue;
        };
        let Some(name) = c.target_name(listener, "httpListeners") else {
            continue;
        };
        if !seen.insert(name) {
            let message = format!(
                "Two Request Routing Rules of Application Gateway {} are using the same Http \
                 Listener {}.",
                c.id(),
                listener.id
            );
            let code = "ApplicationGatewayRequestRoutingRulesUsingSameHttpListener";
            c.error(code, message, item.pointer_to("httpListener"));
        }
    }
}

fn priorities(c: &mut Checker<'_>) {
    let rules = &c.properties.request_routing_rules;
    let without: Vec<_> = rules
        .iter()
        .filter(|rule| rule.properties.priority.is_none())
        .collect();
    let all_must = !c.is_v1() && c.api_version() >= PRIORITY_REQUIRED_FROM;
    if c.is_v1() {
        if let Some(rule) = rules.iter().find(|rule| rule.properties.priority.is_some()) {
            super::sku::unsupported(c, "Priority", V2_TIERS, rule.pointer_to("priority"));
        }
    } else if all_must && c.runs_already() && without.len() == rules.len() && !rules.is_empty() {
        let message = "The rules have no priorities; the next PUT must give them.";
        let at = c.pointer_to("requestRoutingRules");
        c.warn(codes::W_NO_PRIORITY, message, at);
    } else if all_must {
        for rule in without {
            let message = format!(
                "Priority for the request routing rule {} cannot be empty. All request routing \
                 rules should have a priority defined starting from api-version 2021-08-01",
                c.id_of(rule)
            );
            let code = "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty";
            c.error(code, message, rule.pointer_to("priority"));
        }
    } else if let Some(rule) = without.first()
        && without.len() < rules.len()
    {
        let message = "Either all or no rule should have the priority specified.";
        let code = "ApplicationGatewayRequestRoutingRulePartialPriorityDefined";
        c.error(code, message, rule.pointer_to("priority"));
    }
    ranges_and_repetition(c);
}

const V2_TIERS: &str = "Standard_v2,WAF_v2";

fn ranges_and_repetition(c: &mut Checker<'_>) {
    let p = c.properties;
    let http = p.request_routing_rules.iter().map(|rule| {
        (
            rule.properties.priority,
            rule.name.as_str(),
            rule.pointer_to("priority"),
            true,
        )
    });
    let l4 = p.routing_rules.iter().map(|rule| {
        (
            rule.properties.priority,
            rule.name.as_str(),
            rule.pointer_to("priority"),
            false,
        )
    });
    let mut seen: HashMap<i32, (&str, bool)> = HashMap::new();
    for (priority, name, at, is_http) in http.chain(l4) {
        let Some(priority) = priority else { continue };
        if !PRIORITIES.contains(&priority) {
            let message = format!(
                "Priority {priority} of rule '{name}' is not valid. Supported range is [{}, {}].",
                PRIORITIES.start(),
                PRIORITIES.end()
            );
            c.error(codes::E_PRIORITY, message, at);
            continue;
        }
        let Some((other, same_kind)) = seen.insert(priority, (name, is_http)) else {
            continue;
        };
        let message = format!("Rules '{other}' and '{name}' have the same priority {priority}.");
        let help = "Each rule of a gateway has a priority of its own; 1 comes first.";
        let (severity, code) = if same_kind == is_http {
            (Severity::Error, codes::E_PRIORITY)
        } else {
            (Severity::Warning, codes::W_PRIORITY_SHARED)
        };
        c.hint(severity, (code, message), at, help);
    }
}

fn l4_rule(c: &mut Checker<'_>, item: &Item<RoutingRule>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let parts = [
        (p.listener.is_none(), "Listener", "listener"),
        (
            p.backend_address_pool.is_none(),
            "BackendAddressPool",
            "backendAddressPool",
        ),
        (
            p.backend_settings.is_none(),
            "BackendSettings",
            "backendSettings",
        ),
    ];
    for (missing, what, member) in parts {
        if missing {
            let message = format!("Routing Rule {id} must reference a {what}.");
            c.error(
                "ApplicationGatewayRoutingRuleMustReference",
                message,
                item.pointer_to(member),
            );
        }
    }
    if p.rule_type.is_some_and(|kind| kind != RuleType::Basic) {
        let message = format!("Routing Rule {id} must be of type Basic.");
        c.error(
            codes::E_RULE_DESTINATION,
            message,
            item.pointer_to("ruleType"),
        );
    }
    if p.priority.is_none() {
        let message = format!("Priority for the routing rule {id} cannot be empty.");
        c.error(codes::E_PRIORITY, message, item.pointer_to("priority"));
    }
}

fn l4_listeners_shared(c: &mut Checker<'_>) {
    let mut seen = HashSet::new();
    for item in &c.properties.routing_rules {
        let Some(listener) = &item.properties.listener else {
            continue;
        };
        let Some(name) = c.target_name(listener, "listeners") else {
            continue;
        };
        if !seen.insert(name) {
            let message = format!(
                "Two Routing Rules of Application Gateway {} are using the same Listener {}.",
                c.id(),
                listener.id
            );
            let code = "ApplicationGatewayRoutingRulesUsingSameListener";
            c.error(code, message, item.pointer_to("listener"));
        }
    }
}
