//! The body of a request, as JSON.

use gatewright_arm::{ArmError, MAX_DEPTH};
use serde_json::Value;

/// Largest body of a request, in bytes: the service's own bound of 4 MiB, times four, so that a
/// gateway that was exported with everything in it can come back.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a body strictly, and refuses one that is nested deeper than any resource.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, ArmError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(invalid(
            "the request has no body; a JSON object is expected",
        ));
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(invalid("a JSON object is expected")),
    }
}

fn invalid(why: &str) -> ArmError {
    // serde_json stops at this depth by itself.
    let why = match why.contains("recursion limit") {
        true => format!("the body is nested deeper than {MAX_DEPTH} levels"),
        false => why.to_owned(),
    };
    let message =
        format!("The request content was invalid and could not be deserialized: '{why}'.");
    ArmError::front_door("InvalidRequestContent", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_are_taken() {
        assert!(json(b"{}").is_ok());
        for (text, expected) in [
            ("", "no body"),
            ("[]", "object"),
            ("{", "EOF"),
            ("{\"a\":1,}", "trailing comma"),
        ] {
            let error = json(text.as_bytes()).unwrap_err();
            assert_eq!(error.code, "InvalidRequestContent");
            assert!(error.message.contains(expected), "{}", error.message);
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let error = json(deep.as_bytes()).unwrap_err();
        assert!(
            error.message.contains("deeper than 127"),
            "{}",
            error.message
        );
    }
}
