//! How many of each a gateway may have.
//!
//! Sources: recorded from the service (pools; the sentence of all), Azure documentation of limits.

use super::checker::Checker;
use crate::codes;

/// A limit by generation: first, second, Basic.
struct Limit {
    /// The service's word in the code and the sentence.
    what: &'static str,
    member: &'static str,
    count: usize,
    v1: usize,
    v2: usize,
    basic: usize,
}

pub(crate) fn check(c: &mut Checker<'_>) {
    for limit in gateway_limits(c) {
        let maximum = maximum(c, limit.v1, limit.v2, limit.basic);
        if limit.count > maximum {
            let at = c.pointer_to(limit.member);
            reached(c, limit.what, limit.count, maximum, at);
        }
    }
    let servers = maximum(c, 100, 1200, 5);
    for pool in &c.properties.backend_address_pools {
        let p = &pool.properties;
        let count = p
            .backend_addresses
            .len()
            .max(p.backend_ip_configurations.len());
        if count > servers {
            let at = pool.pointer_to("backendAddresses");
            reached(c, "BackendServersPerPool", count, servers, at);
        }
    }
    for map in &c.properties.url_path_maps {
        let count = map.properties.path_rules.len();
        if count > 100 {
            reached(c, "PathRules", count, 100, map.pointer_to("pathRules"));
        }
    }
    for profile in &c.properties.ssl_profiles {
        let count = profile.properties.trusted_client_certificates.len();
        if count > 100 {
            let at = profile.pointer_to("trustedClientCertificates");
            reached(c, "TrustedClientCertificatesPerSslProfile", count, 100, at);
        }
    }
}

fn maximum(c: &Checker<'_>, v1: usize, v2: usize, basic: usize) -> usize {
    match (c.is_v1(), c.is_basic()) {
        (true, _) => v1,
        (_, true) => basic,
        _ => v2,
    }
}

/// The code is the service's for pools; for the others it follows the same pattern.
fn reached(c: &mut Checker<'_>, what: &'static str, count: usize, maximum: usize, at: String) {
    let message = format!(
        "The number of {what} exceeds the maximum allowed value. The number of {what} is {count} \
         and the maximum allowed is {maximum}."
    );
    let code = CODES
        .iter()
        .find(|(name, _)| *name == what)
        .map(|(_, code)| *code);
    c.error(code.unwrap_or(codes::E_CAPACITY_RANGE), message, at);
}

/// Codes must live as long as the program, so that they stand here whole.
const CODES: &[(&str, &str)] = &[
    (
        "BackendAddressPools",
        "ApplicationGatewayBackendAddressPoolLimitReached",
    ),
    (
        "BackendServersPerPool",
        "ApplicationGatewayBackendServersPerPoolLimitReached",
    ),
    (
        "BackendHttpSettings",
        "ApplicationGatewayBackendHttpSettingsLimitReached",
    ),
    (
        "BackendSettings",
        "ApplicationGatewayBackendSettingsLimitReached",
    ),
    (
        "FrontendIPConfigurations",
        "ApplicationGatewayFrontendIPConfigurationsLimitReached",
    ),
    (
        "FrontendPorts",
        "ApplicationGatewayFrontendPortsLimitReached",
    ),
    (
        "GatewayIPConfigurations",
        "ApplicationGatewayGatewayIPConfigurationsLimitReached",
    ),
    (
        "HttpListeners",
        "ApplicationGatewayHttpListenersLimitReached",
    ),
    ("PathRules", "ApplicationGatewayPathRulesLimitReached"),
    (
        "RedirectConfigurations",
        "ApplicationGatewayRedirectConfigurationsLimitReached",
    ),
    (
        "RequestRoutingRules",
        "ApplicationGatewayRequestRoutingRulesLimitReached",
    ),
    (
        "RewriteRuleSets",
        "ApplicationGatewayRewriteRuleSetsLimitReached",
    ),
    (
        "SslCertificates",
        "ApplicationGatewaySslCertificatesLimitReached",
    ),
    (
        "AuthenticationCertificates",
        "ApplicationGatewayAuthenticationCertificatesLimitReached",
    ),
    (
        "TrustedRootCertificates",
        "ApplicationGatewayTrustedRootCertificatesLimitReached",
    ),
    (
        "TrustedClientCertificates",
        "ApplicationGatewayTrustedClientCertificatesLimitReached",
    ),
    (
        "TrustedClientCertificatesPerSslProfile",
        "ApplicationGatewayTrustedClientCertificatesPerSslProfileLimitReached",
    ),
    (
        "PrivateLinkConfigurations",
        "ApplicationGatewayPrivateLinkConfigurationsLimitReached",
    ),
];

fn gateway_limits(c: &Checker<'_>) -> Vec<Limit> {
    let p = c.properties;
    let limit = |what, member, count, (v1, v2, basic)| Limit {
        what,
        member,
        count,
        v1,
        v2,
        basic,
    };
    let listeners = p.http_listeners.len() + p.listeners.len();
    let rules = p.request_routing_rules.len() + p.routing_rules.len();
    vec![
        limit(
            "GatewayIPConfigurations",
            "gatewayIPConfigurations",
            p.gateway_ip_configurations.len(),
            (1, 1, 1),
        ),
        limit(
            "FrontendIPConfigurations",
            "frontendIPConfigurations",
            p.frontend_ip_configurations.len(),
            (2, 4, 4),
        ),
        limit(
            "FrontendPorts",
            "frontendPorts",
            p.frontend_ports.len(),
            (100, 100, 100),
        ),
        limit(
            "BackendAddressPools",
            "backendAddressPools",
            p.backend_address_pools.len(),
            (100, 100, 5),
        ),
        limit(
            "BackendHttpSettings",
            "backendHttpSettingsCollection",
            p.backend_http_settings_collection.len(),
            (100, 100, 100),
        ),
        limit(
            "BackendSettings",
            "backendSettingsCollection",
            p.backend_settings_collection.len(),
            (100, 100, 100),
        ),
        limit("HttpListeners", "httpListeners", listeners, (200, 200, 5)),
        limit(
            "RequestRoutingRules",
            "requestRoutingRules",
            rules,
            (200, 400, 5),
        ),
        limit(
            "SslCertificates",
            "sslCertificates",
            p.ssl_certificates.len(),
            (100, 100, 100),
        ),
        limit(
            "AuthenticationCertificates",
            "authenticationCertificates",
            p.authentication_certificates.len(),
            (100, 100, 100),
        ),
        limit(
            "TrustedRootCertificates",
            "trustedRootCertificates",
            p.trusted_root_certificates.len(),
            (100, 100, 100),
        ),
        limit(
            "TrustedClientCertificates",
            "trustedClientCertificates",
            p.trusted_client_certificates.len(),
            (200, 200, 200),
        ),
        limit(
            "RedirectConfigurations",
            "redirectConfigurations",
            p.redirect_configurations.len(),
            (100, 100, 100),
        ),
        limit(
            "RewriteRuleSets",
            "rewriteRuleSets",
            p.rewrite_rule_sets.len(),
            (400, 400, 400),
        ),
        limit(
            "PrivateLinkConfigurations",
            "privateLinkConfigurations",
            p.private_link_configurations.len(),
            (2, 2, 2),
        ),
    ]
}
