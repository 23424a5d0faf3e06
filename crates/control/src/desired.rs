//! What the node is to serve: read from the store, with secrets, kept up to date by its watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright_arm::ApplicationGateway;
use gatewright_store::{Change, Key, Revision, SealingKey, Step, Store, StoreError};
use serde_json::Value;

use crate::providers::typed_gateway;
use crate::resources::document::{self, Document};

/// Why what is stored cannot be read.
pub type DesiredError = StoreError;

/// A gateway that is to be served.
#[derive(Clone, Debug)]
pub struct DesiredGateway {
    /// With its secrets.
    pub gateway: Arc<ApplicationGateway>,
    /// What to serve while that cannot be.
    pub last_good: Option<Arc<ApplicationGateway>>,
    /// The step that wrote it.
    pub revision: Revision,
}

/// Everything that is to be served, at one revision.
pub struct Desired {
    sealing: Arc<SealingKey>,
    revision: Revision,
    /// By id in lower case.
    gateways: BTreeMap<String, DesiredGateway>,
    /// The bodies of networks, security groups and route tables, by id in lower case.
    network: BTreeMap<String, Arc<Value>>,
}

/// Types whose documents make the network.
const NETWORK_TYPES: [&str; 3] = [
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/routeTables",
];

const GATEWAYS: &str = "Microsoft.Network/applicationGateways";

/// Entries that are read at a time.
const PAGE: usize = 200;

/// What a step changed of what is to be served.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Ids in lower case, of gateways that came, changed or went.
    pub gateways: Vec<String>,
    pub network: bool,
}

impl Desired {
    /// The prefix of the keys that a watch must follow.
    pub const PREFIX: &'static str = "";

    /// Reads everything.
    ///
    /// # Errors
    /// When the store cannot be read, or what lies there is none of ours.
    pub async fn load(
        store: &dyn Store,
        sealing: Arc<SealingKey>,
    ) -> Result<Self, DesiredError> {
        let mut desired = Self {
            sealing,
            revision: Revision::default(),
            gateways: BTreeMap::new(),
            network: BTreeMap::new(),
        };
        desired.revision = store.revision().await?;
        for prefix in [document::PREFIX, document::LAST_GOOD_PREFIX] {
            let mut after: Option<Key> = None;
            loop {
                let page = store.list(&format!("{prefix}/"), after.as_ref(), PAGE).await?;
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

    pub fn network(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.network.values()
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
                let document = Document::read(entry)?;
                self.put(id, &document)
            }
            (document::PREFIX, Change::Deleted(_)) => Ok(self.forget(id)),
            (document::LAST_GOOD_PREFIX, change) => {
                let last_good = match change {
                    Change::Put(entry) => Some(Arc::new(self.read(&Document::read(entry)?)?)),
                    Change::Deleted(_) => None,
                };
                if let Some(known) = self.gateways.get_mut(&id) {
                    known.last_good = last_good;
                }
                Ok(Part::Other)
            }
            _ => Ok(Part::Other),
        }
    }

    fn put(&mut self, id: String, document: &Document) -> Result<Part, DesiredError> {
        let kind = document.id.resource_type();
        if kind == GATEWAYS {
            if document.state() == Some("Deleting") {
                return Ok(self.forget(id));
            }
            let gateway = Arc::new(self.read(document)?);
            let last_good = self.gateways.get(&id).and_then(|known| known.last_good.clone());
            let known = DesiredGateway {
                gateway,
                last_good,
                revision: document.revision,
            };
            self.gateways.insert(id.clone(), known);
            return Ok(Part::Gateway(id));
        }
        if NETWORK_TYPES.contains(&kind.as_str()) {
            self.network.insert(id, Arc::new(document.body.clone()));
            return Ok(Part::Network);
        }
        Ok(Part::Other)
    }

    fn forget(&mut self, id: String) -> Part {
        if self.network.remove(&id).is_some() {
            return Part::Network;
        }
        match self.gateways.remove(&id) {
            Some(_) => Part::Gateway(id),
            None => Part::Other,
        }
    }

    fn read(&self, document: &Document) -> Result<ApplicationGateway, DesiredError> {
        let secrets = document.open(&self.sealing)?;
        typed_gateway(document, &secrets).map_err(|why| {
            StoreError::Unreadable(format!("the gateway {} cannot be read: {why}", document.id))
        })
    }
}

/// What a change was of.
enum Part {
    Gateway(String),
    Network,
    Other,
}
