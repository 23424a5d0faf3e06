//! The shape that the `az` client prints.

use serde_json::{Map, Value};

use crate::ids::ResourceId;

/// Merges `properties` into its owner at every level, sorts the members, and gives each resource
/// and reference its `resourceGroup`, as `az … -o json` does.
pub(crate) fn as_azure_cli(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(as_azure_cli).collect()),
        Value::Object(map) => Value::Object(flat(map)),
        other => other,
    }
}

fn flat(map: Map<String, Value>) -> Map<String, Value> {
    let mut members: Vec<(String, Value)> = Vec::with_capacity(map.len());
    let id = map
        .get("id")
        .and_then(Value::as_str)
        .and_then(|id| ResourceId::parse(id).ok());
    if let Some(group) = id.as_ref().and_then(|id| id.resource_group()) {
        members.push(("resourceGroup".to_owned(), Value::from(group)));
    }
    for (name, value) in map {
        match value {
            Value::Object(bag) if name == "properties" => members.extend(flat(bag)),
            // Tags and identities are keyed by foreign names.
            Value::Object(_) if matches!(name.as_str(), "tags" | "userAssignedIdentities") => {
                members.push((name, value));
            }
            value => members.push((name, as_azure_cli(value))),
        }
    }
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    members.into_iter().collect()
}
