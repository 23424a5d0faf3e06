//! Certificates and TLS policies, as plain data. The data plane builds TLS configurations from
//! them.

use std::fmt;

use zeroize::Zeroizing;

/// A protocol version that this gateway can speak. 1.0 and 1.1 were withdrawn by the service in
/// August 2025 and cannot be expressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// The cipher suites that a policy of the service can name and this gateway can negotiate. The
/// service's CBC, static-RSA, DHE and 3DES suites are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CipherSuite {
    Tls13Aes256GcmSha384,
    Tls13Aes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaAes128GcmSha256,
}

impl CipherSuite {
    /// Every suite, TLS 1.3 first.
    pub const ALL: [Self; 6] = [
        Self::Tls13Aes256GcmSha384,
        Self::Tls13Aes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheRsaAes128GcmSha256,
    ];

    /// The name in the IANA registry, which is also the one in a policy's `cipherSuites`.
    pub fn iana_name(self) -> &'static str {
        match self {
            Self::Tls13Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Tls13Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        }
    }

    /// The suite with this IANA name, in any letter case.
    pub fn from_iana_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.iana_name().eq_ignore_ascii_case(name))
    }

    /// The version of TLS that the suite belongs to.
    pub fn version(self) -> TlsVersion {
        match self {
            Self::Tls13Aes256GcmSha384 | Self::Tls13Aes128GcmSha256 => TlsVersion::Tls13,
            Self::EcdheEcdsaAes256GcmSha384
            | Self::EcdheEcdsaAes128GcmSha256
            | Self::EcdheRsaAes256GcmSha384
            | Self::EcdheRsaAes128GcmSha256 => TlsVersion::Tls12,
        }
    }
}

/// What a listener negotiates with its clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsPolicy {
    /// The name to show: a predefined policy's, or `Custom`, `CustomV2`.
    pub name: String,
    pub minimum: TlsVersion,
    pub maximum: TlsVersion,
    /// In order of the server's preference. Never empty.
    pub suites: Vec<CipherSuite>,
}

/// A listener's certificate with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The name of the `sslCertificates` entry.
    pub name: String,
    /// DER, the leaf first. Never empty.
    pub chain: Vec<Vec<u8>>,
    pub key: PrivateKey,
}

/// A private key in PKCS#8 DER, wiped from memory when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<Vec<u8>>);

impl PrivateKey {
    /// Takes over `pkcs8_der`; the caller keeps no copy.
    pub fn new(pkcs8_der: Vec<u8>) -> Self {
        Self(Zeroizing::new(pkcs8_der))
    }

    /// The key's PKCS#8 DER.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}
