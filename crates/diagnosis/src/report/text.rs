//! The answer as a person reads it: one screen, the sentence first.

use super::{Report, first, first_lines, says, value, visible, whole};
use crate::cause::Severity;
use crate::evidence::Place;
use crate::finding::{Because, Finding, Fix, Outcome, Replay, Verdict};

/// Most facts of one finding that are shown.
const FACTS_MAX: usize = 6;
/// Most further findings, and suppressed ones.
const FINDINGS_MAX: usize = 5;
/// Most causes that are not it.
const RULED_OUT_MAX: usize = 3;
/// Most files that would decide, beside a root cause: what mends it must stay on the screen.
const NEEDS_MAX: usize = 2;
/// Most files that were not looked at.
const IGNORED_MAX: usize = 8;

/// What a line is, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The answer in one sentence.
    Sentence,
    /// It begins, after its indent, with the code of a cause that is this bad.
    Cause(Severity),
    /// A command for a shell, after an indent. It is not to be folded as prose is.
    Command,
    Plain,
}

/// A line of text. It has no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub role: Role,
    pub text: String,
}

impl Line {
    fn new(role: Role, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { role, text }
    }

    pub(crate) fn sentence(text: impl Into<String>) -> Self {
        Self::new(Role::Sentence, text)
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(Role::Plain, text)
    }

    /// The start of a part, after an empty line.
    fn heading(text: &str) -> [Self; 2] {
        [Self::plain(""), Self::plain(text)]
    }
}

impl Report {
    /// The answer for people. `explain`: with the walk, each question with what was seen.
    pub fn text(&self, explain: bool) -> String {
        let lines = self.lines(explain).into_iter();
        lines.map(|line| line.text + "\n").collect()
    }

    /// The same in lines, for whoever folds or colours them.
    pub fn lines(&self, explain: bool) -> Vec<Line> {
        let mut lines = vec![Line::new(Role::Sentence, visible(self.sentence()))];
        if let Some(root) = self.root() {
            lines.extend(of_finding(root));
        }
        lines.extend(self.also());
        lines.extend(self.needs());
        lines.extend(self.ruled_out());
        lines.extend(self.put_aside());
        if explain {
            lines.extend(walk(&self.verdict));
        }
        lines.extend(self.ignored());
        lines
    }

    fn also(&self) -> Vec<Line> {
        let (shown, more) = first_lines(self.others(), FINDINGS_MAX);
        let shown = shown.iter().map(|one| in_short(one, None));
        listed("Also:", shown.collect(), more)
    }

    fn needs(&self) -> Vec<Line> {
        let verdict = &self.verdict;
        let most = match verdict.outcome {
            Outcome::RootCause => NEEDS_MAX,
            _ => usize::MAX,
        };
        let (shown, more) = first(&verdict.needs, most);
        let shown = shown.iter().flat_map(|need| {
            let why = format!("  {}: {}", need.file, visible(&need.why));
            [Line::plain(why), command(&need.command, "    ")]
        });
        listed("What would decide:", shown.collect(), more)
    }

    fn ruled_out(&self) -> Vec<Line> {
        let (shown, more) = first_lines(&self.verdict.ruled_out, RULED_OUT_MAX);
        let shown = shown.iter().map(|one| {
            let because = visible(&one.because);
            Line::plain(format!("  {}: {because}", one.cause.name()))
        });
        listed("Not it:", shown.collect(), more)
    }

    fn put_aside(&self) -> Vec<Line> {
        let (shown, more) = first_lines(&self.suppressed, FINDINGS_MAX);
        let shown = shown.iter().map(|one| {
            let by = one.by.to_string();
            in_short(&one.finding, Some(&by))
        });
        listed("Suppressed:", shown.collect(), more)
    }

    fn ignored(&self) -> Vec<Line> {
        let (shown, more) = first(&self.verdict.ignored, IGNORED_MAX);
        if shown.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = shown.iter().map(|name| visible(name)).collect();
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Line::heading(&format!("Not looked at: {}{more}", names.join(", "))).into()
    }
}

fn walk(verdict: &Verdict) -> Vec<Line> {
    let steps = verdict.walk.iter().flat_map(|step| {
        [
            format!("  {}", step.asked),
            format!("    seen: {}", visible(&step.seen)),
            format!("    therefore: {}", visible(&step.therefore)),
        ]
    });
    listed("The walk:", steps.map(Line::plain).collect(), 0)
}

fn listed(heading: &str, lines: Vec<Line>, more: usize) -> Vec<Line> {
    listed_with(heading, lines, more, "lists all")
}

