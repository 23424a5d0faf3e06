//! Runs the real binary, and writes gateways for it.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gatewright_testkit::backend::{Backend, Manners};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// For everything that happens at once unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const ID: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
                  /providers/Microsoft.Network/applicationGateways/gw";

pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    for variable in [
        "GATEWRIGHT_ADMIN",
        "GATEWRIGHT_LOG",
        "GATEWRIGHT_CERTIFICATE_PASSWORD",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program to its end, which must come within [`PATIENCE`].
pub(crate) fn run(arguments: &[&str]) -> Output {
    let child = binary()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = kill(pid, Signal::SIGKILL);
            panic!("{arguments:?} goes on and on");
        },
        Result::unwrap,
    )
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What is printed, as JSON.
#[track_caller]
pub(crate) fn json_of(output: &Output) -> Value {
    let parsed = serde_json::from_slice(&output.stdout);
    parsed.unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

/// The first finding that `gatewright diagnose -o json` prints; null where it has none.
#[track_caller]
pub(crate) fn first_finding(output: &Output) -> Value {
    json_of(output)["findings"][0].clone()
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(crate) fn item(collection: &str, name: &str, properties: Value) -> Value {
    json!({ "name": name, "id": format!("{ID}/{collection}/{name}"), "properties": properties })
}

pub(crate) fn reference(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{ID}/{collection}/{name}") })
}

/// A gateway with one HTTP listener on `port` and one server. The server's address is one that no
/// test machine has: tests map it.
pub(crate) fn gateway(port: u16) -> Value {
    let network = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
                   /providers/Microsoft.Network";
    let subnet = json!({ "id": format!("{network}/virtualNetworks/vn/subnets/sn") });
    let address = json!({ "id": format!("{network}/publicIPAddresses/ip") });
    json!({
        "name": "gw",
        "id": ID,
        "type": "Microsoft.Network/applicationGateways",
        "location": "westeurope",
        "properties": {
            "provisioningState": "Succeeded",
            "sku": { "name": "Standard_v2", "tier": "Standard_v2", "capacity": 1 },
            "sslPolicy": { "policyType": "Predefined", "policyName": "AppGwSslPolicy20220101S" },
            "gatewayIPConfigurations": [
                item("gatewayIPConfigurations", "subnet", json!({ "subnet": subnet })),
            ],
            "frontendIPConfigurations": [
                item("frontendIPConfigurations", "public", json!({ "publicIPAddress": address })),
            ],
            "frontendPorts": [item("frontendPorts", "port", json!({ "port": port }))],
            "backendAddressPools": [item("backendAddressPools", "pool", json!({
                "backendAddresses": [{ "ipAddress": "10.9.8.7" }],
            }))],
            "backendHttpSettingsCollection": [
                item("backendHttpSettingsCollection", "setting", json!({
                    "port": 80, "protocol": "Http", "cookieBasedAffinity": "Disabled",
                    "requestTimeout": 20,
                })),
            ],
            "httpListeners": [item("httpListeners", "listener", json!({
                "frontendIPConfiguration": reference("frontendIPConfigurations", "public"),
                "frontendPort": reference("frontendPorts", "port"),
                "protocol": "Http",
            }))],
            "requestRoutingRules": [item("requestRoutingRules", "rule", json!({
                "ruleType": "Basic",
                "priority": 10,
                "httpListener": reference("httpListeners", "listener"),
                "backendAddressPool": reference("backendAddressPools", "pool"),
                "backendHttpSettings": reference("backendHttpSettingsCollection", "setting"),
            }))],
        },
    })
}

/// The same with HTTPS, and a certificate without a private key.
pub(crate) fn https_gateway(port: u16) -> Value {
    let mut document = gateway(port);
    let properties = &mut document["properties"];
    let mut certificate = item("sslCertificates", "site", json!({}));
    certificate["properties"]["provisioningState"] = "Succeeded".into();
    properties["sslCertificates"] = json!([certificate]);
    let listener = &mut properties["httpListeners"][0]["properties"];
    listener["protocol"] = "Https".into();
    listener["sslCertificate"] = reference("sslCertificates", "site");
    document
}

/// Has the setting's servers probed every second, by a probe with these `properties` beside.
pub(crate) fn probe_often(document: &mut Value, properties: Value) {
    let mut probe = json!({
        "protocol": "Http", "host": "127.0.0.1", "path": "/", "interval": 1, "timeout": 20,
        "unhealthyThreshold": 2, "pickHostNameFromBackendHttpSettings": false, "minServers": 0,
    });
    let more = properties.as_object().unwrap().clone();
    probe.as_object_mut().unwrap().extend(more);
    let all = &mut document["properties"];
    all["probes"] = json!([item("probes", "probe", probe)]);
    all["backendHttpSettingsCollection"][0]["properties"]["probe"] = reference("probes", "probe");
}

/// The pool's members.
pub(crate) fn set_servers(document: &mut Value, addresses: &[&str]) {
    let servers = addresses.iter().map(|one| json!({ "ipAddress": one }));
    document["properties"]["backendAddressPools"][0]["properties"]["backendAddresses"] =
        servers.collect();
}

/// Points the rule to a pool that does not exist.
pub(crate) fn spoil(document: &mut Value) {
    document["properties"]["requestRoutingRules"][0]["properties"]["backendAddressPool"] =
        reference("backendAddressPools", "elsewhere");
}

/// Renames the rule: a change that shows in the access log and nowhere else.
pub(crate) fn rename_rule(document: &mut Value, name: &str) {
    let rule = &mut document["properties"]["requestRoutingRules"][0];
    rule["name"] = name.into();
    rule["id"] = format!("{ID}/requestRoutingRules/{name}").into();
}

/// A folder with a gateway file.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new(document: &Value) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write(document);
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn gateway(&self) -> String {
        self.path("gateway.json").display().to_string()
    }

    /// Replaces the gateway's file as editors do: whole, under its name.
    pub(crate) fn write(&self, document: &Value) {
        self.write_as("gateway.json", document);
    }

    /// The same with another name, in a folder of the folder where the name says so.
    pub(crate) fn write_as(&self, name: &str, document: &Value) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self.path("new");
        std::fs::write(&new, format!("{document:#}")).unwrap();
        std::fs::rename(new, path).unwrap();
    }
}

