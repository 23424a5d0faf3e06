//! Values as texts.

use serde_json::Value;

use super::{Answer, Arguments};
use crate::bounds::BoundedText;

/// Widest a value may be padded, and most digits that may be asked for.
const WIDTH_MAX: usize = 4096;

pub(super) fn string(arguments: &Arguments<'_>) -> Answer {
    Ok(text_of(arguments.value(0)?).into())
}

/// A text as it is, a boolean as `True` or `False`, null as nothing, anything else as JSON.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `{index[,width][:form]}` becomes that argument, `{{` and `}}` are braces. Forms of numbers: `D`,
/// `N`, `F`, `X` with digits, and a mask of zeros.
pub(super) fn format(arguments: &Arguments<'_>) -> Answer {
    let mut rest = arguments.text(0)?;
    let mut result = BoundedText::default();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        result.push(before)?;
        if brace.starts_with("{{") || brace.starts_with("}}") {
            result.push(brace.get(..1).unwrap_or_default())?;
            rest = brace.get(2..).unwrap_or_default();
            continue;
        }
        let inner = brace
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let Some((item, after)) = inner else {
            return Err(arguments.fails("a brace of the format string has no partner."));
        };
        result.push(&formatted(arguments, item)?)?;
        rest = after;
    }
    result.push(rest)?;
    Ok(result.into_value())
}

fn formatted(arguments: &Arguments<'_>, item: &str) -> Result<String, String> {
    let refused = || arguments.fails(&format!("'{{{item}}}' is no item of a format string."));
    let (place, form) = item.split_once(':').unwrap_or((item, ""));
    let (index, width) = place.split_once(',').unwrap_or((place, "0"));
    let index: usize = index.trim().parse().map_err(|_| refused())?;
    let width: i64 = width.trim().parse().map_err(|_| refused())?;
    let beyond = || arguments.fails(&format!("'{{{item}}}' names no argument."));
    let value = index
        .checked_add(1)
        .and_then(|at| arguments.get(at))
        .ok_or_else(beyond)?;
    let text = match value {
        Value::Number(_) if !form.is_empty() => number(value, form).ok_or_else(refused)?,
        other => text_of(other),
    };
    let columns = usize::try_from(width.unsigned_abs()).map_err(|_| refused())?;
    if columns > WIDTH_MAX {
        return Err(refused());
    }
    Ok(if width < 0 {
        format!("{text:<columns$}")
    } else {
        format!("{text:>columns$}")
    })
}

/// `None` where the form is not one that is made here.
fn number(value: &Value, form: &str) -> Option<String> {
    if form.bytes().all(|byte| byte == b'0') && form.len() <= WIDTH_MAX {
        return Some(integer(value.as_i64()?, form.len()));
    }
    let kind = form.chars().next()?;
    let digits = form.get(kind.len_utf8()..)?;
    let digits: Option<usize> = if digits.is_empty() {
        None
    } else {
        Some(digits.parse().ok()?)
    };
    if digits.is_some_and(|digits| digits > WIDTH_MAX) {
        return None;
    }
    match kind {
        'D' | 'd' => Some(integer(value.as_i64()?, digits.unwrap_or_default())),
        'N' | 'n' => Some(grouped(&decimals(value, digits.unwrap_or(2))?)),
        'F' | 'f' => decimals(value, digits.unwrap_or(2)),
        'X' => Some(format!(
            "{:0width$X}",
            value.as_i64()?,
            width = digits.unwrap_or_default()
        )),
        'x' => Some(format!(
            "{:0width$x}",
            value.as_i64()?,
            width = digits.unwrap_or_default()
        )),
        _ => None,
    }
}

fn integer(number: i64, digits: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0digits$}", number.unsigned_abs())
}

fn decimals(value: &Value, digits: usize) -> Option<String> {
    match value.as_i64() {
        Some(whole) if digits == 0 => Some(whole.to_string()),
        Some(whole) => Some(format!("{whole}.{}", "0".repeat(digits))),
        None => Some(format!("{:.digits$}", value.as_f64()?)),
    }
}

/// With a comma after each three digits of the whole part.
fn grouped(number: &str) -> String {
    let (sign, number) = number
        .strip_prefix('-')
        .map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut result = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    if !fraction.is_empty() {
        result.push('.');
        result.push_str(fraction);
    }
    result
}
