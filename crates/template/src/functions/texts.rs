//! Texts. Positions and lengths count characters.

use serde_json::Value;

use super::{Answer, Arguments};
use crate::bounds::{BoundedText, MAX_RESULT_BYTES, VALUE_BYTES, too_large};

pub(super) fn to_lower(arguments: &Arguments<'_>) -> Answer {
    Ok(arguments.text(0)?.to_lowercase().into())
}

pub(super) fn to_upper(arguments: &Arguments<'_>) -> Answer {
    Ok(arguments.text(0)?.to_uppercase().into())
}

pub(super) fn trim(arguments: &Arguments<'_>) -> Answer {
    Ok(arguments.text(0)?.trim().into())
}

/// In any letter case, as documented.
pub(super) fn starts_with(arguments: &Arguments<'_>) -> Answer {
    let (text, part) = (folded(arguments.text(0)?), folded(arguments.text(1)?));
    Ok(Value::Bool(text.starts_with(&part)))
}

/// In any letter case, as documented.
pub(super) fn ends_with(arguments: &Arguments<'_>) -> Answer {
    let (text, part) = (folded(arguments.text(0)?), folded(arguments.text(1)?));
    Ok(Value::Bool(text.ends_with(&part)))
}

/// For comparison in any letter case; one character for each.
pub(super) fn folded(text: &str) -> String {
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    text.chars().map(lower).collect()
}

pub(super) fn replace(arguments: &Arguments<'_>) -> Answer {
    let (text, old, new) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if old.is_empty() {
        return Err(arguments.fails("the text to be replaced must not be empty."));
    }
    let mut result = BoundedText::default();
    for (index, piece) in text.split(old).enumerate() {
        if index > 0 {
            result.push(new)?;
        }
        result.push(piece)?;
    }
    Ok(result.into_value())
}

pub(super) fn substring(arguments: &Arguments<'_>) -> Answer {
    let text = arguments.text(0)?;
    let (start, whole) = (arguments.count(1)?, text.chars().count());
    let length = match arguments.len() {
        2 => whole.saturating_sub(start),
        _ => arguments.count(2)?,
    };
    if start.saturating_add(length) > whole {
        return Err(arguments.fails(&format!(
            "the index and length parameters must refer to a location within the string. The index \
             parameter: '{start}', the length parameter: '{length}', the length of the string \
             parameter: '{whole}'."
        )));
    }
    let taken: String = text.chars().skip(start).take(length).collect();
    Ok(taken.into())
}

pub(super) fn pad_left(arguments: &Arguments<'_>) -> Answer {
    let text = match arguments.value(0)? {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() => number.to_string(),
        other => return Err(arguments.not_a("String", 0, other)),
    };
    let width = arguments.count(1)?;
    let mut padding = arguments.text_or(2, " ")?.chars();
    let (Some(padding), None) = (padding.next(), padding.next()) else {
        return Err(arguments.fails("the padding must be one character."));
    };
    let missing = width.saturating_sub(text.chars().count());
    if missing.saturating_mul(padding.len_utf8()) > MAX_RESULT_BYTES {
        return Err(too_large());
    }
    let mut result: String = std::iter::repeat_n(padding, missing).collect();
    result.push_str(&text);
    Ok(result.into())
}

/// At a text, or at each of several.
pub(super) fn split(arguments: &Arguments<'_>) -> Answer {
    let text = arguments.text(0)?;
    let mut delimiters: Vec<&str> = match arguments.value(1)? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => return Err(arguments.not_a("String", 1, other)),
    };
    delimiters.retain(|delimiter| !delimiter.is_empty());
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((at, length)) = next_delimiter(rest, &delimiters) {
        if pieces.len() * VALUE_BYTES > MAX_RESULT_BYTES {
            return Err(too_large());
        }
        pieces.push(Value::from(rest.get(..at).unwrap_or_default()));
        rest = rest.get(at + length..).unwrap_or_default();
    }
    pieces.push(rest.into());
    Ok(Value::Array(pieces))
}

/// Where the first of them stands, and its length.
fn next_delimiter(text: &str, delimiters: &[&str]) -> Option<(usize, usize)> {
    let found = delimiters
        .iter()
        .filter_map(|delimiter| Some((text.find(delimiter)?, delimiter.len())));
    found.min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length)))
}
