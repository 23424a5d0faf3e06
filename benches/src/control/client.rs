//! A client of the control plane, and the program itself.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::documents;
use crate::engines::Installed;
use crate::process::Program;

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at an operation; a client that asks without a pause takes a core from what it
/// waits for.
const POLL_EVERY: Duration = Duration::from_millis(1);
const API_VERSION: &str = "2025-07-01";

/// A gateway program with a control plane on a new folder.
pub(super) struct Plane {
    program: Program,
    pub(super) door: Door,
}

/// What a client needs to get in.
pub(super) struct Door {
    control: SocketAddr,
    tls: Arc<ClientConfig>,
    app_id: String,
    password: String,
}

impl Plane {
    pub(super) fn start(
        folder: &Path,
        installed: &Installed,
        cpus: &[usize],
        backend: u16,
    ) -> anyhow::Result<Self> {
        let data = folder.join("data");
        let log = folder.join("gatewright.log");
        let argument = |text: &str| OsString::from(text);
        let mut command: Vec<OsString> = vec![
            installed.program.clone().into(),
            argument("serve"),
            argument("--data-dir"),
            data.clone().into(),
            argument("--control"),
            argument("127.0.0.1:0"),
            argument("--admin"),
            argument("none"),
            argument("-o"),
            argument("json"),
        ];
        for server in documents::servers() {
            command.extend([
                "--map".into(),
                format!("{server}=127.0.0.1:{backend}").into(),
            ]);
        }
        let mut program = Program::start("gatewright", cpus, &command, &log)?;
        let ready: Value = serde_json::from_str(&program.line(PATIENCE)?)?;
        let control = ready["control"]
            .as_str()
            .context("no control plane")?
            .parse()?;
        let told = std::fs::read_to_string(&log)?;
        let door = Door {
            control,
            tls: trusting(&data.join("ca.crt"))?,
            app_id: documents::word_after(&told, "appId")?,
            password: documents::word_after(&told, "password")?,
        };
        Ok(Self { program, door })
    }

    pub(super) fn pid(&self) -> Pid {
        self.program.pid()
    }

    /// Where the changed gateway listens: its private address has a loopback stand-in.
    pub(super) fn port(&self, port: u16) -> SocketAddr {
        let [_, second, third, fourth] = documents::BIG_ADDRESS;
        SocketAddr::from(([127, second, third, fourth], port))
    }
}

impl Door {
    /// A client that has logged in.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let mut client = Client {
            control: self.control,
            stream: connect(self.control, &self.tls)?,
            token: String::new(),
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://{}/.default",
            self.app_id, self.password, self.control
        );
        let answer = client.call("POST", "/adfs/oauth2/token", form.as_bytes())?;
        let body = answer.body();
        let token = body["access_token"].as_str();
        token.context("no token")?.clone_into(&mut client.token);
        Ok(client)
    }
}

fn trusting(ca: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(ca);
    roots.add(certificate.map_err(|error| anyhow::anyhow!("{error}"))?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> anyhow::Result<Stream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::IpAddress(address.ip().into());
    let connection = ClientConnection::new(Arc::clone(tls), name)?;
    Ok(BufReader::new(StreamOwned::new(connection, stream)))
}

/// One connection, kept.
pub(super) struct Client {
    control: SocketAddr,
    stream: Stream,
    token: String,
}

struct Answer {
    status: u16,
    /// The path of `Azure-AsyncOperation`.
    operation: Option<String>,
    /// Parsed by those alone who look into it: what a client makes of an answer takes no time of
    /// the control plane's.
    text: Vec<u8>,
}

impl Answer {
    fn body(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

impl Client {
    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<()> {
        let answer = self.call("GET", &versioned(path), b"")?;
        let is_fine = answer.status == 200;
        ensure!(is_fine, "GET {path}: {} {}", answer.status, answer.body());
        Ok(())
    }

    /// The path of the operation, where one goes on.
    pub(super) fn put(&mut self, path: &str, body: &str) -> anyhow::Result<Option<String>> {
        let answer = self.call("PUT", &versioned(path), body.as_bytes())?;
        let is_fine = matches!(answer.status, 200 | 201);
        ensure!(is_fine, "PUT {path}: {} {}", answer.status, answer.body());
        Ok(answer.operation)
    }

    /// Polls until the operation has succeeded.
    pub(super) fn finish(&mut self, operation: &Option<String>) -> anyhow::Result<()> {
        let Some(path) = operation else {
            return Ok(());
        };
        loop {
            let answer = self.call("GET", path, b"")?;
            let body = answer.body();
            match body["status"].as_str() {
                Some("Succeeded") => return Ok(()),
                Some("InProgress") => std::thread::sleep(POLL_EVERY),
                _ => bail!("{path}: {} {body}", answer.status),
            }
        }
    }

    fn call(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let authorization = match self.token.is_empty() {
            true => String::new(),
            false => format!("Authorization: Bearer {}\r\n", self.token),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{authorization}Content-Length: {}\r\n\r\n",
            self.control,
            body.len()
        );
        let out = self.stream.get_mut();
        out.write_all(head.as_bytes())?;
        out.write_all(body)?;
        out.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no answer: {line:?}"))?;
        let (mut length, mut operation) = (0, None);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "azure-asyncoperation" => operation = Some(path_of(value.trim())),
                _ => {}
            }
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text)?;
        Ok(Answer {
            status,
            operation,
            text,
        })
    }
}

fn versioned(path: &str) -> String {
    format!("{path}?api-version={API_VERSION}")
}

/// The path of a URL.
fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/')
        .map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned())
}
