//! Do the servers answer probes healthily?

use std::collections::BTreeSet;

use gatewright_arm::Item;
use gatewright_arm::model::Probe;

use super::edits::{Given, Set};
use super::probe_remedies::host_from_pool;
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{OBSERVATIONS, State, TcpResult};
use crate::finding::{Because, Confidence, Finding, Fix};
use crate::lookup::names_host;
use crate::message::Symptom;
use crate::remedy::{fix, word};
use crate::site::{DEFAULT_HOST, Target, in_gateway};

/// The path that API Management answers probes under.
const APIM_PATH: &str = "/status-0123456789abcdef";

/// The same of its management endpoint (documented with the gateway before an internal one).
const APIM_MANAGEMENT_PATH: &str = "/ServiceStatus";

/// What API Management says of a path that no API of it has.
const APIM_NOT_FOUND: &str = "Resource not found";

/// What hosts of API Management's endpoints for people are called.
const APIM_PORTALS: [&str; 4] = ["portal", "developer", "management", "scm"];

/// Names of services that are no API Management, whatever their first label says.
const OTHER_SERVICES: [&str; 4] = [
    ".azurewebsites.net",
    ".azurecontainerapps.io",
    ".windows.net",
    ".cloudapp.azure.com",
];

impl Walk<'_> {
    pub(super) fn do_servers_answer_probes(&mut self) {
        let asked = "Do the servers answer probes as they should?";
        let is_meant = |symptom: Symptom| {
            matches!(
                symptom,
                Symptom::Status(_) | Symptom::Body | Symptom::TimedOut | Symptom::Broken
            )
        };
        let targets = self.site.targets.iter().enumerate();
        let failing: Vec<usize> = targets
            .filter(|(_, target)| target.row.state == State::Unhealthy && is_meant(target.symptom))
            .map(|(index, _)| index)
            .collect();
        if failing.is_empty() {
            return self.step(asked, "no server says otherwise", "they do");
        }
        let mut told = Vec::new();
        for index in &failing {
            let symptom = self.site.targets.get(*index).map(|target| target.symptom);
            let found = match (self.probed_at_an_old_address(*index), symptom) {
                (Some(found), _) => Some(found),
                (None, Some(Symptom::Status(status))) => self.status(*index, status),
                (None, Some(Symptom::Body)) => self.body(*index),
                (None, Some(Symptom::Broken)) => self.probe_breaks_off(*index),
                (None, _) => self.slow(*index),
            };
            if let Some(found) = found {
                told.push(found.title.clone());
                let reach = failing.len();
                self.find(Weight::Servers, reach, found);
            }
        }
        let seen = told.first().cloned();
        let seen = seen.unwrap_or_else(|| format!("{} servers do not", failing.len()));
        self.step(asked, seen, "these servers get no traffic");
    }

    fn status(&mut self, index: usize, status: Option<u16>) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        if let Some(orphan) = self.orphan(target) {
            return Some(self.not_attached(target, orphan, status));
        }
        if let Some((confidence, shown)) = self.is_api_management(target)
            && target.probed_path() != apim_path(&target.probed_host())
        {
            return Some(self.api_management(target, confidence, shown));
        }
        if let Some(found) = self.restricted(target, status) {
            let address = target.row.address.clone();
            if found.confidence == Confidence::Possible {
                self.ask_for_app(&address);
            }
            return Some(found);
        }
        if let Some(found) = self.default_host(target, status) {
            return Some(found);
        }
        if let Some(found) = self.probed_by_an_unbound_name(target, status) {
            return Some(found);
        }
        let cause = match status? {
            401 | 407 => Cause::Probe401,
            403 => Cause::Probe403,
            404 | 410 => Cause::Probe404,
            300..=399 => Cause::ProbeRedirect,
            500..=599 => Cause::Probe5xx,
            _ => Cause::Probe404,
        };
        Some(self.plain_status(target, cause, status?))
    }

    fn plain_status(&self, target: &Target<'_>, cause: Cause, status: u16) -> Finding {
        let probe = target.probe.map(|probe| probe.name.as_str());
        let asks = match probe {
            Some(name) => format!("the probe {name}"),
            None => "the default probe".to_owned(),
        };
        let title = format!(
            "{} answers {asks} for {} (host {}) with {status}.",
            target.endpoint(),
            target.probed_path(),
            target.probed_host()
        );
        // Without a word about hosts, a server may well have the page for another one.
        let is_sure = target.probed_host() != DEFAULT_HOST || status >= 500;
        let confidence = match status {
            401 | 403 | 404 | 410 | 300..=399 | 500..=599 if is_sure => Confidence::Certain,
            _ => Confidence::Likely,
        };
        let mut found = finding(cause, confidence, title)
            .because([self.because(&target.row.place, format!("it answers with {status}"))]);
        if let Some(probe) = target.probe {
            let place = in_gateway(probe.pointer_to("path"));
            found = found.because([self.because(&place, "what the probe asks for")]);
        }
        let mut fixes = vec![self.mend_probe(target, status)];
        if status >= 400 {
            // An error of the backend's own is not mended by looking elsewhere.
            let place = if status >= 500 { 0 } else { fixes.len() };
            fixes.insert(
                place,
                fix(
                    Owner::Backend,
                    format!(
                        "{} the backend answer {} with 200.",
                        if place == 0 { "Have" } else { "Or have" },
                        target.probed_path()
                    ),
                )
                .run(ask_it(target)),
            );
        }
        found.fixes = fixes;
        found
    }

    /// Whether a server is API Management, and how far that is sure; with what shows it, where
    /// that is not a name of its own.
    fn is_api_management(&self, target: &Target<'_>) -> Option<(Confidence, Option<Because>)> {
        let host = target.probed_host();
        let labels: Vec<&str> = host.split('.').collect();
        // Its other endpoints have pages of their own.
        let is_endpoint = match labels.as_slice() {
            [_, middle, "azure-api", "net"] => APIM_PORTALS.contains(middle),
            [_, "azure-api", "net"] => false,
            labels => labels
                .first()
                .is_some_and(|first| APIM_PORTALS.contains(first)),
        };
        if is_management_of_apim(&host) {
            return Some((Confidence::Certain, None));
        }
        if is_endpoint {
            return None;
        }
        let mut requests = self.requests_to(target);
        let answer = requests.find(|one| one.path.as_deref() == Some(APIM_PATH));
        let answer = answer.filter(|one| one.status == Some(200));
        if let Some(answer) = answer {
            let because = self.because(&answer.place, "it answers where API Management does");
            return Some((Confidence::Certain, Some(because)));
        }
        let address = &target.row.address;
        if is_name_of_apim(address) || is_name_of_apim(&host) {
            return Some((Confidence::Certain, None));
        }
        // A name of the address, where it has no other one: several sites may share it.
        let dns = self.evidence.observations.dns.iter();
        let named: Vec<_> = dns.filter(|one| one.answers.contains(address)).collect();
        let names: BTreeSet<String> = named.iter().map(|one| one.name.to_lowercase()).collect();
        let own = named
            .first()
            .filter(|one| names.len() == 1 && is_name_of_apim(&one.name));
        if let Some(own) = own {
            let because = self.because(&own.place, "the name that the address has");
            return Some((Confidence::Certain, Some(because)));
        }
        let its_own = self.requests_to(target).find(|one| {
            let words = ["statusCode", APIM_NOT_FOUND];
            one.status == Some(404) && words.iter().all(|word| one.body.contains(word))
        })?;
        let because = self.because(&its_own.place, "API Management words its 404 so");
        Some((Confidence::Likely, Some(because)))
    }

    fn api_management(
        &self,
        target: &Target<'_>,
        confidence: Confidence,
        shown: Option<Because>,
    ) -> Finding {
        let host = target.probed_host();
        let path = apim_path(&host);
        let what = match is_management_of_apim(&host) {
            true => format!("{host} is the management endpoint of an API Management"),
            false => format!("{} is API Management", target.row.address),
        };
        let title = format!(
            "{what}, which answers probes under {path} alone; they ask for {}.",
            target.probed_path()
        );
        let mend = match target.probe {
            Some(probe) => fix(Owner::Gateway, format!("Probe {path}."))
                .edit(self.update_probe(probe, &[Set::text("--path", "path", path)])),
            None => {
                let [create, refer] = self.give_probe(target, "apim", path);
                fix(Owner::Gateway, format!("Probe {path}."))
                    .edit(create)
                    .edit(refer)
            }
        };
        finding(Cause::ApimProbePath, confidence, title)
            .because([self.because(&target.row.place, "what the probe gets")])
            .because(shown)
            .fixed_by(mend.verified_by(self.commands.verify_health()))
    }

    /// A backend that does not answer to the host that probes ask for without a word.
    fn default_host(&self, target: &Target<'_>, status: Option<u16>) -> Option<Finding> {
        let host = target.probed_host();
        if host != DEFAULT_HOST && host != "localhost" {
            return None;
        }
        let shared = [
            ".azurewebsites.net",
            ".azurecontainerapps.io",
            ".azurefd.net",
            ".web.core.windows.net",
        ];
        let address = target.row.address.to_lowercase();
        let is_shared = shared.iter().any(|suffix| address.ends_with(suffix));
        let good = self.requests_to(target).find(|one| {
            let is_good = one.status.is_some_and(|status| target.counts(status));
            // Another page of the same host says nothing about the host.
            let is_page = one
                .path
                .as_deref()
                .is_none_or(|path| path == target.probed_path());
            is_good && is_page && !one.request.contains(DEFAULT_HOST)
        });
        let is_misdirected = matches!(status, Some(400 | 421));
        if !is_shared && good.is_none() && !is_misdirected {
            return None;
        }
        let title = format!(
            "Probes ask {} for the host {host}, which it does not answer to: it says {}.",
            target.row.address,
            status.map_or_else(|| "no".to_owned(), |status| status.to_string())
        );
        let mut because = vec![self.because(&target.row.place, "what the probe gets")];
        because.extend(good.map(|one| self.because(&one.place, "another host is answered")));
        let is_name = address.parse::<std::net::IpAddr>().is_err();
        let set = match is_name {
            true => host_from_pool(),
            false => Set::text("--host-name", "hostName", &self.known_host(target, good)),
        };
        let confidence = match good.is_some() || is_shared {
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        Some(
            finding(Cause::DefaultProbeHost, confidence, title)
                .because(because)
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        "Give the setting the host that the backend answers to.",
                    )
                    .edit(self.update_setting(target.setting, &[set]))
                    .risking("Live requests ask for that host too.")
                    .verified_by(self.commands.verify_health()),
                ),
        )
    }

    /// A host that the backend is known to answer to: as it was asked, or as listeners have it.
    fn known_host(&self, target: &Target<'_>, good: Option<&crate::evidence::Http>) -> String {
        let asked = good.and_then(|one| {
            let (_, host) = one.request.split_once("Host:")?;
            host.split_whitespace().next().map(str::to_owned)
        });
        let of_listener = || self.client_host(target, &[]);
        asked
            .or_else(of_listener)
            .unwrap_or_else(|| "HOST".to_owned())
    }

    fn body(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let wanted = target
            .probe
            .and_then(|probe| probe.properties.r#match.as_ref());
        let wanted = wanted.and_then(|one| one.body.clone()).unwrap_or_default();
        let title = format!(
            "The page of {} under {} does not have the text {wanted:?} that the probe looks for.",
            target.endpoint(),
            target.probed_path()
        );
        let mut found = finding(Cause::BodyMismatch, Confidence::Certain, title)
            .because([self.because(&target.row.place, "the text is not in the answer")]);
        if let Some(probe) = target.probe {
            let place = in_gateway(probe.pointer_to("match/body"));
            found = found
                .because([self.because(&place, "what the probe looks for; letter case counts")])
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        "Look for a text that is in the page, or for none.",
                    )
                    .edit(self.update_probe(
                        probe,
                        &[Set::of("--set", "match/body", Given::Cleared("match.body"))],
                    ))
                    .risking("A page with an error in it counts as healthy then.")
                    .weakening()
                    .verified_by(self.commands.verify_health()),
                );
        }
        let see = format!("{} | grep -F {}", ask_it(target), word(&wanted));
        Some(found.fixed_by(fix(Owner::Backend, "See what the page has.").run(see)))
    }

    /// Too slow for the probe, where it can be connected to at all.
    fn slow(&mut self, index: usize) -> Option<Finding> {
        if self.is_explained(Weight::Requests) {
            return None;
        }
        let target = self.site.targets.get(index)?;
        let (because, is_answered) = self.shows_to_be_slow(target);
        if because.is_empty() {
            let command = format!(
                "curl -sv -m 120 -o /dev/null -w '%{{time_total}}\\n' {}",
                ask_url(target)
            );
            let why = format!(
                "whether {} is slow or cannot be reached looks the same to a probe",
                target.endpoint()
            );
            self.need(OBSERVATIONS, &why, command);
            return None;
        }
        let does = match is_answered {
            true => "answers, and takes longer than the",
            false => "takes connections, and does not answer within the",
        };
        let title = format!(
            "{} {does} {} s that the probe waits.",
            target.endpoint(),
            target.probe_timeout()
        );
        let mend = match target.probe {
            Some(probe) => self.have_probe_wait(probe, target.probe_timeout()),
            None => self.mend_probe(target, 0),
        };
        let ask = fix(Owner::Backend, "Or probe a page that is answered at once.");
        Some(
            finding(Cause::ProbeTimeoutTooShort, Confidence::Likely, title)
                .because([self.because(&target.row.place, "the probe's time was over")])
                .because(because)
                .fixed_by(mend.verified_by(self.commands.verify_health()))
                .fixed_by(ask.run(ask_it(target))),
        )
    }

    /// What shows that a server can be connected to and takes its time, and whether it was seen to
    /// answer.
    fn shows_to_be_slow(&self, target: &Target<'_>) -> (Vec<Because>, bool) {
        let timeout = f64::from(target.probe_timeout());
        let address = &target.row.address;
        let slow = self.rows_at(address).into_iter().find(|row| {
            let time = row.server_latency.or(row.time_taken);
            time.is_some_and(|time| time > timeout)
        });
        let mut own = self.connections_to([address]);
        own.retain(|one| one.port == target.probed_port());
        // Who cannot even connect waits for something else than an answer.
        if own.iter().any(|one| one.result == TcpResult::TimedOut) {
            return (Vec::new(), false);
        }
        let open = own.iter().find(|one| one.result == TcpResult::Open);
        let answered = self
            .requests_to(target)
            .find(|one| names_host(&one.server, address) && one.status.is_some());
        let because = [
            slow.map(|row| self.because(&row.place, "an answer took longer than the probe waits")),
            open.map(|one| self.because(&one.place, "the port is open")),
            answered.map(|one| self.because(&one.place, "it answers, given the time")),
        ];
        let is_answered = slow.is_some() || answered.is_some();
        (because.into_iter().flatten().collect(), is_answered)
    }

    fn have_probe_wait(&self, probe: &Item<Probe>, timeout: i32) -> Fix {
        let longer = timeout.saturating_mul(2).max(30);
        let interval = probe.properties.interval.unwrap_or(30).max(longer);
        fix(Owner::Gateway, "Wait longer.").edit(self.update_probe(
            probe,
            &[
                Set::number("--timeout", "timeout", longer.into()),
                Set::number("--interval", "interval", interval.into()),
            ],
        ))
    }
}

