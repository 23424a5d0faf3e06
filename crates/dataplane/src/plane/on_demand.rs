//! Probes that somebody asked for, beside those of the schedule.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_snapshot::{Member, Probe, Snapshot, Upstream};
use gatewright_telemetry::Health;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Dataplane, Plane, ServerState, nameless_state};
use crate::dns::{Addresses, NameFailure, Question};
use crate::live::{Server, Surroundings, servers_of_pair, spec_of};
use crate::probe::{Spec, member_name};
use crate::tls::BackendTls;

/// How many probes of one request are under way at once.
const AT_ONCE: usize = 64;

impl Dataplane {
    /// Probes every server of an upstream of `snapshot` once, now, by `probe`, and tells what came
    /// of it; no rule need lead there. Names are asked for anew. What the schedule's probes found,
    /// and what takes traffic, stays as it is. Must be called within a tokio runtime.
    ///
    /// Takes the probe's timeout for every 64 servers at most, and five seconds for names.
    pub async fn probe_on_demand(
        &self,
        snapshot: &Snapshot,
        upstream: Upstream,
        probe: &Probe,
    ) -> Vec<ServerState> {
        let plane = &self.0;
        let map = plane.address_map.load_full();
        let (addresses, failures) = plane.ask_for_names(snapshot, upstream).await;
        let surroundings = Surroundings {
            addresses: &addresses,
            name_servers: &plane.dns.network_servers(snapshot, &map),
            map: &map,
            labels: &plane.labels,
            epoch: &plane.epoch,
        };
        let servers = servers_of_pair(snapshot, upstream, &surroundings);
        let mut running = JoinSet::new();
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tls: Option<BackendTls> = None;
        let members = &snapshot.pool(upstream.pool).members;
        for server in servers {
            let spec = spec_of(snapshot, upstream, &server, probe, &surroundings);
            let name = member_name(&members[server.member]);
            tls = tls_for(&spec, tls);
            let (prober, tls) = (plane.prober.clone(), tls.clone());
            let room = Arc::clone(&room);
            running.spawn(async move {
                let _place = room.acquire().await;
                let record = prober.once(spec, tls).await;
                (server.member, state(name, &server, record.map(Arc::new)))
            });
        }
        let mut states: Vec<(usize, ServerState)> = running.join_all().await;
        states.extend(nameless(members, &failures));
        states.sort_unstable_by_key(|(member, state)| (*member, state.logical));
        states.into_iter().map(|(_, state)| state).collect()
    }
}

impl Plane {
    /// The addresses of an upstream's names, and why some have none.
    async fn ask_for_names(
        &self,
        snapshot: &Snapshot,
        upstream: Upstream,
    ) -> (Addresses, HashMap<String, NameFailure>) {
        let servers = self.dns.network_servers(snapshot, &self.address_map.load());
        let mut asking = JoinSet::new();
        for question in self.names_of(snapshot, upstream, &servers) {
            let dns = self.dns.clone();
            asking.spawn(async move {
                let answer = dns.ask(&question).await;
                (question, answer)
            });
        }
        let mut addresses = Addresses::new();
        let mut failures = HashMap::new();
        for (question, answer) in asking.join_all().await {
            match answer {
                Ok(found) => {
                    addresses.insert(question, found);
                }
                Err(failure) => {
                    let Question { name, .. } = question;
                    failures.insert(name, failure);
                }
            }
        }
        (addresses, failures)
    }
}

/// The TLS of a probe: that of the probe before, where both check the same.
fn tls_for(spec: &Spec, before: Option<BackendTls>) -> Option<BackendTls> {
    let wanted = spec.verification()?;
    let same = before.filter(|tls| tls.is_for(&wanted));
    Some(same.unwrap_or_else(|| BackendTls::new(&wanted)))
}

fn state(
    member: String,
    server: &Server,
    record: Option<Arc<gatewright_telemetry::ProbeRecord>>,
) -> ServerState {
    let health = match &record {
        Some(record) if record.is_healthy => Health::Healthy,
        Some(_) => Health::Unhealthy,
        None => Health::Unknown,
    };
    ServerState {
        member,
        logical: Some(server.logical),
        address: Some(server.address),
        health,
        takes_traffic: health == Health::Healthy,
        since_micros: None,
        in_a_row: u32::from(record.is_some()),
        record,
        has_no_such_name: false,
    }
}

/// The members without an address, with their positions in the pool.
fn nameless(
    members: &[Member],
    failures: &HashMap<String, NameFailure>,
) -> impl Iterator<Item = (usize, ServerState)> {
    members.iter().enumerate().filter_map(|(position, member)| {
        let name = member_name(member);
        let failure = failures.get(&name)?;
        let is_no_name = *failure == NameFailure::NoSuchName;
        Some((position, nameless_state(name, is_no_name)))
    })
}
