//! Truth, comparison, choice.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Answer, Arguments};

pub(super) fn r#true(_: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(true))
}

pub(super) fn r#false(_: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(false))
}

pub(super) fn null(_: &Arguments<'_>) -> Answer {
    Ok(Value::Null)
}

pub(super) fn not(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(!arguments.boolean(0)?))
}

pub(super) fn bool(arguments: &Arguments<'_>) -> Answer {
    let value = arguments.value(0)?;
    let read = match value {
        Value::Bool(itself) => Some(*itself),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) if text == "1" || text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text == "0" || text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    let refused = || arguments.fails("the value is neither a boolean nor the text of one.");
    read.map(Value::Bool).ok_or_else(refused)
}

/// Texts are equal in the same letter case only.
pub(super) fn equals(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(arguments.value(0)? == arguments.value(1)?))
}

pub(super) fn less(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(compare(arguments)?.is_lt()))
}

pub(super) fn less_or_equals(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(compare(arguments)?.is_le()))
}

pub(super) fn greater(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(compare(arguments)?.is_gt()))
}

pub(super) fn greater_or_equals(arguments: &Arguments<'_>) -> Answer {
    Ok(Value::Bool(compare(arguments)?.is_ge()))
}

/// Two integers, or two texts by their characters.
fn compare(arguments: &Arguments<'_>) -> Result<Ordering, String> {
    match arguments.value(0)? {
        Value::String(first) => Ok(first.as_str().cmp(arguments.text(1)?)),
        _ => Ok(arguments.integer(0)?.cmp(&arguments.integer(1)?)),
    }
}
