//! Security groups and their rules.

use std::collections::{BTreeMap, HashMap};

use gatewright_arm::model::ForeignResource;
use gatewright_arm::model::network::{
    NetworkSecurityGroup, SecurityRule, SecurityRuleAccess, SecurityRuleDirection,
    SecurityRuleProtocol, Text, Texts,
};
use gatewright_arm::{Item, NetworkResources};
use gatewright_snapshot::SecurityGroupIndex;
use gatewright_snapshot::network::{
    Access, AddressTerm, Addresses, Direction, NetworkPolicyBuilder, PortSet, Protocol, Rule,
    SecurityGroup,
};

use super::Desk;
use super::directory::{Directory, enter, key_of, parent_of};
use crate::codes;
use crate::findings::{Findings, quote};

/// Priorities of the user's rules (documentation of the service).
const PRIORITIES: std::ops::RangeInclusive<i32> = 100..=4096;

/// A rule that stands by itself, with the document that has it.
type Alone<'a> = (usize, String, &'a Item<SecurityRule>);

/// Adds a row for every security group.
pub(crate) fn compile(
    documents: &[NetworkResources],
    directory: &mut Directory,
    builder: &mut NetworkPolicyBuilder,
    desk: &mut Desk,
) {
    let mut alone = standing_alone(documents, desk);
    let mut count = 0;
    for (position, document) in documents.iter().enumerate() {
        for item in &document.security_groups {
            let key = key_of(item);
            let index = SecurityGroupIndex::new(count);
            let findings = desk.of(position);
            if enter(
                &mut directory.groups,
                key.clone(),
                index,
                item.pointer(),
                findings,
            ) {
                let more = alone.remove(&key).unwrap_or_default();
                builder.add_group(group(position, item, &more, desk));
                count += 1;
            }
        }
    }
    for (position, _, item) in alone.into_values().flatten() {
        let message = format!(
            "No document has the security group of the rule {}, which is left out.",
            quote(&item.name)
        );
        let findings = desk.of(position);
        findings.warning(codes::W_NETWORK_MISSING, item.pointer(), message, "");
    }
}

/// The rules that stand by themselves, by the key of their group.
fn standing_alone<'a>(
    documents: &'a [NetworkResources],
    desk: &mut Desk,
) -> BTreeMap<String, Vec<Alone<'a>>> {
    let mut alone: BTreeMap<String, Vec<Alone<'a>>> = BTreeMap::new();
    for (position, document) in documents.iter().enumerate() {
        for item in &document.security_rules {
            match parent_of(item) {
                Some((group, name)) => {
                    let rules = alone.entry(group).or_default();
                    rules.push((position, name, item));
                }
                None => desk.of(position).warning(
                    codes::W_NETWORK_MISSING,
                    item.pointer(),
                    format!("The rule {} names no security group.", quote(&item.name)),
                    "Give it an id, or the name of its group before its own: group/rule.",
                ),
            }
        }
    }
    alone
}

