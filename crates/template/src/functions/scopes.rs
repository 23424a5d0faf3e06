//! Functions of what surrounds an expression: the template's values, the scope of the deployment,
//! the resources that are deployed.

use std::borrow::Cow;

use serde_json::Value;

use super::resources::typed_path;
use super::{Answer, Arguments, dates, digest};
use crate::document::member;
use crate::error::quoted;
use crate::evaluate::{Evaluator, Halt, Outcome, Stage, fault};
use crate::expression::Call;
use crate::plan::Target;

/// The arguments of a call, all of them evaluated.
struct Given<'a> {
    name: &'static str,
    values: Vec<Cow<'a, Value>>,
    at: usize,
}

impl<'a> Given<'a> {
    fn of(
        evaluator: &mut Evaluator<'a>,
        name: &'static str,
        call: &Call,
        at: usize,
    ) -> Result<Self, Halt> {
        let values = evaluator.arguments(&call.arguments)?;
        Ok(Self { name, values, at })
    }

    fn take<'s, T>(
        &'s self,
        of: impl FnOnce(&Arguments<'s>) -> Result<T, String>,
    ) -> Result<T, Halt> {
        of(&Arguments::new(self.name, &self.values)).or_else(|message| fault(message, self.at))
    }

    fn text(&self, index: usize) -> Result<&str, Halt> {
        self.take(|arguments| arguments.text(index))
    }

    fn optional_text(&self, index: usize) -> Result<Option<&str>, Halt> {
        match self.values.get(index).map(|value| value.is_null()) {
            None | Some(true) => Ok(None),
            Some(false) => self.text(index).map(Some),
        }
    }
}

pub(super) fn parameters<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let given = Given::of(evaluator, "parameters", call, at)?;
    let name = given.text(0)?;
    let lower = name.to_ascii_lowercase();
    let unknown = || {
        let message = format!(
            "The template parameter '{}' is not found. Please see \
             https://aka.ms/arm-template/#parameters for usage details.",
            quoted(name)
        );
        fault(message, at)
    };
    if let Some(own) = evaluator.own_arguments() {
        let value = own.get(&lower).cloned();
        return value.map_or_else(unknown, |value| evaluator.made(Ok(value), at));
    }
    let frame = evaluator.view.frame;
    match frame.parameter_values.get(&lower) {
        Some(value) => Ok(Cow::Borrowed(value)),
        None if frame.declares_parameter(&lower) => Err(Halt::NeedsParameter(lower)),
        None => unknown(),
    }
}

pub(super) fn variables<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let in_function = evaluator.own_arguments().is_some();
    if in_function || evaluator.view.stage == Stage::Default {
        return Err(evaluator.not_expected("variables", at));
    }
    let given = Given::of(evaluator, "variables", call, at)?;
    let name = given.text(0)?;
    let lower = name.to_ascii_lowercase();
    let frame = evaluator.view.frame;
    match frame.variables.get(&lower) {
        Some(value) => Ok(Cow::Borrowed(value)),
        None if frame.variable_names.contains(&lower) => Err(Halt::NeedsVariable(lower)),
        None => {
            let message = format!(
                "The template variable '{}' is not found. Please see \
                 https://aka.ms/arm-template/#variables for usage details.",
                quoted(name)
            );
            fault(message, at)
        }
    }
}

/// `copyIndex([loop], [offset])`: without a name, that of the resources' loop.
pub(super) fn copy_index<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let given = Given::of(evaluator, "copyIndex", call, at)?;
    let named = given.values.first().is_some_and(|value| value.is_string());
    let name = if named {
        given.text(0)?.to_ascii_lowercase()
    } else {
        String::new()
    };
    let offset = given.take(|arguments| arguments.integer_or(usize::from(named), 0))?;
    if !named && given.values.len() > 1 {
        return fault(
            given.take(|arguments| {
                Ok(arguments.fails("the first parameter must be the name of a loop."))
            })?,
            at,
        );
    }
    let turns = &evaluator.turns;
    let turn = if named {
        turns.iter().rev().find(|turn| turn.name == name)
    } else {
        let of_resources = turns.iter().rev().find(|turn| turn.of_resources);
        of_resources.or(turns.last())
    };
    let Some(turn) = turn else {
        let message = "The template function 'copyIndex' is not expected at this location. The \
                       function can only be used in a resource or property with copy specified. \
                       Please see https://aka.ms/arm-copy for usage details.";
        return fault(message, at);
    };
    let index = i64::try_from(turn.index)
        .ok()
        .and_then(|index| index.checked_add(offset));
    match index {
        Some(index) => Ok(Cow::Owned(index.into())),
        None => fault("The offset of 'copyIndex' is too large.", at),
    }
}

