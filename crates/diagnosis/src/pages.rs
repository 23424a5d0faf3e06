//! The pages of the causes: in Markdown for `docs/findings`, and plain for a terminal.

use std::fmt::Write as _;

use crate::cause::{Cause, Severity};

/// Widest lines of text and of commands, in columns.
const TEXT_COLUMNS: usize = 118;
const COMMAND_COLUMNS: usize = 100;
/// The same for a terminal, whose text is folded by whoever shows it.
const TERMINAL_COMMAND_COLUMNS: usize = 76;

/// The letter of each category, and what its causes have in common.
const CATEGORIES: [(&str, &str); 16] = [
    ("A", "the gateway cannot connect to the backend"),
    (
        "B",
        "the probe asks for what the backend does not answer healthily",
    ),
    ("C", "the gateway's subnet blocks the management ports"),
    ("D", "there are no servers"),
    ("E", "listeners and rules"),
    ("F", "the backend's certificate"),
    ("G", "the state of the gateway"),
    ("H", "capacity"),
    ("I", "App Service and other shared hosts"),
    ("J", "routes, and the way back"),
    ("K", "DNS"),
    ("L", "TLS versions, and names of live requests alone"),
    ("M", "what the gateway itself must reach"),
    ("N", "servers and configuration that are out of date"),
    ("O", "the backend's own answer, or its time"),
    ("P", "the listener's certificate cannot be fetched"),
];

/// The page of a cause in Markdown, for `docs/findings/CODE.md`.
pub fn page(cause: Cause) -> String {
    let (code, name) = (cause.code(), cause.name());
    let mut out = format!("# {code}: {name}\n\n");
    out.push_str(&wrapped(&standing(cause)));
    out.push_str("\n## What it is\n\n");
    out.push_str(&wrapped(cause.means()));
    out.push_str("\n## How it shows\n\n");
    out.push_str(&wrapped(&linked(cause.shows())));
    out.push_str("\n## What decides\n\n");
    out.push_str(&wrapped(&linked(cause.decides())));
    out.push_str("\n## What mends it\n");
    for piece in pieces(cause.mends()) {
        out.push('\n');
        match piece {
            Piece::Text(text) => out.push_str(&wrapped(&linked(&text))),
            Piece::Command(command) => {
                let language = if command.ends_with(';') {
                    "nginx"
                } else {
                    "sh"
                };
                let lines = lines_of_command(command, COMMAND_COLUMNS).join("\n");
                let _ = writeln!(out, "```{language}\n{lines}\n```");
            }
        }
    }
    out.push('\n');
    out.push_str(&wrapped(&format!(
        "[All causes](README.md). `gatewright explain {code}` prints this page, which is made from \
         the source."
    )));
    out
}

/// The page that lists all causes by category, for `docs/findings/README.md`.
pub fn index() -> String {
    let mut out = String::from("# Why requests fail at a gateway\n\n");
    out.push_str(&wrapped(
        "Every cause that `gatewright diagnose` can name, by category. A code is never given to \
         another cause, and the name is for tools; `gatewright explain` takes either. This page is \
         made from the source.",
    ));
    for (letter, title) in CATEGORIES {
        let _ = write!(
            out,
            "\n## {letter}: {title}\n\nCode | Name | What is so\n---|---|---\n"
        );
        // Without bars at the ends, and with links below, rows keep to the width of text.
        for cause in of_category(letter) {
            let _ = writeln!(
                out,
                "[{}] | {} | {}",
                cause.code(),
                cause.name(),
                cause.means()
            );
        }
    }
    out.push('\n');
    for cause in Cause::ALL {
        let _ = writeln!(out, "[{0}]: {0}.md", cause.code());
    }
    out
}

