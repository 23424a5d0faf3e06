//! PFX (PKCS#12, RFC 7292), by p12-keystore: modern files (PBES2, SHA-2 MAC) and the legacy ones
//! of Windows and of OpenSSL 1 (RC2, 3DES, SHA-1 MAC).

use gatewright_chain::der::{Tlv, tag};
use gatewright_snapshot::PrivateKey;
use p12_keystore::error::Error;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive,
    PrivateKeyChain,
};

use super::{CERTIFICATES_MAX, CertificateError, Identity, Parts};

/// Rounds of key derivation of a file that is written without a password: they guard nothing.
const ROUNDS: u32 = 2048;

/// The chain and the key as a PFX without a password, as a Key Vault gives them out.
///
/// # Errors
/// When the chain or the key cannot stand in a PFX.
pub fn to_pfx(identity: &Identity) -> Result<zeroize::Zeroizing<Vec<u8>>, CertificateError> {
    let chain: Vec<Certificate> = identity
        .chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(explain)?;
    let key = p12_keystore::PrivateKey::from_der(identity.key.pkcs8_der()).map_err(explain)?;
    let mut store = KeyStore::new();
    let chain = PrivateKeyChain::new(vec![1u8], key, chain);
    store.add_entry("certificate", KeyStoreEntry::PrivateKeyChain(chain));
    let written = store
        .writer("")
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ROUNDS)
        .write();
    written.map(zeroize::Zeroizing::new).map_err(explain)
}

/// # Errors
/// When the bytes are no PFX, the password does not fit, the file has no MAC, or no key or no
/// certificate is in it.
pub(super) fn read(bytes: &[u8], password: &str) -> Result<Parts, CertificateError> {
    if !has_mac(bytes)? {
        return Err(CertificateError::NoMac);
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(explain)?;
    if archive.certs.len() > CERTIFICATES_MAX {
        return Err(CertificateError::TooMany);
    }
    let key = archive.keys.first().ok_or(CertificateError::NoKey)?;
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    let marked = archive
        .certs
        .iter()
        .find(|bag| id.is_some() && bag.local_key_id.as_deref() == id);
    Ok(Parts {
        key: PrivateKey::new(key.key.as_der().to_vec()),
        marked_leaf: marked.map(|bag| bag.cert.as_der().to_vec()),
        certificates: archive
            .certs
            .iter()
            .map(|bag| bag.cert.as_der().to_vec())
            .collect(),
    })
}

/// Whether the third member, `macData`, is there: the reader takes files without it, which carry no
/// proof that the password's owner made them.
fn has_mac(bytes: &[u8]) -> Result<bool, CertificateError> {
    let not_der = || CertificateError::Pfx("not DER".to_owned());
    let (pfx, _) = Tlv::read(bytes).ok_or_else(not_der)?;
    let mut members = pfx.children();
    match (pfx.tag, members.next(), members.next()) {
        (tag::SEQUENCE, Some(version), Some(_)) if version.tag == tag::INTEGER => {
            Ok(members.next().is_some())
        }
        _ => Err(not_der()),
    }
}

fn explain(error: Error) -> CertificateError {
    match error {
        Error::MacError(_) => CertificateError::PasswordIncorrect,
        other => CertificateError::Pfx(other.to_string()),
    }
}
