//! A certificate chain with its key, and the ways in which servers spoil one.

use super::Authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey,
    PrivateKeyChain,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What a server shows and what it signs with. The fields may be altered at will: nothing checks
/// that they belong together, since tests need identities that do not.
#[derive(Debug)]
pub struct Identity {
    /// The certificates in the order in which they are sent.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, PKCS #8.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

/// How the contents of a PFX are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PfxCipher {
    /// PBES2 with AES-256 and a SHA-256 MAC: what OpenSSL 3 and current Windows write.
    #[default]
    Aes256,
    /// Triple DES with a SHA-1 MAC: what older Windows wrote.
    TripleDes,
    /// 40-bit RC2 with a SHA-1 MAC: what OpenSSL before 3 and `-legacy` write.
    Rc2,
}

impl Identity {
    /// Puts a chain and a key together, unchecked.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// The first certificate of the chain.
    ///
    /// # Panics
    ///
    /// When the chain is empty.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Only the first certificate: the intermediates are missing.
    pub fn without_intermediates(&self) -> Self {
        Self::new(self.chain[..1].to_vec(), self.key.clone_key())
    }

    /// All but the first certificate: the leaf is missing.
    pub fn without_leaf(&self) -> Self {
        Self::new(self.chain[1..].to_vec(), self.key.clone_key())
    }

    /// The chain last to first: the leaf is not topmost.
    pub fn out_of_order(&self) -> Self {
        Self::new(
            self.chain.iter().rev().cloned().collect(),
            self.key.clone_key(),
        )
    }

    /// The chain with the root certificate of `authority` added at its end.
    pub fn with_root(&self, authority: &Authority) -> Self {
        let mut chain = self.chain.clone();
        chain.push(authority.root_certificate());
        Self::new(chain, self.key.clone_key())
    }

    /// No certificates at all, though there is a key.
    pub fn without_certificates(&self) -> Self {
        Self::new(Vec::new(), self.key.clone_key())
    }

    /// The leaf where it belongs, and the others last to first.
    pub fn with_issuers_out_of_order(&self) -> Self {
        let (leaves, issuers) = self.chain.split_at(1.min(self.chain.len()));
        let chain = leaves.iter().chain(issuers.iter().rev()).cloned();
        Self::new(chain.collect(), self.key.clone_key())
    }

    /// Each certificate twice in a row.
    pub fn with_duplicates(&self) -> Self {
        let twice = self.chain.iter().flat_map(|it| [it.clone(), it.clone()]);
        Self::new(twice.collect(), self.key.clone_key())
    }

    /// The chain from its beginning again and again, up to `count` certificates. Clients need not
    /// read more than 64 KiB of them.
    pub fn repeated_up_to(&self, count: usize) -> Self {
        let chain = self.chain.iter().cycle().take(count).cloned();
        Self::new(chain.collect(), self.key.clone_key())
    }

    /// The chain with these certificates added at its end, whoever's they are.
    pub fn with_certificates(&self, others: &[CertificateDer<'static>]) -> Self {
        let chain = [self.chain.as_slice(), others].concat();
        Self::new(chain, self.key.clone_key())
    }

    /// The first certificate with one bit of its signature changed.
    ///
    /// # Panics
    ///
    /// When the chain is empty.
    pub fn with_bad_signature(&self) -> Self {
        let mut chain = self.chain.clone();
        chain[0] = super::spoilt::with_bad_signature(self.leaf());
        Self::new(chain, self.key.clone_key())
    }

    /// The chain as PEM blocks, in order.
    pub fn cert_pem(&self) -> String {
        self.chain
            .iter()
            .map(|certificate| pem_of("CERTIFICATE", certificate))
            .collect()
    }

    /// The private key as one PKCS #8 PEM block.
    pub fn key_pem(&self) -> String {
        pem_of("PRIVATE KEY", self.key.secret_der())
    }

    /// The chain and then the key, as PEM.
    pub fn pem(&self) -> String {
        self.cert_pem() + &self.key_pem()
    }

    /// The chain and the key as a PFX in the modern encryption, [`PfxCipher::Aes256`].
    ///
    /// # Panics
    ///
    /// When the chain is empty or holds what is no certificate.
    pub fn pfx(&self, password: &str) -> Vec<u8> {
        self.pfx_in(password, PfxCipher::Aes256)
    }

    /// As [`Identity::pfx`], in the encryption given.
    ///
    /// # Panics
    ///
    /// When the chain is empty or holds what is no certificate.
    pub fn pfx_in(&self, password: &str, cipher: PfxCipher) -> Vec<u8> {
        let certificates: Vec<Certificate> = self
            .chain
            .iter()
            .map(|der| Certificate::from_der(der).expect("the chain holds certificates"))
            .collect();
        assert!(
            !certificates.is_empty(),
            "a PFX with a key needs a certificate"
        );
        let key = PrivateKey::from_der(self.key.secret_der()).expect("the key is PKCS #8");
        let chain = PrivateKeyChain::new(vec![1u8], key, certificates);
        let mut store = KeyStore::new();
        store.add_entry("identity", KeyStoreEntry::PrivateKeyChain(chain));
        let (encryption, mac) = match cipher {
            PfxCipher::Aes256 => (
                EncryptionAlgorithm::PbeWithHmacSha256AndAes256,
                MacAlgorithm::HmacSha256,
            ),
            PfxCipher::TripleDes => (
                EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc,
                MacAlgorithm::HmacSha1,
            ),
            PfxCipher::Rc2 => (
                EncryptionAlgorithm::PbeWithShaAnd40BitRc4Cbc,
                MacAlgorithm::HmacSha1,
            ),
        };
        store
            .writer(password)
            .encryption_algorithm(encryption)
            // Few rounds: these files guard nothing, and tests read and write many of them.
            .encryption_iterations(2_048)
            .mac_algorithm(mac)
            .mac_iterations(2_048)
            .write()
            .expect("a store of our own can be written")
    }
}

/// One PEM block: the label given, lines of 64 characters, a final newline.
pub fn pem_of(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
