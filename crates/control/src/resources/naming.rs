//! What resources are called, and where they are.

use gatewright_arm::{ArmError, ResourceId, name_fault};
use serde_json::Value;

use crate::resources::document::{Document, plain_location};
use crate::resources::edit::member;
use crate::resources::kind::Kind;

/// The names of a new resource of the network, and of those items of one that have routes of their
/// own.
pub(super) fn check_names(
    kind: &dyn Kind,
    id: &ResourceId,
    body: &Value,
    previous: Option<&Document>,
) -> Result<(), ArmError> {
    if !kind.name().starts_with("Microsoft.Network/") {
        return Ok(());
    }
    let own = id.name().filter(|_| previous.is_none());
    let collections = kind.parts().iter().map(|part| part.collection);
    let items = collections.flat_map(|collection| items(body, collection));
    let names = items.filter_map(|item| item.get("name")?.as_str());
    match own.into_iter().chain(names).find_map(name_fault) {
        Some(fault) => Err(ArmError::new("InvalidResourceName", fault)),
        None => Ok(()),
    }
}

/// A resource stays where it was made.
pub(super) fn check_location(
    id: &ResourceId,
    body: &Value,
    previous: Option<&Document>,
) -> Result<(), ArmError> {
    let before = previous.map_or("", Document::location);
    let after = member(body, "location").and_then(Value::as_str);
    let after = after.filter(|after| !after.is_empty()).unwrap_or(before);
    if before.is_empty() || plain_location(before) == plain_location(after) {
        return Ok(());
    }
    let message = format!(
        "The resource '{}' already exists in location '{before}' in resource group '{}'. A \
         resource with the same name cannot be created in location '{after}'. Please select a new \
         resource name.",
        id.name().unwrap_or_default(),
        id.resource_group().unwrap_or_default()
    );
    Err(ArmError::front_door("InvalidResourceLocation", message))
}

fn items<'a>(body: &'a Value, collection: &str) -> impl Iterator<Item = &'a Value> {
    let bag = member(body, "properties");
    let items = bag.and_then(|bag| member(bag, collection)?.as_array());
    items.into_iter().flatten()
}
