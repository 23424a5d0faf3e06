//! Where requests go in each of two configurations, asked of their compiled snapshots.
//!
//! Two configurations can only tell requests apart by what they name: frontends, ports, host
//! patterns and path patterns. So one request stands for all that fit the same of these: one for
//! each, and one for each kind of name that no pattern fits. Where two patterns of hosts overlap,
//! hosts that both fit are not asked for unless one of the configurations names one of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gatewright_arm::ApplicationGateway;
use gatewright_arm::model::{
    HttpListener, Protocol, RedirectConfiguration, RequestRoutingRule, UrlPathMap,
};
use gatewright_arm::{Item, Reference};
use gatewright_compile::{Options, compile_validated};
use gatewright_snapshot::{
    Action, BackendSetting, EndpointIndex, Generation, ListenerIndex, Pool, RedirectTarget,
    RequestKey, RouteIndex, Scheme, Scratch, Snapshot,
};

use super::Asked;
use super::parts::Pairs;

/// Most requests that are asked about, in each of the configurations.
pub const REPRESENTATIVES_MAX: usize = 20_000;

/// What becomes of a request, in the names of the new configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    pub(super) listener: String,
    pub(super) rule: String,
    /// With its map: `map/rule`.
    pub(super) path_rule: Option<String>,
    pub(super) target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Pool {
        pool: String,
        setting: String,
    },
    Redirect {
        status: u16,
        to: String,
        path: bool,
        query: bool,
    },
}

/// Where clients connect: the name of a frontend in the new configuration, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Door {
    pub(super) port: u16,
    pub(super) frontend: String,
}

impl Asked {
    pub(super) fn door(&self) -> Door {
        Door {
            port: self.port,
            frontend: self.frontend.clone(),
        }
    }
}

/// One request, and what becomes of it with each configuration: nothing where no listener is for
/// it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) asked: Asked,
    pub(super) old: Option<Outcome>,
    pub(super) new: Option<Outcome>,
}

/// All of them.
pub(super) struct Routes {
    /// At doors that both configurations have.
    pub(super) common: Vec<Route>,
    /// At doors that only one of them has.
    pub(super) apart: Vec<Route>,
    pub(super) old_doors: BTreeMap<Door, Scheme>,
    pub(super) new_doors: BTreeMap<Door, Scheme>,
    /// In no host and no path of either configuration.
    pub(super) word: String,
    pub(super) is_cut: bool,
}

/// Pools that requests come to, by their names in the new configuration, and by which settings.
pub(super) type Reached = BTreeMap<String, BTreeSet<String>>;

impl Routes {
    /// With the old configuration, and with the new one.
    pub(super) fn reached(&self) -> (Reached, Reached) {
        let reached = |outcome: fn(&Route) -> &Option<Outcome>| {
            let mut reached = Reached::new();
            let all = self.common.iter().chain(&self.apart);
            for found in all.filter_map(|route| outcome(route).as_ref()) {
                if let Target::Pool { pool, setting } = &found.target {
                    reached
                        .entry(pool.clone())
                        .or_default()
                        .insert(setting.clone());
                }
            }
            reached
        };
        (reached(|one| &one.old), reached(|one| &one.new))
    }
}

/// A configuration, compiled.
pub(super) struct Side<'a> {
    pub(super) gateway: &'a ApplicationGateway,
    pub(super) snapshot: Snapshot,
    rules: HashMap<String, &'a Item<RequestRoutingRule>>,
    listeners: HashMap<String, &'a Item<HttpListener>>,
    doors: BTreeMap<Door, EndpointIndex>,
    /// Names of the old configuration in the new one.
    names: Option<&'a Pairs<'a>>,
}

