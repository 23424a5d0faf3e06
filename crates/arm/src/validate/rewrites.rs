//! Rewrite sets.
//!
//! Sources: recorded from the service (an action set is required), Azure documentation (headers
//! that cannot be rewritten, variables, limits).

use super::checker::Checker;
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{HeaderConfiguration, Item, RewriteRule, RewriteRuleSet};
use crate::wire::reader::shorten;

/// Headers that cannot be rewritten at all.
const FIXED_HEADERS: &[&str] = &["Connection", "Upgrade"];
/// Header and URL actions of one set.
const MAX_ACTIONS: usize = 40;
/// Conditions of one set.
const MAX_CONDITIONS: usize = 40;

pub(crate) fn check(c: &mut Checker<'_>) {
    for set in &c.properties.rewrite_rule_sets {
        for (i, rule) in set.properties.rewrite_rules.iter().enumerate() {
            rewrite_rule(c, set, rule, &set.pointer_to(&format!("rewriteRules/{i}")));
        }
        counts(c, set);
    }
}

fn rewrite_rule(c: &mut Checker<'_>, set: &Item<RewriteRuleSet>, rule: &RewriteRule, at: &str) {
    let Some(actions) = &rule.action_set else {
        let code = "ApplicationGatewayRewriteRuleSetActionSetInRewriteRuleCannotBeEmpty";
        let finding = (
            code,
            "ActionSet is a required field in a RewriteRule.".to_owned(),
        );
        let help = format!(
            "Rewrite rule set '{}' has a rule without actions.",
            set.name
        );
        c.hint(Severity::Error, finding, format!("{at}/actionSet"), help);
        return;
    };
    let mut refuse = |fault: String, at: String| {
        let message = format!(
            "Rewrite rule '{}' of set '{}'",
            shorten_name(rule),
            set.name
        );
        c.error(codes::E_REWRITE, format!("{message} {fault}."), at);
    };
    for (i, condition) in rule.conditions.iter().enumerate() {
        let at = format!("{at}/conditions/{i}");
        let variable = condition.variable.as_deref().unwrap_or_default();
        let kinds = ["http_req_", "http_resp_", "var_"];
        if !kinds
            .iter()
            .any(|kind| variable.len() > kind.len() && variable.starts_with(kind))
        {
            let variable = shorten(variable);
            let fault = format!(
                "has the condition variable '{variable}': http_req_…, http_resp_… or var_… is \
                 right"
            );
            refuse(fault, format!("{at}/variable"));
        }
        if condition.pattern.is_none() {
            refuse(
                "has a condition without a pattern".to_owned(),
                format!("{at}/pattern"),
            );
        }
    }
    for (i, header) in actions.request_header_configurations.iter().enumerate() {
        let at = format!("{at}/actionSet/requestHeaderConfigurations/{i}");
        if let Some(fault) = header_fault(header, true) {
            refuse(fault, at);
        }
    }
    for (i, header) in actions.response_header_configurations.iter().enumerate() {
        let at = format!("{at}/actionSet/responseHeaderConfigurations/{i}");
        if let Some(fault) = header_fault(header, false) {
            refuse(fault, at);
        }
    }
}

fn shorten_name(rule: &RewriteRule) -> String {
    shorten(rule.name.as_deref().unwrap_or_default())
}

fn header_fault(header: &HeaderConfiguration, request: bool) -> Option<String> {
    let name = header.header_name.as_deref().unwrap_or_default();
    let deletes = header
        .header_value
        .as_deref()
        .unwrap_or_default()
        .is_empty();
    if name.is_empty() {
        return Some("has a header without a name".to_owned());
    }
    if FIXED_HEADERS
        .iter()
        .any(|fixed| fixed.eq_ignore_ascii_case(name))
    {
        return Some(format!("cannot rewrite the header {}", shorten(name)));
    }
    if request && deletes && name.eq_ignore_ascii_case("Host") {
        return Some("cannot delete the header Host".to_owned());
    }
    None
}

fn counts(c: &mut Checker<'_>, set: &Item<RewriteRuleSet>) {
    let rules = &set.properties.rewrite_rules;
    let actions: usize = rules
        .iter()
        .filter_map(|rule| rule.action_set.as_ref())
        .map(|actions| {
            actions.request_header_configurations.len()
                + actions.response_header_configurations.len()
                + usize::from(actions.url_configuration.is_some())
        })
        .sum();
    let conditions: usize = rules.iter().map(|rule| rule.conditions.len()).sum();
    let bounds = [
        ("actions", actions, MAX_ACTIONS),
        ("conditions", conditions, MAX_CONDITIONS),
    ];
    for (what, number, maximum) in bounds {
        if number > maximum {
            let message = format!(
                "Rewrite rule set '{}' has {number} {what}; the maximum allowed is {maximum}.",
                set.name
            );
            c.error(codes::E_REWRITE, message, set.pointer());
        }
    }
}
