//! What the control plane stores, as the node serves it.
//!
//! Of each gateway there is the configuration that is wanted, and while that cannot be served, the
//! last one that was. What came of each is told to those who wait for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::{ApplicationGateway, ArmError, NetworkReadError, ResourceId, read_network};
use gatewright_control::{
    Attempt, Attempted, Desired, DesiredError, DesiredGateway, Judged, LetsThrough, Storage,
};
use gatewright_dataplane::{ApplyError, Mapping};
use gatewright_store::{Pending, Revision, Step, Watch, WatchError};
use serde_json::Value;
use tokio::sync::watch;

use crate::attempts::Attempts;
use crate::findings::Finding;
use crate::network::NetworkFolder;
use crate::plan::Problem;
use crate::sentence::Sentence;
use crate::site::Failed;
use crate::status::Board;

/// How long an operation waits for the node to take its revision.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before a store that could not be read is read again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Steps that are taken in one go: those behind them wait for the next.
const STEPS_MAX: usize = 256;

/// What the node has made of the stored state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) revision: Revision,
    /// Why gateways are not served as they are stored, by id in lower case.
    failures: Arc<HashMap<String, ArmError>>,
    /// Why nothing of it could be taken, so that what was before is served on.
    refusal: Option<ArmError>,
}

impl Taken {
    /// Why a gateway is not served as it is stored.
    fn failure(&self, gateway: &ResourceId) -> Option<&ArmError> {
        let id = gateway.to_string().to_ascii_lowercase();
        self.failures.get(&id).or(self.refusal.as_ref())
    }
}

/// Where what is stored comes in, and what came of it goes out.
pub(crate) struct Stored {
    storage: Storage,
    desired: Desired,
    steps: Box<dyn Watch>,
    /// Whether a step is missing.
    is_behind: bool,
    /// Whether something was taken that must be served anew.
    is_new: bool,
    /// Where the names of web apps lead.
    apps: SocketAddr,
    /// Gateways that are not served as they are stored.
    failures: BTreeMap<String, ArmError>,
    /// Those of them whose last good configuration cannot be served either.
    hopeless: BTreeSet<String>,
    /// Why nothing of the last change could be taken.
    refusal: Option<ArmError>,
    taken: watch::Sender<Taken>,
}

/// What is to be served of what is stored.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// With the id that findings name in place of a file.
    pub(crate) gateways: Vec<(String, Judged)>,
    pub(crate) network: NetworkFolder,
    /// Where frontends listen, by the gateway's id and the frontend's name, both in lower case.
    pub(crate) addresses: HashMap<(String, String), IpAddr>,
    /// Where web apps answer.
    pub(crate) apps: Vec<Mapping>,
}

