//! Endpoints, and the listeners behind them.

use std::collections::HashMap;

use gatewright_arm::Item;
use gatewright_arm::model::{HttpListener, Protocol, RuleType};
use gatewright_snapshot::{
    Endpoint, EndpointIndex, EndpointKey, ErrorPage, HostPattern, HostTable, HostTableBuilder,
    Listener, ListenerIndex, Scheme, TlsPolicy,
};

use crate::codes;
use crate::error_pages;
use crate::findings::quote;
use crate::gateway::key_of;
use crate::listener_certificates::{self, ListenerCertificates};
use crate::redirects::{listener_port, reached_port};
use crate::routing::Router;
use crate::scope::{Scope, Served, Tables};
use crate::tls_policy;

/// An endpoint whose listeners are still being collected.
struct Group {
    endpoint: EndpointIndex,
    scheme: Scheme,
    hosts: HostTableBuilder,
    /// The first listener, by the order of the rules.
    first: Option<ListenerIndex>,
    /// The first listener that answers a client without a known server name.
    first_without_sni: Option<ListenerIndex>,
    /// The first listener that takes any host.
    any: Option<ListenerIndex>,
}

/// Collects the endpoints of one gateway.
pub(crate) struct Endpoints<'a> {
    groups: Vec<Group>,
    /// By the frontend's name and the port.
    by_place: HashMap<(&'a str, u16), usize>,
    router: Router,
    certificates: ListenerCertificates,
    /// By the name of the TLS profile in lower case; empty for the gateway's own policy.
    policies: HashMap<String, Option<TlsPolicy>>,
    error_pages: Vec<ErrorPage>,
}

/// Adds endpoints, listeners and routes for the rules in `served`, the first to be asked first.
pub(crate) fn compile<'a>(
    scope: &mut Scope<'a>,
    tables: &Tables<'a>,
    served: &[Served<'a>],
    router: Router,
) {
    let mut endpoints = Endpoints {
        groups: Vec::new(),
        by_place: HashMap::new(),
        router,
        certificates: ListenerCertificates::default(),
        policies: HashMap::new(),
        error_pages: error_pages::of_gateway(scope),
    };
    for (position, one) in served.iter().enumerate() {
        // Where its absence was accepted, the listener of an advanced rule is not served.
        if one.rule.properties.rule_type != Some(RuleType::AdvancedRouting) {
            let order = u32::try_from(position).unwrap_or(u32::MAX);
            endpoints.add(scope, tables, one, order);
        }
    }
    endpoints.certificates.read_unused(scope);
    for group in endpoints.groups {
        finish(scope, group);
    }
}

impl<'a> Endpoints<'a> {
    /// Adds the listener's row and routes. After an error nothing is added: there will be no
    /// snapshot then.
    fn add(&mut self, scope: &mut Scope<'a>, tables: &Tables<'a>, served: &Served<'a>, order: u32) {
        if listener_certificates::is_left_out(scope, tables, served) {
            return;
        }
        let Some(group) = self.group(scope, tables, served) else {
            return;
        };
        let (endpoint, is_https) = match self.groups.get(group) {
            Some(group) => (group.endpoint, group.scheme == Scheme::Https),
            None => return,
        };
        let index = ListenerIndex::new(scope.snapshot.listeners.len());
        let certificate = is_https
            .then(|| self.certificates.of(scope, tables, served))
            .flatten();
        let tls_policy = is_https
            .then(|| self.tls_policy(scope, tables, served))
            .flatten();
        let patterns = patterns(scope, served);
        let routing = self.router.routing(scope, tables, served, index);
        let is_whole = !is_https || (certificate.is_some() && tls_policy.is_some());
        let (true, Some(routing), Some(patterns)) = (is_whole, routing, patterns) else {
            return;
        };
        let error_pages = error_pages::of_listener(scope, served.listener, &self.error_pages);
        scope.snapshot.listeners.push(Listener {
            name: served.listener.name.clone(),
            endpoint,
            host_names: served.host_names().map(str::to_owned).collect(),
            routing,
            certificate,
            tls_policy,
            error_pages,
        });
        if let Some(group) = self.groups.get_mut(group) {
            group.add(index, served.listener, patterns, order);
        }
    }

