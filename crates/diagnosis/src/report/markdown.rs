//! The answer in Markdown, for a comment on a pull request or a ticket.

use std::fmt::Write as _;

use super::{Report, first, says, value, visible, whole};
use crate::finding::{Because, Finding, Fix};

/// Most facts, and most entries of each list: a comment has a bound.
const ENTRIES_MAX: usize = 20;
/// What keeps an `@` from telling somebody, and a `#` from linking an issue.
const NOTHING: &str = "<!-- -->";

impl Report {
    /// Markdown as CommonMark has it, with the fenced blocks and `<details>` of GitHub's comments.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n", prose(self.sentence()));
        if let Some(root) = self.root() {
            of_finding(root, &mut out);
        }
        let others = self.others().iter().map(in_short);
        list("Also", others.collect(), &mut out);
        let needs = self.verdict.needs.iter().map(|need| {
            let command = fenced(&need.command, "  ");
            format!("{}: {}\n\n{command}", code(need.file), prose(&need.why))
        });
        list("What would decide", needs.collect(), &mut out);
        let suppressed = self.suppressed.iter();
        let suppressed = suppressed.map(|one| {
            let by = code(&format!("--suppress {}", one.by));
            format!("{}, by {by}", in_short(&one.finding))
        });
        list("Suppressed", suppressed.collect(), &mut out);
        let ruled_out = self.verdict.ruled_out.iter();
        let ruled_out =
            ruled_out.map(|one| format!("{}: {}", code(one.cause.name()), prose(&one.because)));
        let ruled_out: Vec<String> = ruled_out.collect();
        if !ruled_out.is_empty() {
            let all = ruled_out.len();
            let _ = write!(out, "\n<details><summary>Not it ({all})</summary>\n\n");
            items(&ruled_out, &mut out);
            out.push_str("\n</details>\n");
        }
        let ignored = self.verdict.ignored.iter().map(|name| code(name));
        list("Not looked at", ignored.collect(), &mut out);
        out
    }
}

fn of_finding(finding: &Finding, out: &mut String) {
    let cause = finding.cause;
    let _ = writeln!(
        out,
        "\n{} {}, {}, severity {}, layer {}",
        code(cause.code()),
        cause.name(),
        finding.confidence.word(),
        cause.severity().word(),
        cause.layer().word()
    );
    if let Some(message) = &finding.contradicts {
        let message = prose(message);
        let _ = writeln!(out, "\nThe message says otherwise, and is wrong: {message}");
    }
    if let Some(assumes) = &finding.assumes {
        let _ = writeln!(out, "\nIt assumes {}.", prose(assumes));
    }
    let facts = finding.because.iter().map(|one| fact(one, &finding.title));
    list("Because", facts.collect(), out);
    for fix in &finding.fixes {
        of_fix(fix, out);
    }
    let mut checks: Vec<&str> = Vec::new();
    for check in finding.fixes.iter().flat_map(|fix| &fix.verify) {
        if !checks.contains(&check.as_str()) {
            checks.push(check);
        }
    }
    if !checks.is_empty() {
        let _ = write!(
            out,
            "\nThen see whether it helped:\n\n{}",
            fenced(&checks.join("\n"), "")
        );
    }
}

fn of_fix(fix: &Fix, out: &mut String) {
    let _ = writeln!(out, "\n**{}** ({})", prose(&fix.summary), fix.owner.word());
    if !fix.commands.is_empty() {
        let _ = write!(out, "\n{}", fenced(&fix.commands.join("\n"), ""));
    }
    if !fix.risk.is_empty() {
        let _ = writeln!(out, "\nMind: {}", prose(&fix.risk));
    }
}

fn in_short(finding: &Finding) -> String {
    let cause = finding.cause;
    format!(
        "{} {}, {}: {}",
        code(cause.code()),
        cause.name(),
        finding.confidence.word(),
        prose(&finding.title)
    )
}

/// The place first: so no text from elsewhere begins an entry, where more would be markup.
fn fact(because: &Because, title: &str) -> String {
    let place = &because.place;
    let value = value(because).map(|value| format!(": {}", code(&value)));
    let said = format!(
        "{}{}",
        prose(says(because, title)),
        value.unwrap_or_default()
    );
    match (place.file.as_str(), place.pointer.as_str()) {
        ("", _) => format!("so: {said}"),
        (file, "") => format!("{}: {said}", code(file)),
        (file, pointer) => format!("{}: {said}", code(&format!("{file} {pointer}"))),
    }
}

fn list(heading: &str, entries: Vec<String>, out: &mut String) {
    if !entries.is_empty() {
        let _ = write!(out, "\n**{heading}**\n\n");
        items(&entries, out);
    }
}

fn items(entries: &[String], out: &mut String) {
    let (shown, more) = first(entries, ENTRIES_MAX);
    for entry in shown {
        let _ = writeln!(out, "- {}", entry.trim_end());
    }
    if more > 0 {
        let _ = writeln!(out, "- and {more} more");
    }
}

/// A text that means itself: no emphasis, link, markup, table or mention.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let text = visible(text);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match letter {
            '@' => out.extend(["@", NOTHING]),
            '#' if next.is_some_and(|next| next.is_ascii_digit()) => out.extend(["#", NOTHING]),
            // Addresses become links by their `://`, and by `www.`.
            ':' if next == Some('/') => out.push_str(r"\:"),
            '.' if ends_in_www(&out) => out.push_str(r"\."),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '!' | '$' => {
                out.extend(['\\', letter]);
            }
            _ => out.push(letter),
        }
    }
    out
}

fn ends_in_www(text: &str) -> bool {
    let end = text.len().checked_sub(3).and_then(|from| text.get(from..));
    end.is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// A span of code, whatever is in it.
fn code(text: &str) -> String {
    let text = visible(text);
    let run = "`".repeat(longest_run(&text) + 1);
    // A space is taken off at both ends where there is one at both.
    match text.starts_with([' ', '`']) || text.ends_with([' ', '`']) {
        true => format!("{run} {text} {run}"),
        false => format!("{run}{text}{run}"),
    }
}

/// A block of commands, one a line, each line behind an indent.
fn fenced(commands: &str, indent: &str) -> String {
    let run = "`".repeat((longest_run(commands) + 1).max(3));
    let lines = commands.lines().map(|line| whole(line));
    let lines = lines.map(|line| format!("{indent}{line}\n"));
    let lines: String = lines.collect();
    format!("{indent}{run}sh\n{lines}{indent}{run}\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|letter| letter != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_blocks_are_longer_than_what_is_in_them() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``a"), "``` ``a ```");
        assert_eq!(fenced("a", "  "), "  ```sh\n  a\n  ```\n");
        assert_eq!(fenced("```\na", ""), "````sh\n```\na\n````\n");
    }

    #[test]
    fn prose_makes_no_links() {
        assert_eq!(
            prose("see http://a.b, WWW.a.b: c"),
            r"see http\://a.b, WWW\.a.b: c"
        );
        assert_eq!(prose("@a #1 # x_y"), r"@<!-- -->a #<!-- -->1 \# x\_y");
    }
}
