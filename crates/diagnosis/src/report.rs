//! The answer as a person reads it: one screen, the sentence first.

use std::fmt::Write as _;

use crate::finding::{Because, Finding, Outcome, Verdict};

/// Longest value that is shown beside its place, in characters.
const VALUE_CHARS_MAX: usize = 60;
/// Most facts of one finding that are shown.
const FACTS_MAX: usize = 6;

/// The verdict in lines. `explain`: with the walk, each question with what was seen.
pub fn text(verdict: &Verdict, explain: bool) -> String {
    let mut out = String::new();
    match verdict.outcome {
        Outcome::RootCause => {
            if let Some(first) = verdict.findings.first() {
                root(first, &mut out);
            }
        }
        Outcome::Healthy => out.push_str("Nothing is wrong with what this evidence shows.\n"),
        Outcome::Inconclusive => {
            out.push_str("This evidence does not decide why requests fail.\n");
        }
    }
    let has_root = verdict.outcome == Outcome::RootCause;
    let others = verdict.findings.iter().skip(usize::from(has_root));
    let others: Vec<&Finding> = others.collect();
    if !others.is_empty() {
        out.push_str("\nAlso:\n");
        for one in others {
            let cause = one.cause;
            let _ = writeln!(
                out,
                "  {} {} ({}): {}",
                cause.code(),
                cause.name(),
                one.confidence.word(),
                one.title
            );
        }
    }
    if !verdict.needs.is_empty() {
        out.push_str("\nWhat would decide:\n");
        for need in &verdict.needs {
            let _ = writeln!(out, "  {}: {}\n    {}", need.file, need.why, need.command);
        }
    }
    if !verdict.ruled_out.is_empty() {
        out.push_str("\nNot it:\n");
        for one in &verdict.ruled_out {
            let _ = writeln!(out, "  {}: {}", one.cause.name(), one.because);
        }
    }
    if explain {
        walk(verdict, &mut out);
    }
    if !verdict.ignored.is_empty() {
        let _ = writeln!(out, "\nNot looked at: {}", verdict.ignored.join(", "));
    }
    out
}

/// What a prediction says of a gateway, in lines.
pub fn prediction(gateway: &str, verdict: &Verdict, explain: bool) -> String {
    let mut out = String::new();
    match verdict.findings.is_empty() {
        true => {
            let _ = writeln!(
                out,
                "Nothing that the configuration of {gateway} shows will fail."
            );
        }
        false => {
            let _ = writeln!(out, "Of the gateway {gateway}:");
        }
    }
    for one in &verdict.findings {
        let cause = one.cause;
        let _ = writeln!(out, "\n{}", one.title);
        let _ = writeln!(
            out,
            "  {} {}, {}",
            cause.code(),
            cause.name(),
            one.confidence.word()
        );
        if let Some(assumes) = &one.assumes {
            let _ = writeln!(out, "  It assumes {assumes}.");
        }
        for because in one.because.iter().take(FACTS_MAX) {
            let _ = writeln!(out, "  {}", fact(because));
        }
        for fix in one.fixes.iter().take(1) {
            let _ = writeln!(out, "  {} ({})", fix.summary, fix.owner.word());
            for command in &fix.commands {
                let _ = writeln!(out, "    {command}");
            }
        }
    }
    if explain {
        walk(verdict, &mut out);
    }
    out
}

fn root(first: &Finding, out: &mut String) {
    let cause = first.cause;
    let _ = writeln!(out, "{}", first.title);
    let _ = writeln!(
        out,
        "  {} {}, {}: gatewright explain {}",
        cause.code(),
        cause.name(),
        first.confidence.word(),
        cause.code()
    );
    if let Some(message) = &first.contradicts {
        let _ = writeln!(out, "  The message says otherwise, and is wrong: {message}");
    }
    out.push_str("\nBecause:\n");
    for because in first.because.iter().take(FACTS_MAX) {
        let _ = writeln!(out, "  {}", fact(because));
    }
    for fix in &first.fixes {
        let _ = writeln!(out, "\n{} ({})", fix.summary, fix.owner.word());
        for command in &fix.commands {
            let _ = writeln!(out, "  {command}");
        }
        if !fix.risk.is_empty() {
            let _ = writeln!(out, "  Mind: {}", fix.risk);
        }
    }
}

fn fact(because: &Because) -> String {
    let place = &because.place;
    let at = match (place.file.as_str(), place.pointer.as_str()) {
        ("", _) => String::new(),
        (file, "") => format!(" ({file})"),
        (file, pointer) => format!(" ({file} {pointer})"),
    };
    let value = match &because.value {
        serde_json::Value::Object(_) | serde_json::Value::Array(_) | serde_json::Value::Null => {
            String::new()
        }
        value => {
            let text = value.to_string();
            match text.char_indices().nth(VALUE_CHARS_MAX) {
                Some((end, _)) => format!(": {}…", text.get(..end).unwrap_or_default()),
                None => format!(": {text}"),
            }
        }
    };
    format!("{}{value}{at}", because.says)
}

fn walk(verdict: &Verdict, out: &mut String) {
    out.push_str("\nThe walk:\n");
    for step in &verdict.walk {
        let _ = writeln!(
            out,
            "  {}\n    seen: {}\n    therefore: {}",
            step.asked, step.seen, step.therefore
        );
    }
}
