//! What is probed of a configuration that is being built.

use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use gatewright_snapshot::{BackendVerification, Member, Probe, Snapshot, Upstream};

use super::{Server, Surroundings, UpstreamIdentity};
use crate::network::obstacle;
use crate::probe::{Epoch, Place, Spec, Target, TargetLabels};
use crate::tls::BackendTls;

/// The targets of a build: those of the build before, as far as nothing about them has changed.
pub(super) struct Targets<'a> {
    before: &'a HashMap<Place, Arc<Target>>,
    now: HashMap<Place, Arc<Target>>,
    epoch: &'a Epoch,
    /// One for each way to verify: targets may be thousands, and ways are few.
    tls: Vec<BackendTls>,
}

/// Where a server that is probed belongs.
pub(super) struct Probed<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) upstream: Upstream,
    pub(super) identity: &'a UpstreamIdentity,
    pub(super) probe: &'a Probe,
}

impl<'a> Targets<'a> {
    pub(super) fn new(before: &'a HashMap<Place, Arc<Target>>, epoch: &'a Epoch) -> Self {
        Self {
            before,
            now: HashMap::new(),
            epoch,
            tls: Vec::new(),
        }
    }

    pub(super) fn into_map(self) -> HashMap<Place, Arc<Target>> {
        self.now
    }

    /// The target of a server; the same one for each pool that it is in. `tls`: the setting's own,
    /// which serves the probe where both check the same.
    pub(super) fn of_server(
        &mut self,
        probed: &Probed<'_>,
        server: &Server,
        tls: Option<&BackendTls>,
        surroundings: &Surroundings<'_>,
    ) -> Arc<Target> {
        let Probed {
            snapshot, upstream, ..
        } = *probed;
        let setting = snapshot.setting(upstream.setting);
        let pool = snapshot.pool(upstream.pool);
        let gateway = snapshot.gateway(pool.gateway);
        let member = &pool.members[server.member];
        let place = Place {
            gateway: probed.identity.gateway.clone(),
            setting: probed.identity.setting.clone(),
            member: member.clone(),
            logical: server.logical,
        };
        if let Some(target) = self.now.get(&place) {
            return Arc::clone(target);
        }
        let spec = spec_of(snapshot, upstream, server, probed.probe, surroundings);
        let before = self.before.get(&place);
        let target = match before.filter(|before| before.spec == spec) {
            Some(same) => Arc::clone(same),
            None => {
                let labels = TargetLabels {
                    gateway: gateway.name.clone(),
                    gateway_id: gateway.resource_id.clone(),
                    setting: setting.name.clone(),
                };
                let before = before.map(Arc::as_ref);
                let at_hand = [tls, before.and_then(|before| before.tls.as_ref())];
                let tls = spec
                    .verification()
                    .map(|wanted| self.tls_for(&wanted, at_hand));
                let place = place.clone();
                Arc::new(Target::new(place, spec, labels, tls, self.epoch, before))
            }
        };
        self.now.insert(place, Arc::clone(&target));
        target
    }
}

impl Targets<'_> {
    fn tls_for(
        &mut self,
        wanted: &BackendVerification,
        at_hand: [Option<&BackendTls>; 2],
    ) -> BackendTls {
        let is_for_it = |tls: &&BackendTls| tls.is_for(wanted);
        if let Some(same) = at_hand.into_iter().flatten().find(is_for_it) {
            return same.clone();
        }
        if let Some(same) = self.tls.iter().find(is_for_it) {
            return same.clone();
        }
        let made = BackendTls::new(wanted);
        self.tls.push(made.clone());
        made
    }
}

/// How a server of an upstream is probed by `probe`.
pub(crate) fn spec_of(
    snapshot: &Snapshot,
    upstream: Upstream,
    server: &Server,
    probe: &Probe,
    surroundings: &Surroundings<'_>,
) -> Spec {
    let setting = snapshot.setting(upstream.setting);
    let pool = snapshot.pool(upstream.pool);
    let member = &pool.members[server.member];
    let generation = snapshot.gateway(pool.gateway).generation;
    let address = probe_address(member, server, setting.port, probe.port, surroundings);
    let mut spec = Spec::new(probe, setting, member, generation, address);
    let probed_at = SocketAddr::new(server.logical.ip(), probe.port);
    spec.obstacle = match probe.port == setting.port {
        true => server.obstacle.clone(),
        false if server.is_stand_in => None,
        false => obstacle(snapshot, pool.gateway, probed_at),
    };
    spec
}

/// Where a server is probed: at its own address, or where the mapping sends the probe's port.
fn probe_address(
    member: &Member,
    server: &Server,
    port: u16,
    probe_port: u16,
    surroundings: &Surroundings<'_>,
) -> SocketAddr {
    if port == probe_port {
        return server.address;
    }
    let mapped = |host: &str| surroundings.map.find(host, probe_port);
    let by_name = match member {
        Member::Fqdn(name) => mapped(name),
        Member::Ip(_) => None,
    };
    let ip = server.logical.ip();
    by_name
        .or_else(|| mapped(&ip.to_string()))
        .unwrap_or_else(|| SocketAddr::new(ip, probe_port))
}
