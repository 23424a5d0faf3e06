//! The gateway as a whole.

use indexmap::IndexMap;

use super::{
    AdvancedRoutingConditionSet, AdvancedRoutingMap, AuthenticationCertificate,
    AutoscaleConfiguration, BackendAddressPool, BackendHttpSettings, BackendSettings, CustomError,
    EntraJwtValidationConfig, FirewallConfiguration, FrontendIpConfiguration, FrontendPort,
    GatewayChild, GatewayIpConfiguration, GlobalConfiguration, HttpListener, Identity, Item,
    Listener, LoadDistributionPolicy, OperationalState, PrivateEndpointConnection,
    PrivateLinkConfiguration, Probe, ProvisioningState, RedirectConfiguration, Reference,
    RequestRoutingRule, RewriteRuleSet, RoutingRule, Sku, SkuTier, Source, SslCertificate,
    SslPolicy, SslPolicyName, SslProfile, TrustedClientCertificate, TrustedRootCertificate,
    UrlPathMap,
};
use crate::id_parts::IdParts;
use crate::ids::ResourceId;
use crate::wire::wire_object;

/// An application gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplicationGateway {
    /// Name, 1–80 characters; empty if the document has none.
    pub name: String,
    /// The id as the document gives it; a PUT body has none.
    pub id: Option<String>,
    /// The version tag; read-only.
    pub etag: Option<String>,
    /// The resource type as the document gives it.
    pub kind: Option<String>,
    /// The Azure region.
    pub location: Option<String>,
    /// The owner's labels.
    pub tags: Option<IndexMap<String, String>>,
    /// Availability zones, as texts.
    pub zones: Vec<String>,
    /// The identity by which the gateway reads its Key Vault secrets.
    pub identity: Option<Identity>,
    /// All the rest.
    pub properties: Properties,
    /// Where the gateway stands in its document.
    pub source: Source,
}

wire_object! {
    /// The properties of an application gateway, in the service's order.
    pub struct Properties as "ApplicationGateway" {
        /// State of the last write; read-only.
        provisioning_state: Option<ProvisioningState> => "provisioningState";
        /// A GUID for life; read-only.
        resource_guid: Option<String> => "resourceGuid";
        /// Edition and size.
        sku: Option<Sku> => "sku";
        /// Whether the gateway runs; read-only.
        operational_state: Option<OperationalState> => "operationalState";
        /// The gateway's subnet; exactly one.
        gateway_ip_configurations: Vec<Item<GatewayIpConfiguration>> =>
            "gatewayIPConfigurations", Always;
        /// Certificates of listeners.
        ssl_certificates: Vec<Item<SslCertificate>> => "sslCertificates", Always;
        /// Server certificates that are trusted (first generation).
        authentication_certificates: Vec<Item<AuthenticationCertificate>> =>
            "authenticationCertificates", AlwaysV1;
        /// Roots that servers' certificates may lead to (second generation).
        trusted_root_certificates: Vec<Item<TrustedRootCertificate>> =>
            "trustedRootCertificates", AlwaysSinceV2;
        /// Chains that client certificates may lead to.
        trusted_client_certificates: Vec<Item<TrustedClientCertificate>> =>
            "trustedClientCertificates", AlwaysV2;
        /// TLS settings of single listeners.
        ssl_profiles: Vec<Item<SslProfile>> => "sslProfiles", AlwaysV2;
        /// Frontend addresses.
        frontend_ip_configurations: Vec<Item<FrontendIpConfiguration>> =>
            "frontendIPConfigurations", Always;
        /// Frontend ports.
        frontend_ports: Vec<Item<FrontendPort>> => "frontendPorts", Always;
        /// Backend pools.
        backend_address_pools: Vec<Item<BackendAddressPool>> => "backendAddressPools", Always;
        /// Load distribution policies.
        load_distribution_policies: Vec<Item<LoadDistributionPolicy>> =>
            "loadDistributionPolicies", AlwaysV2;
        /// Backend settings for HTTP and HTTPS.
        backend_http_settings_collection: Vec<Item<BackendHttpSettings>> =>
            "backendHttpSettingsCollection", Always;
        /// Backend settings for TCP and TLS.
        backend_settings_collection: Vec<Item<BackendSettings>> =>
            "backendSettingsCollection", AlwaysV2;
        /// Listeners for HTTP and HTTPS.
        http_listeners: Vec<Item<HttpListener>> => "httpListeners", Always;
        /// Listeners for TCP and TLS.
        listeners: Vec<Item<Listener>> => "listeners", AlwaysV2;
        /// Path maps.
        url_path_maps: Vec<Item<UrlPathMap>> => "urlPathMaps", Always;
        /// Maps of advanced rules.
        advanced_routing_maps: Vec<Item<AdvancedRoutingMap>> =>
            "advancedRoutingMaps", AlwaysV2;
        /// Rules for HTTP listeners.
        request_routing_rules: Vec<Item<RequestRoutingRule>> => "requestRoutingRules", Always;
        /// Rules for TCP/TLS listeners.
        routing_rules: Vec<Item<RoutingRule>> => "routingRules", AlwaysV2;
        /// Custom probes.
        probes: Vec<Item<Probe>> => "probes", Always;
        /// Rewrite sets.
        rewrite_rule_sets: Vec<Item<RewriteRuleSet>> => "rewriteRuleSets", Always;
        /// Conditions of advanced rules.
        advanced_routing_condition_sets: Vec<Item<AdvancedRoutingConditionSet>> =>
            "advancedRoutingConditionSets", AlwaysV2;
        /// Redirects.
        redirect_configurations: Vec<Item<RedirectConfiguration>> =>
            "redirectConfigurations", Always;
        /// Private link configurations.
        private_link_configurations: Vec<Item<PrivateLinkConfiguration>> =>
            "privateLinkConfigurations", AlwaysV2;
        /// Private endpoints that asked for access; read-only.
        private_endpoint_connections: Vec<Item<PrivateEndpointConnection>> =>
            "privateEndpointConnections", AlwaysV2;
        /// Token validation.
        entra_jwt_validation_configs: Vec<Item<EntraJwtValidationConfig>> =>
            "entraJWTValidationConfigs", AlwaysV2;
        /// TLS policy of all listeners without a profile of their own.
        ssl_policy: Option<SslPolicy> => "sslPolicy";
        /// The firewall's settings where no firewall policy is used.
        web_application_firewall_configuration: Option<FirewallConfiguration> =>
            "webApplicationFirewallConfiguration";
        /// Whether clients may use HTTP/2.
        enable_http2: Option<bool> => "enableHttp2";
        /// Whether only FIPS 140-2 cryptography is used.
        enable_fips: Option<bool> => "enableFips";
        /// Policy that holds where `ssl_policy` is absent; read-only.
        default_predefined_ssl_policy: Option<SslPolicyName> => "defaultPredefinedSslPolicy";
        /// Bounds between which the gateway scales itself.
        autoscale_configuration: Option<AutoscaleConfiguration> => "autoscaleConfiguration";
        /// Reserved capacity (Basic_v2, Basic_WAF_v2).
        reserved_capacity: Option<i32> => "reservedCapacity";
        /// Switches of the whole gateway.
        global_configuration: Option<GlobalConfiguration> => "globalConfiguration";
        /// Error pages of all listeners.
        custom_error_configurations: Vec<CustomError> => "customErrorConfigurations";
        /// Whether a differing firewall policy may be associated.
        force_firewall_policy_association: Option<bool> => "forceFirewallPolicyAssociation";
        /// The firewall policy.
        firewall_policy: Option<Reference> => "firewallPolicy";
    }
    dropped ["tagsTable"]
}

