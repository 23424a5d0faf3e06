//! What will fail, with only the configuration in hand.

use gatewright_arm::Item;
use gatewright_arm::model::{HttpListener, PathRule, RequestRoutingRule, UrlPathMap};

use super::edits::{Given, Set, quoted};
use super::live_paths::is_host_of;
use super::probe_remedies::host_from_pool;
use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::Evidence;
use crate::finding::{Confidence, Finding, Outcome, Verdict};
use crate::remedy::{fix, word};
use crate::site::{Target, in_gateway, is_path_of, is_shared_host};

/// Suffixes of names that no public authority signs certificates for.
const PRIVATE_SUFFIXES: [&str; 7] = [
    ".local",
    ".internal",
    ".lan",
    ".corp",
    ".intranet",
    ".private",
    ".home.arpa",
];

/// What will be unhealthy, unreachable or answered with an error once a gateway is as it is
/// configured, by its configuration and what is known around it. What nothing speaks against is
/// taken to be well; each finding says what it assumes. `now` as for [`diagnose`](super::diagnose).
pub fn predict(evidence: &Evidence, now: i64) -> Verdict {
    let now = evidence.as_of().unwrap_or(now);
    let mut verdict = foretell(evidence, now);
    super::replay::prove(evidence, &mut verdict, &|patched, _| foretell(patched, now));
    verdict
}

fn foretell(evidence: &Evidence, now: i64) -> Verdict {
    let mut walk = Walk::new(evidence, now);
    walk.foresee_all();
    walk.ask_about_servers();
    walk.will_servers_know_the_host();
    walk.will_certificates_be_trusted();
    walk.will_each_rule_get_its_requests();
    walk.will_paths_below_be_taken();
    let mut verdict = walk.end();
    for found in &mut verdict.findings {
        if found.assumes.is_none() {
            found.assumes = Some(assumption(found.cause).to_owned());
        }
    }
    verdict.needs.clear();
    if verdict.outcome == Outcome::Inconclusive {
        verdict.outcome = Outcome::Healthy;
    }
    verdict
}

/// What a cause rests on that no configuration shows.
fn assumption(cause: Cause) -> &'static str {
    match cause.category() {
        "A" | "C" | "J" | "M" => "that the network is as the documents given say",
        "F" | "L" => "that servers present what the files given hold",
        "K" => "that name servers answer as they were seen to",
        "D" | "E" => "nothing: the configuration shows it",
        _ => "that servers answer as they were seen to",
    }
}

