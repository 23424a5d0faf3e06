//! The pages of the manual in docs/findings, which are made from the causes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gatewright_diagnosis::{Cause, explained, index, listed, page};

const STALE: &str = "is stale: GATEWRIGHT_BLESS=1 cargo test -p gatewright-diagnosis --test pages";
/// Widest line of a page, in columns.
const COLUMNS_MAX: usize = 125;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings")
}

/// Every page by its file's name.
fn fresh() -> BTreeMap<String, String> {
    let pages = Cause::ALL.iter();
    let pages = pages.map(|cause| (format!("{}.md", cause.code()), page(*cause)));
    let index = ("README.md".to_owned(), index());
    pages.chain([index]).collect()
}

/// What is in the folder, by name.
fn found() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder()) else {
        return BTreeMap::new();
    };
    let entries = entries.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    entries.collect()
}

#[test]
fn the_pages_are_what_the_causes_say_and_no_page_is_left_over() {
    let fresh = fresh();
    if std::env::var_os("GATEWRIGHT_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for name in found().keys().filter(|name| !fresh.contains_key(*name)) {
            fs::remove_file(folder().join(name)).unwrap();
        }
        for (name, text) in &fresh {
            fs::write(folder().join(name), text).unwrap();
        }
        return;
    }
    let found = found();
    for (name, text) in &fresh {
        assert!(
            found.get(name) == Some(text),
            "docs/findings/{name} {STALE}"
        );
    }
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&fresh), "docs/findings {STALE}");
}

#[test]
fn lines_are_no_wider_than_a_reader_likes() {
    for (name, text) in fresh() {
        for line in text.lines() {
            let columns = line.chars().count();
            assert!(
                columns <= COLUMNS_MAX,
                "{name} has {columns} columns: {line}"
            );
        }
    }
    let commands = Cause::ALL.iter().map(|cause| explained(*cause));
    for line in commands.collect::<String>().lines() {
        let is_command = line.starts_with("    ");
        assert!(
            !is_command || line.chars().count() <= 80,
            "too wide: {line}"
        );
    }
}

#[test]
fn every_link_leads_to_a_page() {
    let pages = fresh();
    for (name, text) in &pages {
        for link in text.split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            assert!(pages.contains_key(target), "{name} leads to {target}");
        }
    }
    for cause in Cause::ALL {
        let code = cause.code();
        let row = format!("\n[{code}] | {} | {}\n", cause.name(), cause.means());
        assert!(pages["README.md"].contains(&row), "{code} has no row");
        assert!(pages["README.md"].contains(&format!("\n[{code}]: {code}.md\n")));
    }
}

#[test]
fn a_terminal_gets_no_marks_of_markdown() {
    let pages = Cause::ALL.iter().map(|cause| explained(*cause));
    for text in pages.chain([listed()]) {
        assert!(!text.contains("](") && !text.contains('`'), "{text}");
    }
    for cause in Cause::ALL {
        let row = format!("  {} {}: {}\n", cause.code(), cause.name(), cause.means());
        assert!(listed().contains(&row), "{row} is not listed");
    }
}
