//! A control plane on a free port, over the embedded store, with a node that serves everything; and
//! a client that speaks to it as az does: over HTTPS, with a token, following operations.

#![allow(dead_code, reason = "every test binary uses its part of it")]

pub(crate) mod deploying;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatewright_arm::{ArmError, ResourceId};
use gatewright_control::{
    AppService, Attempt, AttemptRequest, Attempted, Control, ControlConfig, DEFAULT_SUBSCRIPTION,
    DEFAULT_TENANT, Desired, LetsThrough, NewPrincipal, Node, PublicAddresses, Storage, Tried,
};
use gatewright_store::{Embedded, KeySources, Options, Pending, Revision, SealingKey, Store};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The api-version that requests have where nothing is said.
pub(crate) const API_VERSION: &str = "2024-05-01";

/// The group that the helpers of this module write to.
pub(crate) const GROUP: &str = "rg1";

/// The region of everything.
pub(crate) const LOCATION: &str = "local";

/// How long an operation may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Within an `impl Node`: what a node that is peculiar elsewhere answers as [`Obedient`] does,
/// about `health`, and to an `attempt`.
#[allow(unused_macros, reason = "not every test binary has such a node")]
macro_rules! as_obedient {
    (health) => {
        fn backend_health<'a>(
            &'a self,
            gateway: &'a gatewright_arm::ResourceId,
        ) -> gatewright_store::Pending<'a, Result<serde_json::Value, gatewright_arm::ArmError>> {
            $crate::support::Obedient.backend_health(gateway)
        }

        fn backend_health_on_demand<'a>(
            &'a self,
            gateway: &'a gatewright_arm::ResourceId,
            probe: &'a serde_json::Value,
        ) -> gatewright_store::Pending<'a, Result<serde_json::Value, gatewright_arm::ArmError>> {
            $crate::support::Obedient.backend_health_on_demand(gateway, probe)
        }
    };
    (attempt) => {
        fn attempt<'a>(
            &'a self,
            attempt: &'a gatewright_control::Attempt,
            lets_through: gatewright_control::LetsThrough<'a>,
        ) -> gatewright_store::Pending<'a, gatewright_control::Attempted> {
            $crate::support::Obedient.attempt(attempt, lets_through)
        }
    };
}

#[allow(unused_imports, reason = "not every test binary has such a node")]
pub(crate) use as_obedient;

/// A node that takes what it is given.
pub(crate) struct Obedient;

impl Node for Obedient {
    fn took(&self, _: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async { Ok(()) })
    }

    fn serves<'a>(&'a self, _: &'a ResourceId, _: Revision) -> Pending<'a, Result<(), ArmError>> {
        Box::pin(async { Ok(()) })
    }

    fn backend_health<'a>(&'a self, _: &'a ResourceId) -> Pending<'a, Result<Value, ArmError>> {
        Box::pin(async { Ok(json!({"backendAddressPools": []})) })
    }

    fn backend_health_on_demand<'a>(
        &'a self,
        _: &'a ResourceId,
        probe: &'a Value,
    ) -> Pending<'a, Result<Value, ArmError>> {
        Box::pin(async { Ok(probe.clone()) })
    }

    fn attempt<'a>(
        &'a self,
        attempt: &'a Attempt,
        lets_through: LetsThrough<'a>,
    ) -> Pending<'a, Attempted> {
        Box::pin(async move { StandIns::default().try_out(attempt, lets_through).await })
    }
}

/// Where connections to addresses and names are made in truth.
#[derive(Default)]
pub(crate) struct StandIns {
    pub(crate) by_host: HashMap<String, SocketAddr>,
    /// The addresses of names.
    pub(crate) names: HashMap<String, IpAddr>,
    /// What was asked for last.
    pub(crate) last: Mutex<Option<Attempt>>,
    /// How often a connection was begun.
    pub(crate) connections: AtomicUsize,
}

impl StandIns {
    /// Connects once, and sends a request where one is wanted.
    pub(crate) async fn try_out(
        &self,
        attempt: &Attempt,
        lets_through: LetsThrough<'_>,
    ) -> Attempted {
        *self.last.lock().unwrap() = Some(attempt.clone());
        let named = self.names.get(&attempt.host).copied();
        let Some(address) = attempt.host.parse().ok().or(named) else {
            return Attempted::Nameless(format!("{} does not exist", attempt.host));
        };
        if !lets_through(address) {
            return Attempted::Dropped(address);
        }
        let place = self.by_host.get(&address.to_string()).copied();
        let place = place.unwrap_or_else(|| SocketAddr::new(address, attempt.port));
        let mut tried = Tried {
            address: Some(address),
            ..Tried::default()
        };
        let began = Instant::now();
        self.connections.fetch_add(1, Ordering::Relaxed);
        match TcpStream::connect(place).await {
            Ok(stream) => {
                tried.times.push(began.elapsed());
                if let Some(request) = &attempt.request {
                    let status = ask(stream, request).await;
                    let is_good = request.statuses.iter().any(|range| range.contains(&status));
                    tried.is_answered = Some(is_good);
                    tried.fault = (!is_good).then(|| format!("the answer's status is {status}"));
                }
            }
            Err(error) => {
                tried.failed = 1;
                tried.fault = Some(error.to_string());
            }
        }
        Attempted::Tried(tried)
    }
}

