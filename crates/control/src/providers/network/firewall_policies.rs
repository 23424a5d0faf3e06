//! Policies of the web application firewall.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::Value;

use super::own_codes;
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Prepared, Put};
use crate::resources::shape::{
    self, Bounds, Form, Member, Shape, defaulted, insert_before, member, required, server,
};

const POLICIES: &str = "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies";

/// Sizes of request bodies that are looked at, in KiB: from, and to with rule sets before CRS 3.2
/// and since.
const BODY_KIB: (i64, i64, i64) = (8, 128, 2000);

/// Rule sets before CRS 3.2.
const OLDER_RULE_SETS: [(&str, &str); 4] = [
    ("OWASP", "2.2.9"),
    ("OWASP", "3.0"),
    ("OWASP", "3.1"),
    ("OWASP", "2.2"),
];

const POLICY: Shape = Shape {
    type_last: false,
    head: &[member("location", Form::Text), member("tags", Form::Any)],
    properties: &[
        defaulted("customRules", Form::Objects(CUSTOM_RULE), "[]"),
        defaulted("policySettings", Form::Object(SETTINGS), "{}"),
        required("managedRules", Form::Object(MANAGED_RULES)),
        server("applicationGateways"),
        server("httpListeners"),
        server("pathBasedRules"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "WebApplicationFirewallPolicyProperties",
        others: &["applicationGatewayForContainers", "resourceState"],
    },
};

const SWITCH: Form = Form::Word(&["Enabled", "Disabled"]);

const MANY: i64 = i32::MAX as i64;

const SETTINGS: &[Member] = &[
    defaulted("requestBodyCheck", Form::Boolean, "true"),
    defaulted("maxRequestBodySizeInKb", Form::Integer(0, MANY), "128"),
    defaulted("fileUploadLimitInMb", Form::Integer(0, MANY), "100"),
    defaulted("state", SWITCH, "\"Disabled\""),
    defaulted(
        "mode",
        Form::Word(&["Prevention", "Detection"]),
        "\"Detection\"",
    ),
    defaulted("requestBodyInspectLimitInKB", Form::Integer(0, MANY), "128"),
    defaulted("fileUploadEnforcement", Form::Boolean, "true"),
    defaulted("requestBodyEnforcement", Form::Boolean, "true"),
    member("customBlockResponseStatusCode", Form::Integer(0, MANY)),
    member("customBlockResponseBody", Form::Text),
    member("logScrubbing", Form::Object(LOG_SCRUBBING)),
    member("jsChallengeCookieExpirationInMins", Form::Integer(5, 1440)),
    member("captchaCookieExpirationInMins", Form::Integer(5, 1440)),
];

const LOG_SCRUBBING: &[Member] = &[
    defaulted("state", SWITCH, "\"Enabled\""),
    defaulted("scrubbingRules", Form::Objects(SCRUBBING_RULE), "[]"),
];

const SCRUBBING_RULE: &[Member] = &[
    defaulted("state", SWITCH, "\"Enabled\""),
    required("matchVariable", Form::Text),
    required(
        "selectorMatchOperator",
        Form::Word(&["Equals", "EqualsAny"]),
    ),
    member("selector", Form::Text),
];

const CUSTOM_RULE: &[Member] = &[
    member("name", Form::Text),
    required("priority", Form::Integer(1, MANY)),
    member("rateLimitDuration", Form::Word(&["OneMin", "FiveMins"])),
    member("rateLimitThreshold", Form::Integer(1, MANY)),
    required("ruleType", Form::Word(&["MatchRule", "RateLimitRule"])),
    required(
        "action",
        Form::Word(&["Allow", "Block", "Log", "JSChallenge", "CAPTCHA"]),
    ),
    required("matchConditions", Form::Objects(CONDITION)),
    member("groupByUserSession", Form::Any),
    defaulted("skippedManagedRuleSets", Form::Any, "[]"),
    defaulted("state", SWITCH, "\"Enabled\""),
];

const VARIABLES: &[&str] = &[
    "RemoteAddr",
    "RequestMethod",
    "QueryString",
    "PostArgs",
    "RequestUri",
    "RequestHeaders",
    "RequestBody",
    "RequestCookies",
];

const OPERATORS: &[&str] = &[
    "IPMatch",
    "Equal",
    "Contains",
    "LessThan",
    "GreaterThan",
    "LessThanOrEqual",
    "GreaterThanOrEqual",
    "BeginsWith",
    "EndsWith",
    "Regex",
    "GeoMatch",
    "Any",
];

/// The spelling of the third is the contract.
const CONDITION: &[Member] = &[
    required("matchVariables", Form::Objects(VARIABLE)),
    required("operator", Form::Word(OPERATORS)),
    defaulted("negationConditon", Form::Boolean, "false"),
    defaulted("matchValues", Form::Texts, "[]"),
    defaulted("transforms", Form::Texts, "[]"),
];

const VARIABLE: &[Member] = &[
    required("variableName", Form::Word(VARIABLES)),
    member("selector", Form::Text),
];

const MANAGED_RULES: &[Member] = &[
    required("managedRuleSets", Form::Objects(RULE_SET)),
    defaulted("exclusions", Form::Objects(EXCLUSION), "[]"),
];

const RULE_SET: &[Member] = &[
    required("ruleSetType", Form::Text),
    required("ruleSetVersion", Form::Text),
    defaulted("ruleGroupOverrides", Form::Objects(GROUP_OVERRIDE), "[]"),
];

const GROUP_OVERRIDE: &[Member] = &[
    required("ruleGroupName", Form::Text),
    defaulted("rules", Form::Objects(RULE_OVERRIDE), "[]"),
];

const RULE_OVERRIDE: &[Member] = &[
    required("ruleId", Form::Text),
    defaulted("state", SWITCH, "\"Disabled\""),
    member(
        "action",
        Form::Word(&[
            "AnomalyScoring",
            "Allow",
            "Block",
            "Log",
            "JSChallenge",
            "CAPTCHA",
        ]),
    ),
    member(
        "sensitivity",
        Form::Word(&["None", "Low", "Medium", "High"]),
    ),
];

const EXCLUSION: &[Member] = &[
    required("matchVariable", Form::Text),
    required(
        "selectorMatchOperator",
        Form::Word(&["Equals", "Contains", "StartsWith", "EndsWith", "EqualsAny"]),
    ),
    required("selector", Form::Text),
    defaulted("exclusionManagedRuleSets", Form::Any, "[]"),
];

pub(crate) struct FirewallPolicies;

impl Kind for FirewallPolicies {
    fn name(&self) -> &'static str {
        POLICIES
    }

    fn ends_unchanged_writes(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let body = put.shaped(&POLICY)?;
            check(&body)?;
            Ok(Prepared::of(body))
        })
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let id = shown.id.to_string();
        for (name, kind) in USERS {
            let kind = format!("Microsoft.Network/applicationGateways{kind}");
            let users = inventory.users_of_type(&id, &kind);
            if !users.is_empty() {
                let bag = &mut shown.edit()["properties"];
                insert_before(bag, "", name, shape::references(users));
            }
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        _: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let id = &document.id;
        let users = inventory.users(&id.to_string());
        users.first().map(|user| {
            ArmError::new(
                own_codes::IN_USE,
                format!(
                    "Web Application Firewall policy {id} cannot be deleted because it is in use \
                     by {user}. Take it away there first."
                ),
            )
        })
    }
}

