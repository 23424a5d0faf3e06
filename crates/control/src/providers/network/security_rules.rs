//! The rules of a security group: what they must be like, and those that every group has.

use std::collections::HashMap;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::AddressTerm;
use serde_json::{Value, json};

use super::own_codes;
use super::virtual_networks::{id_of, items, name_of};
use crate::resources::shape::{Bounds, Form, Shape, defaulted, member, required};

/// Priorities of rules; those behind are the service's own. Documentation of the service.
const PRIORITIES: std::ops::RangeInclusive<i64> = 100..=4096;

/// Longest description, in characters. Documentation of the service.
const DESCRIPTION_CHARACTERS_MAX: usize = 140;

const PROTOCOLS: &[&str] = &["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"];

pub(super) const RULE: Shape = Shape {
    type_last: false,
    head: &[],
    properties: &[
        member("description", Form::Text),
        required("protocol", Form::Word(PROTOCOLS)),
        member("sourcePortRange", Form::Text),
        member("destinationPortRange", Form::Text),
        member("sourceAddressPrefix", Form::Text),
        member("destinationAddressPrefix", Form::Text),
        required("access", Form::Word(&["Allow", "Deny"])),
        required("priority", Form::Integer(i64::MIN, i64::MAX)),
        required("direction", Form::Word(&["Inbound", "Outbound"])),
        defaulted("sourcePortRanges", Form::Texts, "[]"),
        defaulted("destinationPortRanges", Form::Texts, "[]"),
        defaulted("sourceAddressPrefixes", Form::Texts, "[]"),
        defaulted("destinationAddressPrefixes", Form::Texts, "[]"),
        member("sourceApplicationSecurityGroups", Form::Any),
        member("destinationApplicationSecurityGroups", Form::Any),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "SecurityRuleProperties",
        others: &[],
    },
};

/// A rule that every group has: name, description, source, destination, access, priority and
/// direction. Recorded.
type DefaultRule = (
    &'static str,
    &'static str,
    (&'static str, &'static str),
    &'static str,
    u16,
    &'static str,
);

const DEFAULTS: [DefaultRule; 6] = [
    (
        "AllowVnetInBound",
        "Allow inbound traffic from all VMs in VNET",
        ("VirtualNetwork", "VirtualNetwork"),
        "Allow",
        65000,
        "Inbound",
    ),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        ("AzureLoadBalancer", "*"),
        "Allow",
        65001,
        "Inbound",
    ),
    (
        "DenyAllInBound",
        "Deny all inbound traffic",
        ("*", "*"),
        "Deny",
        65500,
        "Inbound",
    ),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        ("VirtualNetwork", "VirtualNetwork"),
        "Allow",
        65000,
        "Outbound",
    ),
    (
        "AllowInternetOutBound",
        "Allow outbound traffic from all VMs to Internet",
        ("*", "Internet"),
        "Allow",
        65001,
        "Outbound",
    ),
    (
        "DenyAllOutBound",
        "Deny all outbound traffic",
        ("*", "*"),
        "Deny",
        65500,
        "Outbound",
    ),
];

/// The rules that every group has.
pub(super) fn defaults(group: &ResourceId) -> Value {
    DEFAULTS
        .iter()
        .map(|rule| default_rule(group, rule))
        .collect()
}

fn default_rule(group: &ResourceId, rule: &DefaultRule) -> Value {
    let (name, description, (source, destination), access, priority, direction) = *rule;
    let id = group.child("defaultSecurityRules", name);
    json!({
        "name": name,
        "id": id.to_string(),
        "etag": "",
        "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "description": description,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": direction,
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    })
}

/// Checks the rules of a group, one by one and against each other.
///
/// # Errors
/// What is wrong with the first one that the service would not take.
pub(super) fn check(group: &Value) -> Result<(), ArmError> {
    let mut seen: HashMap<(&str, i64), &str> = HashMap::new();
    for rule in items(group, "securityRules") {
        check_one(rule)?;
        let place = (text(rule, "direction"), priority(rule));
        let namesake = DEFAULTS
            .iter()
            .find(|(name, ..)| name.eq_ignore_ascii_case(name_of(rule)));
        let other = seen.insert(place, name_of(rule));
        if let Some(other) = other.or(namesake.map(|(name, ..)| *name)) {
            return Err(ArmError::new(
                "SecurityRuleConflict",
                format!(
                    "Security rule {} conflicts with rule {other}. Rules cannot have the same \
                     Priority and Direction. To learn more, see aka.ms/nsgrules.",
                    name_of(rule)
                ),
            ));
        }
    }
    Ok(())
}

