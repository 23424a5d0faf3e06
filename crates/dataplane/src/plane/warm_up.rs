//! The first probes of new servers, and who waits for them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatewright_snapshot::{GatewayIndex, Snapshot};

use super::{Dataplane, Plane, Sockets};
use crate::live::{Live, LiveUpstream};
use crate::probe::Target;

/// How long the first probes of new servers are waited for: those that have not answered by then
/// take traffic once they do.
const FIRST_PROBES_PATIENCE: Duration = Duration::from_secs(1);

impl Dataplane {
    /// Waits until each server of a gateway, or of all, was probed once, for a second at most:
    /// before, a new gateway has nobody that it could send a request to. `gateway`: its id, or its
    /// name where it has none, in any letter case.
    pub async fn first_probes(&self, gateway: Option<&str>) {
        let is_meant = |own: &str| gateway.is_none_or(|gateway| own.eq_ignore_ascii_case(gateway));
        let live = self.0.live.load_full();
        let upstreams = live.upstreams().map(|(_, upstream)| upstream);
        let upstreams = upstreams.filter(|upstream| is_meant(&upstream.identity.gateway));
        let targets: Vec<_> = upstreams.flat_map(LiveUpstream::without_state).collect();
        self.0.first_results(&targets).await;
    }
}

impl Plane {
    /// Has the new servers of `live` probed, beside those that are served now; and where a gateway
    /// that takes traffic already would send some of it to a pool of which nothing is known, waits
    /// a little for what that tells. A gateway that is new has no traffic to lose, and holds
    /// nobody up.
    pub(super) async fn warm_up(
        &self,
        live: &Live,
        is_serving: &(dyn Fn(GatewayIndex) -> bool + Sync),
    ) {
        let mut both = self.live.load().watched();
        let known: HashSet<u64> = both.iter().map(|one| one.target.number).collect();
        both.extend(live.watched());
        self.prober.watch(both);
        let idle = live.upstreams().filter(|(upstream, servers)| {
            is_serving(live.snapshot.pool(upstream.pool).gateway) && !servers.takes_traffic()
        });
        let targets = idle.flat_map(|(_, servers)| servers.without_state());
        // Those that were waited for before are not again.
        let targets: Vec<_> = targets.filter(|one| !known.contains(&one.number)).collect();
        self.first_results(&targets).await;
    }

    async fn first_results(&self, targets: &[Arc<Target>]) {
        let results = self.prober.first_results(targets);
        let _ = tokio::time::timeout(FIRST_PROBES_PATIENCE, results).await;
    }
}

/// The gateways of which some address is listened on already: they have traffic that could be lost.
pub(super) fn serving(
    snapshot: &Snapshot,
    addresses: &[SocketAddr],
    sockets: &Sockets,
) -> HashSet<GatewayIndex> {
    let known: HashSet<SocketAddr> = sockets.open.keys().map(|key| key.2).collect();
    let endpoints = snapshot.endpoints.iter().zip(addresses);
    let serving = endpoints.filter(|(_, address)| known.contains(address));
    serving.map(|(endpoint, _)| endpoint.gateway).collect()
}
