//! A template as a document: its sections, and what its frame is made of.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::bounds::Budget;
use crate::document::{Document, Path, given};
use crate::error::{TemplateError, quoted};
use crate::evaluate::{Halt, Stop};
use crate::frame::{Frame, UserFunction};
use crate::functions::digest64;
use crate::parameters::Type;
use crate::scope::Scope;
use crate::{parameters, variables};

/// Most parameters of a template (the service's bound).
pub const MAX_PARAMETERS: usize = 256;

/// Most variables of a template (the service's bound).
pub const MAX_VARIABLES: usize = 512;

/// Most outputs of a template (the service's bound).
pub const MAX_OUTPUTS: usize = 64;

/// The sections that a template may have.
const SECTIONS: &[&str] = &[
    "$schema",
    "apiProfile",
    "contentVersion",
    "definitions",
    "functions",
    "languageVersion",
    "metadata",
    "outputs",
    "parameters",
    "resources",
    "variables",
];

/// A deployment template whose sections have the right form.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    document: Document,
}

impl Template {
    /// Takes a document as a template.
    ///
    /// # Errors
    /// Where it is no object, has no `resources`, or has sections that are not known, too long or
    /// of another form.
    pub fn read(document: Document) -> Result<Self, TemplateError> {
        let template = Self { document };
        template.check_sections()?;
        template.check_lengths()?;
        Ok(template)
    }

    /// As [`Template::read`], of a value without positions.
    ///
    /// # Errors
    /// See [`Template::read`].
    pub fn from_value(value: Value) -> Result<Self, TemplateError> {
        let document = Document::without_positions(value);
        Self::read(document.moved_to(&["properties", "template"]))
    }

    /// A number that is the same for the same template, whatever its comments and line breaks.
    /// It is not the service's own, which is made in a way that is not documented.
    pub fn hash(&self) -> String {
        digest64(&self.text()).to_string()
    }

    fn text(&self) -> String {
        self.document.value().to_string()
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// A section that is there and not null, and its path.
    pub(crate) fn section(&self, name: &str) -> Option<(Path, &Value)> {
        let (key, value) = given(self.document.value(), name)?;
        Some((Path::to(&[key]), value))
    }

    /// The members of a section; none where there is no such section.
    pub(crate) fn members(&self, name: &str) -> (Path, Option<&Map<String, Value>>) {
        match self.section(name) {
            Some((path, value)) => (path, value.as_object()),
            None => (Path::to(&[name]), None),
        }
    }

    fn check_sections(&self) -> Result<(), TemplateError> {
        let root = Path::default();
        let Some(members) = self.document.value().as_object() else {
            let reason = "The template must be an object";
            return Err(self.document.invalid(&root, reason));
        };
        for name in members.keys() {
            if SECTIONS
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
            {
                continue;
            }
            let reason = match name.to_ascii_lowercase().as_str() {
                "imports" | "extensions" => {
                    format!("The template section '{name}' is not supported here")
                }
                _ => format!(
                    "Could not find member '{}' on object of type 'Template'",
                    quoted(name)
                ),
            };
            return Err(self.document.invalid(&root.name(name), &reason));
        }
        let resources = self.section("resources").map(|(_, value)| value);
        match resources {
            None => {
                let reason = "Required property 'resources' not found in JSON";
                Err(self.document.invalid(&root, reason))
            }
            Some(Value::Array(_) | Value::Object(_)) => self.check_objects(),
            Some(_) => {
                let reason = "The template section 'resources' must be an array or an object";
                Err(self.document.invalid(&Path::to(&["resources"]), reason))
            }
        }
    }

    fn check_objects(&self) -> Result<(), TemplateError> {
        for name in ["parameters", "variables", "outputs"] {
            if let Some((path, value)) = self.section(name)
                && !value.is_object()
            {
                let reason = format!("The template section '{name}' must be an object");
                return Err(self.document.invalid(&path, &reason));
            }
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), TemplateError> {
        let bounds = [
            ("parameters", MAX_PARAMETERS),
            ("variables", MAX_VARIABLES),
            ("outputs", MAX_OUTPUTS),
        ];
        for (name, most) in bounds {
            let (path, members) = self.members(name);
            let found = members.map_or(0, Map::len);
            if found > most {
                let reason = format!(
                    "The number of template {name} limit exceeded. Limit: '{most}' and actual: \
                     '{found}'. Please see https://aka.ms/arm-template/#{name} for usage details."
                );
                return Err(self.document.invalid(&path, &reason));
            }
        }
        Ok(())
    }
}

/// The frame of a template: its parameters, variables and functions in this scope.
pub(crate) fn frame(
    template: &Template,
    given: &Map<String, Value>,
    scope: Arc<Scope>,
    budget: &Budget,
) -> Result<Frame, TemplateError> {
    let text = template.text();
    // A nested template in a loop is looked at again and again: its text, and the copy that
    // `deployment()` answers with.
    let charged = budget.charge(2 * text.len());
    charged.map_err(|reason| template.document().invalid(&Path::default(), &reason))?;
    let mut deployment = json!({
        "name": scope.deployment_name,
        "properties": {
            "template": without_secrets(template.document().value()),
            "templateHash": digest64(&text).to_string(),
            "mode": "Incremental",
            "provisioningState": "Accepted",
        },
    });
    if let Some(location) = &scope.location {
        deployment["location"] = location.as_str().into();
    }
    let mut frame = Frame::new(scope, deployment);
    functions(template, &mut frame)?;
    parameters::settle(template, given, &mut frame, budget)?;
    variables::settle(template, &mut frame, budget)?;
    Ok(frame)
}

/// A template as it was given, but for the defaults of secure parameters, here and in the templates
/// inside of it: what a template says of itself may be in an answer.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(without_secrets).collect(),
        Value::Object(members) => {
            let kind = given(value, "type").and_then(|(_, kind)| Type::parse(kind.as_str()?));
            let is_secure = kind.is_some_and(Type::is_secure);
            let is_secret = |name: &str| SECRETS.iter().any(|one| name.eq_ignore_ascii_case(one));
            let shown = members
                .iter()
                .filter(|(name, _)| !is_secure || !is_secret(name));
            let shown = shown.map(|(name, inner)| (name.clone(), without_secrets(inner)));
            Value::Object(shown.collect())
        }
        plain => plain.clone(),
    }
}

