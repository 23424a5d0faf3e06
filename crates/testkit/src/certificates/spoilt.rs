//! Certificates that the library refuses to make: taken apart, altered, and signed again.

use rcgen::{KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// `[0]`: the version, which version 1 leaves out (RFC 5280 §4.1).
const VERSION: u8 = 0xa0;
/// `[3]`: the extensions, which there are in version 3 only.
const EXTENSIONS: u8 = 0xa3;

/// One element of DER: its tag, its content, and all of its bytes.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// The certificate in X.509 version 1: without its version and its extensions, signed by `signer`,
/// which must be of the kind that had signed it.
pub(super) fn as_version_1(der: &[u8], signer: &KeyPair) -> CertificateDer<'static> {
    let [to_be_signed, algorithm, _] = parts(der);
    let kept: Vec<u8> = elements(to_be_signed.content)
        .iter()
        .filter(|element| !matches!(element.tag, VERSION | EXTENSIONS))
        .flat_map(|element| element.whole.iter().copied())
        .collect();
    let body = encode(SEQUENCE, &kept);
    let signature = signer.sign(&body).expect("an authority can sign");
    // A bit string begins with the number of bits that its last byte lacks.
    let signature = encode(BIT_STRING, &[&[0], signature.as_slice()].concat());
    encode(SEQUENCE, &[&body, algorithm.whole, &signature].concat()).into()
}

/// The certificate with the last bit of its signature changed. The lengths stay right, so that it
/// can still be parsed: the last bit is one of a number.
pub(super) fn with_bad_signature(der: &[u8]) -> CertificateDer<'static> {
    let mut bytes = der.to_vec();
    *bytes.last_mut().expect("a certificate is not empty") ^= 1;
    bytes.into()
}

/// What is signed, the algorithm, and the signature.
fn parts(der: &[u8]) -> [Element<'_>; 3] {
    let certificate = elements(der).pop().expect("a certificate is one element");
    elements(certificate.content)
        .try_into()
        .ok()
        .expect("a certificate has three parts")
}

/// The elements that `der`, which we made ourselves, consists of.
fn elements(mut der: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (header, length) = match der[1] {
            short @ 0..=0x7f => (2, usize::from(short)),
            long => {
                let digits = usize::from(long & 0x7f);
                let length = der[2..2 + digits]
                    .iter()
                    .fold(0, |length, &digit| length << 8 | usize::from(digit));
                (2 + digits, length)
            }
        };
        let (whole, rest) = der.split_at(header + length);
        found.push(Element {
            tag: der[0],
            content: &whole[header..],
            whole,
        });
        der = rest;
    }
    found
}

fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|&&byte| byte == 0).count()..];
    let mut der = vec![tag];
    match digits {
        [] => der.push(0),
        [short @ 0..=0x7f] => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).expect("a length has at most eight bytes"));
            der.extend(long);
        }
    }
    der.extend(content);
    der
}
