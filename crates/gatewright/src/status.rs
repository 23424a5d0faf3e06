//! What a node knows about itself, and how it tells it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatewright_arm::model::OnDemandProbe;
use gatewright_arm::{Diagnostic, Severity, read_on_demand_probe};
use gatewright_compile::{OnDemand, compile_on_demand};
use gatewright_dataplane::{Bound, Dataplane, UpstreamState};
use gatewright_snapshot::{Gateway, GatewayIndex, Generation, Idle, Snapshot};
use gatewright_telemetry::{
    AccessLog, HandshakeTotals, LabelRegistry, RecentRequests, RequestTotals,
};
use serde_json::{Map, Value, json};

use crate::backend_health::{BackendHealth, key_of};
use crate::events::{Events, Insights};
use crate::findings::Finding;
use crate::site::{Failed, Site};
use crate::times::{now, unix_micros};

/// What a node is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    #[default]
    Starting,
    Serving,
    /// On its way out.
    Draining,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

/// Everything that `status` and `health` tell. The node writes, the admin API reads.
pub(crate) struct Board {
    dataplane: Dataplane,
    access_log: Arc<AccessLog>,
    labels: Arc<LabelRegistry>,
    insights: Arc<Insights>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    status: Status,
    /// How many configurations were taken.
    revision: u64,
    /// Since when the present configuration is served.
    since: Option<String>,
    snapshot: Arc<Snapshot>,
    site: Arc<Site>,
    /// Stored gateways that are not served as they are stored.
    failed: Arc<[Failed]>,
    endpoints: Vec<Bound>,
    /// What was found in it: warnings and notes.
    findings: Vec<Finding>,
    last_reload: Option<Reload>,
}

struct Reload {
    at: String,
    error: Option<String>,
}

/// What a diagnosis looks at of a running node, as of one moment.
pub(crate) struct Seen {
    pub(crate) site: Arc<Site>,
    pub(crate) failed: Arc<[Failed]>,
    /// Why the last reload of the files was refused, and what is served is older than they are.
    pub(crate) refused: Option<String>,
    pub(crate) health: BackendHealth,
    pub(crate) upstreams: Vec<UpstreamState>,
    /// In microseconds since the Unix epoch.
    pub(crate) at_micros: u64,
}

