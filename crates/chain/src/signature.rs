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
    /// With an RSA key of less than 2,048 bits, in a way that cannot be verified here.
    Shortly,
    /// In a way, or with a key, that cannot be verified here.
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
///
/// "Not by this key" is said where that is certain only: a verifier that knows the key took it and
/// refused, or a key of this kind and size makes no such signature.
pub(crate) fn check(data: SignedData<'_>, key: &[u8]) -> Signed {
    let Some(key) = PublicKey::read(key) else {
        return Signed::Unsupported;
    };
    let mut is_tried = false;
    for scheme in &SCHEMES {
        if scheme.signature.as_ref() != data.algorithm || !scheme.takes(key) {
            continue;
        }
        is_tried = true;
        let verifier = UnparsedPublicKey::new(scheme.algorithm, key.bytes);
        if verifier.verify(data.message, data.signature).is_ok() {
            return scheme.weakness.map_or(Signed::Yes, Signed::Weakly);
        }
    }
    match key.rsa_bits() {
        _ if is_tried || !key.may_have_made(data) => Signed::No,
        Some(bits) if bits < RSA_BITS_LEAST => Signed::Shortly,
        _ => Signed::Unsupported,
    }
}

/// Shortest RSA key that is accepted, in bits.
const RSA_BITS_LEAST: usize = 2_048;

/// Shortest RSA key with which signatures are verified, so as to call them weak, in bits.
const RSA_BITS_LEGACY: usize = 1_024;

/// Longest RSA key with which signatures are verified, in bits.
const RSA_BITS_MOST: usize = 8_192;

/// Algorithms that belong together: a key of one makes no signature of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family<'a> {
    /// PKCS #1, all paddings and hashes.
    Rsa,
    /// ECDSA, all curves and hashes.
    Ec,
    /// Key and signature have the same identifier: Ed25519, ML-DSA.
    Own(&'a [u8]),
}

impl<'a> Family<'a> {
    /// Of an algorithm without its outer tag; `None` where it is not known.
    fn of(algorithm: &'a [u8]) -> Option<Self> {
        let identifier = Tlv::read(algorithm).filter(|(one, _)| one.tag == tag::OBJECT_ID);
        let identifier = identifier?.0.contents;
        // 1.2.840.113549.1.1 and 1.2.840.10045: RFC 8017, appendix C; RFC 5480, appendix A.
        if identifier.starts_with(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1]) {
            return Some(Self::Rsa);
        }
        if identifier.starts_with(&[0x2a, 0x86, 0x48, 0xce, 0x3d]) {
            return Some(Self::Ec);
        }
        let is_own = |scheme: &Scheme| scheme.key == scheme.signature;
        let own = SCHEMES.iter().filter(|scheme| is_own(scheme));
        let mut own = own.map(|scheme| scheme.key.as_ref());
        own.any(|own| own == algorithm)
            .then_some(Self::Own(algorithm))
    }
}

/// A public key.
#[derive(Clone, Copy, Debug)]
struct PublicKey<'a> {
    /// Without its outer tag.
    algorithm: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> PublicKey<'a> {
    fn read(contents: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = Tlv::read(contents)?;
        let key = Tlv::only(rest, tag::BIT_STRING)?;
        let (0, bytes) = key.contents.split_first()? else {
            return None;
        };
        let is_curve = [id::ECDSA_P256, id::ECDSA_P384, id::ECDSA_P521]
            .iter()
            .any(|curve| curve.as_ref() == algorithm.contents);
        // Points are plain or compressed (RFC 5480, section 2.2).
        let is_point = matches!(bytes.first(), Some(0x02..=0x04));
        (is_point || !is_curve).then_some(Self {
            algorithm: algorithm.contents,
            bytes,
        })
    }

    /// The length of the modulus. `None` for what is no RSA key.
    fn rsa_bits(&self) -> Option<usize> {
        if Family::of(self.algorithm) != Some(Family::Rsa) {
            return None;
        }
        let modulus = Tlv::only(self.bytes, tag::SEQUENCE)?.children().next()?;
        let zeros = modulus.contents.iter().take_while(|digit| **digit == 0);
        let digits = modulus.contents.get(zeros.count()..)?;
        let first = digits.first().filter(|_| modulus.tag == tag::INTEGER)?;
        Some(digits.len() * 8 - first.leading_zeros() as usize)
    }

    /// Whether the signature is one that a key of this kind and size makes.
    fn may_have_made(&self, data: SignedData<'_>) -> bool {
        let families = (Family::of(data.algorithm), Family::of(self.algorithm));
        if let (Some(signature), Some(key)) = families
            && signature != key
        {
            return false;
        }
        // An RSA signature is as long as the modulus (RFC 8017, section 8).
        let bits = self.rsa_bits();
        bits.is_none_or(|bits| bits.div_ceil(8) == data.signature.len())
    }
}

