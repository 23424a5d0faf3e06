//! Gateways that a Kubernetes controller writes: their remedies belong into the ingress.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::Walk;
use super::pools::is_managed;
use super::stale::is_of_a_controller;
use crate::cause::{Cause, Owner};
use crate::evidence::{Evidence, GATEWAY, Place};
use crate::finding::{Finding, Fix};
use crate::remedy::{fix, word, words};

/// What becomes of an edit of a gateway that a Kubernetes controller writes.
const REVERTED: &str = "A Kubernetes controller writes this gateway, and reverts this with its \
                        next write.";
/// The same, of a remedy that is none.
const WOULD_BE_REVERTED: &str = "An edit of the gateway itself would be reverted with the \
                                 controller's next write.";

/// What stands in commands for an ingress until it is known which.
const SOME_INGRESS: &str = " ingress INGRESS ";

/// What makes a part of a gateway of an ingress, as far as names tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ingress {
    namespace: Option<String>,
    name: String,
}

impl Walk<'_> {
    /// Says of each remedy at the gateway that it does not last, and adds the one at the ingress.
    pub(super) fn speak_of_the_ingress(&mut self) {
        if !is_managed(&self.evidence.gateway) {
            return;
        }
        let mut candidates = mem::take(&mut self.candidates);
        let parts = self.parts_of_ingresses();
        let settings = self.settings_by_place();
        for one in &mut candidates {
            match parts.whose(&one.finding, &settings) {
                Whose::OfOne(ingress) => {
                    one.finding.fixes = at_controller(&one.finding, Some(ingress));
                }
                Whose::Unknown => one.finding.fixes = at_controller(&one.finding, None),
                // The controller leaves alone what it did not make, where it shares the gateway.
                Whose::MadeByHand => {}
            }
        }
        self.candidates = candidates;
    }

    fn parts_of_ingresses(&self) -> Parts {
        let names = Names::of(self.evidence);
        let properties = &self.evidence.gateway.properties;
        let settings = properties.backend_http_settings_collection.iter();
        let settings = settings.map(|one| (&one.name, one.pointer()));
        let probes = properties.probes.iter();
        let probes = probes.map(|one| (&one.name, one.pointer()));
        let named = settings
            .chain(probes)
            .map(|(name, pointer)| (name, pointer, name));
        // What leads to a setting is of that one's ingress.
        let routes = || {
            let routes = self.site.routes.iter();
            routes.filter_map(|route| Some((route, &route.setting?.name)))
        };
        let rules =
            routes().map(|(route, setting)| (&route.rule.name, route.rule.pointer(), setting));
        let listeners = routes().filter_map(|(route, setting)| {
            let listener = route.listener?;
            Some((&listener.name, listener.pointer(), setting))
        });
        let mut parts = Parts::default();
        for (name, pointer, of) in named.chain(rules).chain(listeners) {
            let name = name.to_lowercase();
            match names.ingress_of(of) {
                Some(ingress) => {
                    let own = parts.by_name.entry(name).or_default();
                    own.insert(ingress.clone());
                    parts.by_pointer.insert(pointer.to_owned(), ingress.clone());
                    parts.all.insert(ingress);
                }
                None if is_by_hand(of) => {
                    parts.by_hand.insert(name);
                }
                None => {
                    parts.of_unknown.insert(name);
                }
            }
        }
        parts
    }

    /// The settings that servers of the report, and rows of the log, are of.
    fn settings_by_place(&self) -> BTreeMap<&Place, &str> {
        let rows = self.evidence.rows();
        let rows = rows.map(|row| (&row.place, row.setting.as_str()));
        let targets = self.site.targets.iter();
        let targets = targets.map(|one| (&one.row.place, one.row.setting.as_str()));
        rows.chain(targets).collect()
    }
}

