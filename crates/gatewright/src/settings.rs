//! What a node is told besides its gateways: flags, the environment and one TOML file, read once
//! and put together here.

use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use gatewright_control::PublicAddresses;
use gatewright_dataplane::NameServers;
use gatewright_telemetry::{AccessLogTarget, Rotation};
use serde::Deserialize;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::cli::ServeArguments;
use crate::events::EventTarget;
use crate::maps::MapRule;
use crate::output::Format;
use crate::sentence::Sentence;

/// Where a node listens for `health` and `reload` unless told otherwise.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9440);

/// Where a control plane listens unless told otherwise.
const DEFAULT_CONTROL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);

/// Whose value is the password of the PFX files that have no password file.
const PASSWORD_VARIABLE: &str = "GATEWRIGHT_CERTIFICATE_PASSWORD";

/// Largest settings file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

const DEFAULT_DRAIN: Duration = Duration::from_secs(30);

/// Most threads that serve traffic.
const WORKERS_MAX: u16 = 1024;

/// Everything that decides how a node runs. See `gatewright serve --help` for what each means.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) gateways: Vec<PathBuf>,
    pub(crate) parameters: Option<PathBuf>,
    pub(crate) network: Option<PathBuf>,
    /// The control plane, where there is to be one.
    pub(crate) control: Option<ControlSettings>,
    pub(crate) map: Vec<MapRule>,
    pub(crate) port_offset: u16,
    pub(crate) bind: Vec<BindRule>,
    pub(crate) dev_certs: bool,
    pub(crate) certificates: Vec<CertificateFile>,
    pub(crate) certificate_password: Zeroizing<String>,
    pub(crate) access_log: AccessLogTarget,
    pub(crate) health_events: EventTarget,
    pub(crate) notify_url: Option<String>,
    pub(crate) admin: AdminAddress,
    pub(crate) workers: usize,
    pub(crate) path_case_sensitive: bool,
    pub(crate) proxy_status: bool,
    pub(crate) ignore_unsupported: bool,
    pub(crate) dns: Vec<SocketAddr>,
    pub(crate) watch: bool,
    pub(crate) drain_timeout: Duration,
    pub(crate) output: Format,
}

/// `--data-dir`: a control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) names: Vec<String>,
    pub(crate) public_addresses: PublicAddresses,
}

/// `--bind`: where frontends listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BindRule {
    /// `frontend` or `gateway/frontend`, in any letter case; `None` for all others.
    pub(crate) frontend: Option<String>,
    pub(crate) address: IpAddr,
}

/// `--certificate`: a file for an `sslCertificates` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFile {
    /// `entry` or `gateway/entry`.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) password_file: Option<PathBuf>,
}

/// `--admin`: where a node listens for its own commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    Nowhere,
    At(SocketAddr),
}

/// `--access-log`, `--health-events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputPath {
    Stdout,
    File(PathBuf),
}

/// `--dns`: port 53 unless given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameServer(SocketAddr);

impl FromStr for BindRule {
    type Err = Sentence;

    fn from_str(text: &str) -> Result<Self, Sentence> {
        let (frontend, address) = match text.rsplit_once('=') {
            Some((frontend, address)) => (Some(frontend.to_owned()), address),
            None => (None, text),
        };
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse().map_err(|_| {
            Sentence::new(format!(
                "'{address}' is not an IP address; give for example 127.0.0.1, or \
                 FRONTEND=127.0.0.1 for one frontend (ports come from the gateway, and \
                 --port-offset moves them)"
            ))
        })?;
        Ok(Self { frontend, address })
    }
}

impl FromStr for CertificateFile {
    type Err = Sentence;

    fn from_str(text: &str) -> Result<Self, Sentence> {
        let form = || {
            Sentence::new(format!(
                "'{text}' does not name a certificate and its file; \
                 give NAME=FILE or NAME=FILE,password-file=PATH"
            ))
        };
        let (name, rest) = text.split_once('=').ok_or_else(form)?;
        let (file, password_file) = match rest.split_once(",password-file=") {
            Some((file, password_file)) => (file, Some(PathBuf::from(password_file))),
            None => (rest, None),
        };
        if name.is_empty() || file.is_empty() {
            return Err(form());
        }
        Ok(Self {
            name: name.to_owned(),
            file: file.into(),
            password_file,
        })
    }
}

impl FromStr for AdminAddress {
    type Err = Sentence;

