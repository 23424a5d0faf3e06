//! `publicCertData`: the public chain of a listener's certificate, which an export does carry, as a
//! PKCS#7 bundle in base64. It tells the names that a development certificate should have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_chain::Certificate;
use gatewright_chain::der::{Tlv, encode, tag};

use super::{CERTIFICATES_MAX, decode_base64};

/// Longest `publicCertData` that is looked at, in characters.
const TEXT_MAX: usize = 128 * 1024;

/// `OBJECT IDENTIFIER signedData` (RFC 2315, section 14).
const SIGNED_DATA: &[u8] = &[
    tag::OBJECT_ID,
    9,
    0x2a,
    0x86,
    0x48,
    0x86,
    0xf7,
    0x0d,
    0x01,
    0x07,
    0x02,
];

/// `SEQUENCE { OBJECT IDENTIFIER data }`: contents that are not there.
const NO_CONTENT: &[u8] = &[
    tag::SEQUENCE,
    11,
    tag::OBJECT_ID,
    9,
    0x2a,
    0x86,
    0x48,
    0x86,
    0xf7,
    0x0d,
    0x01,
    0x07,
    0x01,
];

/// `INTEGER 1`: the version of a `SignedData`.
const VERSION_1: &[u8] = &[tag::INTEGER, 1, 1];

const EMPTY_SET: &[u8] = &[tag::SET, 0];

/// The certificates of `chain`, in DER, as the service shows them: base64 of a PKCS#7 `SignedData`
/// (RFC 2315, section 9.1) that nobody signed and that holds nothing else.
pub fn public_cert_data(chain: &[Vec<u8>]) -> String {
    let certificates: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    let certificates = encode(tag::CONTEXT_0, &certificates);
    let parts = [VERSION_1, EMPTY_SET, NO_CONTENT, &certificates, EMPTY_SET];
    let signed_data = encode(tag::SEQUENCE, &parts);
    let content = encode(tag::CONTEXT_0, &[&signed_data]);
    STANDARD.encode(encode(tag::SEQUENCE, &[SIGNED_DATA, &content]))
}

/// The DNS names of the leaf in `data`. Empty for anything that cannot be read: the names are a
/// help, and no part of what is served depends on them.
pub(crate) fn leaf_names(data: &str) -> Vec<String> {
    let leaf = public_leaf(data);
    leaf.map(|leaf| leaf.names().served()).unwrap_or_default()
}

/// The certificate that `publicCertData` is about, without its chain; `None` for anything that
/// cannot be read.
pub fn public_leaf(data: &str) -> Option<Certificate> {
    if data.len() > TEXT_MAX {
        return None;
    }
    let bytes = decode_base64(data)?;
    let bundle = certificates(&bytes).unwrap_or_else(|| vec![bytes.as_slice()]);
    let read = |der| Certificate::read(der).ok();
    let mut bundle: Vec<Certificate> = bundle.into_iter().filter_map(read).collect();
    let leaf = bundle.iter().position(|one| !one.is_authority());
    match bundle.is_empty() {
        true => None,
        false => Some(bundle.swap_remove(leaf.unwrap_or(0))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bundled_is_found_again() {
        let chain = [vec![0x30, 1, 7], vec![0x30, 2, 8, 9]];
        let bundle = decode_base64(&public_cert_data(&chain)).unwrap();
        assert_eq!(certificates(&bundle).unwrap(), chain);
        // How bundles of the service begin: a ContentInfo, and signedData.
        let long = public_cert_data(&[vec![0x30; 700], vec![0x30; 700]]);
        assert!(
            long.starts_with("MII") && long.contains("YJKoZIhvcNAQcCoII"),
            "{long:.40}"
        );
        assert!(long.contains("CAQExADALBgkqhkiG9w0BBwGg"), "{long:.80}");
    }
}
