//! What resources are called, and where they are.

use gatewright_arm::catalogue::{is_region, region_names};
use gatewright_arm::{ArmError, ResourceId, name_fault};
use serde_json::Value;

use crate::providers::groups::GROUPS;
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
    if !is_of_network(kind) {
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
    if !is_of_network(kind) {
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
    if previous.is_none() && after.is_empty() && is_of_network(kind) {
        return Err(no_location());
    }
    if previous.is_none() && !after.is_empty() && kind.name() != GROUPS {
        let what = format!("resource type '{}'", kind.name());
        check_region(after, "ResourceType", &what, " for the resource type")?;
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

/// Whether something that is made is in a region that there is: a word with a letter missing would
/// else be found when the same template is tried in the cloud. `suffix`: what ends the code.
pub(crate) fn check_region(said: &str, suffix: &str, what: &str, of: &str) -> Result<(), ArmError> {
    if is_region(&plain_location(said)) {
        return Ok(());
    }
    let names: Vec<_> = region_names().collect();
    let message = format!(
        "The provided location '{said}' is not available for {what}. List of available regions{of} \
         is '{}'.",
        names.join(",")
    );
    Err(ArmError::front_door(
        format!("LocationNotAvailableFor{suffix}"),
        message,
    ))
}

/// The front door's word for a resource that says not where it is to be.
pub(crate) fn no_location() -> ArmError {
    let message = "The location property is required for this definition.";
    ArmError::front_door("LocationRequired", message)
}

fn is_of_network(kind: &dyn Kind) -> bool {
    kind.name().starts_with("Microsoft.Network/")
}

fn items<'a>(body: &'a Value, collection: &str) -> impl Iterator<Item = &'a Value> {
    let bag = member(body, "properties");
    let items = bag.and_then(|bag| member(bag, collection)?.as_array());
    items.into_iter().flatten()
}
