//! Parts of the gateway that an error names: what is not there, or is not good.

use super::Walk;
use crate::cause::{Cause, Owner};
use crate::finding::Fix;
use crate::lookup;
use crate::remedy::{fix, word};

impl Walk<'_> {
    /// What refers to something that is not there, by the service's sentence.
    pub(super) fn mend_referrer(&self, message: &str) -> Option<Fix> {
        let (missing, rest) = message.split_once(" referenced by resource ")?;
        let mut missing = missing.rsplit('/');
        let (missing, of) = (missing.next()?, missing.next()?);
        let referrer = rest.split_whitespace().next()?;
        let mut parts = referrer.rsplit('/');
        let (name, collection) = (parts.next()?, parts.next()?);
        let verb = part_in(collection)?.verb;
        // What a refused change was to make cannot be changed.
        let is_there = self.names_in(collection).iter().any(|own| own == name);
        let near = self.near(of, missing).filter(|_| is_there);
        let option = OPTIONS.iter().find(|(own, _)| *own == of);
        let said = match &near {
            Some(near) => format!("to {near}"),
            None => "to something else".to_owned(),
        };
        let summary = format!("Have {name} refer {said} and not to {missing}, or make that one.");
        let show = self.commands.part(&format!("{verb} show"), name, "");
        let refer = near.zip(option).map(|(near, (_, option))| {
            let more = format!("{option} {}", word(&near));
            self.commands.part(&format!("{verb} update"), name, &more)
        });
        let mend = fix(Owner::Gateway, summary);
        let first = refer.or_else(|| is_there.then_some(show));
        let mend = first.into_iter().fold(mend, Fix::run);
        Some(match part_in(of) {
            Some(Part { verb, made_by, .. }) if !made_by.is_empty() => {
                let verb = format!("{verb} create");
                mend.run(self.commands.part(&verb, missing, made_by))
            }
            _ => mend,
        })
    }

    /// Of the gateway's parts of a kind, the one that a name may well mean: one that is written
    /// much alike, or the only certificate.
    fn near(&self, collection: &str, name: &str) -> Option<String> {
        let known = self.names_in(collection);
        if collection == "sslCertificates"
            && let [only] = known.as_slice()
        {
            return Some(only.clone());
        }
        let distance = |own: &String| lookup::edits(own, name);
        let near = known.iter().min_by_key(|own| distance(own));
        near.filter(|own| distance(own) * 2 <= name.len()).cloned()
    }

    /// Where the controller's log says which ingress asked for what the gateway does not have, that
    /// one with what it has.
    pub(super) fn mend_annotation(&self, message: &str) -> Option<Fix> {
        let (missing, _) = message.split_once(" referenced by resource ")?;
        let mut parts = missing.rsplit('/');
        let (missing, of) = (parts.next()?, parts.next()?);
        let name = match of {
            "sslCertificates" => "appgw-ssl-certificate",
            "trustedRootCertificates" => "appgw-trusted-root-certificate",
            _ => return None,
        };
        let mut lines = self.evidence.controller_log.iter().flatten();
        let ingress = lines.find_map(|line| {
            let (before, rest) = line.split_once(" ingress ")?;
            let rest = rest
                .split_whitespace()
                .next()
                .filter(|_| lookup::has_whole(before, missing, "-_."))?;
            let (namespace, ingress) = rest.split_once('/')?;
            let is_end = |letter: char| !(letter.is_alphanumeric() || "-.".contains(letter));
            Some((
                namespace.to_owned(),
                ingress.trim_end_matches(is_end).to_owned(),
            ))
        });
        let (namespace, ingress) = ingress?;
        let near = self.near(of, missing)?;
        let summary = format!(
            "The ingress {namespace}/{ingress} asks for {missing}, which the gateway does not \
             have: have it ask for {near}. Until then the gateway refuses all that the controller \
             writes."
        );
        Some(fix(Owner::Controller, summary).run(format!(
            "kubectl annotate ingress {} -n {} {} --overwrite",
            word(&ingress),
            word(&namespace),
            word(&format!("appgw.ingress.kubernetes.io/{name}={near}"))
        )))
    }

    /// A command for the part of the gateway that a message names.
    pub(super) fn mend_named(&self, message: &str, cause: Cause) -> Option<Fix> {
        let import = self.import_into_vault(message);
        if let Some(import) = import.filter(|_| cause == Cause::PutFailedCert) {
            return Some(import);
        }
        let found = PARTS.iter().find_map(|part| {
            let (_, rest) = message.split_once(&format!("/{}/", part.collection))?;
            let ends = |letter: char| letter.is_whitespace() || "'\"/.,".contains(letter);
            let name = rest.split(ends).next().filter(|name| !name.is_empty())?;
            let verb = match part.renewed_by {
                "" => "show",
                _ => "update",
            };
            let verb = format!("{} {verb}", part.verb);
            Some((
                self.commands.part(&verb, name, part.renewed_by),
                name.to_owned(),
            ))
        });
        let (command, name) = found?;
        let summary = match cause {
            Cause::PutFailedCert => format!("Give {name} a certificate that is acceptable."),
            _ => format!("See what {name} has, and mend what the error says of it."),
        };
        Some(fix(Owner::Gateway, summary).run(command))
    }
}

/// A kind of part of a gateway, as an error names it.
struct Part {
    collection: &'static str,
    /// az's word for it.
    verb: &'static str,
    /// What az needs to make one; nothing where that takes more than an error tells.
    made_by: &'static str,
    /// What mends one that is refused for what it holds; nothing where it is to be looked at first.
    renewed_by: &'static str,
}

const fn part(
    collection: &'static str,
    verb: &'static str,
    made_by: &'static str,
    renewed_by: &'static str,
) -> Part {
    Part {
        collection,
        verb,
        made_by,
        renewed_by,
    }
}

/// Those that hold a certificate first: an error that names one is mostly about that.
const PARTS: [Part; 10] = [
    part("sslCertificates", "ssl-cert", PFX, PFX),
    part("trustedRootCertificates", "root-cert", ROOT, ROOT),
    part("authenticationCertificates", "auth-cert", SERVER, SERVER),
    part(
        "probes",
        "probe",
        "--protocol Http --host HOST --path /PATH",
        "",
    ),
    part("httpListeners", "http-listener", "", ""),
    part("backendHttpSettingsCollection", "http-settings", "", ""),
    part(
        "backendAddressPools",
        "address-pool",
        "--servers ADDRESS",
        "",
    ),
    part("requestRoutingRules", "rule", "", ""),
    part("urlPathMaps", "url-path-map", "", ""),
    part("frontendPorts", "frontend-port", "--port 443", ""),
];

/// What az calls a reference to a part of a kind; of lists of them, none.
const OPTIONS: [(&str, &str); 7] = [
    ("sslCertificates", "--ssl-cert"),
    ("frontendPorts", "--frontend-port"),
    ("httpListeners", "--http-listener"),
    ("backendAddressPools", "--address-pool"),
    ("backendHttpSettingsCollection", "--http-settings"),
    ("urlPathMaps", "--url-path-map"),
    ("probes", "--probe"),
];

const PFX: &str = "--cert-file FILE.pfx --cert-password PASSWORD";
const ROOT: &str = "--cert-file root.cer";
const SERVER: &str = "--cert-file server.cer";

fn part_in(collection: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.collection == collection)
}
