//! The outputs of a deployment.

use serde_json::{Map, Value, json};

use super::{Plan, faults};
use crate::bounds::{Budget, weigh};
use crate::document::{Path, given};
use crate::error::TemplateError;
use crate::evaluate::{Evaluator, Stage, Stop, Turn, broken};
use crate::functions::kind as kind_of;
use crate::parameters::Type;
use crate::scope::Runtime;
use crate::template::Template;

use super::answers::camel_case;

impl Plan {
    /// The outputs as the service answers them: `{"name": {"type": "String", "value": …}}`, names
    /// with a small letter at the beginning, secure ones without a value.
    ///
    /// # Errors
    /// A fault of the template, which may only show now, or what the runtime refuses.
    pub fn outputs(&self, runtime: &dyn Runtime) -> Result<Map<String, Value>, TemplateError> {
        self.all_outputs(Some(runtime), &Budget::default())
    }

    /// Everything about the outputs that can be checked before a resource is there.
    pub(super) fn check_outputs(&self, budget: &Budget) -> Result<(), TemplateError> {
        self.all_outputs(None, budget).map(drop)
    }

    fn all_outputs(
        &self,
        runtime: Option<&dyn Runtime>,
        budget: &Budget,
    ) -> Result<Map<String, Value>, TemplateError> {
        let shared = &self.shared;
        let mut outputs = Map::new();
        let template = Template::read(shared.document.clone())?;
        let (section, members) = template.members("outputs");
        for (name, raw) in members.into_iter().flatten() {
            let mut evaluator = shared.evaluator(Stage::Output, runtime, &shared.turns, budget);
            let output = output(&mut evaluator, raw, &section.name(name));
            let output = output.map_err(|stop| faults::output(&shared.document, name, &stop))?;
            if let Some(output) = output {
                outputs.insert(camel_case(name), output);
            }
        }
        Ok(outputs)
    }
}

/// `None` where its condition does not hold, or cannot be told yet.
fn output(evaluator: &mut Evaluator<'_>, raw: &Value, path: &Path) -> Result<Option<Value>, Stop> {
    let Some(Value::String(written)) = given(raw, "type").map(|(_, written)| written) else {
        return Err(broken("it has no 'type'", path));
    };
    let Some(kind) = Type::parse(written) else {
        return Err(broken(
            format!("there is no type '{}'", crate::error::quoted(written)),
            path,
        ));
    };
    if let Some((key, condition)) = given(raw, "condition") {
        let path = path.name(key);
        let condition = evaluator.value(condition, &mut path.clone())?;
        if evaluator.pending {
            return Ok(None);
        }
        match condition {
            Value::Bool(true) => {}
            Value::Bool(false) => return Ok(None),
            _ => return Err(broken("the condition must be of type 'Boolean'", &path)),
        }
    }
    let value = match given(raw, "copy") {
        Some((key, copy)) => turns(evaluator, copy, &path.name(key))?,
        None => {
            let Some((key, value)) = crate::document::member(raw, "value") else {
                return Err(broken("it has no 'value'", path));
            };
            evaluator.value(value, &mut path.name(key))?
        }
    };
    if evaluator.pending {
        return Ok(Some(json!({"type": kind.name()})));
    }
    if !kind.takes(&value) && !value.is_null() {
        let what = format!(
            "expected a value of type '{}', but received a value of type '{}'",
            kind.name(),
            kind_of(&value)
        );
        return Err(broken(what, path));
    }
    Ok(Some(kind.answer(&value)))
}

/// `copy: {count, input}`
fn turns(evaluator: &mut Evaluator<'_>, copy: &Value, path: &Path) -> Result<Value, Stop> {
    let count = evaluator.count(copy, &mut path.clone())?;
    let Some((key, input)) = given(copy, "input") else {
        return Err(broken("a copy loop must have an 'input'", path));
    };
    let mut values = Vec::new();
    for index in 0..count {
        evaluator.turns.push(Turn {
            name: String::new(),
            index,
            of_resources: false,
        });
        let value = evaluator.value(input, &mut path.name(key));
        evaluator.turns.pop();
        values.push(value?);
    }
    let value = Value::Array(values);
    weigh(&value).map_err(|message| broken(message, path))?;
    Ok(value)
}
