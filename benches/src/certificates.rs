//! The certificates that every proxy serves: self-signed, P-256 and RSA-2048.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{CertificateParams, DnType, KeyPair, RsaKeySize};

/// The password of the PFX files; it guards nothing.
pub const PFX_PASSWORD: &str = "bench";
const LOCAL_KEY_ID: [u8; 1] = [1];

/// A certificate in the forms that the proxies ask for.
pub struct Certified {
    /// DER, for the load generator to compare with.
    pub der: PathBuf,
    /// PFX in base64, as the Azure API takes it.
    pub pfx_base64: String,
}

pub struct Certificates {
    pub p256: Certified,
    pub rsa: Certified,
}

impl Certificates {
    /// Makes both and writes `NAME.crt`, `.key`, `.pem` (both) and `.der` into the folder.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        let p256 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        Ok(Self {
            p256: certify(folder, "p256", &p256).context("the P-256 certificate")?,
            rsa: certify(folder, "rsa", &rsa).context("the RSA certificate")?,
        })
    }
}

fn certify(folder: &Path, name: &str, key: &KeyPair) -> anyhow::Result<Certified> {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Gatewright bench");
    let certificate = params.self_signed(key)?;
    let (chain, secret) = (certificate.pem(), key.serialize_pem());
    let der = folder.join(format!("{name}.der"));
    std::fs::write(&der, certificate.der())?;
    std::fs::write(folder.join(format!("{name}.crt")), &chain)?;
    std::fs::write(folder.join(format!("{name}.key")), &secret)?;
    std::fs::write(
        folder.join(format!("{name}.pem")),
        format!("{chain}{secret}"),
    )?;
    let pfx = pfx(certificate.der(), &key.serialize_der())?;
    Ok(Certified {
        der,
        pfx_base64: STANDARD.encode(pfx),
    })
}

fn pfx(certificate: &[u8], key: &[u8]) -> anyhow::Result<Vec<u8>> {
    let chain = PrivateKeyChain::new(
        LOCAL_KEY_ID.as_slice(),
        PrivateKey::from_der(key)?,
        [Certificate::from_der(certificate)?],
    );
    let mut store = KeyStore::new();
    store.add_entry("bench", KeyStoreEntry::PrivateKeyChain(chain));
    Ok(store.writer(PFX_PASSWORD).write()?)
}

#[cfg(test)]
mod tests {
    use p12_keystore::Pkcs12ImportPolicy;

    use super::*;

    #[test]
    fn the_pfx_holds_the_certificate_and_opens_with_its_password_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Certificates::make(folder.path()).expect("certificates");
        for certified in [&made.p256, &made.rsa] {
            let pfx = STANDARD.decode(&certified.pfx_base64).expect("base64");
            let open =
                |password: &str| KeyStore::from_pkcs12(&pfx, password, Pkcs12ImportPolicy::Strict);
            assert!(open("wrong").is_err());
            let store = open(PFX_PASSWORD).expect("a PFX");
            let (_, chain) = store.private_key_chain().expect("a key with its chain");
            let der = std::fs::read(&certified.der).expect("the DER file");
            assert_eq!(chain.certs()[0].as_der(), der);
        }
        for name in ["p256.pem", "rsa.pem", "p256.crt", "rsa.key"] {
            assert!(folder.path().join(name).is_file(), "{name}");
        }
    }
}
