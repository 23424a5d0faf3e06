//! What an operator exported, as facts, each with its file and JSON pointer.

mod certificates;
mod health;
mod logs;
mod observations;
mod surroundings;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright_arm::{
    ApplicationGateway, NetworkReadError, NetworkResources, ReadError, read_gateways, read_network,
};
use gatewright_compile::{CompiledNetwork, NetworkPlace, compile_network};
use gatewright_snapshot::GatewayIndex;
use gatewright_snapshot::network::SecurityGroup;
use serde_json::Value;

use crate::patch::Patch;

pub(crate) use certificates::{Chain, Uploaded, ders};
pub(crate) use health::{Health, HealthRow, State};
pub(crate) use logs::LogRow;
pub(crate) use observations::{
    Backend, Dns, Http, Observations, Tcp, TcpResult, Tls, is_alert, path_of, split_port,
};
pub(crate) use surroundings::{
    Failure, Instance, KubernetesEndpoints, KubernetesNode, Metric, Restriction, Vault, WebApp,
    ZoneLink,
};
pub use view::Place;
use view::View;

/// One file of an evidence folder, decoded.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path within the folder, with `/`.
    pub name: String,
    pub content: Content,
}

impl File {
    /// One as a node or a program tells it: JSON, or a text by a name that is not of JSON.
    pub fn of_value(name: impl Into<String>, value: Value) -> Self {
        let name = name.into();
        let content = match value {
            Value::String(text) if !name.ends_with(".json") => Content::Text(text),
            value => Content::Json(value),
        };
        Self { name, content }
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub enum Content {
    Json(Value),
    Text(String),
    Bytes(Vec<u8>),
}

/// Why a folder cannot be diagnosed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {expected}", at(.pointer))]
pub struct Unreadable {
    pub file: String,
    /// JSON pointer; empty for the whole file.
    pub pointer: String,
    /// What is wrong, and what was expected.
    pub expected: String,
}

fn at(pointer: &str) -> String {
    match pointer {
        "" => String::new(),
        pointer => format!(" at {pointer}"),
    }
}

/// The files of a folder by their names, shared by those that differ in a few.
type Files = BTreeMap<String, Arc<Content>>;

/// Everything that a folder says.
#[derive(Debug)]
pub struct Evidence {
    files: Files,
    ignored: Vec<String>,
    pub(crate) gateway: ApplicationGateway,
    pub(crate) previous: Option<ApplicationGateway>,
    pub(crate) health: Option<Health>,
    pub(crate) failure: Option<Failure>,
    pub(crate) network: Option<CompiledNetwork>,
    pub(crate) network_resources: Vec<(String, NetworkResources)>,
    pub(crate) metrics: Vec<Metric>,
    /// Shared by those that differ in other documents alone: it may be long.
    pub(crate) log: Option<Arc<Vec<LogRow>>>,
    pub(crate) web_apps: Vec<WebApp>,
    pub(crate) vaults: Vec<Vault>,
    pub(crate) zone_links: Option<Vec<ZoneLink>>,
    pub(crate) instances: Option<Vec<Instance>>,
    pub(crate) endpoints: Option<Vec<KubernetesEndpoints>>,
    pub(crate) nodes: Option<Vec<KubernetesNode>>,
    pub(crate) controller_log: Option<Vec<String>>,
    pub(crate) presented: Option<Chain>,
    pub(crate) presented_without_sni: Option<Chain>,
    pub(crate) uploaded: Vec<Uploaded>,
    pub(crate) observations: Observations,
    as_of: Option<i64>,
    is_of_node: bool,
}

/// When, and how, the folder was collected.
const COLLECTED: &str = "collected.json";
pub(crate) const GATEWAY: &str = "gateway.json";
const PREVIOUS: &str = "previous-gateway.json";
pub(crate) const HEALTH: &str = "backend-health.json";
pub(crate) const LAST_ERROR: &str = "last-error.json";
const METRICS: &str = "metrics.json";
pub(crate) const LOG: &str = "access-logs.json";
const WEB_APP: &str = "webapp.json";
const VAULT: &str = "keyvault.json";
const ZONE_LINKS: &str = "private-dns-links.json";
const INSTANCES: &str = "vmss-instances.json";
const ENDPOINTS: &str = "k8s-endpoints.json";
const NODES: &str = "k8s-nodes.json";
const CONTROLLER_LOG: &str = "controller-log.txt";
pub(crate) const OBSERVATIONS: &str = "observations.json";
pub(crate) const PRESENTED: &str = "certs/presented.pem";
pub(crate) const PRESENTED_WITHOUT_SNI: &str = "certs/presented-without-sni.pem";
pub(crate) const ROUTE_TABLES: &str = "route-tables.json";
/// Files about the network, in the order in which the first one counts.
const NETWORK: [&str; 5] = [
    "subnet.json",
    "vnet.json",
    "backend-subnet.json",
    "nsgs.json",
    ROUTE_TABLES,
];
/// The answer of a case, which nothing here may look at.
const ANSWER: &str = "case.json";

impl Evidence {
    /// Reads a folder. A file that nothing is known of is ignored, and [named](Self::ignored).
    ///
    /// # Errors
    /// When there is no gateway, or a file is not what its name says; the first such file.
    pub fn read(files: impl IntoIterator<Item = File>) -> Result<Self, Unreadable> {
        let files = files.into_iter().filter(|file| file.name != ANSWER);
        let files = files.map(|file| (file.name, Arc::new(file.content)));
        Self::of_files(files.collect(), None)
    }

    /// Those of files, of which the log was read `before`.
    fn of_files(files: Files, before: Option<&Self>) -> Result<Self, Unreadable> {
        let folder = Folder(&files);
        let gateway = folder.gateway(GATEWAY)?.ok_or_else(|| Unreadable {
            file: GATEWAY.to_owned(),
            pointer: String::new(),
            expected: "the folder has no such file; collect it with: az network \
                       application-gateway show -g RG -n GW -o json > gateway.json"
                .to_owned(),
        })?;
        let network_resources = folder.network()?;
        let (network, aside) = policy(&network_resources, &gateway)?;
        let same = before.filter(|before| before.has_same_log(&files, &gateway));
        let log = match same {
            Some(before) => before.log.clone(),
            None => folder.log(&gateway)?,
        };
        let observations = folder.json(OBSERVATIONS)?;
        let observations = observations.map(|view| Observations::read(&view, &folder));
        let observations = observations.unwrap_or_default();
        let collected = folder.json(COLLECTED)?;
        let is_of_node = collected
            .as_ref()
            .is_some_and(|view| view.flag("node") == Some(true));
        let collected = collected.and_then(|view| logs::moment(&view.text("as_of")?));
        let is_named = |name: &str| observations.tls.iter().any(|one| one.chain_file == name);
        let unknown = files
            .keys()
            .filter(|name| !is_known(name) && !is_named(name));
        let mut ignored: Vec<String> = unknown.cloned().collect();
        ignored.extend(aside.iter().map(|one| format!("{one} It is not judged.")));
        let mut evidence = Self {
            previous: folder.gateway(PREVIOUS)?,
            health: folder
                .json(HEALTH)?
                .map(|view| Health::read(&view))
                .transpose()?,
            failure: folder
                .json(LAST_ERROR)?
                .and_then(|view| Failure::read(&view, gateway.id.as_deref())),
            metrics: folder
                .list(METRICS)?
                .map(|list| Metric::read_all(&list))
                .unwrap_or_default(),
            web_apps: folder
                .list(WEB_APP)?
                .map(|list| list.iter().map(WebApp::read).collect())
                .unwrap_or_default(),
            vaults: folder.vaults()?,
            zone_links: folder
                .list(ZONE_LINKS)?
                .map(|list| ZoneLink::read_all(&list)),
            instances: folder
                .list(INSTANCES)?
                .map(|list| Instance::read_all(&list)),
            endpoints: folder
                .list(ENDPOINTS)?
                .map(|list| KubernetesEndpoints::read_all(&list)),
            nodes: folder
                .list(NODES)?
                .map(|list| KubernetesNode::read_all(&list)),
            controller_log: folder.lines(CONTROLLER_LOG)?,
            presented: folder.chain(PRESENTED)?,
            presented_without_sni: folder.chain(PRESENTED_WITHOUT_SNI)?,
            uploaded: Uploaded::read_all(&gateway, &folder)?,
            observations,
            ignored,
            as_of: collected,
            is_of_node,
            gateway,
            network,
            network_resources,
            log,
            files: Files::new(),
        };
        evidence.as_of = collected.or_else(|| evidence.last_moment());
        evidence.files = files;
        Ok(evidence)
    }

    /// Files that nothing is known of; and those that nothing is made of, with the reason.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The moment that the evidence is of, in seconds since the Unix epoch: when it was collected,
    /// or the last one that it speaks of. `None` where it speaks of none.
    pub fn as_of(&self) -> Option<i64> {
        self.as_of
    }

    /// The same with changed documents.
    ///
    /// # Errors
    /// When a patch does not fit, or what comes of it cannot be read.
    pub(crate) fn patched(&self, patches: &[Patch]) -> Result<Self, Unreadable> {
        let mut files = self.files.clone();
        for patch in patches {
            let file = files.get_mut(&patch.file);
            if let Some(Content::Json(document)) = file.map(Arc::make_mut) {
                let applied = patch.apply_to_file(document);
                applied.map_err(|why| unreadable(&patch.file, &patch.at, &why.to_string()))?;
            }
        }
        Self::of_files(files, Some(self))
    }

    /// Whether what was read of the log is what would be read of these files.
    fn has_same_log(&self, files: &Files, gateway: &ApplicationGateway) -> bool {
        let (own, other) = (self.files.get(LOG), files.get(LOG));
        let is_same = own
            .zip(other)
            .is_some_and(|(own, other)| Arc::ptr_eq(own, other));
        is_same && self.gateway.is_v1() == gateway.is_v1()
    }

    /// The rows of the log.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &LogRow> + Clone {
        self.log.iter().flat_map(|rows| rows.iter())
    }

    /// As if no request had been logged, and no change had failed. Whether there was any.
    pub(crate) fn forget_failures(&mut self) -> bool {
        let failure = self.failure.take();
        let has_rows = self.rows().next().is_some();
        if has_rows {
            self.log = Some(Arc::default());
        }
        failure.is_some() || has_rows
    }

    /// Whether a node of ours told all of it, about itself.
    pub fn is_of_node(&self) -> bool {
        self.is_of_node
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// What stands at a JSON pointer of a file; nothing where there is none, or it is no JSON.
    pub fn json_at(&self, file: &str, pointer: &str) -> Option<&Value> {
        match &**self.files.get(file)? {
            Content::Json(value) => value.pointer(pointer),
            Content::Text(_) | Content::Bytes(_) => None,
        }
    }

    /// What stands at a place; `Null` for nothing.
    pub(crate) fn value_at(&self, place: &Place) -> &Value {
        let value = self.json_at(&place.file, &place.pointer);
        value.unwrap_or(&Value::Null)
    }

    fn last_moment(&self) -> Option<i64> {
        let rows = self.rows().filter_map(|row| row.time);
        let failure = self.failure.as_ref().and_then(|failure| failure.time);
        let metrics = self.metrics.iter().filter_map(Metric::last);
        rows.chain(failure).chain(metrics).max()
    }
}

/// The policy of the network documents; `None` where there are none. A resource that is what no
/// network can be is set aside, with the reason.
fn policy(
    documents: &[(String, NetworkResources)],
    gateway: &ApplicationGateway,
) -> Result<(Option<CompiledNetwork>, Vec<Unreadable>), Unreadable> {
    let mut resources: Vec<NetworkResources> =
        documents.iter().map(|(_, one)| one.clone()).collect();
    let mut aside = Vec::new();
    if documents.is_empty() {
        return Ok((None, aside));
    }
    loop {
        let findings = match compile_network(&resources, [gateway]) {
            Ok(network) => return Ok((Some(network), aside)),
            Err(findings) => findings,
        };
        let first = findings.first();
        let pointer = first.map_or("", |one| one.diagnostic.pointer.as_str());
        let message = first.map_or("", |one| one.diagnostic.message.as_str());
        let place = first.map(|finding| finding.place);
        let position = match place {
            Some(NetworkPlace::Document(position)) => Some(position),
            _ => None,
        };
        let own = position.and_then(|position| resources.get_mut(position));
        let is_aside = own.is_some_and(|own| set_aside(own, pointer));
        let file = position.and_then(|position| documents.get(position));
        let file = file.map_or(GATEWAY, |(file, _)| file.as_str());
        let why = unreadable(file, pointer, message);
        // Where all is wrong, something else was exported.
        if !is_aside || aside.len() >= ASIDE_MAX {
            return Err(why);
        }
        aside.push(why);
    }
}

/// As many resources of networks are set aside, and no more.
const ASIDE_MAX: usize = 20;

/// Takes away the resource that a pointer lies in. Whether there was one.
fn set_aside(resources: &mut NetworkResources, pointer: &str) -> bool {
    let is_other = |own: &str| {
        let rest = pointer.strip_prefix(own);
        !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let count = |of: &NetworkResources| {
        let networks = of.virtual_networks.len() + of.subnets.len();
        networks + of.security_groups.len() + of.route_tables.len()
    };
    let before = count(resources);
    let networks = &mut resources.virtual_networks;
    networks.retain(|one| is_other(one.pointer()));
    resources.subnets.retain(|one| is_other(one.pointer()));
    let groups = &mut resources.security_groups;
    groups.retain(|one| is_other(one.pointer()));
    let tables = &mut resources.route_tables;
    tables.retain(|one| is_other(one.pointer()));
    count(resources) < before
}

impl Evidence {
    /// The security groups that are known, wherever they hold.
    pub(crate) fn security_groups(&self) -> &[SecurityGroup] {
        let network = self.network.as_ref();
        network.map_or(&[], |network| network.policy.groups())
    }

    /// The policy of the gateway's network, and the gateway's subnet in it.
    pub(crate) fn policy(
        &self,
    ) -> Option<(
        &gatewright_snapshot::network::NetworkPolicy,
        gatewright_snapshot::SubnetIndex,
    )> {
        let policy = &self.network.as_ref()?.policy;
        Some((policy, policy.gateway_subnet(GatewayIndex::new(0))?))
    }
}

fn is_known(name: &str) -> bool {
    let known = [
        COLLECTED,
        GATEWAY,
        PREVIOUS,
        HEALTH,
        LAST_ERROR,
        METRICS,
        LOG,
        WEB_APP,
        VAULT,
        ZONE_LINKS,
        INSTANCES,
        ENDPOINTS,
        NODES,
        CONTROLLER_LOG,
        OBSERVATIONS,
    ];
    known.contains(&name)
        || NETWORK.contains(&name)
        || is_vault(name)
        || certificates::is_known(name)
}

/// Whether it is a file of a key vault: the first has the plain name, others a number.
pub fn is_vault(name: &str) -> bool {
    let number = name.strip_prefix("keyvault-");
    let number = number.and_then(|rest| rest.strip_suffix(".json"));
    name == VAULT || number.is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Files by their names.
pub(crate) struct Folder<'a>(&'a Files);

impl<'a> Folder<'a> {
    fn get(&self, name: &str) -> Option<(&'a str, &'a Content)> {
        let (name, content) = self.0.get_key_value(name)?;
        Some((name, content))
    }

    fn json(&self, name: &str) -> Result<Option<View<'a>>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some((name, Content::Json(value))) => Ok(Some(View::whole(name, value))),
            Some(_) => Err(unreadable(name, "", "JSON is expected")),
        }
    }

    fn list(&self, name: &str) -> Result<Option<Vec<View<'a>>>, Unreadable> {
        let Some(view) = self.json(name)? else {
            return Ok(None);
        };
        match view.value() {
            Value::Array(_) | Value::Object(_) => Ok(Some(view.elements())),
            _ => Err(unreadable(
                name,
                "",
                "an object or a list of objects is expected",
            )),
        }
    }