impl Walk<'_> {
    /// A shared host that gets the client's own host name, or a name that it does not have.
    fn will_servers_know_the_host(&mut self) {
        let asked = "Will servers know the host that requests ask for?";
        let is_asked = |target: &&Target<'_>| {
            let address = target.row.address.to_lowercase();
            is_shared_host(&address) && target.live_host().is_none() && self.site.serves(target)
        };
        let Some(target) = self.site.targets.iter().find(is_asked) else {
            return self.step(asked, "nothing says otherwise", "they will");
        };
        let name = target.setting.map_or("", |one| one.name.as_str());
        let title = format!(
            "The backend setting {name} passes the client's host to {}, which tells its \
             applications apart by it: requests get 404.",
            target.row.address
        );
        let places = target
            .setting
            .map(|one| one.pointer_to("pickHostNameFromBackendAddress"));
        let because = places.map(|at| self.because(&in_gateway(at), "the client's host is passed"));
        let mut found = finding(Cause::AppServiceHostHeader, Confidence::Likely, title)
            .because(because)
            .fixed_by(
                fix(Owner::Gateway, "Ask for the backend's own name.")
                    .edit(self.update_setting(target.setting, &[host_from_pool()]))
                    .risking("Redirects and cookies of the application then name its own host.")
                    .verified_by(self.commands.verify_health()),
            );
        found.assumes = Some(format!(
            "that the names which clients ask for are not bound to {}",
            target.row.address
        ));
        self.step(asked, found.title.clone(), "requests will fail");
        self.find(Weight::Requests, 1, found);
    }

    /// HTTPS to a name that no public authority signs for, with no root to trust.
    fn will_certificates_be_trusted(&mut self) {
        let asked = "Will the servers' certificates be trusted?";
        let is_private = |target: &&Target<'_>| {
            let host = self.expected(target).to_lowercase();
            let is_named = PRIVATE_SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
            let checks = target
                .setting
                .is_none_or(|one| one.properties.validate_cert_chain_and_expiry != Some(false));
            target.is_encrypted() && is_named && checks && self.attached(target).is_empty()
        };
        let is_known = self.evidence.presented.is_some();
        let target = self
            .site
            .targets
            .iter()
            .find(is_private)
            .filter(|_| !is_known);
        let Some(target) = target else {
            return self.step(asked, "nothing says otherwise", "they will");
        };
        let host = self.expected(target);
        let name = target.setting.map_or("", |one| one.name.as_str());
        let title = format!(
            "The backend setting {name} trusts public authorities alone, and none of them signs a \
             certificate for {host}."
        );
        let fixes = self.upload_root(target, &host);
        let mut found = finding(Cause::MissingTrustedRoot, Confidence::Likely, title)
            .because(target.setting.map(|one| {
                let place = in_gateway(one.pointer_to("trustedRootCertificates"));
                self.because(&place, "it refers to no root")
            }))
            .fixed_by(fixes);
        found.assumes = Some("that a private authority signed the server's certificate".to_owned());
        self.step(asked, found.title.clone(), "probes will fail");
        self.find(Weight::Servers, 1, found);
    }

    /// A rule whose listener's hosts an earlier listener takes all of.
    fn will_each_rule_get_its_requests(&mut self) {
        let asked = "Will each rule get the requests that it is meant for?";
        let rules = &self.evidence.gateway.properties.request_routing_rules;
        let tried: Vec<Tried<'_>> = rules.iter().filter_map(|rule| self.tried(rule)).collect();
        let told = tried.iter().find_map(|later| {
            let earlier = tried.iter().find(|earlier| earlier.takes_all_of(later))?;
            Some((earlier, later))
        });
        if let Some((earlier, later)) = told {
            let found = self.shadowed_rule(earlier, later);
            self.step(asked, found.title.clone(), "requests go elsewhere");
            return self.find(Weight::Requests, 1, found);
        }
        match self.shadowed_path() {
            Some(found) => {
                self.step(asked, found.title.clone(), "requests go elsewhere");
                self.find(Weight::Requests, 1, found);
            }
            None => self.step(asked, "no rule stands in another's way", "it will"),
        }
    }

    fn tried<'r>(&'r self, rule: &'r Item<RequestRoutingRule>) -> Option<Tried<'r>> {
        let reference = rule.properties.http_listener.as_ref()?;
        let listener: &Item<HttpListener> = self.evidence.gateway.resolve(reference)?;
        Some(Tried {
            rule,
            priority: rule.properties.priority?,
            port: self.port_of(listener)?,
            listener,
        })
    }

    fn shadowed_rule(&self, earlier: &Tried<'_>, later: &Tried<'_>) -> Finding {
        let hosts = later.listener.properties.hosts();
        let hosts: Vec<String> = hosts.map(str::to_owned).collect();
        let (earlier, later) = (earlier.rule, later.rule);
        let title = format!(
            "The rule {} is tried before {}, and its listener takes requests for {}, which {} is \
             for.",
            earlier.name,
            later.name,
            listed(&hosts),
            later.name
        );
        let because = [
            self.because(&in_gateway(earlier.pointer_to("priority")), "tried earlier"),
            self.because(&in_gateway(later.pointer_to("priority")), "tried later"),
        ];
        finding(Cause::RuleOrder, Confidence::Certain, title)
            .because(because)
            .fixed_by(self.try_before(earlier, later))
    }

    /// A path rule of which an earlier one of the same map takes every path.
    fn shadowed_path(&self) -> Option<Finding> {
        let maps = &self.evidence.gateway.properties.url_path_maps;
        let (map, earlier, later) = maps.iter().find_map(|map| {
            let rules = &map.properties.path_rules;
            let mut later = rules.iter().enumerate();
            later.find_map(|(position, later)| {
                let before = rules.iter().take(position);
                let earlier = before
                    .filter(|one| leads_elsewhere(one, later))
                    .find(|one| takes_paths_of(one, later))?;
                Some((map, earlier, later))
            })
        })?;
        let title = format!(
            "The path rule {} of {} stands before {} and takes all of its paths.",
            earlier.name, map.name, later.name
        );
        let [delete, create] = self.put_behind(map, earlier);
        Some(
            finding(Cause::RuleOrder, Confidence::Certain, title)
                .because([
                    self.because(&in_gateway(earlier.pointer_to("paths")), "stands first"),
                    self.because(&in_gateway(later.pointer_to("paths")), "is never tried"),
                ])
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        format!("Put {} behind {}.", earlier.name, later.name),
                    )
                    .edit(delete)
                    .edit(create)
                    .verified_by(vec![self.commands.gateway("show")]),
                ),
        )
    }

    /// A path rule for one path alone, where what lies below goes to another pool.
    fn will_paths_below_be_taken(&mut self) {
        let asked = "Will path rules take what lies below their paths?";
        let maps = self.evidence.gateway.properties.url_path_maps.iter();
        let mut rules = maps.flat_map(|map| {
            let rules = map.properties.path_rules.iter();
            rules.map(move |rule| (map, rule))
        });
        let found = rules.find_map(|(map, rule)| Some((map, rule, alone(map, rule)?)));
        let Some((map, rule, path)) = found else {
            return self.step(asked, "nothing says otherwise", "they will");
        };
        let below = format!("{}/*", path.trim_end_matches('/'));
        let title = format!(
            "The path rule {} of {} takes {path} itself, and nothing below it: that goes to the \
             default pool.",
            rule.name, map.name
        );
        let mut paths: Vec<String> = rule.properties.paths.clone();
        paths.push(below.clone());
        let arguments: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
        let set = Set::of("--paths", "paths", Given::Texts(paths));
        let mut edit = self.update("url-path-map rule update", rule, &[set]);
        edit.command = self.commands.part(
            "url-path-map rule update",
            &rule.name,
            &format!(
                "--path-map-name {} --paths {}",
                word(&map.name),
                arguments.join(" ")
            ),
        );
        let mut found = finding(Cause::MissingPathRule, Confidence::Possible, title)
            .because([self.because(&in_gateway(rule.pointer_to("paths")), "without a *")])
            .fixed_by(
                fix(Owner::Gateway, format!("Take {below} too."))
                    .edit(edit)
                    .verified_by(vec![self.commands.gateway("show")]),
            );
        found.assumes = Some(format!("that clients ask for paths below {path}"));
        self.step(asked, found.title.clone(), "requests may go elsewhere");
        self.find(Weight::Requests, 0, found);
    }
}

