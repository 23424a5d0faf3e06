//! Does the gateway accept the certificates of its servers?

use gatewright_chain::{Certificate, Checks, Defect, Kind, ServerName, Trust, Verdict, examine};

use super::certificate_causes::{said, said_by};
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{
    Chain, PRESENTED, PRESENTED_WITHOUT_SNI, State, TcpResult, Tls, Uploaded, WebApp,
};
use crate::finding::{Because, Confidence, Finding};
use crate::message::Symptom;
use crate::remedy::{fix, word};
use crate::site::Target;

/// When gateways of the second generation began to speak TLS 1.3 to backends (documented: 2025), in
/// seconds since the Unix epoch.
const NEWEST_TLS_SINCE: i64 = 1_735_689_600;

/// Causes of which messages are much alike.
pub(super) const TRUST: [Cause; 6] = [
    Cause::MissingTrustedRoot,
    Cause::TrustedRootNotAttached,
    Cause::RootMismatch,
    Cause::SelfSigned,
    Cause::RootNotACa,
    Cause::IncompleteChain,
];

/// What is known of a server's certificate.
pub(super) struct Judged {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
    pub(super) title: String,
    pub(super) because: Vec<Because>,
    pub(super) contradicts: Option<String>,
}

impl<'e> Walk<'e> {
    pub(super) fn are_certificates_accepted(&mut self) {
        let asked = "Does the gateway accept the servers' certificates?";
        let targets = self.site.targets.iter().enumerate();
        let is_meant = |target: &Target<'_>| {
            let symptom = target.symptom;
            symptom.is_of_certificate()
                || symptom == Symptom::Handshake
                || symptom == Symptom::NotConnected && self.has_versions(target)
                || symptom == Symptom::Silent && target.is_encrypted()
        };
        let failing: Vec<usize> = targets
            .filter(|(_, target)| target.row.state == State::Unhealthy && is_meant(target))
            .map(|(index, _)| index)
            .collect();
        let count = failing.len();
        let Some(first) = failing.first().copied() else {
            return self.step(asked, "no server says otherwise", "it does");
        };
        let mut told = Vec::new();
        let mut known = Vec::new();
        for index in self.shown_first(&failing) {
            let alike = self.site.targets.get(index);
            let alike = alike.map(|target| (target.row.setting.clone(), target.symptom));
            if known.contains(&alike) {
                continue;
            }
            let found = self
                .protocol_mismatch(index)
                .or_else(|| self.refused_without_name(index))
                .or_else(|| self.certificate(index));
            if let Some(found) = found {
                told.push(found.title.clone());
                known.push(alike);
                self.find(Weight::Servers, count, found);
            }
        }
        match told.into_iter().next() {
            Some(first) => self.step(asked, first, "probes fail within TLS"),
            None => {
                self.ask_for_chain(first);
                self.step(
                    asked,
                    format!("{count} servers fail within TLS"),
                    "nothing here says why",
                );
            }
        }
    }

    /// Those of which somebody saw the chain, as far as they are not too many, and then the first,
    /// to whom the chain of the folder belongs: of such as fail alike, one that tells why is
    /// enough.
    fn shown_first(&self, failing: &[usize]) -> Vec<usize> {
        const SEEN_MAX: usize = 50;
        let is_seen = |index: &&usize| {
            let target = self.site.targets.get(**index);
            target.is_some_and(|target| {
                let mut tls = self.tls_at(target);
                self.seen_of(target).is_some() || tls.any(|one| one.chain_file == PRESENTED)
            })
        };
        let seen = failing.iter().filter(is_seen).take(SEEN_MAX);
        let mut shown: Vec<usize> = seen.copied().collect();
        let first = failing.first().filter(|first| !shown.contains(first));
        shown.extend(first);
        shown
    }

    /// Whether somebody tried which versions of TLS the server takes.
    fn has_versions(&self, target: &Target<'_>) -> bool {
        self.tls_at(target).any(|one| !one.versions.is_empty())
            || self.app_of(target).is_some_and(WebApp::wants_newest_tls)
    }

    fn certificate(&mut self, index: usize) -> Option<Finding> {
        // What was presented decides, also where it is accepted: the message is of another moment.
        let target = self.site.targets.get(index)?;
        let judged = match self.presented_to(target).is_some() {
            true => self.by_presented(index),
            false => self.by_message(index),
        };
        // Where what was presented is accepted, TLS may not have come so far.
        let Some(judged) = judged else {
            return self.has_no_suite_for_server(index);
        };
        let target = self.site.targets.get(index)?;
        let mut found = finding(judged.cause, judged.confidence, judged.title)
            .because([self.because(&target.row.place, "what the probe says")])
            .because(judged.because);
        found.contradicts = judged.contradicts;
        for fix in self.mend_certificate(judged.cause, index) {
            found = found.fixed_by(fix);
        }
        if judged.confidence < Confidence::Certain {
            self.ask_for_chain(index);
        }
        Some(found)
    }

    /// What a server presented: as somebody saw it of this very server, or of the one that the
    /// folder is about.
    pub(super) fn presented_to(&self, target: &Target<'_>) -> Option<&'e Chain> {
        let of_folder = || {
            let presented = self.evidence.presented.as_ref();
            presented.filter(|_| !self.is_of_another(target))
        };
        self.seen_of(target).or_else(of_folder)
    }

    /// Whether the folder's chain was presented by another server, as somebody wrote down.
    fn is_of_another(&self, target: &Target<'_>) -> bool {
        let tls = self.evidence.observations.tls.iter();
        let mut told = tls.filter(|one| one.chain_file == PRESENTED);
        let is_own = told.clone().any(|one| self.is_made_with(one, target));
        !is_own && told.any(|one| self.is_of_a_server(one))
    }

    /// Whether somebody wrote down that the folder's chain comes from an address of no server's.
    fn is_of_stranger(&self, target: &Target<'_>, chain: &Chain) -> bool {
        let tls = self.evidence.observations.tls.iter();
        let mut told = tls.filter(|one| one.chain_file == PRESENTED).peekable();
        chain.place.file == PRESENTED
            && told.peek().is_some()
            && !told.any(|one| self.is_made_with(one, target))
    }

    /// Whether a handshake was made with a server, and not with the gateway.
    pub(super) fn is_of_a_server(&self, tls: &Tls) -> bool {
        let mut targets = self.site.targets.iter();
        targets.any(|target| self.is_made_with(tls, target))
    }

    /// Whether a handshake was made with a server: at its own address, or with its name at one that
    /// the name stands for.
    fn is_made_with(&self, tls: &Tls, target: &Target<'_>) -> bool {
        let address = &target.row.address;
        let names_it = || {
            let sni = tls.sni.as_ref();
            sni.is_some_and(|sni| sni.eq_ignore_ascii_case(address))
        };
        let is_there = || {
            let ip = tls.address.parse().ok();
            ip.is_some_and(|ip| self.addresses_of(address).contains(&ip))
        };
        tls.address.eq_ignore_ascii_case(address) || names_it() && is_there()
    }

    /// The handshakes that somebody made with a server.
    pub(super) fn tls_at<'t>(
        &self,
        target: &'t Target<'_>,
    ) -> impl Iterator<Item = &'e Tls> + Clone {
        let tls = self.evidence.observations.tls.iter();
        tls.filter(|one| self.is_made_with(one, target))
    }

    fn seen_of(&self, target: &Target<'_>) -> Option<&'e Chain> {
        let own = self.tls_at(target).filter(|one| {
            one.chain.is_some()
                && (one.sni.is_some() || one.chain_file != PRESENTED_WITHOUT_SNI)
                && (one.port.is_none() || one.port == target.probed_port())
        });
        // A server may have a certificate for each name that it is asked for.
        let expected = self.expected(target);
        let is_asked = |sni: Option<&str>| match sni {
            Some(sni) => sni.eq_ignore_ascii_case(&expected),
            None => sends_no_name(&expected),
        };
        let exact = own.clone().find(|one| is_asked(one.sni.as_deref()));
        let any = || own.clone().find(|one| one.sni.is_none());
        exact.or_else(any)?.chain.as_ref()
    }

    /// The name that a probe sends and compares.
    pub(super) fn expected(&self, target: &Target<'_>) -> String {
        if self.evidence.gateway.is_v1() {
            return target.row.address.clone();
        }
        let own = target
            .setting
            .and_then(|one| one.properties.sni_name.clone());
        own.filter(|name| !name.is_empty())
            .unwrap_or_else(|| target.probed_host())
    }

    /// The roots that the setting refers to, by name.
    pub(super) fn attached<'t>(&self, target: &Target<'t>) -> Vec<&'t str> {
        let setting = target.setting.map(|one| &one.properties);
        let references = setting.into_iter().flat_map(|one| {
            one.trusted_root_certificates
                .iter()
                .chain(&one.authentication_certificates)
        });
        references
            .map(|one| crate::evidence::view::last_part(&one.id))
            .collect()
    }

    pub(super) fn roots(&self, target: &Target<'_>) -> Vec<&Uploaded> {
        let attached = self.attached(target);
        let uploaded = self.evidence.uploaded.iter().filter(|one| one.is_uploaded);
        uploaded
            .filter(|one| {
                let is_named = attached
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(&one.name));
                is_named || one.name.is_empty() && !attached.is_empty()
            })
            .collect()
    }

    /// Whether what was presented ends with a certificate that a well-known authority signed, by
    /// its name: who writes down what a server presents may not have the very certificates.
    fn names_well_known(&self, chain: &Chain) -> bool {
        let last = chain.readable().last();
        last.is_some_and(|last| {
            let mut anchors = self.anchors.iter();
            anchors.any(|anchor| anchor.name() == last.issuer())
        })
    }

    /// By what the server presented, which nobody can argue with.
    fn by_presented(&mut self, index: usize) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let chain = self.presented_to(target)?;
        let expected = self.expected(target);
        let verdict = self.examined(target, chain, &expected, checks_of(target));
        // What v1 pins need be no authority.
        let is_of_trust = said(target.symptom).is_some_and(|cause| TRUST.contains(&cause));
        let is_meant = is_of_trust && !self.evidence.gateway.is_v1();
        if let Some(root) = self.no_authority(target, chain).filter(|_| is_meant) {
            return Some(self.told_of_no_authority(target, root));
        }
        if let Some(judged) = self.without_name(index, &expected) {
            return Some(judged);
        }
        // Of several defects, the one that the message speaks of is the first to be mended.
        let named = verdict
            .defects
            .iter()
            .find(|defect| defect.kind() == Kind::NameMismatch);
        let named = named.filter(|_| target.symptom == Symptom::CertificateName);
        let Some(defect) = named.or(verdict.deciding()) else {
            return self
                .out_of_order(index)
                .or_else(|| self.with_expired_root(index))
                .or_else(|| self.pinned_out_of_date(index))
                .or_else(|| self.accepted(index, &expected));
        };
        let (cause, says) = self.cause_of(defect, index, chain);
        let is_said = target.symptom.is_of_certificate();
        if cause == Cause::MissingTrustedRoot && !is_said && self.names_well_known(chain) {
            return None;
        }
        let place = chain.place.clone();
        let leaf = chain
            .leaf()
            .map(|leaf| leaf.names().served().join(", "))
            .unwrap_or_default();
        let title = self.title_of(cause, target, &expected, &leaf, &says);
        let mut because = vec![self.because(&place, format!("what the server presents: {says}"))];
        because.extend(self.of_configuration(target));
        let unattached = self.unattached(target).into_iter();
        let mut seen = Vec::new();
        for root in self.roots(target).into_iter().chain(unattached) {
            let fingerprint = root.certificate.fingerprint();
            if seen.contains(&fingerprint) {
                continue;
            }
            seen.push(fingerprint);
            let subject = root.certificate.subject();
            because.push(self.because(&root.place, format!("a root that is uploaded: {subject}")));
        }
        let is_said = said_by(target.symptom, cause);
        // A certificate that is refused is told as such, and not as a connection that was not made.
        let is_of_another =
            target.symptom == Symptom::NotConnected && cause == Cause::MissingTrustedRoot;
        let is_its_own = self.is_of_probe(target, &expected) && !self.is_of_stranger(target, chain);
        let confidence = match (is_of_another, is_its_own) {
            (true, _) => Confidence::Possible,
            (false, true) => Confidence::Certain,
            (false, false) => Confidence::Likely,
        };
        Some(Judged {
            cause,
            confidence,
            title,
            because,
            contradicts: (!is_said && !target.row.log.is_empty()).then(|| target.row.log.clone()),
        })
    }

    /// A chain that has all that it needs, though not each certificate before its issuer, of which
    /// the message says that something is missing or out of place.
    fn out_of_order(&self, index: usize) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let is_meant = matches!(
            said(target.symptom),
            Some(Cause::IncompleteChain | Cause::ChainOrder)
        );
        let chain = self.presented_to(target).filter(|_| is_meant)?;
        let readable = chain.presented.certificates().iter();
        let chain_certificates: Vec<&Certificate> =
            readable.filter_map(|one| one.as_ref().ok()).collect();
        let mut pairs = chain_certificates
            .iter()
            .zip(chain_certificates.iter().skip(1));
        // What stands behind a root is too much, and no disorder.
        let mut pairs = pairs.by_ref().take_while(|(own, _)| !own.is_self_issued());
        let (own, next) = pairs.find(|(own, next)| own.issuer() != next.subject())?;
        let title = format!(
            "{} presents its chain out of order: behind {} comes {}, and not its issuer {}.",
            target.row.address,
            own.subject(),
            next.subject(),
            own.issuer()
        );
        let mut because = vec![self.because(&chain.place, "each certificate and what follows it")];
        because.extend(self.of_configuration(target));
        let is_said = said_by(target.symptom, Cause::ChainOrder);
        Some(Judged {
            cause: Cause::ChainOrder,
            confidence: Confidence::Likely,
            title,
            because,
            contradicts: (!is_said).then(|| target.row.log.clone()),
        })
    }

    /// What is wrong with a chain, by what the target's setting trusts.
    pub(super) fn examined(
        &self,
        target: &Target<'_>,
        chain: &Chain,
        expected: &str,
        checks: Checks,
    ) -> Verdict {
        let roots: Vec<Certificate> = self
            .roots(target)
            .iter()
            .map(|one| one.certificate.clone())
            .collect();
        let has_roots = !self.attached(target).is_empty();
        let trust = match (self.evidence.gateway.is_v1(), has_roots) {
            (true, _) => Trust::Pinned {
                certificates: &roots,
            },
            (false, true) => Trust::Uploaded {
                anchors: &self.anchors,
                roots: &roots,
            },
            (false, false) => Trust::WellKnown {
                anchors: &self.anchors,
            },
        };
        let name = server_name(expected);
        examine(&chain.presented, &trust, name, self.now, checks)
    }

    /// Whether a chain is accepted, whatever its names.
    fn is_trusted(&self, target: &Target<'_>, chain: &Chain) -> bool {
        let checks = Checks {
            chain: true,
            name: false,
        };
        self.examined(target, chain, "", checks)
            .deciding()
            .is_none()
    }

    fn told_of_no_authority(&self, target: &Target<'_>, root: &Uploaded) -> Judged {
        let title = format!(
            "What was uploaded as the root {} ({}) is no certificate of an authority.",
            root.name,
            root.certificate.subject()
        );
        let mut because = vec![self.because(&root.place, "it says CA:FALSE, or nothing of it")];
        because.extend(self.of_configuration(target));
        Judged {
            cause: Cause::RootNotACa,
            confidence: Confidence::Certain,
            title,
            because,
            contradicts: None,
        }
    }

    /// A server that ends a handshake without a host name, and takes one with a name: somebody
    /// tried both, and probes have none.
    fn refused_without_name(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let expected = self.expected(target);
        if !sends_no_name(&expected) {
            return None;
        }
        let is_answered = |one: &Tls| one.chain.is_some() || !one.versions.is_empty();
        let port = target.probed_port();
        let mut seen = self
            .tls_at(target)
            .filter(|one| one.port.is_none() || one.port == port);
        let refused = seen
            .clone()
            .find(|one| one.sni.is_none() && is_ended(&one.error) && !is_answered(one))?;
        let taken = seen.find(|one| one.sni.is_some() && is_answered(one))?;
        let title = format!(
            "{} ends a handshake that names no host, and the gateway names none: it asks for \
             {expected}.",
            target.endpoint()
        );
        let found = finding(Cause::NoSni, Confidence::Likely, title)
            .because([self.because(&target.row.place, "what the probe says")])
            .because([
                self.because(&refused.place, "without a name, the handshake fails"),
                self.because(&taken.place, "with a name, it succeeds"),
            ]);
        let mends = self.mend_certificate(Cause::NoSni, index).into_iter();
        Some(mends.fold(found, |found, fix| found.fixed_by(fix)))
    }

    /// A probe without a host name sends none, and gets what the server has for that.
    fn without_name(&self, index: usize, expected: &str) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let without = self.evidence.presented_without_sni.as_ref()?;
        let leaf = without.leaf()?;
        let names = leaf.names().served().join(", ");
        let names = match names.is_empty() {
            true => leaf.subject().to_owned(),
            false => names,
        };
        // Another certificate than the one that the roots fit.
        let chain = self.presented_to(target)?;
        let is_other = || self.is_trusted(target, chain) && !self.is_trusted(target, without);
        if !sends_no_name(expected) || target.symptom != Symptom::CertificateName && !is_other() {
            return None;
        }
        let title = format!(
            "The gateway sends no server name, and {} presents a certificate for {names} then.",
            target.row.address
        );
        let mut because = vec![self.because(&without.place, "what it presents without a name")];
        because.extend(self.of_configuration(target));
        Some(Judged {
            cause: Cause::NoSni,
            confidence: Confidence::Certain,
            title,
            because,
            contradicts: None,
        })
    }

    /// Whether what was presented is what probes get: asked for the same name, on the same port.
    fn is_of_probe(&self, target: &Target<'_>, expected: &str) -> bool {
        self.tls_at(target).all(|one| {
            let is_port = one.port.is_none() || one.port == target.probed_port();
            let is_name = one
                .sni
                .as_deref()
                .is_none_or(|sni| sni.eq_ignore_ascii_case(expected));
            is_port && is_name
        })
    }

    /// What is presented is in date, and the uploaded root that it leads to is not: a message about
    /// dates speaks of that one.
    fn with_expired_root(&self, index: usize) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let root = self.expired_root(target)?;
        let subject = root.certificate.subject().to_owned();
        let says = Defect::AnchorExpired {
            subject,
            not_after: root.certificate.not_after(),
        };
        let chain = self.presented_to(target)?;
        let in_date = "what the server presents is in date";
        Some(Judged {
            cause: Cause::Expired,
            confidence: Confidence::Likely,
            title: format!("What {} presents is in date; {says}.", target.row.address),
            because: vec![
                self.because(&root.place, says.to_string()),
                self.because(&chain.place, in_date),
            ],
            contradicts: None,
        })
    }

    /// The key that is pinned, in a certificate of which the probe says that its dates do not fit.
    fn pinned_out_of_date(&self, index: usize) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let says_dates = [Cause::Expired, Cause::NotYetValid];
        said(target.symptom).filter(|cause| says_dates.contains(cause))?;
        let chain = self.presented_to(target)?;
        let expected = self.expected(target);
        let verdict = self.examined(target, chain, &expected, checks_of(target));
        let (cause, says) = verdict.remarks.iter().find_map(|one| match one.kind() {
            Kind::Expired => Some((Cause::Expired, one.to_string())),
            Kind::NotYetValid => Some((Cause::NotYetValid, one.to_string())),
            _ => None,
        })?;
        let leaf = chain.leaf().map(|leaf| leaf.names().served().join(", "));
        let leaf = leaf.unwrap_or_default();
        let mut because = vec![self.because(&chain.place, says.clone())];
        because.extend(self.of_configuration(target));
        Some(Judged {
            cause,
            confidence: Confidence::Certain,
            title: self.title_of(cause, target, &expected, &leaf, &says),
            because,
            contradicts: None,
        })
    }

    /// The root that has run out, and is all that a probe which speaks of dates can mean.
    pub(super) fn expired_root(&self, target: &Target<'_>) -> Option<&Uploaded> {
        if said(target.symptom) != Some(Cause::Expired) {
            return None;
        }
        let chain = self.presented_to(target)?;
        let expected = self.expected(target);
        let verdict = self.examined(target, chain, &expected, checks_of(target));
        let mut remarks = verdict.remarks.iter().filter(|_| verdict.is_accepted());
        let subject = remarks.find_map(|one| match one {
            Defect::AnchorExpired { subject, .. } => Some(subject),
            _ => None,
        })?;
        let mut roots = self.roots(target).into_iter();
        roots.find(|one| one.certificate.subject() == subject)
    }

    /// What is presented now is fine: the message is of another moment, or of another name.
    fn accepted(&mut self, index: usize, expected: &str) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let says = format!(
            "what {} presents is accepted for {expected}",
            target.row.address
        );
        for cause in [
            Cause::CnSanMismatch,
            Cause::MissingTrustedRoot,
            Cause::IncompleteChain,
            Cause::Expired,
        ] {
            self.rule_out(cause, says.clone());
        }
        None
    }

    /// The versions that the server takes, where somebody tried them.
    fn protocol_mismatch(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        if !target.is_encrypted() {
            return None;
        }
        let address = target.row.address.clone();
        let seen = self.tls_at(target).find(|one| !one.versions.is_empty());
        // A message about a certificate comes from a handshake that went that far.
        let is_of_certificate = target.symptom.is_of_certificate();
        let app = self.app_of(target).filter(|_| !is_of_certificate);
        let (versions, place) = match (seen, app.filter(|app| app.wants_newest_tls())) {
            (Some(seen), _) => (seen.versions.clone(), &seen.place),
            (None, Some(app)) => (vec!["TLSv1.3".to_owned()], &app.place),
            (None, None) => return None,
        };
        // The second generation speaks TLS 1.3 to backends since 2025, the first never did.
        let is_v1 = self.evidence.gateway.is_v1();
        let speaks_newest = !is_v1 && self.now >= NEWEST_TLS_SINCE;
        let is_common =
            |version: &String| version.contains("1.2") || version.contains("1.3") && speaks_newest;
        let is_newest = |version: &String| version.contains("1.3");
        // Gateways began to speak it one after the other: where nothing but TLS is in the way.
        let is_all = versions.iter().all(is_newest) && target.symptom == Symptom::NotConnected;
        let may_differ = speaks_newest && is_all && self.is_open_to_gateway(target);
        if versions.iter().any(is_common) && !may_differ {
            return None;
        }
        let speaks = match versions.iter().any(|version| version.contains("1.3")) {
            true if is_v1 => "a v1 gateway speaks TLS 1.2 at most",
            true if may_differ => "gateways speak that to backends since 2025 alone",
            true => "a gateway of before 2025 speaks TLS 1.2 at most",
            false => "the gateway speaks TLS 1.2 at least",
        };
        let title = format!(
            "{address} takes {} alone, and {speaks}.",
            versions.join(", ")
        );
        let app = app.map(|app| {
            let (group, name) = self.named_in_commands(Some(app));
            format!("az webapp config set -g {group} -n {name} --min-tls-version 1.2")
        });
        let because = [
            self.because(&target.row.place, "the probe fails within TLS"),
            self.because(place, "the versions that it takes"),
        ];
        Some(
            finding(
                Cause::TlsVersionOrCipherMismatch,
                match may_differ {
                    true => Confidence::Likely,
                    false => Confidence::Certain,
                },
                title,
            )
            .because(because)
            .fixed_by(
                fix(
                    Owner::Backend,
                    "Switch TLS 1.2 on at the server (nginx: ssl_protocols TLSv1.2 TLSv1.3).",
                )
                .run(app.unwrap_or_else(|| {
                    "grep -rn ssl_protocols /etc/nginx   # it must have TLSv1.2 TLSv1.3; on \
                     Windows Server: enable TLS 1.2 in SCHANNEL\\Protocols"
                        .to_owned()
                }))
                .run(format!(
                    "openssl s_client -connect {address}:{} -tls1_2",
                    target.probed_port().unwrap_or(443)
                ))
                .verified_by(self.commands.verify_health()),
            ),
        )
    }

    /// Whether somebody got a connection to a server from the gateway's subnet.
    pub(super) fn is_open_to_gateway(&self, target: &Target<'_>) -> bool {
        let addresses = self.addresses_of(&target.row.address).into_iter();
        let hosts = addresses.map(|one| one.to_string());
        let hosts = hosts.chain([target.row.address.clone()]);
        let mut tcp = self.connections_to(hosts).into_iter();
        tcp.any(|one| {
            one.result == TcpResult::Open
                && one.port == target.probed_port()
                && self.is_from_gateway(&one.from)
        })
    }

    pub(super) fn ask_for_chain(&mut self, index: usize) {
        let Some(target) = self.site.targets.get(index) else {
            return;
        };
        if self.presented_to(target).is_some() {
            return;
        }
        let command = format!(
            "{} > certs/presented.pem",
            show_chain(target, &self.expected(target))
        );
        self.need(
            PRESENTED,
            "what the server presents decides, whatever messages say",
            command,
        );
    }
}