impl Stored {
    /// Reads everything that is stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn open(storage: Storage, apps: SocketAddr) -> Result<Self, Sentence> {
        let (desired, steps) = read(&storage).await?;
        Ok(Self {
            storage,
            desired,
            steps,
            is_behind: false,
            is_new: false,
            apps,
            failures: BTreeMap::new(),
            hopeless: BTreeSet::new(),
            refusal: None,
            taken: watch::Sender::default(),
        })
    }

    pub(crate) fn taken(&self) -> watch::Receiver<Taken> {
        self.taken.subscribe()
    }

    /// Waits for something to change that must be served anew. While the store cannot be read, what
    /// is served stays as it is.
    pub(crate) async fn changed(&mut self) {
        while let Err(error) = self.try_changed().await {
            self.is_behind = true;
            tracing::error!(
                "{error}; what is served stays as it is, and the store is read again in {} s",
                STORE_PAUSE.as_secs()
            );
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    /// What changes nothing of what is served is taken on the way.
    async fn try_changed(&mut self) -> Result<(), Sentence> {
        if self.is_behind {
            self.read_anew().await?;
            return Ok(());
        }
        // What was taken before this was dropped is not lost.
        while !self.is_new {
            let step = self.steps.next().await;
            self.is_new |= self.take(step).await?;
            for _ in 1..STEPS_MAX {
                let next = tokio::time::timeout(Duration::ZERO, self.steps.next());
                let Ok(step) = next.await else {
                    break;
                };
                self.is_new |= self.take(step).await?;
            }
            if !self.is_new {
                self.publish_again();
            }
        }
        Ok(())
    }

    /// Whether something must be served anew.
    async fn take(&mut self, step: Result<Step, WatchError>) -> Result<bool, Sentence> {
        let step = match step {
            Ok(step) => step,
            Err(WatchError::Compacted { .. }) => {
                self.read_anew().await?;
                return Ok(true);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        let changed = self.desired.step(&step).map_err(|e| unreadable(&e))?;
        for id in &changed.gateways {
            self.failures.remove(id);
            self.hopeless.remove(id);
        }
        Ok(changed.network || changed.app_names || !changed.gateways.is_empty())
    }

    async fn read_anew(&mut self) -> Result<(), Sentence> {
        (self.desired, self.steps) = read(&self.storage).await?;
        self.is_behind = false;
        self.forgive();
        Ok(())
    }

    /// What is to be tried again after the reason of a failure may be gone.
    pub(crate) fn forgive(&mut self) {
        self.failures.clear();
        self.hopeless.clear();
    }

    /// What is to be served: of each gateway what is wanted, or what was good before.
    pub(crate) fn choose(&self) -> Chosen {
        let apps = self.desired.app_names();
        let mut chosen = Chosen {
            apps: apps.map(|name| Mapping::of_host(name, self.apps)).collect(),
            ..Chosen::default()
        };
        for (id, known) in self.desired.gateways() {
            let Some(judged) = self.choose_one(id, known) else {
                continue;
            };
            self.place(id, &judged.gateway, &mut chosen.addresses);
            chosen.gateways.push((id.clone(), judged.clone()));
        }
        for (id, body) in self.desired.network() {
            match read_network(body) {
                Ok(report) => {
                    let resources = report.resources;
                    chosen
                        .network
                        .add(id.to_owned(), resources, Arc::clone(body));
                }
                Err(NetworkReadError::Invalid(findings)) => {
                    for finding in findings {
                        tracing::error!("{}", Finding::from_diagnostic(id, finding));
                    }
                }
                Err(error) => tracing::error!("{id}: {error}"),
            }
        }
        chosen
    }

    fn choose_one<'a>(&self, id: &str, known: &'a DesiredGateway) -> Option<&'a Judged> {
        if self.hopeless.contains(id) {
            return None;
        }
        let cannot_be_served = self.failures.contains_key(id);
        let is_bad = cannot_be_served || known.failure().is_some();
        match known.last_good.as_ref().filter(|_| is_bad) {
            Some(good) => Some(good),
            None => Some(&known.wanted).filter(|_| !cannot_be_served),
        }
    }

    /// A public frontend listens on the address of its public IP address; a private one on the
    /// loopback address with its last three numbers.
    fn place(
        &self,
        id: &str,
        gateway: &ApplicationGateway,
        addresses: &mut HashMap<(String, String), IpAddr>,
    ) {
        for frontend in &gateway.properties.frontend_ip_configurations {
            let properties = &frontend.properties;
            let public = properties.public_ip_address.as_ref();
            let address = match public {
                Some(reference) => self.desired.public_address(&reference.id),
                None => properties.private_ip_address.as_deref().and_then(stand_in),
            };
            let key = (id.to_owned(), frontend.name.to_ascii_lowercase());
            addresses.extend(address.map(|address| (key, address)));
        }
    }

    /// Takes note of why `chosen` cannot be served, where that is one gateway's fault. Whether it
    /// is worth another try without it.
    pub(crate) fn blame(&mut self, problem: &Problem, chosen: &Chosen) -> bool {
        let mut is_new = false;
        for finding in problem.findings.iter().filter(|finding| finding.is_error()) {
            let help = finding.help.as_deref().unwrap_or_default();
            let message = format!("{} {help}", finding.message);
            let error = ArmError::new(&finding.code, message.trim());
            is_new |= self.blame_one(&finding.file.to_ascii_lowercase(), error, chosen);
        }
        is_new
    }

    /// As [`Stored::blame`], for what the data plane could not do.
    pub(crate) fn blame_for(&mut self, error: &ApplyError, chosen: &Chosen) -> bool {
        let ApplyError::Bind { endpoint, .. } = error else {
            return false;
        };
        let message = match ResourceId::parse(&endpoint.gateway) {
            Ok(id) => format!(
                "{error}; then bring the gateway up: az network application-gateway update -g {} \
                 -n {}",
                id.resource_group().unwrap_or_default(),
                id.name().unwrap_or_default()
            ),
            Err(_) => error.to_string(),
        };
        let refusal = ArmError::new("FrontendCannotListen", message);
        self.blame_one(&endpoint.gateway, refusal, chosen)
    }

    fn blame_one(&mut self, id: &str, error: ArmError, chosen: &Chosen) -> bool {
        if !chosen.gateways.iter().any(|(known, _)| known == id) {
            return false;
        }
        match self.failures.get(id) {
            None => {
                self.failures.insert(id.to_owned(), error);
            }
            Some(_) => {
                self.hopeless.insert(id.to_owned());
            }
        }
        true
    }

    /// What is stored is served, but for what failed; or, where `refused` says why, nothing new of
    /// it.
    pub(crate) fn publish(&mut self, refused: Option<&str>) {
        self.refusal = refused.map(|why| ArmError::new("ConfigurationNotServed", why));
        self.is_new = false;
        self.publish_again();
    }

    /// With what is known of failures, at the revision that was taken last.
    fn publish_again(&self) {
        let failures = self.failures.clone().into_iter().collect();
        self.taken.send_replace(Taken {
            revision: self.desired.revision(),
            failures: Arc::new(failures),
            refusal: self.refusal.clone(),
        });
    }

    /// The gateways that are not served as they are stored, with the errors.
    pub(crate) fn failed(&self) -> impl Iterator<Item = Failed> {
        self.desired.gateways().iter().filter_map(|(id, known)| {
            let error = known.failure().or_else(|| self.failures.get(id))?;
            Some(Failed {
                gateway: Arc::clone(&known.wanted.gateway),
                error: error.clone(),
            })
        })
    }

    /// The gateways that are not served as they are stored: id, name, why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str, String)> {
        self.desired.gateways().iter().filter_map(|(id, known)| {
            let name = known.wanted.gateway.name.as_str();
            let why = match (known.failure(), self.failures.get(id)) {
                (Some(error), Some(other)) if other.message != error.message => {
                    let (error, other) = (in_full(error), in_full(other));
                    format!("{error} Nor can anything else of it be served: {other}")
                }
                (Some(error), _) | (None, Some(error)) => in_full(error),
                (None, None) => return None,
            };
            Some((id.as_str(), name, why))
        })
    }
}

