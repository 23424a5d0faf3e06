//! Where do rules lead?

use std::collections::BTreeSet;

use gatewright_arm::model::BackendAddressPool;
use gatewright_arm::{ApplicationGateway, Item};

use super::answered::first_part;
use super::edits::{Given, Set};
use super::{Walk, Weight, finding, live};
use crate::cause::{Cause, Owner};
use crate::evidence::{HEALTH, KubernetesEndpoints, Place};
use crate::finding::Fix;
use crate::finding::{Because, Confidence};
use crate::lookup::edits;
use crate::remedy::{fix, word};
use crate::site::{Route, Via, in_gateway, is_path_of};

impl Walk<'_> {
    pub(super) fn does_each_rule_lead_to_servers(&mut self) {
        let asked = "Does each rule lead to a pool with servers?";
        let gateway = &self.evidence.gateway;
        if gateway.properties.backend_address_pools.is_empty() {
            let place = in_gateway(gateway.source.pointer_to("backendAddressPools"));
            let title = format!("The gateway {} has no backend pool.", gateway.name);
            let found = finding(Cause::NoPool, Confidence::Certain, title)
                .because([self.because(&place, "there is no pool")])
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        "Make a pool with the servers, and have the rules use it.",
                    )
                    .run(self.commands.part(
                        "address-pool create",
                        "pool",
                        "--servers ADDRESS",
                    )),
                );
            self.step(
                asked,
                "there is no pool at all",
                "no request can be answered",
            );
            return self.find(Weight::Servers, usize::MAX, found);
        }
        let empty: Vec<usize> = self.empty_routes();
        if empty.is_empty() {
            self.rule_out(Cause::EmptyPool, "every pool that a rule uses has servers");
            return self.step(asked, "each has", "requests have somewhere to go");
        }
        self.step(asked, "some do not", "requests that go there get 502");
        for index in &empty {
            self.tell_of_empty(*index, &empty);
        }
    }

    /// Routes whose pool has no servers.
    pub(super) fn empty_routes(&self) -> Vec<usize> {
        let routes = self.site.routes.iter().enumerate();
        let is_empty = |route: &Route<'_>| {
            let Some(pool) = route.pool else {
                return false;
            };
            let own = &pool.properties;
            let mut rows = self.site.targets.iter();
            let has_rows = rows.any(|target| pool.is_named(&target.row.pool));
            own.backend_addresses.is_empty()
                && own.backend_ip_configurations.is_empty()
                && !has_rows
        };
        let empty = routes.filter(|(_, route)| !route.is_redirect && is_empty(route));
        empty.map(|(index, _)| index).collect()
    }

    /// `empty` are all of them, as [`Self::empty_routes`] has it.
    fn tell_of_empty(&mut self, index: usize, empty: &[usize]) {
        let Some(route) = self.site.routes.get(index) else {
            return;
        };
        let Some(pool) = route.pool else {
            return;
        };
        let mut because = vec![
            self.because(
                &route.place,
                format!(
                    "the rule {} leads to the pool {}",
                    route.rule.name, pool.name
                ),
            ),
            self.because(
                &in_gateway(pool.pointer_to("backendAddresses")),
                "this pool has no servers",
            ),
        ];
        because.extend(self.reported_empty(&pool.name));
        let failed = self.failed_rows(route);
        let rows = failed.iter().take(1);
        because.extend(rows.map(|(place, uri)| {
            self.because(place, format!("{uri} failed, and no server was asked"))
        }));
        let others = self.has_servers_elsewhere(route, empty);
        let is_scan = others && is_scan(&failed);
        let found = match route.via {
            Via::Default(map) if others => {
                let confidence = match (failed.is_empty(), self.evidence.log.is_some()) {
                    (false, _) if is_scan => Confidence::Likely,
                    (false, _) => Confidence::Certain,
                    (true, false) => Confidence::Likely,
                    // There is a log, and no request of it came to this.
                    (true, true) => Confidence::Possible,
                };
                let title = format!(
                    "Paths that no path rule of {} matches go to its default pool {}, which has no \
                     servers{}.",
                    map.name,
                    pool.name,
                    failed
                        .first()
                        .map(|(_, uri)| format!(": {uri} is one"))
                        .unwrap_or_default()
                );
                let found = finding(Cause::UnmatchedPathDefaultBackend, confidence, title);
                found.fixed_by(self.add_paths(route, map, &failed))
            }
            _ => {
                let title = format!(
                    "The rule {} sends requests to the pool {}, which has no servers.",
                    route.rule.name, pool.name
                );
                finding(Cause::EmptyPool, Confidence::Certain, title)
            }
        };
        let found = found.because(because);
        let found = match found.fixes.is_empty() || self.is_managed() {
            true => self.fill(found, pool),
            false => found,
        };
        let reach = failed.len();
        let weight = match is_scan {
            true => Weight::Requests,
            false => Weight::Servers,
        };
        self.find(weight, reach, found);
    }

    fn reported_empty(&self, pool: &str) -> Option<Because> {
        let health = self.evidence.health.as_ref()?;
        let mut empty = health.empty.iter();
        let found = empty.find(|one| one.pool.eq_ignore_ascii_case(pool))?;
        Some(self.because(&found.place, format!("{HEALTH} lists no server of it")))
    }

    /// Requests of the log that failed on this route without a server: place and path.
    fn failed_rows(&self, route: &Route<'_>) -> Vec<(Place, String)> {
        let rows = live::failures(self.evidence).filter(|row| {
            let is_pool = route.pool.is_some_and(|pool| pool.is_named(&row.pool));
            let is_named = !row.pool.is_empty();
            let is_path = match route.via {
                Via::Basic => true,
                Via::Path(_, path) => is_path_of(&path.properties.paths, &row.uri),
                Via::Default(map) => {
                    let mut rules = map.properties.path_rules.iter();
                    !rules.any(|rule| is_path_of(&rule.properties.paths, &row.uri))
                }
            };
            is_pool || !is_named && !row.uri.is_empty() && is_path
        });
        let rows = rows.filter(|row| row.server.is_empty() && row.server_status.is_none());
        rows.map(|row| (row.place.clone(), row.uri.clone()))
            .collect()
    }

    /// Whether another route of the same path map has servers.
    fn has_servers_elsewhere(&self, route: &Route<'_>, empty: &[usize]) -> bool {
        let routes = self.site.routes.iter().enumerate();
        let mut others = routes.filter(|(_, other)| other.rule.is_named(&route.rule.name));
        others.any(|(index, other)| {
            (other.pool.is_some() || other.is_redirect) && !empty.contains(&index)
        })
    }

    /// A path rule for what fell to the default.
    fn add_paths(
        &self,
        route: &Route<'_>,
        map: &Item<gatewright_arm::model::UrlPathMap>,
        failed: &[(Place, String)],
    ) -> Fix {
        let near = map.properties.path_rules.iter().find_map(|rule| {
            let exact = rule
                .properties
                .paths
                .iter()
                .find(|path| !path.ends_with('*'))?;
            let prefix = format!("{}/", exact.trim_end_matches('/'));
            let is_below = |uri: &String| uri.to_lowercase().starts_with(&prefix.to_lowercase());
            let is_near = failed.is_empty() || failed.iter().any(|(_, uri)| is_below(uri));
            is_near.then_some((rule, format!("{prefix}*")))
        });
        let Some((rule, pattern)) = near else {
            let summary = format!(
                "Give {} a default pool with servers, or a path rule for these paths.",
                map.name
            );
            let pool = self.site.routes.iter().find(|other| {
                other.rule.is_named(&route.rule.name)
                    && other
                        .pool
                        .is_some_and(|pool| !pool.properties.backend_addresses.is_empty())
            });
            let (pool, setting) = (
                pool.and_then(|other| other.pool)
                    .map_or("POOL", |pool| &pool.name),
                pool.and_then(|other| other.setting)
                    .map_or("SETTING", |one| &one.name),
            );
            let pool = Given::Part("backendAddressPools", pool.to_owned());
            let setting = Given::Part("backendHttpSettingsCollection", setting.to_owned());
            let sets = [
                Set::of("--default-address-pool", "defaultBackendAddressPool", pool),
                Set::of(
                    "--default-http-settings",
                    "defaultBackendHttpSettings",
                    setting,
                ),
            ];
            let edit = self.update("url-path-map update", map, &sets);
            return fix(Owner::Gateway, summary)
                .edit(edit)
                .verified_by(self.commands.verify_health());
        };
        let refer = |reference: &Option<gatewright_arm::Reference>| {
            let id = reference
                .as_ref()
                .map(|one| one.id.as_str())
                .unwrap_or_default();
            crate::evidence::view::last_part(id).to_owned()
        };
        let pool = refer(&rule.properties.backend_address_pool);
        let setting = refer(&rule.properties.backend_http_settings);
        let to = (pattern.as_str(), pool.as_str(), setting.as_str());
        let name = format!("{}-below", rule.name);
        fix(
            Owner::Gateway,
            format!("Add the pattern {pattern} beside {}.", rule.name),
        )
        .edit(self.create_path_rule(map, &name, to))
        .risking("Paths below it go to that pool from then on.")
        .verified_by(self.commands.verify_health())
    }

    /// Whether a Kubernetes controller writes the gateway.
    pub(super) fn is_managed(&self) -> bool {
        is_managed(&self.evidence.gateway)
    }

    /// Where the controller's log says that an ingress names a service that is not there: another
    /// one of that namespace that may be meant.
    fn name_a_service(&self) -> Option<Fix> {
        let is_of_name = |letter: char| letter.is_alphanumeric() || "-./".contains(letter);
        let names = |line: &str| -> Vec<(String, String)> {
            let parts = line.split(|letter: char| !is_of_name(letter));
            let pairs = parts.filter_map(|part| part.split_once('/'));
            let owned = pairs.map(|(one, other)| (one.to_owned(), other.to_owned()));
            owned.collect()
        };
        let log = || self.evidence.controller_log.iter().flatten();
        // The last of them: what was mended meanwhile is not told any more.
        let missing = log().rev().find_map(|line| {
            let mut told = MISSING_SERVICE.iter();
            let (_, rest) = told.find_map(|words| line.split_once(words))?;
            names(rest).into_iter().next()
        });
        let (namespace, service) = missing?;
        let is_there = |one: &KubernetesEndpoints| {
            one.service == service && (one.namespace.is_empty() || one.namespace == namespace)
        };
        if self.evidence.endpoints.iter().flatten().any(is_there) {
            return None;
        }
        let ingress = log().find_map(|line| {
            let (before, after) = line.split_once(" of ingress ")?;
            let is_it = before.contains(&format!("{namespace}/{service}"));
            names(after).into_iter().next().filter(|_| is_it)
        });
        let endpoints = self.evidence.endpoints.iter().flatten();
        let near = endpoints
            .filter(|one| one.namespace.is_empty() || one.namespace == namespace)
            .min_by_key(|one| edits(&one.service, &service))
            .filter(|one| edits(&one.service, &service) * 2 <= service.len());
        let instead = near.map(|one| format!(": let it name {}", one.service));
        let summary = format!(
            "An ingress names the service {service} in {namespace}, which is not there{}.",
            instead.unwrap_or_default()
        );
        let edit = match ingress {
            Some((namespace, name)) => format!(
                "kubectl edit ingress {} -n {}",
                word(&name),
                word(&namespace)
            ),
            None => format!("kubectl get ingress,service -n {}", word(&namespace)),
        };
        Some(fix(Owner::Controller, summary).run(edit))
    }

    fn fill(
        &self,
        found: crate::finding::Finding,
        pool: &Item<BackendAddressPool>,
    ) -> crate::finding::Finding {
        let found = match self.is_managed() {
            true => found.fixed_by(self.name_a_service().unwrap_or_else(|| {
                fix(
                    Owner::Controller,
                    "Give the ingress a rule for `/` with a service that has ready endpoints; the \
                     controller then writes a pool with servers.",
                )
                .run("kubectl get ingress,endpoints -A")
            })),
            false => found,
        };
        let behind = self.behind_the_pool(&pool.name);
        let servers = behind.map(|one| one.ready).unwrap_or_default();
        found.fixed_by(
            fix(
                Owner::Gateway,
                format!("Put the servers into the pool {}.", pool.name),
            )
            .edit(self.set_servers(pool, servers))
            .verified_by(self.commands.verify_health()),
        )
    }
}