pub(super) fn show_chain(target: &Target<'_>, name: &str) -> String {
    let port = target.probed_port().unwrap_or(443);
    let sni = match name.parse::<std::net::IpAddr>() {
        Ok(_) => "-noservername".to_owned(),
        Err(_) => format!("-servername {}", word(name)),
    };
    format!(
        "openssl s_client -connect {}:{port} {sni} -showcerts </dev/null",
        target.row.address
    )
}

fn server_name(name: &str) -> ServerName<'_> {
    match name.parse() {
        Ok(address) => ServerName::Address(address),
        Err(_) => ServerName::Dns(name),
    }
}

pub(super) fn checks_of(target: &Target<'_>) -> Checks {
    let setting = target.setting.map(|one| &one.properties);
    Checks {
        chain: setting.and_then(|one| one.validate_cert_chain_and_expiry) != Some(false),
        name: setting.and_then(|one| one.validate_sni) != Some(false),
    }
}

/// Whether what a probe asks for is an address, of which TLS sends no name.
pub(super) fn sends_no_name(expected: &str) -> bool {
    expected.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a server ended a handshake, by what a tool said of it in lower case: no connection at
/// all is something else.
fn is_ended(error: &str) -> bool {
    let is_of_connection = ["timed out", "timeout", "refused", "unreachable"];
    let words = ["reset", "alert", "handshake", "eof", "closed"];
    words.iter().any(|word| error.contains(word))
        && !is_of_connection.iter().any(|word| error.contains(word))
}
