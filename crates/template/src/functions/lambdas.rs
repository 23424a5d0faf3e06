//! Functions that take a function: `map(a, lambda('x', add(lambdaVariables('x'), 1)))`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Arguments, formatting};
use crate::bounds::weigh;
use crate::evaluate::{Evaluator, Halt, Outcome, fault};
use crate::expression::{Call, Node, NodeKind};

/// A `lambda(…)` among the arguments.
struct Lambda<'n> {
    /// In lower case.
    variables: Vec<String>,
    body: &'n Node,
}

impl<'n> Lambda<'n> {
    fn of(call: &'n Call, index: usize, at: usize) -> Result<Self, Halt> {
        let refused = || {
            let message = format!(
                "The template language function '{}' expects a lambda with texts for its \
                 variables.",
                call.name
            );
            fault(message, at)
        };
        let Some(Node {
            kind: NodeKind::Call(lambda),
            ..
        }) = call.arguments.get(index)
        else {
            return refused();
        };
        let Some((body, names)) = lambda.arguments.split_last() else {
            return refused();
        };
        if !lambda.name.eq_ignore_ascii_case("lambda") {
            return refused();
        }
        let mut variables = Vec::new();
        for name in names {
            match &name.kind {
                NodeKind::Text(name) => variables.push(name.to_ascii_lowercase()),
                _ => return refused(),
            }
        }
        Ok(Self { variables, body })
    }

    /// The value for these arguments; those that the lambda has no variable for are left out.
    fn apply<'a>(
        &self,
        evaluator: &mut Evaluator<'a>,
        values: Vec<Value>,
        at: usize,
    ) -> Result<Value, Halt> {
        let before = evaluator.locals.len();
        if values.len() < self.variables.len() {
            return fault("The lambda has more variables than there are values.", at);
        }
        for (name, value) in self.variables.iter().zip(values) {
            let weight = weigh(&value).or_else(|message| fault(message, at))?;
            evaluator.charge(weight, at)?;
            evaluator.locals.push((name.clone(), value));
        }
        let outcome = evaluator.evaluate(self.body).map(Cow::into_owned);
        evaluator.locals.truncate(before);
        outcome.and_then(|value| evaluator.made(Ok(value), at).map(Cow::into_owned))
    }
}

pub(super) fn out_of_place<'a>(_: &mut Evaluator<'a>, _: &Call, at: usize) -> Outcome<'a> {
    fault(
        "The template function 'lambda' is not expected at this location.",
        at,
    )
}

pub(super) fn lambda_variables<'a>(
    evaluator: &mut Evaluator<'a>,
    call: &Call,
    at: usize,
) -> Outcome<'a> {
    let values = evaluator.arguments(&call.arguments)?;
    let name = Arguments::new("lambdaVariables", &values).text(0);
    let name = name
        .or_else(|message| fault(message, at))?
        .to_ascii_lowercase();
    let local = evaluator
        .locals
        .iter()
        .rev()
        .find(|(known, _)| *known == name);
    match local.map(|(_, value)| value.clone()) {
        Some(value) => evaluator.made(Ok(value), at),
        None => fault(format!("The lambda variable '{name}' is not found."), at),
    }
}

/// The first argument, which has to be an array.
fn array<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Result<Vec<Value>, Halt> {
    let first = call.arguments.get(..1).unwrap_or_default();
    let values = evaluator.arguments(first)?;
    let array = Arguments::new(&call.name, &values).array(0).cloned();
    let array = array.or_else(|message| fault(message, at))?;
    let weight = weigh(&Value::Null).unwrap_or_default() * array.len();
    evaluator.charge(weight, at)?;
    Ok(array)
}

fn boolean(call: &Call, value: &Value, at: usize) -> Result<bool, Halt> {
    let message = || {
        format!(
            "The lambda of the template language function '{}' must return a value of type \
             'Boolean'.",
            call.name
        )
    };
    value.as_bool().map_or_else(|| fault(message(), at), Ok)
}

pub(super) fn map<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (values, lambda) = (array(evaluator, call, at)?, Lambda::of(call, 1, at)?);
    let mut results = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        results.push(lambda.apply(evaluator, vec![value, index.into()], at)?);
    }
    evaluator.made(Ok(Value::Array(results)), at)
}

