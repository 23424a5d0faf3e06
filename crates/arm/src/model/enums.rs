//! The closed enumerations of the API, each with its canonical spellings.
//!
//! Source: Azure REST API 2026-03-01. A value outside its list is refused by the service
//! (`InvalidJsonResourceType`), so there is no catch-all variant.

use crate::wire::wire_enum;

wire_enum! {
    /// The SKU's name: size on the first generation, edition on the second.
    pub enum SkuName {
        StandardSmall = "Standard_Small",
        StandardMedium = "Standard_Medium",
        StandardLarge = "Standard_Large",
        WafMedium = "WAF_Medium",
        WafLarge = "WAF_Large",
        StandardV2 = "Standard_v2",
        WafV2 = "WAF_v2",
        Basic = "Basic",
        BasicV2 = "Basic_v2",
        BasicWafV2 = "Basic_WAF_v2",
    }
}

wire_enum! {
    /// The SKU's tier, which decides on features and limits.
    pub enum SkuTier {
        Standard = "Standard",
        Waf = "WAF",
        StandardV2 = "Standard_v2",
        WafV2 = "WAF_v2",
        Basic = "Basic",
        BasicV2 = "Basic_v2",
        BasicWafV2 = "Basic_WAF_v2",
    }
}

impl SkuTier {
    /// Whether the tier belongs to the first generation (retired on 28 April 2026).
    pub fn is_v1(self) -> bool {
        matches!(self, Self::Standard | Self::Waf)
    }

    /// Whether the tier has a web application firewall.
    pub fn has_waf(self) -> bool {
        matches!(self, Self::Waf | Self::WafV2 | Self::BasicWafV2)
    }

    /// Whether the tier is one of the small editions (Basic, Basic_v2, Basic_WAF_v2).
    pub fn is_basic(self) -> bool {
        matches!(self, Self::Basic | Self::BasicV2 | Self::BasicWafV2)
    }
}

impl SkuName {
    /// The only tier that goes with this name.
    pub fn tier(self) -> SkuTier {
        match self {
            Self::StandardSmall | Self::StandardMedium | Self::StandardLarge => SkuTier::Standard,
            Self::WafMedium | Self::WafLarge => SkuTier::Waf,
            Self::StandardV2 => SkuTier::StandardV2,
            Self::WafV2 => SkuTier::WafV2,
            Self::Basic => SkuTier::Basic,
            Self::BasicV2 => SkuTier::BasicV2,
            Self::BasicWafV2 => SkuTier::BasicWafV2,
        }
    }
}

wire_enum! {
    /// The hardware family, assigned by the service.
    pub enum SkuFamily { Generation1 = "Generation_1", Generation2 = "Generation_2" }
}

wire_enum! {
    /// The state of the last write to a resource; read-only.
    pub enum ProvisioningState {
        Failed = "Failed",
        Succeeded = "Succeeded",
        Canceled = "Canceled",
        Creating = "Creating",
        Updating = "Updating",
        Deleting = "Deleting",
    }
}

wire_enum! {
    /// Whether the gateway runs; read-only, changed by the start and stop operations.
    pub enum OperationalState {
        Stopped = "Stopped",
        Starting = "Starting",
        Running = "Running",
        Stopping = "Stopping",
    }
}

wire_enum! {
    /// The protocol of a listener, a probe or a backend setting.
    pub enum Protocol { Http = "Http", Https = "Https", Tcp = "Tcp", Tls = "Tls" }
}

