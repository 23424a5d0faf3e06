//! The arguments of one call, taken by type, with the service's complaint where it is another.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What a function answers; `Err` with a sentence.
pub(crate) type Answer = Result<Value, String>;

pub(crate) struct Arguments<'v> {
    name: &'v str,
    values: &'v [Cow<'v, Value>],
}

const ORDINALS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];

impl<'v> Arguments<'v> {
    /// `name` is that of the function in the service's casing.
    pub(crate) fn new(name: &'v str, values: &'v [Cow<'v, Value>]) -> Self {
        Self { name, values }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &'v Value> {
        self.values.iter().map(|value| value.as_ref())
    }

    pub(crate) fn get(&self, index: usize) -> Option<&'v Value> {
        self.values.get(index).map(|value| value.as_ref())
    }

    pub(crate) fn value(&self, index: usize) -> Result<&'v Value, String> {
        let missing = || self.fails(&format!("the {} parameter is missing.", ordinal(index)));
        self.get(index).ok_or_else(missing)
    }

    pub(crate) fn text(&self, index: usize) -> Result<&'v str, String> {
        let value = self.value(index)?;
        value
            .as_str()
            .ok_or_else(|| self.not_a("String", index, value))
    }

    /// The text at `index`, or `default` where there are fewer arguments.
    pub(crate) fn text_or(&self, index: usize, default: &'v str) -> Result<&'v str, String> {
        if index < self.len() {
            self.text(index)
        } else {
            Ok(default)
        }
    }

    pub(crate) fn integer(&self, index: usize) -> Result<i64, String> {
        let value = self.value(index)?;
        value
            .as_i64()
            .ok_or_else(|| self.not_a("Integer", index, value))
    }

    pub(crate) fn integer_or(&self, index: usize, default: i64) -> Result<i64, String> {
        if index < self.len() {
            self.integer(index)
        } else {
            Ok(default)
        }
    }

    /// An integer that is a count or a position: not negative.
    pub(crate) fn count(&self, index: usize) -> Result<usize, String> {
        let number = self.integer(index)?;
        usize::try_from(number).map_err(|_| {
            let which = ordinal(index);
            self.fails(&format!(
                "the {which} parameter must not be negative; it is '{number}'."
            ))
        })
    }

    pub(crate) fn boolean(&self, index: usize) -> Result<bool, String> {
        let value = self.value(index)?;
        value
            .as_bool()
            .ok_or_else(|| self.not_a("Boolean", index, value))
    }

    pub(crate) fn array(&self, index: usize) -> Result<&'v Vec<Value>, String> {
        let value = self.value(index)?;
        value
            .as_array()
            .ok_or_else(|| self.not_a("Array", index, value))
    }

    pub(crate) fn object(&self, index: usize) -> Result<&'v Map<String, Value>, String> {
        let value = self.value(index)?;
        value
            .as_object()
            .ok_or_else(|| self.not_a("Object", index, value))
    }

    /// The complaint that the argument has another type than `expected`.
    pub(crate) fn not_a(&self, expected: &str, index: usize, found: &Value) -> String {
        format!(
            "The template language function '{}' expects its {} parameter to be of type \
             '{expected}'. The provided value is of type '{}'. Please see {} for usage details.",
            self.name,
            ordinal(index),
            kind(found),
            self.link()
        )
    }

    /// `what` is the rest of a sentence.
    pub(crate) fn fails(&self, what: &str) -> String {
        format!(
            "Unable to evaluate template language function '{}': {what} Please see {} for usage \
             details.",
            self.name,
            self.link()
        )
    }

    fn link(&self) -> String {
        link(self.name)
    }
}

pub(crate) fn link(name: &str) -> String {
    format!("https://aka.ms/arm-functions#{}", name.to_ascii_lowercase())
}

fn ordinal(index: usize) -> String {
    let beyond = || format!("{}th", index + 1);
    ORDINALS
        .get(index)
        .map_or_else(beyond, |name| (*name).to_owned())
}

/// The service's name for the type of a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}