    fn from_str(text: &str) -> Result<Self, Sentence> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::Nowhere);
        }
        let address = text
            .strip_prefix("http://")
            .unwrap_or(text)
            .trim_end_matches('/');
        let address = address.replace("localhost:", "127.0.0.1:");
        let address: SocketAddr = address.parse().map_err(|_| {
            Sentence::new(format!(
                "'{text}' is not an address and port; give for example {DEFAULT_ADMIN}, or none"
            ))
        })?;
        if !address.ip().is_loopback() {
            return Err(Sentence::new(format!(
                "the admin address {address} can be reached from other machines, and whoever \
                 reaches it controls the node; give a loopback address such as {DEFAULT_ADMIN}"
            )));
        }
        Ok(Self::At(address))
    }
}

impl AdminAddress {
    pub(crate) const DEFAULT: Self = Self::At(DEFAULT_ADMIN);
}

impl FromStr for OutputPath {
    type Err = Sentence;

    fn from_str(text: &str) -> Result<Self, Sentence> {
        Ok(match text {
            "-" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }
}

impl NameServer {
    pub(crate) fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for NameServer {
    type Err = Sentence;

    fn from_str(text: &str) -> Result<Self, Sentence> {
        let with_port = text.parse().ok();
        let address = with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)));
        address.map(Self).ok_or_else(|| {
            Sentence::new(format!(
                "'{text}' is not an IP address with or without a port"
            ))
        })
    }
}

/// A text of the settings file, read as the flag of the same name is.
#[derive(Clone, Debug)]
struct Parsed<T>(T);

impl<'de, T> Deserialize<'de> for Parsed<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A list of the settings file; a single text stands for a list of one.
#[derive(Debug)]
struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<List<T>, E> {
        T::deserialize(text.into_deserializer()).map(|one| List(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = texts.next_element()? {
            list.push(one);
        }
        Ok(List(list))
    }
}

/// The settings file. Every name is that of a flag.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct FileSettings {
    gateway: List<PathBuf>,
    parameters: Option<PathBuf>,
    network: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    control: Option<SocketAddr>,
    control_name: List<String>,
    public_ips: Option<Parsed<PublicAddresses>>,
    map: List<Parsed<MapRule>>,
    port_offset: Option<u16>,
    bind: List<Parsed<BindRule>>,
    dev_certs: bool,
    certificate: List<Parsed<CertificateFile>>,
    access_log: Option<Parsed<OutputPath>>,
    access_log_mib: Option<u32>,
    access_log_kept: Option<u16>,
    health_events: Option<Parsed<OutputPath>>,
    notify_url: Option<String>,
    admin: Option<Parsed<AdminAddress>>,
    workers: Option<u16>,
    path_case_sensitive: bool,
    proxy_status: bool,
    ignore_unsupported: bool,
    dns: List<Parsed<NameServer>>,
    watch: Option<bool>,
    drain_timeout: Option<u32>,
    output: Option<Format>,
}

impl FileSettings {
    fn read(path: &Path) -> Result<Self, Sentence> {
        let shown = path.display();
        let cannot = |error| Sentence::new(format!("cannot read the settings {shown}: {error}"));
        let bytes = fs::metadata(path).map_err(cannot)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(Sentence::new(format!(
                "the settings {shown} have {bytes} bytes; at most {FILE_BYTES_MAX} are read"
            )));
        }
        let text = fs::read_to_string(path).map_err(cannot)?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            Sentence::new(format!("{shown}, line {line}: {}", error.message()))
        })?;
        settings.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(settings)
    }

    /// Paths in the file are relative to the file.
    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        self.gateway.0.iter_mut().for_each(resolve);
        self.parameters.as_mut().map(resolve);
        self.network.as_mut().map(resolve);
        self.data_dir.as_mut().map(resolve);
        for Parsed(certificate) in &mut self.certificate.0 {
            resolve(&mut certificate.file);
            certificate.password_file.as_mut().map(resolve);
        }
        let outputs = [&mut self.access_log, &mut self.health_events];
        for output in outputs.into_iter().flatten() {
            if let Parsed(OutputPath::File(path)) = output {
                resolve(path);
            }
        }
    }
}

/// The values of a repeated flag, or else those of the file.
fn either<T>(flags: Vec<T>, file: List<Parsed<T>>) -> Vec<T> {
    match flags.is_empty() {
        true => file.0.into_iter().map(|Parsed(value)| value).collect(),
        false => flags,
    }
}

fn unwrap<T>(parsed: Option<Parsed<T>>) -> Option<T> {
    parsed.map(|Parsed(value)| value)
}

