//! The two ways out: standard output for results, standard error for everything else.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::sentence::Sentence;

/// Fewest columns of a terminal at which lines are folded.
const COLUMNS_MIN: usize = 40;

/// How results are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Logs to standard error from now on. `filter` has the syntax of `tracing`'s `EnvFilter`; one that
/// cannot be read is told, and `info` is used.
pub(crate) fn start_log(filter: &str) {
    let (filter, complaint) = match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error.to_string())),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        // It would be told on stderr too, and whoever logs would not survive that: a disk that is
        // full must not keep requests from their answers.
        .log_internal_errors(false)
        .init();
    if let Some(complaint) = complaint {
        tracing::warn!("--log is not a log filter ({complaint}), so `info` is used instead");
    }
}

/// Writes a line of results. A reader that went away ends nothing: whoever pipes into `head` has
/// what they want.
pub(crate) fn line(text: impl fmt::Display) {
    let mut stdout = io::stdout().lock();
    // There is nobody left to tell.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Lines for people: on a terminal, what is wider than it goes on below, indented; elsewhere, where
/// they may be searched, they stay whole.
pub(crate) fn folded(text: &str) -> String {
    match columns() {
        Some(columns) => fold(text, columns),
        None => text.to_owned(),
    }
}

/// Columns of the terminal that results go to, if they go to one that is wide enough for folding.
pub(crate) fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= COLUMNS_MIN)
}

/// Breaks lines at spaces. What follows stands where the text of its line begins.
fn fold(text: &str, columns: usize) -> String {
    let mut folded = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        let indent = " ".repeat(hanging_indent(line, columns / 2));
        let mut before = "";
        while let Some(at) = break_in(rest, columns.saturating_sub(before.len())) {
            let (part, more) = rest.split_at(at);
            folded.push(format!("{before}{}", part.trim_end()));
            (rest, before) = (more.trim_start(), &indent);
        }
        folded.push(format!("{before}{rest}"));
    }
    folded.join("\n")
}

/// Where a line that is too wide is broken: the last space that leaves it a width of `columns`.
fn break_in(line: &str, columns: usize) -> Option<usize> {
    let (too_far, _) = line.char_indices().nth(columns)?;
    let begin = line.len() - line.trim_start().len();
    let head = line.get(..=too_far).unwrap_or(line);
    let at = head.rfind(' ').filter(|at| *at > begin);
    // A word that is too wide stays whole.
    at.or_else(|| {
        let rest = line.get(too_far..)?;
        rest.find(' ').map(|at| too_far + at)
    })
}

/// The column at which a line's text begins, behind columns of a table and a short label, if that
/// is before `limit`.
fn hanging_indent(line: &str, limit: usize) -> usize {
    const LABEL_MAX: usize = 12;
    let near = |at: &usize| *at < limit && line.is_char_boundary(*at);
    let leading = line.len() - line.trim_start().len();
    let column = line.match_indices("  ").map(|(at, gap)| at + gap.len());
    let column = column.filter(near).last().unwrap_or(leading);
    let column = column.max(leading);
    let cell = line.get(column..).unwrap_or_default();
    let begin = column + cell.len() - cell.trim_start().len();
    let label = line.get(begin..).and_then(|text| text.find(": "));
    let label = label.map_or(0, |at| at + 2);
    match label <= LABEL_MAX {
        true => begin + label,
        false => begin,
    }
    .min(limit)
}

/// Writes a line that is no result.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says why a command failed.
pub(crate) fn error(sentence: &Sentence) {
    remark(format_args!("error: {sentence}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, columns: usize, expected: &[&str]) {
        assert_eq!(fold(line, columns).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lines_are_folded_at_spaces_under_their_text() {
        check("one two", 7, &["one two"]);
        check("one two", 6, &["one", "two"]);
        check("one two three", 7, &["one two", "three"]);
        check(
            "    to do: mend it soon",
            16,
            &["    to do: mend", "        it soon"],
        );
        check(
            "    seen: the server hangs up",
            24,
            &["    seen: the server", "          hangs up"],
        );
        check(
            "  TCP   ok   connected to a far server",
            30,
            &["  TCP   ok   connected to a", "             far server"],
        );
    }

    #[test]
    fn what_has_no_space_stays_whole() {
        check(
            "https://app.contoso.com/healthz",
            10,
            &["https://app.contoso.com/healthz"],
        );
        check("  abcdefghijkl mno", 8, &["  abcdefghijkl", "  mno"]);
        check("äöüß äöüß", 5, &["äöüß", "äöüß"]);
        check("", 10, &[]);
    }
}