fn group(
    position: usize,
    item: &Item<NetworkSecurityGroup>,
    alone: &[Alone<'_>],
    desk: &mut Desk,
) -> SecurityGroup {
    let findings = desk.of(position);
    let mut rules = Vec::new();
    for one in &item.properties.security_rules {
        rules.extend(rule(one, &one.name, false, findings).map(|rule| (position, one, rule)));
    }
    for one in &item.properties.default_security_rules {
        rules.extend(rule(one, &one.name, true, findings).map(|rule| (position, one, rule)));
    }
    for (position, name, one) in alone {
        // Exports of templates give each rule twice.
        let is_there = item
            .properties
            .security_rules
            .iter()
            .any(|known| known.is_named(name));
        if !is_there {
            let read = rule(one, name, false, desk.of(*position));
            rules.extend(read.map(|rule| (*position, *one, rule)));
        }
    }
    refuse_conflicts(&rules, desk);
    let rules = rules.into_iter().map(|(_, _, rule)| rule).collect();
    let id = item.id.clone().unwrap_or_default();
    SecurityGroup::new(item.name.clone(), id, rules)
}

/// No two rules of one direction may have one priority: nobody could say which is asked first.
fn refuse_conflicts(rules: &[(usize, &Item<SecurityRule>, Rule)], desk: &mut Desk) {
    let mut seen: HashMap<(bool, u32), &str> = HashMap::with_capacity(rules.len());
    for (position, item, rule) in rules {
        let place = (rule.direction == Direction::Inbound, rule.priority);
        if let Some(other) = seen.insert(place, &rule.name) {
            let message = format!(
                "Security rule {} conflicts with rule {}. Rules cannot have the same Priority and \
                 Direction. To learn more, see aka.ms/nsgrules.",
                quote(&rule.name).trim_matches('\''),
                quote(other).trim_matches('\''),
            );
            let pointer = item.pointer_to("priority");
            desk.of(*position)
                .error("SecurityRuleConflict", pointer, message, "");
        }
    }
}

/// The rule; `None` after an error.
fn rule(
    item: &Item<SecurityRule>,
    name: &str,
    is_default: bool,
    findings: &mut Findings,
) -> Option<Rule> {
    let mut reader = RuleReader {
        item,
        name: quote(name),
        findings,
    };
    let properties = &item.properties;
    let priority = reader.priority(is_default);
    let direction = reader.required("direction", properties.direction);
    let access = reader.required("access", properties.access);
    let protocol = reader.required("protocol", properties.protocol);
    let source = reader.addresses(
        "source",
        [
            &properties.source_address_prefix,
            &properties.source_address_prefixes,
        ],
        &properties.source_application_security_groups,
    );
    let destination = reader.addresses(
        "destination",
        [
            &properties.destination_address_prefix,
            &properties.destination_address_prefixes,
        ],
        &properties.destination_application_security_groups,
    );
    let source_ports = reader.ports(
        "source",
        [
            &properties.source_port_range,
            &properties.source_port_ranges,
        ],
    );
    let destination_ports = reader.ports(
        "destination",
        [
            &properties.destination_port_range,
            &properties.destination_port_ranges,
        ],
    );
    let rule = Rule {
        name: name.to_owned(),
        priority: priority?,
        direction: match direction? {
            SecurityRuleDirection::Inbound => Direction::Inbound,
            _ => Direction::Outbound,
        },
        access: match access? {
            SecurityRuleAccess::Allow => Access::Allow,
            _ => Access::Deny,
        },
        protocol: protocol_of(protocol?),
        source: source?,
        source_ports: source_ports?,
        destination: destination?,
        destination_ports: destination_ports?,
        is_default,
    };
    warn_of_unknown(item, &rule, findings);
    Some(rule)
}

fn protocol_of(protocol: SecurityRuleProtocol) -> Option<Protocol> {
    match protocol {
        SecurityRuleProtocol::Tcp => Some(Protocol::Tcp),
        SecurityRuleProtocol::Udp => Some(Protocol::Udp),
        SecurityRuleProtocol::Icmp => Some(Protocol::Icmp),
        SecurityRuleProtocol::Esp => Some(Protocol::Esp),
        SecurityRuleProtocol::Ah => Some(Protocol::Ah),
        _ => None,
    }
}

/// Once per rule. The tag of the platform's managers says nothing about flows to servers.
fn warn_of_unknown(item: &Item<SecurityRule>, rule: &Rule, findings: &mut Findings) {
    let what = rule.unknown_terms().find_map(|term| match term {
        AddressTerm::ServiceTag(tag) => Some(format!("the service tag {}", quote(tag))),
        AddressTerm::ApplicationSecurityGroup(id) => {
            Some(format!("the application security group {}", quote(id)))
        }
        _ => None,
    });
    if let Some(what) = what {
        let message = format!(
            "The security rule {} names {what}, whose addresses are not known here: where it alone \
             decides whether the rule matches, the rule is skipped.",
            quote(&rule.name)
        );
        findings.warning(codes::W_NOT_EVALUATED, item.pointer(), message, "");
    }
}

/// Reads one rule, and reports what is wrong with it.
struct RuleReader<'a> {
    item: &'a Item<SecurityRule>,
    /// In quotes.
    name: String,
    findings: &'a mut Findings,
}