impl<'a> Side<'a> {
    /// `names` where it is the old configuration.
    ///
    /// # Errors
    /// Why it does not compile.
    pub(super) fn new(
        gateway: &'a ApplicationGateway,
        names: Option<&'a Pairs<'a>>,
    ) -> Result<Self, String> {
        let options = Options {
            allow_unsupported: true,
            ..Options::default()
        };
        let compiled = compile_validated(&[routing_form(gateway)], &options);
        let snapshot = compiled.map_err(|found| {
            let first = found.into_iter().next();
            first.map(|one| one.message).unwrap_or_default()
        })?;
        let lower = |name: &str| name.to_ascii_lowercase();
        let properties = &gateway.properties;
        let mut side = Self {
            gateway,
            snapshot: snapshot.snapshot,
            rules: HashMap::new(),
            listeners: HashMap::new(),
            doors: BTreeMap::new(),
            names,
        };
        for rule in properties.request_routing_rules.iter().rev() {
            side.rules.insert(lower(&rule.name), rule);
        }
        for listener in properties.http_listeners.iter().rev() {
            side.listeners.insert(lower(&listener.name), listener);
        }
        for (position, endpoint) in side.snapshot.endpoints.iter().enumerate() {
            let door = Door {
                port: endpoint.key.port,
                frontend: side.called("frontendIPConfigurations", &endpoint.frontend),
            };
            side.doors.insert(door, EndpointIndex::new(position));
        }
        Ok(side)
    }

    pub(super) fn called(&self, collection: &str, name: &str) -> String {
        match self.names {
            Some(names) => names.now_called(collection, name),
            None => name.to_owned(),
        }
    }

    /// By their names in the new configuration.
    pub(super) fn pools(&self) -> BTreeMap<String, &Pool> {
        let pools = self.snapshot.pools.iter();
        let called = |one: &Pool| self.called("backendAddressPools", &one.name);
        pools.map(|one| (called(one), one)).collect()
    }

    /// By their names in the new configuration.
    pub(super) fn settings(&self) -> BTreeMap<String, &BackendSetting> {
        let settings = self.snapshot.settings.iter();
        let called = |one: &BackendSetting| self.called("backendHttpSettingsCollection", &one.name);
        settings.map(|one| (called(one), one)).collect()
    }