impl Protocol {
    /// Whether the protocol is Http or Https.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether the protocol runs over TLS.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

wire_enum! {
    /// How a private address is allocated.
    pub enum IpAllocationMethod { Static = "Static", Dynamic = "Dynamic" }
}

wire_enum! {
    /// Whether a feature of a backend setting is on.
    pub enum CookieBasedAffinity { Enabled = "Enabled", Disabled = "Disabled" }
}

wire_enum! {
    /// Where a request routing rule finds its destination.
    pub enum RuleType {
        Basic = "Basic",
        PathBasedRouting = "PathBasedRouting",
        AdvancedRouting = "AdvancedRouting",
    }
}

wire_enum! {
    /// The status of a redirect: 301, 302, 303 and 307, in this order.
    pub enum RedirectType {
        Permanent = "Permanent",
        Found = "Found",
        SeeOther = "SeeOther",
        Temporary = "Temporary",
    }
}

impl RedirectType {
    /// The HTTP status code of the redirect.
    pub fn status(self) -> u16 {
        match self {
            Self::Permanent => 301,
            Self::Found => 302,
            Self::SeeOther => 303,
            Self::Temporary => 307,
        }
    }
}

wire_enum! {
    /// The kind of a TLS policy. `CustomV2` reaches TLS 1.3 (second generation only).
    pub enum SslPolicyType {
        Predefined = "Predefined",
        Custom = "Custom",
        CustomV2 = "CustomV2",
    }
}

wire_enum! {
    /// The predefined TLS policies, named by their dates.
    pub enum SslPolicyName {
        AppGwSslPolicy20150501 = "AppGwSslPolicy20150501",
        AppGwSslPolicy20170401 = "AppGwSslPolicy20170401",
        AppGwSslPolicy20170401S = "AppGwSslPolicy20170401S",
        AppGwSslPolicy20220101 = "AppGwSslPolicy20220101",
        AppGwSslPolicy20220101S = "AppGwSslPolicy20220101S",
    }
}

wire_enum! {
    /// A TLS version; the order of the variants is the order of the versions.
    pub enum SslProtocol {
        TlsV1_0 = "TLSv1_0",
        TlsV1_1 = "TLSv1_1",
        TlsV1_2 = "TLSv1_2",
        TlsV1_3 = "TLSv1_3",
    }
}

wire_enum! {
    /// The cipher suites that a custom TLS policy may name. The TLS 1.3 suites are not selectable.
    #[allow(non_camel_case_types)]
    pub enum CipherSuite {
        EcdheRsaAes256CbcSha384 = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        EcdheRsaAes128CbcSha256 = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        EcdheRsaAes256CbcSha = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        EcdheRsaAes128CbcSha = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        DheRsaAes256GcmSha384 = "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        DheRsaAes128GcmSha256 = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        DheRsaAes256CbcSha = "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
        DheRsaAes128CbcSha = "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        RsaAes256GcmSha384 = "TLS_RSA_WITH_AES_256_GCM_SHA384",
        RsaAes128GcmSha256 = "TLS_RSA_WITH_AES_128_GCM_SHA256",
        RsaAes256CbcSha256 = "TLS_RSA_WITH_AES_256_CBC_SHA256",
        RsaAes128CbcSha256 = "TLS_RSA_WITH_AES_128_CBC_SHA256",
        RsaAes256CbcSha = "TLS_RSA_WITH_AES_256_CBC_SHA",
        RsaAes128CbcSha = "TLS_RSA_WITH_AES_128_CBC_SHA",
        EcdheEcdsaAes256GcmSha384 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        EcdheEcdsaAes128GcmSha256 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        EcdheEcdsaAes256CbcSha384 = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        EcdheEcdsaAes128CbcSha256 = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        EcdheEcdsaAes256CbcSha = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        EcdheEcdsaAes128CbcSha = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        DheDssAes256CbcSha256 = "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256",
        DheDssAes128CbcSha256 = "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256",
        DheDssAes256CbcSha = "TLS_DHE_DSS_WITH_AES_256_CBC_SHA",
        DheDssAes128CbcSha = "TLS_DHE_DSS_WITH_AES_128_CBC_SHA",
        Rsa3DesEdeCbcSha = "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        DheDss3DesEdeCbcSha = "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA",
        EcdheRsaAes128GcmSha256 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        EcdheRsaAes256GcmSha384 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    }
}

wire_enum! {
    /// How a client certificate's revocation is checked.
    pub enum ClientRevocation { None = "None", Ocsp = "OCSP" }
}

wire_enum! {
    /// Whether a bad client certificate ends the request or is only reported to the backend.
    pub enum ClientAuthMode { Strict = "Strict", Passthrough = "Passthrough" }
}

wire_enum! {
    /// The status codes for which the gateway can show a page of the owner's.
    pub enum CustomErrorStatus {
        HttpStatus400 = "HttpStatus400",
        HttpStatus403 = "HttpStatus403",
        HttpStatus404 = "HttpStatus404",
        HttpStatus405 = "HttpStatus405",
        HttpStatus408 = "HttpStatus408",
        HttpStatus499 = "HttpStatus499",
        HttpStatus500 = "HttpStatus500",
        HttpStatus502 = "HttpStatus502",
        HttpStatus503 = "HttpStatus503",
        HttpStatus504 = "HttpStatus504",
    }
}

impl CustomErrorStatus {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        match self {
            Self::HttpStatus400 => 400,
            Self::HttpStatus403 => 403,
            Self::HttpStatus404 => 404,
            Self::HttpStatus405 => 405,
            Self::HttpStatus408 => 408,
            Self::HttpStatus499 => 499,
            Self::HttpStatus500 => 500,
            Self::HttpStatus502 => 502,
            Self::HttpStatus503 => 503,
            Self::HttpStatus504 => 504,
        }
    }
}

wire_enum! {
    /// Whether the firewall only logs or also blocks.
    pub enum FirewallMode { Detection = "Detection", Prevention = "Prevention" }
}

wire_enum! {
    /// How a load distribution policy picks a pool.
    pub enum LoadDistributionAlgorithm {
        RoundRobin = "RoundRobin",
        LeastConnections = "LeastConnections",
        IpHash = "IpHash",
    }
}

wire_enum! {
    /// What happens to a request without a valid token.
    pub enum UnauthorizedRequestAction { Deny = "Deny", Allow = "Allow" }
}

wire_enum! {
    /// The request property that an advanced routing condition looks at.
    pub enum RoutingConditionType {
        Header = "Header",
        QueryString = "QueryString",
        Path = "Path",
        ClientIp = "ClientIP",
        Method = "Method",
    }
}

wire_enum! {
    /// The kind of a managed identity. The service echoes `userAssigned` with a small `u`
    /// (recorded from the service), and so do we.
    pub enum IdentityType {
        SystemAssigned = "SystemAssigned",
        UserAssigned = "userAssigned",
        SystemAndUserAssigned = "SystemAssigned, UserAssigned",
        None = "None",
    }
}
