//! Access restrictions of a site: who is let in to it.

use std::net::IpAddr;

use gatewright_arm::ArmError;
use serde_json::{Map, Value, json};

use crate::resources::edit::member;

/// The priority of the rule that every list ends with; no other rule can have it.
pub(super) const LAST_PRIORITY: i64 = 2_147_483_647;

/// Most rules of a list, as in the service.
const RULES_MAX: usize = 512;

/// Most blocks of addresses of one rule, as in the service.
const BLOCKS_MAX: usize = 8;

/// Headers that a rule may ask for, in lower case. Source: the service's documentation.
const HEADERS: [&str; 4] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-azure-fdid",
    "x-fd-healthprobe",
];

/// The rules of a list as they are stored: without the one at its end.
///
/// # Errors
/// When one is none.
pub(super) fn normalized(list: &Value) -> Result<Value, ArmError> {
    let rules = list
        .as_array()
        .ok_or_else(|| invalid("a list of rules is expected"))?;
    if rules.len() > RULES_MAX {
        return Err(invalid(&format!("there are more than {RULES_MAX} rules")));
    }
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    Ok(rules.into_iter().flatten().collect())
}

fn invalid(why: &str) -> ArmError {
    let message = format!("The access restrictions are invalid: {why}.");
    ArmError::front_door("BadRequest", message)
}

/// `None` for the last rule, which the server writes itself.
fn rule(given: &Value) -> Result<Option<Value>, ArmError> {
    let text = |name| {
        member(given, name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let name = text("name").unwrap_or_default();
    let priority = match member(given, "priority") {
        // az sends it as a text.
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_i64(),
        None => Some(i64::from(u16::MAX)),
    };
    let priority = priority.filter(|number| (1..=LAST_PRIORITY).contains(number));
    let priority = priority.ok_or_else(|| {
        invalid(&format!(
            "the priority of the rule '{name}' is no number from 1 on"
        ))
    })?;
    if priority == LAST_PRIORITY {
        return Ok(None);
    }
    let tag = text("tag").unwrap_or("Default");
    let tags = ["Default", "XffProxy", "ServiceTag"];
    let tag = tags.into_iter().find(|one| one.eq_ignore_ascii_case(tag));
    let tag = tag.ok_or_else(|| invalid(&format!("the rule '{name}' has an unknown tag")))?;
    let action = match text("action") {
        None => "Allow",
        Some(word) if word.eq_ignore_ascii_case("allow") => "Allow",
        Some(word) if word.eq_ignore_ascii_case("deny") => "Deny",
        Some(word) => return Err(invalid(&format!("'{word}' is neither Allow nor Deny"))),
    };
    let mut out = Map::new();
    match (text("ipAddress"), text("vnetSubnetResourceId")) {
        (Some(address), None) => {
            let address = match tag {
                "ServiceTag" => address.to_owned(),
                _ => blocks(address)?,
            };
            out.insert("ipAddress".to_owned(), json!(address));
        }
        (None, Some(subnet)) => {
            out.insert("vnetSubnetResourceId".to_owned(), json!(subnet));
        }
        _ => {
            let why = format!("the rule '{name}' names neither an address nor a subnet, or both");
            return Err(invalid(&why));
        }
    }
    out.insert("action".to_owned(), json!(action));
    out.insert("tag".to_owned(), json!(tag));
    out.insert("priority".to_owned(), json!(priority));
    for name in ["name", "description"] {
        if let Some(value) = text(name) {
            out.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(headers) = headers(given)? {
        out.insert("headers".to_owned(), headers);
    }
    Ok(Some(Value::Object(out)))
}

/// Blocks with commas between, each with the length of its prefix.
fn blocks(text: &str) -> Result<String, ArmError> {
    let wrong = || {
        invalid(&format!(
            "'{text}' is no block of addresses, such as 10.0.0.0/24"
        ))
    };
    if text.eq_ignore_ascii_case("any") {
        return Ok("Any".to_owned());
    }
    let mut out = Vec::new();
    for one in text.split(',') {
        let block = Block::parse(one).ok_or_else(wrong)?;
        out.push(format!("{}/{}", block.address, block.prefix));
    }
    match out.len() {
        1..=BLOCKS_MAX => Ok(out.join(",")),
        _ => Err(wrong()),
    }
}

fn headers(given: &Value) -> Result<Option<Value>, ArmError> {
    let Some(headers) = member(given, "headers").and_then(Value::as_object) else {
        return Ok(None);
    };
    let known = headers.iter().all(|(name, values)| {
        let is_text = |values: &Vec<Value>| values.iter().all(Value::is_string);
        HEADERS.contains(&name.to_ascii_lowercase().as_str())
            && values.as_array().is_some_and(is_text)
    });
    match (headers.is_empty(), known) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(Value::Object(headers.clone()))),
        (false, false) => Err(invalid(&format!(
            "a rule can ask for lists of {} alone",
            HEADERS.join(", ")
        ))),
    }
}

/// What the last rule does: what is stated, else it denies as soon as there is another rule.
fn last_action<'a>(stored: &Value, stated: Option<&'a str>) -> &'a str {
    let has_rules = stored.as_array().is_some_and(|rules| !rules.is_empty());
    stated.unwrap_or(if has_rules { "Deny" } else { "Allow" })
}