    pub(super) fn listener(&self, name: &str) -> Option<&'a Item<HttpListener>> {
        self.listeners.get(&name.to_ascii_lowercase()).copied()
    }

    /// The name of the listener that answers, in its own configuration.
    pub(super) fn listener_for(&self, door: &Door, host: &str) -> Option<&str> {
        let endpoint = self
            .snapshot
            .endpoints
            .get(self.doors.get(door)?.position())?;
        let found = endpoint.hosts.find(host.as_bytes())?;
        self.listener_name(found)
    }

    fn listener_name(&self, index: ListenerIndex) -> Option<&str> {
        let listener = self.snapshot.listeners.get(index.position())?;
        Some(&listener.name)
    }

    fn schemes(&self) -> BTreeMap<Door, Scheme> {
        let mut schemes: BTreeMap<Door, Scheme> = BTreeMap::new();
        for listener in &self.snapshot.listeners {
            let scheme = self.scheme(&listener.name);
            let doors = self.doors.iter();
            for (door, _) in doors.filter(|(_, endpoint)| **endpoint == listener.endpoint) {
                schemes.insert(door.clone(), scheme);
            }
        }
        schemes
    }

    /// That of a listener: the compiled form has none with TLS.
    fn scheme(&self, listener: &str) -> Scheme {
        let own = self.listener(listener);
        match own.and_then(|own| own.properties.protocol) {
            Some(Protocol::Https) => Scheme::Https,
            _ => Scheme::Http,
        }
    }

    /// The host patterns at a door.
    fn hosts(&self, door: &Door, hosts: &mut BTreeSet<String>) {
        let at = self.doors.get(door);
        let listeners = self.snapshot.listeners.iter();
        for listener in listeners.filter(|one| Some(&one.endpoint) == at) {
            let names = listener.host_names.iter();
            hosts.extend(names.map(|one| one.trim().trim_end_matches('.').to_lowercase()));
        }
    }

    /// The path patterns that decide about requests for a host at a door.
    fn paths(&self, door: &Door, host: &str, paths: &mut BTreeSet<String>) {
        let selected = self.select(door, host, "/");
        let rule = selected.and_then(|(_, route)| self.rule(route));
        let Some(map) = rule.and_then(|rule| self.map(rule)) else {
            return;
        };
        for rule in &map.properties.path_rules {
            paths.extend(rule.properties.paths.iter().cloned());
        }
    }

    fn rule(&self, route: RouteIndex) -> Option<&'a Item<RequestRoutingRule>> {
        let route = self.snapshot.routes.get(route.position())?;
        self.rules.get(&route.rule.to_ascii_lowercase()).copied()
    }

    fn map(&self, rule: &'a Item<RequestRoutingRule>) -> Option<&'a Item<UrlPathMap>> {
        self.named(
            &self.gateway.properties.url_path_maps,
            rule.properties.url_path_map.as_ref()?,
        )
    }

    fn named<T>(&self, items: &'a [Item<T>], reference: &Reference) -> Option<&'a Item<T>> {
        items.iter().find(|item| item.is_named(reference.name()))
    }

    fn select(&self, door: &Door, host: &str, path: &str) -> Option<(ListenerIndex, RouteIndex)> {
        let request = RequestKey {
            host: host.as_bytes(),
            path: path.as_bytes(),
        };
        let endpoint = *self.doors.get(door)?;
        let found = self
            .snapshot
            .select(endpoint, request, &mut Scratch::default())?;
        Some((found.listener, found.route))
    }

    fn outcome(&self, door: &Door, host: &str, path: &str) -> Option<Outcome> {
        let (listener, index) = self.select(door, host, path)?;
        let route = self.snapshot.routes.get(index.position())?;
        let rule = self.rule(index);
        let map = rule.and_then(|rule| self.map(rule));
        let path_rule = route.path_rule.as_ref().map(|own| {
            let map = map.map_or("", |map| map.name.as_str());
            self.called("pathRules", &format!("{map}/{own}"))
        });
        let target = match &route.action {
            Action::Forward(upstream) => {
                let upstream = self.snapshot.upstreams.get(upstream.position())?;
                let pool = self.snapshot.pools.get(upstream.pool.position())?;
                let setting = self.snapshot.settings.get(upstream.setting.position())?;
                Target::Pool {
                    pool: self.called("backendAddressPools", &pool.name),
                    setting: self.called("backendHttpSettingsCollection", &setting.name),
                }
            }
            Action::Redirect(redirect) => Target::Redirect {
                status: redirect.status,
                to: match &redirect.target {
                    RedirectTarget::Url(url) => url.clone(),
                    RedirectTarget::Listener { host, port, .. } => {
                        let own = route.path_rule.as_deref();
                        self.location(host.as_deref(), *port, self.redirect(rule, map, own))
                    }
                },
                path: redirect.include_path,
                query: redirect.include_query,
            },
        };
        Some(Outcome {
            listener: self.called("httpListeners", self.listener_name(listener)?),
            rule: self.called("requestRoutingRules", &route.rule),
            path_rule,
            target,
        })
    }

    /// The redirect of a rule, of a path rule or of its map.
    fn redirect(
        &self,
        rule: Option<&'a Item<RequestRoutingRule>>,
        map: Option<&'a Item<UrlPathMap>>,
        path_rule: Option<&str>,
    ) -> Option<&'a Item<RedirectConfiguration>> {
        let of_map = map.and_then(|map| {
            let own = path_rule.map(|name| {
                let mut rules = map.properties.path_rules.iter();
                let own = rules.find(|rule| rule.is_named(name));
                own.and_then(|rule| rule.properties.redirect_configuration.as_ref())
            });
            own.unwrap_or(map.properties.default_redirect_configuration.as_ref())
        });
        let of_rule = rule.and_then(|rule| rule.properties.redirect_configuration.as_ref());
        self.named(
            &self.gateway.properties.redirect_configurations,
            of_map.or(of_rule)?,
        )
    }

    /// Where a redirect to a listener leads.
    fn location(
        &self,
        host: Option<&str>,
        port: u16,
        redirect: Option<&Item<RedirectConfiguration>>,
    ) -> String {
        let target = redirect.and_then(|one| one.properties.target_listener.as_ref());
        let scheme = target.map_or(Scheme::Http, |one| self.scheme(one.name()));
        let host = host.unwrap_or("(the same host)");
        match port == scheme.default_port() {
            true => format!("{}://{host}", scheme.as_str()),
            false => format!("{}://{host}:{port}", scheme.as_str()),
        }
    }
}

