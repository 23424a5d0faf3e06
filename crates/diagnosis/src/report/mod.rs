//! A verdict as it is shown: what is suppressed put aside, in each of the forms.

mod junit;
mod markdown;
mod sarif;
mod text;

use std::borrow::Cow;

use serde::ser::{Serialize, Serializer};

use crate::cause::Severity;
use crate::evidence::Evidence;
use crate::finding::{Because, Confidence, Finding, Outcome, Verdict, entries};
use crate::suppress::Suppression;

pub(crate) use text::listed_with;
pub use text::{Line, Role, prediction};

/// Longest value that is shown beside its place, in characters.
const VALUE_CHARS_MAX: usize = 60;
/// What a fact has in common with the title is left away if it is that long, in bytes.
const REPEATED_BYTES_MIN: usize = 40;
/// Longest text of a document for people, in characters: names are as long as somebody wrote them.
const TEXT_CHARS_MAX: usize = 2_000;

/// A verdict without what the operator knows and accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What is left. Where nothing is, and what was put aside explained what is seen, it is
    /// healthy.
    pub verdict: Verdict,
    /// What was put aside, in the order of the verdict.
    pub suppressed: Vec<Suppressed>,
    /// What suppressed nothing.
    pub unused: Vec<Suppression>,
}

/// A finding that is known and accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    pub finding: Finding,
    pub by: Suppression,
}

impl Report {
    /// `evidence` is what the verdict is about.
    pub fn new(mut verdict: Verdict, evidence: &Evidence, suppressions: &[Suppression]) -> Self {
        let is_idle = |one: &&Suppression| {
            let mut findings = verdict.findings.iter();
            !findings.any(|finding| one.is_for(finding, evidence))
        };
        let unused = suppressions.iter().filter(is_idle).cloned().collect();
        let mut suppressed = Vec::new();
        let mut kept = Vec::new();
        for finding in verdict.findings {
            let mut meant = suppressions.iter();
            match meant.find(|one| one.is_for(&finding, evidence)) {
                Some(by) => suppressed.push(Suppressed {
                    finding,
                    by: by.clone(),
                }),
                None => kept.push(finding),
            }
        }
        // The heaviest finding stands for its cause. Only now, so that one that is suppressed does
        // not stand for another that is not.
        kept.dedup_by(|one, first| one.cause == first.cause);
        suppressed.dedup_by(|one: &mut Suppressed, first| one.by == first.by);
        verdict.findings = kept;
        let is_found = verdict.findings.iter().any(is_established);
        if verdict.outcome == Outcome::RootCause && !is_found {
            verdict.outcome = Outcome::Healthy;
            verdict.needs.clear();
        }
        Self {
            verdict,
            suppressed,
            unused,
        }
    }

    /// How bad the worst finding is that counts: one that is at least likely, and not suppressed.
    pub fn worst(&self) -> Option<Severity> {
        let counting = self
            .verdict
            .findings
            .iter()
            .filter(|one| is_established(one));
        counting.map(|one| one.cause.severity()).min()
    }

    fn root(&self) -> Option<&Finding> {
        let first = self.verdict.findings.first();
        first.filter(|_| self.verdict.outcome == Outcome::RootCause)
    }

    /// Findings beside the root cause.
    fn others(&self) -> &[Finding] {
        let from = usize::from(self.verdict.outcome == Outcome::RootCause);
        self.verdict.findings.get(from..).unwrap_or_default()
    }

    /// The answer in one sentence.
    fn sentence(&self) -> &str {
        match (self.root(), self.verdict.outcome) {
            (Some(root), _) => &root.title,
            (None, Outcome::Inconclusive) => "This evidence does not decide why requests fail.",
            (None, _) if self.suppressed.is_empty() => {
                "Nothing is wrong with what this evidence shows."
            }
            (None, _) => "Nothing is wrong with what this evidence shows but what is suppressed.",
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let suppressed = self.suppressed.iter().map(|one| &one.finding);
        entries(&self.verdict, &suppressed.collect::<Vec<_>>(), serializer)
    }
}

/// Whether a finding may be the root cause.
fn is_established(finding: &Finding) -> bool {
    finding.confidence >= Confidence::Likely
}

/// A text on one line, and without characters that do something where they are shown: names may
/// be anybody's. These are escaped as in Rust. What is very long is cut.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    match beginning(text, TEXT_CHARS_MAX) {
        Some(shown) => Cow::Owned(whole(shown).into_owned() + "…"),
        None => whole(text),
    }
}

/// The first characters of a text that has more than `most`.
pub(crate) fn beginning(text: &str, most: usize) -> Option<&str> {
    let (end, _) = text.char_indices().nth(most)?;
    text.get(..end)
}

/// The same of a command, of which half would be another one.
fn whole(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for letter in text.chars() {
        match acts(letter) {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Controls, line ends, changes of the direction of writing, and what XML cannot have.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
        || matches!(letter, '\u{fffe}' | '\u{ffff}')
}

/// What a fact says, without what is long and stands in the title already.
fn says<'f>(fact: &'f Because, title: &str) -> &'f str {
    match fact.says.split_once(": ") {
        Some((head, rest))
            if rest.len() >= REPEATED_BYTES_MIN && title.contains(rest.trim_end_matches('.')) =>
        {
            head
        }
        _ => &fact.says,
    }
}

/// The value of a fact, where it is one that people read and that the fact does not say already.
fn value(fact: &Because) -> Option<String> {
    let own = match &fact.value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => fact.value.to_string(),
        _ => return None,
    };
    let is_said = !own.is_empty() && fact.says.contains(&own);
    let shown = beginning(&own, VALUE_CHARS_MAX);
    // A certificate in base64 is nothing to read.
    let is_data = shown.is_some() && !own.contains(' ');
    if is_said || is_data {
        return None;
    }
    let quote = if fact.value.is_string() { "\"" } else { "" };
    Some(match shown {
        Some(shown) => format!("{quote}{shown}…"),
        None => format!("{quote}{own}{quote}"),
    })
}

/// The first of many, and how many more there are.
pub(crate) fn first<T>(all: &[T], most: usize) -> (&[T], usize) {
    let (shown, more) = all.split_at_checked(most).unwrap_or((all, &[]));
    (shown, more.len())
}

/// The same of what takes a line each: the line that says that there is one more can say it.
fn first_lines<T>(all: &[T], most: usize) -> (&[T], usize) {
    match all.len() == most + 1 {
        true => (all, 0),
        false => first(all, most),
    }
}

#[cfg(test)]
mod tests;
