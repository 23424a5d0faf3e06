//! Parameters: declared, given or defaulted, and held against their constraints.

use serde_json::{Map, Value, json};

use crate::bounds::Budget;
use crate::document::{Path, given, member};
use crate::error::{TemplateError, quoted};
use crate::evaluate::{Evaluator, Stage, Stop, View};
use crate::frame::Frame;
use crate::functions::kind;
use crate::template::{self, Kind, Template, told};

const USAGE: &str = "Please see https://aka.ms/arm-create-parameter-file for usage details.";

/// The type of a parameter or an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Array,
    Bool,
    Int,
    Object,
    SecureObject,
    SecureString,
    String,
}

impl Type {
    /// In any letter case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "array" => Self::Array,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "object" => Self::Object,
            "secureobject" => Self::SecureObject,
            "securestring" => Self::SecureString,
            "string" => Self::String,
            _ => return None,
        })
    }

    /// As the service answers it (recorded: `String`, `Object`).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Array => "Array",
            Self::Bool => "Bool",
            Self::Int => "Int",
            Self::Object => "Object",
            Self::SecureObject => "SecureObject",
            Self::SecureString => "SecureString",
            Self::String => "String",
        }
    }

    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::SecureObject | Self::SecureString)
    }

    pub(crate) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Bool => value.is_boolean(),
            Self::Int => value.is_i64(),
            Self::Object | Self::SecureObject => value.is_object(),
            Self::SecureString | Self::String => value.is_string(),
        }
    }

    /// The type of a JSON value that is expected for it.
    fn expected(self) -> &'static str {
        match self {
            Self::Array => "Array",
            Self::Bool => "Boolean",
            Self::Int => "Integer",
            Self::Object | Self::SecureObject => "Object",
            Self::SecureString | Self::String => "String",
        }
    }

    /// What is answered for a value of it: a secure one is not told.
    pub(crate) fn answer(self, value: &Value) -> Value {
        if self.is_secure() {
            return json!({"type": self.name()});
        }
        json!({"type": self.name(), "value": value})
    }
}

/// A parameter as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) lower: String,
    pub(crate) kind: Type,
    path: Path,
}

/// Declares all parameters in the frame and gives each its value.
pub(crate) fn settle(
    template: &Template,
    values: &Map<String, Value>,
    frame: &mut Frame,
    budget: &Budget,
) -> Result<(), TemplateError> {
    frame.parameters = declared(template)?;
    let values = without_file(values);
    known_names(template, values, &frame.parameters)?;
    for parameter in frame.parameters.clone() {
        let key = values
            .keys()
            .find(|key| key.eq_ignore_ascii_case(&parameter.name));
        if let Some(value) = key.and_then(|key| values.get(key)) {
            let value = given_value(template, &parameter, value)?;
            check(template, &parameter, value)?;
            frame
                .parameter_values
                .insert(parameter.lower, value.clone());
        }
    }
    defaults(template, frame, budget)
}

/// A parameter file has its parameters one level deeper.
fn without_file(values: &Map<String, Value>) -> &Map<String, Value> {
    let is_file = ["$schema", "contentVersion"]
        .iter()
        .any(|name| values.contains_key(*name));
    let inner = values.get("parameters").and_then(Value::as_object);
    inner.filter(|_| is_file).unwrap_or(values)
}

fn declared(template: &Template) -> Result<Vec<Parameter>, TemplateError> {
    let (section, members) = template.members("parameters");
    let mut parameters = Vec::new();
    for (name, declaration) in members.into_iter().flatten() {
        let path = section.name(name);
        let invalid = |what: &str| {
            let reason = format!(
                "The template parameter '{}' is not valid: {what}. Please see \
                 https://aka.ms/arm-template/#parameters for usage details.",
                quoted(name)
            );
            template.document().invalid(&path, &reason)
        };
        if given(declaration, "$ref").is_some() {
            return Err(invalid("types defined with '$ref' are not supported here"));
        }
        let written = given(declaration, "type").and_then(|(_, kind)| kind.as_str());
        let Some(written) = written else {
            return Err(invalid("it has no 'type'"));
        };
        let Some(kind) = Type::parse(written) else {
            return Err(invalid(&format!("there is no type '{}'", quoted(written))));
        };
        let lower = name.to_ascii_lowercase();
        parameters.push(Parameter {
            name: name.clone(),
            lower,
            kind,
            path,
        });
    }
    Ok(parameters)
}

