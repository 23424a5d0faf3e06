//! What the steps of one gateway's compilation share.

use gatewright_arm::model::{
    BackendAddressPool, BackendHttpSettings, FrontendIpConfiguration, FrontendPort, HttpListener,
    LoadDistributionPolicy, RedirectConfiguration, RequestRoutingRule, RewriteRuleSet,
    SslCertificate, SslProfile, UrlPathMap,
};
use gatewright_arm::{ApplicationGateway, Item, Reference};
use gatewright_snapshot::{GatewayIndex, Generation, Snapshot};

use crate::Options;
use crate::codes;
use crate::findings::{Findings, quote_id};
use crate::lookup::Lookup;

/// One gateway, and where its rows and diagnostics go.
pub(crate) struct Scope<'a> {
    pub(crate) gateway: &'a ApplicationGateway,
    pub(crate) options: &'a Options,
    pub(crate) index: GatewayIndex,
    pub(crate) generation: Generation,
    pub(crate) snapshot: &'a mut Snapshot,
    pub(crate) findings: &'a mut Findings,
}

impl Scope<'_> {
    pub(crate) fn is_v1(&self) -> bool {
        self.generation == Generation::V1
    }

    /// Whether the gateway answers 502 to every request.
    pub(crate) fn is_idle(&self) -> bool {
        let own = self.snapshot.gateways.get(self.index.position());
        own.is_some_and(|gateway| gateway.idle.is_some())
    }

    /// Validation lets no such reference through; should one come, it is an error and no panic.
    pub(crate) fn unresolved(&mut self, reference: &Reference) {
        self.findings.error(
            codes::E_UNRESOLVED_REFERENCE,
            reference.pointer(),
            format!("{} names nothing in this gateway.", quote_id(&reference.id)),
            "",
        );
    }
}

/// The gateway's collections by name.
pub(crate) struct Tables<'a> {
    pub(crate) frontends: Lookup<'a, FrontendIpConfiguration>,
    pub(crate) ports: Lookup<'a, FrontendPort>,
    pub(crate) listeners: Lookup<'a, HttpListener>,
    pub(crate) path_maps: Lookup<'a, UrlPathMap>,
    pub(crate) redirects: Lookup<'a, RedirectConfiguration>,
    pub(crate) pools: Lookup<'a, BackendAddressPool>,
    pub(crate) settings: Lookup<'a, BackendHttpSettings>,
    pub(crate) distributions: Lookup<'a, LoadDistributionPolicy>,
    pub(crate) rewrites: Lookup<'a, RewriteRuleSet>,
    pub(crate) certificates: Lookup<'a, SslCertificate>,
    pub(crate) profiles: Lookup<'a, SslProfile>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(gateway: &'a ApplicationGateway) -> Self {
        Self {
            frontends: Lookup::new(gateway),
            ports: Lookup::new(gateway),
            listeners: Lookup::new(gateway),
            path_maps: Lookup::new(gateway),
            redirects: Lookup::new(gateway),
            pools: Lookup::new(gateway),
            settings: Lookup::new(gateway),
            distributions: Lookup::new(gateway),
            rewrites: Lookup::new(gateway),
            certificates: Lookup::new(gateway),
            profiles: Lookup::new(gateway),
        }
    }
}

/// A rule with its listener: what becomes a row of the snapshot's listeners.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) rule: &'a Item<RequestRoutingRule>,
    pub(crate) listener: &'a Item<HttpListener>,
}

impl<'a> Served<'a> {
    /// The host names of the listener; empty for a basic one, and for a multi-site listener without
    /// a name, which catches all hosts as a basic one does.
    pub(crate) fn host_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.listener.properties.hosts()
    }
}

/// The gateway's rules that have a listener, the first to be asked first (behaviour.md §1.2): by
/// priority where the second generation has them; without, multi-site listeners before basic ones;
/// on the first generation as configured.
pub(crate) fn served<'a>(gateway: &'a ApplicationGateway, tables: &Tables<'a>) -> Vec<Served<'a>> {
    let rules = &gateway.properties.request_routing_rules;
    let mut served: Vec<Served<'a>> = rules
        .iter()
        .filter_map(|rule| {
            let listener = tables
                .listeners
                .item(rule.properties.http_listener.as_ref()?)?;
            let is_http = listener
                .properties
                .protocol
                .is_none_or(|protocol| protocol.is_http());
            is_http.then_some(Served { rule, listener })
        })
        .collect();
    if gateway.is_v1() {
        return served;
    }
    let has_priorities = served
        .iter()
        .any(|one| one.rule.properties.priority.is_some());
    if has_priorities {
        served.sort_by_key(|one| one.rule.properties.priority.unwrap_or(i32::MAX));
    } else {
        served.sort_by_key(|one| one.host_names().next().is_none());
    }
    served
}