/// The status of the answer to a request in the clear.
async fn ask(mut stream: TcpStream, request: &AttemptRequest) -> u16 {
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        request.path, request.host
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}

/// A control plane and somebody who may do everything with it.
pub(crate) struct Site {
    pub(crate) control: Control,
    pub(crate) bootstrap: NewPrincipal,
    pub(crate) api: Api,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing: Arc<SealingKey>,
    /// As the control plane has it, with what it knows of the store.
    pub(crate) storage: Storage,
    /// Where web apps answer, and who vouches for them.
    pub(crate) apps_at: SocketAddr,
    pub(crate) apps_authority: String,
    /// The data directory; it goes with the site.
    pub(crate) directory: TempDir,
}

impl Site {
    /// An empty one.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, Arc::new(Obedient)).await
    }

    /// One with the group [`GROUP`].
    pub(crate) async fn with_group() -> Self {
        let site = Self::start().await;
        let body = json!({"location": LOCATION});
        site.api
            .put(&group(GROUP), &body)
            .await
            .expect(StatusCode::CREATED);
        site
    }

    /// One with these settings and this node.
    pub(crate) async fn with(set: impl FnOnce(&mut ControlConfig), node: Arc<dyn Node>) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = TempDir::new().unwrap();
        let mut config = config(directory.path());
        set(&mut config);
        let ca_file = config.ca_file.clone();
        let opened =
            Embedded::open_sealed(directory.path(), Options::default(), &KeySources::default());
        let (store, key) = opened.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let sealing = Arc::new(key);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let storage = Storage::new(Arc::clone(&store), Arc::clone(&sealing));
        let apps = AppService::bind(any, &storage).await.unwrap();
        let (apps_at, apps_authority) = (apps.address(), apps.authority().to_owned());
        let started = Control::start(config, Some(apps), storage.clone(), node).await;
        let mut control = started.unwrap();
        let bootstrap = control
            .take_bootstrap()
            .expect("a first start makes a principal");
        let ca = std::fs::read(ca_file).unwrap();
        let api = Api::log_in(control.address(), &ca, &bootstrap).await;
        Self {
            control,
            bootstrap,
            api,
            store,
            sealing,
            storage,
            apps_at,
            apps_authority,
            directory,
        }
    }
}

impl Site {
    /// What is to be served, as it lies in the store.
    pub(crate) async fn desired(&self) -> Desired {
        let storage = Storage::new(Arc::clone(&self.store), Arc::clone(&self.sealing));
        Desired::load(&storage).await.unwrap()
    }
}

/// Adds eight tags to a resource or a group, each by a change of its own at the same moment; how
/// many are there then.
pub(crate) async fn merge_tags_at_once(api: &Api, scope: &str) -> usize {
    let path = format!("{scope}/providers/Microsoft.Resources/tags/default");
    let merging = (0..8).map(|number| {
        let (api, path) = (api.clone(), path.clone());
        let tags = json!({format!("n{number}"): "x"});
        let body = json!({"operation": "Merge", "properties": {"tags": tags}});
        tokio::spawn(async move {
            let mut reply = api.patch(&path, &body).await;
            // Somebody else's turn came first, as the service says it; clients ask again.
            while reply.status == StatusCode::TOO_MANY_REQUESTS {
                reply = api.patch(&path, &body).await;
            }
            reply.expect(StatusCode::OK)
        })
    });
    for merged in merging.collect::<Vec<_>>() {
        merged.await.unwrap();
    }
    let shown = api.get(&path).await.body;
    shown["properties"]["tags"]
        .as_object()
        .map_or(0, |tags| tags.len())
}

/// The settings of a control plane whose data directory this is.
pub(crate) fn config(directory: &Path) -> ControlConfig {
    ControlConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        names: Vec::new(),
        subscription: DEFAULT_SUBSCRIPTION.to_owned(),
        subscription_name: "Test".to_owned(),
        tenant: DEFAULT_TENANT.to_owned(),
        public_addresses: PublicAddresses::default(),
        ca_file: directory.join("ca.pem"),
    }
}

