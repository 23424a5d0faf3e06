//! What the end-to-end tests run in Python: the Azure CLI and the Azure SDK, each of one version,
//! in a virtual environment of its own that is made once and kept.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::steps::{Workspace, cache_folder, must_succeed, output_of};

/// A virtual environment with packages that tests need.
pub(crate) struct Environment {
    /// Names its folder to the tests; set by hand, it is used as it is.
    variable: &'static str,
    /// What its folder is called in the cache, with a version: another one lies elsewhere.
    folder: &'static str,
    packages: &'static [&'static str],
}

/// The version whose requests were studied, and which users have.
pub(crate) const AZURE_CLI: Environment = Environment {
    variable: "GATEWRIGHT_AZ_VENV",
    folder: "azure-cli-2.91.0",
    packages: &["azure-cli==2.91.0"],
};

/// The versions that docs/control-plane-sdk.md names. Not beside the Azure CLI, which brings other
/// versions of what both need.
pub(crate) const AZURE_SDK: Environment = Environment {
    variable: "GATEWRIGHT_SDK_VENV",
    folder: "azure-sdk-33.1.0",
    packages: &["azure-identity==1.27.0", "azure-mgmt-network==33.1.0"],
};

impl Environment {
    /// The variable that names it, and where it lies; it is made if it is not there.
    ///
    /// # Errors
    /// Why it cannot be made: no Python, no way to a package registry, no space. Or that the one
    /// that is named is none.
    pub(crate) fn provide(&self, workspace: &Workspace) -> anyhow::Result<(&'static str, PathBuf)> {
        if let Some(given) = std::env::var_os(self.variable).filter(|given| !given.is_empty()) {
            let given = PathBuf::from(given);
            anyhow::ensure!(
                given.join("bin/python").exists(),
                "{} names {}, which is no virtual environment; without it, one is made",
                self.variable,
                given.display()
            );
            return Ok((self.variable, given));
        }
        let cache = cache_folder(&|name| std::env::var_os(name)).context("there is no HOME")?;
        std::fs::create_dir_all(&cache)?;
        let folder = cache.join(self.folder);
        let complete = folder.join("complete");
        // Two runs at once would install into one folder.
        let lock = File::create(cache.join("python.lock"))?;
        lock.lock()?;
        if !complete.is_file() {
            self.make(workspace, &folder)?;
            File::create(complete)?;
        }
        Ok((self.variable, folder))
    }

    fn make(&self, workspace: &Workspace, folder: &Path) -> anyhow::Result<()> {
        let packages = self.packages.join(", ");
        println!("{packages}: installed into {}", folder.display());
        let mut python = workspace.command("python3");
        output_of(python.args(["-m", "venv", "--clear"]).arg(folder))?;
        let mut pip = workspace.command(folder.join("bin/pip"));
        let options = ["install", "--quiet", "--disable-pip-version-check"];
        must_succeed(pip.args(options).args(self.packages))
    }
}