fn known_names(
    template: &Template,
    values: &Map<String, Value>,
    declared: &[Parameter],
) -> Result<(), TemplateError> {
    let is_known = |name: &str| {
        declared
            .iter()
            .any(|one| one.name.eq_ignore_ascii_case(name))
    };
    let unknown: Vec<&str> = values
        .keys()
        .map(String::as_str)
        .filter(|name| !is_known(name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let supported: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
    let reason = format!(
        "The template parameters '{}' in the parameters file are not valid; they are not present \
         in the original template and can therefore not be provided at deployment time. The only \
         supported parameters for this template are '{}'. Please see \
         https://aka.ms/arm-pass-parameter-values for usage details.",
        quoted(&unknown.join(", ")),
        supported.join(", ")
    );
    Err(template
        .document()
        .invalid(&template.members("parameters").0, &reason))
}

/// What is behind `value`.
fn given_value<'v>(
    template: &Template,
    parameter: &Parameter,
    entry: &'v Value,
) -> Result<&'v Value, TemplateError> {
    if let Some((_, value)) = member(entry, "value") {
        return Ok(value);
    }
    let what = if member(entry, "reference").is_some() {
        "References to secrets of a key vault are not supported here; give the value itself."
    } else {
        "A parameter is given as an object with a 'value'."
    };
    Err(refused(template, parameter, None, what))
}

fn defaults(template: &Template, frame: &mut Frame, budget: &Budget) -> Result<(), TemplateError> {
    for (index, parameter) in frame.parameters.clone().into_iter().enumerate() {
        let make = |frame: &Frame, lower: &str| default(template, frame, lower, index, budget);
        let settled = template::settle(frame, Kind::Parameters, &parameter.lower, &make);
        settled.map_err(|(name, stop)| {
            let reason = told(&stop);
            if stop.expression.is_empty() && stop.path == parameter.path {
                return template.document().invalid(&stop.path, &reason);
            }
            let reason = format!(
                "The template parameter '{name}' is not valid: {reason}. Please see \
                 https://aka.ms/arm-template/#parameters for usage details."
            );
            template.document().invalid(&stop.path, &reason)
        })?;
        if let Some(value) = frame.parameter_values.get(&parameter.lower) {
            let is_null = value.is_null() && is_nullable(template, &parameter);
            if !is_null {
                check(template, &parameter, value)?;
            }
        }
    }
    Ok(())
}

fn is_nullable(template: &Template, parameter: &Parameter) -> bool {
    let declaration = template.document().get(&parameter.path);
    let nullable = declaration.and_then(|declaration| given(declaration, "nullable"));
    nullable.is_some_and(|(_, nullable)| nullable == &Value::Bool(true))
}

/// The default of the parameter with this name.
fn default(
    template: &Template,
    frame: &Frame,
    lower: &str,
    index: usize,
    budget: &Budget,
) -> Result<Value, Stop> {
    let Some(parameter) = frame.parameters.iter().find(|one| one.lower == lower) else {
        return Err(crate::evaluate::broken(
            "there is no such parameter",
            &Path::default(),
        ));
    };
    let declaration = template.document().get(&parameter.path);
    let Some((key, raw)) = declaration.and_then(|declaration| given(declaration, "defaultValue"))
    else {
        if is_nullable(template, parameter) {
            return Ok(Value::Null);
        }
        let (line, column) = template.document().position(&parameter.path);
        let reason = format!(
            "The value for the template parameter '{}' at line '{line}' and column '{column}' is \
             not provided. {USAGE}",
            parameter.name
        );
        return Err(crate::evaluate::broken(reason, &parameter.path));
    };
    let view = View {
        frame,
        stage: Stage::Default,
        runtime: None,
        index: None,
        budget,
    };
    let mut evaluator = Evaluator::new(view, Vec::new());
    // Each parameter has GUIDs of its own.
    evaluator.guids = (index as u64) << 32;
    evaluator.value(raw, &mut parameter.path.name(key))
}

