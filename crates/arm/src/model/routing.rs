//! How a request finds its destination: rules, path maps, redirects and advanced routing.

use super::item::wire_items;
use super::{Item, RedirectType, Reference, RoutingConditionType, RuleType};
use crate::wire::wire_value_object;

wire_items! {
    "urlPathMaps";
    /// A path map: path rules in order, the first that matches wins.
    pub struct UrlPathMap as "ApplicationGatewayUrlPathMap" {
        /// Pool for paths that no rule matches.
        default_backend_address_pool: Option<Reference> => "defaultBackendAddressPool";
        /// Backend setting for paths that no rule matches.
        default_backend_http_settings: Option<Reference> => "defaultBackendHttpSettings";
        /// Rewrite set for paths that no rule matches.
        default_rewrite_rule_set: Option<Reference> => "defaultRewriteRuleSet";
        /// Redirect for paths that no rule matches.
        default_redirect_configuration: Option<Reference> => "defaultRedirectConfiguration";
        /// Load distribution policy for paths that no rule matches.
        default_load_distribution_policy: Option<Reference> => "defaultLoadDistributionPolicy";
        /// The path rules, in the order in which they are tried.
        path_rules: Vec<Item<PathRule>> => "pathRules", Always;
    }
    dropped ["requestRoutingRules"]
}

wire_items! {
    "pathRules" in "urlPathMaps";
    /// A rule for some paths.
    pub struct PathRule as "ApplicationGatewayPathRule" {
        /// Patterns: begin with `/`, may end with `*`.
        paths: Vec<String> => "paths", Always;
        /// The pool.
        backend_address_pool: Option<Reference> => "backendAddressPool";
        /// The backend setting.
        backend_http_settings: Option<Reference> => "backendHttpSettings";
        /// The redirect; excludes pool and backend setting.
        redirect_configuration: Option<Reference> => "redirectConfiguration";
        /// The rewrite set.
        rewrite_rule_set: Option<Reference> => "rewriteRuleSet";
        /// The load distribution policy.
        load_distribution_policy: Option<Reference> => "loadDistributionPolicy";
        /// The firewall policy of these paths alone.
        firewall_policy: Option<Reference> => "firewallPolicy";
    }
}

wire_items! {
    "requestRoutingRules";
    /// Ties an HTTP listener to a destination.
    pub struct RequestRoutingRule as "ApplicationGatewayRequestRoutingRule" {
        /// Where the destination is found.
        rule_type: Option<RuleType> => "ruleType";
        /// 1 (first) to 20000 (last), unique; required from api-version 2021-08-01 on.
        priority: Option<i32> => "priority";
        /// The listener.
        http_listener: Option<Reference> => "httpListener";
        /// The pool of a basic rule.
        backend_address_pool: Option<Reference> => "backendAddressPool";
        /// The backend setting of a basic rule.
        backend_http_settings: Option<Reference> => "backendHttpSettings";
        /// The path map of a path-based rule.
        url_path_map: Option<Reference> => "urlPathMap";
        /// The map of an advanced rule.
        advanced_routing_map: Option<Reference> => "advancedRoutingMap";
        /// The rewrite set of a basic rule.
        rewrite_rule_set: Option<Reference> => "rewriteRuleSet";
        /// The redirect; excludes pool and backend setting.
        redirect_configuration: Option<Reference> => "redirectConfiguration";
        /// The load distribution policy.
        load_distribution_policy: Option<Reference> => "loadDistributionPolicy";
        /// Token validation.
        entra_jwt_validation_config: Option<Reference> => "entraJWTValidationConfig";
        /// Authentication policies; at most one.
        auth_configs: Vec<AuthConfig> => "authConfigs";
    }
}

wire_items! {
    "routingRules";
    /// Ties a TCP/TLS listener to a pool.
    pub struct RoutingRule as "ApplicationGatewayRoutingRule" {
        /// Always `Basic`.
        rule_type: Option<RuleType> => "ruleType";
        /// 1 to 20000, unique; required.
        priority: Option<i32> => "priority";
        /// The listener.
        listener: Option<Reference> => "listener";
        /// The pool.
        backend_address_pool: Option<Reference> => "backendAddressPool";
        /// The backend setting.
        backend_settings: Option<Reference> => "backendSettings";
    }
}

