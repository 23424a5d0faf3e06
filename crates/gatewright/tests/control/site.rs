//! A node whose control plane has a network and an address, and somebody who may do everything.

use std::net::{SocketAddr, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::get;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::plane;
use crate::rest::{Credentials, Rest};
use crate::support::{ID, PATIENCE, Process, run, set_servers};

/// Whatever is written under it by the tests of files is said of this node's subscription here.
const OTHER: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

/// The group that everything is in.
const GROUP: &str = "/resourceGroups/rg";

/// Where the gateways of the tests of files are.
const LOCATION: &str = "westeurope";

/// In the network.
const SERVER: &str = "10.0.1.4";

const API_VERSION: &str = "?api-version=2024-05-01";

const POLL_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Site {
    folder: tempfile::TempDir,
    offset: u16,
    _backend: Backend,
    arguments: Vec<String>,
    credentials: Credentials,
    process: Process,
    ready: Value,
    rest: Rest,
}

impl Site {
    /// Its gateways reach a server, which answers `hello`.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let backend = Backend::start(Manners::text("hello")).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let offset = plane::port_offset();
        let map = format!("{SERVER}:80={}", backend.address());
        let own = [
            "--admin",
            "127.0.0.1:0",
            "--bind",
            "127.0.0.1",
            "--map",
            &map,
        ];
        let arguments = own.iter().chain(more).map(|one| (*one).to_owned());
        let arguments: Vec<String> = arguments.collect();
        let (process, ready) = serve(&folder, offset, &arguments);
        let credentials = Credentials::told_by(&process);
        let rest = Rest::log_in(folder.path(), &ready, &credentials).await;
        let site = Self {
            folder,
            offset,
            _backend: backend,
            arguments,
            credentials,
            process,
            ready,
            rest,
        };
        site.put("", &json!({"location": LOCATION})).await;
        let network = json!({"location": LOCATION, "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "sn", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        }});
        site.put("Microsoft.Network/virtualNetworks/vn", &network)
            .await;
        let address = json!({"location": LOCATION, "sku": {"name": "Standard"}});
        site.put("Microsoft.Network/publicIPAddresses/ip", &address)
            .await;
        site
    }

    /// Kills the process at once, and starts it anew.
    pub(crate) async fn restart(&mut self) {
        self.end_by(Signal::SIGKILL);
        self.begin().await;
    }

    pub(crate) fn end_by(&mut self, signal: Signal) {
        self.process.send(signal);
        self.process.wait();
    }

    pub(crate) async fn begin(&mut self) {
        (self.process, self.ready) = serve(&self.folder, self.offset, &self.arguments);
        self.rest = Rest::log_in(self.folder.path(), &self.ready, &self.credentials).await;
    }

    /// Has the node read everything anew, and waits until it has.
    pub(crate) fn reload(&self) {
        let output = run(&["reload", "--admin", self.ready["admin"].as_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
    }

    /// Writes a resource of the group, and the group itself where `below` is empty; how that ended.
    pub(crate) async fn put(&self, below: &str, body: &Value) -> Value {
        self.end("PUT", &self.path(below), body.to_string()).await
    }

    /// Writes the gateway, with the server in its pool; how that ended.
    pub(crate) async fn put_gateway(&self, document: &Value) -> Value {
        let document = with_server(document);
        self.end("PUT", &self.gateway_path(""), document.to_string())
            .await
    }

    /// Begins to write the gateway, and does not wait for the end.
    pub(crate) async fn begin_put(&self, document: &Value) {
        let target = self.gateway_path(API_VERSION);
        let body = self.own(&with_server(document).to_string());
        let answer = self.rest.send("PUT", &target, body).await;
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Changes a tag of the gateway, which is answered when it has ended.
    pub(crate) async fn tag(&self, value: &str) {
        let body = json!({"tags": { "tag": value }}).to_string();
        self.end("PATCH", &self.gateway_path(""), body).await;
    }

    pub(crate) async fn delete_gateway(&self) -> Value {
        self.end("DELETE", &self.gateway_path(""), String::new())
            .await
    }

    /// Starts or stops the gateway; how that ended.
    pub(crate) async fn post(&self, word: &str) -> Value {
        let path = self.gateway_path(&format!("/{word}"));
        self.end("POST", &path, String::new()).await
    }

    /// The gateway's provisioning state and operational state.
    pub(crate) async fn states(&self) -> (String, String) {
        let target = self.gateway_path(API_VERSION);
        let answer = self.rest.send("GET", &target, String::new()).await;
        let shown: Value = answer.json().await.unwrap();
        let text = |name: &str| shown["properties"][name].as_str().unwrap().to_owned();
        (text("provisioningState"), text("operationalState"))
    }

    /// Where a frontend port listens here.
    pub(crate) fn door(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port + self.offset))
    }

    /// The status that a client gets there; `None` where nobody listens.
    pub(crate) async fn status(&self, port: u16) -> Option<u16> {
        let door = self.door(port);
        TcpStream::connect(door).ok()?;
        Some(get(door, "a.test", "/").await.unwrap().status)
    }

    /// What the insights say, each in one text.
    pub(crate) fn insights(&self) -> Vec<String> {
        let admin = self.ready["admin"].as_str().unwrap();
        let output = run(&["status", "-o", "json", "--admin", admin]);
        assert!(output.status.success(), "{output:?}");
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let insights = status["insights"].as_array().unwrap().iter();
        let text = |one: &Value| format!("{}: {}", one["HealthStatus"], one["ErrorDetails"]);
        insights.map(text).collect()
    }

    /// Runs the program as the owner of the data folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--data-dir", self.folder()]].concat())
    }

    pub(crate) fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn path(&self, below: &str) -> String {
        let below = match below {
            "" => String::new(),
            below => format!("/providers/{below}"),
        };
        format!("/subscriptions/{}{GROUP}{below}", self.rest.subscription)
    }

    fn gateway_path(&self, below: &str) -> String {
        self.own(ID) + below
    }

    fn own(&self, text: &str) -> String {
        let subscription = format!("/subscriptions/{}", self.rest.subscription);
        text.replace(OTHER, &subscription)
    }

    /// What the operation that a request begins ends with; the resource, where none is begun.
    async fn end(&self, method: &str, path: &str, body: String) -> Value {
        let target = format!("{path}{API_VERSION}");
        let answer = self.rest.send(method, &target, self.own(&body)).await;
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
        let link = answer.headers().get("azure-asyncoperation");
        let Some(link) = link.map(|link| link.to_str().unwrap().to_owned()) else {
            return answer.json().await.unwrap();
        };
        let since = Instant::now();
        loop {
            let answer = self.rest.send("GET", &link, String::new()).await;
            let status: Value = answer.json().await.unwrap();
            if status["status"] != "InProgress" {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "{link} goes on and on");
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}

fn serve(folder: &tempfile::TempDir, offset: u16, arguments: &[String]) -> (Process, Value) {
    let more: Vec<&str> = arguments.iter().map(String::as_str).collect();
    plane::serve(folder.path(), offset, &more)
}

/// The gateway with the server in its pool.
fn with_server(document: &Value) -> Value {
    let mut document = document.clone();
    set_servers(&mut document, &[SERVER]);
    document
}
