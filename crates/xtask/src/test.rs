//! `cargo xtask test`: everything that a change must pass, with a summary of times at the end.

use anyhow::bail;

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

/// The bench's smoke run needs an optimised build (minutes when cold), so it is asked for.
const WITH_BENCH: &str = "--bench";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let with_bench = match arguments {
        [] => false,
        [only] if only == WITH_BENCH => true,
        _ => bail!("`cargo xtask test` takes only {WITH_BENCH}"),
    };
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
