//! Evaluation of expressions, and of values that have expressions in them.

mod access;
mod walk;

pub use walk::MAX_COPIES;
pub(crate) use walk::broken;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Number, Value};

use crate::bounds::{Budget, CALL_BYTES, MAX_RESULT_BYTES, too_large, weigh};
use crate::document::Path;
use crate::expression::{Call, Fault, Node, NodeKind, parse};
use crate::frame::Frame;
use crate::functions::{self, Arguments, Function, Run};
use crate::plan::Index;
use crate::scope::Runtime;

/// Deepest evaluation: calls in arguments, in lambdas and in user functions together, and the
/// objects and arrays that user functions return.
pub const MAX_EVALUATION_DEPTH: usize = 128;

/// What is evaluated: it decides which functions may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The default of a parameter.
    Default,
    Variable,
    /// What decides which resources there are: names, conditions, counts, dependencies.
    Head,
    Body,
    Output,
}

impl Stage {
    /// Whether what is deployed already may be asked for.
    fn asks_the_runtime(self) -> bool {
        matches!(self, Self::Body | Self::Output)
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Fault(Fault),
    /// It asks the runtime, and there is none.
    Pending,
    /// It needs a parameter or a variable (in lower case) that was not evaluated yet.
    NeedsParameter(String),
    NeedsVariable(String),
}

/// Why a value could not be evaluated, and where in its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) halt: Halt,
    pub(crate) path: Path,
    /// The expression; empty where the fault is not in one.
    pub(crate) expression: String,
}

pub(crate) type Outcome<'a> = Result<Cow<'a, Value>, Halt>;

/// One turn of a copy loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Of the loop, in lower case.
    pub(crate) name: String,
    pub(crate) index: usize,
    /// Of a loop of resources, not of a property.
    pub(crate) of_resources: bool,
}

/// What an evaluator can see.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) stage: Stage,
    pub(crate) runtime: Option<&'a dyn Runtime>,
    pub(crate) index: Option<&'a Index>,
    pub(crate) budget: &'a Budget,
}

