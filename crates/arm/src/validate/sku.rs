//! The SKU: its name, its size, and what it does not have.

use std::ops::RangeInclusive;

use super::checker::Checker;
use crate::codes;
use crate::model::{FirewallConfiguration, Reference, Sku, SkuTier};

/// Instances by tier (Azure documentation).
const CAPACITY_V1: RangeInclusive<i32> = 1..=32;
const CAPACITY_V2: RangeInclusive<i32> = 1..=125;
const CAPACITY_BASIC: RangeInclusive<i32> = 1..=2;
/// Bounds of autoscaling (Azure REST API, Azure documentation).
const AUTOSCALE_MIN: RangeInclusive<i32> = 0..=125;
const AUTOSCALE_MAX: RangeInclusive<i32> = 2..=125;
/// KiB of a body that the firewall inspects (recorded from the service).
const FIREWALL_BODY_KIB: RangeInclusive<i32> = 8..=128;

pub(crate) const V1_TIERS: &str = "Standard,WAF";
pub(crate) const V2_TIERS: &str = "Standard_v2,WAF_v2";

pub(crate) fn check(c: &mut Checker<'_>) {
    let Some(sku) = &c.properties.sku else {
        let at = c.pointer_to("sku");
        let message = format!("Application Gateway {} must have a SKU.", c.id());
        c.error("ApplicationGatewaySkuNameInvalidForSkuTier", message, at);
        return;
    };
    if let (Some(name), Some(tier)) = (sku.name, sku.tier)
        && name.tier() != tier
    {
        let message =
            format!("Application Gateway SKU name {name} is not valid for the SKU tier {tier}");
        c.error(
            "ApplicationGatewaySkuNameInvalidForSkuTier",
            message,
            c.pointer_to("sku/name"),
        );
    }
    capacity(c, sku);
    autoscale(c);
    features(c);
    firewall(c);
    if c.is_v1() {
        let message = format!("SKU tier {} was retired on 28 April 2026.", c.tier_name());
        c.warn(codes::W_RETIRED_SKU, message, c.pointer_to("sku"));
    }
}

/// A feature that the gateway's tier does not have.
pub(crate) fn unsupported(c: &mut Checker<'_>, feature: &str, tiers: &str, at: String) {
    let message = format!(
        "Application Gateway {} does not support {feature} for the selected SKU tier {}. Supported \
         SKU tiers are {tiers}.",
        c.id(),
        c.tier_name()
    );
    c.error(
        "ApplicationGatewayFeatureCannotBeEnabledForSelectedSku",
        message,
        at,
    );
}

fn capacity(c: &mut Checker<'_>, sku: &Sku) {
    let reserves = matches!(c.tier, Some(SkuTier::BasicV2 | SkuTier::BasicWafV2));
    let range = match c.tier {
        Some(tier) if tier.is_v1() => CAPACITY_V1,
        Some(SkuTier::Basic) => CAPACITY_BASIC,
        _ => CAPACITY_V2,
    };
    let scales = c.properties.autoscale_configuration.is_some();
    match sku.capacity {
        Some(number) if !range.contains(&number) => {
            let message = format!(
                "Capacity {number} is not valid for the selected SKU tier {}. Supported range is \
                 [{}, {}].",
                c.tier_name(),
                range.start(),
                range.end()
            );
            c.error(
                codes::E_CAPACITY_RANGE,
                message,
                c.pointer_to("sku/capacity"),
            );
        }
        Some(_) if scales => {
            let message = "The capacity has no effect beside autoscaleConfiguration.";
            c.warn(
                codes::W_CAPACITY_IGNORED,
                message,
                c.pointer_to("sku/capacity"),
            );
        }
        None if !scales && !c.is_v1() && !reserves => {
            let message = format!(
                "Application Gateway {} must specify either Capacity or AutoscaleConfiguration for \
                 the selected SKU tier {}",
                c.id(),
                c.tier_name()
            );
            c.error(
                "ApplicationGatewayV2SkuMustSpecifyEitherCapacityOrAutoscaleConfiguration",
                message,
                c.pointer_to("sku/capacity"),
            );
        }
        _ => {}
    }
    if c.properties.reserved_capacity.is_some() && !reserves {
        let message = format!(
            "ReservedCapacity is not supported for SKU tier {}.",
            c.tier_name()
        );
        c.error(
            codes::E_RESERVED_CAPACITY,
            message,
            c.pointer_to("reservedCapacity"),
        );
    }
}