pub(super) fn filter<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (values, lambda) = (array(evaluator, call, at)?, Lambda::of(call, 1, at)?);
    let mut results = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let kept = lambda.apply(evaluator, vec![value.clone(), index.into()], at)?;
        if boolean(call, &kept, at)? {
            results.push(value);
        }
    }
    evaluator.made(Ok(Value::Array(results)), at)
}

pub(super) fn reduce<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (values, lambda) = (array(evaluator, call, at)?, Lambda::of(call, 2, at)?);
    let initial = call.arguments.get(1..2).unwrap_or_default();
    let mut result = evaluator
        .arguments(initial)?
        .pop()
        .map(Cow::into_owned)
        .unwrap_or_default();
    for (index, value) in values.into_iter().enumerate() {
        result = lambda.apply(evaluator, vec![result, value, index.into()], at)?;
    }
    evaluator.made(Ok(result), at)
}

/// By a lambda that says whether its first argument comes before its second. Equals keep their
/// order, and a lambda that contradicts itself gives some order.
pub(super) fn sort<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (mut values, lambda) = (array(evaluator, call, at)?, Lambda::of(call, 1, at)?);
    let mut width = 1;
    while width < values.len() {
        let mut merged = Vec::with_capacity(values.len());
        let mut rest = values.into_iter().peekable();
        while rest.peek().is_some() {
            let left: Vec<Value> = rest.by_ref().take(width).collect();
            let right: Vec<Value> = rest.by_ref().take(width).collect();
            let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
            while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
                let pair = vec![second.clone(), first.clone()];
                let later_first = lambda.apply(evaluator, pair, at)?;
                let next = if boolean(call, &later_first, at)? {
                    &mut right
                } else {
                    &mut left
                };
                merged.extend(next.next());
            }
            merged.extend(left.chain(right));
        }
        values = merged;
        width *= 2;
    }
    evaluator.made(Ok(Value::Array(values)), at)
}

/// A member for each element: the name from the first lambda, the value from the second.
pub(super) fn to_object<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (values, key) = (array(evaluator, call, at)?, Lambda::of(call, 1, at)?);
    let value_of = if call.arguments.len() > 2 {
        Some(Lambda::of(call, 2, at)?)
    } else {
        None
    };
    let mut members = Map::new();
    for value in values {
        let name = key.apply(evaluator, vec![value.clone()], at)?;
        let value = match &value_of {
            Some(lambda) => lambda.apply(evaluator, vec![value], at)?,
            None => value,
        };
        members.insert(member_name(call, &name, at)?, value);
    }
    evaluator.made(Ok(Value::Object(members)), at)
}

pub(super) fn group_by<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let (values, key) = (array(evaluator, call, at)?, Lambda::of(call, 1, at)?);
    let mut members = Map::new();
    for (index, value) in values.into_iter().enumerate() {
        let name = key.apply(evaluator, vec![value.clone(), index.into()], at)?;
        let group = members.entry(member_name(call, &name, at)?);
        if let Value::Array(group) = group.or_insert_with(|| Value::Array(Vec::new())) {
            group.push(value);
        }
    }
    evaluator.made(Ok(Value::Object(members)), at)
}

fn member_name(call: &Call, name: &Value, at: usize) -> Result<String, Halt> {
    match name {
        Value::String(_) | Value::Number(_) => Ok(formatting::text_of(name)),
        _ => {
            let message = format!(
                "The lambda of the template language function '{}' must return the name of a \
                 property.",
                call.name
            );
            fault(message, at)
        }
    }
}

pub(super) fn map_values<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let lambda = Lambda::of(call, 1, at)?;
    let values = evaluator.arguments(call.arguments.get(..1).unwrap_or_default())?;
    let members = Arguments::new("mapValues", &values).object(0).cloned();
    let mut members = members.or_else(|message| fault(message, at))?;
    for value in members.values_mut() {
        *value = lambda.apply(evaluator, vec![value.take()], at)?;
    }
    evaluator.made(Ok(Value::Object(members)), at)
}