fn check_one(rule: &Value) -> Result<(), ArmError> {
    let priority = priority(rule);
    if !PRIORITIES.contains(&priority) {
        let (least, most) = (PRIORITIES.start(), PRIORITIES.end());
        return Err(ArmError::new(
            "SecurityRuleInvalidPriority",
            format!(
                "Security rule {} has invalid Priority. Value provided: {priority}. Allowed range \
                 {least}-{most}.",
                id_of(rule)
            ),
        ));
    }
    let characters = text(rule, "description").chars().count();
    if characters > DESCRIPTION_CHARACTERS_MAX {
        return Err(ArmError::new(
            own_codes::RULE,
            format!(
                "Security rule {} has a description of {characters} characters; the most is \
                 {DESCRIPTION_CHARACTERS_MAX}.",
                id_of(rule)
            ),
        ));
    }
    for side in ["source", "destination"] {
        let ports = texts(
            rule,
            &format!("{side}PortRange"),
            &format!("{side}PortRanges"),
        );
        check_ports(&ports)?;
        let groups = format!("{side}ApplicationSecurityGroups");
        let has_groups = rule
            .get("properties")
            .and_then(|bag| bag.get(&groups))
            .is_some();
        let names = (
            format!("{side}AddressPrefix"),
            format!("{side}AddressPrefixes"),
        );
        let addresses = texts(rule, &names.0, &names.1);
        if !(has_groups && addresses.is_empty()) {
            check_addresses(rule, &addresses)?;
        }
    }
    Ok(())
}

fn check_ports(ports: &[&str]) -> Result<(), ArmError> {
    let bad = match ports {
        [] => Some(""),
        ports => ports.iter().copied().find(|text| !is_port_range(text)),
    };
    let Some(bad) = bad else {
        return Ok(());
    };
    Err(ArmError::new(
        "SecurityRuleInvalidPortRange",
        format!(
            "Security rule has invalid Port range. Value provided: {bad}. Value should be an \
             integer OR integer range with '-' delimiter. Valid range 0-65535."
        ),
    ))
}

/// `*`, a port, or two with a dash between.
fn is_port_range(text: &str) -> bool {
    let port = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    match text.split_once('-') {
        None => text == "*" || port(text).is_some(),
        Some((first, last)) => match (port(first), port(last)) {
            (Some(first), Some(last)) => first <= last,
            _ => false,
        },
    }
}

/// The service takes bare numbers too (recorded).
fn check_addresses(rule: &Value, addresses: &[&str]) -> Result<(), ArmError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_bad = |text: &&str| AddressTerm::parse(text).is_err() && !is_number(text);
    let bad = match addresses {
        [] => Some(""),
        addresses => addresses.iter().copied().find(is_bad),
    };
    let Some(bad) = bad else {
        return Ok(());
    };
    Err(ArmError::new(
        "SecurityRuleInvalidAddressPrefix",
        format!(
            "Security rule {} has invalid Address prefix. Value provided: {bad}",
            id_of(rule)
        ),
    ))
}

fn text<'a>(rule: &'a Value, member: &str) -> &'a str {
    let value = rule
        .get("properties")
        .and_then(|bag| bag.get(member)?.as_str());
    value.unwrap_or_default()
}

fn priority(rule: &Value) -> i64 {
    let value = rule
        .get("properties")
        .and_then(|bag| bag.get("priority")?.as_i64());
    value.unwrap_or_default()
}

/// What stands in the member for one, and in that for several.
pub(super) fn texts<'a>(rule: &'a Value, one: &str, several: &str) -> Vec<&'a str> {
    let list = rule
        .get("properties")
        .and_then(|bag| bag.get(several)?.as_array());
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    let one = Some(text(rule, one)).filter(|text| !text.is_empty());
    one.into_iter().chain(list).collect()
}
