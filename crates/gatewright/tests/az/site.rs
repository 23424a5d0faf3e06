//! A node with an empty control plane, and a shell in which az speaks to it.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gatewright_testkit::client::get;
use serde_json::Value;

use crate::plane;
use crate::support::{Process, binary, stderr, stdout, wait_until};

/// The environment that this variable names, or nothing where there is none.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn environment(variable: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).filter(|given| !given.is_empty());
    if given.is_none() {
        eprintln!("skipped: {variable} names no environment of Python (cargo xtask test)");
    }
    given.map(PathBuf::from)
}

/// A node, and a folder with everything that belongs to it.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    environment: PathBuf,
    offset: u16,
    _process: Process,
}

impl Site {
    /// Starts a node with `more` arguments and logs az in, as `az-setup` does it for a user;
    /// nothing where there is no az.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        let environment = environment("GATEWRIGHT_AZ_VENV")?;
        let folder = tempfile::tempdir().unwrap();
        let offset = plane::port_offset();
        let data = folder.path().join("data");
        let more = [&["--admin", "127.0.0.1:0"], more].concat();
        let (process, _) = plane::serve(&data, offset, &more);
        let site = Self {
            folder,
            environment,
            offset,
            _process: process,
        };
        site.write("environment.sh", "");
        let lines = site.gatewright("az-setup --shell");
        std::fs::write(site.file("environment.sh"), lines).unwrap();
        Some(site)
    }

    /// A file in the folder in which the shell runs.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.file(name), content).unwrap();
    }

    /// Runs a script as bash reads it from a user, to its end.
    pub(crate) fn shell(&self, script: &str) -> Output {
        let whole = format!("set -euo pipefail; . ./environment.sh; {script}");
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.environment.join("bin").display());
        Command::new("bash")
            .args(["-c", &whole])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env_remove("AZURE_CONFIG_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a script that succeeds prints.
    pub(crate) fn text(&self, script: &str) -> String {
        let output = self.shell(script);
        assert!(output.status.success(), "{script}\n{}", stderr(&output));
        stdout(&output).trim_end().to_owned()
    }

    /// What `gatewright` prints for these arguments, asked for this node.
    pub(crate) fn gatewright(&self, arguments: &str) -> String {
        let program = PathBuf::from(binary().get_program());
        self.text(&format!(
            "{} {arguments} --data-dir data",
            program.display()
        ))
    }

    /// What `gatewright status` prints.
    pub(crate) fn status(&self) -> String {
        let file = std::fs::read(self.file("data/node.json")).unwrap();
        let node: Value = serde_json::from_slice(&file).unwrap();
        let program = PathBuf::from(binary().get_program());
        let admin = node["admin"].as_str().unwrap();
        self.text(&format!("{} status --admin {admin}", program.display()))
    }

    /// What `az` prints for these arguments, with which it succeeds.
    pub(crate) fn az(&self, arguments: &str) -> Value {
        self.json(&format!("az {arguments}"))
    }

    /// What a script that succeeds prints: JSON, or nothing.
    pub(crate) fn json(&self, script: &str) -> Value {
        let text = self.text(script);
        match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("{script}: {error} in\n{text}")),
        }
    }

    /// What `az` says on standard error for these arguments, which are refused.
    pub(crate) fn refused(&self, arguments: &str) -> String {
        self.fails(&format!("az {arguments}"))
    }

    /// The same with this exit status: 2 for what az does not understand, 3 for what is not there.
    pub(crate) fn exits(&self, status: i32, arguments: &str) -> String {
        let (ended, said) = self.failed(&format!("az {arguments}"));
        assert_eq!(ended, Some(status), "az {arguments}\n{said}");
        said
    }

    /// What a script that fails says on standard error.
    pub(crate) fn fails(&self, script: &str) -> String {
        self.failed(script).1
    }

    fn failed(&self, script: &str) -> (Option<i32>, String) {
        let output = self.shell(script);
        let said = stderr(&output);
        assert!(!output.status.success(), "{script}: {}", stdout(&output));
        assert!(!said.contains("Traceback"), "{script}\n{said}");
        (output.status.code(), said)
    }

    /// What the guide's step 1b shows: the health of every server of a gateway of `rg`.
    pub(crate) fn healths(&self, gateway: &str) -> Vec<String> {
        let query = "backendAddressPools[].backendHttpSettingsCollection[].servers[].health";
        let command = "network application-gateway show-backend-health -g rg";
        let told = self.az(&format!("{command} -n {gateway} --query '{query}'"));
        serde_json::from_value(told).unwrap()
    }

    /// Waits until the servers are so, which takes a probe or two.
    pub(crate) fn wait_for_healths(&self, gateway: &str, expected: &[&str]) {
        let what = format!("the servers of {gateway} are {expected:?}");
        wait_until(&what, || self.healths(gateway) == expected);
    }

    /// Where a frontend port of the first public IP address listens here.
    pub(crate) fn door(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 100, 0, 1], port + self.offset))
    }

    /// Whether anybody listens there.
    pub(crate) fn is_open(&self, port: u16) -> bool {
        TcpStream::connect(self.door(port)).is_ok()
    }

    /// The status and the text that a client gets there.
    pub(crate) async fn ask(&self, port: u16, path: &str, host: &str) -> (u16, String) {
        let answer = get(self.door(port), host, path).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.door(port)));
        (answer.status, answer.text())
    }
}
