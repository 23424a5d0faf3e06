//! The Azure CLI that the end-to-end tests run: one version, in a virtual environment of its own
//! that is made once and kept.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context;

use crate::steps::{Workspace, cache_folder, must_succeed, output_of};

/// The version whose requests were studied, and which users have.
const VERSION: &str = "2.91.0";

/// Names the environment to the tests; set by hand, it is used as it is.
const VARIABLE: &str = "GATEWRIGHT_AZ_VENV";

/// Where the environment lies, which is made if it is not there.
///
/// # Errors
/// Why it cannot be made: no Python, no way to a package registry, no space.
pub(crate) fn environment(workspace: &Workspace) -> anyhow::Result<(&'static str, PathBuf)> {
    if let Some(given) = std::env::var_os(VARIABLE).filter(|given| !given.is_empty()) {
        return Ok((VARIABLE, given.into()));
    }
    let cache = cache_folder(&|name| std::env::var_os(name)).context("there is no HOME")?;
    std::fs::create_dir_all(&cache)?;
    let folder = cache.join(format!("azure-cli-{VERSION}"));
    let complete = folder.join("complete");
    // Two runs at once would install into one folder.
    let lock = File::create(cache.join("azure-cli.lock"))?;
    lock.lock()?;
    if !complete.is_file() {
        make(workspace, &folder)?;
        File::create(complete)?;
    }
    Ok((VARIABLE, folder))
}

fn make(workspace: &Workspace, folder: &PathBuf) -> anyhow::Result<()> {
    println!("azure-cli {VERSION} is installed into {}", folder.display());
    let mut python = workspace.command("python3");
    output_of(python.args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = workspace.command(folder.join("bin/pip"));
    let options = ["install", "--quiet", "--disable-pip-version-check"];
    must_succeed(pip.args(options).arg(format!("azure-cli=={VERSION}")))
}