/// A rule with what decides whether a request comes to it.
struct Tried<'e> {
    rule: &'e Item<RequestRoutingRule>,
    priority: i32,
    port: u16,
    listener: &'e Item<HttpListener>,
}

impl Tried<'_> {
    /// Whether it is tried before another one, and its listener takes all of the other's hosts, on
    /// the same port of the same frontend.
    fn takes_all_of(&self, later: &Self) -> bool {
        if self.priority >= later.priority || self.port != later.port {
            return false;
        }
        let (own, other) = (&self.listener.properties, &later.listener.properties);
        let takes = |host: &str| {
            let mut hosts = own.hosts().peekable();
            hosts.peek().is_none() || hosts.any(|own| is_host_of(own, host))
        };
        let mut hosts = other.hosts().peekable();
        own.frontend_ip_configuration == other.frontend_ip_configuration
            && self.listener.name != later.listener.name
            && lead_elsewhere(self.rule, later.rule)
            && hosts.peek().is_some()
            && hosts.all(|host| !host.contains('*') && takes(host))
    }
}

/// A path of a rule that it takes alone, of a map whose default is another pool.
fn alone<'p>(map: &Item<UrlPathMap>, rule: &'p Item<PathRule>) -> Option<&'p str> {
    let own = &rule.properties;
    let default = &map.properties.default_backend_address_pool;
    if own.backend_address_pool.is_none() || own.backend_address_pool == *default {
        return None;
    }
    let is_file = |path: &str| {
        path.rsplit('/')
            .next()
            .is_some_and(|last| last.contains('.'))
    };
    let is_below_taken = |path: &str| {
        let below = format!("{}/x", path.trim_end_matches('/'));
        let mut rules = map.properties.path_rules.iter();
        rules.any(|rule| is_path_of(&rule.properties.paths, &below))
    };
    let mut paths = own.paths.iter().map(String::as_str);
    paths.find(|path| {
        !path.ends_with('*') && path.len() > 1 && !is_file(path) && !is_below_taken(path)
    })
}

/// Whether rules do different things with the same request.
fn lead_elsewhere(one: &Item<RequestRoutingRule>, other: &Item<RequestRoutingRule>) -> bool {
    let (one, other) = (&one.properties, &other.properties);
    one.backend_address_pool != other.backend_address_pool
        || one.backend_http_settings != other.backend_http_settings
        || one.url_path_map != other.url_path_map
        || one.redirect_configuration != other.redirect_configuration
        || one.rewrite_rule_set != other.rewrite_rule_set
}

fn leads_elsewhere(one: &Item<PathRule>, other: &Item<PathRule>) -> bool {
    let (one, other) = (&one.properties, &other.properties);
    one.backend_address_pool != other.backend_address_pool
        || one.backend_http_settings != other.backend_http_settings
        || one.redirect_configuration != other.redirect_configuration
        || one.rewrite_rule_set != other.rewrite_rule_set
        || one.firewall_policy != other.firewall_policy
}

/// Whether every path of a rule is one of another's.
fn takes_paths_of(one: &Item<PathRule>, other: &Item<PathRule>) -> bool {
    let own = &one.properties.paths;
    let mut paths = other.properties.paths.iter().peekable();
    paths.peek().is_some()
        && paths.all(|path| match path.strip_suffix('*') {
            Some(prefix) => own.iter().any(|own| {
                let own = own.to_lowercase();
                own.strip_suffix('*')
                    .is_some_and(|own| prefix.to_lowercase().starts_with(own))
            }),
            None => is_path_of(own, path),
        })
}
