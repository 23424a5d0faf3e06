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
            // Of several, a number on the wrong one makes it worse.
            let annotate = annotation(&one.finding)
                .filter(|_| ingress.is_some() || one.finding.cause != Cause::RuleOrder);
            let fixes = &mut one.finding.fixes;
            for fix in fixes.iter_mut().filter(|fix| fix.owner == Owner::Gateway) {
                fix.risk = format!("{REVERTED} {}", fix.risk).trim_end().to_owned();
            }
            if !fixes.iter().any(|fix| fix.owner == Owner::Controller) {
                fixes.splice(0..0, annotate);
            }
            let Some(ingress) = ingress else {
                continue;
            };
            let own = fixes.iter_mut().flat_map(|fix| &mut fix.commands);
            for command in own {
                *command = command.replace(SOME_INGRESS, &ingress.as_words());
            }
        }
        self.candidates = candidates;
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
        let only = match words.get(..at)? {
            [namespace, _] => Some((*namespace).to_owned()),
            _ => None,
        };
        (!name.is_empty()).then(|| Self {
            namespace: known.or(only).filter(|one| !one.is_empty()),
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

/// What says the same in the ingress as a remedy at the gateway does.
fn annotation(finding: &Finding) -> Option<Fix> {
    let said = |options: &[&str], else_: &str| {
        let found = options.iter().find_map(|option| option_of(finding, option));
        found.unwrap_or_else(|| else_.to_owned())
    };
    let (annotation, value) = match finding.cause {
        Cause::Probe401 | Cause::Probe403 | Cause::Probe404 | Cause::ProbeNotAttached => {
            ("health-probe-path", said(&["--path"], "/PATH"))
        }
        Cause::ProbeRedirect => ("health-probe-status-codes", "200-399".to_owned()),
        Cause::ProbeTimeoutTooShort => ("health-probe-timeout", said(&["--timeout"], "60")),
        Cause::CnSanMismatch
        | Cause::NoSni
        | Cause::DefaultProbeHost
        | Cause::DatapathTlsNameMismatch
        | Cause::AppServiceHostHeader => {
            ("backend-hostname", said(&["--host-name", "--host"], "HOST"))
        }
        Cause::MissingTrustedRoot | Cause::TrustedRootNotAttached | Cause::RootMismatch => (
            "appgw-trusted-root-certificate",
            said(&["--root-certs"], "ROOT-NAME"),
        ),
        Cause::RequestTimeout => ("request-timeout", said(&["--timeout"], "60")),
        Cause::RuleOrder => ("rule-priority", option_of(finding, "--priority")?),
        // Without it, the path is passed on as it is.
        Cause::BackendPath => ("backend-path-prefix", String::new()),
        _ => return None,
    };
    let annotation = format!("appgw.ingress.kubernetes.io/{annotation}");
    let set = match value.is_empty() {
        true => format!("{annotation}-"),
        false => format!("{} --overwrite", word(&format!("{annotation}={value}"))),
    };
    let summary = "Say it where the controller reads it: in the ingress.";
    Some(fix(Owner::Controller, summary).run(format!("kubectl annotate{SOME_INGRESS}{set}")))
}

/// What an option has in a command at the gateway; of several values, all with commas.
fn option_of(finding: &Finding, option: &str) -> Option<String> {
    let at_gateway = finding
        .fixes
        .iter()
        .filter(|fix| fix.owner == Owner::Gateway);
    let mut commands = at_gateway.flat_map(|fix| &fix.commands);
    commands.find_map(|command| {
        let words = words(command);
        let mut words = words.iter().skip_while(|word| *word != option);
        words.next()?;
        let values: Vec<&str> = words
            .take_while(|word| !word.starts_with('-'))
            .map(String::as_str)
            .collect();
        let value = values.join(",");
        (!value.is_empty() && value != "true" && value != "null").then_some(value)
    })
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
