//! Members whose names do not exist: no probe can tell of them, so that this does.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gatewright_snapshot::GatewayIndex;
use gatewright_telemetry::{Fill, Health, HealthChange, HealthMessage};
use tokio::sync::mpsc;

use crate::core::unix_micros;
use crate::live::Live;
use crate::probe::member_name;

/// Gateway (its id, or its name), setting and member.
type Key = (String, String, String);

/// Which members were told to be without a name that exists.
pub(super) struct Nameless {
    changes: mpsc::Sender<HealthChange>,
    told: Mutex<HashMap<Key, HealthChange>>,
}

impl Nameless {
    pub(super) fn new(changes: mpsc::Sender<HealthChange>) -> Self {
        Self {
            changes,
            told: Mutex::default(),
        }
    }

    /// Tells what has changed with `live`. `is_nameless`: whether the name servers of a gateway
    /// say that a name does not exist.
    pub(super) fn tell(&self, live: &Live, is_nameless: impl Fn(GatewayIndex, &str) -> bool) {
        let now = unhealthy(live, is_nameless);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let left = told.iter().filter(|(key, _)| !now.contains_key(*key));
        let cleared = left.map(|(_, change)| over(change));
        let come = now.iter().filter(|(key, _)| !told.contains_key(*key));
        for change in cleared.chain(come.map(|(_, change)| change.clone())) {
            // As the prober's: the states themselves stay right.
            let _ = self.changes.try_send(change);
        }
        *told = now;
    }
}

fn unhealthy(
    live: &Live,
    is_nameless: impl Fn(GatewayIndex, &str) -> bool,
) -> HashMap<Key, HealthChange> {
    let snapshot = &live.snapshot;
    let mut found: HashMap<Key, HealthChange> = HashMap::new();
    for (upstream, servers) in live.upstreams().filter(|(_, one)| one.has_unresolved) {
        let pool = snapshot.pool(upstream.pool);
        let gateway = snapshot.gateway(pool.gateway);
        let setting = &snapshot.setting(upstream.setting).name;
        for (position, member) in pool.members.iter().enumerate() {
            let name = member_name(member);
            let has_address = servers.servers.iter().any(|one| one.member == position);
            if has_address || !is_nameless(pool.gateway, &name) {
                continue;
            }
            let message = HealthMessage::NameUnresolved;
            let identity = &servers.identity;
            let key = (
                identity.gateway.clone(),
                identity.setting.clone(),
                name.clone(),
            );
            let change = found.entry(key).or_insert_with(|| HealthChange {
                at_micros: unix_micros(),
                gateway: gateway.name.clone(),
                gateway_id: gateway.resource_id.clone(),
                server: name,
                address: String::new(),
                pools: Vec::new(),
                setting: setting.clone(),
                from: Health::Unknown,
                to: Health::Unhealthy,
                message,
                log: message.render(&Fill::default()),
                detail: None,
                in_a_row: 0,
            });
            change.pools.push(pool.name.clone());
        }
    }
    found
}

/// The end of what `change` told.
fn over(change: &HealthChange) -> HealthChange {
    let message = HealthMessage::NotProbed;
    HealthChange {
        at_micros: unix_micros(),
        from: change.to,
        to: Health::Unknown,
        message,
        log: message.render(&Fill::default()),
        ..change.clone()
    }
}
