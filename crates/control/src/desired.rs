//! What the node is to serve: read from the store, with secrets, kept up to date by its watch.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_arm::ArmError;
use gatewright_store::{Change, Entry, Key, Revision, Step, StoreError};
use serde_json::Value;
use uuid::Uuid;

use crate::operations;
use crate::providers::serving::{self, Asked};
use crate::providers::web::{SITES, host_names};
use crate::resources::document::{self, Document, Glance, Judged};
use crate::storage::Storage;

/// Why what is stored cannot be read.
pub type DesiredError = StoreError;

/// A gateway that is to be served.
#[derive(Clone, Debug)]
pub struct DesiredGateway {
    /// What is asked for. It says that it does not run where that has failed and there is nothing
    /// else to serve.
    pub wanted: Judged,
    /// What to serve while that cannot be.
    pub last_good: Option<Judged>,
    /// The write that made it so. A later step of the same write changes no more of it than what is
    /// said of it.
    write: Option<Uuid>,
    said: Said,
}

/// What a document says of a gateway besides its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    /// Running or stopped.
    asked: Asked,
    /// Why the write failed, or is going to whatever the node does.
    failure: Option<ArmError>,
}

impl Said {
    fn of(notes: &Value, failure: Option<&Value>) -> Self {
        Self {
            asked: Asked::of(notes),
            failure: failure.map(operations::read_error),
        }
    }
}

impl DesiredGateway {
    /// Why what is asked for is not to be served.
    pub fn failure(&self) -> Option<&ArmError> {
        self.said.failure.as_ref()
    }

    /// Has the configurations say what is said.
    fn agree(&mut self) {
        let asked = self.said.asked;
        let is_idle = self.said.failure.is_some() && self.last_good.is_none();
        let wanted = if is_idle { Asked::Failed } else { asked };
        serving::ask_for(&mut self.wanted, wanted);
        if let Some(good) = &mut self.last_good {
            serving::ask_for(good, asked);
        }
    }
}

/// Everything that is to be served, at one revision.
pub struct Desired {
    storage: Storage,
    revision: Revision,
    /// By id in lower case.
    gateways: BTreeMap<String, DesiredGateway>,
    /// What was good of gateways that are being deleted, by id in lower case: they may stay.
    going: BTreeMap<String, Judged>,
    network: BTreeMap<String, NetworkDocument>,
    /// The addresses of public IP addresses, by id in lower case.
    public_addresses: BTreeMap<String, IpAddr>,
    /// The host names of web apps, by id in lower case.
    app_names: BTreeMap<String, Vec<String>>,
}

struct NetworkDocument {
    body: Arc<Value>,
    write: Option<Uuid>,
}

/// Types whose documents make the network.
const NETWORK_TYPES: [&str; 3] = [
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/routeTables",
];

const GATEWAYS: &str = "Microsoft.Network/applicationGateways";

const PUBLIC_ADDRESSES: &str = "Microsoft.Network/publicIPAddresses";

/// Entries that are read at a time.
const PAGE: usize = 200;

/// What a step changed of what is to be served.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Ids in lower case, of gateways that came, changed or went.
    pub gateways: Vec<String>,
    pub network: bool,
    /// The host names of web apps.
    pub app_names: bool,
}

impl Desired {
    /// The prefix of the keys that a watch must follow: every one, because the node tells that it
    /// has taken a revision whatever it changed.
    pub const PREFIX: &'static str = "";

