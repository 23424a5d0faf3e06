//! Wording: paths of one person's machine, and reminders that nobody could act on.

use super::Finding;
use super::sources::Source;

/// Folders that exist on somebody's machine only. The pieces keep this file clear of itself.
const PRIVATE_FOLDERS: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Use", "rs/"),
];

/// Where App Service keeps a site: a fact of the backends that the documents explain.
const KNOWN_FOLDERS: [&str; 1] = [concat!("/ho", "me/site/")];

/// Words that promise later work.
const REMINDERS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// A reason shorter than this says nothing.
const REASON_WORDS: usize = 3;

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let place = || source.at(index + 1);
        if let Some(folder) = private_folder(line) {
            let what = format!(
                "`{folder}` is a folder of one machine; name a path from the repository's root"
            );
            findings.push(Finding::error(place(), what));
        }
        if let Some(reminder) = bare_reminder(line) {
            let what = format!(
                "{reminder} without a reason; write `{reminder}: what is missing, and why it \
                 can wait`"
            );
            findings.push(Finding::error(place(), what));
        }
    }
    findings
}

/// A private folder at the start of a path: `x/work/` and `…*/work/` are parts of something else.
fn private_folder(line: &str) -> Option<&'static str> {
    PRIVATE_FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let (before, after) = line.split_at(at);
            let known = KNOWN_FOLDERS.iter().any(|known| after.starts_with(known));
            let wildcard = after
                .get(folder.len()..)
                .is_some_and(|rest| rest.starts_with('*'));
            !known && !wildcard && before.chars().next_back().is_none_or(begins_a_path)
        })
    })
}

fn begins_a_path(before: char) -> bool {
    !(before.is_alphanumeric() || "._-*}/~$".contains(before))
}

/// The reminder in this line, unless a colon and a reason follow it.
fn bare_reminder(line: &str) -> Option<&'static str> {
    REMINDERS.into_iter().find(|reminder| {
        line.match_indices(reminder).any(|(at, _)| {
            let (before, after) = line.split_at(at);
            let after = after.get(reminder.len()..).unwrap_or_default();
            let is_word = !before.ends_with(is_word_part) && !after.starts_with(is_word_part);
            is_word && !has_reason(after)
        })
    })
}

fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn has_reason(after: &str) -> bool {
    let reason = after.strip_prefix(':').unwrap_or_default();
    reason.split_whitespace().count() >= REASON_WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let source = Source {
            path: "a.md".to_owned(),
            text: text.to_owned(),
        };
        check(&source)
            .into_iter()
            .map(|finding| finding.place)
            .collect()
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_part_of_another_path_is_not() {
        let [home, _, work, _] = PRIVATE_FOLDERS;
        assert_eq!(
            places(&format!("fine\nsee {home}someone/notes")),
            ["a.md:2"]
        );
        assert_eq!(places(&format!("\"{work}x\"")), ["a.md:1"]);
        assert!(places(&format!("docs{work}x and https://example.com{home}x")).is_empty());
        assert!(places(&format!("`{home}site/wwwroot`, the rule {work}*")).is_empty());
    }

    #[test]
    fn a_reminder_needs_a_reason() {
        let [to_do, _, three] = REMINDERS;
        assert_eq!(places(&format!("// {to_do}")), ["a.md:1"]);
        assert_eq!(places(&format!("// {to_do}: later")), ["a.md:1"]);
        assert_eq!(places(&format!("// {three} hack")), ["a.md:1"]);
        assert!(places(&format!("// {to_do}: use kTLS once rustls offers it")).is_empty());
        assert!(places(&format!("{three}{three}, {to_do}S, MY_{to_do}")).is_empty());
    }
}
