//! How many of each a gateway may have.
//!
//! Sources: recorded from the service (pools; the sentence of all; the numbers of Basic), Azure
//! documentation of limits. Only the code for pools was recorded; the others follow its pattern.

use super::checker::Checker;
use crate::model::Properties;

/// Servers of a pool.
const SERVERS_PER_POOL: Maximum = Maximum(100, 1200, 5);
/// Path rules of a path map.
const PATH_RULES: usize = 100;
/// Client chains of a TLS profile.
const CHAINS_PER_PROFILE: usize = 100;

/// A maximum on the first generation, on the second, and on Basic.
struct Maximum(usize, usize, usize);

impl Maximum {
    const fn all(number: usize) -> Self {
        Self(number, number, number)
    }

    fn of(&self, c: &Checker<'_>) -> usize {
        match (c.is_v1(), c.is_basic()) {
            (true, _) => self.0,
            (false, false) => self.1,
            (false, true) => self.2,
        }
    }
}

struct Limit {
    code: &'static str,
    /// The service's word in the sentence.
    what: &'static str,
    member: &'static str,
    count: fn(&Properties) -> usize,
    maximum: Maximum,
}

/// One row of the table of limits: the code's word, the sentence's word, member, count, maximum.
macro_rules! limits {
    ($($stem:literal, $what:literal, $member:literal, $count:expr, $maximum:expr;)*) => {
        const LIMITS: &[Limit] = &[$(Limit {
            code: concat!("ApplicationGateway", $stem, "LimitReached"),
            what: $what,
            member: $member,
            count: $count,
            maximum: $maximum,
        }),*];
    };
}

limits! {
    "GatewayIPConfigurations", "GatewayIPConfigurations", "gatewayIPConfigurations",
        |p| p.gateway_ip_configurations.len(), Maximum::all(1);
    "FrontendIPConfigurations", "FrontendIPConfigurations", "frontendIPConfigurations",
        |p| p.frontend_ip_configurations.len(), Maximum(2, 4, 4);
    "FrontendPorts", "FrontendPorts", "frontendPorts",
        |p| p.frontend_ports.len(), Maximum::all(100);
    "BackendAddressPool", "BackendAddressPools", "backendAddressPools",
        |p| p.backend_address_pools.len(), Maximum(100, 100, 5);
    "BackendHttpSettings", "BackendHttpSettings", "backendHttpSettingsCollection",
        |p| p.backend_http_settings_collection.len(), Maximum::all(100);
    "BackendSettings", "BackendSettings", "backendSettingsCollection",
        |p| p.backend_settings_collection.len(), Maximum::all(100);
    "HttpListeners", "HttpListeners", "httpListeners",
        |p| p.http_listeners.len() + p.listeners.len(), Maximum(200, 200, 5);
    "RequestRoutingRules", "RequestRoutingRules", "requestRoutingRules",
        |p| p.request_routing_rules.len() + p.routing_rules.len(), Maximum(200, 400, 5);
    "SslCertificates", "SslCertificates", "sslCertificates",
        |p| p.ssl_certificates.len(), Maximum::all(100);
    "AuthenticationCertificates", "AuthenticationCertificates", "authenticationCertificates",
        |p| p.authentication_certificates.len(), Maximum::all(100);
    "TrustedRootCertificates", "TrustedRootCertificates", "trustedRootCertificates",
        |p| p.trusted_root_certificates.len(), Maximum::all(100);
    "TrustedClientCertificates", "TrustedClientCertificates", "trustedClientCertificates",
        |p| p.trusted_client_certificates.len(), Maximum::all(200);
    "RedirectConfigurations", "RedirectConfigurations", "redirectConfigurations",
        |p| p.redirect_configurations.len(), Maximum::all(100);
    "RewriteRuleSets", "RewriteRuleSets", "rewriteRuleSets",
        |p| p.rewrite_rule_sets.len(), Maximum::all(400);
    "PrivateLinkConfigurations", "PrivateLinkConfigurations", "privateLinkConfigurations",
        |p| p.private_link_configurations.len(), Maximum::all(2);
}

pub(crate) fn check(c: &mut Checker<'_>) {
    for limit in LIMITS {
        let (count, maximum) = ((limit.count)(c.properties), limit.maximum.of(c));
        let at = c.pointer_to(limit.member);
        hold(c, (limit.code, limit.what), (count, maximum), at);
    }
    let servers = SERVERS_PER_POOL.of(c);
    for pool in &c.properties.backend_address_pools {
        let p = &pool.properties;
        let count = p
            .backend_addresses
            .len()
            .max(p.backend_ip_configurations.len());
        let code = "ApplicationGatewayBackendServersPerPoolLimitReached";
        let at = pool.pointer_to("backendAddresses");
        hold(c, (code, "BackendServersPerPool"), (count, servers), at);
    }
    for map in &c.properties.url_path_maps {
        let code = "ApplicationGatewayPathRulesLimitReached";
        let count = map.properties.path_rules.len();
        hold(
            c,
            (code, "PathRules"),
            (count, PATH_RULES),
            map.pointer_to("pathRules"),
        );
    }
    for profile in &c.properties.ssl_profiles {
        let code = "ApplicationGatewayTrustedClientCertificatesPerSslProfileLimitReached";
        let what = "TrustedClientCertificatesPerSslProfile";
        let count = profile.properties.trusted_client_certificates.len();
        let at = profile.pointer_to("trustedClientCertificates");
        hold(c, (code, what), (count, CHAINS_PER_PROFILE), at);
    }
}

fn hold(
    c: &mut Checker<'_>,
    (code, what): (&'static str, &str),
    (count, maximum): (usize, usize),
    at: String,
) {
    if count > maximum {
        let message = format!(
            "The number of {what} exceeds the maximum allowed value. The number of {what} is \
             {count} and the maximum allowed is {maximum}."
        );
        c.error(code, message, at);
    }
}
