//! The lines of a diagnosis on a terminal: folded, and sparsely coloured.

use std::env;
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use gatewright_diagnosis::{Line, Role, Severity};

use crate::cli::Color;
use crate::output;

/// What a shell takes as the end of a line that goes on.
const GOES_ON: &str = " \\";
/// A command goes on so much further in.
const FURTHER: &str = "  ";

/// Whether text is to have colour.
pub(crate) fn is_coloured(color: Color) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = || env::var_os("TERM").is_some_and(|term| term == "dumb");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
    }
}

/// Lines as a terminal shows them best; elsewhere, as they are.
pub(crate) fn lines(lines: &[Line], is_coloured: bool) -> String {
    let columns = output::columns();
    let mut out = Vec::new();
    for line in lines {
        let folded = match (line.role, columns) {
            (Role::Command, Some(columns)) => folded_command(&line.text, columns),
            _ => output::folded(&line.text),
        };
        out.push(match is_coloured {
            true => coloured(line.role, &folded),
            false => folded,
        });
    }
    out.join("\n")
}

/// Lines as they are.
pub(crate) fn plain(lines: &[Line]) -> String {
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    texts.join("\n")
}

fn coloured(role: Role, text: &str) -> String {
    let (style, length) = match role {
        Role::Plain => return text.to_owned(),
        Role::Sentence => (Style::new().bold(), text.len()),
        Role::Command => (AnsiColor::Cyan.on_default(), text.len()),
        Role::Cause(severity) => {
            let indent = text.len() - text.trim_start().len();
            let code = text.trim_start().find(' ').unwrap_or(0);
            let color = match severity {
                Severity::Error => AnsiColor::Red,
                Severity::Warning => AnsiColor::Yellow,
            };
            (color.on_default(), indent + code)
        }
    };
    let (head, rest) = text.split_at_checked(length).unwrap_or((text, ""));
    let styled = head.lines().map(|line| {
        let words = line.trim_start();
        let indent = line.get(..line.len() - words.len()).unwrap_or_default();
        format!("{indent}{style}{words}{style:#}")
    });
    styled.collect::<Vec<_>>().join("\n") + rest
}

/// A command in lines that a shell takes as one, whoever copies it. It is broken before options
/// alone, and where no quote or comment is open; what cannot be broken so is left to the terminal,
/// which copies it in one piece.
fn folded_command(line: &str, columns: usize) -> String {
    let indent = line.len() - line.trim_start().len();
    let indent = line.get(..indent).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    let mut own = String::new();
    for part in options(line) {
        let width = own.chars().count() + part.chars().count() + GOES_ON.len();
        let begins = own.trim().is_empty();
        if !begins && width > columns {
            lines.push(std::mem::take(&mut own) + GOES_ON);
            own = format!("{indent}{FURTHER}{}", part.trim_start());
        } else {
            own.push_str(part);
        }
    }
    lines.push(own);
    lines.join("\n")
}

/// A command in parts that begin with an option, each with the space before it.
fn options(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    let mut from = 0;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            // What is behind a comment's sign is no command any more.
            (None, '#') if before == ' ' => break,
            (None, '\'' | '"') if before != '\\' => quote = Some(letter),
            (Some('"'), '"') if before == '\\' => {}
            (Some(open), _) if open == letter => quote = None,
            (None, '-') if before == ' ' && at > 0 => {
                parts.extend(line.get(from..at - 1));
                from = at - 1;
            }
            _ => {}
        }
        before = letter;
    }
    parts.extend(line.get(from..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, columns: usize, expected: &[&str]) {
        assert_eq!(folded_command(line, columns), expected.join("\n"));
    }

    #[test]
    fn a_command_is_broken_before_options_as_a_shell_takes_it() {
        check("  az x -g rg", 40, &["  az x -g rg"]);
        check(
            "  az x -g rg --name a -n b",
            16,
            &["  az x -g rg \\", "    --name a \\", "    -n b"],
        );
        check("  az a-very-long-verb", 8, &["  az a-very-long-verb"]);
    }

    #[test]
    fn what_is_quoted_and_what_is_remarked_stays_whole() {
        let quoted = "  az x --query \"a -b\" 'c -d \" -e' -f";
        let lines = [
            "  az x \\",
            "    --query \"a -b\" 'c -d \" -e' \\",
            "    -f",
        ];
        check(quoted, 10, &lines);
        check(
            "  curl -s x # not -a b",
            10,
            &["  curl \\", "    -s x # not -a b"],
        );
        // An escaped quote opens nothing, and closes no quoted word.
        check(r"  a \' -b", 6, &[r"  a \' \", "    -b"]);
        check(r#"  a "\" -b""#, 6, &[r#"  a "\" -b""#]);
    }

    #[test]
    fn colour_is_sparse_and_leaves_indents_alone() {
        let bold = coloured(Role::Sentence, "It fails\nhere.");
        assert_eq!(bold, "\u{1b}[1mIt fails\u{1b}[0m\n\u{1b}[1mhere.\u{1b}[0m");
        let cause = coloured(Role::Cause(Severity::Error), "  GW-A01 not-listening");
        assert_eq!(cause, "  \u{1b}[31mGW-A01\u{1b}[0m not-listening");
        let warning = coloured(Role::Cause(Severity::Warning), "  GW-C02 x");
        assert_eq!(warning, "  \u{1b}[33mGW-C02\u{1b}[0m x");
        let command = coloured(Role::Command, "  az x \\\n    -n y");
        let lines = [
            "  \u{1b}[36maz x \\\u{1b}[0m",
            "    \u{1b}[36m-n y\u{1b}[0m",
        ];
        assert_eq!(command, lines.join("\n"));
        assert_eq!(coloured(Role::Plain, "Because:"), "Because:");
    }
}
