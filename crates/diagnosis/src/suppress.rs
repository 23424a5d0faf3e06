//! Findings that the operator knows and accepts.

use std::fmt;

use serde_json::Value;

use crate::cause::Cause;
use crate::evidence::{Evidence, Place};
use crate::finding::Finding;
use crate::lookup::has_whole;

/// A cause that is accepted, everywhere or at one thing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub cause: Cause,
    /// The name, resource id or address of that thing.
    pub resource: Option<String>,
}

impl fmt::Display for Suppression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.cause.code())?;
        match &self.resource {
            Some(resource) => write!(formatter, "={resource}"),
            None => Ok(()),
        }
    }
}

impl Suppression {
    /// Whether this finding is meant: it has the cause and, where a resource is given, concerns
    /// it. It does where the resource stands in its title or in what a fact says, where the value
    /// of a fact has it, or where a fact lies in the resource or in what refers to it.
    pub(crate) fn is_for(&self, finding: &Finding, evidence: &Evidence) -> bool {
        self.cause == finding.cause
            && self
                .resource
                .as_deref()
                .is_none_or(|resource| concerns(finding, evidence, resource))
    }
}

fn concerns(finding: &Finding, evidence: &Evidence, resource: &str) -> bool {
    has_word(&finding.title, resource)
        || finding.because.iter().any(|fact| {
            has_word(&fact.says, resource)
                || holds(&fact.value, resource)
                || lies_in(&fact.place, evidence, resource)
        })
}

/// Whether a sentence has the resource as a whole word. What looks like a word of prose or a
/// number does not count: a pool may be called `backend`.
fn has_word(sentence: &str, resource: &str) -> bool {
    let is_prose = resource.chars().all(char::is_alphabetic);
    let is_number = resource.chars().all(|one| one.is_ascii_digit());
    if is_prose || is_number {
        return false;
    }
    has_whole(sentence, resource, "-_./")
}

/// Whether a value is the resource, or has it anywhere.
fn holds(value: &Value, resource: &str) -> bool {
    match value {
        Value::String(text) => is_meant(text, resource),
        Value::Array(items) => items.iter().any(|item| holds(item, resource)),
        Value::Object(members) => members.values().any(|member| holds(member, resource)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether what encloses a place is the resource, or refers to it.
fn lies_in(place: &Place, evidence: &Evidence, resource: &str) -> bool {
    let ends = place.pointer.match_indices('/');
    ends.filter_map(|(end, _)| place.pointer.get(..end))
        .any(|pointer| {
            let around = evidence.value_at(&Place::new(place.file.as_str(), pointer));
            has_own(around, resource) || members(around).any(|one| has_own(one, resource))
        })
}

/// Whether a text of the object itself is the resource.
fn has_own(object: &Value, resource: &str) -> bool {
    let mut texts = members(object).filter_map(Value::as_str);
    texts.any(|text| is_meant(text, resource))
}

fn members(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_object().into_iter().flat_map(|own| own.values())
}

/// Whether a text names the resource: as it is, as the last name of a resource id, or as the host
/// before a port.
fn is_meant(text: &str, resource: &str) -> bool {
    let last = text.strip_prefix('/').and_then(|id| id.rsplit('/').next());
    let host = text.rsplit_once(':').map(|(host, _)| host);
    [Some(text), last, host]
        .into_iter()
        .flatten()
        .any(|own| own.eq_ignore_ascii_case(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sentence: &str, resource: &str, expected: bool) {
        assert_eq!(has_word(sentence, resource), expected, "{resource}");
    }

    #[test]
    fn a_resource_is_a_whole_word_of_a_sentence() {
        let denied = "The rule r-1 of nsg-b denies 10.1.1.1:80 (10.2.0.0/16) to app.b.example.";
        for named in ["r-1", "NSG-B", "10.1.1.1", "10.1.1.1:80", "10.2.0.0/16"] {
            check(denied, named, true);
        }
        check(denied, "app.b.example", true);
        for part in ["r-", "nsg", "10.1.1", "0.1.1.1", "10.2.0.0", "b.example"] {
            check(denied, part, false);
        }
        check(denied, "app.b", false);
    }

    #[test]
    fn prose_and_numbers_are_no_resources() {
        for word in ["rule", "the", "80", "denies"] {
            check("The rule denies 80.", word, false);
        }
    }
}