fn autoscale(c: &mut Checker<'_>) {
    let Some(bounds) = &c.properties.autoscale_configuration else {
        return;
    };
    let mut refuse = |message: &str, member: &str| {
        let at = c.pointer_to(&format!("autoscaleConfiguration/{member}"));
        c.error(codes::E_AUTOSCALE_BOUNDS, message, at);
    };
    match bounds.min_capacity {
        None => refuse("minCapacity must be specified.", "minCapacity"),
        Some(min) if !AUTOSCALE_MIN.contains(&min) => {
            refuse("minCapacity is not in the range [0, 125].", "minCapacity");
        }
        Some(_) => {}
    }
    let Some(max) = bounds.max_capacity else {
        return;
    };
    if !AUTOSCALE_MAX.contains(&max) {
        refuse("maxCapacity is not in the range [2, 125].", "maxCapacity");
    } else if bounds.min_capacity.is_some_and(|min| min > max) {
        refuse("maxCapacity is less than minCapacity.", "maxCapacity");
    }
}

fn features(c: &mut Checker<'_>) {
    let p = c.properties;
    let v2: Vec<(bool, &str, &str)> = vec![
        (
            p.autoscale_configuration.is_some(),
            "Autoscaling",
            "autoscaleConfiguration",
        ),
        (c.gateway.identity.is_some(), "Identity", "identity"),
        (!c.gateway.zones.is_empty(), "Availability Zones", "zones"),
        (
            !p.trusted_root_certificates.is_empty(),
            "TrustedRootCertificates",
            "trustedRootCertificates",
        ),
        (
            !p.trusted_client_certificates.is_empty(),
            "TrustedClientCertificates",
            "trustedClientCertificates",
        ),
        (!p.ssl_profiles.is_empty(), "SslProfiles", "sslProfiles"),
        (
            !p.rewrite_rule_sets.is_empty(),
            "RewriteRuleSets",
            "rewriteRuleSets",
        ),
        (
            !p.private_link_configurations.is_empty(),
            "Private Link Configuration",
            "privateLinkConfigurations",
        ),
        (
            !p.load_distribution_policies.is_empty(),
            "LoadDistributionPolicies",
            "loadDistributionPolicies",
        ),
        (!p.listeners.is_empty(), "Listeners", "listeners"),
        (
            !p.backend_settings_collection.is_empty(),
            "BackendSettingsCollection",
            "backendSettingsCollection",
        ),
        (!p.routing_rules.is_empty(), "RoutingRules", "routingRules"),
        (
            !p.entra_jwt_validation_configs.is_empty(),
            "EntraJWTValidation",
            "entraJWTValidationConfigs",
        ),
        (
            !p.advanced_routing_maps.is_empty(),
            "AdvancedRouting",
            "advancedRoutingMaps",
        ),
    ];
    if c.is_v1() {
        for (_, feature, member) in v2.into_iter().filter(|(given, ..)| *given) {
            let at = c.pointer_to(member);
            unsupported(c, feature, V2_TIERS, at);
        }
        probe_ports(c);
    } else if !p.authentication_certificates.is_empty() {
        let at = c.pointer_to("authenticationCertificates");
        unsupported(c, "AuthenticationCertificates", V1_TIERS, at);
    }
    if c.tier == Some(SkuTier::Basic) {
        basic(c);
    }
}

/// A probe's own port needs the second generation (Azure REST API).
fn probe_ports(c: &mut Checker<'_>) {
    for probe in &c.properties.probes {
        if probe.properties.port.is_some_and(|port| port != 0) {
            unsupported(
                c,
                "Probe Port",
                "Standard_v2,WAF_v2,Basic",
                probe.pointer_to("port"),
            );
        }
    }
}

fn basic(c: &mut Checker<'_>) {
    let p = c.properties;
    let url_rewrite = p.rewrite_rule_sets.iter().find(|set| {
        let mut rules = set.properties.rewrite_rules.iter();
        rules.any(|r| {
            r.action_set
                .as_ref()
                .is_some_and(|a| a.url_configuration.is_some())
        })
    });
    if let Some(set) = url_rewrite {
        unsupported(c, "URL Rewrite", V2_TIERS, set.pointer().to_owned());
    }
    let absent = [
        (
            p.autoscale_configuration.is_some(),
            "Autoscaling",
            "autoscaleConfiguration",
        ),
        (
            !p.trusted_client_certificates.is_empty(),
            "TrustedClientCertificates",
            "trustedClientCertificates",
        ),
        (
            !p.private_link_configurations.is_empty(),
            "Private Link Configuration",
            "privateLinkConfigurations",
        ),
        (
            !p.entra_jwt_validation_configs.is_empty(),
            "EntraJWTValidation",
            "entraJWTValidationConfigs",
        ),
    ];
    for (_, feature, member) in absent.into_iter().filter(|(given, ..)| *given) {
        let at = c.pointer_to(member);
        unsupported(c, feature, V2_TIERS, at);
    }
    let l4 = [
        (p.listeners.is_empty(), "listeners"),
        (
            p.backend_settings_collection.is_empty(),
            "backendSettingsCollection",
        ),
        (p.routing_rules.is_empty(), "routingRules"),
    ];
    if let Some((_, member)) = l4.into_iter().find(|(empty, _)| !empty) {
        let message = "For specified sku-tier Basic, property BackendSettingsCollection or \
                       Listeners or RoutingRules is not supported.";
        c.error(codes::E_L4_NOT_ON_BASIC, message, c.pointer_to(member));
    }
}

