//! The documents behind what is served: what a diagnosis reads beside health and traffic.

use std::sync::Arc;

use gatewright_arm::{ApplicationGateway, ArmError};
use gatewright_control::Judged;
use serde_json::Value;

use crate::backend_health::key_of;
use crate::documents::Document;
use crate::evidence_source::file_at;
use crate::network::NetworkFolder;
use crate::times::unix_micros;

/// The gateways that are served, and their network.
#[derive(Debug, Default)]
pub(crate) struct Site {
    gateways: Vec<Served>,
    network: Vec<(String, Arc<Value>)>,
}

/// A gateway, and since when it is served like this, in this network.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) gateway: Arc<ApplicationGateway>,
    /// In microseconds since the Unix epoch.
    pub(crate) since_micros: u64,
    /// The file that it is from, where it is alone in one.
    pub(crate) file: Option<String>,
    /// What the file holds; secrets are taken out before it is told.
    pub(crate) document: Option<Arc<Value>>,
}

/// A gateway that is not served as it is stored, and why.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// As it is stored.
    pub(crate) gateway: Arc<ApplicationGateway>,
    pub(crate) error: ArmError,
}

impl Site {
    /// What these documents and stored gateways say, served from now on.
    pub(crate) fn new(
        documents: &[Document],
        stored: &[(String, Judged)],
        network: &NetworkFolder,
    ) -> Self {
        let now = unix_micros();
        let of_files = documents.iter().flat_map(|document| {
            let gateways = document.gateways.iter();
            gateways.map(|gateway| Served {
                gateway: Arc::new(gateway.clone()),
                since_micros: now,
                file: document.body.as_ref().and_then(|_| file_at(&document.file)),
                document: document.body.clone(),
            })
        });
        let stored = stored.iter().map(|(_, judged)| Served {
            gateway: Arc::clone(&judged.gateway),
            since_micros: now,
            file: None,
            document: None,
        });
        Self {
            gateways: of_files.chain(stored).collect(),
            network: network.bodies().to_vec(),
        }
    }

    /// Takes over from `before` since when a gateway is served as it is, where that has not
    /// changed. With another network, every gateway is another one.
    pub(crate) fn follow(&mut self, before: &Self) {
        if self.network != before.network {
            return;
        }
        let before = before.gateways.iter();
        let before: std::collections::HashMap<&str, &Served> = before
            .map(|served| (key(&served.gateway), served))
            .collect();
        for served in &mut self.gateways {
            let Some(known) = before.get(key(&served.gateway)) else {
                continue;
            };
            let is_same = Arc::ptr_eq(&known.gateway, &served.gateway);
            if is_same || known.gateway == served.gateway {
                served.since_micros = known.since_micros;
            }
        }
    }

    pub(crate) fn network(&self) -> &[(String, Arc<Value>)] {
        &self.network
    }

    /// The gateway of this name or id, in any letter case; the only one, where `wanted` is empty.
    ///
    /// # Errors
    /// When there is none or more than one, in a sentence that names those that there are.
    pub(crate) fn find(&self, wanted: &str) -> Result<&Served, String> {
        let is_meant = |served: &&Served| {
            let gateway = &served.gateway;
            wanted.is_empty()
                || gateway.name.eq_ignore_ascii_case(wanted)
                || key(gateway).eq_ignore_ascii_case(wanted)
        };
        let meant: Vec<&Served> = self.gateways.iter().filter(is_meant).collect();
        match meant.as_slice() {
            [only] => Ok(only),
            [] if self.gateways.is_empty() => Err("this node serves no gateway".to_owned()),
            [] => Err(format!(
                "this node serves no gateway of that name; there are: {}",
                listed(self.gateways.iter())
            )),
            several => Err(format!(
                "name one gateway, by its id where names are alike: {}",
                listed(several.iter().copied())
            )),
        }
    }
}

/// What tells gateways apart.
pub(crate) fn key(gateway: &ApplicationGateway) -> &str {
    key_of(gateway.id.as_deref().unwrap_or_default(), &gateway.name)
}

/// Names where they are enough, else ids; the first few.
fn listed<'a>(gateways: impl Iterator<Item = &'a Served>) -> String {
    const SHOWN_MAX: usize = 10;
    let all: Vec<&str> = gateways.map(|served| key(&served.gateway)).collect();
    let shown = all.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>();
    let more = match all.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
