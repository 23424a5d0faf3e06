//! The members of a body that a write changes throughout: etag and state.

use serde_json::{Map, Value};
use uuid::Uuid;

/// A new etag, as the service writes them: weak, a GUID.
pub(crate) fn new_etag() -> String {
    format!("W/\"{}\"", Uuid::new_v4())
}

/// Gives the resource and every item of it this etag, where they have one, and this state, where
/// they have one. A resource and its items change together.
pub(crate) fn stamp(body: &mut Value, etag: &str, state: &str) {
    match body {
        Value::Array(items) => items.iter_mut().for_each(|item| stamp(item, etag, state)),
        Value::Object(members) => {
            set(members, "etag", etag);
            set(members, "provisioningState", state);
            members
                .values_mut()
                .for_each(|member| stamp(member, etag, state));
        }
        _ => {}
    }
}

fn set(members: &mut Map<String, Value>, name: &str, text: &str) {
    if let Some(Value::String(value)) = members.get_mut(name) {
        text.clone_into(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_has_a_state_gets_the_new_one() {
        let mut body = json!({
            "etag": "old",
            "properties": {
                "provisioningState": "Updating",
                "items": [{"etag": "old", "properties": {"provisioningState": "Updating"}}],
                "plain": [{"name": "x"}],
            },
        });
        stamp(&mut body, "new", "Succeeded");
        assert_eq!(
            body,
            json!({
                "etag": "new",
                "properties": {
                    "provisioningState": "Succeeded",
                    "items": [{"etag": "new", "properties": {"provisioningState": "Succeeded"}}],
                    "plain": [{"name": "x"}],
                },
            })
        );
    }
}
