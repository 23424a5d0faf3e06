//! The body of a request, as JSON.

use gatewright_arm::ArmError;
use hyper::header::{self, HeaderMap};
use serde_json::Value;

/// Deepest nesting of a body, in objects and arrays. What is stored has it within other objects,
/// and must stay below what the JSON parser reads, 127.
const DEPTH_MAX: usize = 100;

/// Longest array of a body: more than any collection of the service may have.
const ITEMS_MAX: usize = 10_000;

/// Reads a body strictly, and refuses one that is nested deeper, or has longer arrays, than any
/// resource.
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
        Value::Object(_) => check_size(&value).map(|()| value),
        _ => Err(invalid("a JSON object is expected")),
    }
}

/// Whether a resource may be as deep, and its arrays as long; also one that a template made.
///
/// # Errors
/// When it may not.
pub(crate) fn check_size(value: &Value) -> Result<(), ArmError> {
    check_size_at(value, 1)
}

fn check_size_at(value: &Value, depth: usize) -> Result<(), ArmError> {
    let mut inner = match value {
        Value::Array(items) if items.len() > ITEMS_MAX => {
            let count = items.len();
            return Err(invalid(&format!(
                "an array has {count} items; at most {ITEMS_MAX} are read"
            )));
        }
        Value::Array(_) | Value::Object(_) if depth > DEPTH_MAX => return Err(too_deep()),
        Value::Array(items) => {
            return items
                .iter()
                .try_for_each(|one| check_size_at(one, depth + 1));
        }
        Value::Object(members) => members.values(),
        _ => return Ok(()),
    };
    inner.try_for_each(|one| check_size_at(one, depth + 1))
}

fn too_deep() -> ArmError {
    invalid(&format!(
        "the body is nested deeper than {DEPTH_MAX} levels"
    ))
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
    if why.contains("recursion limit") {
        return too_deep();
    }
    let message =
        format!("The request content was invalid and could not be deserialized: '{why}'.");
    ArmError::front_door("InvalidRequestContent", message)
}

#[cfg(test)]
mod tests {
    use gatewright_store::{Entry, Key, Revision};

    use super::*;
    use crate::resources::document::Document;

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
    fn long_arrays_are_refused() {
        let body = |items: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(items - 1));
        assert!(json(body(ITEMS_MAX).as_bytes()).is_ok());
        let error = json(body(ITEMS_MAX + 1).as_bytes()).unwrap_err();
        assert!(error.message.contains("10001 items"), "{}", error.message);
    }

    /// What is taken can be read back, whatever it is stored within.
    #[test]
    fn the_deepest_body_comes_back() {
        let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(json(deep(DEPTH_MAX + 1).as_bytes()).is_err());
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/t";
        let id = gatewright_arm::ResourceId::parse(id).unwrap();
        let body = json(deep(DEPTH_MAX).as_bytes()).unwrap();
        let document = Document::new(id, body);
        let entry = Entry {
            key: Key::new("resource/t").unwrap(),
            value: document.to_bytes().into(),
            created: Revision(1),
            modified: Revision(1),
        };
        assert_eq!(Document::read(&entry).unwrap().body, document.body);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let error = json(deep.as_bytes()).unwrap_err();
        assert!(
            error.message.contains("deeper than 100"),
            "{}",
            error.message
        );
    }
}