/// The remedies of a finding where they last: what the controller writes is said to it.
fn at_controller(finding: &Finding, ingress: Option<&Ingress>) -> Vec<Fix> {
    let is_at_gateway = |fix: &Fix| fix.owner == Owner::Gateway;
    let mut fixes: Vec<Fix> = Vec::new();
    for own in &finding.fixes {
        let said = Some(own).filter(|own| is_at_gateway(own));
        match (said.and_then(said_to_controller), ingress) {
            (Some(said), Some(_)) => fixes.push(said),
            // Whose it is is to be found out first.
            (Some(said), None) if !is_order(&said) => fixes.extend([said, own.clone()]),
            _ => fixes.push(own.clone()),
        }
    }
    if !fixes.iter().any(|fix| fix.owner == Owner::Controller) {
        fixes.splice(0..0, to_be_completed(finding.cause));
    }
    if let Some(ingress) = ingress {
        for command in fixes.iter_mut().flat_map(|fix| &mut fix.commands) {
            *command = command.replace(SOME_INGRESS, &ingress.as_words());
        }
        if ingress.namespace.is_none() {
            look_for_namespace(&mut fixes, &ingress.name);
        }
    }
    let has_better = fixes
        .iter()
        .any(|fix| fix.owner == Owner::Controller && is_complete(fix));
    if has_better {
        fixes.retain(|fix| !is_at_gateway(fix) || !is_of_controller(fix));
    }
    let mut is_said = !has_better;
    for fix in &mut fixes {
        let note = match fix.owner {
            Owner::Gateway if is_of_controller(fix) => REVERTED,
            Owner::Controller if !mem::replace(&mut is_said, true) => WOULD_BE_REVERTED,
            _ => continue,
        };
        fix.risk = format!("{note} {}", fix.risk).trim_end().to_owned();
    }
    fixes
}

/// Begins with what tells the namespace of an ingress, without which commands mean another.
fn look_for_namespace(fixes: &mut [Fix], ingress: &str) {
    let name = word(ingress);
    let is_about = |command: &String| command.contains(&format!(" ingress {name} "));
    for fix in fixes
        .iter_mut()
        .filter(|fix| fix.commands.iter().any(is_about))
    {
        let look = format!("kubectl get ingress -A   # the namespace of {name} is for -n");
        fix.commands.insert(0, look);
    }
}

/// Parts of the gateway that the controller wrote for ingresses, and those that somebody made by
/// hand.
#[derive(Debug, Default)]
struct Parts {
    /// By their names in lower case; a listener may serve several ingresses.
    by_name: BTreeMap<String, BTreeSet<Ingress>>,
    by_pointer: BTreeMap<String, Ingress>,
    by_hand: BTreeSet<String>,
    /// Those of a controller of which no ingress can be told.
    of_unknown: BTreeSet<String>,
    all: BTreeSet<Ingress>,
}

/// Whether a setting or a probe is none of a controller's: neither one that it has for all, nor one
/// that is called as it calls those of ingresses, be it with a prefix of its own.
fn is_by_hand(name: &str) -> bool {
    const OF_ALL: [&str; 3] = [
        "defaulthttpsetting",
        "defaultprobe-http",
        "defaultprobe-https",
    ];
    let name = name.to_lowercase();
    let marks = ["bp-", "pb-"];
    let is_marked = |mark: &&str| name.starts_with(*mark) || name.contains(&format!("-{mark}"));
    !OF_ALL.contains(&name.as_str()) && !marks.iter().any(is_marked)
}

/// Whose the parts are that a finding is about.
enum Whose<'p> {
    OfOne(&'p Ingress),
    /// Of several, or of none that is known.
    Unknown,
    MadeByHand,
}

impl Parts {
    /// The only ingress whose parts the remedies of a finding change; else the only one that it is
    /// about, by the names of parts; the only one of the gateway, where it names none.
    fn whose(&self, finding: &Finding, settings: &BTreeMap<&Place, &str>) -> Whose<'_> {
        let commands = finding.fixes.iter().flat_map(|fix| &fix.commands);
        let in_commands: BTreeSet<String> = commands.flat_map(|one| names_in(one)).collect();
        let changed = self.named(&in_commands);
        if let Some(only) = only_one(&changed) {
            return Whose::OfOne(only);
        }
        let mut names = in_commands;
        names.extend(names_in(&finding.title));
        let places = finding.because.iter().map(|one| &one.place);
        let of_places = places.clone().filter_map(|place| settings.get(place));
        names.extend(of_places.map(|setting| setting.to_lowercase()));
        let mut own = self.named(&names);
        own.extend(places.filter_map(|place| self.at(place)));
        let is_by_hand = names.iter().any(|name| self.by_hand.contains(name))
            && !names.iter().any(|name| is_of_a_controller(name));
        match (own.is_empty(), only_one(&own)) {
            (_, Some(only)) => Whose::OfOne(only),
            (true, None) if is_by_hand => Whose::MadeByHand,
            (true, None) if !self.by_hand.is_empty() => Whose::Unknown,
            (true, None) if names.iter().any(|name| self.of_unknown.contains(name)) => {
                Whose::Unknown
            }
            (true, None) => match only_one(&self.all.iter().collect()) {
                Some(only) => Whose::OfOne(only),
                None => Whose::Unknown,
            },
            (false, None) => Whose::Unknown,
        }
    }

    fn named(&self, names: &BTreeSet<String>) -> BTreeSet<&Ingress> {
        let known = names.iter().filter_map(|name| self.by_name.get(name));
        known.flatten().collect()
    }

    /// That of the part which a place lies in.
    fn at(&self, place: &Place) -> Option<&Ingress> {
        let mut pointer = Some(place.pointer.as_str()).filter(|_| place.file == GATEWAY);
        while let Some(own) = pointer {
            if let Some(found) = self.by_pointer.get(own) {
                return Some(found);
            }
            pointer = own.rsplit_once('/').map(|(outer, _)| outer);
        }
        None
    }
}

