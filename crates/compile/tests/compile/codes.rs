//! Codes of our own: each stands in a table, and the tables stand in docs/validate.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gatewright_compile::OWN_CODES;

/// The page's last section.
const HEADING: &str = "## Codes that are ours\n";

/// What the program finds before there is a gateway to check.
const PROGRAM_CODES: &[(&str, &str)] = &[
    ("GW-E-file", "a file that was named cannot be read"),
    ("GW-E-no-gateway", "a document holds no gateway"),
    ("GW-E-no-name", "a gateway has no name"),
    (
        "GW-N-certificate-without-key",
        "the private key is not in the file; an export never has it",
    ),
    (
        "GW-N-name-of-file",
        "a gateway without a name got that of its file",
    ),
    (
        "GW-W-certificate-unused",
        "a key was given for a certificate that no gateway has",
    ),
    (
        "GW-W-map-unused",
        "a mapping that no server of any pool matches",
    ),
];

/// What the control plane answers where the service's own code was never seen. They are no
/// findings, so that the page does not have them.
const CONTROL_CODES: &[&str] = &[
    "GW-E-address",
    "GW-E-delegation",
    "GW-E-in-use",
    "GW-E-interface",
    "GW-E-key-vault-secret-id",
    "GW-E-network-watcher",
    "GW-E-not-here-yet",
    "GW-E-service-endpoint",
    "GW-E-vault-not-found",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every code, with the meaning that all tables agree on.
fn all_codes() -> BTreeMap<&'static str, &'static str> {
    let mut codes = BTreeMap::new();
    for (code, meaning) in [gatewright_arm::OWN_CODES, OWN_CODES, PROGRAM_CODES].concat() {
        let other = codes.insert(code, meaning).unwrap_or(meaning);
        assert_eq!(other, meaning, "{code} means two things");
    }
    codes
}

fn section() -> String {
    let codes = all_codes();
    let mut out = format!(
        "{HEADING}\n\
         All others are the service's. After an error nothing is served; after a warning or a note \
         it is.\n"
    );
    let mut count = 0;
    for (prefix, kind) in [("GW-E-", "error"), ("GW-W-", "warning"), ("GW-N-", "note")] {
        out.push_str(&format!("\n| {kind} | |\n|---|---|\n"));
        for (code, meaning) in codes.iter().filter(|(code, _)| code.starts_with(prefix)) {
            out.push_str(&format!("| `{code}` | {meaning} |\n"));
            count += 1;
        }
    }
    assert_eq!(count, codes.len(), "a code is of no kind");
    out
}

#[test]
fn the_page_lists_every_code_with_its_meaning() {
    let path = root().join("docs/validate.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, _) = page.split_once(HEADING).expect(HEADING);
    let fresh = format!("{before}{}", section());
    if std::env::var_os("GATEWRIGHT_BLESS").is_some() {
        fs::write(&path, fresh).unwrap();
    } else {
        assert!(
            page == fresh,
            "docs/validate.md is stale: GATEWRIGHT_BLESS=1 cargo test -p gatewright-compile codes"
        );
    }
}

#[test]
fn no_source_names_a_code_that_is_in_no_table() {
    let mut known: BTreeSet<&str> = all_codes().into_keys().collect();
    known.extend(CONTROL_CODES);
    let mut seen = BTreeSet::new();
    for krate in fs::read_dir(root().join("crates")).unwrap() {
        let krate = krate.unwrap();
        // Causes of a diagnosis have a table, and codes, of their own.
        if krate.file_name() == "diagnosis" {
            continue;
        }
        for file in sources(&krate.path().join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let found: BTreeSet<&str> = quoted_codes(&text).collect();
            let unknown: Vec<_> = found.difference(&known).collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
            // Where there is a table, the compiler sees to it that a code is one of its rows, and
            // that no row is left over: a constant must be used.
            let has_constants = ["arm", "compile"]
                .iter()
                .any(|name| file.starts_with(root().join("crates").join(name)));
            let is_table = file.ends_with("src/codes.rs");
            assert!(
                !has_constants || is_table || found.is_empty(),
                "{}: use the constants of codes.rs for {found:?}",
                file.display()
            );
            seen.extend(found.into_iter().map(str::to_owned));
        }
    }
    let left_over: Vec<_> = known.iter().filter(|code| !seen.contains(**code)).collect();
    assert!(left_over.is_empty(), "no source has {left_over:?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

/// The texts in quotes that are a code and nothing else.
fn quoted_codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("\"GW-").filter_map(|(at, _)| {
        let (code, _) = text.get(at + 1..)?.split_once('"')?;
        let is_code = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        // A prefix by itself, as in `starts_with("GW-E-")`, is none.
        (code.bytes().all(is_code) && !code.ends_with('-')).then_some(code)
    })
}
