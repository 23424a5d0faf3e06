//! `cargo xtask test`: everything that a change must pass, with a summary of times at the end.

use std::path::Path;

use anyhow::{Context, bail};

use crate::steps::{Steps, Workspace, must_succeed};
use crate::{bench, lint, python};

/// Tests of the data plane that are run with each of its drivers.
const OF_DRIVERS: [&str; 7] = [
    "failures",
    "forwarding",
    "health",
    "reload",
    "retries",
    "splitting",
    "tls",
];

/// Most bytes of what earlier runs built that the next one starts with: several times what one run
/// makes. Cargo removes nothing that it does not need any more, until the disk is full.
const KEPT_BYTES_MAX: u64 = 24 << 30;

/// The bench's smoke run needs an optimised build (minutes when cold), so it is asked for.
const WITH_BENCH: &str = "--bench";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let with_bench = match arguments {
        [] => false,
        [only] if only == WITH_BENCH => true,
        _ => bail!("`cargo xtask test` takes only {WITH_BENCH}"),
    };
    if let Some(target) = workspace.kept_target() {
        empty_if_large(&target, KEPT_BYTES_MAX)?;
    }
    let mut steps = Steps::default();
    lint::steps(workspace, &mut steps);
    // The tests that run them are skipped without.
    let azure_cli = steps.provide("azure-cli for the tests with az", || {
        python::AZURE_CLI.provide(workspace)
    });
    let azure_sdk = steps.provide("azure-mgmt-network for the tests with the SDK", || {
        python::AZURE_SDK.provide(workspace)
    });
    steps.run("tests", || {
        // `--all-targets` would leave the doc tests out, and run benches as tests.
        must_succeed(
            workspace
                .cargo(&["test", "--workspace"])
                .args(locked(workspace))
                .envs(azure_cli)
                .envs(azure_sdk),
        )
    });
    steps.run("tests with tokio's reactor", || {
        let feature = "gatewright-dataplane/tokio-driver";
        let mut tests = workspace.cargo(&["test", "--workspace", "--features", feature]);
        let named = OF_DRIVERS.iter().flat_map(|test| ["--test", test]);
        must_succeed(tests.args(named).args(locked(workspace)))
    });
    check_fuzz_targets(workspace, &mut steps);
    if with_bench {
        steps.run("bench smoke", || {
            bench::run(workspace, &["--smoke".to_owned()])
        });
    } else {
        steps.skip("bench smoke", "only with `cargo xtask test --bench`");
    }
    steps.summary()
}

/// Removes a folder that has more than `most` bytes.
fn empty_if_large(folder: &Path, most: u64) -> anyhow::Result<()> {
    if bytes_below(folder) <= most {
        return Ok(());
    }
    let shown = folder.display();
    println!("{shown} has more than {} GiB: it is removed", most >> 30);
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {shown}"))
}

/// What cannot be read counts for nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

fn locked(workspace: &Workspace) -> &'static [&'static str] {
    if workspace.in_ci() {
        &["--locked"]
    } else {
        &[]
    }
}

/// The fuzz targets are a workspace of their own; they are compiled here, and run elsewhere.
fn check_fuzz_targets(workspace: &Workspace, steps: &mut Steps) {
    const NAME: &str = "fuzz targets compile";
    let manifest = workspace.root().join("fuzz/Cargo.toml");
    if !manifest.is_file() {
        steps.skip(NAME, "there is no fuzz/Cargo.toml");
        return;
    }
    steps.run(NAME, || {
        let mut check = workspace.cargo(&["check", "--all-targets", "--manifest-path"]);
        must_succeed(check.arg(&manifest).args(locked(workspace)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_runs_built_is_kept_up_to_a_size() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let deps = target.join("debug/deps");
        std::fs::create_dir_all(&deps).unwrap();
        std::fs::write(deps.join("old"), [0; 1000]).unwrap();
        std::fs::write(target.join("new"), [0; 24]).unwrap();
        empty_if_large(&target, 1024).unwrap();
        assert!(deps.join("old").is_file());
        empty_if_large(&target, 1023).unwrap();
        assert!(!target.exists());
        // A first run has none.
        empty_if_large(&target, 0).unwrap();
    }
}