/// The page of a cause for a terminal: text in lines of any width, commands in short ones.
pub fn explained(cause: Cause) -> String {
    let mut out = format!("{} {}\n", cause.code(), cause.name());
    let _ = writeln!(out, "{}\n{}", cause.means(), standing(cause));
    for (heading, text) in [
        ("How it shows", cause.shows()),
        ("What decides", cause.decides()),
    ] {
        let _ = writeln!(out, "\n{heading}\n  {}", plain(text));
    }
    out.push_str("\nWhat mends it\n");
    for piece in pieces(cause.mends()) {
        match piece {
            Piece::Text(text) => {
                let _ = writeln!(out, "  {}", plain(&text));
            }
            Piece::Command(command) => {
                for line in lines_of_command(command, TERMINAL_COMMAND_COLUMNS) {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
    }
    out
}

/// All causes for a terminal, by category: code, name and sentence.
pub fn listed() -> String {
    let mut out = String::new();
    for (letter, title) in CATEGORIES {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{letter}: {title}");
        for cause in of_category(letter) {
            let _ = writeln!(
                out,
                "  {} {}: {}",
                cause.code(),
                cause.name(),
                cause.means()
            );
        }
    }
    out
}

fn of_category(letter: &str) -> impl Iterator<Item = Cause> {
    let all = Cause::ALL.iter().copied();
    all.filter(move |cause| cause.category() == letter)
}

/// Category, layer and severity, in sentences.
fn standing(cause: Cause) -> String {
    let letter = cause.category();
    let category = CATEGORIES.iter().find(|(own, _)| *own == letter);
    let title = category.map_or("", |(_, title)| title);
    let fails = match cause.severity() {
        Severity::Error => "Requests fail because of it.",
        Severity::Warning => "Requests do not fail because of it alone.",
    };
    format!(
        "Category {letter} ({title}), layer {}, severity {}. {fails}",
        cause.layer().word(),
        cause.severity().word()
    )
}

enum Piece<'t> {
    Text(String),
    Command(&'t str),
}

/// A text in pieces. In backticks, what has a space is a command.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut prose = String::new();
    for (index, part) in text.split('`').enumerate() {
        let is_code = index % 2 == 1;
        if is_code && part.contains(' ') {
            let before = std::mem::take(&mut prose);
            pieces.push(Piece::Text(before.trim().to_owned()));
            pieces.push(Piece::Command(part));
        } else if is_code {
            let _ = write!(prose, "`{part}`");
        } else {
            prose.push_str(part);
        }
    }
    pieces.push(Piece::Text(prose.trim().to_owned()));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    pieces
}

/// A text with each code in it replaced.
fn with_causes(text: &str, shown: impl Fn(Cause) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, found)) = rest.find("GW-").and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let cause = found.get(..6).and_then(Cause::named);
        let (code, after) = match cause {
            Some(_) => found.split_at(6),
            None => found.split_at(3),
        };
        match cause {
            Some(cause) => out.push_str(&shown(cause)),
            None => out.push_str(code),
        }
        rest = after;
    }
    out + rest
}

fn linked(text: &str) -> String {
    with_causes(text, |cause| {
        let code = cause.code();
        format!("`{}` ([{code}]({code}.md))", cause.name())
    })
}

fn plain(text: &str) -> String {
    let shown = |cause: Cause| format!("{} ({})", cause.name(), cause.code());
    with_causes(text, shown).replace('`', "")
}

/// A command in lines that a shell takes as one. It is broken before options alone, so that no
/// quoted word is.
fn lines_of_command(command: &str, columns: usize) -> Vec<String> {
    const BROKEN: &str = " \\";
    let mut lines = Vec::new();
    let mut line = String::new();
    for (index, part) in command.split(" -").enumerate() {
        let part = match index {
            0 => part.to_owned(),
            _ => format!("-{part}"),
        };
        let width = line.chars().count() + 1 + part.chars().count() + BROKEN.len();
        if !line.is_empty() && width > columns {
            lines.push(std::mem::take(&mut line) + BROKEN);
            line.push(' ');
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&part);
    }
    lines.push(line);
    lines
}

/// A paragraph in lines of at most [`TEXT_COLUMNS`], with an end.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let own = word.chars().count();
        if width > 0 && width + 1 + own > TEXT_COLUMNS {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += own;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_has_a_title_and_causes() {
        let letters: Vec<_> = CATEGORIES.iter().map(|(letter, _)| *letter).collect();
        let mut used: Vec<_> = Cause::ALL.iter().map(|cause| cause.category()).collect();
        used.dedup();
        assert_eq!(letters, used);
    }

    #[test]
    fn commands_stand_apart_from_what_is_said() {
        let pieces = pieces("Say `so`: `az show -g RG` Then: `az stop` Done.");
        let shown = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => format!("text {text}"),
            Piece::Command(command) => format!("command {command}"),
        });
        let expected = [
            "text Say `so`:",
            "command az show -g RG",
            "text Then:",
            "command az stop",
            "text Done.",
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_long_command_goes_on_as_a_shell_takes_it() {
        let command = "az x -g RG -n NAME --more 'a b'";
        assert_eq!(lines_of_command(command, 100), [command]);
        let lines = lines_of_command(command, 18);
        assert_eq!(lines, [r"az x -g RG \", r"  -n NAME \", "  --more 'a b'"]);
    }

    #[test]
    fn no_command_is_broken_within_quotes() {
        for cause in Cause::ALL {
            for piece in pieces(cause.mends()) {
                let Piece::Command(command) = piece else {
                    continue;
                };
                let mut quoted = command.split('\'').skip(1).step_by(2);
                assert!(quoted.all(|text| !text.contains(" -")), "{command}");
                assert_eq!(command.matches('\'').count() % 2, 0, "{command}");
                let lines = lines_of_command(command, 40).join("\n");
                let whole = lines.replace(" \\\n  ", " ");
                assert_eq!(whole, command);
            }
        }
    }

    #[test]
    fn codes_become_names_and_nothing_else_does() {
        let text = "See GW-A02, not GW-Z99 or AppGW-é.";
        assert_eq!(
            plain(text),
            "See wrong-port (GW-A02), not GW-Z99 or AppGW-é."
        );
        let link = "See `wrong-port` ([GW-A02](GW-A02.md)), not GW-Z99 or AppGW-é.";
        assert_eq!(linked(text), link);
    }
}
