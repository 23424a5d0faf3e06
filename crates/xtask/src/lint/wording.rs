//! Wording: paths of one person's machine, and reminders that nobody could act on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Finding;
use super::sources::Source;

/// Folders that exist on somebody's machine only. The pieces keep this file clear of itself.
const PRIVATE_FOLDERS: [&str; 3] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Use", "rs/"),
];

/// Words that promise later work.
const REMINDERS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// A reason shorter than this says nothing.
const REASON_WORDS: usize = 3;

/// Those folders, with this checkout and the home of whoever runs the lint. Homes in general are
/// not listed: `/home/…` is a common path in URLs, and in the documents of the service.
pub(crate) fn private_folders(checkout: &Path, home: Option<OsString>) -> Vec<String> {
    let mut folders: Vec<String> = PRIVATE_FOLDERS.map(str::to_owned).to_vec();
    let own = [Some(checkout.to_path_buf()), home.map(PathBuf::from)];
    for folder in own.into_iter().flatten() {
        // A folder right below the root is too short to be told from a URL's path.
        if folder.components().count() > 2 {
            folders.push(format!("{}/", folder.display()));
        }
    }
    folders
}

pub(crate) fn check(source: &Source, private: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let place = || source.at(index + 1);
        if let Some(folder) = private_folder(line, private) {
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

/// A private folder at the start of a path: in `docs/work/` it is a part of something else, and
/// before a `*` it is a pattern for URLs.
fn private_folder<'a>(line: &str, private: &'a [String]) -> Option<&'a str> {
    let found = private.iter().find(|folder| {
        line.match_indices(folder.as_str()).any(|(at, _)| {
            let (before, after) = line.split_at(at);
            let rest = after.get(folder.len()..).unwrap_or_default();
            !rest.starts_with('*') && before.chars().next_back().is_none_or(begins_a_path)
        })
    });
    found.map(String::as_str)
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
        let private = private_folders(Path::new("/src/of/this"), Some("/ho/me".into()));
        let findings = check(&source, &private);
        findings.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_part_of_another_path_is_not() {
        let [root, work, _] = PRIVATE_FOLDERS;
        assert_eq!(places(&format!("fine\nsee {root}notes")), ["a.md:2"]);
        assert_eq!(places(&format!("\"{work}x\"")), ["a.md:1"]);
        assert_eq!(places("in /src/of/this/crates"), ["a.md:1"]);
        assert_eq!(places("in /ho/me/notes"), ["a.md:1"]);
        assert!(places(&format!("docs{work}x, https://example.com{root}x")).is_empty());
        assert!(places(&format!("GET /home/second/, the rule {work}*")).is_empty());
    }

    #[test]
    fn a_home_right_below_the_root_of_the_file_system_is_no_private_folder() {
        let folders = private_folders(Path::new("/src"), Some("/".into()));
        assert_eq!(folders, PRIVATE_FOLDERS);
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
