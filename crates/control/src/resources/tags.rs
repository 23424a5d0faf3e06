//! Bounds of tags, as the service has them.

use gatewright_arm::ArmError;
use serde_json::Value;

/// Most tags of a resource.
const TAGS_MAX: usize = 50;

/// Longest name, and longest value, in characters.
const NAME_CHARACTERS_MAX: usize = 512;
const VALUE_CHARACTERS_MAX: usize = 256;

/// Characters that no name holds.
const RESERVED: &str = "<>%&\\?/";

/// Whether a resource may have these tags; `None` and `null` are none.
///
/// # Errors
/// When there are too many, or one is too long, no text, or has a reserved character in its name.
pub(crate) fn check(tags: Option<&Value>) -> Result<(), ArmError> {
    let Some(tags) = tags.filter(|tags| !tags.is_null()) else {
        return Ok(());
    };
    let refuse = |code: &str, message: String| Err(ArmError::front_door(code, message));
    let Some(tags) = tags.as_object() else {
        let message = "The tags are no object of names and texts.";
        return refuse("InvalidRequestContent", message.to_owned());
    };
    if tags.len() > TAGS_MAX {
        let count = tags.len();
        let message =
            format!("A resource has at most {TAGS_MAX} tags; this one would have {count}.");
        return refuse("TagCountLimitExceeded", message);
    }
    for (name, value) in tags {
        let is_reserved = |c: char| c.is_control() || RESERVED.contains(c);
        if name.contains(is_reserved) {
            let message = format!(
                "The tag name '{name}' has a reserved character: one of {RESERVED} or a control \
                 character."
            );
            return refuse("InvalidTagNameCharacters", message);
        }
        let length = name.chars().count();
        if !(1..=NAME_CHARACTERS_MAX).contains(&length) {
            let message = format!(
                "A tag name has 1 to {NAME_CHARACTERS_MAX} characters; this one has {length}."
            );
            return refuse("InvalidTagNameLength", message);
        }
        let length = value.as_str().map(|value| value.chars().count());
        let length = length.unwrap_or_else(|| if value.is_null() { 0 } else { usize::MAX });
        if length == usize::MAX {
            let message = format!("The value of the tag '{name}' is no text.");
            return refuse("InvalidRequestContent", message);
        }
        if length > VALUE_CHARACTERS_MAX {
            let message = format!(
                "The value of the tag '{name}' has {length} characters; at most \
                 {VALUE_CHARACTERS_MAX} are taken."
            );
            return refuse("InvalidTagValueLength", message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
