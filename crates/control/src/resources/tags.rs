//! Changes of tags, and their bounds, as the service has them.

use gatewright_arm::{ArmError, shorten};
use serde_json::{Map, Value, json};

use crate::resources::edit::member;

/// Most tags of a resource.
const TAGS_MAX: usize = 50;

/// Longest name, and longest value, in characters.
const NAME_CHARACTERS_MAX: usize = 512;
const VALUE_CHARACTERS_MAX: usize = 256;

/// Characters that no name holds.
const RESERVED: &str = "<>%&\\?/";

/// What a write does to the tags of a resource. Names are the same in any letter case; one that is
/// there stays as it was written.
#[derive(Clone, Debug)]
pub(crate) enum TagChange {
    /// These, and no others.
    Replace(Value),
    /// These besides.
    Merge(Map<String, Value>),
    /// Without these: `null` for whatever value, another one must be the tag's.
    Delete(Map<String, Value>),
}

impl TagChange {
    /// What a PATCH of a resource says of its tags.
    pub(crate) fn of_patch(body: &Value) -> Self {
        match member(body, "tags") {
            Some(tags) => Self::Replace(tags.clone()),
            None => Self::Merge(Map::new()),
        }
    }

    pub(crate) fn apply(&self, whole: &mut Value) {
        match self {
            Self::Replace(tags) => whole["tags"] = tags.clone(),
            Self::Merge(given) => change_each(whole, given, |tags, name, value| {
                tags.insert(name, value.clone());
            }),
            Self::Delete(given) => change_each(whole, given, |tags, name, value| {
                let is_meant = |own: &Value| value.is_null() || own == value;
                if tags.get(&name).is_some_and(is_meant) {
                    tags.shift_remove(&name);
                }
            }),
        }
    }
}

/// Calls `change` for each tag that is given, under the name that is there already.
fn change_each(
    whole: &mut Value,
    given: &Map<String, Value>,
    change: impl Fn(&mut Map<String, Value>, String, &Value),
) {
    if !given.is_empty() && !whole.get("tags").is_some_and(Value::is_object) {
        whole["tags"] = json!({});
    }
    let Some(Value::Object(tags)) = whole.get_mut("tags") else {
        return;
    };
    for (name, value) in given {
        let known = tags.keys().find(|own| own.eq_ignore_ascii_case(name));
        let name = known.unwrap_or(name).clone();
        change(tags, name, value);
    }
}

/// Whether a resource may have these tags; `None` and `null` are none.
///
/// # Errors
/// When there are too many, or one is too long, no text, or has a reserved character in its name.
pub(crate) fn check(tags: Option<&Value>) -> Result<(), ArmError> {
    let Some(tags) = tags.filter(|tags| !tags.is_null()) else {
        return Ok(());
    };
    let Some(tags) = tags.as_object() else {
        let message = "The tags are no object of names and texts.";
        return Err(ArmError::front_door("InvalidRequestContent", message));
    };
    if tags.len() > TAGS_MAX {
        let count = tags.len();
        let message =
            format!("A resource has at most {TAGS_MAX} tags; this one would have {count}.");
        return Err(ArmError::front_door("TagCountLimitExceeded", message));
    }
    let mut tags = tags.iter();
    tags.try_for_each(|(name, value)| check_name(name).and_then(|()| check_value(name, value)))
}

fn check_name(name: &str) -> Result<(), ArmError> {
    if name.contains(|c: char| c.is_control() || RESERVED.contains(c)) {
        let message = format!(
            "The tag name '{}' has a reserved character: one of {RESERVED} or a control character.",
            shorten(name)
        );
        return Err(ArmError::front_door("InvalidTagNameCharacters", message));
    }
    let length = name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&length) {
        let message =
            format!("A tag name has 1 to {NAME_CHARACTERS_MAX} characters; this one has {length}.");
        return Err(ArmError::front_door("InvalidTagNameLength", message));
    }
    Ok(())
}

fn check_value(name: &str, value: &Value) -> Result<(), ArmError> {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Null => 0,
        _ => {
            let message = format!("The value of the tag '{name}' is no text.");
            return Err(ArmError::front_door("InvalidRequestContent", message));
        }
    };
    if length > VALUE_CHARACTERS_MAX {
        let message = format!(
            "The value of the tag '{name}' has {length} characters; at most \
             {VALUE_CHARACTERS_MAX} are taken."
        );
        return Err(ArmError::front_door("InvalidTagValueLength", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_the_bounds_of_the_service() {
        let many = |count: usize| -> Value {
            let pairs = (0..count).map(|number| (format!("n{number}"), json!("")));
            Value::Object(pairs.collect())
        };
        let code = |tags: Value| check(Some(&tags)).map_err(|error| error.code);
        let refused = |code: &str| Err(code.to_owned());
        for fine in [
            json!(null),
            json!({}),
            json!({"a b": "é".repeat(256)}),
            many(50),
        ] {
            assert_eq!(code(fine), Ok(()));
        }
        assert_eq!(code(many(51)), refused("TagCountLimitExceeded"));
        assert_eq!(
            code(json!({"a<b": ""})),
            refused("InvalidTagNameCharacters")
        );
        assert_eq!(code(json!({"": ""})), refused("InvalidTagNameLength"));
        assert_eq!(
            code(json!({"a".repeat(513): ""})),
            refused("InvalidTagNameLength")
        );
        assert_eq!(
            code(json!({"a": "b".repeat(257)})),
            refused("InvalidTagValueLength")
        );
        assert_eq!(code(json!({"a": 1})), refused("InvalidRequestContent"));
        assert_eq!(code(json!([])), refused("InvalidRequestContent"));
    }
}