/// The program, running. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    stderr: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = binary()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = collect(child.stderr.take().unwrap());
        let lines = forward(child.stdout.take().unwrap());
        Self {
            child,
            lines,
            stderr,
        }
    }

    /// The next line on standard output.
    pub(crate) fn next_line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no line came; standard error says:\n{}", self.stderr()))
    }

    /// A line that has been printed and not been asked for, if there is one.
    pub(crate) fn waiting_line(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "still running:\n{}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `gatewright serve`.
pub(crate) struct Node {
    process: Process,
    /// The ready line.
    pub(crate) ready: Value,
}

impl Node {
    /// Serves `files` on loopback with a free admin port and `more` arguments, and waits for the
    /// ready line.
    pub(crate) fn serve(files: &Files, more: &[&str]) -> Self {
        let gateway = files.gateway();
        let mut arguments = vec!["serve", "--gateway", &gateway, "--bind", "127.0.0.1"];
        arguments.extend(["-o", "json", "--workers", "2"]);
        if !more.contains(&"--admin") {
            arguments.extend(["--admin", "127.0.0.1:0"]);
        }
        arguments.extend(more);
        let process = Process::start(&arguments);
        let ready = serde_json::from_str(&process.next_line()).unwrap();
        Self { process, ready }
    }

    /// Serves a gateway with one server of these `manners`, which is probed every second.
    pub(crate) async fn with_server(manners: Manners, more: &[&str]) -> (Self, Files, Backend) {
        let backend = Backend::start(manners).await.unwrap();
        let mut document = gateway(free_port());
        probe_often(&mut document, json!({}));
        let files = Files::new(&document);
        let map = format!("10.9.8.7:80={}", backend.address());
        let node = Self::serve(&files, &[&["--map", &map], more].concat());
        (node, files, backend)
    }

    /// Where the only listener is bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.ready["endpoints"][0]["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) fn admin(&self) -> String {
        self.ready["admin"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self) -> Value {
        let output = run(&["status", "-o", "json", "--admin", &self.admin()]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn reload(&self) -> Output {
        run(&["reload", "--admin", &self.admin()])
    }

    /// The first finding of `gatewright diagnose`; null where it has none.
    #[track_caller]
    pub(crate) fn diagnosed(&self) -> Value {
        first_finding(&run(&["diagnose", "-o", "json", "--admin", &self.admin()]))
    }

    /// `gatewright health` with `more` arguments.
    pub(crate) fn health(&self, more: &[&str]) -> Output {
        run(&[&["health", "--admin", &self.admin()], more].concat())
    }

    /// Every server's address, health and sentence.
    pub(crate) fn servers(&self) -> Vec<[String; 3]> {
        let report = json_of(&self.health(&["-o", "json"]));
        let list = |value: &Value| value.as_array().unwrap().clone();
        let pools = list(&report["backendAddressPools"]).into_iter();
        let settings = pools.flat_map(|pool| list(&pool["backendHttpSettingsCollection"]));
        let servers = settings.flat_map(|setting| list(&setting["servers"]));
        let names = ["address", "health", "healthProbeLog"];
        servers
            .map(|server| names.map(|name| server[name].as_str().unwrap().to_owned()))
            .collect()
    }

    /// The health of every server, in the report's order.
    pub(crate) fn healths(&self) -> Vec<String> {
        let servers = self.servers().into_iter();
        servers.map(|[_, health, _]| health).collect()
    }

    pub(crate) fn wait_for_healths(&self, expected: &[&str]) {
        wait_until(&format!("the servers are {expected:?}"), || {
            self.healths() == expected
        });
    }
}

impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn collect(mut source: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = source.read(&mut buffer) {
            shared
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    text
}

fn forward(source: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Waits until `is_so`, and fails with `what` when it does not come to be.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The objects of a file with one in each line; a line that is being written is left out.
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn access_log(path: &Path) -> Vec<Value> {
    json_lines(path)
}