fn ask_url(target: &Target<'_>) -> String {
    let scheme = if target.is_encrypted() {
        "https"
    } else {
        "http"
    };
    word(&format!(
        "{scheme}://{}{}",
        target.endpoint(),
        target.probed_path()
    ))
}

/// What a probe does, by hand.
pub(super) fn ask_it(target: &Target<'_>) -> String {
    format!(
        "curl -isk -H {} {}",
        word(&format!("Host: {}", target.probed_host())),
        ask_url(target)
    )
}

/// Whether a host is the management endpoint of an API Management.
fn is_management_of_apim(host: &str) -> bool {
    let host = host.to_lowercase();
    let is_endpoint = host.starts_with("management.") || host.contains(".management.azure-api.");
    is_endpoint && is_name_of_apim(&host)
}

/// The path that a host of API Management answers probes under.
fn apim_path(host: &str) -> &'static str {
    match is_management_of_apim(host) {
        true => APIM_MANAGEMENT_PATH,
        false => APIM_PATH,
    }
}

/// Whether a name is one that API Management has, or people give it.
fn is_name_of_apim(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_named = name.split(['.', '-']).any(|part| part == "apim");
    let is_another = OTHER_SERVICES.iter().any(|suffix| name.ends_with(suffix));
    name.ends_with(".azure-api.net") || is_named && !is_another
}