/// Members of a secure parameter that may hold values of it.
const SECRETS: &[&str] = &["allowedValues", "defaultValue"];

/// `functions: [{namespace, members: {name: {parameters: […], output: {type, value}}}}]`
fn functions(template: &Template, frame: &mut Frame) -> Result<(), TemplateError> {
    let Some((path, section)) = template.section("functions") else {
        return Ok(());
    };
    let malformed = |path: &Path, what: &str| {
        let reason = format!("The template function definition is not valid: {what}");
        template.document().invalid(path, &reason)
    };
    let Some(namespaces) = section.as_array() else {
        return Err(malformed(&path, "the section 'functions' must be an array"));
    };
    for (index, one) in namespaces.iter().enumerate() {
        let path = path.index(index);
        let namespace = given(one, "namespace").and_then(|(_, name)| name.as_str());
        let members = given(one, "members").and_then(|(_, members)| members.as_object());
        let (Some(namespace), Some(members)) = (namespace, members) else {
            return Err(malformed(&path, "it has a 'namespace' and 'members'"));
        };
        for (name, definition) in members {
            let output = given(definition, "output").and_then(|(_, output)| given(output, "value"));
            let Some((_, output)) = output else {
                let path = path.name("members").name(name);
                return Err(malformed(&path, "it has an 'output' with a 'value'"));
            };
            let listed = given(definition, "parameters").and_then(|(_, listed)| listed.as_array());
            let names = listed.into_iter().flatten();
            let names = names.filter_map(|one| given(one, "name")?.1.as_str());
            let function = UserFunction {
                parameters: names.map(str::to_ascii_lowercase).collect(),
                output: output.clone(),
            };
            let full_name = format!("{namespace}.{name}").to_ascii_lowercase();
            frame.functions.insert(full_name, function);
        }
    }
    Ok(())
}

/// Which values of a frame are being made.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Parameters,
    Variables,
}

impl Kind {
    fn values(self, frame: &mut Frame) -> &mut std::collections::HashMap<String, Value> {
        match self {
            Self::Parameters => &mut frame.parameter_values,
            Self::Variables => &mut frame.variables,
        }
    }
}

/// Makes the value of `name` (in lower case) and first those that it needs, without recursion: one
/// that lacks another is put aside until that is there.
///
/// # Errors
/// The name of the value that is faulty, with what is wrong.
pub(crate) fn settle(
    frame: &mut Frame,
    kind: Kind,
    name: &str,
    make: &dyn Fn(&Frame, &str) -> Result<Value, Stop>,
) -> Result<(), (String, Stop)> {
    let mut waiting = vec![name.to_owned()];
    while let Some(next) = waiting.last().cloned() {
        if kind.values(frame).contains_key(&next) {
            waiting.pop();
            continue;
        }
        match make(frame, &next) {
            Ok(value) => {
                kind.values(frame).insert(next, value);
                waiting.pop();
            }
            Err(Stop {
                halt: Halt::NeedsParameter(needed) | Halt::NeedsVariable(needed),
                path,
                ..
            }) if waiting.contains(&needed) => {
                let reason = format!("The evaluation of '{next}' needs '{needed}', which needs it");
                return Err((next, crate::evaluate::broken(reason, &path)));
            }
            Err(Stop {
                halt: Halt::NeedsParameter(needed) | Halt::NeedsVariable(needed),
                ..
            }) => {
                waiting.push(needed);
            }
            Err(stop) => return Err((next, stop)),
        }
    }
    Ok(())
}

/// What a stop says, with the place in the expression.
pub(crate) fn told(stop: &Stop) -> String {
    match &stop.halt {
        Halt::Fault(fault) if stop.expression.is_empty() => fault.message.clone(),
        Halt::Fault(fault) => format!(
            "{} (character {} of '{}')",
            fault.message,
            fault.at + 1,
            quoted(&stop.expression)
        ),
        Halt::Pending => "The value depends on a resource that is not deployed yet.".to_owned(),
        Halt::NeedsParameter(name) | Halt::NeedsVariable(name) => {
            format!("'{name}' has no value at this location.")
        }
    }
}
