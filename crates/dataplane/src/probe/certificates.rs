//! What is to be said of the certificates that a probed server presented.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_chain::{
    Anchor, Certificate, Checks, Defect, Kind, Presented, ServerName, Trust, Verdict, examine,
};
use gatewright_snapshot::{BackendTrust, BackendVerification, Generation};
use gatewright_telemetry::{CertificateNote, HealthMessage};

use crate::tls::well_known_roots;

/// Certificates of a chain that are told of.
const NOTES_MAX: usize = 16;

/// A chain that has been examined.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) notes: Vec<CertificateNote>,
}

/// Examines what was presented (DER), as `verification` wants it. `name`: what was asked for;
/// without one no name is checked.
pub(super) fn judge(
    ders: &[Vec<u8>],
    verification: &BackendVerification,
    name: Option<&str>,
) -> Judged {
    let presented = Presented::read(ders.iter().map(Vec::as_slice));
    let checks = Checks {
        chain: verification.check_chain,
        name: verification.check_name && name.is_some(),
    };
    let anchors: Vec<Anchor<'_>> = well_known_roots()
        .roots
        .iter()
        .map(|root| Anchor {
            subject: root.subject.as_ref(),
            key: root.subject_public_key_info.as_ref(),
            constraints: root.name_constraints.as_ref().map(AsRef::as_ref),
        })
        .collect();
    let own = own_certificates(&verification.trust);
    let trust = match &verification.trust {
        BackendTrust::WellKnown => Trust::WellKnown { anchors: &anchors },
        BackendTrust::Roots(_) => Trust::Uploaded {
            anchors: &anchors,
            roots: &own,
        },
        BackendTrust::Pinned(_) => Trust::Pinned { certificates: &own },
    };
    let mut verdict = examine(&presented, &trust, server_name(name), unix_now(), checks);
    if name.is_none() {
        // Nothing was asked for that the certificate could lack.
        verdict
            .remarks
            .retain(|remark| remark.kind() != Kind::NameMismatch);
    }
    let notes = notes(ders, &presented, &verdict);
    Judged { verdict, notes }
}

/// Those that were uploaded. One that cannot be read was told of when it was compiled.
fn own_certificates(trust: &BackendTrust) -> Vec<Certificate> {
    let own = match trust {
        BackendTrust::WellKnown => return Vec::new(),
        BackendTrust::Roots(own) | BackendTrust::Pinned(own) => own,
    };
    own.iter()
        .filter_map(|der| Certificate::read(der).ok())
        .collect()
}

fn server_name(name: Option<&str>) -> ServerName<'_> {
    let name = name.unwrap_or_default();
    match name.parse::<IpAddr>() {
        Ok(address) => ServerName::Address(address),
        Err(_) => ServerName::Dns(name),
    }
}

fn notes(ders: &[Vec<u8>], presented: &Presented, verdict: &Verdict) -> Vec<CertificateNote> {
    let certificates = presented.certificates().iter().zip(ders);
    certificates
        .take(NOTES_MAX)
        .enumerate()
        .map(|(position, (certificate, der))| {
            let all = verdict.defects.iter().chain(&verdict.remarks);
            let own = all.filter(|defect| defect.position() == Some(position));
            let defects: Vec<String> = own.map(Defect::to_string).collect();
            let defect = (!defects.is_empty()).then(|| defects.join("; "));
            let note = match certificate {
                Ok(certificate) => {
                    let is_server = verdict.path.first() == Some(&position);
                    note(certificate, is_server, defect)
                }
                Err(why) => unreadable(defect.unwrap_or_else(|| format!("it {why}"))),
            };
            CertificateNote {
                der: der.clone(),
                ..note
            }
        })
        .collect()
}

/// With the names that are compared with the one asked for. An authority that does not stand for
/// the server has a common name too, which is no host's.
fn note(certificate: &Certificate, is_server: bool, defect: Option<String>) -> CertificateNote {
    let names = certificate.names();
    let names = if certificate.is_authority() && !is_server {
        let addresses = names.addresses().iter().map(IpAddr::to_string);
        names.dns().iter().cloned().chain(addresses).collect()
    } else {
        names.compared()
    };
    CertificateNote {
        subject: certificate.subject().to_owned(),
        issuer: certificate.issuer().to_owned(),
        names,
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        defect,
        der: Vec::new(),
    }
}

fn unreadable(defect: String) -> CertificateNote {
    CertificateNote {
        subject: "(cannot be read)".to_owned(),
        issuer: String::new(),
        names: Vec::new(),
        not_before: 0,
        not_after: 0,
        defect: Some(defect),
        der: Vec::new(),
    }
}

/// The sentence for a defect: by the row of the service's documentation that it belongs to.
pub(super) fn message(kind: Kind, generation: Generation) -> HealthMessage {
    match (kind.row(), generation) {
        (Some(6), Generation::V1) => HealthMessage::CertificateNameV1,
        (Some(6), Generation::V2) => HealthMessage::CertificateName,
        (Some(7), _) => HealthMessage::CertificateDates,
        (Some(8), _) => HealthMessage::IntermediateMissing,
        (Some(9), _) => HealthMessage::LeafMissing,
        (Some(10), _) => HealthMessage::NotWellKnown,
        (Some(11), _) => HealthMessage::IntermediateNotWellKnown,
        (Some(12), _) => HealthMessage::IntermediateNotUploaded,
        (Some(13), _) => HealthMessage::RootMismatch,
        (Some(14), _) => HealthMessage::LeafNotTopmost,
        (None, _) if kind == Kind::NotPinned => HealthMessage::NotAllowListed,
        (Some(_) | None, _) => HealthMessage::CertificateUnverified,
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use gatewright_testkit::certificates::{Authority, Identity, Leaf};

    use super::*;

    /// The names that are told of each certificate of a chain whose root was uploaded.
    fn names(identity: &Identity, root: &Authority, name: &str) -> Vec<Vec<String>> {
        let chain: Vec<Vec<u8>> = identity.chain.iter().map(|der| der.to_vec()).collect();
        let verification = BackendVerification {
            trust: BackendTrust::Roots(vec![root.root_certificate().to_vec()]),
            check_chain: true,
            check_name: true,
            sni_name: None,
        };
        let judged = judge(&chain, &verification, Some(name));
        judged.notes.into_iter().map(|note| note.names).collect()
    }

    #[test]
    fn the_names_told_are_those_that_are_compared() {
        let root = Authority::new("My Root");
        let issuing = root.intermediate("My Issuing");
        let nothing: &[&str] = &[];
        for (leaf, expected) in [
            (Leaf::named("app.test"), &["app.test"][..]),
            (
                Leaf::named("10.0.0.4").common_name("app.test"),
                &["10.0.0.4"],
            ),
            (Leaf::common_name_only("app.test"), &["app.test"]),
        ] {
            let told = names(&issuing.issue(leaf), &root, "app.test");
            assert_eq!(told, [expected, nothing]);
        }
    }

    #[test]
    fn an_authority_that_stands_for_the_server_is_told_with_its_common_name() {
        let root = Authority::new("My Root");
        let leaf = Leaf::common_name_only("app.test").as_authority();
        let told = names(&leaf.self_signed(), &root, "app.test");
        assert_eq!(told, [["app.test"]]);
    }
}
