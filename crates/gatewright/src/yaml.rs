//! JSON values as YAML, in the block style that `az -o yaml` prints.

use serde_json::Value;

/// Deepest nesting that is written in block style; what lies deeper is written as JSON, which is
/// YAML too.
const DEPTH_MAX: usize = 32;

/// The document, ending with a line feed.
pub(crate) fn write(value: &Value) -> String {
    let mut text = String::new();
    node(&mut text, value, 0);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Appends `value`, whose first line has been indented by `depth` steps already.
fn node(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() && depth < DEPTH_MAX => {
            for (position, (name, value)) in members.iter().enumerate() {
                if position > 0 {
                    indent(text, depth);
                }
                text.push_str(&scalar(&Value::from(name.as_str())));
                text.push(':');
                child(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() && depth < DEPTH_MAX => {
            for (position, value) in items.iter().enumerate() {
                if position > 0 {
                    indent(text, depth);
                }
                text.push_str("- ");
                match value {
                    Value::Object(_) | Value::Array(_) => node(text, value, depth + 1),
                    value => line(text, value),
                }
            }
        }
        value => line(text, value),
    }
}

/// What follows a member's colon. Lists stand as deep as their name, as az writes them.
fn child(text: &mut String, value: &Value, depth: usize) {
    let inner = match value {
        Value::Object(members) if !members.is_empty() => depth + 1,
        Value::Array(items) if !items.is_empty() => depth,
        value => {
            text.push(' ');
            return line(text, value);
        }
    };
    text.push('\n');
    indent(text, inner);
    node(text, value, inner);
}

fn line(text: &mut String, value: &Value) {
    text.push_str(&scalar(value));
    text.push('\n');
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A plain scalar where it can be nothing but the text that it is, else JSON's quotes.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        value => value.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let first_is_letter = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'/');
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    // What another reader may take for a truth value or for nothing.
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    first_is_letter && text.bytes().all(is_safe) && !is_word
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_written_in_block_style() {
        let document = json!({
            "pools": [
                { "id": "/a/b", "servers": [{ "address": "10.0.0.4", "log": "a: \"b\"\nc" }] },
                { "id": "no", "servers": [] },
            ],
            "count": 2, "none": null, "empty": {}, "list": ["x", 1, [true]],
        });
        let expected = "\
pools:
- id: /a/b
  servers:
  - address: \"10.0.0.4\"
    log: \"a: \\\"b\\\"\\nc\"
- id: \"no\"
  servers: []
count: 2
none: null
empty: {}
list:
- x
- 1
- - true
";
        assert_eq!(write(&document), expected);
    }
}