/// The list as an answer shows it, with its last rule.
pub(super) fn shown(stored: &Value, stated: Option<&str>) -> Value {
    let action = last_action(stored, stated);
    let mut rules = stored.as_array().cloned().unwrap_or_default();
    rules.push(json!({
        "ipAddress": "Any",
        "action": action,
        "priority": LAST_PRIORITY,
        "name": format!("{action} all"),
        "description": format!("{action} all access"),
    }));
    rules.into()
}

/// Somebody at the door of a site.
pub(crate) struct Visitor<'a> {
    pub(crate) address: IpAddr,
    /// The id of the subnet that it comes from, where that has an endpoint for App Service.
    pub(crate) subnet: Option<&'a str>,
    /// The values of a header of its request, by its name in lower case.
    pub(crate) header: &'a dyn Fn(&str) -> Vec<String>,
}

/// Whether the rules let the visitor in: the first that is meant for it, by priority, decides. What
/// service tags stand for is not known here, so that a rule with one is meant for nobody.
pub(super) fn lets_in(stored: &Value, stated: Option<&str>, visitor: &Visitor<'_>) -> bool {
    let mut rules: Vec<&Value> = stored.as_array().into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule.get("priority").and_then(Value::as_i64));
    let first = rules.into_iter().find(|rule| is_meant(rule, visitor));
    let action = match first {
        Some(rule) => rule.get("action").and_then(Value::as_str),
        None => Some(last_action(stored, stated)),
    };
    action == Some("Allow")
}

fn is_meant(rule: &Value, visitor: &Visitor<'_>) -> bool {
    let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
    let subnet = text("vnetSubnetResourceId");
    let is_source = if subnet.is_empty() {
        match text("tag") {
            "ServiceTag" => false,
            "XffProxy" => forwarded_for(visitor).any(|address| covers(text("ipAddress"), address)),
            _ => covers(text("ipAddress"), visitor.address),
        }
    } else {
        visitor
            .subnet
            .is_some_and(|own| own.eq_ignore_ascii_case(subnet))
    };
    let headers = rule.get("headers").and_then(Value::as_object);
    let mut headers = headers.into_iter().flatten();
    is_source && headers.all(|(name, values)| has_header(name, values, visitor))
}

fn covers(blocks: &str, address: IpAddr) -> bool {
    if blocks == "Any" {
        return true;
    }
    let mut blocks = blocks.split(',').filter_map(Block::parse);
    blocks.any(|block| block.covers(address))
}

/// The addresses of `X-Forwarded-For`, some with a port.
fn forwarded_for(visitor: &Visitor<'_>) -> impl Iterator<Item = IpAddr> {
    let values = (visitor.header)("x-forwarded-for").join(",");
    let addresses: Vec<IpAddr> = values
        .split(',')
        .filter_map(|one| {
            let one = one.trim();
            let with_port = one
                .parse::<std::net::SocketAddr>()
                .map(|socket| socket.ip());
            one.parse().ok().or(with_port.ok())
        })
        .collect();
    addresses.into_iter()
}

/// One of the values is enough.
fn has_header(name: &str, values: &Value, visitor: &Visitor<'_>) -> bool {
    let name = name.to_ascii_lowercase();
    let sent = (visitor.header)(&name);
    let mut values = values
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    values.any(|value| match name.as_str() {
        "x-forwarded-for" => forwarded_for(visitor).any(|address| covers(value, address)),
        _ => sent.iter().any(|own| own.eq_ignore_ascii_case(value)),
    })
}

