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
            for (name, text) in STAMPED.into_iter().zip([etag, state]) {
                set(members, name, text);
            }
            members
                .values_mut()
                .for_each(|member| stamp(member, etag, state));
        }
        _ => {}
    }
}

/// Whether two bodies are the same but for what [`stamp`] changes.
pub(crate) fn same_but_stamps(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_but_stamps(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| same_member(name, a, b.get(name)))
        }
        (a, b) => a == b,
    }
}

/// The same of one member of an object.
pub(crate) fn same_member(name: &str, a: &Value, b: Option<&Value>) -> bool {
    b.is_some_and(|b| {
        let is_stamped = STAMPED.contains(&name) && a.is_string() && b.is_string();
        is_stamped || same_but_stamps(a, b)
    })
}

/// The members that a stamp changes.
const STAMPED: [&str; 2] = ["etag", "provisioningState"];

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
        let before = body.clone();
        stamp(&mut body, "new", "Succeeded");
        assert!(same_but_stamps(&before, &body));
        body["properties"]["plain"][0]["name"] = json!("y");
        assert!(!same_but_stamps(&before, &body));
        body["properties"]["plain"][0]["name"] = json!("x");
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
