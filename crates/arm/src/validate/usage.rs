//! What is legal but useless.

use std::collections::{HashMap, HashSet};

use super::checker::{Checker, ItemKey, MAX_COMPARED};
use super::hosts;
use super::listeners::{names_of, socket};
use crate::any_case::AnyCase;
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{
    AuthenticationCertificate, BackendAddressPool, BackendHttpSettings, BackendSettings,
    ChildResource, FrontendPort, GatewayChild, HttpListener, Item, Listener, Probe,
    RedirectConfiguration, Reference, RequestRoutingRule, RewriteRuleSet, SslCertificate,
    SslProfile, TrustedClientCertificate, TrustedRootCertificate, UrlPathMap,
};

pub(crate) fn check(c: &mut Checker<'_>) {
    let used = c.used();
    unused_items::<Probe>(c, &used, "probe", codes::W_UNUSED_PROBE);
    unused_items::<BackendAddressPool>(c, &used, "backend pool", codes::W_UNUSED);
    unused_items::<BackendHttpSettings>(c, &used, "backend setting", codes::W_UNUSED);
    unused_items::<BackendSettings>(c, &used, "backend setting", codes::W_UNUSED);
    unused_items::<UrlPathMap>(c, &used, "path map", codes::W_UNUSED);
    unused_items::<RedirectConfiguration>(c, &used, "redirect", codes::W_UNUSED);
    unused_items::<RewriteRuleSet>(c, &used, "rewrite set", codes::W_UNUSED);
    unused_items::<SslCertificate>(c, &used, "certificate", codes::W_UNUSED);
    unused_items::<SslProfile>(c, &used, "TLS profile", codes::W_UNUSED);
    unused_items::<TrustedRootCertificate>(c, &used, "trusted root", codes::W_UNUSED);
    unused_items::<TrustedClientCertificate>(c, &used, "trusted client chain", codes::W_UNUSED);
    unused_items::<AuthenticationCertificate>(c, &used, "certificate", codes::W_UNUSED);
    unused_items::<FrontendPort>(c, &used, "frontend port", codes::W_UNUSED);
    idle_listeners(c);
    empty_pools(c);
    hidden_listeners(c);
}

fn unused_items<T: GatewayChild>(
    c: &mut Checker<'_>,
    used: &HashSet<ItemKey<'_>>,
    what: &str,
    code: &'static str,
) {
    for item in T::items(c.properties) {
        if used.contains(&(T::COLLECTION, AnyCase(&item.name))) {
            continue;
        }
        let message = format!("Nothing uses the {what} '{}'.", item.name);
        if code == codes::W_UNUSED_PROBE {
            let help = "Without a custom probe a backend setting uses the default probe: name this \
                        one in its 'probe'.";
            c.hint(Severity::Warning, (code, message), item.pointer(), help);
        } else {
            c.warn(code, message, item.pointer());
        }
    }
}

/// Listeners are also referred to by redirects, so that rules alone count.
fn idle_listeners(c: &mut Checker<'_>) {
    let p = c.properties;
    let http: HashSet<AnyCase<'_>> = p
        .request_routing_rules
        .iter()
        .filter_map(|rule| rule.properties.http_listener.as_ref())
        .filter_map(|listener| c.target_name(listener, HttpListener::COLLECTION))
        .collect();
    let l4: HashSet<AnyCase<'_>> = p
        .routing_rules
        .iter()
        .filter_map(|rule| rule.properties.listener.as_ref())
        .filter_map(|listener| c.target_name(listener, Listener::COLLECTION))
        .collect();
    let http_idle = p
        .http_listeners
        .iter()
        .filter(|l| !http.contains(&AnyCase(&l.name)));
    let l4_idle = p
        .listeners
        .iter()
        .filter(|l| !l4.contains(&AnyCase(&l.name)));
    let idle = http_idle
        .map(|listener| (&listener.name, listener.pointer()))
        .chain(l4_idle.map(|listener| (&listener.name, listener.pointer())));
    for (name, at) in idle {
        let message = format!("No rule uses listener '{name}': it answers no request.");
        c.warn(codes::W_IDLE_LISTENER, message, at);
    }
}

