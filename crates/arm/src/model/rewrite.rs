//! Rewrite sets: changes to headers and URLs on their way through.

use super::ValueMatcher;
use super::item::wire_items;
use crate::wire::wire_value_object;

wire_items! {
    "rewriteRuleSets";
    /// A set of rewrite rules (second generation).
    pub struct RewriteRuleSet as "ApplicationGatewayRewriteRuleSet" {
        /// The rules; they run by ascending `rule_sequence`.
        rewrite_rules: Vec<RewriteRule> => "rewriteRules", Always;
    }
    dropped ["requestRoutingRules", "urlPathMaps", "pathRules", "advancedRoutingMaps",
             "advancedRoutingRules"]
}

wire_value_object! {
    /// A rewrite rule: what is done, and when.
    pub struct RewriteRule as "ApplicationGatewayRewriteRule" {
        /// Order in the set, ascending.
        rule_sequence: Option<i32> => "ruleSequence";
        /// All must hold for the actions to run.
        conditions: Vec<RewriteCondition> => "conditions", Always;
        /// Name, unique in the set.
        name: Option<String> => "name";
        /// What is done; required.
        action_set: Option<RewriteActionSet> => "actionSet";
    }
}

wire_value_object! {
    /// A condition of a rewrite rule.
    pub struct RewriteCondition as "ApplicationGatewayRewriteRuleCondition" {
        /// `http_req_…`, `http_resp_…` or `var_…`.
        variable: Option<String> => "variable";
        /// A fixed text or a regular expression, not anchored.
        pattern: Option<String> => "pattern";
        /// Whether letter case is ignored.
        ignore_case: Option<bool> => "ignoreCase";
        /// Whether the condition holds where the pattern does not match.
        negate: Option<bool> => "negate";
    }
}

wire_value_object! {
    /// What a rewrite rule does.
    pub struct RewriteActionSet as "ApplicationGatewayRewriteRuleActionSet" {
        /// Request headers to set or delete.
        request_header_configurations: Vec<HeaderConfiguration> =>
            "requestHeaderConfigurations", Always;
        /// Response headers to set or delete.
        response_header_configurations: Vec<HeaderConfiguration> =>
            "responseHeaderConfigurations", Always;
        /// Changes to path and query.
        url_configuration: Option<UrlConfiguration> => "urlConfiguration";
    }
}

wire_value_object! {
    /// A header to set, or to delete if the value is empty.
    pub struct HeaderConfiguration as "ApplicationGatewayHeaderConfiguration" {
        /// The header's name.
        header_name: Option<String> => "headerName";
        /// The value, with `{var_…}` and `{http_req_…}` filled in.
        header_value: Option<String> => "headerValue";
        /// Which of several headers of this name is meant (`Set-Cookie` only).
        header_value_matcher: Option<ValueMatcher> => "headerValueMatcher";
    }
}

wire_value_object! {
    /// Changes to path and query.
    pub struct UrlConfiguration as "ApplicationGatewayUrlConfiguration" {
        /// The new path; the old one stays if absent.
        modified_path: Option<String> => "modifiedPath";
        /// The new query; the old one stays if absent.
        modified_query_string: Option<String> => "modifiedQueryString";
        /// Whether the path map is tried again on the new path. Default false.
        reroute: Option<bool> => "reroute";
    }
}