impl Settings {
    /// # Errors
    /// When the settings file cannot be read, a value is out of its bounds, or no gateway is named.
    pub(crate) fn gather(flags: ServeArguments) -> Result<Self, Sentence> {
        let file = match &flags.config {
            Some(path) => FileSettings::read(path)?,
            None => FileSettings::default(),
        };
        let gateways = if flags.gateway.is_empty() {
            file.gateway.0
        } else {
            flags.gateway
        };
        let public_addresses = flags.public_ips.or(unwrap(file.public_ips));
        let control = flags
            .data_dir
            .or(file.data_dir)
            .map(|data_dir| ControlSettings {
                data_dir,
                listen: flags.control.or(file.control).unwrap_or(DEFAULT_CONTROL),
                names: match flags.control_name.is_empty() {
                    true => file.control_name.0,
                    false => flags.control_name,
                },
                public_addresses: public_addresses.unwrap_or_default(),
            });
        if gateways.is_empty() && control.is_none() {
            return Err(Sentence::new(
                "there is no gateway to serve; give its JSON with --gateway FILE, or a folder for \
                 a control plane with --data-dir DIR",
            ));
        }
        let rotation = rotation(
            flags.access_log_mib.or(file.access_log_mib),
            flags.access_log_kept.or(file.access_log_kept),
        )?;
        let access_log = match flags.access_log.or(unwrap(file.access_log)) {
            None => AccessLogTarget::Nowhere,
            Some(OutputPath::Stdout) => AccessLogTarget::Stdout,
            Some(OutputPath::File(path)) => AccessLogTarget::File(path, rotation),
        };
        let health_events = match flags.health_events.or(unwrap(file.health_events)) {
            None => EventTarget::Nowhere,
            Some(OutputPath::Stdout) => EventTarget::Stdout,
            Some(OutputPath::File(path)) => EventTarget::File(path),
        };
        let watch = match (flags.watch, flags.no_watch) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => file.watch.unwrap_or(true),
        };
        let drain = flags.drain_timeout.or(file.drain_timeout);
        let dns = either(flags.dns, file.dns);
        Ok(Self {
            gateways,
            parameters: flags.parameters.or(file.parameters),
            network: flags.network.or(file.network),
            control,
            map: either(flags.map, file.map),
            port_offset: flags.port_offset.or(file.port_offset).unwrap_or(0),
            bind: either(flags.bind, file.bind),
            dev_certs: flags.dev_certs || file.dev_certs,
            certificates: either(flags.certificate, file.certificate),
            certificate_password: password_from_environment()?,
            access_log,
            health_events,
            notify_url: flags.notify_url.or(file.notify_url),
            admin: flags
                .admin
                .or(unwrap(file.admin))
                .unwrap_or(AdminAddress::DEFAULT),
            workers: workers(flags.workers.or(file.workers))?,
            path_case_sensitive: flags.path_case_sensitive || file.path_case_sensitive,
            proxy_status: flags.proxy_status || file.proxy_status,
            ignore_unsupported: flags.ignore_unsupported || file.ignore_unsupported,
            dns: dns.into_iter().map(|NameServer(address)| address).collect(),
            watch,
            drain_timeout: drain.map_or(DEFAULT_DRAIN, |s| Duration::from_secs(s.into())),
            output: flags.output.or(file.output).unwrap_or_default(),
        })
    }

    pub(crate) fn name_servers(&self) -> NameServers {
        match self.dns.is_empty() {
            true => NameServers::System,
            false => NameServers::These(self.dns.clone()),
        }
    }
}

fn rotation(mib: Option<u32>, kept: Option<u16>) -> Result<Rotation, Sentence> {
    let default = Rotation::default();
    if mib == Some(0) {
        return Err(Sentence::new(
            "the access log's size (access-log-mib) must be at least 1 MiB",
        ));
    }
    Ok(Rotation {
        bytes_max: mib.map_or(default.bytes_max, |mib| u64::from(mib) * 1024 * 1024),
        kept: kept.map_or(default.kept, usize::from),
    })
}

fn workers(given: Option<u16>) -> Result<usize, Sentence> {
    match given {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(number @ 1..=WORKERS_MAX) => Ok(number.into()),
        Some(number) => Err(Sentence::new(format!(
            "{number} threads cannot serve; give --workers a number from 1 to {WORKERS_MAX}"
        ))),
    }
}

fn password_from_environment() -> Result<Zeroizing<String>, Sentence> {
    match std::env::var(PASSWORD_VARIABLE) {
        Ok(password) => Ok(Zeroizing::new(password)),
        Err(std::env::VarError::NotPresent) => Ok(Zeroizing::default()),
        Err(std::env::VarError::NotUnicode(_)) => Err(Sentence::new(format!(
            "the password in {PASSWORD_VARIABLE} is not UTF-8; set it to text"
        ))),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
