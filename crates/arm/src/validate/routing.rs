//! Load distribution, token validation and advanced routing.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::checker::Checker;
use crate::codes;
use crate::model::{
    AdvancedRoutingMap, EntraJwtValidationConfig, HttpListener, Item, LoadDistributionPolicy,
    Protocol, RoutingCondition, RoutingConditionType,
};

/// Weights of servers (Azure REST API).
const WEIGHTS: RangeInclusive<i32> = 1..=100;
/// Audiences of a token validation (Azure REST API).
const MAX_AUDIENCES: usize = 5;

pub(crate) fn check(c: &mut Checker<'_>) {
    let p = c.properties;
    for item in &p.load_distribution_policies {
        load_distribution(c, item);
    }
    c.dangling("loadDistributionPolicies");
    for item in &p.entra_jwt_validation_configs {
        token_validation(c, item);
    }
    for rule in &p.request_routing_rules {
        let listener = c.resolve::<HttpListener>(rule.properties.http_listener.as_ref());
        let plain = listener.is_some_and(|l| l.properties.protocol == Some(Protocol::Http));
        if rule.properties.entra_jwt_validation_config.is_some() && plain {
            let message = format!(
                "Rule '{}' validates tokens, which needs an Https listener.",
                rule.name
            );
            c.error(
                codes::E_JWT,
                message,
                rule.pointer_to("entraJWTValidationConfig"),
            );
        }
    }
    for map in &p.advanced_routing_maps {
        advanced_map(c, map);
    }
    c.dangling("advancedRoutingMaps");
    for set in &p.advanced_routing_condition_sets {
        for (i, condition) in set.properties.routing_conditions.iter().enumerate() {
            if let Some(fault) = condition_fault(condition) {
                let message = format!("Condition {i} of set '{}': {fault}.", set.name);
                let at = set.pointer_to(&format!("routingConditions/{i}"));
                c.error(codes::E_ADVANCED_ROUTING, message, at);
            }
        }
    }
}

fn load_distribution(c: &mut Checker<'_>, item: &Item<LoadDistributionPolicy>) {
    let p = &item.properties;
    if p.load_distribution_targets.is_empty() {
        let message = format!("Load distribution policy '{}' has no targets.", item.name);
        c.error(
            codes::E_LOAD_DISTRIBUTION,
            message,
            item.pointer_to("loadDistributionTargets"),
        );
    }
    for target in &p.load_distribution_targets {
        if !WEIGHTS.contains(&target.properties.weight_per_server.unwrap_or(0)) {
            let message = format!("The weight of target '{}' is not in [1, 100].", target.name);
            c.error(
                codes::E_LOAD_DISTRIBUTION,
                message,
                target.pointer_to("weightPerServer"),
            );
        }
        if target.properties.backend_address_pool.is_none() {
            let message = format!(
                "Target '{}' must reference a BackendAddressPool.",
                target.name
            );
            c.error(
                codes::E_LOAD_DISTRIBUTION,
                message,
                target.pointer_to("backendAddressPool"),
            );
        }
    }
}

fn token_validation(c: &mut Checker<'_>, item: &Item<EntraJwtValidationConfig>) {
    let p = &item.properties;
    for (value, member) in [(&p.tenant_id, "tenantId"), (&p.client_id, "clientId")] {
        if value.as_deref().is_none_or(str::is_empty) {
            let message = format!("Token validation '{}' must have a {member}.", item.name);
            c.error(codes::E_JWT, message, item.pointer_to(member));
        }
    }
    if p.audiences.len() > MAX_AUDIENCES {
        let message = format!(
            "Token validation '{}' has {} audiences; the maximum allowed is {MAX_AUDIENCES}.",
            item.name,
            p.audiences.len()
        );
        c.error(codes::E_JWT, message, item.pointer_to("audiences"));
    }
}

fn advanced_map(c: &mut Checker<'_>, map: &Item<AdvancedRoutingMap>) {
    let p = &map.properties;
    let complete = |redirect: bool, pool: bool, settings: bool| match redirect {
        true => !pool && !settings,
        false => pool && settings,
    };
    let default = complete(
        p.default_redirect_configuration.is_some(),
        p.default_backend_address_pool.is_some(),
        p.default_backend_http_settings.is_some(),
    );
    if !default {
        let message = format!(
            "Advanced routing map '{}' must have a default redirect, or a default pool and \
             backend setting.",
            map.name
        );
        c.error(codes::E_ADVANCED_ROUTING, message, map.pointer());
    }
    let mut seen = HashSet::new();
    for rule in &p.advanced_routing_rules {
        let r = &rule.properties;
        let unique = r.priority.is_some_and(|priority| seen.insert(priority));
        if !unique {
            let message = format!(
                "Advanced routing rule '{}' must have a priority that no other rule of map '{}' \
                 has.",
                rule.name, map.name
            );
            c.error(
                codes::E_ADVANCED_ROUTING,
                message,
                rule.pointer_to("priority"),
            );
        }
        let destination = complete(
            r.redirect_configuration.is_some(),
            r.backend_address_pool.is_some(),
            r.backend_http_settings.is_some(),
        );
        if !destination {
            let message = format!(
                "Advanced routing rule '{}' must have a redirect, or a pool and a backend setting.",
                rule.name
            );
            c.error(codes::E_ADVANCED_ROUTING, message, rule.pointer());
        }
    }
}

fn condition_fault(condition: &RoutingCondition) -> Option<&'static str> {
    use RoutingConditionType::{ClientIp, Header, Method, Path, QueryString};
    let named = condition
        .property_name
        .as_deref()
        .is_some_and(|name| !name.is_empty());
    let values = !condition.property_values.is_empty();
    let matcher = condition.property_value_matcher.is_some();
    match condition.condition_type {
        None => Some("conditionType is required"),
        Some(Header | QueryString) if !named => Some("propertyName is required"),
        Some(Path | ClientIp | Method) if named => Some("propertyName is not applicable"),
        Some(ClientIp | Method) if matcher => Some("propertyValueMatcher is not applicable"),
        Some(_) if values == matcher => {
            Some("exactly one of propertyValues and propertyValueMatcher is required")
        }
        Some(_) => None,
    }
}
