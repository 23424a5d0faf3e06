//! Values with expressions in them: texts, names of members, and property loops.

use serde_json::{Map, Value};

use super::{Evaluator, Halt, Stop, Turn};
use crate::bounds::VALUE_BYTES;
use crate::document::{Path, given, member};
use crate::expression::{Fault, Meaning, meaning};
use crate::functions::kind;

/// Most turns of a copy loop (the service's bound).
pub const MAX_COPIES: usize = 800;

/// Most property loops around a value.
const NESTED_LOOPS_MAX: usize = 16;

impl<'a> Evaluator<'a> {
    /// The value with everything in it evaluated. `path` is where it stands.
    ///
    /// Without a runtime, what asks one stays as it is, and `pending` is set.
    pub(crate) fn value(&mut self, raw: &Value, path: &mut Path) -> Result<Value, Stop> {
        let charged = self.charge(VALUE_BYTES, 0);
        charged.map_err(|halt| stop(halt, path, ""))?;
        // The template's own depth is bounded by its reader; a function may return into itself.
        let in_function = self.own_arguments().is_some() && (raw.is_array() || raw.is_object());
        if in_function {
            self.go_deeper(0).map_err(|halt| stop(halt, path, ""))?;
        }
        let value = self.any_value(raw, path);
        self.depth -= usize::from(in_function);
        value
    }

    fn any_value(&mut self, raw: &Value, path: &mut Path) -> Result<Value, Stop> {
        match raw {
            Value::String(text) => self.text(text, path),
            Value::Array(values) => {
                let mut result = Vec::with_capacity(values.len());
                for (index, inner) in values.iter().enumerate() {
                    path.push_index(index);
                    result.push(self.value(inner, path)?);
                    path.pop();
                }
                Ok(Value::Array(result))
            }
            Value::Object(members) => self.members(members, path, &[]).map(Value::Object),
            scalar => Ok(scalar.clone()),
        }
    }

    /// Notes the resources that the expressions in a value mention, whatever else they say: for a
    /// nested template, which is checked with what is in it.
    pub(crate) fn look_for_mentions(&mut self, raw: &Value) {
        match raw {
            Value::String(text) => {
                if let Meaning::Expression(expression) = meaning(text) {
                    drop(self.expression(expression));
                }
            }
            Value::Array(values) => values
                .iter()
                .for_each(|inner| self.look_for_mentions(inner)),
            Value::Object(members) => members
                .values()
                .for_each(|inner| self.look_for_mentions(inner)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A text that may be an expression.
    pub(crate) fn text(&mut self, text: &str, path: &Path) -> Result<Value, Stop> {
        let expression = match meaning(text) {
            Meaning::Literal(literal) => {
                let charged = self.charge(literal.len(), 0);
                charged.map_err(|halt| stop(halt, path, ""))?;
                return Ok(literal.into());
            }
            Meaning::Expression(expression) => expression,
        };
        let made = self.expression(expression).and_then(|value| {
            // What was borrowed is copied here, and so is paid for here.
            self.made(Ok(value.into_owned()), 0)
        });
        match made {
            Ok(value) => Ok(value.into_owned()),
            Err(Halt::Pending) => {
                self.pending = true;
                Ok(text.into())
            }
            Err(halt) => Err(stop(halt, path, expression)),
        }
    }

    /// All members but those with these names, in any letter case.
    pub(crate) fn members(
        &mut self,
        members: &Map<String, Value>,
        path: &mut Path,
        without: &[&str],
    ) -> Result<Map<String, Value>, Stop> {
        let mut result = Map::new();
        for (name, raw) in members {
            if without.iter().any(|other| name.eq_ignore_ascii_case(other)) {
                continue;
            }
            path.push_name(name);
            if let Some(loops) = property_loops(name, raw) {
                for (index, one) in loops.iter().enumerate() {
                    path.push_index(index);
                    let (name, values) = self.property_loop(one, path)?;
                    result.insert(name, values);
                    path.pop();
                }
            } else {
                let name = self.name(name, path)?;
                let value = self.value(raw, path)?;
                result.insert(name, value);
            }
            path.pop();
        }
        Ok(result)
    }

    /// The name of a member, which may be an expression.
    fn name(&mut self, name: &str, path: &Path) -> Result<String, Stop> {
        match self.text(name, path)? {
            Value::String(name) => Ok(name),
            other => {
                let what = format!(
                    "The name of a property must be of type 'String'; the expression is of type \
                     '{}'.",
                    kind(&other)
                );
                Err(broken(what, path))
            }
        }
    }

    /// `{name, count, input}`: the name of a property, and its array.
    pub(crate) fn property_loop(
        &mut self,
        one: &Value,
        path: &mut Path,
    ) -> Result<(String, Value), Stop> {
        let (_, name) = required(one, "name", path)?;
        let name = match self.value(name, path)? {
            Value::String(name) => name,
            other => {
                let what = format!(
                    "The name of a copy loop must be of type 'String', not '{}'.",
                    kind(&other)
                );
                return Err(broken(what, path));
            }
        };
        let count = self.count(one, path)?;
        let (key, input) = required(one, "input", path)?;
        let around = self.turns.iter().filter(|turn| !turn.of_resources).count();
        if around >= NESTED_LOOPS_MAX {
            let what = format!("More than '{NESTED_LOOPS_MAX}' copy loops inside each other.");
            return Err(broken(what, path));
        }
        path.push_name(key);
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let name = name.to_ascii_lowercase();
            self.turns.push(Turn {
                name,
                index,
                of_resources: false,
            });
            let value = self.value(input, path);
            self.turns.pop();
            values.push(value?);
        }
        path.pop();
        Ok((name, Value::Array(values)))
    }

    /// The `count` of a loop.
    pub(crate) fn count(&mut self, of: &Value, path: &mut Path) -> Result<usize, Stop> {
        let (key, raw) = required(of, "count", path)?;
        path.push_name(key);
        let value = self.value(raw, path)?;
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        let Some(count) = count.filter(|count| *count <= MAX_COPIES) else {
            let what = format!(
                "The template copy count must be an integer from '0' to '{MAX_COPIES}'. Please see \
                 https://aka.ms/arm-copy for usage details."
            );
            return Err(broken(what, path));
        };
        path.pop();
        Ok(count)
    }
}

/// The loops under a member `copy`, where it has their form and is not just called so.
fn property_loops<'v>(name: &str, raw: &'v Value) -> Option<&'v Vec<Value>> {
    let loops = raw
        .as_array()
        .filter(|_| name.eq_ignore_ascii_case("copy"))?;
    let is_loop = |one: &Value| member(one, "name").is_some() && member(one, "input").is_some();
    (!loops.is_empty() && loops.iter().all(is_loop)).then_some(loops)
}

fn required<'v>(of: &'v Value, name: &str, path: &Path) -> Result<(&'v str, &'v Value), Stop> {
    given(of, name).ok_or_else(|| {
        let what = format!("Required property '{name}' not found in JSON. Path '{path}'.");
        broken(what, path)
    })
}

pub(crate) fn stop(halt: Halt, path: &Path, expression: &str) -> Stop {
    Stop {
        halt,
        path: path.clone(),
        expression: expression.to_owned(),
    }
}

/// A fault that is not in an expression.
pub(crate) fn broken(message: impl Into<String>, path: &Path) -> Stop {
    stop(
        Halt::Fault(Fault {
            message: message.into(),
            at: 0,
        }),
        path,
        "",
    )
}