struct Scheme {
    signature: AlgorithmIdentifier,
    key: AlgorithmIdentifier,
    algorithm: &'static dyn VerificationAlgorithm,
    /// Why it is not accepted.
    weakness: Option<Weakness>,
}

impl Scheme {
    /// Whether signatures are verified with a key of this kind and size.
    fn takes(&self, key: PublicKey<'_>) -> bool {
        if self.key.as_ref() != key.algorithm {
            return false;
        }
        let sizes = match self.weakness {
            None => RSA_BITS_LEAST..RSA_BITS_MOST + 1,
            Some(Weakness::Sha1) => RSA_BITS_LEGACY..RSA_BITS_MOST + 1,
            Some(Weakness::ShortKey) => RSA_BITS_LEGACY..RSA_BITS_LEAST,
        };
        self.key != id::RSA_ENCRYPTION || key.rsa_bits().is_some_and(|bits| sizes.contains(&bits))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::encode;

    /// An RSA key whose modulus has that many bits.
    fn rsa_key(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        if let Some(first) = modulus.first_mut() {
            *first >>= (8 - bits % 8) % 8;
        }
        modulus.insert(0, 0);
        let modulus = encode(tag::INTEGER, &[&modulus]);
        let exponent = encode(tag::INTEGER, &[&[1, 0, 1]]);
        let key = encode(tag::SEQUENCE, &[&modulus, &exponent]);
        let algorithm = encode(tag::SEQUENCE, &[id::RSA_ENCRYPTION.as_ref()]);
        [algorithm, encode(tag::BIT_STRING, &[&[0], &key])].concat()
    }

    #[test]
    fn sizes_of_rsa_keys_that_are_not_verified_are_told_from_other_keys() {
        let checked = |algorithm: AlgorithmIdentifier, bits: usize, signature: usize| {
            let signature = vec![1; signature];
            let data = SignedData {
                message: b"message",
                algorithm: algorithm.as_ref(),
                signature: &signature,
            };
            check(data, &rsa_key(bits))
        };
        let sha384 = id::RSA_PKCS1_SHA384;
        assert_eq!(checked(sha384, 8_193, 1_025), Signed::Unsupported);
        assert_eq!(checked(sha384, 16_384, 2_048), Signed::Unsupported);
        assert_eq!(checked(sha384, 16_384, 256), Signed::No);
        assert_eq!(checked(sha384, 8_192, 1_024), Signed::No);
        assert_eq!(checked(sha384, 2_048, 256), Signed::No);
        assert_eq!(checked(sha384, 2_047, 256), Signed::Shortly);
        assert_eq!(checked(id::RSA_PKCS1_SHA256, 2_047, 256), Signed::No);
        assert_eq!(checked(id::RSA_PKCS1_SHA256, 1_023, 128), Signed::Shortly);
        assert_eq!(checked(id::RSA_PSS_SHA256, 1_024, 128), Signed::Shortly);
        assert_eq!(checked(id::ECDSA_SHA256, 16_384, 2_048), Signed::No);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_called_another() {
        let data = SignedData {
            message: b"message",
            algorithm: id::ECDSA_SHA256.as_ref(),
            signature: b"signature",
        };
        let algorithm = encode(tag::SEQUENCE, &[id::ECDSA_P256.as_ref()]);
        let hybrid = encode(tag::BIT_STRING, &[&[0, 0x06], &[1; 64]]);
        let unread = [algorithm, hybrid].concat();
        assert_eq!(check(data, &unread), Signed::Unsupported);
        assert_eq!(check(data, b""), Signed::Unsupported);
    }
}