pub(super) fn subscription<'a>(evaluator: &mut Evaluator<'a>, _: &Call, _: usize) -> Outcome<'a> {
    Ok(Cow::Borrowed(&evaluator.view.frame.subscription))
}

pub(super) fn tenant<'a>(evaluator: &mut Evaluator<'a>, _: &Call, _: usize) -> Outcome<'a> {
    Ok(Cow::Borrowed(&evaluator.view.frame.tenant))
}

pub(super) fn resource_group<'a>(evaluator: &mut Evaluator<'a>, _: &Call, _: usize) -> Outcome<'a> {
    Ok(Cow::Borrowed(&evaluator.view.frame.group))
}

pub(super) fn deployment<'a>(evaluator: &mut Evaluator<'a>, _: &Call, _: usize) -> Outcome<'a> {
    Ok(Cow::Borrowed(&evaluator.view.frame.deployment))
}

pub(super) fn environment<'a>(evaluator: &mut Evaluator<'a>, _: &Call, _: usize) -> Outcome<'a> {
    Ok(Cow::Borrowed(&evaluator.view.frame.scope.environment))
}

pub(super) fn providers<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let given = Given::of(evaluator, "providers", call, at)?;
    let (namespace, kind) = (given.text(0)?, given.optional_text(1)?);
    let named = |value: &Value, key: &str, name: &str| {
        let found = member(value, key).and_then(|(_, value)| value.as_str());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let all = evaluator.view.frame.scope.providers.as_array();
    let mut all = all.into_iter().flatten();
    let provider = all.find(|provider| named(provider, "namespace", namespace));
    let found = match kind {
        None => provider,
        Some(kind) => {
            let types =
                provider.and_then(|provider| member(provider, "resourceTypes")?.1.as_array());
            let mut types = types.into_iter().flatten();
            types.find(|one| named(one, "resourceType", kind))
        }
    };
    match found {
        Some(found) => Ok(Cow::Borrowed(found)),
        None => fault(
            format!(
                "The provider '{}' or its type is not known.",
                quoted(namespace)
            ),
            at,
        ),
    }
}

pub(super) fn new_guid<'a>(evaluator: &mut Evaluator<'a>, _: &Call, at: usize) -> Outcome<'a> {
    if evaluator.view.stage != Stage::Default {
        return Err(only_in_defaults("newGuid", at));
    }
    evaluator.guids += 1;
    let guid = digest::new_guid(evaluator.view.frame.scope.guid_seed, evaluator.guids);
    Ok(Cow::Owned(guid.into()))
}

pub(super) fn utc_now<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    if evaluator.view.stage != Stage::Default {
        return Err(only_in_defaults("utcNow", at));
    }
    let given = Given::of(evaluator, "utcNow", call, at)?;
    let now = evaluator.view.frame.scope.now;
    let written = given
        .take(|arguments| dates::written(arguments, now, arguments.text_or(0, dates::BASIC)?))?;
    Ok(Cow::Owned(written))
}

fn only_in_defaults(name: &str, at: usize) -> Halt {
    let message = format!(
        "The template function '{name}' is not expected at this location. The function can only be \
         used as a default value of a parameter. Please see https://aka.ms/arm-functions for usage \
         details."
    );
    Halt::Fault(crate::expression::Fault { message, at })
}

/// `resourceId([subscription], [group], type, names…)`: the type is the first with a slash.
pub(super) fn resource_id_function<'a>(
    evaluator: &mut Evaluator<'a>,
    call: &Call,
    at: usize,
) -> Outcome<'a> {
    let given = Given::of(evaluator, "resourceId", call, at)?;
    let scope = &evaluator.view.frame.scope;
    let answer = given.take(|arguments| {
        let mut kind_at = 0;
        while kind_at < 2 && !arguments.text(kind_at)?.contains('/') {
            kind_at += 1;
        }
        let own = (
            scope.subscription_id.as_str(),
            scope.resource_group.name.as_str(),
        );
        let (subscription, group) = match kind_at {
            0 => own,
            1 => (own.0, arguments.text(0)?),
            _ => (arguments.text(0)?, arguments.text(1)?),
        };
        let path = typed_path(arguments, kind_at)?;
        Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{path}").into())
    });
    evaluator.made(Ok(answer?), at)
}