impl RuleReader<'_> {
    fn incomplete(&mut self, member: &str, what: &str, help: &str) {
        let message = format!("The security rule {} {what}.", self.name);
        let pointer = self.item.pointer_to(member);
        self.findings
            .error(codes::E_SECURITY_RULE, pointer, message, help);
    }

    fn required<T>(&mut self, member: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.incomplete(member, &format!("has no {member}"), "");
        }
        value
    }

    fn priority(&mut self, is_default: bool) -> Option<u32> {
        let priority = self.required("priority", self.item.properties.priority)?;
        if is_default && priority > *PRIORITIES.end() || PRIORITIES.contains(&priority) {
            return u32::try_from(priority).ok();
        }
        let what = format!("has the priority {priority}");
        let help = "Priorities are from 100 to 4096, the lowest being asked first.";
        self.incomplete("priority", &what, help);
        None
    }

    fn addresses(
        &mut self,
        side: &str,
        prefixes: [&Texts; 2],
        groups: &[ForeignResource],
    ) -> Option<Addresses> {
        let mut terms = Vec::new();
        let mut is_whole = true;
        for text in prefixes.into_iter().flat_map(|texts| &texts.0) {
            match AddressTerm::parse(&text.value) {
                Ok(term) => terms.push(term),
                // The service takes a bare number, whatever it makes of it (recorded).
                Err(_) if is_number(&text.value) => {
                    self.meaningless(text);
                    terms.push(AddressTerm::ServiceTag(text.value.clone()));
                }
                Err(_) => {
                    self.bad_prefix(text);
                    is_whole = false;
                }
            }
        }
        let ids = groups
            .iter()
            .map(|group| group.id.clone().unwrap_or_default());
        terms.extend(ids.map(AddressTerm::ApplicationSecurityGroup));
        if terms.is_empty() && is_whole {
            let member = format!("{side}AddressPrefix");
            self.incomplete(&member, &format!("has no {side} addresses"), "");
            return None;
        }
        is_whole.then(|| terms.into_iter().collect())
    }

    fn meaningless(&mut self, text: &Text) {
        let message = format!(
            "{} in the security rule {} is no address prefix and no service tag.",
            quote(&text.value),
            self.name
        );
        self.findings
            .warning(codes::W_NETWORK_VALUE, &*text.pointer, message, "");
    }

    fn bad_prefix(&mut self, text: &Text) {
        let message = format!(
            "Security rule has invalid Address prefix. Value provided: {}",
            quote(&text.value).trim_matches('\'')
        );
        let help = "Give an address, a prefix without host bits, a service tag or *. Expressions \
                    of templates are not evaluated.";
        self.findings.error(
            "SecurityRuleInvalidAddressPrefix",
            &*text.pointer,
            message,
            help,
        );
    }

    fn ports(&mut self, side: &str, ranges: [&Texts; 2]) -> Option<PortSet> {
        let texts: Vec<&Text> = ranges.into_iter().flat_map(|texts| &texts.0).collect();
        if texts.is_empty() {
            let member = format!("{side}PortRange");
            self.incomplete(&member, &format!("has no {side} ports"), "");
            return None;
        }
        let mut read = Vec::with_capacity(texts.len());
        for text in &texts {
            match port_range(&text.value) {
                Some(range) => read.push(range),
                None => {
                    let message = format!(
                        "Security rule has invalid Port range. Value provided: {}. Value should be \
                         an integer OR integer range with '-' delimiter. Valid range 0-65535.",
                        quote(&text.value).trim_matches('\'')
                    );
                    let code = "SecurityRuleInvalidPortRange";
                    self.findings.error(code, &*text.pointer, message, "");
                }
            }
        }
        (read.len() == texts.len()).then(|| PortSet::new(read))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `*`, `80` or `8000-8999`.
fn port_range(text: &str) -> Option<(u16, u16)> {
    if text == "*" {
        return Some((0, u16::MAX));
    }
    let port = |text: &str| {
        let text = text.trim();
        is_number(text).then(|| text.parse::<u16>().ok()).flatten()
    };
    let (low, high) = match text.split_once('-') {
        Some((low, high)) => (port(low)?, port(high)?),
        None => (port(text)?, port(text)?),
    };
    (low <= high).then_some((low, high))
}
