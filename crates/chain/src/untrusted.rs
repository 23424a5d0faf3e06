//! Which of the service's messages fits a chain that leads to nobody who is trusted. The table is
//! in the documentation of the crate.

use crate::certificate::Certificate;
use crate::defect::{Defect, Listed, Untrusted};
use crate::presented::Presented;
use crate::trust::Trust;
use crate::walk::{Top, Walk};

/// What is wrong with a way along `path` that ends at `top`.
pub(crate) fn judge(
    presented: &Presented,
    trust: &Trust<'_>,
    walk: &Walk<'_>,
    path: &[usize],
    top: &Top,
) -> Option<Defect> {
    let last = *path.last()?;
    let certificate = presented.get(last)?;
    let namesake = top.namesake.and_then(|index| walk.authority(index));
    let uploaded = trust.uploaded();
    let untrusted = Untrusted {
        top: presented.at(last),
        issuer: certificate.issuer().to_owned(),
        is_root: top.is_self_signed,
        namesake: namesake.map(|namesake| namesake.anchor.name()),
        uploaded: uploaded.map(subjects),
    };
    let is_leaf = path.len() == 1;
    let is_mistaken_root = namesake.is_some_and(|namesake| namesake.uploaded.is_some());
    if is_leaf && top.is_self_signed {
        return Some(Defect::SelfSigned {
            at: untrusted.top,
            is_authority: certificate.may_issue(),
            uploaded: untrusted.uploaded,
        });
    }
    if is_mistaken_root {
        return Some(Defect::RootMismatch(untrusted));
    }
    if top.is_self_signed {
        return Some(match (uploaded, path.len()) {
            (Some(_), _) => Defect::RootMismatch(untrusted),
            (None, 2) => Defect::ServerNotWellKnown(untrusted),
            (None, _) => Defect::IntermediateNotWellKnown(untrusted),
        });
    }
    if let Some(issuer) = top.other_key {
        return key_differs(presented, last, issuer);
    }
    Some(match (is_leaf, uploaded) {
        (true, None) if namesake.is_some() => Defect::ServerNotWellKnown(untrusted),
        (true, _) => Defect::IntermediateMissing(untrusted),
        (false, Some(_)) => Defect::IntermediateNotUploaded(untrusted),
        (false, None) => Defect::IntermediateNotWellKnown(untrusted),
    })
}

fn subjects(certificates: &[Certificate]) -> Listed {
    Listed::of(certificates.iter().map(|one| one.subject().to_owned()))
}

/// The issuer's certificate was sent, and its key did not sign: either it is another certificate of
/// that authority, which the key identifiers tell, or the signature is bad.
fn key_differs(presented: &Presented, position: usize, issuer: usize) -> Option<Defect> {
    let wanted = presented.get(position)?.authority_key_id();
    let sent = presented.get(issuer)?.subject_key_id();
    let (at, issuer) = (presented.at(position), presented.at(issuer));
    Some(match wanted.is_some() && sent.is_some() && wanted != sent {
        true => Defect::IssuerKeyDiffers { at, issuer },
        false => Defect::BadSignature { at, issuer },
    })
}