fn empty_pools(c: &mut Checker<'_>) {
    let p = c.properties;
    for rule in &p.request_routing_rules {
        let pool = &rule.properties.backend_address_pool;
        empty_pool(c, pool, (rule, "backendAddressPool"), || rule_text(rule));
    }
    for rule in &p.routing_rules {
        let pool = &rule.properties.backend_address_pool;
        empty_pool(c, pool, (rule, "backendAddressPool"), || rule_text(rule));
    }
    for map in &p.url_path_maps {
        let pool = &map.properties.default_backend_address_pool;
        empty_pool(c, pool, (map, "defaultBackendAddressPool"), || {
            format!("The default of path map '{}'", map.name)
        });
        for rule in &map.properties.path_rules {
            let pool = &rule.properties.backend_address_pool;
            empty_pool(c, pool, (rule, "backendAddressPool"), || {
                format!("Path rule '{}/{}'", map.name, rule.name)
            });
        }
    }
}

fn rule_text<T>(rule: &Item<T>) -> String {
    format!("Rule '{}'", rule.name)
}

/// Warns if `member` of `sender` is a pool without servers; `who` names the sender.
fn empty_pool<T>(
    c: &mut Checker<'_>,
    pool: &Option<Reference>,
    (sender, member): (&Item<T>, &str),
    who: impl Fn() -> String,
) {
    let Some(pool) = c.resolve::<BackendAddressPool>(pool.as_ref()) else {
        return;
    };
    let p = &pool.properties;
    if p.backend_addresses.is_empty() && p.backend_ip_configurations.is_empty() {
        let message = format!(
            "{} sends requests to pool '{}', which has no servers: they are answered with 502.",
            who(),
            pool.name
        );
        c.warn(codes::W_EMPTY_POOL, message, sender.pointer_to(member));
    }
}

/// Listeners whose every request goes to a listener that comes before them.
fn hidden_listeners(c: &mut Checker<'_>) {
    let mut by_socket: HashMap<(AnyCase<'_>, i32), Vec<Hosts<'_>>> = HashMap::new();
    for rule in in_order(c).into_iter().take(MAX_COMPARED) {
        let listener = c.resolve::<HttpListener>(rule.properties.http_listener.as_ref());
        let Some(listener) = listener else { continue };
        let p = &listener.properties;
        let socket = socket(
            c,
            p.frontend_ip_configuration.as_ref(),
            p.frontend_port.as_ref(),
        );
        let Some(socket) = socket else { continue };
        let names = names_of(p);
        if are_broken(&names) {
            continue;
        }
        let own = Hosts { listener, names };
        let earlier = by_socket.entry(socket).or_default();
        if let Some(Hosts {
            listener: other, ..
        }) = earlier.iter().find(|one| one.hides(&own))
        {
            let message = format!(
                "Listener '{}' gets no request: '{}', whose rule comes first, takes every host of \
                 it on the same address and port.",
                listener.name, other.name
            );
            let help = "Give the rule of the narrower listener the smaller priority.";
            let finding = (codes::W_HIDDEN_LISTENER, message);
            c.hint(Severity::Warning, finding, listener.pointer(), help);
        }
        earlier.push(own);
    }
}

/// A listener, and the hosts that it answers to; none for any host.
struct Hosts<'a> {
    listener: &'a Item<HttpListener>,
    names: Vec<&'a str>,
}

/// Whether there is an error of their own to tell.
fn are_broken(names: &[&str]) -> bool {
    names.len() > hosts::MAX_HOST_NAMES || names.iter().any(|n| hosts::fault(n, true).is_some())
}

impl Hosts<'_> {
    /// Whether every request of `later` goes to this one, which comes before it.
    fn hides(&self, later: &Self) -> bool {
        // Two listeners for any host on one socket are an error of their own.
        if later.names.is_empty() || self.names.is_empty() {
            return !later.names.is_empty();
        }
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let covers = |narrow: &str| {
            let mut wide = self.names.iter();
            wide.any(|wide| hosts::covers(wide, narrow) && !same(wide, narrow))
        };
        later.names.iter().all(|narrow| covers(narrow))
    }
}

/// The rules in the order in which their listeners are tried. Second-generation gateways without
/// priorities try multi-site listeners first, so that none hides another there.
fn in_order<'a>(c: &Checker<'a>) -> Vec<&'a Item<RequestRoutingRule>> {
    let mut rules: Vec<_> = c.properties.request_routing_rules.iter().collect();
    if c.is_v1() {
        return rules;
    }
    if rules.iter().any(|rule| rule.properties.priority.is_none()) {
        return Vec::new();
    }
    rules.sort_by_key(|rule| rule.properties.priority);
    rules
}
