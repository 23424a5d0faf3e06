//! Where requests go: backend pools, backend settings, probes and load distribution.

use super::item::wire_items;
use super::{
    CookieBasedAffinity, ForeignResource, Item, LoadDistributionAlgorithm, Protocol, Reference,
};
use crate::wire::wire_value_object;

wire_items! {
    "backendAddressPools";
    /// A set of servers.
    pub struct BackendAddressPool as "ApplicationGatewayBackendAddressPool" {
        /// The servers, by name or address.
        backend_addresses: Vec<BackendAddress> => "backendAddresses", Always;
        /// Network interfaces that joined the pool from their side; read-only.
        backend_ip_configurations: Vec<ForeignResource> => "backendIPConfigurations";
    }
    dropped ["requestRoutingRules", "urlPathMaps", "pathRules", "routingRules",
             "loadDistributionPolicies", "loadDistributionTargets", "advancedRoutingMaps",
             "advancedRoutingRules"]
}

wire_value_object! {
    /// A server: a name or an address, one of the two.
    pub struct BackendAddress as "ApplicationGatewayBackendAddress" {
        /// A fully qualified domain name.
        fqdn: Option<String> => "fqdn";
        /// An IP address, as text.
        ip_address: Option<String> => "ipAddress";
    }
}

wire_items! {
    "backendHttpSettingsCollection";
    /// A backend setting for HTTP and HTTPS: how servers are spoken to.
    pub struct BackendHttpSettings as "ApplicationGatewayBackendHttpSettings" {
        /// Port on the server, 1–65535.
        port: Option<i32> => "port";
        /// `Http` or `Https`.
        protocol: Option<Protocol> => "protocol";
        /// Whether a client stays with its server by a cookie. Default `Disabled`.
        cookie_based_affinity: Option<CookieBasedAffinity> => "cookieBasedAffinity";
        /// What happens to requests on a server that leaves the pool.
        connection_draining: Option<ConnectionDraining> => "connectionDraining";
        /// The host name that servers see, in place of the client's.
        host_name: Option<String> => "hostName";
        /// Whether servers see their own name as the host name. Default false.
        pick_host_name_from_backend_address: Option<bool> => "pickHostNameFromBackendAddress";
        /// Whether each client connection has a backend connection of its own.
        dedicated_backend_connection: Option<bool> => "dedicatedBackendConnection";
        /// Whether the chain and the dates of the server's certificate are checked.
        validate_cert_chain_and_expiry: Option<bool> => "validateCertChainAndExpiry";
        /// Whether the name in the server's certificate is checked.
        validate_sni: Option<bool> => "validateSNI";
        /// The name that is sent and checked in place of the host name.
        sni_name: Option<String> => "sniName", OrNullV2;
        /// Name of the affinity cookie.
        affinity_cookie_name: Option<String> => "affinityCookieName";
        /// Path that takes the place of the matched part of the request's path.
        path: Option<String> => "path";
        /// Seconds until the response must have come, 1–86400. Default 30.
        request_timeout: Option<i32> => "requestTimeout";
        /// The custom probe; without it a default probe is made.
        probe: Option<Reference> => "probe";
        /// Certificates of servers that are trusted (first generation).
        authentication_certificates: Vec<Reference> => "authenticationCertificates";
        /// Roots that servers' certificates may lead to (second generation).
        trusted_root_certificates: Vec<Reference> => "trustedRootCertificates";
        /// Declared by the API without a documented effect on traffic.
        probe_enabled: Option<bool> => "probeEnabled";
    }
    dropped ["requestRoutingRules", "urlPathMaps", "pathRules", "advancedRoutingMaps",
             "advancedRoutingRules"]
}

wire_value_object! {
    /// How long a server that leaves the pool may finish its requests.
    pub struct ConnectionDraining as "ApplicationGatewayConnectionDraining" {
        /// Whether it may at all.
        enabled: Option<bool> => "enabled";
        /// Seconds, 1–3600; must be in these bounds even if not enabled.
        drain_timeout_in_sec: Option<i32> => "drainTimeoutInSec";
    }
}

wire_items! {
    "backendSettingsCollection";
    /// A backend setting for TCP and TLS.
    pub struct BackendSettings as "ApplicationGatewayBackendSettings" {
        /// Port on the server, 1–65535.
        port: Option<i32> => "port";
        /// `Tcp` or `Tls`.
        protocol: Option<Protocol> => "protocol";
        /// Seconds without data after which both sides are closed, 1–86400. Default 30.
        timeout: Option<i32> => "timeout";
        /// The custom probe.
        probe: Option<Reference> => "probe";
        /// Roots that servers' certificates may lead to.
        trusted_root_certificates: Vec<Reference> => "trustedRootCertificates";
        /// Server name for TLS.
        host_name: Option<String> => "hostName";
        /// Whether the server's own name is sent as the server name.
        pick_host_name_from_backend_address: Option<bool> => "pickHostNameFromBackendAddress";
        /// Whether a PROXY line with the client's address opens the connection.
        enable_l4_client_ip_preservation: Option<bool> => "enableL4ClientIpPreservation";
    }
    dropped ["routingRules"]
}

