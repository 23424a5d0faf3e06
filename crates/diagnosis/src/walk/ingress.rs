//! Gateways that a Kubernetes controller writes: their remedies belong into the ingress.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::Walk;
use super::pools::is_managed;
use crate::cause::{Cause, Owner};
use crate::evidence::{Evidence, GATEWAY, Place};
use crate::finding::{Finding, Fix};
use crate::lookup::has_whole;
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
            let ingress = ingress_of(&one.finding, &parts, &settings);
            one.finding.fixes = self.at_controller(&one.finding, ingress.as_ref());
        }
        self.candidates = candidates;
    }

    /// The remedies of a finding where they last: what the controller writes is said to it.
    fn at_controller(&self, finding: &Finding, ingress: Option<&Ingress>) -> Vec<Fix> {
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

    fn parts_of_ingresses(&self) -> Vec<Part> {
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
        let parts = named.chain(rules).chain(listeners);
        let parts = parts.filter_map(|(name, pointer, of)| {
            Some(Part {
                name: name.clone(),
                pointer: pointer.to_owned(),
                ingress: Ingress::of_part(of, self.evidence)?,
            })
        });
        parts.collect()
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

/// A part of the gateway that the controller wrote for an ingress.
struct Part {
    name: String,
    pointer: String,
    ingress: Ingress,
}

impl Part {
    /// Whether a remedy's commands name it.
    fn is_changed_by(&self, finding: &Finding) -> bool {
        let mut commands = finding.fixes.iter().flat_map(|fix| &fix.commands);
        commands.any(|one| has_whole(one, &self.name, "-_."))
    }

    fn is_of(&self, finding: &Finding, settings: &BTreeMap<&Place, &str>) -> bool {
        let is_at = finding.because.iter().any(|one| {
            let place = &one.place;
            let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
            let rest = place.pointer.strip_prefix(&self.pointer);
            let is_part = place.file == GATEWAY && rest.is_some_and(is_below);
            let setting = settings.get(place);
            is_part || setting.is_some_and(|own| own.eq_ignore_ascii_case(&self.name))
        });
        is_at || has_whole(&finding.title, &self.name, "-_.") || self.is_changed_by(finding)
    }
}

/// The only ingress whose parts the remedies of a finding change; else the only one that it is
/// about, by the names of parts; the only one of the gateway, where it names none.
fn ingress_of(
    finding: &Finding,
    parts: &[Part],
    settings: &BTreeMap<&Place, &str>,
) -> Option<Ingress> {
    let ingresses = |is_of: &dyn Fn(&Part) -> bool| -> BTreeSet<&Ingress> {
        let own = parts.iter().filter(|part| is_of(part));
        own.map(|part| &part.ingress).collect()
    };
    let changed = ingresses(&|part| part.is_changed_by(finding));
    if let [only] = changed.iter().collect::<Vec<_>>().as_slice() {
        return Some((**only).clone());
    }
    let own = ingresses(&|part| part.is_of(finding, settings));
    let mut found = if own.is_empty() {
        ingresses(&|_| true)
    } else {
        own
    };
    let first = found.pop_first()?;
    found.is_empty().then(|| first.clone())
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

impl Ingress {
    /// That of a setting `bp-NAMESPACE-SERVICE-PORT-PORT-INGRESS` or a probe
    /// `pb-NAMESPACE-SERVICE-PORT-INGRESS`: what the controller calls them.
    pub(super) fn of_part(name: &str, evidence: &Evidence) -> Option<Self> {
        let (rest, ports) = match name.strip_prefix("bp-") {
            Some(rest) => (rest, 2),
            None => (name.strip_prefix("pb-")?, 1),
        };
        let words: Vec<&str> = rest.split('-').collect();
        let is_number = |word: &&str| word.parse::<u16>().is_ok();
        // A service may have a number in its name, too.
        let at = (2..words.len()).find(|at| {
            let numbers = words.get(*at..at + ports);
            numbers.is_some_and(|numbers| numbers.iter().all(is_number))
        })?;
        let name = words.get(at + ports..)?.join("-");
        let before = words.get(..at)?.join("-");
        let mut services = evidence.endpoints.iter().flatten();
        let known = services.find_map(|one| {
            let namespace = before.strip_suffix(one.service.as_str())?;
            namespace.strip_suffix('-').map(str::to_owned)
        });
        // Inside the cluster, a service is called SERVICE.NAMESPACE.svc.
        let hosts = hosts_of(evidence);
        let called = hosts.iter().find_map(|host| {
            let mut labels = host.split('.');
            let (service, namespace) = (labels.next()?, labels.next()?);
            let is_inside = labels.next() == Some("svc");
            (is_inside && before == format!("{namespace}-{service}")).then(|| namespace.to_owned())
        });
        // What speaks of an ingress in words has NAMESPACE/NAME.
        let mut log = evidence.controller_log.iter().flatten();
        let logged = log.find_map(|line| {
            let mut parts = line.split(|letter: char| !is_of_a_path(letter));
            parts.find_map(|part| {
                let (namespace, own) = part.split_once('/')?;
                let is_it = own == name && before.starts_with(&format!("{namespace}-"));
                is_it.then(|| namespace.to_owned())
            })
        });
        let only = match words.get(..at)? {
            [namespace, _] => Some((*namespace).to_owned()),
            _ => None,
        };
        (!name.is_empty()).then(|| Self {
            namespace: known
                .or(called)
                .or(logged)
                .or(only)
                .filter(|one| !one.is_empty()),
            name,
        })
    }

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
        assert_eq!(Ingress::of_part(part, &evidence), expected, "{part}");
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
