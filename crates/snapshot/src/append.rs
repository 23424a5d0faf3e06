//! Snapshots of several gateways from those of each: so that a change of one costs no compilation
//! of the others.

use crate::index::{
    CertificateIndex, EndpointIndex, GatewayIndex, ListenerIndex, PathMapIndex, PoolIndex,
    RouteIndex, SettingIndex, UpstreamIndex,
};
use crate::model::{
    Action, BackendSetting, Endpoint, Listener, PathMap, Pool, Route, Routing, Snapshot, Upstream,
};

impl Snapshot {
    /// Adds the rows of `part` behind those that are here, and has them refer to each other there.
    /// Gateways keep their order, so that the first gateway of `part` has the position that
    /// `gateways` had as its length. The network is left as it is: its policy is one for all.
    pub fn append(&mut self, part: &Self) {
        let base = Base::of(self);
        self.gateways.extend(part.gateways.iter().cloned());
        let endpoints = part.endpoints.iter();
        self.endpoints
            .extend(endpoints.map(|row| base.endpoint(row)));
        let listeners = part.listeners.iter();
        self.listeners
            .extend(listeners.map(|row| base.listener(row)));
        self.routes
            .extend(part.routes.iter().map(|row| base.route(row)));
        let path_maps = part.path_maps.iter().map(|row| PathMap {
            gateway: base.gateway(row.gateway),
            ..row.clone()
        });
        self.path_maps.extend(path_maps);
        let pools = part.pools.iter().map(|row| Pool {
            gateway: base.gateway(row.gateway),
            ..row.clone()
        });
        self.pools.extend(pools);
        let settings = part.settings.iter().map(|row| BackendSetting {
            gateway: base.gateway(row.gateway),
            ..row.clone()
        });
        self.settings.extend(settings);
        let upstreams = part.upstreams.iter().map(|row| Upstream {
            pool: PoolIndex::new(base.pools + row.pool.position()),
            setting: SettingIndex::new(base.settings + row.setting.position()),
        });
        self.upstreams.extend(upstreams);
        self.certificates.extend(part.certificates.iter().cloned());
    }
}

/// How many rows were there before.
struct Base {
    gateways: usize,
    endpoints: usize,
    listeners: usize,
    routes: usize,
    path_maps: usize,
    pools: usize,
    settings: usize,
    upstreams: usize,
    certificates: usize,
}

impl Base {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            gateways: snapshot.gateways.len(),
            endpoints: snapshot.endpoints.len(),
            listeners: snapshot.listeners.len(),
            routes: snapshot.routes.len(),
            path_maps: snapshot.path_maps.len(),
            pools: snapshot.pools.len(),
            settings: snapshot.settings.len(),
            upstreams: snapshot.upstreams.len(),
            certificates: snapshot.certificates.len(),
        }
    }

    fn gateway(&self, index: GatewayIndex) -> GatewayIndex {
        GatewayIndex::new(self.gateways + index.position())
    }

    fn listener_index(&self, index: ListenerIndex) -> ListenerIndex {
        ListenerIndex::new(self.listeners + index.position())
    }

    fn route_index(&self, index: RouteIndex) -> RouteIndex {
        RouteIndex::new(self.routes + index.position())
    }

    fn endpoint(&self, row: &Endpoint) -> Endpoint {
        Endpoint {
            key: row.key.clone(),
            frontend: row.frontend.clone(),
            gateway: self.gateway(row.gateway),
            scheme: row.scheme,
            logical_address: row.logical_address,
            hosts: row.hosts.clone().shifted(self.listeners),
            sni_fallback: row.sni_fallback.map(|index| self.listener_index(index)),
        }
    }

    fn listener(&self, row: &Listener) -> Listener {
        let certificate = row.certificate;
        Listener {
            endpoint: EndpointIndex::new(self.endpoints + row.endpoint.position()),
            routing: self.routing(&row.routing),
            certificate: certificate
                .map(|index| CertificateIndex::new(self.certificates + index.position())),
            ..row.clone()
        }
    }

    fn routing(&self, routing: &Routing) -> Routing {
        match *routing {
            Routing::Always(route) => Routing::Always(self.route_index(route)),
            Routing::ByPath {
                map,
                first,
                default,
            } => Routing::ByPath {
                map: PathMapIndex::new(self.path_maps + map.position()),
                first: self.route_index(first),
                default: self.route_index(default),
            },
        }
    }

    fn route(&self, row: &Route) -> Route {
        let action = match &row.action {
            Action::Forward(upstream) => {
                Action::Forward(UpstreamIndex::new(self.upstreams + upstream.position()))
            }
            Action::Redirect(redirect) => Action::Redirect(redirect.clone()),
        };
        Route {
            listener: self.listener_index(row.listener),
            rule: row.rule.clone(),
            path_rule: row.path_rule.clone(),
            action,
        }
    }
}
