//! The gateway as requests and probes see it: which rules lead where, who is probed and how.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gatewright_arm::model::{
    BackendAddressPool, BackendHttpSettings, HttpListener, PathRule, Probe, RequestRoutingRule,
    UrlPathMap,
};
use gatewright_arm::{ApplicationGateway, Item, Reference};

use crate::evidence::{Evidence, GATEWAY, Health, HealthRow, Place, State};
use crate::message::Symptom;

/// The status codes that a probe without a match counts as healthy.
const HEALTHY_STATUSES: (u16, u16) = (200, 399);
/// The host that a default probe asks for where the setting has none.
pub(crate) const DEFAULT_HOST: &str = "127.0.0.1";
/// The probe's timeout where it has none of its own, in seconds.
const PROBE_TIMEOUT_SECONDS: i32 = 30;

/// One way that requests take.
pub(crate) struct Route<'e> {
    pub(crate) rule: &'e Item<RequestRoutingRule>,
    pub(crate) listener: Option<&'e Item<HttpListener>>,
    pub(crate) via: Via<'e>,
    pub(crate) pool: Option<&'e Item<BackendAddressPool>>,
    pub(crate) setting: Option<&'e Item<BackendHttpSettings>>,
    pub(crate) is_redirect: bool,
    /// Of the reference to the pool.
    pub(crate) place: Place,
}

/// By what of its rule.
#[derive(Clone, Copy)]
pub(crate) enum Via<'e> {
    Basic,
    /// The default of a path map.
    Default(&'e Item<UrlPathMap>),
    Path(&'e Item<UrlPathMap>, &'e Item<PathRule>),
}

/// A server under a setting, as the report has it.
pub(crate) struct Target<'e> {
    pub(crate) row: Cow<'e, HealthRow>,
    pub(crate) symptom: Symptom,
    pub(crate) pool: Option<&'e Item<BackendAddressPool>>,
    pub(crate) setting: Option<&'e Item<BackendHttpSettings>>,
    pub(crate) probe: Option<&'e Item<Probe>>,
}

pub(crate) struct Site<'e> {
    pub(crate) routes: Vec<Route<'e>>,
    pub(crate) targets: Vec<Target<'e>>,
}

impl<'e> Site<'e> {
    pub(crate) fn of(evidence: &'e Evidence) -> Self {
        let gateway = &evidence.gateway;
        let rows = evidence.health.as_ref().map(|health: &Health| &health.rows);
        let rows = rows.into_iter().flatten();
        // Of a thousand servers most say the same.
        let mut symptoms: BTreeMap<(&str, &str), Symptom> = BTreeMap::new();
        Self {
            routes: routes(gateway),
            targets: rows
                .map(|row| {
                    let said = (row.log.as_str(), row.error_name.as_str());
                    let symptom = *symptoms.entry(said).or_insert_with(|| Symptom::of(row));
                    target(gateway, row, symptom)
                })
                .collect(),
        }
    }

    /// Whether every server that the report has is healthy, and there is one.
    pub(crate) fn is_all_healthy(&self) -> bool {
        let mut states = self.targets.iter().map(|target| target.row.state);
        !self.targets.is_empty() && states.all(|state| state == State::Healthy)
    }

    /// Whether requests have to go to this server.
    pub(crate) fn serves(&self, target: &Target<'_>) -> bool {
        let is_own = |route: &Route<'_>| {
            let pool = route
                .pool
                .is_some_and(|pool| pool.is_named(&target.row.pool));
            let setting = route
                .setting
                .is_some_and(|one| one.is_named(&target.row.setting));
            pool && setting
        };
        self.routes.iter().any(is_own)
    }
}

fn routes(gateway: &ApplicationGateway) -> Vec<Route<'_>> {
    let mut all = Vec::new();
    for rule in &gateway.properties.request_routing_rules {
        let own = &rule.properties;
        let listener = own
            .http_listener
            .as_ref()
            .and_then(|one| gateway.resolve(one));
        let route =
            |via, pool: &Option<Reference>, setting: &Option<Reference>, redirect, at| Route {
                rule,
                listener,
                via,
                pool: pool.as_ref().and_then(|one| gateway.resolve(one)),
                setting: setting.as_ref().and_then(|one| gateway.resolve(one)),
                is_redirect: redirect,
                place: in_gateway(at),
            };
        let map: Option<&Item<UrlPathMap>> = own
            .url_path_map
            .as_ref()
            .and_then(|one| gateway.resolve(one));
        let Some(map) = map else {
            all.push(route(
                Via::Basic,
                &own.backend_address_pool,
                &own.backend_http_settings,
                own.redirect_configuration.is_some(),
                rule.pointer_to("backendAddressPool"),
            ));
            continue;
        };
        let bag = &map.properties;
        for path in &bag.path_rules {
            let inner = &path.properties;
            all.push(route(
                Via::Path(map, path),
                &inner.backend_address_pool,
                &inner.backend_http_settings,
                inner.redirect_configuration.is_some(),
                path.pointer_to("backendAddressPool"),
            ));
        }
        all.push(route(
            Via::Default(map),
            &bag.default_backend_address_pool,
            &bag.default_backend_http_settings,
            bag.default_redirect_configuration.is_some(),
            map.pointer_to("defaultBackendAddressPool"),
        ));
    }
    all
}

