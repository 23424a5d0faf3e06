//! `cargo xtask bench`: builds what is measured and the harness, then hands over to the harness.

use std::path::PathBuf;

use anyhow::Context;

use crate::steps::{Workspace, must_succeed, output_of};

/// Options of the harness that say the gateway of this workspace is not needed.
const WITHOUT_OWN_GATEWAY: [&str; 4] = ["--no-gatewright", "--gatewright", "--help", "-h"];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let programs = target_directory(workspace)?.join("release");
    must_succeed(&mut workspace.cargo(&["build", "--release", "-p", "gatewright-benches"]))?;
    let own = arguments.first().and_then(|first| match first.as_str() {
        "compile" => Some("compile_bench"),
        "diagnose" => Some("diagnose_bench"),
        _ => None,
    });
    if let Some(own) = own {
        let mut bench = workspace.command(programs.join(own));
        return must_succeed(bench.args(arguments.get(1..).unwrap_or_default()));
    }
    let named = |argument: &String| {
        let option = argument.split('=').next().unwrap_or_default();
        WITHOUT_OWN_GATEWAY.contains(&option)
    };
    let mut bench = workspace.command(programs.join("bench"));
    bench.args(arguments);
    if !arguments.iter().any(named) {
        must_succeed(&mut workspace.cargo(&["build", "--release", "-p", "gatewright"]))?;
        bench.arg("--gatewright").arg(programs.join("gatewright"));
    }
    must_succeed(&mut bench)
}

/// Cargo alone knows where it builds: an environment variable, a configuration, a default.
fn target_directory(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut metadata = workspace.cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: serde_json::Value = serde_json::from_str(&output_of(&mut metadata)?)?;
    let directory = metadata["target_directory"].as_str();
    Ok(directory
        .context("`cargo metadata` names no target_directory")?
        .into())
}