/// Lines under their heading, and how many more there are; `json` is what the JSON does with them.
pub(crate) fn listed_with(heading: &str, lines: Vec<Line>, more: usize, json: &str) -> Vec<Line> {
    if lines.is_empty() {
        return lines;
    }
    let more = (more > 0).then(|| Line::plain(format!("  and {more} more: -o json {json}")));
    let heading = Line::heading(heading).into_iter();
    heading.chain(lines).chain(more).collect()
}

/// A finding beside the root cause. `by` is what suppresses it.
fn in_short(finding: &Finding, by: Option<&str>) -> Line {
    let cause = finding.cause;
    let by = by.map(|by| format!(", by --suppress {}", visible(by)));
    let text = format!(
        "  {} {} ({}{}): {}",
        cause.code(),
        cause.name(),
        finding.confidence.word(),
        by.unwrap_or_default(),
        visible(&finding.title)
    );
    Line::new(Role::Cause(cause.severity()), text)
}

/// Everything of a finding but its title.
pub(super) fn of_finding(finding: &Finding) -> Vec<Line> {
    let cause = finding.cause;
    let (code, name) = (cause.code(), cause.name());
    let sure = finding.confidence.word();
    let mut lines = vec![Line::new(
        Role::Cause(cause.severity()),
        format!("  {code} {name}, {sure}: gatewright explain {code}"),
    )];
    if let Some(message) = &finding.contradicts {
        lines.push(Line::plain(format!(
            "  The message says otherwise, and is wrong: {}",
            visible(message)
        )));
    }
    lines.extend(assumption(finding));
    let (facts, more) = first_lines(&finding.because, FACTS_MAX);
    let facts = facts.iter();
    let facts = facts.map(|one| Line::plain(format!("  {}", fact(one, &finding.title))));
    lines.extend(listed("Because:", facts.collect(), more));
    lines.extend(finding.fixes.iter().flat_map(of_fix));
    lines
}

fn of_fix(fix: &Fix) -> Vec<Line> {
    let summary = format!("{} ({})", visible(&fix.summary), fix.owner.word());
    let mut lines: Vec<Line> = Line::heading(&summary).into();
    lines.extend(fix.commands.iter().map(|one| command(one, "  ")));
    if fix.replay == Some(Replay::Gone) {
        lines.push(Line::plain(
            "  Tried on this evidence: the cause is gone with it.",
        ));
    }
    if !fix.risk.is_empty() {
        lines.push(Line::plain(format!("  Mind: {}", visible(&fix.risk))));
    }
    lines
}

fn command(command: &str, indent: &str) -> Line {
    Line::new(Role::Command, format!("{indent}{}", whole(command)))
}

fn fact(because: &Because, title: &str) -> String {
    let value = value(because).map(|value| format!(": {value}"));
    let value = value.unwrap_or_default();
    let text = format!("{}{value}{}", says(because, title), at(&because.place));
    visible(&text).into_owned()
}

fn at(place: &Place) -> String {
    match (place.file.as_str(), place.pointer.as_str()) {
        ("", _) => String::new(),
        (file, "") => format!(" ({file})"),
        (file, pointer) => format!(" ({file} {pointer})"),
    }
}

fn assumption(finding: &Finding) -> Option<Line> {
    let assumes = visible(finding.assumes.as_ref()?);
    Some(Line::plain(format!("  It assumes {assumes}.")))
}

/// What a prediction says of a gateway, in lines.
pub fn prediction(gateway: &str, verdict: &Verdict, explain: bool) -> Vec<Line> {
    let sentence = match verdict.findings.is_empty() {
        true => format!("Nothing that the configuration of {gateway} shows will fail."),
        false => format!("What will fail at {gateway}:"),
    };
    let mut lines = vec![Line::new(Role::Sentence, visible(&sentence))];
    for one in &verdict.findings {
        let (code, name) = (one.cause.code(), one.cause.name());
        let sure = one.confidence.word();
        lines.extend(Line::heading(&visible(&one.title)));
        let text = format!("  {code} {name}, {sure}: gatewright explain {code}");
        lines.push(Line::new(Role::Cause(one.cause.severity()), text));
        lines.extend(assumption(one));
        let (facts, _) = first_lines(&one.because, FACTS_MAX);
        let facts = facts.iter();
        lines.extend(facts.map(|fact_of| Line::plain(format!("  {}", fact(fact_of, &one.title)))));
        for fix in one.fixes.iter().take(1) {
            let summary = format!("  {} ({})", visible(&fix.summary), fix.owner.word());
            lines.push(Line::plain(summary));
            lines.extend(fix.commands.iter().map(|one| command(one, "    ")));
        }
    }
    if explain {
        lines.extend(walk(verdict));
    }
    lines
}
