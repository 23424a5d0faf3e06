//! What several tests share.
#![allow(dead_code, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use gatewright_arm::{ApplicationGateway, read_gateways};
use serde_json::Value;

/// A sample of ours, as JSON.
pub(crate) fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"))
}

/// The one gateway of a document.
pub(crate) fn gateway(document: &Value) -> ApplicationGateway {
    let mut report = read_gateways(document).expect("a gateway");
    assert_eq!(report.gateways.len(), 1);
    report.gateways.remove(0)
}

/// A folder of reference data beside the repository; `None`, said aloud, where it is absent.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no {folder} beside the repository");
    None
}

/// The single-quoted scalars of a YAML recording that follow `key`, unfolded.
pub(crate) fn quoted_strings(text: &str, key: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(start) = line.trim_start().strip_prefix(key) else {
            continue;
        };
        let mut folded = start.to_owned();
        while !ends(&folded) {
            let Some(next) = lines.next() else { break };
            match next.trim() {
                "" => folded.push('\n'),
                piece => {
                    if !folded.ends_with('\n') {
                        folded.push(' ');
                    }
                    folded.push_str(piece);
                }
            }
        }
        out.push(folded.trim_end_matches('\'').replace("''", "'"));
    }
    out
}

fn ends(folded: &str) -> bool {
    folded.chars().rev().take_while(|c| *c == '\'').count() % 2 == 1
}