/// The gateway without what has no part in routing and needs private keys, or is refused because
/// it keeps somebody out.
fn routing_form(gateway: &ApplicationGateway) -> ApplicationGateway {
    let mut gateway = gateway.clone();
    let own = &mut gateway.properties;
    own.operational_state = None;
    own.ssl_certificates.clear();
    own.ssl_profiles.clear();
    own.ssl_policy = None;
    own.custom_error_configurations.clear();
    for listener in &mut own.http_listeners {
        let own = &mut listener.properties;
        own.ssl_certificate = None;
        own.ssl_profile = None;
        own.custom_error_configurations.clear();
        if own.protocol == Some(Protocol::Https) {
            own.protocol = Some(Protocol::Http);
        }
    }
    for rule in &mut own.request_routing_rules {
        rule.properties.entra_jwt_validation_config = None;
        rule.properties.auth_configs.clear();
    }
    gateway
}

/// Asks both configurations about every kind of request.
pub(super) fn compare(old: &Side<'_>, new: &Side<'_>) -> Routes {
    let mut routes = Routes {
        common: Vec::new(),
        apart: Vec::new(),
        old_doors: old.schemes(),
        new_doors: new.schemes(),
        word: unnamed(&[old, new]),
        is_cut: false,
    };
    let doors: BTreeSet<&Door> = old.doors.keys().chain(new.doors.keys()).collect();
    let mut left = REPRESENTATIVES_MAX;
    for door in doors {
        let mut hosts = BTreeSet::from([String::new()]);
        old.hosts(door, &mut hosts);
        new.hosts(door, &mut hosts);
        let is_common = old.doors.contains_key(door) && new.doors.contains_key(door);
        for pattern in &hosts {
            let host = host_for(pattern, &routes.word);
            let mut paths = BTreeSet::from([String::new()]);
            old.paths(door, &host, &mut paths);
            new.paths(door, &host, &mut paths);
            for path in &paths {
                if left == 0 {
                    routes.is_cut = true;
                    return routes;
                }
                left -= 1;
                let outcome = |side: &Side<'_>| {
                    side.outcome(door, &host, &path_for(path, &routes.word, side))
                };
                let route = Route {
                    asked: Asked {
                        frontend: door.frontend.clone(),
                        port: door.port,
                        host: (!pattern.is_empty()).then(|| pattern.clone()),
                        path: (!path.is_empty()).then(|| path.clone()),
                    },
                    old: outcome(old),
                    new: outcome(new),
                };
                match is_common {
                    true => routes.common.push(route),
                    false => routes.apart.push(route),
                }
            }
        }
    }
    routes
}

/// A host that fits the pattern, and none that is named.
pub(super) fn host_for(pattern: &str, word: &str) -> String {
    match pattern {
        "" => format!("{word}.invalid"),
        pattern => pattern.replace('*', word).replace('?', "q"),
    }
}

fn path_for(pattern: &str, word: &str, side: &Side<'_>) -> String {
    let path = match pattern.strip_suffix('*') {
        Some(literal) => format!("{literal}{word}"),
        None if pattern.is_empty() => format!("/{word}"),
        None => pattern.to_owned(),
    };
    // Patterns are compared with the decoded path.
    let gateway = side.snapshot.gateways.first();
    match gateway.is_some_and(|one| one.generation == Generation::V2) {
        true => path.replace('%', "%25"),
        false => path,
    }
}

/// A word that is in no host and no path of either.
fn unnamed(sides: &[&Side<'_>]) -> String {
    let mut word = "q0q".to_owned();
    let is_named = |word: &str| {
        sides.iter().any(|side| {
            let own = &side.gateway.properties;
            let listeners = side.snapshot.listeners.iter();
            let mut hosts = listeners.flat_map(|one| &one.host_names);
            let maps = own.url_path_maps.iter();
            let rules = maps.flat_map(|map| &map.properties.path_rules);
            let mut paths = rules.flat_map(|rule| &rule.properties.paths);
            let has = |text: &String| text.to_lowercase().contains(word);
            hosts.any(has) || paths.any(has)
        })
    };
    // Every round needs a longer name, so that it ends.
    while is_named(&word) {
        word.push_str("0q");
    }
    word
}
