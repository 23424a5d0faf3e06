//! What will fail, with only the configuration in hand.

use gatewright_arm::Item;
use gatewright_arm::model::{PathRule, UrlPathMap};

use super::edits::{Given, Set, quoted};
use super::probe_remedies::host_from_pool;
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::Evidence;
use crate::finding::{Confidence, Outcome, Verdict};
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
    walk.will_listeners_speak_tls();
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

    /// A policy without a suite for the key of a listener's certificate.
    fn will_listeners_speak_tls(&mut self) {
        let asked = "Will listeners speak TLS with their clients?";
        match self.has_no_suite_for_listener() {
            Some(mut found) => {
                found.assumes = Some("nothing: the configuration shows it".to_owned());
                self.step(asked, found.title.clone(), "clients get no connection");
                self.find(Weight::Requests, 1, found);
            }
            None => self.step(asked, "nothing says otherwise", "they will"),
        }
    }

    /// A rule whose listener's hosts an earlier listener takes all of.
    fn will_each_rule_get_its_requests(&mut self) {
        let asked = "Will each rule get the requests that it is meant for?";
        match self.rule_that_gets_nothing() {
            Some(found) => {
                self.step(asked, found.title.clone(), "requests go elsewhere");
                self.find(Weight::Requests, 1, found);
            }
            None => self.step(asked, "no rule stands in another's way", "it will"),
        }
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
