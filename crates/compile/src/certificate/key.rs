//! Private keys: the three encodings that are met, brought to PKCS#8, and their public halves.

use gatewright_chain::der::{Tlv, encode, tag};
use gatewright_snapshot::PrivateKey;
use rustls_pki_types::PrivateKeyDer;
use x509_parser::certificate::X509Certificate;

use super::CertificateError;

/// `INTEGER 0`: the version of a PKCS#8 key.
const VERSION_0: &[u8] = &[tag::INTEGER, 1, 0];

/// `SEQUENCE { rsaEncryption, NULL }` (RFC 8017, appendix A.1).
const RSA_ALGORITHM: &[u8] = &[
    0x30,
    13,
    6,
    9,
    0x2a,
    0x86,
    0x48,
    0x86,
    0xf7,
    0x0d,
    0x01,
    0x01,
    0x01,
    tag::NULL,
    0,
];

/// `OBJECT IDENTIFIER id-ecPublicKey` (RFC 5480).
const EC_PUBLIC_KEY: &[u8] = &[tag::OBJECT_ID, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The key in PKCS#8.
///
/// # Errors
/// When a SEC1 key does not say which curve it is on, or the bytes are no such key.
pub(crate) fn to_pkcs8(key: &PrivateKeyDer<'_>) -> Result<PrivateKey, CertificateError> {
    let der = match key {
        PrivateKeyDer::Pkcs8(key) => {
            let key = key.secret_pkcs8_der();
            Tlv::only(key, tag::SEQUENCE).map(|_| key.to_vec())
        }
        PrivateKeyDer::Pkcs1(key) => pkcs8_from_pkcs1(key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => pkcs8_from_sec1(key.secret_sec1_der()),
        _ => None,
    };
    der.map(PrivateKey::new).ok_or(CertificateError::Key)
}

/// RFC 8017 `RSAPrivateKey` into RFC 5208 `PrivateKeyInfo`.
fn pkcs8_from_pkcs1(key: &[u8]) -> Option<Vec<u8>> {
    Tlv::only(key, tag::SEQUENCE)?;
    Some(wrap(RSA_ALGORITHM, key))
}

/// RFC 5915 `ECPrivateKey` into RFC 5208 `PrivateKeyInfo`; the curve moves to the algorithm.
fn pkcs8_from_sec1(key: &[u8]) -> Option<Vec<u8>> {
    let fields = Tlv::only(key, tag::SEQUENCE)?;
    let parameters = fields
        .children()
        .find(|field| field.tag == tag::CONTEXT_0)?;
    let curve = Tlv::only(parameters.contents, tag::OBJECT_ID)?;
    let algorithm = encode(tag::SEQUENCE, &[EC_PUBLIC_KEY, curve.whole]);
    Some(wrap(&algorithm, key))
}

fn wrap(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let octets = zeroize::Zeroizing::new(encode(tag::OCTET_STRING, &[key]));
    encode(tag::SEQUENCE, &[VERSION_0, algorithm, &octets])
}

/// Whether a certificate is for the public half of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// The private key's encoding does not tell its public half.
    Unknown,
}

/// Compares the public key of `certificate` with what the private key says of its public half: an
/// RSA key always holds it, an elliptic-curve key usually does.
pub(crate) fn matches(key: &PrivateKey, certificate: &X509Certificate<'_>) -> Match {
    let Some(own) = public_half(key.pkcs8_der()) else {
        return Match::Unknown;
    };
    let public = certificate.public_key();
    match *public.subject_public_key.data == own {
        true => Match::Yes,
        false => Match::No,
    }
}

/// The contents of the `subjectPublicKey` that belongs to the key.
fn public_half(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Tlv::only(pkcs8, tag::SEQUENCE)?.children();
    let (_version, algorithm, key) = (fields.next()?, fields.next()?, fields.next()?);
    let inner = || Tlv::only(key.contents, tag::SEQUENCE);
    if algorithm.whole == RSA_ALGORITHM {
        let mut numbers = inner()?.children().skip(1);
        let (modulus, exponent) = (numbers.next()?, numbers.next()?);
        return Some(encode(tag::SEQUENCE, &[modulus.whole, exponent.whole]));
    }
    if algorithm.contents.starts_with(EC_PUBLIC_KEY) {
        let public = inner()?
            .children()
            .find(|field| field.tag == tag::CONTEXT_1)?;
        let (bits, _) = Tlv::read(public.contents)?;
        // The first byte of a bit string counts its unused bits.
        return bits.contents.strip_prefix(&[0]).map(<[u8]>::to_vec);
    }
    None
}