wire_items! {
    "probes";
    /// A custom health probe.
    pub struct Probe as "ApplicationGatewayProbe" {
        /// The protocol; that of the backend setting.
        protocol: Option<Protocol> => "protocol";
        /// Host name that is sent; empty if it is picked from the backend setting.
        host: Option<String> => "host";
        /// Port in place of the backend setting's, 1–65535 (second generation).
        port: Option<i32> => "port";
        /// Path and query; starts with `/`.
        path: Option<String> => "path";
        /// Seconds between two probes, 1–86400.
        interval: Option<i32> => "interval";
        /// Seconds until a probe has failed, 1–86400, at most the interval.
        timeout: Option<i32> => "timeout";
        /// Failures in a row that make a server unhealthy, 1–20.
        unhealthy_threshold: Option<i32> => "unhealthyThreshold";
        /// Whether the host name is that of the backend setting. Default false.
        pick_host_name_from_backend_http_settings: Option<bool> =>
            "pickHostNameFromBackendHttpSettings";
        /// The same for TLS probes of a TCP/TLS backend setting.
        pick_host_name_from_backend_settings: Option<bool> => "pickHostNameFromBackendSettings";
        /// Servers that count as healthy whatever the probes say. Default 0.
        min_servers: Option<i32> => "minServers";
        /// What a healthy answer looks like.
        r#match: Option<ProbeMatch> => "match";
        /// Whether a TCP/TLS probe begins with a PROXY line.
        enable_probe_proxy_protocol_header: Option<bool> => "enableProbeProxyProtocolHeader";
    }
    dropped ["backendHttpSettings", "backendSettings"]
}

wire_value_object! {
    /// What a healthy answer to a probe looks like.
    pub struct ProbeMatch as "ApplicationGatewayProbeHealthResponseMatch" {
        /// Text that the answer's body contains, at most 4090 characters.
        body: Option<String> => "body";
        /// Codes and ranges of codes, such as `200-399`. Empty means `200-399`.
        status_codes: Vec<String> => "statusCodes";
    }
}

wire_value_object! {
    /// The body of `getBackendHealthOnDemand`: whom to probe once, and how.
    pub struct OnDemandProbe as "ApplicationGatewayOnDemandProbe" {
        /// `Http` or `Https`.
        protocol: Option<Protocol> => "protocol";
        /// Host name that is sent.
        host: Option<String> => "host";
        /// Path and query; starts with `/`.
        path: Option<String> => "path";
        /// Seconds until the probe has failed, 1–86400.
        timeout: Option<i32> => "timeout";
        /// Whether the host name is that of the backend setting.
        pick_host_name_from_backend_http_settings: Option<bool> =>
            "pickHostNameFromBackendHttpSettings";
        /// Whether a TCP/TLS probe begins with a PROXY line.
        enable_probe_proxy_protocol_header: Option<bool> => "enableProbeProxyProtocolHeader";
        /// What a healthy answer looks like.
        r#match: Option<ProbeMatch> => "match";
        /// The pool whose servers are probed.
        backend_address_pool: Option<Reference> => "backendAddressPool";
        /// The backend setting under which they are.
        backend_http_settings: Option<Reference> => "backendHttpSettings";
    }
}

wire_items! {
    "loadDistributionPolicies";
    /// Distributes requests over several pools.
    pub struct LoadDistributionPolicy as "ApplicationGatewayLoadDistributionPolicy" {
        /// The pools with their weights.
        load_distribution_targets: Vec<Item<LoadDistributionTarget>> =>
            "loadDistributionTargets", Always;
        /// How a pool is picked.
        load_distribution_algorithm: Option<LoadDistributionAlgorithm> =>
            "loadDistributionAlgorithm";
    }
    dropped ["requestRoutingRules", "urlPathMaps", "pathRules"]
}

wire_items! {
    "loadDistributionTargets" in "loadDistributionPolicies";
    /// A pool with its weight.
    pub struct LoadDistributionTarget as "ApplicationGatewayLoadDistributionTarget" {
        /// Weight of each server, 1–100.
        weight_per_server: Option<i32> => "weightPerServer";
        /// The pool.
        backend_address_pool: Option<Reference> => "backendAddressPool";
    }
}
