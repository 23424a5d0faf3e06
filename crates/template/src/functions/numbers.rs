//! Integers of 64 bits; what goes beyond is refused.

use serde_json::{Number, Value};

use super::{Answer, Arguments};

/// Most numbers of a `range` (the service's bound).
const RANGE_MAX: usize = 10_000;

/// Largest number of a `range` (the service's bound).
const RANGE_END_MAX: i64 = i32::MAX as i64;

pub(super) fn add(arguments: &Arguments<'_>) -> Answer {
    arithmetic(arguments, i64::checked_add)
}

pub(super) fn sub(arguments: &Arguments<'_>) -> Answer {
    arithmetic(arguments, i64::checked_sub)
}

pub(super) fn mul(arguments: &Arguments<'_>) -> Answer {
    arithmetic(arguments, i64::checked_mul)
}

/// Towards zero.
pub(super) fn div(arguments: &Arguments<'_>) -> Answer {
    not_by_zero(arguments)?;
    arithmetic(arguments, i64::checked_div)
}

/// With the sign of the dividend.
pub(super) fn r#mod(arguments: &Arguments<'_>) -> Answer {
    not_by_zero(arguments)?;
    arithmetic(arguments, i64::checked_rem)
}

fn not_by_zero(arguments: &Arguments<'_>) -> Result<(), String> {
    match arguments.integer(1)? {
        0 => Err(arguments.fails("the divisor is zero.")),
        _ => Ok(()),
    }
}

fn arithmetic(arguments: &Arguments<'_>, of: fn(i64, i64) -> Option<i64>) -> Answer {
    let result = of(arguments.integer(0)?, arguments.integer(1)?);
    let overflow = || arguments.fails("the result is no integer of 64 bits.");
    result.map(Value::from).ok_or_else(overflow)
}

pub(super) fn min(arguments: &Arguments<'_>) -> Answer {
    extreme(arguments, i64::min)
}

pub(super) fn max(arguments: &Arguments<'_>) -> Answer {
    extreme(arguments, i64::max)
}

/// Of one array, or of all the arguments.
fn extreme(arguments: &Arguments<'_>, of: fn(i64, i64) -> i64) -> Answer {
    let numbers: Vec<i64> = match arguments.value(0)? {
        Value::Array(values) if arguments.len() == 1 => values
            .iter()
            .map(|value| {
                value
                    .as_i64()
                    .ok_or_else(|| arguments.not_a("Integer", 0, value))
            })
            .collect::<Result<_, _>>()?,
        _ => (0..arguments.len())
            .map(|index| arguments.integer(index))
            .collect::<Result<_, _>>()?,
    };
    let nothing = || arguments.fails("the array is empty.");
    numbers
        .into_iter()
        .reduce(of)
        .map(Value::from)
        .ok_or_else(nothing)
}

pub(super) fn range(arguments: &Arguments<'_>) -> Answer {
    let (start, count) = (arguments.integer(0)?, arguments.count(1)?);
    if count > RANGE_MAX {
        let what = format!("the count must not exceed '{RANGE_MAX}'; it is '{count}'.");
        return Err(arguments.fails(&what));
    }
    let end = i64::try_from(count)
        .ok()
        .and_then(|count| start.checked_add(count));
    match end.filter(|end| *end <= RANGE_END_MAX) {
        Some(end) => Ok((start..end).collect()),
        None => Err(arguments.fails("the sum of start and count is too large.")),
    }
}

pub(super) fn int(arguments: &Arguments<'_>) -> Answer {
    let value = arguments.value(0)?;
    let read = match value {
        Value::Number(number) if number.is_f64() => truncated(number),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => return Err(arguments.not_a("String", 0, value)),
    };
    let refused = || arguments.fails("the value is not the text of an integer.");
    read.map(Value::from).ok_or_else(refused)
}

fn truncated(number: &Number) -> Option<i64> {
    let whole = number.as_f64()?.trunc();
    // Between these, the conversion is exact.
    (whole.abs() < 9.0e18).then_some(whole as i64)
}

pub(super) fn float(arguments: &Arguments<'_>) -> Answer {
    let value = arguments.value(0)?;
    let read = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => return Err(arguments.not_a("String", 0, value)),
    };
    let refused = || arguments.fails("the value is not the text of a number.");
    let number = read.and_then(Number::from_f64).ok_or_else(refused)?;
    Ok(Value::Number(number))
}