    /// Reads everything.
    ///
    /// # Errors
    /// When the store cannot be read, or what lies there is none of ours.
    pub async fn load(storage: &Storage) -> Result<Self, DesiredError> {
        let store = storage.store();
        let mut desired = Self {
            storage: storage.clone(),
            revision: Revision::default(),
            gateways: BTreeMap::new(),
            going: BTreeMap::new(),
            network: BTreeMap::new(),
            public_addresses: BTreeMap::new(),
            app_names: BTreeMap::new(),
        };
        desired.revision = store.revision().await?;
        for prefix in [document::PREFIX, document::LAST_GOOD_PREFIX] {
            let mut after: Option<Key> = None;
            loop {
                let page = store
                    .list(&format!("{prefix}/"), after.as_ref(), PAGE)
                    .await?;
                after = page.entries.last().map(|entry| entry.key.clone());
                for entry in page.entries {
                    desired.take(&Change::Put(entry))?;
                }
                if !page.more || after.is_none() {
                    break;
                }
            }
        }
        Ok(desired)
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn gateways(&self) -> &BTreeMap<String, DesiredGateway> {
        &self.gateways
    }

    /// The bodies of networks, security groups and route tables, by id in lower case.
    pub fn network(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        let documents = self.network.iter();
        documents.map(|(id, document)| (id.as_str(), &document.body))
    }

    /// The address of a public IP address, by its id in any letter case.
    pub fn public_address(&self, id: &str) -> Option<IpAddr> {
        self.public_addresses.get(&id.to_ascii_lowercase()).copied()
    }

    /// The host names of web apps.
    pub fn app_names(&self) -> impl Iterator<Item = &str> {
        self.app_names.values().flatten().map(String::as_str)
    }

    /// Takes the next step.
    ///
    /// # Errors
    /// When what it wrote is none of ours.
    pub fn step(&mut self, step: &Step) -> Result<Changed, DesiredError> {
        let mut changed = Changed::default();
        for change in &step.changes {
            match self.take(change)? {
                Part::Gateway(id) => changed.gateways.push(id),
                Part::Network => changed.network = true,
                Part::AppNames => changed.app_names = true,
                Part::Other => {}
            }
        }
        self.revision = step.revision;
        Ok(changed)
    }

    fn take(&mut self, change: &Change) -> Result<Part, DesiredError> {
        let key = change.key().as_str();
        let (prefix, id) = key.split_once('/').unwrap_or_default();
        let id = format!("/{id}");
        match (prefix, change) {
            (document::PREFIX, Change::Put(entry)) => {
                if let Some(document) = self.storage.recent.of(entry) {
                    let said = Said::of(&document.notes, document.failure.as_ref());
                    return match self.known(&id, document.operation, said) {
                        Some(part) => Ok(part),
                        None => self.put(id, &document),
                    };
                }
                let glance = Glance::read(entry)?;
                let said = Said::of(&glance.notes, glance.failure.as_ref());
                match self.known(&id, glance.operation, said) {
                    Some(part) => Ok(part),
                    None => self.put(id, &Document::read(entry)?),
                }
            }
            (document::PREFIX, Change::Deleted(_)) => Ok(self.forget(id)),
            (document::LAST_GOOD_PREFIX, change) => {
                let last_good = match change {
                    Change::Put(entry) => Some(self.last_good(&id, entry)?),
                    Change::Deleted(_) => None,
                };
                if last_good.is_none() {
                    self.going.remove(&id);
                }
                if let Some(known) = self.gateways.get_mut(&id) {
                    known.last_good = last_good;
                    known.agree();
                }
                Ok(Part::Other)
            }
            _ => Ok(Part::Other),
        }
    }

    /// What a step changes of a resource whose write is known: of a gateway, what is said of it; of
    /// others nothing. `None` for one whose write is not.
    fn known(&mut self, id: &str, write: Option<Uuid>, said: Said) -> Option<Part> {
        let write = Some(write?);
        if let Some(known) = self.gateways.get_mut(id) {
            if known.write != write {
                return None;
            }
            if known.said == said {
                return Some(Part::Other);
            }
            known.said = said;
            known.agree();
            return Some(Part::Gateway(id.to_owned()));
        }
        let network = self.network.get(id)?;
        (network.write == write).then_some(Part::Other)
    }

    /// What was served until now, as a rule: it is not read again then.
    fn last_good(&self, id: &str, entry: &Entry) -> Result<Judged, DesiredError> {
        let glance = Glance::read(entry)?;
        let known = self.gateways.get(id);
        let known =
            known.filter(|known| glance.operation.is_some() && known.write == glance.operation);
        match known {
            Some(known) => Ok(known.wanted.clone()),
            None => self.read(&Document::read(entry)?),
        }
    }

    fn put(&mut self, id: String, document: &Document) -> Result<Part, DesiredError> {
        let kind = document.id.resource_type();
        if kind == GATEWAYS {
            if document.state() == Some("Deleting") {
                let known = self.gateways.get_mut(&id);
                let good = known.and_then(|known| known.last_good.take());
                self.going.extend(good.map(|good| (id.clone(), good)));
                return Ok(self.forget(id));
            }
            return self.put_gateway(id, document);
        }
        if NETWORK_TYPES.contains(&kind.as_str()) {
            let (body, write) = (Arc::clone(&document.body), document.operation);
            self.network.insert(id, NetworkDocument { body, write });
            return Ok(Part::Network);
        }
        if kind == PUBLIC_ADDRESSES {
            let address = document.text("/properties/ipAddress");
            let address = address.and_then(|text| text.parse().ok());
            self.public_addresses
                .extend(address.map(|address| (id, address)));
        } else if kind == SITES {
            let names: Vec<String> = host_names(&document.body).map(str::to_owned).collect();
            if self.app_names.get(&id) != Some(&names) {
                self.app_names.insert(id, names);
                return Ok(Part::AppNames);
            }
        }
        Ok(Part::Other)
    }

    fn put_gateway(&mut self, id: String, document: &Document) -> Result<Part, DesiredError> {
        let wanted = self.read(document)?;
        let known = self.gateways.get(&id);
        let last_good = known.and_then(|known| known.last_good.clone());
        let last_good = last_good.or_else(|| self.going.remove(&id));
        let mut known = DesiredGateway {
            wanted,
            last_good,
            write: document.operation,
            said: Said::of(&document.notes, document.failure.as_ref()),
        };
        known.agree();
        self.gateways.insert(id.clone(), known);
        Ok(Part::Gateway(id))
    }

    fn forget(&mut self, id: String) -> Part {
        self.public_addresses.remove(&id);
        if self.network.remove(&id).is_some() {
            return Part::Network;
        }
        if self.app_names.remove(&id).is_some() {
            return Part::AppNames;
        }
        match self.gateways.remove(&id) {
            Some(_) => Part::Gateway(id),
            None => Part::Other,
        }
    }

    fn read(&self, document: &Document) -> Result<Judged, DesiredError> {
        serving::desired(document, &self.storage.sealing).map_err(|why| {
            StoreError::Unreadable(format!("the gateway {} cannot be read: {why}", document.id))
        })
    }
}

/// What a change was of.
enum Part {
    Gateway(String),
    Network,
    AppNames,
    Other,
}