/// The report names pools and settings by ids; a partial one does not: then the only one counts.
fn target<'e>(gateway: &'e ApplicationGateway, row: &'e HealthRow, symptom: Symptom) -> Target<'e> {
    let properties = &gateway.properties;
    let pool = named(&properties.backend_address_pools, &row.pool);
    let setting = named(&properties.backend_http_settings_collection, &row.setting);
    let probe = setting.and_then(|setting| setting.properties.probe.as_ref());
    Target {
        row: Cow::Borrowed(row),
        symptom,
        pool,
        setting,
        probe: probe.and_then(|probe| gateway.resolve(probe)),
    }
}

fn named<'e, T>(items: &'e [Item<T>], name: &str) -> Option<&'e Item<T>> {
    match (name, items) {
        ("", [only]) => Some(only),
        ("", _) => None,
        (name, items) => items.iter().find(|item| item.is_named(name)),
    }
}

pub(crate) fn in_gateway(pointer: impl Into<String>) -> Place {
    Place::new(GATEWAY, pointer)
}

impl Target<'_> {
    /// The port that probes go to.
    pub(crate) fn probed_port(&self) -> Option<u16> {
        let own = self.probe.and_then(|probe| probe.properties.port);
        self.port_of(own)
    }

    /// The port that requests go to.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port_of(None)
    }

    fn port_of(&self, own: Option<i32>) -> Option<u16> {
        let port = own.or(self.setting?.properties.port)?;
        u16::try_from(port).ok()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        let protocol = self.setting.and_then(|setting| setting.properties.protocol);
        protocol.is_some_and(|protocol| protocol.is_encrypted())
    }

    /// The host that requests ask for; `None` for the client's own.
    pub(crate) fn live_host(&self) -> Option<String> {
        let setting = &self.setting?.properties;
        if setting.pick_host_name_from_backend_address == Some(true) {
            return Some(self.row.address.clone());
        }
        setting.host_name.clone().filter(|host| !host.is_empty())
    }

    /// The host that probes ask for.
    pub(crate) fn probed_host(&self) -> String {
        let of_setting = || self.live_host().unwrap_or_else(|| DEFAULT_HOST.to_owned());
        let Some(probe) = self.probe.map(|probe| &probe.properties) else {
            return of_setting();
        };
        if probe.pick_host_name_from_backend_http_settings == Some(true) {
            return of_setting();
        }
        let own = probe.host.clone().filter(|host| !host.is_empty());
        own.unwrap_or_else(of_setting)
    }

    pub(crate) fn probed_path(&self) -> &str {
        let path = self
            .probe
            .and_then(|probe| probe.properties.path.as_deref());
        path.filter(|path| !path.is_empty()).unwrap_or("/")
    }

    /// Seconds until a probe has failed.
    pub(crate) fn probe_timeout(&self) -> i32 {
        let own = self.probe.and_then(|probe| probe.properties.timeout);
        own.unwrap_or(PROBE_TIMEOUT_SECONDS)
    }

    /// Whether the probe counts a status as healthy.
    pub(crate) fn counts(&self, status: u16) -> bool {
        let matched = self
            .probe
            .and_then(|probe| probe.properties.r#match.as_ref());
        let codes = matched
            .map(|one| one.status_codes.as_slice())
            .unwrap_or_default();
        if codes.is_empty() {
            return (HEALTHY_STATUSES.0..=HEALTHY_STATUSES.1).contains(&status);
        }
        let ranges = codes.iter().flat_map(|codes| codes.split(','));
        let mut ranges = ranges.map(|range| range.split_once('-').unwrap_or((range, range)));
        ranges.any(|(low, high)| {
            let number = |text: &str| text.trim().parse::<u16>().ok();
            number(low)
                .zip(number(high))
                .is_some_and(|(low, high)| (low..=high).contains(&status))
        })
    }

    /// The text of the server as a remedy names it.
    pub(crate) fn endpoint(&self) -> String {
        match self.probed_port() {
            Some(port) => format!("{}:{port}", self.row.address),
            None => self.row.address.clone(),
        }
    }
}

/// Whether a host is one of a service that tells its applications apart by their names.
pub(crate) fn is_shared_host(host: &str) -> bool {
    let shared = [
        ".azurewebsites.net",
        ".azurecontainerapps.io",
        ".azurestaticapps.net",
    ];
    shared.iter().any(|suffix| host.ends_with(suffix)) || is_storage(host)
}

/// Whether a host, in lower case, is one of a storage account's.
pub(crate) fn is_storage(host: &str) -> bool {
    [".web.core.windows.net", ".blob.core.windows.net"]
        .iter()
        .any(|suffix| host.ends_with(suffix))
}

/// Whether a path is one of a path rule's: patterns may end with `*`; letter case is nothing.
pub(crate) fn is_path_of(patterns: &[String], path: &str) -> bool {
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    patterns.iter().any(|pattern| {
        let pattern = pattern.to_lowercase();
        match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == pattern,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_patterns() {
        let is = |pattern: &str, path: &str| is_path_of(&[pattern.to_owned()], path);
        assert!(is("/api", "/API") && is("/api", "/api?x=1"));
        assert!(!is("/api", "/api/") && !is("/api", "/api/health"));
        assert!(is("/api/*", "/api/") && is("/api/*", "/Api/health") && !is("/api/*", "/api"));
        assert!(is("/*", "/anything"));
    }
}
