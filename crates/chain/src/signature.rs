//! Who really signed a certificate.
//!
//! What is accepted is what the TLS library accepts from aws-lc-rs: ECDSA on the NIST curves, RSA
//! of 2,048 bits and more with SHA-2, Ed25519, ML-DSA. Weaker RSA signatures are verified too, so
//! that "too weak" can be told from "by somebody else".

use aws_lc_rs::signature as aws;
use aws_lc_rs::signature::{UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::{AlgorithmIdentifier, alg_id as id};

use crate::der::{Tlv, tag};

/// Why a signature that can be verified is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It is over a SHA-1 hash.
    Sha1,
    /// It is made with an RSA key of less than 2,048 bits.
    ShortKey,
}

/// What became of checking one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By this key.
    Yes,
    /// By this key, in a way that is not accepted.
    Weakly(Weakness),
    /// Not by this key.
    No,
    /// In a way that cannot be verified here.
    Unsupported,
}

/// The three parts of a certificate that a signature is about, without outer tags but for the
/// first, which is signed with its tag.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SignedData<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// Checks `data` against the public key in `key` (a `SubjectPublicKeyInfo` without its outer tag).
pub(crate) fn check(data: SignedData<'_>, key: &[u8]) -> Signed {
    let Some((key_algorithm, key)) = public_key(key) else {
        return Signed::No;
    };
    let verifies = |algorithm: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(algorithm, key)
            .verify(data.message, data.signature)
            .is_ok()
    };
    let mut is_known = false;
    for scheme in &SCHEMES {
        if scheme.signature.as_ref() != data.algorithm {
            continue;
        }
        is_known = true;
        if scheme.key.as_ref() == key_algorithm && verifies(scheme.algorithm) {
            return scheme.weakness.map_or(Signed::Yes, Signed::Weakly);
        }
    }
    if is_known {
        Signed::No
    } else {
        Signed::Unsupported
    }
}

/// The algorithm (without its outer tag) and the key itself.
fn public_key(contents: &[u8]) -> Option<(&[u8], &[u8])> {
    let (algorithm, rest) = Tlv::read(contents)?;
    let key = Tlv::only(rest, tag::BIT_STRING)?;
    let (0, key) = key.contents.split_first()? else {
        return None;
    };
    let is_curve = [id::ECDSA_P256, id::ECDSA_P384, id::ECDSA_P521]
        .iter()
        .any(|curve| curve.as_ref() == algorithm.contents);
    // Points are plain or compressed (RFC 5480, section 2.2).
    let is_point = matches!(key.first(), Some(0x02..=0x04));
    (is_point || !is_curve).then_some((algorithm.contents, key))
}

struct Scheme {
    signature: AlgorithmIdentifier,
    key: AlgorithmIdentifier,
    algorithm: &'static dyn VerificationAlgorithm,
    /// Why it is not accepted.
    weakness: Option<Weakness>,
}

const fn scheme(
    signature: AlgorithmIdentifier,
    key: AlgorithmIdentifier,
    algorithm: &'static dyn VerificationAlgorithm,
) -> Scheme {
    Scheme {
        signature,
        key,
        algorithm,
        weakness: None,
    }
}

const fn weak_rsa(
    signature: AlgorithmIdentifier,
    algorithm: &'static dyn VerificationAlgorithm,
    weakness: Weakness,
) -> Scheme {
    Scheme {
        signature,
        key: id::RSA_ENCRYPTION,
        algorithm,
        weakness: Some(weakness),
    }
}

/// RSA signatures without the parameters that should be there; they are met, and webpki takes them.
const RSA_SHA256_BARE: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&rsa(11));
const RSA_SHA384_BARE: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&rsa(12));
const RSA_SHA512_BARE: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&rsa(13));
const RSA_SHA1_BARE: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&rsa(5));
const RSA_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0]);

/// An algorithm of PKCS #1 by its number (RFC 8017, appendix C).
const fn rsa(number: u8) -> [u8; 11] {
    [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, number]
}

/// The weak ones last, so that a good signature is not called weak.
static SCHEMES: [Scheme; 28] = [
    scheme(
        id::ECDSA_SHA256,
        id::ECDSA_P256,
        &aws::ECDSA_P256_SHA256_ASN1,
    ),
    scheme(
        id::ECDSA_SHA384,
        id::ECDSA_P256,
        &aws::ECDSA_P256_SHA384_ASN1,
    ),
    scheme(
        id::ECDSA_SHA512,
        id::ECDSA_P256,
        &aws::ECDSA_P256_SHA512_ASN1,
    ),
    scheme(
        id::ECDSA_SHA256,
        id::ECDSA_P384,
        &aws::ECDSA_P384_SHA256_ASN1,
    ),
    scheme(
        id::ECDSA_SHA384,
        id::ECDSA_P384,
        &aws::ECDSA_P384_SHA384_ASN1,
    ),
    scheme(
        id::ECDSA_SHA512,
        id::ECDSA_P384,
        &aws::ECDSA_P384_SHA512_ASN1,
    ),
    scheme(
        id::ECDSA_SHA256,
        id::ECDSA_P521,
        &aws::ECDSA_P521_SHA256_ASN1,
    ),
    scheme(
        id::ECDSA_SHA384,
        id::ECDSA_P521,
        &aws::ECDSA_P521_SHA384_ASN1,
    ),
    scheme(
        id::ECDSA_SHA512,
        id::ECDSA_P521,
        &aws::ECDSA_P521_SHA512_ASN1,
    ),
    scheme(id::ED25519, id::ED25519, &aws::ED25519),
    scheme(
        id::RSA_PKCS1_SHA256,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA256,
    ),
    scheme(
        id::RSA_PKCS1_SHA384,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA384,
    ),
    scheme(
        id::RSA_PKCS1_SHA512,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA512,
    ),
    scheme(
        RSA_SHA256_BARE,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA256,
    ),
    scheme(
        RSA_SHA384_BARE,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA384,
    ),
    scheme(
        RSA_SHA512_BARE,
        id::RSA_ENCRYPTION,
        &aws::RSA_PKCS1_2048_8192_SHA512,
    ),
    scheme(
        id::RSA_PSS_SHA256,
        id::RSA_ENCRYPTION,
        &aws::RSA_PSS_2048_8192_SHA256,
    ),
    scheme(
        id::RSA_PSS_SHA384,
        id::RSA_ENCRYPTION,
        &aws::RSA_PSS_2048_8192_SHA384,
    ),
    scheme(
        id::RSA_PSS_SHA512,
        id::RSA_ENCRYPTION,
        &aws::RSA_PSS_2048_8192_SHA512,
    ),
    scheme(id::ML_DSA_44, id::ML_DSA_44, &aws::ML_DSA_44),
    scheme(id::ML_DSA_65, id::ML_DSA_65, &aws::ML_DSA_65),
    scheme(id::ML_DSA_87, id::ML_DSA_87, &aws::ML_DSA_87),
    weak_rsa(
        RSA_SHA1,
        &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Weakness::Sha1,
    ),
    weak_rsa(
        RSA_SHA1_BARE,
        &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Weakness::Sha1,
    ),
    weak_rsa(
        id::RSA_PKCS1_SHA256,
        &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Weakness::ShortKey,
    ),
    weak_rsa(
        RSA_SHA256_BARE,
        &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Weakness::ShortKey,
    ),
    weak_rsa(
        id::RSA_PKCS1_SHA512,
        &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        Weakness::ShortKey,
    ),
    weak_rsa(
        RSA_SHA512_BARE,
        &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        Weakness::ShortKey,
    ),
];