pub(super) fn subscription_resource_id<'a>(
    evaluator: &mut Evaluator<'a>,
    call: &Call,
    at: usize,
) -> Outcome<'a> {
    let given = Given::of(evaluator, "subscriptionResourceId", call, at)?;
    let own = &evaluator.view.frame.scope.subscription_id;
    let answer: Result<Value, Halt> = given.take(|arguments| -> Answer {
        let kind_at = usize::from(!arguments.text(0)?.contains('/'));
        let subscription = if kind_at == 0 {
            own
        } else {
            arguments.text(0)?
        };
        let path = typed_path(arguments, kind_at)?;
        Ok(format!("/subscriptions/{subscription}/providers/{path}").into())
    });
    evaluator.made(Ok(answer?), at)
}

/// The id under the group, for a full type and a full name with as many segments.
pub(crate) fn resource_id(group: &str, kind: &str, name: &str) -> Result<String, String> {
    let mut values = vec![Cow::Owned(Value::from(kind))];
    values.extend(
        name.split('/')
            .map(|segment| Cow::Owned(Value::from(segment))),
    );
    let path = typed_path(&Arguments::new("resourceId", &values), 0)?;
    Ok(format!("{group}/providers/{path}"))
}

/// `reference(name or id, [apiVersion], ['Full'])`
pub(super) fn reference<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    evaluator.must_ask_the_runtime("reference", at)?;
    let given = Given::of(evaluator, "reference", call, at)?;
    let (name, version) = (given.text(0)?, given.optional_text(1)?);
    let full = match given.optional_text(2)? {
        None => false,
        Some(form) if form.eq_ignore_ascii_case("full") => true,
        Some(form) => {
            let what = format!(
                "the third parameter must be 'Full'; it is '{}'.",
                quoted(form)
            );
            return fault(given.take(|arguments| Ok(arguments.fails(&what)))?, at);
        }
    };
    let target = target(evaluator, name, version, at)?;
    let Some(runtime) = evaluator.view.runtime else {
        return Err(Halt::Pending);
    };
    let answer = runtime.reference(&target.id, version.or(target.api_version.as_deref()), full);
    evaluator.made(answer, at)
}

/// `list…(name or id, [apiVersion], [body])`
pub(super) fn list<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    evaluator.must_ask_the_runtime(&call.name, at)?;
    let given = Given::of(evaluator, "list*", call, at)?;
    let (name, version) = (given.text(0)?, given.optional_text(1)?);
    let target = target(evaluator, name, None, at)?;
    let Some(runtime) = evaluator.view.runtime else {
        return Err(Halt::Pending);
    };
    let version = version.or(target.api_version.as_deref());
    let body = given.values.get(2).map(|value| value.as_ref());
    evaluator.made(runtime.list(&call.name, &target.id, version, body), at)
}

/// The resource that is meant: one of the template, by name or id, or another, by its id.
///
/// One of the template is noted as mentioned, so that it is deployed before; but not where an id
/// is given together with the version of the API, which asks for what is there already.
fn target(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    version: Option<&str>,
    at: usize,
) -> Result<Target, Halt> {
    let is_id = name.starts_with('/');
    let index = evaluator.view.index;
    let found = index.map(|index| index.resolve(name)).transpose();
    let found = found.or_else(|message| fault(message, at))?.flatten();
    match found {
        Some(found) => {
            if !(is_id && version.is_some()) {
                evaluator.mentioned.extend(found.index);
            }
            Ok(found)
        }
        None if is_id => Ok(Target {
            id: name.to_owned(),
            api_version: None,
            index: None,
        }),
        None => {
            let message = format!(
                "The template reference '{}' is not valid: could not find template resource or \
                 resource copy with this name. Please see https://aka.ms/arm-function-reference \
                 for usage details.",
                quoted(name)
            );
            fault(message, at)
        }
    }
}
