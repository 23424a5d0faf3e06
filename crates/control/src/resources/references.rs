//! Which resources a body refers to.

use std::collections::HashSet;
use std::net::IpAddr;

use gatewright_arm::ResourceId;
use serde_json::Value;

/// Members that name resources without using them: rules that let subnets in. A subnet can go
/// although a rule names it.
const NO_USES: [&str; 3] = [
    "ipSecurityRestrictions",
    "scmIpSecurityRestrictions",
    "virtualNetworkRules",
];

/// One reference to another resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// The id of what is referred to, in lower case.
    pub(crate) target: String,
    /// The id of the resource, or the innermost item of it, that refers.
    pub(crate) user: String,
}

/// One address that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The id of the subnet, in lower case; [`PUBLIC`] for public addresses.
    pub(crate) place: String,
    pub(crate) address: IpAddr,
    /// The id of the resource, or the item of it, that has the address.
    pub(crate) user: String,
}

/// Where public addresses are.
pub(crate) const PUBLIC: &str = "";

/// The note of the address that a public IP address has, from the moment that it is taken.
pub(crate) const PUBLIC_NOTE: &str = "publicAddress";

/// The private addresses of a body, and the public one of its notes.
pub(crate) fn holds(own: &ResourceId, body: &Value, notes: &Value) -> Vec<Hold> {
    let own = own.to_string();
    let mut holds = Vec::new();
    let public = notes.get(PUBLIC_NOTE).and_then(Value::as_str);
    holds.extend(public.and_then(|text| hold(PUBLIC, text, &own)));
    walk_holds(body, &own, &mut holds);
    holds
}

fn walk_holds(value: &Value, user: &str, holds: &mut Vec<Hold>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk_holds(item, user, holds)),
        Value::Object(members) => {
            let id = members.get("id").and_then(Value::as_str);
            // A reference has an id alone.
            let user = id.filter(|_| members.contains_key("name")).unwrap_or(user);
            let address = members.get("privateIPAddress").and_then(Value::as_str);
            let subnet = members
                .get("subnet")
                .and_then(|subnet| subnet.get("id")?.as_str());
            if let (Some(address), Some(subnet)) = (address, subnet) {
                holds.extend(hold(&subnet.to_ascii_lowercase(), address, user));
            }
            members
                .values()
                .for_each(|member| walk_holds(member, user, holds));
        }
        _ => {}
    }
}

fn hold(place: &str, address: &str, user: &str) -> Option<Hold> {
    Some(Hold {
        place: place.to_owned(),
        address: address.parse().ok()?,
        user: user.to_owned(),
    })
}

/// The ids of a resource and of its items; in lower case.
pub(crate) fn items(body: &Value) -> HashSet<String> {
    let mut ids = HashSet::new();
    list_items(body, &mut ids);
    ids
}

fn list_items(value: &Value, ids: &mut HashSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| list_items(item, ids)),
        Value::Object(members) => {
            let id = members.get("id").and_then(Value::as_str);
            // A reference has an id alone.
            if let Some(id) = id.filter(|_| members.contains_key("name")) {
                ids.insert(id.to_ascii_lowercase());
            }
            members.values().for_each(|member| list_items(member, ids));
        }
        _ => {}
    }
}

/// Every reference of `body`, whose own id is `own`, to something outside of it: a member `id`, or
/// one whose name ends with `Id`, that holds the id of a resource.
pub(crate) fn collect(own: &ResourceId, body: &Value) -> Vec<Use> {
    let own = own.to_string();
    let mut uses = Vec::new();
    walk(body, &own, &own, &mut uses);
    uses
}

fn walk(value: &Value, own: &str, user: &str, uses: &mut Vec<Use>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, own, user, uses)),
        Value::Object(members) => {
            let id = members.get("id").and_then(Value::as_str);
            // An item of the resource itself: from here on, it is the one that refers.
            let is_item = id.is_some_and(|id| is_within(id, own));
            let user = id.filter(|_| is_item).unwrap_or(user);
            for (name, member) in members {
                match member {
                    _ if NO_USES.contains(&name.as_str()) => {}
                    Value::String(text) if name == "id" || name.ends_with("Id") => {
                        refer(text, own, user, uses);
                    }
                    _ => walk(member, own, user, uses),
                }
            }
            // The keys of an identity's map are ids.
            if let Some(Value::Object(identities)) = members.get("userAssignedIdentities") {
                identities.keys().for_each(|id| refer(id, own, user, uses));
            }
        }
        _ => {}
    }
}

fn refer(text: &str, own: &str, user: &str, uses: &mut Vec<Use>) {
    // Most references of a large resource are to items of its own.
    if !text.starts_with('/') || is_within(text, own) {
        return;
    }
    let Ok(id) = ResourceId::parse(text) else {
        return;
    };
    let target = id.to_string().to_ascii_lowercase();
    if !is_within(&target, own) && id.name().is_some() {
        uses.push(Use {
            target,
            user: user.to_owned(),
        });
    }
}

/// Whether `id` is `own` or an item of it, in any letter case.
fn is_within(id: &str, own: &str) -> bool {
    let Some((beginning, rest)) = id.split_at_checked(own.len()) else {
        return false;
    };
    beginning.eq_ignore_ascii_case(own) && (rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_name_the_innermost_item_that_refers() {
        let id =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/a";
        let subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
                      virtualNetworks/v/subnets/n";
        let body = json!({
            "id": id,
            "identity": {"userAssignedIdentities": {subnet: {}}},
            "properties": {"gatewayIPConfigurations": [{
                "id": format!("{id}/gatewayIPConfigurations/c"),
                "properties": {
                    "subnet": {"id": subnet},
                    "listener": {"id": format!("{id}/httpListeners/l")},
                    "keyVaultSecretId": "https://vault.test/secrets/x",
                },
            }]},
        });
        let uses = collect(&ResourceId::parse(id).unwrap(), &body);
        let pairs: Vec<_> = uses.iter().map(|one| (&*one.target, &*one.user)).collect();
        let target = subnet.to_ascii_lowercase();
        let item = format!("{id}/gatewayIPConfigurations/c");
        assert_eq!(pairs, [(&*target, id), (&*target, &*item)]);
    }
}
