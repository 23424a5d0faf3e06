//! Functions that do not look at all of their arguments.
//!
//! What decides is looked at first; what it decides against is not evaluated, so that
//! `if(contains(a, 'b'), a.b, '')` has a value.

use std::borrow::Cow;

use serde_json::Value;

use super::Arguments;
use crate::evaluate::{Evaluator, Halt, Outcome, fault};
use crate::expression::{Call, Node};

pub(super) fn r#if<'a>(evaluator: &mut Evaluator<'a>, call: &Call, at: usize) -> Outcome<'a> {
    let [condition, yes, no] = call.arguments.as_slice() else {
        return fault("The function 'if' takes three parameters.", at);
    };
    match truth(evaluator, "if", condition, 0) {
        Ok(true) => evaluator.evaluate(yes),
        Ok(false) => evaluator.evaluate(no),
        Err(Halt::Pending) => {
            // Which one it will be is not known: only which resources they mention matters now.
            for branch in [yes, no] {
                drop(evaluator.evaluate(branch));
            }
            Err(Halt::Pending)
        }
        Err(other) => Err(other),
    }
}

pub(super) fn and<'a>(evaluator: &mut Evaluator<'a>, call: &Call, _: usize) -> Outcome<'a> {
    until(evaluator, "and", call, false)
}

pub(super) fn or<'a>(evaluator: &mut Evaluator<'a>, call: &Call, _: usize) -> Outcome<'a> {
    until(evaluator, "or", call, true)
}

fn until<'a>(
    evaluator: &mut Evaluator<'a>,
    name: &str,
    call: &Call,
    decisive: bool,
) -> Outcome<'a> {
    for (index, argument) in call.arguments.iter().enumerate() {
        if truth(evaluator, name, argument, index)? == decisive {
            return Ok(Cow::Owned(Value::Bool(decisive)));
        }
    }
    Ok(Cow::Owned(Value::Bool(!decisive)))
}

fn truth(evaluator: &mut Evaluator<'_>, name: &str, node: &Node, at: usize) -> Result<bool, Halt> {
    let value = evaluator.evaluate(node)?;
    let refused = || Arguments::new(name, &[]).not_a("Boolean", at, &value);
    value
        .as_bool()
        .map_or_else(|| fault(refused(), node.at), Ok)
}

pub(super) fn coalesce<'a>(evaluator: &mut Evaluator<'a>, call: &Call, _: usize) -> Outcome<'a> {
    for argument in &call.arguments {
        let value = evaluator.evaluate(argument)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Cow::Owned(Value::Null))
}
