//! The proxies: where their programs are, their settings, and how each is started.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cases::Transport;
use crate::certificates::Certificates;
use crate::gateway_json::{self, GATEWAY_BACKEND};
use crate::process::Program;

const HAPROXY: &str = include_str!("../peers/haproxy.cfg.in");
const NGINX: &str = include_str!("../peers/nginx.conf.in");
const ENVOY: &str = include_str!("../peers/envoy.yaml.in");

const PATIENCE_AT_START: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// Below the range that the kernel takes ports for outgoing connections from.
const FIRST_PORT: u16 = 18_100;
const PORTS_TRIED: u16 = 4_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Gatewright,
    Haproxy,
    Nginx,
    Envoy,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gatewright => "gatewright",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        }
    }

    pub fn named(name: &str) -> anyhow::Result<Self> {
        let all = [Self::Gatewright, Self::Haproxy, Self::Nginx, Self::Envoy];
        let found = all.into_iter().find(|engine| engine.name() == name);
        found.with_context(|| format!("`{name}` is none of the proxies that this bench knows"))
    }

    fn how_to_install(self) -> &'static str {
        match self {
            Self::Gatewright => "cargo build --release -p gatewright, or --gatewright PATH",
            Self::Haproxy => "apt-get install haproxy",
            Self::Nginx => "apt-get install nginx",
            Self::Envoy => "name a binary of it with --envoy PATH",
        }
    }

    fn version_flag(self) -> &'static str {
        match self {
            Self::Gatewright | Self::Envoy => "--version",
            Self::Haproxy | Self::Nginx => "-v",
        }
    }
}

/// A proxy that this machine has.
#[derive(Clone, Debug)]
pub struct Installed {
    pub engine: Engine,
    pub program: PathBuf,
    pub version: String,
}

impl Installed {
    /// Finds the program (at `path` if that is given) and asks it for its version.
    pub fn find(engine: Engine, path: Option<&Path>) -> anyhow::Result<Self> {
        let program = match path {
            Some(path) => path.is_file().then(|| path.to_path_buf()),
            None => on_path(engine.name()),
        };
        let hint = || {
            format!(
                "{} is not here ({})",
                engine.name(),
                engine.how_to_install()
            )
        };
        let program = program.with_context(hint)?;
        let output = Command::new(&program)
            .arg(engine.version_flag())
            .output()
            .with_context(hint)?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let version = said
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("unknown");
        Ok(Self {
            engine,
            program,
            version: version.trim().to_owned(),
        })
    }
}

/// Servers often lie where only the administrator's path leads.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    folders
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Where a proxy listens, on the loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub plain: u16,
    pub tls_rsa: u16,
    pub tls_p256: u16,
    pub admin: u16,
}

