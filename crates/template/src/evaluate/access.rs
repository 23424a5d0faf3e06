//! What is inside of a value: `.name`, `['name']`, `[0]`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Evaluator, Outcome, fault};
use crate::error::quoted;
use crate::expression::Node;
use crate::functions::{find_member, kind};

impl<'a> Evaluator<'a> {
    pub(super) fn access(&mut self, of: &Node, key: &Node, safe: bool, at: usize) -> Outcome<'a> {
        let value = self.evaluate(of)?;
        let key = self.evaluate(key)?;
        match (value, key.as_ref()) {
            (value, _) if safe && value.is_null() => Ok(Cow::Owned(Value::Null)),
            (Cow::Borrowed(Value::Object(members)), Value::String(name)) => {
                match find_member(members, name) {
                    Some(inner) => Ok(Cow::Borrowed(inner)),
                    None => absent(members, name, safe, at),
                }
            }
            (Cow::Owned(Value::Object(mut members)), Value::String(name)) => {
                match take_member(&mut members, name) {
                    Some(inner) => Ok(Cow::Owned(inner)),
                    None => absent(&members, name, safe, at),
                }
            }
            (Cow::Borrowed(Value::Array(values)), Value::Number(number)) => {
                match position(number).and_then(|index| values.get(index)) {
                    Some(inner) => Ok(Cow::Borrowed(inner)),
                    None => beyond(number, safe, at),
                }
            }
            (Cow::Owned(Value::Array(mut values)), Value::Number(number)) => {
                match position(number).filter(|index| *index < values.len()) {
                    Some(index) => Ok(Cow::Owned(values.swap_remove(index))),
                    None => beyond(number, safe, at),
                }
            }
            (value, key) => no_way(&value, key, at),
        }
    }
}

fn position(number: &serde_json::Number) -> Option<usize> {
    number
        .as_u64()
        .and_then(|index| usize::try_from(index).ok())
}

fn take_member(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = members.swap_remove(name) {
        return Some(value);
    }
    let other = members
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))?
        .clone();
    members.swap_remove(&other)
}

fn absent<'a>(members: &Map<String, Value>, name: &str, safe: bool, at: usize) -> Outcome<'a> {
    if safe {
        return Ok(Cow::Owned(Value::Null));
    }
    let mut available = String::new();
    for key in members.keys() {
        if !available.is_empty() {
            available.push_str(", ");
        }
        available.push_str(key);
        if quoted(&available) != available {
            break;
        }
    }
    let message = format!(
        "The language expression property '{}' doesn't exist, available properties are '{}'.",
        quoted(name),
        quoted(&available)
    );
    fault(message, at)
}

fn beyond<'a>(number: &serde_json::Number, safe: bool, at: usize) -> Outcome<'a> {
    if safe {
        return Ok(Cow::Owned(Value::Null));
    }
    let message =
        format!("The language expression property array index '{number}' is out of bounds.");
    fault(message, at)
}

fn no_way<'a>(value: &Value, key: &Value, at: usize) -> Outcome<'a> {
    let key_shown = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let message = format!(
        "The language expression property '{}' can't be evaluated: a value of type '{}' has no \
         property of type '{}'.",
        quoted(&key_shown),
        kind(value),
        kind(key)
    );
    fault(message, at)
}