/// The type and the constraints of the declaration.
fn check(template: &Template, parameter: &Parameter, value: &Value) -> Result<(), TemplateError> {
    if !parameter.kind.takes(value) {
        if value.is_null() && is_nullable(template, parameter) {
            return Ok(());
        }
        let what = format!(
            "Expected a value of type '{}', but received a value of type '{}'. {USAGE}",
            parameter.kind.expected(),
            kind(value)
        );
        return Err(refused(template, parameter, None, &what));
    }
    let declaration = template
        .document()
        .get(&parameter.path)
        .unwrap_or(&Value::Null);
    if let Some((_, allowed)) = given(declaration, "allowedValues")
        && !is_allowed(value, allowed.as_array().map_or(&[][..], Vec::as_slice))
    {
        let listed: Vec<String> = allowed
            .as_array()
            .into_iter()
            .flatten()
            .map(shown)
            .collect();
        let what = format!(
            "The parameter value is not part of the allowed value(s): '{}'.",
            quoted(&listed.join(","))
        );
        return Err(refused(template, parameter, Some(value), &what));
    }
    bounds(template, parameter, declaration, value)
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Texts in any letter case; an array, where each of its elements is allowed.
fn is_allowed(value: &Value, allowed: &[Value]) -> bool {
    let alike = |one: &Value| match (one.as_str(), value.as_str()) {
        (Some(one), Some(value)) => one.eq_ignore_ascii_case(value),
        _ => one == value,
    };
    let each = |values: &Vec<Value>| values.iter().all(|value| is_allowed(value, allowed));
    allowed.iter().any(alike) || value.as_array().is_some_and(each)
}

fn bounds(
    template: &Template,
    parameter: &Parameter,
    declaration: &Value,
    value: &Value,
) -> Result<(), TemplateError> {
    let length = match value {
        Value::String(text) => i64::try_from(text.chars().count()).ok(),
        Value::Array(values) => i64::try_from(values.len()).ok(),
        Value::Object(members) => i64::try_from(members.len()).ok(),
        _ => None,
    };
    let number = value.as_i64();
    let checks = [
        (
            "minLength",
            length,
            "Length of the value should be greater than or equal to",
        ),
        (
            "maxLength",
            length,
            "Length of the value should be less than or equal to",
        ),
        (
            "minValue",
            number,
            "The value should be greater than or equal to",
        ),
        (
            "maxValue",
            number,
            "The value should be less than or equal to",
        ),
    ];
    for (name, found, words) in checks {
        let Some((key, bound)) = given(declaration, name) else {
            continue;
        };
        let Some(bound) = bound.as_i64() else {
            let reason = format!("The constraint '{name}' must be of type 'Integer'");
            return Err(template
                .document()
                .invalid(&parameter.path.name(key), &reason));
        };
        let holds = |found: i64| {
            if name.starts_with("min") {
                found >= bound
            } else {
                found <= bound
            }
        };
        if found.is_some_and(|found| !holds(found)) {
            let what = format!("{words} '{bound}'. {USAGE}");
            return Err(refused(template, parameter, None, &what));
        }
    }
    Ok(())
}

/// The value is told only where it is given, and never of a secure parameter.
fn refused(
    template: &Template,
    parameter: &Parameter,
    value: Option<&Value>,
    what: &str,
) -> TemplateError {
    let (line, column) = template.document().position(&parameter.path);
    let value = value.filter(|_| !parameter.kind.is_secure());
    let value = value.map_or_else(String::new, |value| format!(" '{}'", quoted(&shown(value))));
    let reason = format!(
        "The provided value{value} for the template parameter '{}' at line '{line}' and column \
         '{column}' is not valid. {what}",
        parameter.name
    );
    template.document().invalid(&parameter.path, &reason)
}
