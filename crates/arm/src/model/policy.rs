//! Settings of the gateway as a whole: size, firewall, identity and tokens.

use indexmap::IndexMap;

use super::item::wire_items;
use super::{FirewallMode, IdentityType, SkuFamily, SkuName, SkuTier, UnauthorizedRequestAction};
use crate::wire::wire_value_object;

wire_value_object! {
    /// Edition and size.
    pub struct Sku as "ApplicationGatewaySku" {
        /// The name.
        name: Option<SkuName> => "name";
        /// The tier; must go with the name.
        tier: Option<SkuTier> => "tier";
        /// Assigned by the service.
        family: Option<SkuFamily> => "family";
        /// Instances: 1–32 (first generation), 1–125 (second), 1–2 (Basic).
        capacity: Option<i32> => "capacity";
    }
}

wire_value_object! {
    /// Bounds between which the gateway scales itself.
    pub struct AutoscaleConfiguration as "ApplicationGatewayAutoscaleConfiguration" {
        /// Lower bound in instances, 0–125; required.
        min_capacity: Option<i32> => "minCapacity";
        /// Upper bound in instances, 2–125.
        max_capacity: Option<i32> => "maxCapacity";
    }
}

wire_value_object! {
    /// Switches of the whole gateway.
    pub struct GlobalConfiguration as "ApplicationGatewayGlobalConfiguration" {
        /// Whether request bodies are buffered.
        enable_request_buffering: Option<bool> => "enableRequestBuffering";
        /// Whether response bodies are buffered.
        enable_response_buffering: Option<bool> => "enableResponseBuffering";
        /// Whether the gateway leaves out its own `Server` header.
        disable_default_server_header_in_response: Option<bool> =>
            "disableDefaultServerHeaderInResponse";
    }
}

wire_value_object! {
    /// The firewall's settings where no firewall policy is used.
    pub struct FirewallConfiguration as "ApplicationGatewayWebApplicationFirewallConfiguration" {
        /// Whether the firewall is on; required.
        enabled: Option<bool> => "enabled";
        /// Whether it blocks; required.
        firewall_mode: Option<FirewallMode> => "firewallMode";
        /// `OWASP`; required.
        rule_set_type: Option<String> => "ruleSetType";
        /// Version of the rule set; required.
        rule_set_version: Option<String> => "ruleSetVersion";
        /// Rules that are switched off.
        disabled_rule_groups: Vec<DisabledRuleGroup> => "disabledRuleGroups", Always;
        /// What is left out of the inspection.
        exclusions: Vec<FirewallExclusion> => "exclusions", Always;
        /// Whether bodies are inspected. Default true.
        request_body_check: Option<bool> => "requestBodyCheck";
        /// KiB, 8–128; the older name of the next.
        max_request_body_size: Option<i32> => "maxRequestBodySize";
        /// KiB, 8–128. Default 128.
        max_request_body_size_in_kb: Option<i32> => "maxRequestBodySizeInKb";
        /// MiB, 0 or more. Default 100.
        file_upload_limit_in_mb: Option<i32> => "fileUploadLimitInMb";
    }
}

wire_value_object! {
    /// A group of firewall rules of which some, or all, are switched off.
    pub struct DisabledRuleGroup as "ApplicationGatewayFirewallDisabledRuleGroup" {
        /// Name of the group; required.
        rule_group_name: Option<String> => "ruleGroupName";
        /// The rules; all of the group if empty.
        rules: Vec<i32> => "rules";
    }
}

wire_value_object! {
    /// A part of requests that the firewall does not inspect.
    pub struct FirewallExclusion as "ApplicationGatewayFirewallExclusion" {
        /// The collection, such as `RequestHeaderNames`; required.
        match_variable: Option<String> => "matchVariable";
        /// How members are selected, such as `StartsWith`; required.
        selector_match_operator: Option<String> => "selectorMatchOperator";
        /// What is compared; required.
        selector: Option<String> => "selector";
    }
}

wire_items! {
    "entraJWTValidationConfigs";
    /// Validation of access tokens.
    pub struct EntraJwtValidationConfig as "ApplicationGatewayEntraJWTValidationConfig" {
        /// What happens without a valid token.
        unauthorized_request_action: Option<UnauthorizedRequestAction> =>
            "unAuthorizedRequestAction";
        /// The tenant.
        tenant_id: Option<String> => "tenantId";
        /// The application.
        client_id: Option<String> => "clientId";
        /// Audiences that are accepted, at most 5.
        audiences: Vec<String> => "audiences";
    }
    dropped ["requestRoutingRules"]
}

wire_value_object! {
    /// The identity by which the gateway reads its Key Vault secrets.
    pub struct Identity as "ManagedServiceIdentity" {
        /// The kind.
        kind: Option<IdentityType> => "type";
        /// Principal of a system-assigned identity; read-only.
        principal_id: Option<String> => "principalId";
        /// Tenant of a system-assigned identity; read-only.
        tenant_id: Option<String> => "tenantId";
        /// The user-assigned identities by id; the ids keep the client's casing.
        user_assigned_identities: IndexMap<String, UserAssignedIdentity> =>
            "userAssignedIdentities";
    }
}

wire_value_object! {
    /// A user-assigned identity; both members are read-only.
    pub struct UserAssignedIdentity as "ManagedServiceIdentityUserAssignedIdentities" {
        /// Principal.
        principal_id: Option<String> => "principalId";
        /// Client.
        client_id: Option<String> => "clientId";
    }
}