/// Who shows up where: members, and what follows in the type of their users.
const USERS: [(&str, &str); 3] = [
    ("applicationGateways", ""),
    ("httpListeners", "/httpListeners"),
    ("pathBasedRules", "/urlPathMaps/pathRules"),
];

fn check(body: &Value) -> Result<(), ArmError> {
    let list = |pointer: &str| body.pointer(pointer).and_then(Value::as_array);
    let sets = list("/properties/managedRules/managedRuleSets").map_or(&[][..], Vec::as_slice);
    let text = |set: &Value, name: &str| {
        let value = set.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    if sets.is_empty() {
        let message = "A Web Application Firewall policy must have a managed rule set.";
        return Err(ArmError::new(own_codes::FIREWALL, message));
    }
    let is_older = sets.iter().any(|set| {
        let (kind, version) = (text(set, "ruleSetType"), text(set, "ruleSetVersion"));
        OLDER_RULE_SETS.contains(&(kind.as_str(), version.as_str()))
    });
    let (least, older_most, newer_most) = BODY_KIB;
    let most = if is_older { older_most } else { newer_most };
    let size = body.pointer("/properties/policySettings/maxRequestBodySizeInKb");
    let size = size.and_then(Value::as_i64).unwrap_or(least);
    if !(least..=most).contains(&size) {
        let message = format!(
            "MaxRequestBodySizeInKb {size} is out of range, it should be within {least} and {most}"
        );
        return Err(ArmError::new(own_codes::FIREWALL, message));
    }
    check_custom_rules(list("/properties/customRules").map_or(&[], Vec::as_slice))
}

/// Names and priorities are each rule's own.
fn check_custom_rules(rules: &[Value]) -> Result<(), ArmError> {
    for (position, rule) in rules.iter().enumerate() {
        let mut others = rules.iter().take(position);
        let same = |other: &Value, member: &str| {
            rule.get(member).is_some() && rule.get(member) == other.get(member)
        };
        if let Some(other) = others.find(|other| same(other, "name") || same(other, "priority")) {
            let shown = |rule: &Value| {
                let name = rule.get("name").and_then(Value::as_str);
                name.unwrap_or("without a name").to_owned()
            };
            return Err(ArmError::new(
                own_codes::FIREWALL,
                format!(
                    "Custom rule {} conflicts with custom rule {}. Rules cannot have the same \
                     name or priority.",
                    shown(rule),
                    shown(other)
                ),
            ));
        }
    }
    Ok(())
}