/// An error's message, with those of its details.
fn in_full(error: &ArmError) -> String {
    let mut text = error.message.clone();
    for detail in error.details.iter().flatten() {
        text.push(' ');
        text.push_str(&in_full(detail));
    }
    text
}

async fn read(storage: &Storage) -> Result<(Desired, Box<dyn Watch>), Sentence> {
    let desired = Desired::load(storage).await;
    let desired = desired.map_err(|error: DesiredError| unreadable(&error))?;
    let steps = storage
        .store()
        .watch(Desired::PREFIX, desired.revision())
        .await;
    Ok((desired, steps.map_err(|error| unreadable(&error))?))
}

fn unreadable(error: &dyn std::fmt::Display) -> Sentence {
    Sentence::new(format!(
        "what the control plane stored cannot be read: {error}"
    ))
}

/// A loopback address for a private one: 10.0.0.10 is 127.0.0.10 here.
fn stand_in(private: &str) -> Option<IpAddr> {
    let private: Ipv4Addr = private.parse().ok()?;
    let [_, second, third, fourth] = private.octets();
    Some(Ipv4Addr::new(127, second, third, fourth).into())
}

/// The node, as the control plane knows it.
pub(crate) struct Served {
    taken: watch::Receiver<Taken>,
    board: Arc<Board>,
    attempts: Attempts,
}

impl Served {
    pub(crate) fn new(taken: watch::Receiver<Taken>, board: Arc<Board>) -> Self {
        Self {
            taken,
            board,
            attempts: Attempts::default(),
        }
    }

