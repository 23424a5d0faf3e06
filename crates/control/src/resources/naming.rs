//! What resources are called, and where they are.

use gatewright_arm::{ArmError, ResourceId, name_fault};
use serde_json::Value;

use crate::resources::document::{Document, plain_location};
use crate::resources::edit::member;
use crate::resources::kind::Kind;

/// What the types of the network begin with.
const NETWORK: &str = "Microsoft.Network/";

/// The names of a new resource of the network, and of those items of one that have routes of their
/// own.
pub(super) fn check_names(
    kind: &dyn Kind,
    id: &ResourceId,
    body: &Value,
    previous: Option<&Document>,
) -> Result<(), ArmError> {
    if !kind.name().starts_with(NETWORK) {
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

/// The network's answers have locations without blanks and capitals, whatever was sent.
pub(super) fn plain_place(kind: &dyn Kind, body: &mut Value) {
    if !kind.name().starts_with(NETWORK) {
        return;
    }
    if let Some(Value::String(location)) = body.get_mut("location") {
        *location = plain_location(location);
    }
}

/// A resource is somewhere, and stays where it was made.
pub(super) fn check_location(
    kind: &dyn Kind,
    id: &ResourceId,
    body: &Value,
    previous: Option<&Document>,
) -> Result<(), ArmError> {
    let before = previous.map_or("", Document::location);
    let after = member(body, "location").and_then(Value::as_str);
    let after = after.filter(|after| !after.is_empty()).unwrap_or(before);
    if previous.is_none() && after.is_empty() && kind.name().starts_with(NETWORK) {
        let message = "The location property is required for this definition.";
        return Err(ArmError::front_door("LocationRequired", message));
    }
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