fn only_one<'p>(ingresses: &BTreeSet<&'p Ingress>) -> Option<&'p Ingress> {
    let mut all = ingresses.iter();
    let first = all.next()?;
    all.next().is_none().then_some(*first)
}

/// The words of a text that may be names of parts, in lower case.
fn names_in(text: &str) -> impl Iterator<Item = String> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    let words = text.split(move |letter: char| !is_of_name(letter));
    words
        .map(|word| word.trim_end_matches('.').to_lowercase())
        .filter(|word| !word.is_empty())
}

fn is_of_a_path(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-./".contains(letter)
}

/// The hosts that settings and probes ask for.
fn hosts_of(evidence: &Evidence) -> Vec<&str> {
    let properties = &evidence.gateway.properties;
    let settings = properties.backend_http_settings_collection.iter();
    let settings = settings.filter_map(|one| one.properties.host_name.as_deref());
    let probes = properties.probes.iter();
    let probes = probes.filter_map(|one| one.properties.host.as_deref());
    settings.chain(probes).collect()
}

/// Bytes of the longest name that a controller gives a part.
const NAME_MAX: usize = 80;

/// What tells namespaces and names of ingresses apart, where parts have both in one.
pub(super) struct Names<'e> {
    /// Services with their namespaces, which may be empty.
    services: Vec<(&'e str, &'e str)>,
    /// The same of hosts inside the cluster, `SERVICE.NAMESPACE.svc`.
    called: Vec<(&'e str, &'e str)>,
    /// Namespaces of what a controller's log has as `NAMESPACE/NAME`, by the names.
    logged: BTreeMap<&'e str, BTreeSet<&'e str>>,
}

impl<'e> Names<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let services = evidence.endpoints.iter().flatten();
        let called = hosts_of(evidence).into_iter().filter_map(|host| {
            let mut labels = host.split('.');
            let (service, namespace) = (labels.next()?, labels.next()?);
            (labels.next() == Some("svc")).then_some((namespace, service))
        });
        let mut logged: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for line in evidence.controller_log.iter().flatten() {
            let parts = line.split(|letter: char| !is_of_a_path(letter));
            for (namespace, name) in parts.filter_map(|part| part.split_once('/')) {
                logged.entry(name).or_default().insert(namespace);
            }
        }
        Self {
            services: services
                .map(|one| (one.namespace.as_str(), one.service.as_str()))
                .collect(),
            called: called.collect(),
            logged,
        }
    }

    /// The ingress of a setting `bp-NAMESPACE-SERVICE-PORT-PORT-INGRESS` or a probe
    /// `pb-NAMESPACE-SERVICE-PORT-INGRESS`: what the controller calls them.
    pub(super) fn ingress_of(&self, part: &str) -> Option<Ingress> {
        let (rest, ports) = match part.strip_prefix("bp-") {
            Some(rest) => (rest, 2),
            None => (part.strip_prefix("pb-")?, 1),
        };
        // A name that is too long is cut, and ends with a hash.
        if part.len() >= NAME_MAX {
            return None;
        }
        let words: Vec<&str> = rest.split('-').collect();
        let is_number = |word: &&str| word.parse::<u16>().is_ok();
        // A service may have a number in its name, too.
        let at = (2..words.len()).find(|at| {
            let numbers = words.get(*at..at + ports);
            numbers.is_some_and(|numbers| numbers.iter().all(is_number))
        })?;
        let name = words.get(at + ports..)?.join("-");
        let before = words.get(..at)?.join("-");
        let namespace = match words.get(..at)? {
            [namespace, _] => Some((*namespace).to_owned()),
            _ => self.namespace_in(&before, &name),
        };
        (!name.is_empty()).then(|| Ingress {
            namespace: namespace.filter(|one| !one.is_empty()),
            name,
        })
    }

    /// The namespace at the beginning of `NAMESPACE-SERVICE`.
    fn namespace_in(&self, both: &str, ingress: &str) -> Option<String> {
        let split = |service: &str| both.strip_suffix(service)?.strip_suffix('-');
        let known = self.services.iter().chain(&self.called);
        let known = known.filter_map(|(namespace, service)| {
            let own = split(service)?;
            (namespace.is_empty() || own == *namespace).then_some((own, service.len()))
        });
        // Of `api` and `my-api`, it is of the longer one.
        let known = known.max_by_key(|(_, length)| *length);
        let logged = self.logged.get(ingress).into_iter().flatten();
        let mut logged = logged.filter(|namespace| {
            let rest = both.strip_prefix(**namespace);
            rest.is_some_and(|rest| rest.starts_with('-'))
        });
        let found = known.map(|(namespace, _)| namespace);
        found.or_else(|| logged.next().copied()).map(str::to_owned)
    }
}