/// Says which field of [`Properties`] holds the items of each type.
macro_rules! gateway_children {
    ($($type:ident => $field:ident),* $(,)?) => {
        $(impl GatewayChild for $type {
            fn items(properties: &Properties) -> &[Item<Self>] {
                &properties.$field
            }
        })*
    };
}

gateway_children! {
    GatewayIpConfiguration => gateway_ip_configurations,
    SslCertificate => ssl_certificates,
    AuthenticationCertificate => authentication_certificates,
    TrustedRootCertificate => trusted_root_certificates,
    TrustedClientCertificate => trusted_client_certificates,
    SslProfile => ssl_profiles,
    FrontendIpConfiguration => frontend_ip_configurations,
    FrontendPort => frontend_ports,
    BackendAddressPool => backend_address_pools,
    LoadDistributionPolicy => load_distribution_policies,
    BackendHttpSettings => backend_http_settings_collection,
    BackendSettings => backend_settings_collection,
    HttpListener => http_listeners,
    Listener => listeners,
    UrlPathMap => url_path_maps,
    RequestRoutingRule => request_routing_rules,
    RoutingRule => routing_rules,
    AdvancedRoutingMap => advanced_routing_maps,
    AdvancedRoutingConditionSet => advanced_routing_condition_sets,
    Probe => probes,
    RewriteRuleSet => rewrite_rule_sets,
    RedirectConfiguration => redirect_configurations,
    PrivateLinkConfiguration => private_link_configurations,
    PrivateEndpointConnection => private_endpoint_connections,
    EntraJwtValidationConfig => entra_jwt_validation_configs,
}

impl ApplicationGateway {
    /// The gateway's id, if the document gives a well-formed one.
    pub fn resource_id(&self) -> Option<ResourceId> {
        ResourceId::parse(self.id.as_deref()?).ok()
    }

    /// The id's text in canonical casing. A gateway without an id (a PUT body, a file written by
    /// hand) has one without subscription and group: `…/applicationGateways/{name}`.
    pub fn id_text(&self) -> String {
        match (self.resource_id(), &self.id) {
            (Some(id), _) => id.to_string(),
            (None, Some(text)) => text.trim_end_matches('/').to_owned(),
            (None, None) => format!("/providers/{}/{}", super::GATEWAY_TYPE, self.name),
        }
    }

    /// The tier; where only the name is given, the tier that goes with it.
    pub fn tier(&self) -> Option<SkuTier> {
        let sku = self.properties.sku.as_ref()?;
        sku.tier.or_else(|| sku.name.map(|name| name.tier()))
    }

    /// Whether the gateway is of the first generation; one without a tier is not.
    pub fn is_v1(&self) -> bool {
        self.tier().is_some_and(SkuTier::is_v1)
    }

    /// The item that `reference` names. `None` if its collection has no such item, if the id is
    /// malformed, or if it belongs to another gateway (a gateway without an id accepts any).
    pub fn resolve<T: GatewayChild>(&self, reference: &Reference) -> Option<&Item<T>> {
        let id = IdParts::parse(&reference.id).ok()?;
        let name = id.child_of(self.resource_id().as_ref(), T::COLLECTION)?;
        T::items(&self.properties)
            .iter()
            .find(|item| item.is_named(name))
    }
}
