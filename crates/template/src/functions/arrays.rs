//! Arrays, and what texts and objects have in common with them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::objects::find;
use super::texts::folded;
use super::{Answer, Arguments, formatting};
use crate::bounds::BoundedText;

pub(super) fn array(arguments: &Arguments<'_>) -> Answer {
    match arguments.value(0)? {
        whole @ Value::Array(_) => Ok(whole.clone()),
        one => Ok(Value::Array(vec![one.clone()])),
    }
}

pub(super) fn create_array(arguments: &Arguments<'_>) -> Answer {
    Ok(arguments.all().cloned().collect())
}

/// Of arrays, or of texts, numbers and booleans.
pub(super) fn concat(arguments: &Arguments<'_>) -> Answer {
    if arguments.value(0)?.is_array() {
        let mut whole = Vec::new();
        for index in 0..arguments.len() {
            whole.extend(arguments.array(index)?.iter().cloned());
        }
        return Ok(Value::Array(whole));
    }
    let mut whole = BoundedText::default();
    for (index, value) in arguments.all().enumerate() {
        match value {
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(arguments.not_a("String", index, value));
            }
            scalar => whole.push(&formatting::text_of(scalar))?,
        }
    }
    Ok(whole.into_value())
}

pub(super) fn length(arguments: &Arguments<'_>) -> Answer {
    match arguments.value(0)? {
        Value::Array(values) => Ok(values.len().into()),
        Value::Object(members) => Ok(members.len().into()),
        Value::String(text) => Ok(text.chars().count().into()),
        other => Err(arguments.not_a("Array", 0, other)),
    }
}

pub(super) fn empty(arguments: &Arguments<'_>) -> Answer {
    let is_empty = match arguments.value(0)? {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        other => return Err(arguments.not_a("Array", 0, other)),
    };
    Ok(Value::Bool(is_empty))
}

/// A part of a text, an element of an array (both in the same letter case), or a member of an
/// object (in any).
pub(super) fn contains(arguments: &Arguments<'_>) -> Answer {
    let wanted = arguments.value(1)?;
    let found = match arguments.value(0)? {
        Value::String(text) => match wanted {
            Value::String(_) | Value::Number(_) => text.contains(&formatting::text_of(wanted)),
            other => return Err(arguments.not_a("String", 1, other)),
        },
        Value::Array(values) => values.contains(wanted),
        Value::Object(members) => find(members, arguments.text(1)?).is_some(),
        other => return Err(arguments.not_a("Array", 0, other)),
    };
    Ok(Value::Bool(found))
}

pub(super) fn first(arguments: &Arguments<'_>) -> Answer {
    match arguments.value(0)? {
        Value::Array(values) => Ok(values.first().cloned().unwrap_or_default()),
        Value::String(text) => Ok(text.chars().take(1).collect::<String>().into()),
        other => Err(arguments.not_a("Array", 0, other)),
    }
}

pub(super) fn last(arguments: &Arguments<'_>) -> Answer {
    match arguments.value(0)? {
        Value::Array(values) => Ok(values.last().cloned().unwrap_or_default()),
        Value::String(text) => Ok(text
            .chars()
            .next_back()
            .map(String::from)
            .unwrap_or_default()
            .into()),
        other => Err(arguments.not_a("Array", 0, other)),
    }
}

/// As many as there are, where more are asked for; none where the number is negative.
pub(super) fn take(arguments: &Arguments<'_>) -> Answer {
    let count = usize::try_from(arguments.integer(1)?).unwrap_or_default();
    match arguments.value(0)? {
        Value::Array(values) => Ok(values.iter().take(count).cloned().collect()),
        Value::String(text) => Ok(text.chars().take(count).collect::<String>().into()),
        other => Err(arguments.not_a("Array", 0, other)),
    }
}

pub(super) fn skip(arguments: &Arguments<'_>) -> Answer {
    let count = usize::try_from(arguments.integer(1)?).unwrap_or_default();
    match arguments.value(0)? {
        Value::Array(values) => Ok(values.iter().skip(count).cloned().collect()),
        Value::String(text) => Ok(text.chars().skip(count).collect::<String>().into()),
        other => Err(arguments.not_a("Array", 0, other)),
    }
}

/// -1 where there is none. Texts are searched in any letter case, as documented.
pub(super) fn index_of(arguments: &Arguments<'_>) -> Answer {
    position(
        arguments,
        |text, part| text.find(part),
        |values, wanted| values.iter().position(|value| value == wanted),
    )
}

pub(super) fn last_index_of(arguments: &Arguments<'_>) -> Answer {
    position(
        arguments,
        |text, part| text.rfind(part),
        |values, wanted| values.iter().rposition(|value| value == wanted),
    )
}

fn position(
    arguments: &Arguments<'_>,
    in_text: fn(&str, &str) -> Option<usize>,
    in_array: fn(&[Value], &Value) -> Option<usize>,
) -> Answer {
    let found = match arguments.value(0)? {
        Value::Array(values) => in_array(values, arguments.value(1)?),
        Value::String(text) => {
            let (text, part) = (folded(text), folded(arguments.text(1)?));
            let bytes = in_text(&text, &part);
            bytes.map(|at| text.get(..at).unwrap_or_default().chars().count())
        }
        other => return Err(arguments.not_a("Array", 0, other)),
    };
    let found = found.and_then(|at| i64::try_from(at).ok());
    Ok(found.unwrap_or(-1).into())
}

pub(super) fn join(arguments: &Arguments<'_>) -> Answer {
    let (values, delimiter) = (arguments.array(0)?, arguments.text(1)?);
    let mut whole = BoundedText::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            whole.push(delimiter)?;
        }
        whole.push(&formatting::text_of(value))?;
    }
    Ok(whole.into_value())
}

/// Of arrays, one after the other.
pub(super) fn flatten(arguments: &Arguments<'_>) -> Answer {
    let mut whole = Vec::new();
    for value in arguments.array(0)? {
        let Value::Array(inner) = value else {
            return Err(arguments.not_a("Array", 0, value));
        };
        whole.extend(inner.iter().cloned());
    }
    Ok(Value::Array(whole))
}

/// Of arrays without repetition, or of objects: the later one's members win, and objects in
/// objects are merged alike.
pub(super) fn union(arguments: &Arguments<'_>) -> Answer {
    if arguments.value(0)?.is_array() {
        let mut seen = HashSet::new();
        let mut whole = Vec::new();
        for index in 0..arguments.len() {
            for value in arguments.array(index)? {
                if seen.insert(value.to_string()) {
                    whole.push(value.clone());
                }
            }
        }
        return Ok(Value::Array(whole));
    }
    let mut whole = Map::new();
    for index in 0..arguments.len() {
        merge(&mut whole, arguments.object(index)?);
    }
    Ok(Value::Object(whole))
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// What all of them have; of objects, the members that are equal in all.
pub(super) fn intersection(arguments: &Arguments<'_>) -> Answer {
    if arguments.value(0)?.is_array() {
        let mut common = arguments.array(0)?.clone();
        for index in 1..arguments.len() {
            let other: HashSet<String> = arguments
                .array(index)?
                .iter()
                .map(Value::to_string)
                .collect();
            common.retain(|value| other.contains(&value.to_string()));
        }
        let mut seen = HashSet::new();
        common.retain(|value| seen.insert(value.to_string()));
        return Ok(Value::Array(common));
    }
    let mut common = arguments.object(0)?.clone();
    for index in 1..arguments.len() {
        let other = arguments.object(index)?;
        common.retain(|key, value| other.get(key) == Some(&*value));
    }
    Ok(Value::Object(common))
}
