//! The control plane answers as the service does: recorded exchanges are replayed against the real
//! binary and the answers compared, member by member.
//!
//! Two sets: exchanges of our own, which always run, and those that were recorded from the service,
//! where they lie beside the repository (or where GATEWRIGHT_RECORDINGS says).

mod attempts;
mod compare;
mod expectations;
mod node;
mod plane;
mod recording;
mod replay;
#[path = "../control/rest.rs"]
mod rest;
#[allow(dead_code, reason = "what starts the binary is used, and that alone")]
#[path = "../cli/support.rs"]
mod support;

use std::path::{Path, PathBuf};

use expectations::Verdict;

/// Exchanges of our own.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/exchanges");

/// Exchanges that were recorded from the service.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/recordings");

#[tokio::test(flavor = "multi_thread")]
async fn our_own_exchanges() {
    let mut verdict = Verdict::new(&[], &[]);
    for file in files(Path::new(OWN)) {
        judge(&mut verdict, Path::new(OWN), &file).await;
    }
    verdict.conclude();
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn exchanges_that_were_recorded_from_the_service() {
    let folder = std::env::var_os("GATEWRIGHT_RECORDINGS");
    let folder = folder.map_or_else(|| PathBuf::from(RECORDED), PathBuf::from);
    if !folder.is_dir() {
        eprintln!("skipped: no recordings beside the repository");
        return;
    }
    let only = std::env::var("GATEWRIGHT_RECORDING").ok();
    let mut verdict = Verdict::new(expectations::ALLOWED, expectations::NOT_YET);
    for file in files(&folder) {
        if only
            .as_ref()
            .is_none_or(|only| file.to_string_lossy().contains(only))
        {
            judge(&mut verdict, &folder, &file).await;
        }
    }
    match only {
        Some(_) => verdict.conclude_part(),
        None => verdict.conclude(),
    }
}

async fn judge(verdict: &mut Verdict, folder: &Path, file: &Path) {
    let outcome = replay::replay(&recording::read(file)).await;
    let name = file.strip_prefix(folder).unwrap().display().to_string();
    verdict.add(&name, outcome);
}

/// The recordings of a folder and of the folders in it, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}