    fn log(&self, gateway: &ApplicationGateway) -> Result<Option<Arc<Vec<LogRow>>>, Unreadable> {
        let rows = self.list(LOG)?;
        Ok(rows.map(|rows| Arc::new(logs::read(&rows, gateway.is_v1()))))
    }

    fn lines(&self, name: &str) -> Result<Option<Vec<String>>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some((_, Content::Text(text))) => Ok(Some(text.lines().map(str::to_owned).collect())),
            Some(_) => Err(unreadable(name, "", "a text is expected")),
        }
    }

    fn chain(&self, name: &str) -> Result<Option<Chain>, Unreadable> {
        match self.bytes(name) {
            None => Ok(None),
            Some(bytes) => Chain::read(name, bytes).map(Some),
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        match self.get(name)?.1 {
            Content::Text(text) => Some(text.as_bytes()),
            Content::Bytes(bytes) => Some(bytes),
            Content::Json(_) => None,
        }
    }

    /// Those of the one file, and of further ones such as `keyvault-2.json`.
    fn vaults(&self) -> Result<Vec<Vault>, Unreadable> {
        let mut vaults = Vec::new();
        for name in self.0.keys().filter(|name| is_vault(name)) {
            let list = self.list(name)?.unwrap_or_default();
            vaults.extend(list.iter().map(Vault::read));
        }
        Ok(vaults)
    }

    fn gateway(&self, name: &str) -> Result<Option<ApplicationGateway>, Unreadable> {
        let Some(view) = self.json(name)? else {
            return Ok(None);
        };
        let report = read_gateways(view.value()).map_err(|error| match error {
            ReadError::Invalid(findings) => {
                let first = findings.iter().find(|finding| finding.is_error());
                let (pointer, message) = first
                    .map(|one| (one.pointer.clone(), one.message.clone()))
                    .unwrap_or_default();
                unreadable(name, &pointer, &message)
            }
            other => unreadable(name, "", &other.to_string()),
        })?;
        match report.gateways.into_iter().next() {
            Some(gateway) => Ok(Some(gateway)),
            None => Err(unreadable(name, "", "it holds no gateway; one is expected")),
        }
    }

    fn network(&self) -> Result<Vec<(String, NetworkResources)>, Unreadable> {
        let mut all = Vec::new();
        for name in NETWORK {
            let Some(view) = self.json(name)? else {
                continue;
            };
            let report = read_network(view.value()).map_err(|error| match &error {
                NetworkReadError::Invalid(findings) => {
                    let first = findings.iter().find(|finding| finding.is_error());
                    let pointer = first.map(|one| one.pointer.as_str()).unwrap_or_default();
                    let message = first.map(|one| one.message.as_str()).unwrap_or_default();
                    unreadable(name, pointer, message)
                }
                other => unreadable(name, "", &other.to_string()),
            })?;
            all.push((name.to_owned(), report.resources));
        }
        Ok(all)
    }
}

pub(crate) fn unreadable(file: &str, pointer: &str, expected: &str) -> Unreadable {
    Unreadable {
        file: file.to_owned(),
        pointer: pointer.to_owned(),
        expected: expected.to_owned(),
    }
}