/// A block of addresses.
struct Block {
    address: IpAddr,
    prefix: u8,
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        (prefix <= most).then_some(Self { address, prefix })
    }

    fn covers(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let shift = width - u32::from(self.prefix);
        // All addresses: nothing is left to compare.
        own.checked_shr(shift) == other.checked_shr(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
                          virtualNetworks/v/subnets/n";

    fn visitor<'a>(address: &str, subnet: Option<&'a str>) -> Visitor<'a> {
        Visitor {
            address: address.parse().unwrap(),
            subnet,
            header: &|_| Vec::new(),
        }
    }

    #[test]
    fn the_first_rule_by_priority_decides_and_the_rest_is_denied() {
        let rules = normalized(&json!([
            {"ipAddress": "Any", "action": "Allow", "priority": LAST_PRIORITY, "name": "Allow all"},
            {"name": "low", "ipAddress": "10.0.0.0/8", "action": "Allow", "priority": "200"},
            {"name": "high", "ipAddress": "10.1.0.0/16", "action": "deny", "priority": 100},
            {"name": "subnet", "vnetSubnetResourceId": SUBNET, "priority": 300},
            {"name": "tag", "ipAddress": "AzureCloud", "tag": "ServiceTag", "priority": 1},
        ]))
        .unwrap();
        let upper = SUBNET.to_uppercase();
        for (address, subnet, expected) in [
            ("10.2.0.1", None, true),
            ("::ffff:10.2.0.1", None, true),
            ("10.1.0.1", None, false),
            ("192.0.2.1", None, false),
            ("192.0.2.1", Some(upper.as_str()), true),
            ("10.1.0.1", Some(SUBNET), false),
            ("2001:db8::1", None, false),
        ] {
            let visitor = visitor(address, subnet);
            assert_eq!(
                lets_in(&rules, None, &visitor),
                expected,
                "{address} {subnet:?}"
            );
        }
        assert!(lets_in(&rules, Some("Allow"), &visitor("192.0.2.1", None)));
        assert!(lets_in(&json!([]), None, &visitor("192.0.2.1", None)));
        let shown = shown(&rules, None);
        assert_eq!(shown.as_array().unwrap().len(), 5);
        assert_eq!(shown[4]["name"], "Deny all");
    }

    #[test]
    fn headers_narrow_a_rule() {
        let rules = normalized(&json!([{
            "ipAddress": "Any",
            "action": "Allow",
            "priority": 1,
            "headers": {
                "X-Forwarded-Host": ["a.test", "b.test"],
                "x-forwarded-for": ["10.0.0.0/8"],
            },
        }]))
        .unwrap();
        for (host, client, expected) in [
            ("B.test", "10.9.9.9:1234", true),
            ("c.test", "10.9.9.9", false),
            ("a.test", "192.0.2.1", false),
        ] {
            let header = |name: &str| match name {
                "x-forwarded-host" => vec![host.to_owned()],
                _ => vec![client.to_owned()],
            };
            let visitor = Visitor {
                header: &header,
                ..visitor("203.0.113.1", None)
            };
            assert_eq!(lets_in(&rules, None, &visitor), expected, "{host} {client}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in [
            json!({"ipAddress": "10.0.0.0/33", "priority": 1}),
            json!({"ipAddress": "example.test", "priority": 1}),
            json!({"ipAddress": "10.0.0.0/8", "priority": "first"}),
            json!({"ipAddress": "10.0.0.0/8", "priority": 0}),
            json!({"ipAddress": "10.0.0.0/8", "action": "Maybe", "priority": 1}),
            json!({"priority": 1}),
            json!({"ipAddress": "Any", "priority": 1, "headers": {"x-other": ["1"]}}),
        ] {
            assert!(normalized(&json!([rule])).is_err(), "{rule}");
        }
        let rules = normalized(&json!([{"ipAddress": "10.0.0.1", "priority": 1}])).unwrap();
        assert_eq!(rules[0]["ipAddress"], "10.0.0.1/32");
        let everything = Block::parse("0.0.0.0/0").unwrap();
        assert!(everything.covers("198.51.100.7".parse().unwrap()));
    }
}
