//! What a write does to a resource: replaces it whole, or a part of it.

use std::borrow::Cow;

use gatewright_arm::{ArmError, ResourceId};
use serde_json::{Map, Value, json};

use crate::resources::tags::TagChange;

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Edit<'a> {
    /// PUT.
    Whole(&'a Value),
    /// PUT of an item that has a route of its own.
    PutPart {
        collection: &'static str,
        name: &'a str,
        body: &'a Value,
    },
    /// DELETE of such an item.
    DeletePart {
        collection: &'static str,
        name: &'a str,
    },
    /// A change of the tags.
    Tags(TagChange),
    /// PATCH of members of `properties`.
    Merge(&'a Value),
    /// Nothing: everything is judged anew, as it is stored.
    Again,
    /// Nothing, and nothing is judged.
    Nothing,
}

impl Edit<'_> {
    /// The whole resource as it is to be.
    ///
    /// # Errors
    /// When there is nothing to change a part of.
    pub(crate) fn apply(
        &self,
        id: &ResourceId,
        previous: Option<&Value>,
    ) -> Result<Cow<'_, Value>, ArmError> {
        let whole = match self {
            Self::Whole(body) => return Ok(Cow::Borrowed(body)),
            Self::PutPart {
                collection,
                name,
                body,
            } => {
                let mut whole = previous.cloned().ok_or_else(|| no_parent(id))?;
                let item = part(name, body);
                with_items(&mut whole, collection, |items| {
                    match items.iter_mut().find(|one| is_named(one, name)) {
                        Some(one) => *one = item,
                        None => items.push(item),
                    }
                });
                whole
            }
            Self::DeletePart { collection, name } => {
                let mut whole = previous.cloned().ok_or_else(|| not_found(id))?;
                with_items(&mut whole, collection, |items| {
                    items.retain(|one| !is_named(one, name));
                });
                whole
            }
            Self::Tags(change) => {
                let mut whole = previous.cloned().ok_or_else(|| not_found(id))?;
                change.apply(&mut whole);
                whole
            }
            Self::Merge(body) => {
                let mut whole = previous.cloned().ok_or_else(|| not_found(id))?;
                merge(&mut whole, body);
                whole
            }
            Self::Again | Self::Nothing => previous.cloned().ok_or_else(|| not_found(id))?,
        };
        Ok(Cow::Owned(whole))
    }
}

/// The item, with the name of its path.
fn part(name: &str, body: &Value) -> Value {
    let mut item = Map::new();
    item.insert("name".to_owned(), json!(name));
    for (key, value) in body.as_object().into_iter().flatten() {
        if !["id", "name", "etag", "type"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(key))
        {
            item.insert(key.clone(), value.clone());
        }
    }
    Value::Object(item)
}

/// Changes the items of a collection; makes an empty one first where there is none.
fn with_items(whole: &mut Value, collection: &str, change: impl FnOnce(&mut Vec<Value>)) {
    if !whole.get("properties").is_some_and(Value::is_object) {
        whole["properties"] = json!({});
    }
    let items = &mut whole["properties"][collection];
    if !items.is_array() {
        *items = json!([]);
    }
    if let Value::Array(items) = items {
        change(items);
    }
}

/// Objects member by member, everything else whole; `null` takes a member away. RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                members.shift_remove(name);
            }
            value => merge(members.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}

/// A member in any letter case.
pub(crate) fn member<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = body.as_object()?.iter();
    let found = members.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// Whether this is the item of that name.
pub(crate) fn is_named(item: &Value, name: &str) -> bool {
    let own = item.get("name").and_then(Value::as_str);
    own.is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// The front door's word for a resource that does not exist.
pub(crate) fn not_found(id: &ResourceId) -> ArmError {
    let kind = id.resource_type();
    let (group, name) = (id.resource_group().unwrap_or_default(), names(id));
    let message = format!(
        "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more \
         details please go to https://aka.ms/ARMResourceNotFoundFix"
    );
    ArmError::front_door("ResourceNotFound", message)
}

/// The provider's own word for an item, or what it keeps itself, that does not exist.
pub(crate) fn not_found_part(id: &ResourceId) -> ArmError {
    ArmError::new("NotFound", format!("Resource {id} not found."))
}

/// The names of an id, from the outermost resource to the innermost.
fn names(id: &ResourceId) -> String {
    let parent = id.parent().filter(|parent| parent.name().is_some());
    let above = parent
        .map(|parent| names(&parent) + "/")
        .unwrap_or_default();
    above + id.name().unwrap_or_default()
}

fn no_parent(id: &ResourceId) -> ArmError {
    let message = format!(
        "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
        id.name().unwrap_or_default()
    );
    ArmError::front_door("ParentResourceNotFound", message)
}
