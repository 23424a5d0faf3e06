//! The codes of findings that only compiling makes: what is right for the service, but cannot be
//! served here, or not with what was given.
//!
//! `GW-E-…`: nothing is served. `GW-W-…`: it is served, but probably not as was meant.

/// Declares the codes, and the one table that documents them.
macro_rules! own_codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(pub(crate) const $name: &str = $code;)*

        /// Every code that compiling has of its own, with its meaning. A few of them are also
        /// among [`gatewright_arm::OWN_CODES`], and mean the same there.
        pub const OWN_CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

/// The code of [`OWN_CODES`] for a listener's certificate that comes without its private key.
pub const CERTIFICATE_WITHOUT_KEY: &str = E_CERTIFICATE_WITHOUT_KEY;

own_codes! {
    E_AFFINITY_COOKIE = "GW-E-affinity-cookie":
        "the name of an affinity cookie is none that a cookie can have";
    E_AUTHENTICATION_CERTIFICATE = "GW-E-authentication-certificate":
        "an authentication certificate cannot be read";
    E_BACKEND_ADDRESS = "GW-E-backend-address":
        "a server of a pool is neither a name nor an address";
    E_BACKEND_HOST_NAME = "GW-E-backend-host-name":
        "the host name that a backend is asked for is none";
    E_BACKEND_PATH = "GW-E-backend-path":
        "a backend setting's path cannot stand in a request";
    E_BACKEND_PORT = "GW-E-backend-port":
        "a backend setting has no port";
    E_CERTIFICATE_FILE = "GW-E-certificate-file":
        "a certificate's file cannot be read";
    E_CERTIFICATE_WITHOUT_KEY = "GW-E-certificate-without-key":
        "a listener's certificate comes without its private key";
    E_DUPLICATE_GATEWAY = "GW-E-duplicate-gateway":
        "two documents describe one gateway";
    E_HOST_NAME = "GW-E-host-name":
        "a listener's host names break their rules";
    E_LISTENER_FRONTEND = "GW-E-listener-frontend":
        "a listener has no frontend address";
    E_LISTENER_PORT = "GW-E-listener-port":
        "a listener has no port";
    E_LISTENER_WITHOUT_CERTIFICATE = "GW-E-listener-without-certificate":
        "an HTTPS listener has no certificate";
    E_MIXED_PROTOCOLS = "GW-E-mixed-protocols":
        "HTTP and HTTPS on one frontend and port";
    E_NO_PATH_MAP = "GW-E-no-path-map":
        "a path-based rule has no path map";
    E_NO_TARGET = "GW-E-no-target":
        "a rule leads to no pool and no redirect";
    E_ON_DEMAND_PROBE = "GW-E-on-demand-probe":
        "the body of a request for a probe on demand cannot be what it is";
    E_PORT_OFFSET = "GW-E-port-offset":
        "a listener's port and the offset exceed 65535";
    E_PROBE_HOST = "GW-E-probe-host":
        "a probe's host is no name and no address";
    E_PROBE_PATH = "GW-E-probe-path":
        "a probe's path cannot stand in a request";
    E_REDIRECT = "GW-E-redirect":
        "a redirect has no target, two targets or a target it cannot have";
    E_REDIRECT_URL = "GW-E-redirect-url":
        "a redirect's target is no absolute URL";
    E_ROUTE = "GW-E-route":
        "a route has no prefix, or leads to nothing";
    E_SECURITY_RULE = "GW-E-security-rule":
        "a security rule is incomplete, or its priority is out of range";
    E_TLS_POLICY = "GW-E-tls-policy":
        "a TLS policy is incomplete, does not fit the SKU or leaves nothing to negotiate";
    E_TRUSTED_ROOT = "GW-E-trusted-root":
        "a trusted root certificate cannot be read";
    E_UNRESOLVED_REFERENCE = "GW-E-unresolved-reference":
        "a reference names nothing in this gateway";
    E_UNSUPPORTED_ADVANCED_ROUTING = "GW-E-unsupported-advanced-routing":
        "an advanced rule, which is not served here";
    E_UNSUPPORTED_CLIENT_CERTIFICATES = "GW-E-unsupported-client-certificates":
        "client certificates, which are not verified here";
    E_UNSUPPORTED_CLIENT_CERTIFICATES_PASSED = "GW-E-unsupported-client-certificates-passed":
        "client certificates, which are not passed on here";
    E_UNSUPPORTED_LAYER4 = "GW-E-unsupported-layer4":
        "TCP/TLS proxying, which is not served here";
    E_UNSUPPORTED_LOAD_DISTRIBUTION = "GW-E-unsupported-load-distribution":
        "a load distribution policy, which is not followed here";
    E_UNSUPPORTED_REWRITE = "GW-E-unsupported-rewrite":
        "a rewrite set, which is not applied here";
    E_UNSUPPORTED_TOKEN_VALIDATION = "GW-E-unsupported-token-validation":
        "access tokens, which are not validated here";
    W_BACKEND_INTERFACES = "GW-W-backend-interfaces":
        "a pool's members are network interfaces, whose addresses are not known here";
    W_CERTIFICATE_CHAIN = "GW-W-certificate-chain":
        "a certificate comes without its issuer's";
    W_CERTIFICATE_EXPIRED = "GW-W-certificate-expired":
        "a listener's certificate has expired";
    W_CERTIFICATE_NAMES = "GW-W-certificate-names":
        "a listener's certificate is not for all of its host names";
    W_CERTIFICATE_NOT_YET_VALID = "GW-W-certificate-not-yet-valid":
        "a listener's certificate is not valid yet";
    W_DEVELOPMENT_CERTIFICATE = "GW-W-development-certificate":
        "a self-made certificate stands in for a listener's";
    W_ERROR_PAGE_NAME = "GW-W-error-page-name":
        "an error page does not end in .htm or .html";
    W_ERROR_PAGE_URL = "GW-W-error-page-url":
        "an error page is no URL, and is not shown";
    W_FAILED = "GW-W-failed":
        "the gateway is in a failed state and does not run: every request is answered with 502";
    W_LISTENER_WITHOUT_KEY = "GW-W-listener-without-key":
        "a listener of a gateway that does not run has no private key, and is left out";
    W_NETWORK_MISSING = "GW-W-network-missing":
        "a reference leads to a network resource that no document has";
    W_NETWORK_TWICE = "GW-W-network-twice":
        "two documents describe one network resource";
    W_NETWORK_VALUE = "GW-W-network-value":
        "a value of a network resource means nothing";
    W_NOT_EVALUATED = "GW-W-not-evaluated":
        "a security rule or a route names addresses that are not known here";
    W_PEERING = "GW-W-peering":
        "a peering of virtual networks is not connected";
    W_STOPPED = "GW-W-stopped":
        "the gateway is stopped: every request is answered with 502";
    W_TLS_SUITES = "GW-W-tls-suites":
        "cipher suites that are not negotiated here";
    W_TLS_VERSIONS = "GW-W-tls-versions":
        "TLS 1.0 or 1.1, which are not served here";
    W_TRUSTED_CERTIFICATE_ABSENT = "GW-W-trusted-certificate-absent":
        "the data of a trusted certificate is not in the document";
    W_TRUSTED_ROOT_EXPIRED = "GW-W-trusted-root-expired":
        "a trusted root certificate has expired";
    W_TRUSTED_ROOT_NOT_A_CA = "GW-W-trusted-root-not-a-ca":
        "a trusted root certificate is no authority's";
    W_UNSUPPORTED_ADVANCED_ROUTING = "GW-W-unsupported-advanced-routing":
        "an advanced rule is ignored, as was asked for";
    W_UNSUPPORTED_CLIENT_CERTIFICATES_PASSED = "GW-W-unsupported-client-certificates-passed":
        "client certificates are not passed on, as was asked for";
    W_UNSUPPORTED_BUFFERING = "GW-W-unsupported-buffering":
        "buffering of requests, which are passed on as they come";
    W_UNSUPPORTED_FIPS = "GW-W-unsupported-fips":
        "FIPS mode, which is not kept here";
    W_UNSUPPORTED_FIREWALL = "GW-W-unsupported-firewall":
        "a firewall, which does not run here";
    W_UNSUPPORTED_HTTP2 = "GW-W-unsupported-http2":
        "HTTP/2, which is not offered here";
    W_UNSUPPORTED_HTTP3 = "GW-W-unsupported-http3":
        "HTTP/3, which is not offered here";
    W_UNSUPPORTED_LAYER4 = "GW-W-unsupported-layer4":
        "TCP/TLS proxying is ignored, as was asked for";
    W_UNSUPPORTED_LOAD_DISTRIBUTION = "GW-W-unsupported-load-distribution":
        "a load distribution policy is ignored, as was asked for";
    W_UNSUPPORTED_PRIVATE_LINK = "GW-W-unsupported-private-link":
        "private link, which does not exist here";
    W_UNSUPPORTED_REWRITE = "GW-W-unsupported-rewrite":
        "a rewrite set is ignored, as was asked for";
}