impl Ports {
    pub fn address(self, transport: Transport) -> SocketAddr {
        let port = match transport {
            Transport::Plain => self.plain,
            Transport::TlsP256 => self.tls_p256,
            Transport::TlsRsa => self.tls_rsa,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// Hands out ports that are free now, each once.
#[derive(Debug)]
pub struct FreePorts {
    next: u16,
}

impl Default for FreePorts {
    fn default() -> Self {
        Self { next: FIRST_PORT }
    }
}

impl FreePorts {
    pub fn take(&mut self) -> anyhow::Result<u16> {
        while self.next < FIRST_PORT + PORTS_TRIED {
            let port = self.next;
            self.next += 1;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        bail!("no free port from {FIRST_PORT} on; is an earlier bench still running?")
    }

    fn four(&mut self) -> anyhow::Result<Ports> {
        Ok(Ports {
            plain: self.take()?,
            tls_rsa: self.take()?,
            tls_p256: self.take()?,
            admin: self.take()?,
        })
    }
}

/// What a proxy is started with, the same for each.
pub struct Setting<'a> {
    pub folder: &'a Path,
    pub certificates: &'a Certificates,
    pub backend: u16,
    pub cpus: &'a [usize],
    pub workers: usize,
    /// Connections that a peer must be ready for; it sizes its tables by this.
    pub connections: usize,
    /// Servers of Gatewright's gateway beside the one that is asked, which are probed like it.
    pub more_servers: usize,
}

/// A proxy that runs and has answered.
pub struct Proxy {
    pub engine: Engine,
    pub program: Program,
    pub ports: Ports,
}

impl Proxy {
    pub fn start(
        installed: &Installed,
        setting: &Setting<'_>,
        free: &mut FreePorts,
    ) -> anyhow::Result<Self> {
        let ports = free.four()?;
        let engine = installed.engine;
        let mut command = vec![installed.program.clone().into_os_string()];
        command.extend(arguments(engine, setting, ports)?);
        let log = setting.folder.join(format!("{}.log", engine.name()));
        let program = Program::start(engine.name(), setting.cpus, &command, &log)?;
        let mut proxy = Self {
            engine,
            program,
            ports,
        };
        if engine == Engine::Gatewright {
            proxy.program.wait_for("ready", PATIENCE_AT_START)?;
        }
        for transport in [Transport::Plain, Transport::TlsP256, Transport::TlsRsa] {
            proxy.wait_until_it_accepts(ports.address(transport))?;
        }
        Ok(proxy)
    }

    fn wait_until_it_accepts(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE_AT_START;
        while TcpStream::connect(address).is_err() {
            let name = self.engine.name();
            if let Some(status) = self.program.has_ended()? {
                bail!("{name} ended with {status}; {}", self.program.said());
            }
            if Instant::now() > deadline {
                bail!(
                    "{name} does not accept on {address}; {}",
                    self.program.said()
                );
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

/// Writes the proxy's settings and says how it is told of them.
fn arguments(engine: Engine, setting: &Setting<'_>, ports: Ports) -> anyhow::Result<Vec<OsString>> {
    let path = |name: &str| setting.folder.join(name).into_os_string();
    let write = |name: &str, template: &str| -> anyhow::Result<OsString> {
        let file = setting.folder.join(name);
        std::fs::write(&file, filled(template, setting, ports)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file.into_os_string())
    };
    Ok(match engine {
        Engine::Haproxy => {
            // -db: stay in the foreground.
            vec!["-db".into(), "-f".into(), write("haproxy.cfg", HAPROXY)?]
        }
        Engine::Nginx => {
            let prefix = setting.folder.as_os_str().to_owned();
            vec![
                "-p".into(),
                prefix,
                "-c".into(),
                write("nginx.conf", NGINX)?,
            ]
        }
        Engine::Envoy => {
            let file = write("envoy.yaml", ENVOY)?;
            let mut words: Vec<OsString> = vec!["-c".into(), file, "--concurrency".into()];
            words.push(setting.workers.to_string().into());
            words.extend(["--disable-hot-restart", "-l", "error"].map(OsString::from));
            words
        }
        Engine::Gatewright => {
            let more = setting.more_servers;
            let gateway = gateway_json::bench_gateway(ports, setting.certificates, more);
            let file = path("gateway.json");
            std::fs::write(&file, serde_json::to_vec_pretty(&gateway)?)?;
            let config = path("gatewright.toml");
            std::fs::write(&config, stand_ins(setting))?;
            let mut words: Vec<OsString> = vec!["serve".into(), "--gateway".into(), file];
            for (option, value) in [
                ("--bind", OsString::from("127.0.0.1")),
                ("--workers", setting.workers.to_string().into()),
                ("--access-log", path("access.log")),
                ("--admin", format!("127.0.0.1:{}", ports.admin).into()),
                ("--config", config),
            ] {
                words.extend([option.into(), value]);
            }
            words
        }
    })
}

/// Every server of the gateway's network is the one backend.
fn stand_ins(setting: &Setting<'_>) -> String {
    let backend = setting.backend;
    let mut text = format!("map = [\n  \"{GATEWAY_BACKEND}=127.0.0.1:{backend}\",\n");
    for address in gateway_json::more_addresses(setting.more_servers) {
        text.push_str(&format!("  \"{address}=127.0.0.1:{backend}\",\n"));
    }
    text.push_str("]\n");
    text
}

/// The template with every `@NAME@` replaced; one that is left over is an error.
fn filled(template: &str, setting: &Setting<'_>, ports: Ports) -> anyhow::Result<String> {
    let folder = setting
        .folder
        .to_str()
        .context("the folder's name is no UTF-8")?;
    // One socket for one worker; more of them get a socket each.
    let reuse_port = if setting.workers > 1 {
        " reuseport"
    } else {
        ""
    };
    let mut text = template.to_owned();
    for (name, value) in [
        ("@DIR@", folder.to_owned()),
        ("@PLAIN@", ports.plain.to_string()),
        ("@TLS_RSA@", ports.tls_rsa.to_string()),
        ("@TLS_P256@", ports.tls_p256.to_string()),
        ("@BACKEND@", setting.backend.to_string()),
        ("@WORKERS@", setting.workers.to_string()),
        ("@CONNECTIONS@", setting.connections.to_string()),
        // One towards the client, one towards the backend, and some to spare.
        ("@FILES@", (2 * setting.connections + 1_000).to_string()),
        ("@REUSEPORT@", reuse_port.to_owned()),
    ] {
        text = text.replace(name, &value);
    }
    let left = text
        .split('@')
        .nth(1)
        .filter(|word| word.chars().all(|c| c.is_ascii_uppercase()));
    match left.filter(|word| !word.is_empty()) {
        Some(word) => bail!("the template names @{word}@, which has no value"),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_and_an_unknown_name_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = Certificates::make(folder.path()).expect("certificates");
        let setting = Setting {
            folder: folder.path(),
            certificates: &certificates,
            backend: 9,
            cpus: &[0],
            workers: 2,
            connections: 100,
            more_servers: 0,
        };
        let ports = Ports {
            plain: 1,
            tls_rsa: 2,
            tls_p256: 3,
            admin: 4,
        };
        for template in [HAPROXY, NGINX, ENVOY] {
            let text = filled(template, &setting, ports).expect("every name is known");
            assert!(text.contains("127.0.0.1"), "{text}");
            assert!(!text.contains("@D"), "{text}");
        }
        let nginx = filled(NGINX, &setting, ports).expect("every name is known");
        assert!(
            nginx.contains("listen 127.0.0.1:1 backlog=4096 reuseport;"),
            "{nginx}"
        );
        assert!(filled("port @UNKNOWN@", &setting, ports).is_err());
    }

    #[test]
    fn a_port_in_use_is_not_handed_out() {
        let mut free = FreePorts::default();
        let first = free.take().expect("a port");
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).expect("it was free");
        assert_ne!(FreePorts::default().take().expect("a port"), first);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_cure() {
        let error = Installed::find(Engine::Envoy, Some(Path::new("/nowhere/envoy")));
        let error = error.expect_err("nothing is there").to_string();
        assert!(error.contains("--envoy PATH"), "{error}");
    }
}
