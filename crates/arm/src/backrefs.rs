//! Back-references: which items are used by which.
//!
//! The service computes them on every answer, ignores what clients send, and omits those that
//! would be empty (recorded from the service). Within one back-reference it lists the users in
//! the order in which it came to know them; no body tells that order, so that ours is the
//! document's.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::id_parts::plain_child;
use crate::ids::ResourceId;
use crate::links::{self, Link, Target};
use crate::model::ApplicationGateway;

/// Order of a target's back-references on the wire, each with the collection of its users.
const BACK_REFERENCES: &[(&str, &str)] = &[
    ("backendHttpSettings", "backendHttpSettingsCollection"),
    ("frontendIpConfigurations", "frontendIPConfigurations"),
    ("httpListeners", "httpListeners"),
    ("listeners", "listeners"),
    ("requestRoutingRules", "requestRoutingRules"),
    ("advancedRoutingMaps", "advancedRoutingMaps"),
    ("advancedRoutingRules", "advancedRoutingRules"),
    ("routingRules", "routingRules"),
    ("urlPathMaps", "urlPathMaps"),
    ("pathRules", "pathRules"),
    ("redirectConfiguration", "redirectConfigurations"),
];

/// The collections whose items show who uses them. Profiles and path maps do not.
const HOLDERS: &[&str] = &[
    "advancedRoutingConditionSets",
    "advancedRoutingMaps",
    "authenticationCertificates",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "backendSettingsCollection",
    "frontendIPConfigurations",
    "frontendPorts",
    "httpListeners",
    "listeners",
    "privateLinkConfigurations",
    "probes",
    "redirectConfigurations",
    "rewriteRuleSets",
    "sslCertificates",
    "trustedRootCertificates",
];

const BEHIND: &str = "privateLinkConfiguration";

/// The users of each target: by its lower-case id, the name of each back-reference and their ids.
type Uses = HashMap<String, Vec<(&'static str, Vec<String>)>>;

/// Adds the back-references to the written properties of `gateway`, whose id is `own_id`.
pub(crate) fn insert(out: &mut Map<String, Value>, gateway: &ApplicationGateway, own_id: &str) {
    let uses = collect(gateway, own_id);
    let items = out.values_mut().filter_map(Value::as_array_mut).flatten();
    for item in items {
        let id = item.get("id").and_then(Value::as_str);
        let uses = id.and_then(|id| uses.get(&id.to_ascii_lowercase()));
        let bag = item.get_mut("properties").and_then(Value::as_object_mut);
        let (Some(uses), Some(bag)) = (uses, bag) else {
            continue;
        };
        for (name, _) in BACK_REFERENCES {
            let Some((_, users)) = uses.iter().find(|(used, _)| used == name) else {
                continue;
            };
            let list = users
                .iter()
                .map(|user| serde_json::json!({ "id": user }))
                .collect();
            bag.insert((*name).to_owned(), Value::Array(list));
        }
        // A frontend's link is the one member that stands behind them.
        if let Some(link) = bag.shift_remove(BEHIND) {
            bag.insert(BEHIND.to_owned(), link);
        }
    }
}

fn collect(gateway: &ApplicationGateway, own_id: &str) -> Uses {
    let mut uses = Uses::new();
    let is_own_good = ResourceId::parse(own_id).is_ok();
    for link in links::collect(gateway) {
        let Some(name) = back_reference(&link) else {
            continue;
        };
        let id = &link.reference.id;
        let target = match is_own_good && plain_child(id, own_id).is_some() {
            true => Some(id.to_ascii_lowercase()),
            false => ResourceId::parse(id)
                .ok()
                .map(|id| id.to_string().to_ascii_lowercase()),
        };
        let Some(target) = target else {
            continue;
        };
        let of_target = uses.entry(target).or_default();
        let position = of_target.iter().position(|(known, _)| *known == name);
        let position = position.unwrap_or_else(|| {
            of_target.push((name, Vec::new()));
            of_target.len() - 1
        });
        let Some((_, users)) = of_target.get_mut(position) else {
            continue;
        };
        let owner = link.owner.id(own_id);
        if users.last() != Some(&owner) {
            users.push(owner);
        }
    }
    uses
}

/// The name under which the link's target shows its owner, if it does.
fn back_reference(link: &Link<'_>) -> Option<&'static str> {
    let Target::Child(target) = link.target else {
        return None;
    };
    if !HOLDERS.contains(&target) {
        return None;
    }
    let known = BACK_REFERENCES
        .iter()
        .find(|(_, users)| *users == link.owner.kind());
    known.map(|(name, _)| *name)
}