fn firewall(c: &mut Checker<'_>) {
    let p = c.properties;
    let has_waf = c.tier.is_some_and(SkuTier::has_waf);
    let config = p.web_application_firewall_configuration.as_ref();
    if !has_waf && (config.is_some() || p.firewall_policy.is_some()) {
        let member = if config.is_some() {
            "webApplicationFirewallConfiguration"
        } else {
            "firewallPolicy"
        };
        no_firewall(c, c.pointer_to(member));
    }
    if !has_waf {
        for at in policies_of_parts(c) {
            no_firewall(c, at);
        }
    }
    let needs_one = has_waf && !c.is_v1();
    if needs_one && config.is_none() && p.firewall_policy.is_none() {
        let message = format!(
            "Application Gateway {} with the selected SKU tier {} must have a valid WAF policy or \
             configuration",
            c.id(),
            c.tier_name()
        );
        let at = c.pointer_to("firewallPolicy");
        if c.runs_already() {
            // Gateways from before the rule run on without a firewall.
            c.warn(codes::W_NO_FIREWALL, message, at);
        } else {
            let code = "ApplicationGatewayFirewallNotConfiguredForSelectedSku";
            c.error(code, message, at);
        }
    }
    if let Some(config) = config {
        firewall_configuration(c, config);
    }
}

fn no_firewall(c: &mut Checker<'_>, at: String) {
    let message = format!(
        "Application Gateway {} does not support WebApplicationFirewall with the selected SKU \
         tier {}",
        c.id(),
        c.tier_name()
    );
    c.error(
        "ApplicationGatewayFirewallCannotBeEnabledForSelectedSku",
        message,
        at,
    );
}

/// The firewall policies of single listeners and path rules.
fn policies_of_parts(c: &Checker<'_>) -> Vec<String> {
    let p = c.properties;
    let listeners = p
        .http_listeners
        .iter()
        .map(|item| &item.properties.firewall_policy);
    let maps = p
        .url_path_maps
        .iter()
        .flat_map(|map| &map.properties.path_rules);
    let rules = maps.map(|rule| &rule.properties.firewall_policy);
    let policies = listeners.chain(rules).filter_map(Option::as_ref);
    policies
        .map(|policy: &Reference| policy.pointer().to_owned())
        .collect()
}

fn firewall_configuration(c: &mut Checker<'_>, config: &FirewallConfiguration) {
    let required = [
        (config.enabled.is_none(), "enabled"),
        (config.firewall_mode.is_none(), "firewallMode"),
        (config.rule_set_type.is_none(), "ruleSetType"),
        (config.rule_set_version.is_none(), "ruleSetVersion"),
    ];
    let pointer = |c: &Checker<'_>, member: &str| {
        c.pointer_to(&format!("webApplicationFirewallConfiguration/{member}"))
    };
    for (_, member) in required.into_iter().filter(|(missing, _)| *missing) {
        let message = format!("{member} of WebApplicationFirewallConfiguration must be specified.");
        let at = pointer(c, member);
        c.error(codes::E_FIREWALL, message, at);
    }
    let sizes = [
        (
            config.max_request_body_size,
            "MaxRequestBodySize",
            "maxRequestBodySize",
        ),
        (
            config.max_request_body_size_in_kb,
            "MaxRequestBodySizeInKb",
            "maxRequestBodySizeInKb",
        ),
    ];
    for (size, name, member) in sizes {
        if let Some(size) = size.filter(|size| !FIREWALL_BODY_KIB.contains(size)) {
            let message = format!("{name} {size} is out of range, it should be within 8 and 128");
            c.error(codes::E_FIREWALL, message, pointer(c, member));
        }
    }
    if config.file_upload_limit_in_mb.is_some_and(|mib| mib < 0) {
        let message = "FileUploadLimitInMb must be 0 or more.";
        c.error(
            codes::E_FIREWALL,
            message,
            pointer(c, "fileUploadLimitInMb"),
        );
    }
}
