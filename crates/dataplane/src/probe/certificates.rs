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
    presented: &[Vec<u8>],
    verification: &BackendVerification,
    name: Option<&str>,
) -> Judged {
    let presented = Presented::read(presented.iter().map(Vec::as_slice));
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
    let notes = notes(&presented, &verdict);
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

fn notes(presented: &Presented, verdict: &Verdict) -> Vec<CertificateNote> {
    let certificates = presented.certificates().iter().take(NOTES_MAX).enumerate();
    certificates
        .map(|(position, certificate)| {
            let all = verdict.defects.iter().chain(&verdict.remarks);
            let own = all.filter(|defect| defect.position() == Some(position));
            let defects: Vec<String> = own.map(Defect::to_string).collect();
            let defect = (!defects.is_empty()).then(|| defects.join("; "));
            match certificate {
                Ok(certificate) => note(certificate, defect),
                Err(why) => unreadable(defect.unwrap_or_else(|| format!("it {why}"))),
            }
        })
        .collect()
}

fn note(certificate: &Certificate, defect: Option<String>) -> CertificateNote {
    let names = certificate.names();
    let addresses = names.addresses().iter().map(IpAddr::to_string);
    CertificateNote {
        subject: certificate.subject().to_owned(),
        issuer: certificate.issuer().to_owned(),
        names: names.served().into_iter().chain(addresses).collect(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        defect,
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