/// Whether a Kubernetes controller writes a gateway: by its tag, or by rules that are called as it
/// calls them, `rr-` and a hash.
pub(super) fn is_managed(gateway: &ApplicationGateway) -> bool {
    let mut tags = gateway.tags.iter().flat_map(|tags| tags.keys());
    let has_tag = tags.any(|key| key.starts_with("managed-by-k8s-ingress"));
    let is_hash =
        |name: &str| name.len() == HASH_LENGTH && name.chars().all(|one| one.is_ascii_hexdigit());
    let mut rules = gateway.properties.request_routing_rules.iter();
    has_tag || rules.any(|rule| rule.name.strip_prefix("rr-").is_some_and(is_hash))
}

/// Digits of the hashes in the names of a controller's rules.
const HASH_LENGTH: usize = 32;

/// What a controller's log says of a service that an ingress names and that is not there.
const MISSING_SERVICE: [&str; 2] = ["Service does not exist", "Unable to get the service"];

/// Whether somebody looked for whatever there is: a few pages, none of them twice, and nothing that
/// their paths have in common.
fn is_scan(failed: &[(Place, String)]) -> bool {
    const PAGES_MIN: usize = 3;
    let parts: BTreeSet<&str> = failed.iter().map(|(_, uri)| first_part(uri)).collect();
    // Most such pages are files: scripts, settings, what a version control keeps.
    let files = failed.iter().filter(|(_, uri)| uri.contains('.')).count();
    failed.len() >= PAGES_MIN && parts.len() == failed.len() && files >= 2
}
