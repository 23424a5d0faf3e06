//! What a certificate that is not accepted means, by what was presented and by what was said.

use gatewright_chain::{Certificate, Defect, Kind};

use super::Walk;
use super::certificates::{Judged, TRUST, sends_no_name};
use crate::cause::Cause;
use crate::evidence::{Chain, Uploaded};
use crate::finding::{Because, Confidence};
use crate::message::Symptom;
use crate::site::{Target, in_gateway};

impl Walk<'_> {
    pub(super) fn cause_of(&self, defect: &Defect, index: usize, chain: &Chain) -> (Cause, String) {
        let says = defect.to_string();
        let Some(target) = self.site.targets.get(index) else {
            return (Cause::CnSanMismatch, says);
        };
        let cause = match defect.kind() {
            Kind::LeafMissing | Kind::LeafNotFirst => Cause::ChainOrder,
            Kind::Expired | Kind::InvalidDates => Cause::Expired,
            Kind::NotYetValid => Cause::NotYetValid,
            Kind::NotPinned => self.pin_cause(target, chain),
            Kind::NameMismatch => self.name_cause(target),
            Kind::SelfSigned | Kind::SelfSignedNotWellKnown | Kind::SelfSignedNotUploaded => {
                match self.no_authority(target, chain).is_some() {
                    true => Cause::RootNotACa,
                    false => Cause::SelfSigned,
                }
            }
            Kind::IntermediateMissing
            | Kind::ServerNotWellKnown
            | Kind::IntermediateNotWellKnown
            | Kind::IntermediateNotUploaded
            | Kind::RootMismatch
            | Kind::IssuerKeyDiffers => self.trust_cause(target, chain, defect.kind()),
            _ => match said(target.symptom) {
                Some(cause) => cause,
                None => Cause::IncompleteChain,
            },
        };
        (cause, says)
    }

    /// A rotated certificate keeps its names, or is like the old one for the name that is asked
    /// for; of another site it is none of them.
    fn pin_cause(&self, target: &Target<'_>, chain: &Chain) -> Cause {
        let leaf = chain.leaf();
        let expected = self.expected(target);
        let presented = leaf.map(|leaf| leaf.names().served()).unwrap_or_default();
        let is_asked_for = leaf.is_some_and(|leaf| leaf.names().cover(&expected));
        let pinned = self.roots(target);
        let is_same = pinned.iter().any(|one| {
            let names = one.certificate.names();
            let shares = names.served().iter().any(|name| presented.contains(name));
            shares || is_asked_for && names.cover(&expected)
        });
        match is_same || pinned.is_empty() {
            true => Cause::V1PinnedCertRotated,
            false => Cause::V1SniIsPoolFqdn,
        }
    }

    /// Which root is missing, or which certificate between it and the server's.
    fn trust_cause(&self, target: &Target<'_>, chain: &Chain, kind: Kind) -> Cause {
        let attached = self.roots(target);
        let signs_top = |root: &Certificate| self.signs_top(chain, root);
        if self.unattached(target).is_some() {
            return Cause::TrustedRootNotAttached;
        }
        if self.no_authority(target, chain).is_some() {
            return Cause::RootNotACa;
        }
        let has_only_leaf = chain.presented.certificates().len() == 1;
        let root_known = self.evidence.uploaded.iter().any(|one| {
            !one.is_uploaded && one.certificate.is_self_signed() && signs_top(&one.certificate)
        });
        match kind {
            Kind::IntermediateMissing if !root_known => Cause::IncompleteChain,
            _ if has_only_leaf && !root_known && !attached.is_empty() => Cause::IncompleteChain,
            _ if attached.is_empty() => Cause::MissingTrustedRoot,
            _ => Cause::RootMismatch,
        }
    }

    /// A root that is uploaded, fits what was presented, and is not referred to by the setting.
    pub(super) fn unattached(&self, target: &Target<'_>) -> Option<&Uploaded> {
        let chain = self.presented_to(target)?;
        let attached = self.attached(target);
        self.evidence.uploaded.iter().find(|one| {
            let is_attached = attached
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&one.name));
            let is_own = one.is_uploaded && !one.name.is_empty() && !is_attached;
            is_own && self.signs_top(chain, &one.certificate)
        })
    }

    /// What was uploaded as a root and is none, where it is what the chain leads to or there is no
    /// other: beside the right one it does no harm.
    pub(super) fn no_authority(&self, target: &Target<'_>, chain: &Chain) -> Option<&Uploaded> {
        let roots = self.roots(target);
        let is_one = |one: &&&Uploaded| one.certificate.is_authority();
        let has_one = roots.iter().find(is_one).is_some();
        let mut others = roots
            .into_iter()
            .filter(|one| !one.certificate.is_authority());
        others.find(|one| !has_one || self.signs_top(chain, &one.certificate))
    }

    /// Whether a root signed a certificate of the chain, or is one of them.
    fn signs_top(&self, chain: &Chain, root: &Certificate) -> bool {
        let mut presented = chain.readable();
        presented
            .any(|one| one.issuer() == root.subject() || one.fingerprint() == root.fingerprint())
    }

    fn name_cause(&self, target: &Target<'_>) -> Cause {
        let expected = self.expected(target);
        let mut apps = self.evidence.web_apps.iter();
        let is_unbound = apps.any(|app| app.lacks_certificate_for(&expected));
        match () {
            () if is_unbound => Cause::AppServiceNoTlsBinding,
            () if self.evidence.gateway.is_v1() => Cause::V1SniIsPoolFqdn,
            () if sends_no_name(&expected) => Cause::NoSni,
            () => Cause::CnSanMismatch,
        }
    }

    pub(super) fn title_of(
        &self,
        cause: Cause,
        target: &Target<'_>,
        expected: &str,
        names: &str,
        says: &str,
    ) -> String {
        let address = &target.row.address;
        let setting = target.setting.map_or("", |one| one.name.as_str());
        match cause {
            Cause::V1SniIsPoolFqdn if !names.is_empty() => format!(
                "A v1 gateway asks for {expected}, the name in the pool, and gets a certificate \
                 for {names}, which is not the one that was uploaded."
            ),
            Cause::V1SniIsPoolFqdn => format!(
                "The certificate of {address} is not for {expected}, the name in the pool, which \
                 a v1 gateway asks for."
            ),
            Cause::CnSanMismatch => format!(
                "The certificate of {address} is for {names}, and the gateway asks for {expected}."
            ),
            Cause::MissingTrustedRoot => format!(
                "A private authority signed the certificate of {address}, and the backend setting \
                 {setting} trusts no uploaded root."
            ),
            Cause::TrustedRootNotAttached => format!(
                "The root of {address}'s certificate is uploaded, and the backend setting \
                 {setting} \
                 does not refer to it."
            ),
            Cause::IncompleteChain => format!(
                "{address} sends its own certificate without the intermediate one that signed it."
            ),
            _ => format!("{} {address}: {says}.", cause.means()),
        }
    }

    pub(super) fn of_configuration(&self, target: &Target<'_>) -> Vec<Because> {
        let Some(setting) = target.setting else {
            return Vec::new();
        };
        let trusted = match self.evidence.gateway.is_v1() {
            true => "authenticationCertificates",
            false => "trustedRootCertificates",
        };
        let roots = in_gateway(setting.pointer_to(trusted));
        let host = in_gateway(setting.pointer_to("hostName"));
        let attached = self.attached(target);
        let trusts = match attached.is_empty() {
            true => "the setting refers to no uploaded root".to_owned(),
            false => format!("the setting refers to {}", attached.join(", ")),
        };
        vec![
            self.because(&roots, trusts),
            self.because(&host, format!("probes ask for {}", self.expected(target))),
        ]
    }

    /// Without the certificates, by the message and the configuration.
    pub(super) fn by_message(&mut self, index: usize) -> Option<Judged> {
        let target = self.site.targets.get(index)?;
        let cause = said(target.symptom)?;
        let has_roots = !self.attached(target).is_empty();
        let gateway = &self.evidence.gateway.properties;
        let has_others = !gateway.trusted_root_certificates.is_empty();
        let cause = match cause {
            Cause::RootMismatch | Cause::MissingTrustedRoot if !has_roots && has_others => {
                Cause::TrustedRootNotAttached
            }
            Cause::RootMismatch if !has_roots => Cause::MissingTrustedRoot,
            Cause::MissingTrustedRoot if has_roots => Cause::RootMismatch,
            Cause::CnSanMismatch if self.evidence.gateway.is_v1() => Cause::V1SniIsPoolFqdn,
            Cause::CnSanMismatch => self.named_without_chain(target),
            cause => cause,
        };
        let expected = self.expected(target);
        let title = match cause {
            Cause::CnSanMismatch => format!(
                "The certificate of {} is not for {expected}, which the gateway asks for.",
                target.row.address
            ),
            cause => self.title_of(
                cause,
                target,
                &expected,
                "",
                &format!("the probe says so of {}", target.endpoint()),
            ),
        };
        // Earlier releases said the same where the chain is not whole, or not in order.
        let is_old_wording = target.row.log.to_lowercase().contains("whitelist");
        // That an issuer is not found may be the fault of what is sent or of what is trusted.
        let is_of_issuer = matches!(target.symptom, Symptom::CertificateOther(Some(20 | 21)));
        let confidence = match cause == Cause::RootMismatch && is_old_wording || is_of_issuer {
            true => Confidence::Possible,
            false => Confidence::Likely,
        };
        Some(Judged {
            cause,
            confidence,
            title,
            because: self.of_configuration(target),
            contradicts: None,
        })
    }

    fn named_without_chain(&self, target: &Target<'_>) -> Cause {
        let expected = self.expected(target);
        let mut apps = self.evidence.web_apps.iter();
        let is_unbound = apps.any(|app| app.lacks_certificate_for(&expected));
        match is_unbound {
            true => Cause::AppServiceNoTlsBinding,
            false => Cause::CnSanMismatch,
        }
    }
}

