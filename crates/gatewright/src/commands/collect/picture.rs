//! What was asked so far, and what was answered.

use gatewright_arm::ResourceId;
use serde_json::Value;

use super::az::Call;
use super::subject::Subject;
use super::verbs::Verb;

/// A question to az: the command, what it is asked for in words, and the file that the answer goes
/// into.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) call: Call,
    pub(super) what: String,
    pub(super) file: &'static str,
    /// What it is about, where that is a resource.
    pub(super) about: Option<ResourceId>,
}

impl Question {
    pub(super) fn new(
        verb: Verb,
        arguments: &[&str],
        what: impl Into<String>,
        file: &'static str,
    ) -> Self {
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        Self {
            call: Call { verb, arguments },
            what: what.into(),
            file,
            about: None,
        }
    }

    /// Asks for a resource by its id.
    pub(super) fn of(verb: Verb, id: &ResourceId, kind: &str, file: &'static str) -> Self {
        let name = id.name().unwrap_or_default();
        let group = id.resource_group().unwrap_or_default();
        let what = format!("the {kind} {name} of {group}");
        let question = Self::new(verb, &["--ids", &id.to_string()], what, file);
        question.about(id)
    }

    pub(super) fn about(mut self, id: &ResourceId) -> Self {
        self.about = Some(id.clone());
        self
    }
}

/// The gateway, and all answers.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) subject: Subject,
    pub(super) gateway: Value,
    pub(super) answers: Vec<(Question, Value)>,
    /// What is told beside: that something was left out.
    pub(super) remarks: Vec<String>,
}

impl Picture {
    /// The answers to such questions, in the order in which they were asked.
    pub(super) fn all(&self, verb: Verb) -> impl Iterator<Item = (&Question, &Value)> {
        let answers = self.answers.iter();
        let own = answers.filter(move |(question, _)| question.call.verb == verb);
        own.map(|(question, value)| (question, value))
    }

    pub(super) fn first(&self, verb: Verb) -> Option<&Value> {
        self.all(verb).map(|(_, value)| value).next()
    }

    /// The items of the lists that such questions were answered with.
    pub(super) fn items(&self, verb: Verb) -> impl Iterator<Item = &Value> {
        self.all(verb)
            .flat_map(|(_, value)| value.as_array().into_iter().flatten())
    }

    /// The first so many; that others were left out is told.
    pub(super) fn bounded<T>(&mut self, mut all: Vec<T>, most: usize, what: &str) -> Vec<T> {
        if all.len() > most {
            let count = all.len();
            self.remarks.push(format!(
                "of {count} {what}, only the first {most} are asked for"
            ));
            all.truncate(most);
        }
        all
    }
}

/// A text below a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The elements of a list below a JSON pointer.
pub(super) fn list<'a>(
    value: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}