    /// The group of the listener's frontend and port, made when first met; `None` after an error.
    fn group(
        &mut self,
        scope: &mut Scope<'a>,
        tables: &Tables<'a>,
        served: &Served<'a>,
    ) -> Option<usize> {
        let listener = served.listener;
        let reference = listener.properties.frontend_ip_configuration.as_ref();
        let Some(frontend) = reference.and_then(|reference| tables.frontends.item(reference))
        else {
            let message = format!("The listener {} has no frontend.", quote(&listener.name));
            let pointer = listener.pointer_to("frontendIPConfiguration");
            scope
                .findings
                .error(codes::E_LISTENER_FRONTEND, pointer, message, "");
            return None;
        };
        let port = listener_port(scope, tables, listener)?;
        let scheme = match listener.properties.protocol {
            Some(Protocol::Https) => Scheme::Https,
            _ => Scheme::Http,
        };
        let place = (frontend.name.as_str(), port);
        if let Some(&known) = self.by_place.get(&place) {
            let same = self
                .groups
                .get(known)
                .is_some_and(|group| group.scheme == scheme);
            if !same {
                refuse_mixture(scope, listener, port);
            }
            return same.then_some(known);
        }
        reached_port(scope, tables, listener)?;
        let endpoint = EndpointIndex::new(scope.snapshot.endpoints.len());
        let address = frontend.properties.private_ip_address.as_deref();
        scope.snapshot.endpoints.push(Endpoint {
            key: EndpointKey {
                gateway: key_of(scope.gateway),
                frontend: frontend.name.to_ascii_lowercase(),
                port,
            },
            frontend: frontend.name.clone(),
            gateway: scope.index,
            scheme,
            logical_address: address.and_then(|address| address.trim().parse().ok()),
            hosts: HostTable::default(),
            sni_fallback: None,
        });
        self.groups.push(Group::new(endpoint, scheme));
        self.by_place.insert(place, self.groups.len() - 1);
        Some(self.groups.len() - 1)
    }

    /// The policy of the listener's TLS profile, else the gateway's; `None` after an error. Reports
    /// what is left out of a policy once.
    fn tls_policy(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        served: &Served<'_>,
    ) -> Option<TlsPolicy> {
        let gateway = scope.gateway;
        let profile = served.listener.properties.ssl_profile.as_ref();
        let profile = profile.and_then(|reference| tables.profiles.item(reference));
        let profile = profile.filter(|profile| profile.properties.ssl_policy.is_some());
        let key = profile.map_or_else(String::new, |profile| profile.name.to_ascii_lowercase());
        let resolve = || {
            let (policy, pointer) = match profile {
                Some(one) => (
                    one.properties.ssl_policy.as_ref(),
                    one.pointer_to("sslPolicy"),
                ),
                None => {
                    let policy = gateway.properties.ssl_policy.as_ref();
                    (policy, gateway.source.pointer_to("sslPolicy"))
                }
            };
            let default = gateway.properties.default_predefined_ssl_policy;
            tls_policy::compile(scope, policy, default, &pointer)
        };
        self.policies.entry(key).or_insert_with(resolve).clone()
    }
}

impl Group {
    fn new(endpoint: EndpointIndex, scheme: Scheme) -> Self {
        let hosts = HostTableBuilder::default();
        Self {
            endpoint,
            scheme,
            hosts,
            first: None,
            first_without_sni: None,
            any: None,
        }
    }

    fn add(
        &mut self,
        index: ListenerIndex,
        listener: &Item<HttpListener>,
        patterns: Vec<HostPattern>,
        order: u32,
    ) {
        if patterns.is_empty() {
            self.hosts.add_any(order, index);
            self.any = self.any.or(Some(index));
        }
        for pattern in patterns {
            self.hosts.add(pattern, order, index);
        }
        self.first = self.first.or(Some(index));
        let requires_sni = self.scheme == Scheme::Https
            && listener.properties.require_server_name_indication == Some(true);
        if !requires_sni {
            self.first_without_sni = self.first_without_sni.or(Some(index));
        }
    }
}

fn refuse_mixture(scope: &mut Scope<'_>, listener: &Item<HttpListener>, port: u16) {
    scope.findings.error(
        codes::E_MIXED_PROTOCOLS,
        listener.pointer_to("protocol"),
        format!(
            "The listener {} and another one on the same frontend and port {port} differ in \
             protocol.",
            quote(&listener.name)
        ),
        "All listeners on one frontend and port are Http, or all are Https.",
    );
}

/// The host names as patterns; `None` after an error.
fn patterns(scope: &mut Scope<'_>, served: &Served<'_>) -> Option<Vec<HostPattern>> {
    let mut patterns = Vec::new();
    for name in served.host_names() {
        match HostPattern::parse(name.trim()) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let listener = served.listener;
                let member = match listener.properties.host_name.is_some() {
                    true => "hostName",
                    false => "hostNames",
                };
                scope.findings.error(
                    codes::E_HOST_NAME,
                    listener.pointer_to(member),
                    format!(
                        "{} is no host name for the listener {}: {error}.",
                        quote(name),
                        quote(&listener.name)
                    ),
                    "",
                );
                return None;
            }
        }
    }
    Some(patterns)
}

/// Builds the endpoint's host table, and says who answers where no name fits.
///
/// The first generation answers an unknown host with the first rule's listener, never with 404. On
/// HTTPS a listener that requires SNI cannot be that one: the table finds certificates too, and an
/// unknown name must end the handshake there.
fn finish(scope: &mut Scope<'_>, mut group: Group) {
    let sni_fallback = if scope.is_v1() {
        if let (None, Some(listener)) = (group.any, group.first_without_sni) {
            group.hosts.add_any(u32::MAX, listener);
        }
        group.any.or(group.first_without_sni)
    } else {
        group.any.or(group.first)
    };
    let is_https = group.scheme == Scheme::Https;
    if let Some(endpoint) = scope.snapshot.endpoints.get_mut(group.endpoint.position()) {
        endpoint.hosts = group.hosts.build();
        endpoint.sni_fallback = sni_fallback.filter(|_| is_https);
    }
}
