//! What resources are called, and where they are.

use std::borrow::Cow;

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

/// A resource is somewhere, and stays where it was made. Whoever writes a resource of the network
/// as a whole says where; others may leave it to what is stored.
pub(super) fn check_location(
    kind: &dyn Kind,
    id: &ResourceId,
    body: &mut Cow<'_, Value>,
    previous: Option<&Document>,
    is_whole: bool,
) -> Result<(), ArmError> {
    let before = previous.map_or("", Document::location);
    let said = member(body, "location").unwrap_or(&Value::Null);
    let after = match said {
        Value::String(after) => after.as_str(),
        Value::Null => "",
        _ => return Err(no_location()),
    };
    if after.is_empty() {
        let must_say = is_of_network(kind) && (is_whole || previous.is_none());
        if must_say {
            return Err(no_location());
        }
        if !before.is_empty() {
            keep_location(body.to_mut(), before);
        }
        return Ok(());
    }
    if previous.is_none() && kind.name() != GROUPS {
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

fn keep_location(body: &mut Value, before: &str) {
    if let Value::Object(members) = body {
        members.retain(|name, _| !name.eq_ignore_ascii_case("location"));
        members.insert("location".to_owned(), Value::from(before));
    }
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
