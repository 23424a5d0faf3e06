//! The codes of findings that the service has no code for, or whose code was never captured.
//!
//! `GW-E-…`: the service refuses the document, under a code that we do not know.
//! `GW-W-…`: legal, but useless or not what was meant.

/// Declares the codes, and the one table that documents them.
macro_rules! own_codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(pub(crate) const $name: &str = $code;)*

        /// Every code of our own with its meaning. All other codes are the service's.
        pub const OWN_CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

own_codes! {
    E_ADVANCED_ROUTING = "GW-E-advanced-routing":
        "an advanced routing map or condition is incomplete";
    E_AUTOSCALE_BOUNDS = "GW-E-autoscale-bounds":
        "bounds of autoscaling are missing or out of range";
    E_BACKEND_ADDRESS = "GW-E-backend-address":
        "a server of a pool is neither a name nor an address";
    E_BACKEND_SETTING = "GW-E-backend-setting":
        "a backend setting's value is missing or out of range";
    E_CAPACITY_RANGE = "GW-E-capacity-range":
        "the capacity is out of the SKU's range";
    E_CERTIFICATE_DATA = "GW-E-certificate-data":
        "a certificate has no data";
    E_CUSTOM_ERROR = "GW-E-custom-error":
        "a custom error page lacks its status or its URL";
    E_FIREWALL = "GW-E-firewall":
        "a firewall setting is missing or out of range";
    E_FRONTEND_IP = "GW-E-frontend-ip":
        "a frontend address contradicts its allocation";
    E_GATEWAY_SUBNET = "GW-E-gateway-subnet":
        "the gateway has no subnet";
    E_HOST_NAME = "GW-E-host-name":
        "a listener's host names break their rules";
    E_JWT = "GW-E-jwt-validation":
        "a token validation is incomplete";
    E_L4_NOT_ON_BASIC = "GW-E-l4-on-basic":
        "TCP/TLS proxying on a Basic SKU";
    E_LISTENER_PROTOCOL = "GW-E-listener-protocol":
        "a listener's protocol is missing or clashes";
    E_LOAD_DISTRIBUTION = "GW-E-load-distribution":
        "a load distribution policy is incomplete";
    E_PATH_MAP_DEFAULT = "GW-E-path-map-default":
        "a path map has no destination for other paths";
    E_PATH_PATTERN = "GW-E-path-pattern":
        "a path pattern breaks its syntax";
    E_PATH_RULE = "GW-E-path-rule":
        "a path rule has no path or no destination";
    E_PATH_RULE_REDIRECT = "GW-E-path-rule-redirect":
        "a path rule has a redirect and a pool";
    E_PRIORITY = "GW-E-priority":
        "a rule's priority is missing, shared or out of range";
    E_PROBE = "GW-E-probe":
        "a probe's value is missing or out of range";
    E_REDIRECT = "GW-E-redirect":
        "a redirect has no target, two targets or a target it cannot have";
    E_REDIRECT_LOOP = "GW-E-redirect-loop":
        "a rule redirects to its own listener";
    E_RESERVED_CAPACITY = "GW-E-reserved-capacity":
        "reserved capacity on a SKU without it";
    E_REWRITE = "GW-E-rewrite":
        "a rewrite rule breaks its rules";
    E_RULE_DESTINATION = "GW-E-rule-destination":
        "a rule has two destinations that exclude another";
    E_TLS_POLICY = "GW-E-tls-policy":
        "a TLS policy is incomplete, does not fit the SKU or leaves nothing to negotiate";
    E_TRUSTED_ROOT_ON_HTTP = "GW-E-trusted-root-on-http":
        "trusted certificates on a plain setting";
    E_ZONES = "GW-E-zones":
        "zones differ from those the gateway was made with";
    W_CAPACITY_IGNORED = "GW-W-capacity-ignored":
        "a fixed capacity beside autoscaling";
    W_CERTIFICATE_ON_PLAIN = "GW-W-certificate-on-plain-listener":
        "a certificate that is not used";
    W_DUPLICATE_MEMBER = "GW-W-duplicate-member":
        "a member is given twice in differing letter case";
    W_DUPLICATE_PORT = "GW-W-duplicate-frontend-port":
        "two frontend ports with one number";
    W_EMPTY_PATH_MAP = "GW-W-empty-path-map":
        "a path map without path rules";
    W_EMPTY_POOL = "GW-W-empty-pool":
        "requests are sent to a pool without servers";
    W_ENCODED_PATH = "GW-W-encoded-path":
        "a path pattern is percent-encoded, and never matches what it seems to";
    W_HIDDEN_LISTENER = "GW-W-hidden-listener":
        "an earlier listener takes all of its requests";
    W_IDLE_LISTENER = "GW-W-listener-without-rule":
        "connections to a listener time out";
    W_IPV6_BACKEND = "GW-W-ipv6-backend":
        "a server has an IPv6 address, which the service does not reach";
    W_NO_FIREWALL = "GW-W-no-firewall":
        "a WAF SKU without a firewall";
    W_NO_IDENTITY = "GW-W-key-vault-without-identity":
        "Key Vault secrets, but no identity";
    W_NO_PRIORITY = "GW-W-priority-missing":
        "an old gateway whose rules have no priorities";
    W_PRIORITY_SHARED = "GW-W-priority-shared":
        "HTTP and TCP/TLS rules with one priority";
    W_PROBE_HOST_IGNORED = "GW-W-probe-host-ignored":
        "a probe's host that is not used";
    W_PROBE_PROTOCOL = "GW-W-probe-protocol":
        "a probe's protocol is not its setting's";
    W_PROBE_TIMEOUT = "GW-W-probe-timeout":
        "a probe's timeout exceeds its interval";
    W_REDIRECT_LOOP = "GW-W-redirect-loop":
        "redirects that lead back to their listener";
    W_RETIRED_SKU = "GW-W-retired-sku":
        "the first generation was retired on 28 April 2026";
    W_TLS_DEPRECATED = "GW-W-tls-deprecated":
        "TLS 1.0 or 1.1 on a gateway that runs already";
    W_UNREACHABLE_PATH = "GW-W-unreachable-path":
        "a path pattern that can never match";
    W_UNUSED = "GW-W-unused":
        "an item that nothing uses";
    W_UNUSED_PROBE = "GW-W-unused-probe":
        "a custom probe that no backend setting uses";
}

#[cfg(test)]
mod tests {
    use super::OWN_CODES;

    #[test]
    fn codes_are_distinct_and_in_one_style() {
        for (i, (code, _)) in OWN_CODES.iter().enumerate() {
            let stem = code
                .strip_prefix("GW-E-")
                .or_else(|| code.strip_prefix("GW-W-"));
            let stem = stem.unwrap_or_else(|| panic!("{code}"));
            assert!(
                stem.bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
            );
            assert!(
                OWN_CODES.iter().skip(i + 1).all(|(other, _)| other != code),
                "{code}"
            );
        }
    }
}
