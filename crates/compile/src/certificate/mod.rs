//! Certificates with their private keys: out of PFX and PEM, the chain put in order.
//!
//! Everything here takes bytes that somebody uploaded, bounds them, and answers with an
//! [`Identity`] or the one reason why there is none. Judging an identity (dates, names) is for
//! those who use it; the data plane checks once more that key and certificate belong together.

mod chain;
mod client_chain;
mod key;
mod pem;
mod pfx;
pub(crate) mod public;

use gatewright_snapshot::PrivateKey;
use zeroize::Zeroizing;

pub use client_chain::{ClientChain, read_client_chain};
pub use pem::certificates as read_certificates;
pub use pfx::to_pfx;
pub use public::{public_cert_data, public_leaf};

/// Largest PFX that a second-generation gateway takes, in bytes (behaviour.md §2.2).
pub const PFX_BYTES_MAX_V2: usize = 16 * 1024;

/// Largest PFX that a first-generation gateway takes, in bytes (behaviour.md §2.2).
pub const PFX_BYTES_MAX_V1: usize = 10 * 1024;

/// Largest file that the operator may give for a certificate, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Most certificates that are taken out of one upload or file.
const CERTIFICATES_MAX: usize = 64;

/// A certificate chain and the private key of its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// DER, the leaf first, each followed by its issuer as far as they are known. Never empty.
    pub chain: Vec<Vec<u8>>,
    pub key: PrivateKey,
}

/// Why there is no [`Identity`]. The texts are clauses that follow "certificate NAME: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("it has {bytes} bytes, and at most {limit} are taken")]
    TooLarge { bytes: usize, limit: usize },
    #[error("its data is not base64")]
    Base64,
    #[error("the password does not fit")]
    PasswordIncorrect,
    #[error("it cannot be read as a PFX file ({0})")]
    Pfx(String),
    #[error("the PFX file has no integrity check (MAC), so that anyone could have changed it")]
    NoMac,
    #[error("it cannot be read as PEM ({0})")]
    Pem(String),
    #[error("it holds no private key")]
    NoKey,
    #[error("its private key is encrypted; give it as PKCS#8 without a passphrase, or as PFX")]
    EncryptedKey,
    #[error("its private key is neither PKCS#8, PKCS#1 nor SEC1 with a named curve")]
    Key,
    #[error("it holds no certificate")]
    NoCertificate,
    #[error("one of its certificates is not X.509")]
    NotX509,
    #[error("its private key belongs to none of its certificates")]
    Mismatch,
    #[error("it holds more than {CERTIFICATES_MAX} certificates")]
    TooMany,
}

/// What was found in a file, before it is put in order.
struct Parts {
    key: PrivateKey,
    /// The certificate that the file itself says goes with the key.
    marked_leaf: Option<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
}

/// Reads the `data` of an `sslCertificates` entry: a PFX in base64 of at most `limit` bytes.
///
/// # Errors
/// See [`CertificateError`].
pub fn from_upload(data: &str, password: &str, limit: usize) -> Result<Identity, CertificateError> {
    // Refused before decoding: four characters carry three bytes, white space aside.
    let too_large = |bytes| CertificateError::TooLarge { bytes, limit };
    if data.len() / 2 > limit {
        return Err(too_large(data.len() / 4 * 3));
    }
    let bytes = Zeroizing::new(decode_base64(data).ok_or(CertificateError::Base64)?);
    if bytes.len() > limit {
        return Err(too_large(bytes.len()));
    }
    pfx::read(&bytes, password).and_then(chain::assemble)
}

/// Reads a file that the operator gave: PEM with a key and its chain, or PFX.
///
/// # Errors
/// See [`CertificateError`].
pub fn from_file(bytes: &[u8], password: &str) -> Result<Identity, CertificateError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(CertificateError::TooLarge {
            bytes: bytes.len(),
            limit: FILE_BYTES_MAX,
        });
    }
    let parts = if pem::is_pem(bytes) {
        pem::read(bytes)
    } else {
        pfx::read(bytes, password)
    };
    parts.and_then(chain::assemble)
}

/// Reads what a vault held: base64 of PEM with a key and its chain, or of a PFX without a password.
///
/// # Errors
/// See [`CertificateError`].
pub fn from_vault(data: &str) -> Result<Identity, CertificateError> {
    if data.len() / 2 > FILE_BYTES_MAX {
        return Err(CertificateError::TooLarge {
            bytes: data.len() / 4 * 3,
            limit: FILE_BYTES_MAX,
        });
    }
    let bytes = Zeroizing::new(decode_base64(data).ok_or(CertificateError::Base64)?);
    from_file(&bytes, "")
}

/// Whether the bytes are an X.509 certificate in DER.
pub fn is_certificate(der: &[u8]) -> bool {
    gatewright_chain::Certificate::read(der).is_ok()
}

/// Base64 with or without line breaks, as tools print it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let dense: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    LENIENT.decode(dense.as_slice()).ok()
}