    async fn wait(&self, revision: Revision) -> Result<Taken, ArmError> {
        let mut taken = self.taken.clone();
        let reached = async {
            let reached = taken.wait_for(|taken| taken.revision >= revision).await;
            reached.ok().map(|taken| taken.clone())
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Some(taken)) => Ok(taken),
            // The node is on its way out: the next start goes on with what has not ended.
            Ok(None) => std::future::pending().await,
            Err(_) => Err(ArmError::new(
                "NodeTimeout",
                format!(
                    "The node has not taken the change within {} s.",
                    PATIENCE.as_secs()
                ),
            )),
        }
    }
}

impl gatewright_control::Node for Served {
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async move { self.wait(revision).await.map(drop) })
    }

    fn took_all(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async move { self.wait(revision).await?.refusal.map_or(Ok(()), Err) })
    }

    fn serves<'a>(
        &'a self,
        gateway: &'a ResourceId,
        revision: Revision,
    ) -> Pending<'a, Result<(), ArmError>> {
        Box::pin(async move {
            let taken = self.wait(revision).await?;
            if let Some(failure) = taken.failure(gateway) {
                return Err(failure.clone());
            }
            let id = gateway.to_string().to_ascii_lowercase();
            self.board.dataplane().first_probes(Some(&id)).await;
            Ok(())
        })
    }

    fn is_served(&self, gateway: &ResourceId) -> bool {
        self.taken.borrow().failure(gateway).is_none()
    }

    fn backend_health<'a>(
        &'a self,
        gateway: &'a ResourceId,
    ) -> Pending<'a, Result<Value, ArmError>> {
        Box::pin(async move {
            let report = self.board.backend_health();
            Ok(report.of_gateway(&gateway.to_string()).as_service_answers())
        })
    }

    fn backend_health_on_demand<'a>(
        &'a self,
        gateway: &'a ResourceId,
        probe: &'a Value,
    ) -> Pending<'a, Result<Value, ArmError>> {
        Box::pin(async move {
            let report = self.board.health_on_demand(probe).await;
            let report = report.map_err(|findings| {
                ArmError::from_findings(&findings).unwrap_or_else(|| ArmError::not_parsed([]))
            })?;
            report
                .of_gateway(&gateway.to_string())
                .as_service_answers_on_demand()
                .ok_or_else(|| {
                    let message = "The body names a pool of another gateway.";
                    ArmError::new("InvalidResourceReference", message)
                })
        })
    }

    fn attempt<'a>(
        &'a self,
        attempt: &'a Attempt,
        lets_through: LetsThrough<'a>,
    ) -> Pending<'a, Attempted> {
        let dataplane = self.board.dataplane();
        Box::pin(self.attempts.make(dataplane, attempt, lets_through))
    }
}

#[cfg(test)]
mod tests {
    use gatewright_store::{Embedded, Key, KeySources, Options, Store, Transaction};
    use serde_json::json;

    use super::*;

    const PROVIDER: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.network";

    fn key(below: &str) -> Key {
        Key::new(format!("resource{PROVIDER}/{below}")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_cannot_be_read_is_not_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let (options, keys) = (Options::default(), KeySources::default());
        let (store, sealing) = Embedded::open_sealed(folder.path(), options, &keys).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let storage = Storage::new(Arc::clone(&store), Arc::new(sealing));
        let apps = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut stored = Stored::open(storage, apps).await.unwrap();

        let (junk, network) = (key("applicationgateways/gw"), key("virtualnetworks/net"));
        let id = format!("{PROVIDER}/virtualNetworks/net");
        let document = json!({
            "id": id,
            "created": "2026-01-01T00:00:00Z",
            "changed": "2026-01-01T00:00:00Z",
            "body": {"id": id, "name": "net", "properties": {}},
        });
        let spoilt = Transaction::default()
            .put(junk.clone(), b"junk".to_vec())
            .put(network.clone(), document.to_string().into_bytes());
        store.commit(spoilt).await.unwrap();
        let waiting = tokio::time::timeout(STORE_PAUSE * 3, stored.changed());
        assert!(waiting.await.is_err(), "not all of it can be read");
        let mended = Transaction::default().delete(junk);
        store.commit(mended).await.unwrap();
        stored.changed().await;
        assert_eq!(stored.desired.network().count(), 1, "no change is lost");

        let gone = Transaction::default().delete(network);
        store.commit(gone).await.unwrap();
        stored.changed().await;
        assert_eq!(stored.desired.network().count(), 0, "it follows again");
    }
}