pub(crate) struct Evaluator<'a> {
    pub(crate) view: View<'a>,
    /// The innermost is the last.
    pub(crate) turns: Vec<Turn>,
    /// The variables of the lambdas around, in lower case.
    pub(crate) locals: Vec<(String, Value)>,
    /// The arguments of the user functions around.
    calls: Vec<HashMap<String, Value>>,
    depth: usize,
    /// Resources of the template that were asked for, by index.
    pub(crate) mentioned: Vec<usize>,
    /// Something was left as it is, because it asks the runtime.
    pub(crate) pending: bool,
    pub(crate) guids: u64,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(view: View<'a>, turns: Vec<Turn>) -> Self {
        Self {
            view,
            turns,
            locals: Vec::new(),
            calls: Vec::new(),
            depth: 0,
            mentioned: Vec::new(),
            pending: false,
            guids: 0,
        }
    }

    /// An expression with its brackets.
    pub(crate) fn expression(&mut self, text: &str) -> Outcome<'a> {
        let node = parse(text).map_err(Halt::Fault)?;
        self.charge(text.len(), 0)?;
        if self.view.runtime.is_none() {
            self.verify(&node).map_err(Halt::Fault)?;
        }
        self.evaluate(&node)
    }

    /// Whether every function that is called exists and takes so many arguments; also where the
    /// call is not reached.
    fn verify(&self, node: &Node) -> Result<(), Fault> {
        match &node.kind {
            NodeKind::Text(_) | NodeKind::Integer(_) | NodeKind::Float(_) => Ok(()),
            NodeKind::Access { of, key, .. } => {
                self.verify(of)?;
                self.verify(key)
            }
            NodeKind::Call(call) => {
                if !self.is_user_function(call) {
                    builtin(call).map_err(|message| Fault {
                        message,
                        at: node.at,
                    })?;
                }
                call.arguments
                    .iter()
                    .try_for_each(|argument| self.verify(argument))
            }
        }
    }

    pub(crate) fn evaluate(&mut self, node: &Node) -> Outcome<'a> {
        if self.depth == MAX_EVALUATION_DEPTH {
            let message =
                format!("The evaluation is nested more than '{MAX_EVALUATION_DEPTH}' calls deep.");
            return fault(message, node.at);
        }
        self.depth += 1;
        let outcome = match &node.kind {
            NodeKind::Text(text) => Ok(Cow::Owned(Value::String(text.clone()))),
            NodeKind::Integer(number) => Ok(Cow::Owned(Value::from(*number))),
            NodeKind::Float(number) => {
                let number = Number::from_f64(*number).map_or(Value::Null, Value::Number);
                Ok(Cow::Owned(number))
            }
            NodeKind::Access { of, key, safe } => self.access(of, key, *safe, node.at),
            NodeKind::Call(call) => self.call(call, node.at),
        };
        self.depth -= 1;
        outcome
    }

    /// One level down, if there is one. The caller takes it back.
    fn go_deeper(&mut self, at: usize) -> Result<(), Halt> {
        if self.depth == MAX_EVALUATION_DEPTH {
            let message =
                format!("The evaluation is nested more than '{MAX_EVALUATION_DEPTH}' calls deep.");
            return fault(message, at);
        }
        self.depth += 1;
        Ok(())
    }

    fn call(&mut self, call: &Call, at: usize) -> Outcome<'a> {
        self.charge(CALL_BYTES, at)?;
        if self.is_user_function(call) {
            return self.user_function(call, at);
        }
        let function = builtin(call).map_err(|message| Halt::Fault(Fault { message, at }))?;
        match function.run {
            Run::Within(run) => run(self, call, at),
            Run::Plain(run) => {
                let values = self.arguments(&call.arguments)?;
                self.weigh_all(&values, at)?;
                let answer = run(&Arguments::new(function.name, &values));
                self.made(answer, at)
            }
        }
    }

    /// The values of all arguments. Where one of them asks the runtime, the others are looked at
    /// all the same: they may be wrong too, or mention resources.
    pub(crate) fn arguments(&mut self, nodes: &[Node]) -> Result<Vec<Cow<'a, Value>>, Halt> {
        let mut values = Vec::with_capacity(nodes.len());
        let mut pending = false;
        for node in nodes {
            match self.evaluate(node) {
                Ok(value) => values.push(value),
                Err(Halt::Pending) => pending = true,
                Err(other) => return Err(other),
            }
        }
        if pending {
            Err(Halt::Pending)
        } else {
            Ok(values)
        }
    }

    fn weigh_all(&self, values: &[Cow<'a, Value>], at: usize) -> Result<(), Halt> {
        let mut together = 0;
        for value in values {
            together += weigh(value).map_err(|message| Halt::Fault(Fault { message, at }))?;
        }
        if together > MAX_RESULT_BYTES {
            return Err(Halt::Fault(Fault {
                message: too_large(),
                at,
            }));
        }
        self.charge(together, at)
    }

    /// What a function has made, if it is not too much.
    pub(crate) fn made(&self, answer: Result<Value, String>, at: usize) -> Outcome<'a> {
        let weighed = answer.and_then(|value| Ok((weigh(&value)?, value)));
        match weighed {
            Ok((weight, value)) => {
                self.charge(weight, at)?;
                Ok(Cow::Owned(value))
            }
            Err(message) => fault(message, at),
        }
    }

    pub(crate) fn charge(&self, bytes: usize, at: usize) -> Result<(), Halt> {
        let charged = self.view.budget.charge(bytes);
        charged.map_err(|message| Halt::Fault(Fault { message, at }))
    }

    /// Whether the runtime may be asked here.
    pub(crate) fn must_ask_the_runtime(&self, name: &str, at: usize) -> Result<(), Halt> {
        if self.view.stage.asks_the_runtime() && self.calls.is_empty() {
            return Ok(());
        }
        Err(self.not_expected(name, at))
    }

    pub(crate) fn not_expected(&self, name: &str, at: usize) -> Halt {
        let message = format!(
            "The template function '{name}' is not expected at this location. Please see \
             https://aka.ms/arm-functions for usage details."
        );
        Halt::Fault(Fault { message, at })
    }

    /// The arguments of the user function around, if there is one.
    pub(crate) fn own_arguments(&self) -> Option<&HashMap<String, Value>> {
        self.calls.last()
    }

    fn is_user_function(&self, call: &Call) -> bool {
        let namespace = call.namespace.as_deref();
        namespace.is_some_and(|namespace| !namespace.eq_ignore_ascii_case("sys"))
    }

    fn user_function(&mut self, call: &Call, at: usize) -> Outcome<'a> {
        let namespace = call.namespace.as_deref().unwrap_or_default();
        let full_name = format!("{namespace}.{}", call.name);
        let frame = self.view.frame;
        let Some(function) = frame.functions.get(&full_name.to_ascii_lowercase()) else {
            let message = format!(
                "The template function '{full_name}' is not valid. Please see \
                 https://aka.ms/arm-functions for usage details."
            );
            return fault(message, at);
        };
        let values = self.arguments(&call.arguments)?;
        self.weigh_all(&values, at)?;
        if values.len() != function.parameters.len() {
            let message = format!(
                "Unable to evaluate template language function '{full_name}': the function takes \
                 '{}' parameters, and '{}' are given.",
                function.parameters.len(),
                values.len()
            );
            return fault(message, at);
        }
        let values = values.into_iter().map(Cow::into_owned);
        self.calls
            .push(function.parameters.iter().cloned().zip(values).collect());
        let locals = std::mem::take(&mut self.locals);
        let result = self.value(&function.output, &mut Path::default());
        self.locals = locals;
        self.calls.pop();
        match result {
            Ok(value) => self.made(Ok(value), at),
            Err(Stop {
                halt: Halt::Fault(inner),
                ..
            }) => fault(inner.message, at),
            Err(stop) => Err(stop.halt),
        }
    }
}

/// The function of the service, with its number of arguments checked.
fn builtin(call: &Call) -> Result<&'static Function, String> {
    let function = functions::find(&call.name)?;
    functions::check_count(function, call.arguments.len())?;
    Ok(function)
}

pub(crate) fn fault<T>(message: impl Into<String>, at: usize) -> Result<T, Halt> {
    Err(Halt::Fault(Fault {
        message: message.into(),
        at,
    }))
}