/// A gateway as small as it can be, in the network `net1`, with a public frontend at `pip1`.
pub(crate) fn gateway(name: &str) -> Value {
    let own = |collection: &str, item: &str| {
        let path = net(&format!("applicationGateways/{name}/{collection}/{item}"));
        json!({ "id": path })
    };
    json!({"location": LOCATION, "properties": {
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
        "gatewayIPConfigurations": [{"name": "place", "properties": {
            "subnet": {"id": net("virtualNetworks/net1/subnets/gateways")},
        }}],
        "frontendIPConfigurations": [{"name": "public", "properties": {
            "publicIPAddress": {"id": net("publicIPAddresses/pip1")},
        }}],
        "frontendPorts": [{"name": "http", "properties": {"port": 80}}],
        "backendAddressPools": [{"name": "pool"}],
        "backendHttpSettingsCollection": [{"name": "settings", "properties": {
            "port": 8080, "protocol": "Http",
        }}],
        "httpListeners": [{"name": "listener", "properties": {
            "frontendIPConfiguration": own("frontendIPConfigurations", "public"),
            "frontendPort": own("frontendPorts", "http"),
            "protocol": "Http",
        }}],
        "requestRoutingRules": [{"name": "rule", "properties": {
            "ruleType": "Basic", "priority": 1,
            "httpListener": own("httpListeners", "listener"),
            "backendAddressPool": own("backendAddressPools", "pool"),
            "backendHttpSettings": own("backendHttpSettingsCollection", "settings"),
        }}],
    }})
}

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) root: String,
    pub(crate) token: String,
}

impl Api {
    /// Trusts the authority and gets a token.
    pub(crate) async fn log_in(address: SocketAddr, ca: &[u8], principal: &NewPrincipal) -> Self {
        let certificate = Certificate::from_pem(ca).unwrap();
        let client = Client::builder()
            .tls_certs_only([certificate])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let root = format!("https://localhost:{}", address.port());
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={root}//.default",
            principal.principal.app_id,
            percent_encoded(&principal.password),
        );
        let request = client
            .post(format!("{root}/adfs/oauth2/v2.0/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        let token = body["access_token"].as_str();
        let token = token
            .unwrap_or_else(|| panic!("no token: {body}"))
            .to_owned();
        Self {
            client,
            root,
            token,
        }
    }

    /// Sends one request. `path` may have a query; without an api-version it gets [`API_VERSION`].
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.send_if(method, path, body, None).await
    }

    /// The same, on the condition that the resource has this etag.
    pub(crate) async fn send_if(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Reply {
        let mut url = match path.starts_with("https://") {
            true => path.to_owned(),
            false => format!("{}{path}", self.root),
        };
        if !url.contains("api-version=") {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("api-version=");
            url.push_str(API_VERSION);
        }
        let mut request = self.client.request(method, &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let headers = answer.headers().clone();
        let text = answer.text().await.unwrap();
        Reply {
            request: url,
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Reply {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// PUTs, follows the operation to its success, and answers the resource as a GET shows it.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        let reply = self.put(path, body).await;
        assert!(reply.status.is_success(), "{reply:#?}");
        let outcome = self.outcome(&reply).await;
        assert_eq!(outcome["status"], "Succeeded", "{path}: {outcome}");
        self.get(path).await.expect(StatusCode::OK).body
    }

    /// DELETEs, and follows the operation to its success.
    pub(crate) async fn remove(&self, path: &str) {
        let reply = self.delete(path).await;
        assert!(reply.status.is_success(), "{reply:#?}");
        let outcome = self.outcome(&reply).await;
        assert_eq!(outcome["status"], "Succeeded", "{path}: {outcome}");
    }

    /// How the operation of a reply ended; at once, where it has none.
    pub(crate) async fn outcome(&self, reply: &Reply) -> Value {
        let Some(url) = reply.header("azure-asyncoperation") else {
            return json!({"status": "Succeeded"});
        };
        let since = Instant::now();
        loop {
            let poll = self.get(url).await.expect(StatusCode::OK);
            if poll.body["status"] != "InProgress" {
                return poll.body;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "the operation does not end: {url}"
            );
        }
    }

    /// Follows the Location of a reply to the result.
    pub(crate) async fn result(&self, reply: &Reply) -> Reply {
        let since = Instant::now();
        let mut url = reply.header("location").expect("a Location").to_owned();
        loop {
            let poll = self.get(&url).await;
            if poll.status != StatusCode::ACCEPTED {
                return poll;
            }
            url = poll.header("location").expect("a Location").to_owned();
            assert!(since.elapsed() < PATIENCE, "no result at {url}");
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) request: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// `null` for one that is no JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// # Panics
    /// When it is no error with this code.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str) -> &str {
        assert!(self.status.is_client_error(), "{self:#?}");
        assert_eq!(self.body["error"]["code"], code, "{self:#?}");
        self.body["error"]["message"]
            .as_str()
            .expect("an error has a message")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The path of a group.
pub(crate) fn group(name: &str) -> String {
    format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/{name}")
}

/// The path of a resource of `Microsoft.Network` in [`GROUP`]: `net("virtualNetworks/v")`.
pub(crate) fn net(path: &str) -> String {
    format!("{}/providers/Microsoft.Network/{path}", group(GROUP))
}

/// The names of an object's members, in their order.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    let members = value.as_object().expect("an object");
    members.keys().map(String::as_str).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
