//! Objects. Their members are found in any letter case.

use serde_json::{Map, Value, json};

use super::{Answer, Arguments};

/// The member with this name: in its own letter case, or else in another.
pub(crate) fn find<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).or_else(|| {
        let mut members = members.iter();
        let (_, value) = members.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    })
}

/// Of names and values by turns.
pub(super) fn create_object(arguments: &Arguments<'_>) -> Answer {
    if !arguments.len().is_multiple_of(2) {
        return Err(arguments.fails("it takes a value for each name."));
    }
    let mut members = Map::new();
    for index in (0..arguments.len()).step_by(2) {
        let name = arguments.text(index)?;
        members.insert(name.to_owned(), arguments.value(index + 1)?.clone());
    }
    Ok(Value::Object(members))
}

/// `{key, value}` of each member, in the order of the keys.
pub(super) fn items(arguments: &Arguments<'_>) -> Answer {
    let mut members: Vec<(&String, &Value)> = arguments.object(0)?.iter().collect();
    members.sort_by_cached_key(|(key, _)| (key.to_lowercase(), (*key).clone()));
    let item = |(key, value): (&String, &Value)| json!({"key": key, "value": value});
    Ok(members.into_iter().map(item).collect())
}

pub(super) fn object_keys(arguments: &Arguments<'_>) -> Answer {
    Ok(arguments.object(0)?.keys().cloned().collect())
}

/// Of an array of objects: the later one's members win as they are.
pub(super) fn shallow_merge(arguments: &Arguments<'_>) -> Answer {
    let mut whole = Map::new();
    for value in arguments.array(0)? {
        let Value::Object(members) = value else {
            return Err(arguments.not_a("Array", 0, value));
        };
        whole.extend(
            members
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    Ok(Value::Object(whole))
}

/// What is behind these names and indices, or null where there is nothing.
pub(super) fn try_get(arguments: &Arguments<'_>) -> Answer {
    let mut value = arguments.value(0)?;
    for key in arguments.all().skip(1) {
        let inner = match (value, key) {
            (Value::Object(members), Value::String(name)) => find(members, name),
            (Value::Array(values), Value::Number(number)) => {
                let index = number
                    .as_u64()
                    .and_then(|index| usize::try_from(index).ok());
                index.and_then(|index| values.get(index))
            }
            _ => None,
        };
        let Some(inner) = inner else {
            return Ok(Value::Null);
        };
        value = inner;
    }
    Ok(value.clone())
}