wire_items! {
    "redirectConfigurations";
    /// A redirect to a listener or to a URL.
    pub struct RedirectConfiguration as "ApplicationGatewayRedirectConfiguration" {
        /// The status code to answer with.
        redirect_type: Option<RedirectType> => "redirectType";
        /// The listener to go to; excludes `target_url`.
        target_listener: Option<Reference> => "targetListener";
        /// The URL to go to; excludes `target_listener`.
        target_url: Option<String> => "targetUrl";
        /// Whether the request's path is kept.
        include_path: Option<bool> => "includePath";
        /// Whether the request's query is kept.
        include_query_string: Option<bool> => "includeQueryString";
    }
    dropped ["requestRoutingRules", "urlPathMaps", "pathRules", "advancedRoutingMaps",
             "advancedRoutingRules"]
}

wire_items! {
    "advancedRoutingMaps";
    /// A map of advanced rules (api-version 2026-03-01).
    pub struct AdvancedRoutingMap as "ApplicationGatewayAdvancedRoutingMap" {
        /// Pool when no rule matches.
        default_backend_address_pool: Option<Reference> => "defaultBackendAddressPool";
        /// Backend setting when no rule matches.
        default_backend_http_settings: Option<Reference> => "defaultBackendHttpSettings";
        /// Redirect when no rule matches; excludes pool and backend setting.
        default_redirect_configuration: Option<Reference> => "defaultRedirectConfiguration";
        /// Rewrite set when no rule matches.
        default_rewrite_rule_set: Option<Reference> => "defaultRewriteRuleSet";
        /// Authentication policies when no rule matches; at most one.
        default_auth_configs: Vec<AuthConfig> => "defaultAuthConfigs";
        /// The rules; they are tried by ascending priority.
        advanced_routing_rules: Vec<Item<AdvancedRoutingRule>> => "advancedRoutingRules", Always;
    }
    dropped ["requestRoutingRules"]
}

wire_items! {
    "advancedRoutingRules" in "advancedRoutingMaps";
    /// A rule of an advanced map.
    pub struct AdvancedRoutingRule as "ApplicationGatewayAdvancedRoutingRule" {
        /// Order in the map, ascending, unique in the map; required.
        priority: Option<i32> => "priority";
        /// The conditions that must all hold.
        advanced_routing_condition_set: Option<Reference> => "advancedRoutingConditionSet";
        /// The pool.
        backend_address_pool: Option<Reference> => "backendAddressPool";
        /// The backend setting.
        backend_http_settings: Option<Reference> => "backendHttpSettings";
        /// The redirect; excludes pool and backend setting.
        redirect_configuration: Option<Reference> => "redirectConfiguration";
        /// The rewrite set.
        rewrite_rule_set: Option<Reference> => "rewriteRuleSet";
        /// Authentication policies; at most one.
        auth_configs: Vec<AuthConfig> => "authConfigs";
    }
}

wire_items! {
    "advancedRoutingConditionSets";
    /// Conditions on a request, all of which must hold.
    pub struct AdvancedRoutingConditionSet as "ApplicationGatewayAdvancedRoutingConditionSet" {
        /// The conditions.
        routing_conditions: Vec<RoutingCondition> => "routingConditions", Always;
    }
    dropped ["advancedRoutingRules"]
}

wire_value_object! {
    /// A condition on one property of a request.
    pub struct RoutingCondition as "ApplicationGatewayAdvancedRoutingCondition" {
        /// The kind of property; required.
        condition_type: Option<RoutingConditionType> => "conditionType";
        /// Its name; for `Header` and `QueryString` only.
        property_name: Option<String> => "propertyName";
        /// Values, one of which must match; excludes the matcher.
        property_values: Vec<String> => "propertyValues";
        /// A pattern; excludes the values.
        property_value_matcher: Option<ValueMatcher> => "propertyValueMatcher";
    }
}

wire_value_object! {
    /// A pattern that selects values.
    pub struct ValueMatcher as "HeaderValueMatcher" {
        /// A fixed text or a regular expression.
        pattern: Option<String> => "pattern";
        /// Whether letter case is ignored.
        ignore_case: Option<bool> => "ignoreCase";
        /// Whether the values that do *not* match are selected.
        negate: Option<bool> => "negate";
    }
}

wire_value_object! {
    /// Binds an authentication policy.
    pub struct AuthConfig as "ApplicationGatewayAuthConfig" {
        /// Name, unique in the gateway; required.
        name: Option<String> => "name";
        /// The policy; required.
        authentication_policy: Option<Reference> => "authenticationPolicy";
    }
}
