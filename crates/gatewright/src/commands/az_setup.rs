//! `gatewright az-setup`: az, and programs with an Azure SDK, are told of the control plane.
//!
//! Everything is kept in a configuration folder of its own, so that the user's other clouds stay as
//! they are.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::AzSetupArguments;
use crate::client::Question;
use crate::commands::sp;
use crate::control_plane::NodeFile;
use crate::output;
use crate::sentence::Sentence;

/// How az calls this cloud.
const CLOUD: &str = "Gatewright";

/// The principal that az logs in as, in the configuration folder.
const LOGIN_FILE: &str = "gatewright-login.json";

/// Where az keeps all that it knows.
const CONFIG_DIR: &str = "AZURE_CONFIG_DIR";

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    app_id: String,
    password: String,
}

/// How long a node that was just started may take until it tells where it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// After this it is told that it is waited.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &AzSetupArguments) -> Result<ExitCode, Sentence> {
    let set_up = set_up(arguments);
    if set_up.is_err() && arguments.shell {
        // `eval` hides that this failed: what is typed next must not reach another cloud, in which
        // its user is logged in.
        let folder = folder_of(arguments);
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        export(CONFIG_DIR, &folder.display().to_string());
    }
    set_up
}

fn set_up(arguments: &AzSetupArguments) -> Result<ExitCode, Sentence> {
    let (node, principals) = wait_for_node(&arguments.node.data_dir)?;
    let folder = config_folder(arguments)?;
    let login = login(&node, &principals, &folder)?;
    let environment = environment(&node, &folder, &login);
    match az_is_there() {
        true => set_up_az(&node, &folder, &login, &environment)?,
        false => output::remark(
            "az is not on the PATH: install it with `pip install azure-cli` and run this again; \
             SDKs need no more than the lines below",
        ),
    }
    if !arguments.shell {
        output::line(
            "# In this shell az speaks to the control plane once these are set, or at once:",
        );
        output::line(format_args!(
            "#   eval \"$(gatewright az-setup --data-dir {} --shell)\"",
            quoted(&arguments.node.data_dir.display().to_string())
        ));
    }
    for (name, value) in &environment {
        export(name, value);
    }
    Ok(ExitCode::SUCCESS)
}

fn export(name: &str, value: &str) {
    output::line(format_args!("export {name}={}", quoted(value)));
}

/// The node of a data folder, which may be about to start (`gatewright serve … &` comes before),
/// and its principals.
fn wait_for_node(data_dir: &Path) -> Result<(NodeFile, Value), Sentence> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        let node = NodeFile::read(data_dir).and_then(|node| {
            let principals = node.ask(Question::Get("/principals"))?;
            Ok((node, principals))
        });
        match node {
            Err(_) if began.elapsed() < PATIENCE => {
                if began.elapsed() > TOLD_AFTER && !is_told {
                    let place = data_dir.display();
                    output::remark(format_args!("waiting for a node to start in {place} …"));
                    is_told = true;
                }
                thread::sleep(PAUSE);
            }
            known => return known,
        }
    }
}

fn folder_of(arguments: &AzSetupArguments) -> PathBuf {
    let given = arguments.config_dir.clone();
    given.unwrap_or_else(|| arguments.node.data_dir.join("az"))
}

/// The folder, which nobody else may read.
fn config_folder(arguments: &AzSetupArguments) -> Result<PathBuf, Sentence> {
    let folder = folder_of(arguments);
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.and_then(|()| fs::canonicalize(&folder))
        .map_err(|error| Sentence::new(format!("{} cannot be used: {error}", folder.display())))
}

