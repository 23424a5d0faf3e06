//! How much an evaluation may make, so that a small template cannot make a large one.

use std::cell::Cell;

use serde_json::Value;

use crate::read::MAX_DEPTH;

/// Largest result of one function, and most that the arguments of one call may be together, in
/// bytes (4 MiB: the service's limit for a whole template).
pub const MAX_RESULT_BYTES: usize = 4 * 1024 * 1024;

/// Most that may be made and looked at while a deployment is planned, and again for each body and
/// for the outputs, in bytes. A value counts its text and [`VALUE_BYTES`] for each part of it.
pub const MAX_WORK_BYTES: usize = 64 * 1024 * 1024;

/// What a value weighs beside its text, in bytes.
pub(crate) const VALUE_BYTES: usize = 16;

/// What a call weighs beside its result, in bytes.
pub(crate) const CALL_BYTES: usize = 64;

/// What is left of [`MAX_WORK_BYTES`].
pub(crate) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_WORK_BYTES))
    }
}

impl Budget {
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), String> {
        let Some(left) = self.0.get().checked_sub(bytes) else {
            self.0.set(0);
            return Err(format!(
                "The evaluation makes more than '{MAX_WORK_BYTES}' bytes of values in all."
            ));
        };
        self.0.set(left);
        Ok(())
    }
}

/// The weight of a value.
///
/// # Errors
/// Where it is nested more than [`MAX_DEPTH`] deep or weighs more than [`MAX_RESULT_BYTES`].
pub(crate) fn weigh(value: &Value) -> Result<usize, String> {
    let mut weight = 0;
    add_weight(value, 0, &mut weight)?;
    Ok(weight)
}

fn add_weight(value: &Value, depth: usize, weight: &mut usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("The value is nested more than '{MAX_DEPTH}' deep."));
    }
    *weight += VALUE_BYTES;
    match value {
        Value::String(text) => *weight += text.len(),
        Value::Array(values) => {
            for inner in values {
                add_weight(inner, depth + 1, weight)?;
            }
        }
        Value::Object(members) => {
            for (key, inner) in members {
                *weight += key.len();
                add_weight(inner, depth + 1, weight)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    if *weight > MAX_RESULT_BYTES {
        return Err(too_large());
    }
    Ok(())
}

pub(crate) fn too_large() -> String {
    format!("The value has more than '{MAX_RESULT_BYTES}' bytes.")
}

/// A text that is put together and stops where it would be too large.
#[derive(Default)]
pub(crate) struct BoundedText(String);

impl BoundedText {
    pub(crate) fn push(&mut self, piece: &str) -> Result<(), String> {
        if self.0.len() + piece.len() > MAX_RESULT_BYTES {
            return Err(too_large());
        }
        self.0.push_str(piece);
        Ok(())
    }

    pub(crate) fn into_value(self) -> Value {
        Value::String(self.0)
    }
}
