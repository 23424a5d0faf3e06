//! What reading finds wrong, collected with the place where it is.

use serde_json::{Map, Value};

use super::pointer;
use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};

/// The most findings that one reading keeps; more help nobody and cost memory.
pub(crate) const MAX_FINDINGS: usize = 1000;

/// Longest name, in bytes, for which a similar known name is looked for.
const MAX_HINT_BYTES: usize = 64;

/// Longest piece of a foreign value that a message quotes, in characters.
const MAX_QUOTE_CHARS: usize = 80;

/// The same of an id.
const MAX_QUOTED_ID_CHARS: usize = 600;

/// The namespace of the type names that the service's enumeration errors carry.
const CONTRACT: &str = "Microsoft.WindowsAzure.Networking.Nrp.Frontend.Contract.Csm.Public";

/// Collects findings while values are read.
#[derive(Debug)]
pub(crate) struct Reader {
    findings: Vec<Diagnostic>,
    has_error: bool,
    /// Pointer of the resource being read: the service's paths start there.
    root: String,
    /// The service's name of that resource's type.
    contract: &'static str,
    refuse_unknown: bool,
}

impl Reader {
    /// `refuse_unknown`: whether an unknown member is an error, as it is for the service.
    pub(crate) fn new(refuse_unknown: bool) -> Self {
        Self {
            findings: Vec::new(),
            has_error: false,
            root: String::new(),
            contract: "ApplicationGateway",
            refuse_unknown,
        }
    }

    /// Says that a resource of another type than a gateway is read.
    pub(crate) fn set_contract(&mut self, type_name: &'static str) {
        self.contract = type_name;
    }

    pub(crate) fn set_root(&mut self, pointer: &str) {
        pointer.clone_into(&mut self.root);
    }

    pub(crate) fn into_findings(self) -> Vec<Diagnostic> {
        self.findings
    }

    pub(crate) fn push(&mut self, finding: Diagnostic) {
        // A full list still takes the first error, which decides whether reading succeeded.
        let first_error = finding.is_error() && !self.has_error;
        if !self.is_full() || first_error {
            self.has_error |= finding.is_error();
            self.findings.push(finding);
        }
    }

    fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    fn dotted(&self, at: &str) -> String {
        pointer::dotted(at.strip_prefix(self.root.as_str()).unwrap_or(at))
    }

    pub(crate) fn object<'v>(
        &mut self,
        value: &'v Value,
        at: &str,
    ) -> Option<&'v Map<String, Value>> {
        let map = value.as_object();
        if map.is_none() {
            self.wrong_type(value, at, "an object");
        }
        map
    }

    pub(crate) fn array<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v [Value]> {
        let array = value.as_array();
        if array.is_none() {
            self.wrong_type(value, at, "an array");
        }
        array.map(Vec::as_slice)
    }

    /// Reports a value of the wrong type: what was found, what would be right.
    pub(crate) fn wrong_type(&mut self, value: &Value, at: &str, expected: &str) {
        let message = format!(
            "Error converting value {} at path '{}': expected {expected}, found {}.",
            quote(value),
            self.dotted(at),
            kind(value),
        );
        self.push(Diagnostic::error("InvalidJson", message, at));
    }

    /// Reads a value of an enumeration, or reports the values that would be right.
    pub(crate) fn enumerated<T>(
        &mut self,
        value: &Value,
        at: &str,
        allowed: impl Iterator<Item = &'static str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let allowed: Vec<&str> = allowed.collect();
        let Some(text) = value.as_str() else {
            self.wrong_type(value, at, &format!("one of {}", allowed.join(", ")));
            return None;
        };
        let parsed = parse(text.trim());
        if parsed.is_none() {
            let message = no_such_value(self.contract, text);
            let help = format!(
                "'{}' takes one of: {}.",
                self.dotted(at),
                allowed.join(", ")
            );
            self.push(Diagnostic::error("InvalidJsonResourceType", message, at).with_help(help));
        }
        parsed
    }

    pub(crate) fn unknown_member(
        &mut self,
        name: &str,
        at: &str,
        type_name: &str,
        known: impl Iterator<Item = &'static str>,
    ) {
        // The search for a similar name is not for free: hostile documents have millions of names.
        if self.is_full() && (self.has_error || !self.refuse_unknown) {
            return;
        }
        let message = no_such_member(name, type_name, &self.dotted(at));
        let severity = if self.refuse_unknown {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut finding = Diagnostic::new(severity, "InvalidJson", message, at);
        if let Some(near) = nearest(name, known) {
            finding = finding.with_help(format!("Did you mean '{near}'?"));
        }
        self.push(finding);
    }

    /// Two members whose names differ in letter case only: the later one counts.
    pub(crate) fn duplicate(&mut self, earlier: &str, later: &str) {
        let message = format!(
            "The member at '{}' is given again at '{}'; the latter is used.",
            self.dotted(earlier),
            self.dotted(later)
        );
        self.push(Diagnostic::warning(
            codes::W_DUPLICATE_MEMBER,
            message,
            earlier,
        ));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn quote(value: &Value) -> String {
    match value {
        Value::Array(_) => "[…]".to_owned(),
        Value::Object(_) => "{…}".to_owned(),
        Value::String(text) => format!("\"{}\"", shorten(text)),
        other => other.to_string(),
    }
}

/// The sentence of the service's `InvalidJsonResourceType`. `contract`: its own name of the type of
/// resources, such as `PublicIpAddress`.
pub fn no_such_value(contract: &str, text: &str) -> String {
    format!(
        "Value for resource type {CONTRACT}.{contract} is invalid, exception: Requested value \
         '{}' was not found.",
        shorten(text)
    )
}

/// The sentence of the service's parser about a member that nobody knows, without its line and
/// column. `path`: such as `properties.probes[0].color`.
pub fn no_such_member(name: &str, type_name: &str, path: &str) -> String {
    let name = shorten(name);
    format!("Could not find member '{name}' on object of type '{type_name}'. Path '{path}'.")
}

/// At most 80 characters of a foreign text, control characters replaced.
pub fn shorten(text: &str) -> String {
    shorten_to(MAX_QUOTE_CHARS, text)
}

/// As [`shorten`], for ids, of which 600 are kept: what is wrong with one stands at its end, as a
/// rule.
pub fn shorten_id(id: &str) -> String {
    shorten_to(MAX_QUOTED_ID_CHARS, id)
}

fn shorten_to(most: usize, text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// The known name closest to `name`, if it is close enough to be what was meant.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.len() > MAX_HINT_BYTES {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let limit = (name.len() / 3).max(1);
    known
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance of two short texts, in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(b.chars()) {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_only_when_it_is_near() {
        let known = || ["hostName", "hostNames", "protocol"].into_iter();
        assert_eq!(nearest("HostNam", known()), Some("hostName"));
        assert_eq!(nearest("protcol", known()), Some("protocol"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_full_list_still_takes_the_first_error() {
        let mut reader = Reader::new(false);
        for _ in 0..MAX_FINDINGS + 5 {
            reader.unknown_member("x", "/x", "T", std::iter::empty());
        }
        reader.wrong_type(&Value::Bool(true), "/y", "an array");
        reader.wrong_type(&Value::Bool(true), "/z", "an array");
        let findings = reader.into_findings();
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        assert_eq!(findings.last().map(|d| d.pointer.as_str()), Some("/y"));
    }
}