impl Board {
    pub(crate) fn new(
        dataplane: Dataplane,
        access_log: Arc<AccessLog>,
        labels: Arc<LabelRegistry>,
        events: &Events,
    ) -> Self {
        Self {
            dataplane,
            access_log,
            labels,
            insights: Arc::clone(&events.insights),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dataplane(&self) -> &Dataplane {
        &self.dataplane
    }

    /// Notes that `snapshot` is served now, and returns its revision.
    pub(crate) fn took(
        &self,
        snapshot: Arc<Snapshot>,
        mut site: Site,
        endpoints: Vec<Bound>,
        findings: Vec<Finding>,
    ) -> u64 {
        let at = now();
        let known = Arc::clone(&self.state().site);
        site.follow(&known);
        let mut state = self.state();
        if state.status == Status::Starting {
            state.status = Status::Serving;
        } else {
            state.last_reload = Some(Reload {
                at: at.clone(),
                error: None,
            });
        }
        state.revision += 1;
        state.since = Some(at);
        let before = std::mem::replace(&mut state.snapshot, snapshot);
        state.site = Arc::new(site);
        state.endpoints = endpoints;
        state.findings = findings;
        // A large one takes a while to go, and nobody is to wait for that.
        tokio::task::spawn_blocking(move || drop((before, known)));
        state.revision
    }

    /// What was found in the configuration that is served.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.state().findings.clone()
    }

    /// Notes that a reload was refused, and returns the revision that is served on.
    pub(crate) fn refused(&self, error: String) -> u64 {
        let mut state = self.state();
        state.last_reload = Some(Reload {
            at: now(),
            error: Some(error),
        });
        state.revision
    }

    /// Notes which stored gateways are not served as they are stored.
    pub(crate) fn failed(&self, failed: Vec<Failed>) {
        self.state().failed = failed.into();
    }

    /// The requests that were seen last, and the names in their records.
    pub(crate) fn recent(&self) -> (&RecentRequests, &Arc<LabelRegistry>) {
        (self.access_log.recent(), &self.labels)
    }

    /// What a diagnosis looks at.
    pub(crate) fn seen(&self) -> Seen {
        let (snapshot, site, failed, refused) = {
            let state = self.state();
            let refused = state.last_reload.as_ref();
            (
                Arc::clone(&state.snapshot),
                Arc::clone(&state.site),
                Arc::clone(&state.failed),
                refused.and_then(|reload| reload.error.clone()),
            )
        };
        let (upstreams, at_micros) = (self.dataplane.upstreams(), unix_micros());
        Seen {
            site,
            failed,
            refused,
            health: BackendHealth::new(&snapshot, &upstreams, at_micros),
            upstreams,
            at_micros,
        }
    }

    pub(crate) fn drains(&self) {
        self.state().status = Status::Draining;
    }

    /// The gateways that are served: what tells each from the others, and its name.
    pub(crate) fn gateways(&self) -> Vec<(String, String)> {
        let snapshot = Arc::clone(&self.state().snapshot);
        let gateways = snapshot.gateways.iter();
        let named = |gateway: &Gateway| {
            let key = key_of(&gateway.resource_id, &gateway.name);
            (key.to_ascii_lowercase(), gateway.name.clone())
        };
        gateways.map(named).collect()
    }

    /// Which servers may take traffic, as `GET /health` answers it.
    pub(crate) fn backend_health(&self) -> BackendHealth {
        let snapshot = Arc::clone(&self.state().snapshot);
        BackendHealth::new(&snapshot, &self.dataplane.upstreams(), unix_micros())
    }

    /// Probes a pool's servers under a setting once, now, as the body of the service's
    /// `getBackendHealthOnDemand` says; what the schedule's probes found stays as it is.
    ///
    /// # Errors
    /// What is wrong with the body, each finding with its JSON pointer.
    pub(crate) async fn health_on_demand(
        &self,
        body: &Value,
    ) -> Result<BackendHealth, Vec<Diagnostic>> {
        let body = read_on_demand_probe(body)?;
        let snapshot = Arc::clone(&self.state().snapshot);
        let gateway = gateway_of(&body, &snapshot)?;
        let OnDemand { upstream, probe } = compile_on_demand(&body, gateway, &snapshot)?;
        let probing = self.dataplane.probe_on_demand(&snapshot, upstream, &probe);
        let servers = probing.await;
        let row = snapshot.gateway(gateway);
        let state = UpstreamState {
            gateway: row.name.clone(),
            gateway_id: row.resource_id.clone(),
            pool: snapshot.pool(upstream.pool).name.clone(),
            setting: snapshot.setting(upstream.setting).name.clone(),
            servers,
            unhealthy_threshold: None,
            unretrievable: None,
        };
        Ok(BackendHealth::of_upstream(&state, row, unix_micros()))
    }

    /// Everything, as `GET /status` answers it.
    pub(crate) fn report(&self) -> Value {
        let upstreams: Vec<Value> = self.dataplane.upstreams().iter().map(upstream).collect();
        let log = self.access_log.status();
        let state = self.state();
        let last_reload = state.last_reload.as_ref().map(|reload| {
            json!({ "ok": reload.error.is_none(), "error": reload.error, "at": reload.at })
        });
        json!({
            "status": state.status.as_str(),
            "version": env!("CARGO_PKG_VERSION"),
            "revision": state.revision,
            "since": state.since,
            "gateways": gateways(&state.snapshot),
            "endpoints": state.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            "upstreams": upstreams,
            "insights": self.insights.list(),
            "findings": state.findings,
            "last_reload": last_reload,
            "connections": self.dataplane.connections(),
            "requests": requests(self.access_log.totals()),
            "failed_handshakes": handshakes(self.dataplane.failed_handshakes()),
            "access_log": {
                "written": log.written,
                "lost": log.lost,
                "dropped": log.dropped,
                "error": log.error,
            },
        })
    }
}

/// The gateway whose pool a body names: by its id, or by its name where the document has no id.
fn gateway_of(body: &OnDemandProbe, snapshot: &Snapshot) -> Result<GatewayIndex, Vec<Diagnostic>> {
    let id = body
        .backend_address_pool
        .as_ref()
        .map_or("", |pool| &pool.id);
    let owner = id
        .trim_end_matches('/')
        .rsplitn(3, '/')
        .nth(2)
        .unwrap_or_default();
    let name = owner.rsplit('/').next().unwrap_or_default();
    let is_it = |gateway: &Gateway| match gateway.resource_id.as_str() {
        "" => gateway.name.eq_ignore_ascii_case(name),
        id => id.eq_ignore_ascii_case(owner),
    };
    let found = snapshot.gateways.iter().position(is_it);
    found.map(GatewayIndex::new).ok_or_else(|| {
        vec![Diagnostic {
            severity: Severity::Error,
            code: "ResourceNotFound".into(),
            message: "The pool is of no gateway that this node serves.".to_owned(),
            pointer: "/backendAddressPool/id".to_owned(),
            help: Some("`gatewright status` lists the gateways.".to_owned()),
        }]
    })
}

fn gateways(snapshot: &Snapshot) -> Vec<Value> {
    let generation = |generation| match generation {
        Generation::V1 => "v1",
        Generation::V2 => "v2",
    };
    let gateways = snapshot.gateways.iter().map(|gateway| {
        json!({
            "name": gateway.name,
            "resource_id": gateway.resource_id,
            "generation": generation(gateway.generation),
            "state": gateway.idle.map_or("running", Idle::as_str),
        })
    });
    gateways.collect()
}

/// A bound address, as `status` and the ready line show it.
pub(crate) fn endpoint(bound: &Bound) -> Value {
    json!({
        "gateway": bound.endpoint.gateway,
        "frontend": bound.endpoint.frontend,
        "port": bound.endpoint.port,
        "scheme": bound.scheme.as_str(),
        "address": bound.address.to_string(),
    })
}

fn upstream(state: &UpstreamState) -> Value {
    let servers = state.servers.iter().map(|server| {
        json!({
            "member": server.member,
            "logical": server.logical.as_ref().map(SocketAddr::to_string),
            "address": server.address.as_ref().map(SocketAddr::to_string),
        })
    });
    json!({
        "gateway": key_of(&state.gateway_id, &state.gateway),
        "pool": state.pool,
        "setting": state.setting,
        "servers": servers.collect::<Vec<_>>(),
    })
}

fn requests(totals: &RequestTotals) -> Value {
    let mut by_class = Map::new();
    for hundreds in 1..=5 {
        by_class.insert(format!("{hundreds}xx"), totals.with_class(hundreds).into());
    }
    let failures: Map<String, Value> = totals
        .failures()
        .map(|(failure, count)| (failure.code().to_owned(), count.into()))
        .collect();
    json!({ "total": totals.requests(), "by_status": by_class, "by_failure": failures })
}

fn handshakes(totals: &HandshakeTotals) -> Value {
    let mut total = 0;
    let mut by_failure = Map::new();
    for (failure, count) in totals.failures() {
        total += count;
        by_failure.insert(failure.code().to_owned(), count.into());
    }
    json!({ "total": total, "by_failure": by_failure })
}