impl Ingress {
    pub(super) fn as_words(&self) -> String {
        let name = word(&self.name);
        match &self.namespace {
            Some(namespace) => format!(" ingress {name} -n {} ", word(namespace)),
            None => format!(" ingress {name} "),
        }
    }
}

/// What a command at the gateway is to one that a controller writes.
enum Said {
    /// The same in the ingress: annotations without their prefix, and their values; an empty value
    /// takes one away.
    Annotations(Vec<(&'static str, String)>),
    /// A change that no annotation makes, and that the controller undoes.
    Unsayable,
    /// Nothing that the controller writes.
    NotItsOwn,
}

/// A remedy at the gateway, said in the ingress. `None` where some of it cannot be said there, or
/// nothing of it need be.
fn said_to_controller(at_gateway: &Fix) -> Option<Fix> {
    let (mut annotations, mut commands) = (Vec::new(), Vec::new());
    for command in &at_gateway.commands {
        match said(command) {
            Said::Annotations(own) => annotations.extend(own),
            Said::NotItsOwn => commands.push(command.clone()),
            Said::Unsayable => return None,
        }
    }
    annotations.dedup();
    if annotations.is_empty() {
        return None;
    }
    commands.push(annotate(&annotations));
    Some(Fix {
        owner: Owner::Controller,
        commands,
        patches: Vec::new(),
        is_partial: false,
        ..at_gateway.clone()
    })
}

fn said(command: &str) -> Said {
    let words = words(command);
    let mut rest = words.iter().map(String::as_str);
    let own = rest.by_ref().find(|word| *word == "application-gateway");
    let part = own.and_then(|_| rest.next()).unwrap_or_default();
    match part {
        "probe" | "http-settings" | "rule" => {}
        "address-pool" | "http-listener" | "url-path-map" | "redirect-config" | "frontend-port" => {
            return Said::Unsayable;
        }
        _ => return Said::NotItsOwn,
    }
    let options: Vec<&str> = rest.collect();
    let mut annotations = Vec::new();
    for (index, option) in options.iter().enumerate() {
        if !option.starts_with('-') {
            continue;
        }
        let values = options.iter().skip(index + 1);
        let values: Vec<&str> = values
            .take_while(|value| !value.starts_with('-'))
            .copied()
            .collect();
        let name = match (part, *option) {
            ("probe", "--path") => "health-probe-path",
            ("probe", "--match-status-codes") => "health-probe-status-codes",
            ("probe", "--timeout") => "health-probe-timeout",
            ("probe", "--interval") => "health-probe-interval",
            ("probe", "--threshold") => "health-probe-unhealthy-threshold",
            ("probe", "--port") => "health-probe-port",
            ("probe", "--host") => "health-probe-hostname",
            ("http-settings", "--timeout") => "request-timeout",
            ("http-settings", "--host-name") => "backend-hostname",
            ("http-settings", "--path") => "backend-path-prefix",
            ("http-settings", "--root-certs") => "appgw-trusted-root-certificate",
            ("rule", "--priority") => "rule-priority",
            // What says which part it is, and what follows of the rest.
            (_, "-g" | "--gateway-name" | "-n" | "--protocol" | "--probe") => continue,
            ("probe", "--host-name-from-http-settings" | "--from-http-settings") => continue,
            _ => return Said::Unsayable,
        };
        annotations.push((name, values.join(",")));
    }
    match annotations.is_empty() {
        true => Said::Unsayable,
        false => Said::Annotations(annotations),
    }
}

fn annotate(annotations: &[(&'static str, String)]) -> String {
    let words = annotations.iter().map(|(name, value)| {
        let name = format!("appgw.ingress.kubernetes.io/{name}");
        match value.as_str() {
            "" => format!("{name}-"),
            value => word(&format!("{name}={value}")),
        }
    });
    let words: Vec<String> = words.collect();
    let has_values = annotations.iter().any(|(_, value)| !value.is_empty());
    let overwrite = if has_values { " --overwrite" } else { "" };
    format!(
        "kubectl annotate{SOME_INGRESS}{}{overwrite}",
        words.join(" ")
    )
}

/// Of several ingresses, a number on the wrong one makes it worse.
fn is_order(fix: &Fix) -> bool {
    fix.commands
        .iter()
        .any(|one| one.contains("/rule-priority="))
}

/// Whether a remedy at the gateway changes what the controller writes.
fn is_of_controller(fix: &Fix) -> bool {
    let mut commands = fix.commands.iter();
    commands.any(|command| !matches!(said(command), Said::NotItsOwn))
}

/// Whether nothing is left to be filled in.
fn is_complete(fix: &Fix) -> bool {
    let is_open = |word: &str| {
        let open = ["INGRESS", "/PATH", "HOST", "ROOT-NAME"];
        let value = word.rsplit('=').next().unwrap_or_default();
        open.contains(&value)
    };
    let commands = fix.commands.iter();
    !commands
        .flat_map(|command| words(command))
        .any(|word| is_open(&word))
}

/// What mends a cause in the ingress, where the evidence does not have the value.
fn to_be_completed(cause: Cause) -> Option<Fix> {
    let (name, value) = match cause {
        Cause::Probe401 | Cause::Probe403 | Cause::Probe404 | Cause::ProbeNotAttached => {
            ("health-probe-path", "/PATH")
        }
        Cause::CnSanMismatch
        | Cause::NoSni
        | Cause::DefaultProbeHost
        | Cause::DatapathTlsNameMismatch
        | Cause::AppServiceHostHeader => ("backend-hostname", "HOST"),
        Cause::MissingTrustedRoot | Cause::TrustedRootNotAttached | Cause::RootMismatch => {
            ("appgw-trusted-root-certificate", "ROOT-NAME")
        }
        _ => return None,
    };
    let summary = "Say it where the controller reads it: in the ingress.";
    let command = annotate(&[(name, value.to_owned())]);
    Some(fix(Owner::Controller, summary).run(command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Content, File};

    fn check(part: &str, expected: Option<(Option<&str>, &str)>) {
        let gateway = serde_json::json!({"name": "gw", "backendAddressPools": []});
        let endpoints = serde_json::json!({"items": [{"metadata": {"name": "members-api"}}]});
        let files = [("gateway.json", gateway), ("k8s-endpoints.json", endpoints)];
        let files = files.map(|(name, value)| File {
            name: name.to_owned(),
            content: Content::Json(value),
        });
        let evidence = Evidence::read(files).unwrap();
        let expected = expected.map(|(namespace, name)| Ingress {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        });
        assert_eq!(Names::of(&evidence).ingress_of(part), expected, "{part}");
    }

    #[test]
    fn parts_tell_their_ingress() {
        check("bp-shop-web-80-8080-front", Some((Some("shop"), "front")));
        check(
            "pb-shop-web-80-front-end",
            Some((Some("shop"), "front-end")),
        );
        // The service is known, or nothing tells where the namespace ends.
        check(
            "pb-fit-club-members-api-80-x",
            Some((Some("fit-club"), "x")),
        );
        check("pb-fit-club-web-80-x", Some((None, "x")));
        check("bp-shop-web2-80-8080-a-1", Some((Some("shop"), "a-1")));
        for other in [
            "defaulthttpsetting",
            "bp-web",
            "bp-a-b-80",
            "bp-a-b-80-8080",
            "pb-80-a",
        ] {
            check(other, None);
        }
    }
}
