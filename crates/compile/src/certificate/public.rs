//! `publicCertData`: the public chain of a listener's certificate, which an export does carry, as a
//! PKCS#7 bundle in base64. It tells the names that a development certificate should have.

use gatewright_chain::Certificate;
use gatewright_chain::der::{Tlv, tag};

use super::{CERTIFICATES_MAX, decode_base64};

/// Longest `publicCertData` that is looked at, in characters.
const TEXT_MAX: usize = 128 * 1024;

/// The DNS names of the leaf in `data`. Empty for anything that cannot be read: the names are a
/// help, and no part of what is served depends on them.
pub(crate) fn leaf_names(data: &str) -> Vec<String> {
    if data.len() > TEXT_MAX {
        return Vec::new();
    }
    let Some(bytes) = decode_base64(data) else {
        return Vec::new();
    };
    let bundle = certificates(&bytes).unwrap_or_else(|| vec![bytes.as_slice()]);
    let read = |der| Certificate::read(der).ok();
    let bundle: Vec<Certificate> = bundle.into_iter().filter_map(read).collect();
    let leaf = bundle.iter().find(|one| !one.is_authority());
    let leaf = leaf.or(bundle.first());
    leaf.map(|leaf| leaf.names().served()).unwrap_or_default()
}

/// The certificates of a PKCS#7 `SignedData` (RFC 2315, sections 7 and 9.1).
fn certificates(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (bundle, _) = Tlv::read(bytes)?;
    let mut members = bundle.children();
    members.next().filter(|kind| kind.tag == tag::OBJECT_ID)?;
    let content = members
        .next()
        .filter(|content| content.tag == tag::CONTEXT_0)?;
    let (signed_data, _) = Tlv::read(content.contents)?;
    let certificates = signed_data
        .children()
        .find(|member| member.tag == tag::CONTEXT_0)?;
    Some(
        certificates
            .children()
            .map(|one| one.whole)
            .take(CERTIFICATES_MAX)
            .collect(),
    )
}
