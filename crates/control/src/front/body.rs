//! The body of a request, as JSON.

use gatewright_arm::{ArmError, MAX_DEPTH};
use hyper::header::{self, HeaderMap};
use serde_json::Value;

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

/// Whether what the headers say of a body is JSON, as it is. A body without a type is taken for it.
///
/// # Errors
/// When it is said to be something else, or compressed.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<(), ArmError> {
    let text = |name| match headers.get(name).map(|value| value.to_str()) {
        None => "",
        Some(Ok(text)) => text,
        Some(Err(_)) => "<none>",
    };
    let encoding = text(header::CONTENT_ENCODING).trim();
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(unsupported(&format!("content encoding '{encoding}'")));
    }
    let whole = text(header::CONTENT_TYPE);
    let (essence, parameters) = whole.split_once(';').unwrap_or((whole, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let is_json = matches!(&*essence, "" | "application/json" | "text/json")
        || essence.starts_with("application/") && essence.ends_with("+json");
    let charset = parameters.split(';').find_map(|one| {
        let (name, value) = one.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let is_utf8 = charset.is_none_or(|charset| matches!(&*charset, "utf-8" | "utf8" | "us-ascii"));
    match is_json && is_utf8 {
        true => Ok(()),
        false => Err(unsupported(&format!("content media type '{whole}'"))),
    }
}

fn unsupported(what: &str) -> ArmError {
    let message = format!("The {what} is not supported. Only 'application/json' is supported.");
    ArmError::front_door("UnsupportedMediaType", message)
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
    fn only_json_in_utf_8_is_taken() {
        let check = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            check_type(&headers).map_err(|error| error.code)
        };
        for fine in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "text/json",
            "application/merge-patch+json;charset=\"utf-8\"",
        ] {
            assert_eq!(check(header::CONTENT_TYPE, fine), Ok(()), "{fine}");
        }
        let refused = Err("UnsupportedMediaType".to_owned());
        for other in [
            "text/plain",
            "application/xml",
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(check(header::CONTENT_TYPE, other), refused, "{other}");
        }
        assert_eq!(check(header::CONTENT_ENCODING, "gzip"), refused);
        assert_eq!(check(header::CONTENT_ENCODING, "identity"), Ok(()));
        assert_eq!(check_type(&HeaderMap::new()), Ok(()));
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