/// The principal of the last time, if it is still one; a new one else.
fn login(node: &NodeFile, principals: &Value, folder: &Path) -> Result<Login, Sentence> {
    let path = folder.join(LOGIN_FILE);
    let known = fs::read(&path).ok();
    let known = known.and_then(|text| serde_json::from_slice::<Login>(&text).ok());
    let mut principals = principals.as_array().into_iter().flatten();
    if let Some(known) = known
        && principals.any(|one| one["appId"] == known.app_id.as_str())
    {
        return Ok(known);
    }
    let made = sp::make(node, "az-setup", "Owner", "")?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    let login = Login {
        app_id: text("appId"),
        password: text("password"),
    };
    let bytes = serde_json::to_vec(&login).unwrap_or_default();
    write_private(&path, &bytes)
        .map_err(|error| Sentence::new(format!("{} cannot be written: {error}", path.display())))?;
    Ok(login)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file of the last time may be there, with whatever mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// What az and the SDKs read. The authority of certificates is the only one that is trusted with
/// it: in such a shell nothing else is spoken to.
fn environment(node: &NodeFile, folder: &Path, login: &Login) -> Vec<(&'static str, String)> {
    let endpoint = endpoint(node);
    vec![
        (CONFIG_DIR, folder.display().to_string()),
        ("REQUESTS_CA_BUNDLE", node.ca_file.display().to_string()),
        ("AZURE_CORE_COLLECT_TELEMETRY", "no".to_owned()),
        ("AZURE_CORE_SURVEY_MESSAGE", "no".to_owned()),
        ("AZURE_EXTENSION_USE_DYNAMIC_INSTALL", "no".to_owned()),
        ("AZURE_AUTHORITY_HOST", endpoint.clone()),
        ("AZURE_TENANT_ID", node.tenant.clone()),
        ("AZURE_CLIENT_ID", login.app_id.clone()),
        ("AZURE_CLIENT_SECRET", login.password.clone()),
        ("AZURE_SUBSCRIPTION_ID", node.subscription.clone()),
        ("GATEWRIGHT_ENDPOINT", endpoint),
    ]
}

/// Where clients find the control plane.
pub(crate) fn endpoint(node: &NodeFile) -> String {
    let port = node.control.port();
    match node.control.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("https://localhost:{port}"),
        _ => format!("https://{}", node.control),
    }
}

fn az_is_there() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join("az").is_file())
}

fn set_up_az(
    node: &NodeFile,
    folder: &Path,
    login: &Login,
    environment: &[(&'static str, String)],
) -> Result<(), Sentence> {
    let endpoint = endpoint(node);
    let az = Az { environment };
    let clouds = az.run(&["cloud", "list", "--query", "[].name", "-o", "json"])?;
    let clouds: Value = serde_json::from_str(&clouds).unwrap_or_default();
    let is_known = clouds
        .as_array()
        .into_iter()
        .flatten()
        .any(|name| name == CLOUD);
    let verb = if is_known { "update" } else { "register" };
    az.run(&[
        "cloud",
        verb,
        "-n",
        CLOUD,
        "--endpoint-resource-manager",
        &endpoint,
    ])?;
    az.run(&["cloud", "set", "-n", CLOUD])?;
    // A file, because everybody on this machine can read the arguments of a command.
    let secret = folder.join("gatewright-login.secret");
    write_private(&secret, login.password.as_bytes())
        .map_err(|error| Sentence::new(format!("{}: {error}", secret.display())))?;
    let password = format!("@{}", secret.display());
    let done = az.run(&[
        "login",
        "--service-principal",
        "-u",
        &login.app_id,
        "-p",
        &password,
        "--tenant",
        &node.tenant,
    ]);
    let _ = fs::remove_file(&secret);
    done.map(drop)
}

/// az, with the environment that this command prints.
struct Az<'a> {
    environment: &'a [(&'static str, String)],
}

impl Az<'_> {
    fn run(&self, arguments: &[&str]) -> Result<String, Sentence> {
        let shown = arguments
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let ran = Command::new("az")
            .args(arguments)
            .arg("--only-show-errors")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output();
        let ran = ran.map_err(|error| Sentence::new(format!("az cannot be run: {error}")))?;
        if ran.status.success() {
            return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&ran.stderr);
        Err(Sentence::new(format!(
            "`az {shown}` failed: {}",
            said.trim()
        )))
    }
}

/// For a shell: as it is where that is safe, in single quotes else.
pub(crate) fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=~".contains(c);
    match !text.is_empty() && !text.starts_with('~') && text.chars().all(is_safe) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(quoted("https://localhost:9443"), "https://localhost:9443");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!((quoted(""), quoted("~x")), ("''".into(), "'~x'".into()));
    }
}
