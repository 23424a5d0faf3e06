//! PEM files, and the question whether a file is one.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use super::{CERTIFICATES_MAX, CertificateError, Parts, key};

const BEGIN: &[u8] = b"-----BEGIN ";

/// The label of a key that needs a passphrase (RFC 7468, section 11).
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// What OpenSSL writes into its older encrypted keys.
const ENCRYPTED_LEGACY: &[u8] = b"Proc-Type: 4,ENCRYPTED";

pub(super) fn is_pem(bytes: &[u8]) -> bool {
    contains(bytes, BEGIN)
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The first private key and all certificates, in any order.
///
/// # Errors
/// When the PEM is damaged, or has no certificate or no key that can be used.
pub(super) fn read(bytes: &[u8]) -> Result<Parts, CertificateError> {
    if contains(bytes, ENCRYPTED) || contains(bytes, ENCRYPTED_LEGACY) {
        return Err(CertificateError::EncryptedKey);
    }
    let mut private = None;
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(damaged)?;
        match kind {
            SectionKind::Certificate => certificates.push(der),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                let der = Zeroizing::new(der);
                if let (None, Some(found)) = (&private, PrivateKeyDer::from_pem(kind, der.to_vec()))
                {
                    private = Some(key::to_pkcs8(&found)?);
                }
            }
            _ => {}
        }
    }
    if certificates.len() > CERTIFICATES_MAX {
        return Err(CertificateError::TooMany);
    }
    Ok(Parts {
        key: private.ok_or(CertificateError::NoKey)?,
        marked_leaf: None,
        certificates,
    })
}

/// The certificates of a `.cer` file, which may be PEM with several, or one in DER.
///
/// # Errors
/// When there is none, or the PEM is damaged.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    if !is_pem(bytes) {
        return Ok(vec![bytes.to_vec()]);
    }
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(damaged)?;
        if kind == SectionKind::Certificate {
            found.push(der);
        }
    }
    match found.len() {
        0 => Err(CertificateError::NoCertificate),
        count if count > CERTIFICATES_MAX => Err(CertificateError::TooMany),
        _ => Ok(found),
    }
}

fn damaged(error: rustls_pki_types::pem::Error) -> CertificateError {
    CertificateError::Pem(error.to_string())
}
