//! URIs: put together, escaped, read back.

use super::{Answer, Arguments};

/// A relative reference against a base, as RFC 3986 §5.2 has it for what templates write: a path,
/// with or without a slash at its beginning, or a whole URI.
pub(super) fn uri(arguments: &Arguments<'_>) -> Answer {
    let (base, relative) = (arguments.text(0)?, arguments.text(1)?);
    let refused = || arguments.fails("the base must be a URI such as 'https://example.com/a/'.");
    if relative
        .split_once("://")
        .is_some_and(|(scheme, _)| is_scheme(scheme))
    {
        return Ok(relative.into());
    }
    let (scheme, rest) = base.split_once("://").ok_or_else(refused)?;
    if !is_scheme(scheme) {
        return Err(refused());
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let folder = match path.rfind('/') {
        _ if relative.starts_with('/') => "",
        Some(last) => path.get(..=last).unwrap_or_default(),
        None => "/",
    };
    let end = relative.find(['?', '#']).unwrap_or(relative.len());
    let (relative_path, query) = relative.split_at(end);
    let path = without_dots(&format!("{folder}{relative_path}"));
    Ok(format!("{scheme}://{host}{path}{query}").into())
}

fn is_scheme(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
    first
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// RFC 3986 §5.2.4 for a path that begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let end = if is_folder && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

pub(super) fn uri_component(arguments: &Arguments<'_>) -> Answer {
    let mut escaped = String::new();
    for byte in arguments.text(0)?.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(escaped.into())
}

pub(super) fn uri_component_to_string(arguments: &Arguments<'_>) -> Answer {
    let refused = || arguments.fails("the value is not a URI component in UTF-8.");
    Ok(unescaped(arguments.text(0)?).ok_or_else(refused)?.into())
}

/// A `%` without two hexadecimal digits means itself.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let hexadecimal = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let escaped = hexadecimal.and_then(|two| u8::from_str_radix(two, 16).ok());
        match escaped.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}