/// The cause that a message speaks of.
pub(super) fn said(symptom: Symptom) -> Option<Cause> {
    Some(match symptom {
        Symptom::CertificateName => Cause::CnSanMismatch,
        Symptom::CertificateDates => Cause::Expired,
        Symptom::IntermediateMissing => Cause::IncompleteChain,
        Symptom::LeafMissing | Symptom::LeafNotTopmost => Cause::ChainOrder,
        Symptom::NotTrusted => Cause::MissingTrustedRoot,
        Symptom::OtherRoot => Cause::RootMismatch,
        Symptom::NotPinned => Cause::V1PinnedCertRotated,
        Symptom::CertificateOther(Some(9)) => Cause::NotYetValid,
        Symptom::CertificateOther(Some(10)) => Cause::Expired,
        Symptom::CertificateOther(Some(18)) => Cause::SelfSigned,
        Symptom::CertificateOther(Some(19)) => Cause::MissingTrustedRoot,
        Symptom::CertificateOther(Some(20 | 21)) => Cause::IncompleteChain,
        Symptom::CertificateOther(Some(24 | 79)) => Cause::RootNotACa,
        Symptom::CertificateOther(Some(62)) => Cause::CnSanMismatch,
        _ => return None,
    })
}

/// Whether a message can be meant so: those about trust are one.
pub(super) fn said_by(symptom: Symptom, cause: Cause) -> bool {
    let names = [
        Cause::CnSanMismatch,
        Cause::NoSni,
        Cause::AppServiceNoTlsBinding,
        Cause::V1SniIsPoolFqdn,
    ];
    let dates = [Cause::Expired, Cause::NotYetValid];
    let alike = |group: &[Cause], own: Cause| group.contains(&own) && group.contains(&cause);
    said(symptom).is_none_or(|own| {
        own == cause || alike(&TRUST, own) || alike(&names, own) || alike(&dates, own)
    })
}
