//! The answer as SARIF 2.1.0, for systems that collect findings.
//!
//! Every cause is a rule, and every finding a result; what is suppressed too, with a suppression.
//! What would decide is a notification of the invocation, so that an answer without results does
//! not look like health.

use serde_json::{Map, Value, json};

use super::{Report, is_established};
use crate::cause::{Cause, Severity};
use crate::finding::{Because, Finding, Fix, Outcome};
use crate::pages::explained;
use crate::suppress::Suppression;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/\
                      sarif-schema-2.1.0.json";

impl Report {
    /// A log file of SARIF 2.1.0 with one run. Files are relative to the folder of evidence, and
    /// the JSON pointers in them are names of logical locations.
    pub fn sarif(&self) -> Value {
        let verdict = &self.verdict;
        let root = self.root();
        let found = verdict.findings.iter().map(|one| {
            let is_root = root.is_some_and(|root| std::ptr::eq(root, one));
            result(one, is_root, None)
        });
        let suppressed = self.suppressed.iter();
        let suppressed = suppressed.map(|one| result(&one.finding, false, Some(&one.by)));
        let rules: Vec<Value> = Cause::ALL.iter().copied().map(rule).collect();
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "gatewright",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }},
                "invocations": [{
                    "executionSuccessful": true,
                    "toolExecutionNotifications": self.notifications(),
                }],
                "results": found.chain(suppressed).collect::<Vec<Value>>(),
                "properties": {
                    "verdict": verdict.outcome.word(),
                    "asOf": gatewright_chain::date_time(verdict.as_of),
                },
            }],
        })
    }

    fn notifications(&self) -> Vec<Value> {
        let level = match self.verdict.outcome {
            Outcome::Inconclusive => "warning",
            _ => "note",
        };
        let needs = self.verdict.needs.iter().map(|need| {
            let text = format!("{} would decide: {}", need.file, need.why);
            json!({
                "level": level,
                "message": message(&text),
                "properties": {"file": need.file, "command": need.command},
            })
        });
        needs.collect()
    }
}

fn rule(cause: Cause) -> Value {
    let level = match cause.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "id": cause.code(),
        "name": cause.name(),
        "shortDescription": message(cause.means()),
        "fullDescription": message(&format!("{} {}", cause.means(), plain(cause.shows()))),
        "help": message(&explained(cause)),
        "defaultConfiguration": {"level": level},
        "properties": {"category": cause.category(), "layer": cause.layer().word()},
    })
}

fn result(finding: &Finding, is_root: bool, by: Option<&Suppression>) -> Value {
    let cause = finding.cause;
    let level = match (is_established(finding), cause.severity()) {
        (false, _) => "note",
        (true, Severity::Error) => "error",
        (true, Severity::Warning) => "warning",
    };
    let index = Cause::ALL.iter().position(|one| *one == cause);
    let suppressions = by.iter().map(|by| {
        json!({
            "kind": "external",
            "status": "accepted",
            "justification": format!("--suppress {by}"),
        })
    });
    let mut properties = Map::new();
    properties.insert("confidence".to_owned(), finding.confidence.word().into());
    properties.insert("primary".to_owned(), is_root.into());
    if let Some(contradicts) = &finding.contradicts {
        properties.insert("contradicts".to_owned(), contradicts.as_str().into());
    }
    let fixes = finding.fixes.iter().map(fix).collect();
    properties.insert("fixes".to_owned(), Value::Array(fixes));
    json!({
        "ruleId": cause.code(),
        "ruleIndex": index,
        "level": level,
        "message": message(&finding.title),
        "locations": finding.because.iter().map(location).collect::<Vec<Value>>(),
        // A run says of all its results whether they are suppressed, or of none.
        "suppressions": suppressions.collect::<Vec<Value>>(),
        "properties": properties,
    })
}

/// Not SARIF's own `fixes`, which replace parts of files.
fn fix(fix: &Fix) -> Value {
    json!({
        "owner": fix.owner.word(),
        "summary": fix.summary,
        "commands": fix.commands,
        "risk": fix.risk,
        "verify": fix.verify,
    })
}

fn location(because: &Because) -> Value {
    let place = &because.place;
    let mut location = Map::new();
    // Names of evidence have nothing that a URI would escape.
    if !place.file.is_empty() {
        let artifact = json!({"artifactLocation": {"uri": place.file}});
        location.insert("physicalLocation".to_owned(), artifact);
    }
    if !place.pointer.is_empty() {
        let logical = json!([{"fullyQualifiedName": place.pointer}]);
        location.insert("logicalLocations".to_owned(), logical);
    }
    location.insert("message".to_owned(), message(&because.says));
    Value::Object(location)
}

/// A message that means itself: `[a](b)` would be a link, and `{0}` a place for an argument.
fn message(text: &str) -> Value {
    let mut text = text.to_owned();
    if text.contains("](") {
        text = text.replace('[', r"\[").replace(']', r"\]");
    }
    json!({"text": text.replace('{', "{{").replace('}', "}}")})
}

/// A text of the catalogue without its marks.
fn plain(text: &str) -> String {
    text.replace('`', "")
}
