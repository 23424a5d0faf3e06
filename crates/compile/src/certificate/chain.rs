//! Putting a chain in order: files hold certificates in any order, and more than belong to it.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::key::{Match, matches};
use super::{CertificateError, Identity, Parts};

/// The leaf of `parts`, followed by issuer after issuer as far as the file has them.
///
/// # Errors
/// When there is no certificate, one is not X.509, or the key belongs to none.
pub(super) fn assemble(parts: Parts) -> Result<Identity, CertificateError> {
    let Parts {
        key,
        marked_leaf,
        certificates,
    } = parts;
    let parsed: Vec<X509Certificate<'_>> = certificates
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, parsed)| parsed))
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::NotX509)?;
    if parsed.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let position = leaf_position(
        &parsed,
        &certificates,
        marked_leaf.as_deref(),
        |certificate| matches(&key, certificate),
    )?;
    let chain = issuers_from(position, &parsed)
        .into_iter()
        .filter_map(|position| certificates.get(position).cloned())
        .collect();
    Ok(Identity { chain, key })
}

/// The certificate of the key. Where the key does not tell: the one that the file marks, else the
/// first that is no authority, else the first.
fn leaf_position(
    parsed: &[X509Certificate<'_>],
    certificates: &[Vec<u8>],
    marked: Option<&[u8]>,
    compare: impl Fn(&X509Certificate<'_>) -> Match,
) -> Result<usize, CertificateError> {
    let verdicts: Vec<Match> = parsed.iter().map(compare).collect();
    if let Some(position) = verdicts.iter().position(|verdict| *verdict == Match::Yes) {
        return Ok(position);
    }
    if !verdicts.contains(&Match::Unknown) {
        return Err(CertificateError::Mismatch);
    }
    let marked = marked.and_then(|leaf| certificates.iter().position(|one| one == leaf));
    let end_entity = || parsed.iter().position(|certificate| !certificate.is_ca());
    Ok(marked.or_else(end_entity).unwrap_or(0))
}

fn issuers_from(leaf: usize, parsed: &[X509Certificate<'_>]) -> Vec<usize> {
    let mut order = vec![leaf];
    while let Some(last) = order.last().and_then(|position| parsed.get(*position)) {
        let issuer = parsed.iter().enumerate().position(|(position, candidate)| {
            !order.contains(&position)
                && candidate.subject().as_raw() == last.issuer().as_raw()
                && last.subject().as_raw() != last.issuer().as_raw()
        });
        match issuer {
            Some(position) => order.push(position),
            None => break,
        }
    }
    order
}
