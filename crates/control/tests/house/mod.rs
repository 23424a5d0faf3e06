//! A control plane that is started again and again on one directory, within bounds that a test can
//! wait for, with a node that takes nothing until it is told; and a client that writes bytes.

#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_arm::{ArmError, ResourceId};
use gatewright_control::{Control, ControlConfig, Limits, NewPrincipal, Node, Role, Storage};
use gatewright_store::{
    Embedded, Entry, Key, KeySources, OpenError, Options, Pending, Revision, SealingKey, Store,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Api, GROUP, LOCATION, Obedient, as_obedient, config, group, net};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What outlives a control plane.
pub(crate) struct House {
    pub(crate) directory: TempDir,
    pub(crate) limits: Limits,
    pub(crate) names: Vec<String>,
    /// The first principal, once there is one.
    pub(crate) owner: Option<NewPrincipal>,
}

/// A control plane in a runtime of its own, so that it can be killed.
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) ca: Vec<u8>,
    pub(crate) api: Api,
    runtime: Option<Runtime>,
}

impl House {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            limits,
            names: Vec::new(),
            owner: None,
        }
    }

    pub(crate) async fn start(&mut self) -> Running {
        self.start_with(Arc::new(Obedient)).await
    }

    pub(crate) async fn start_with(&mut self, node: Arc<dyn Node>) -> Running {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (store, sealing) = self.open().await;
        let config = ControlConfig {
            names: self.names.clone(),
            ..config(self.directory.path())
        };
        let ca_file = config.ca_file.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let storage = Storage::new(Arc::clone(&store), Arc::clone(&sealing));
        let starting = Control::start_within(self.limits, config, None, storage, node);
        let starting = runtime.spawn(starting);
        let mut control = starting.await.unwrap().unwrap();
        if let Some(owner) = control.take_bootstrap() {
            self.owner = Some(owner);
        }
        let ca = std::fs::read(ca_file).unwrap();
        let owner = self
            .owner
            .as_ref()
            .expect("a first start makes a principal");
        let api = Api::log_in(control.address(), &ca, owner).await;
        Running {
            control,
            store,
            sealing,
            ca,
            api,
            runtime: Some(runtime),
        }
    }

    /// What was killed lets go of the directory a moment later.
    async fn open(&self) -> (Arc<dyn Store>, Arc<SealingKey>) {
        let since = Instant::now();
        loop {
            let directory = self.directory.path();
            match Embedded::open_sealed(directory, Options::default(), &KeySources::default()) {
                Ok((store, sealing)) => return (Arc::new(store), Arc::new(sealing)),
                Err(OpenError::Held { .. }) if since.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Running {
    /// Ends the process, as far as the control plane can tell: its tasks stop where they are.
    pub(crate) fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// A client with another principal's token.
    pub(crate) async fn log_in(&self, principal: &NewPrincipal) -> Api {
        Api::log_in(self.control.address(), &self.ca, principal).await
    }

    /// Makes a principal and logs it in.
    pub(crate) async fn somebody(&self, role: Role, scope: &str) -> (NewPrincipal, Api) {
        let made = self.control.create_principal("test", role, scope).await;
        let made = made.unwrap();
        let api = self.log_in(&made).await;
        (made, api)
    }

    /// The host and port of the control plane, as clients write it.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.control.address().port())
    }

    /// A connection on which bytes are written.
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.control.address(), &self.ca).await
    }

    /// The head of a request with a good token, without the empty line at its end.
    pub(crate) fn head(&self, line: &str) -> String {
        let (host, token) = (self.host(), &self.api.token);
        format!("{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n")
    }

    /// Every entry whose key begins so.
    pub(crate) async fn entries(&self, prefix: &str) -> Vec<Entry> {
        let page = self.store.list(prefix, None, 10_000).await.unwrap();
        assert!(!page.more);
        page.entries
    }

    pub(crate) async fn entry(&self, key: &str) -> Option<Entry> {
        self.store.get(&Key::new(key).unwrap()).await.unwrap()
    }

    pub(crate) async fn revision(&self) -> Revision {
        self.store.revision().await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// TLS with bytes.
pub(crate) struct Wire(pub(crate) TlsStream<TcpStream>);

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr, ca: &[u8]) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(client_config(ca)));
        Self(connector.connect(name, stream).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// As far as the other side takes it.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok() && self.0.flush().await.is_ok()
    }

    /// The next answer; `None` when the connection ended instead.
    pub(crate) async fn answer(&mut self) -> Option<Answered> {
        tokio::time::timeout(PATIENCE, self.read_answer())
            .await
            .expect("no answer, and the connection stays")
    }

    async fn read_answer(&mut self) -> Option<Answered> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answered {
            status,
            head,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// Whether the other side has ended the connection within [`PATIENCE`].
    pub(crate) async fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        let reading = self.0.read_to_end(&mut rest);
        tokio::time::timeout(PATIENCE, reading).await.is_ok()
    }
}

pub(crate) fn client_config(ca: &[u8]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca).unwrap())
        .unwrap();
    rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A node that takes what it is given once its gate is open.
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn close(&self) {
        self.0.send_replace(false);
    }

    async fn pass(&self) {
        let _ = self.0.subscribe().wait_for(|is_open| *is_open).await;
    }
}

impl Node for Gate {
    fn took(&self, _: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async {
            self.pass().await;
            Ok(())
        })
    }

    fn serves<'a>(&'a self, _: &'a ResourceId, _: Revision) -> Pending<'a, Result<(), ArmError>> {
        self.took(Revision::default())
    }

    as_obedient!(health);

    as_obedient!(attempt);
}

/// A virtual network with a subnet for gateways.
pub(crate) fn network() -> Value {
    json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "gateways", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }})
}

/// The group, the network `net1` and the address `pip1`: what a gateway needs.
pub(crate) async fn furnish(api: &Api) {
    api.create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    api.create(&net("virtualNetworks/net1"), &network()).await;
    let address = json!({"location": LOCATION, "sku": {"name": "Standard"}});
    api.create(&net("publicIPAddresses/pip1"), &address).await;
}
