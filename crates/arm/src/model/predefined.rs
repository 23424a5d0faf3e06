//! What the predefined TLS policies are made of.
//!
//! Sources: the suites, their order and the lowest versions are recorded from the service
//! (`predefinedPolicies`); the highest versions, the defaults and the two suites of TLS 1.3, which
//! no answer lists, are those of Azure's documentation of TLS policies.

use super::{CipherSuite, SslPolicyName, SslProtocol};

/// Every suite that the service knows.
const SUITES_2015: [CipherSuite; 28] = [
    CipherSuite::EcdheRsaAes256GcmSha384,
    CipherSuite::EcdheRsaAes128GcmSha256,
    CipherSuite::EcdheRsaAes256CbcSha384,
    CipherSuite::EcdheRsaAes128CbcSha256,
    CipherSuite::EcdheRsaAes256CbcSha,
    CipherSuite::EcdheRsaAes128CbcSha,
    CipherSuite::DheRsaAes256GcmSha384,
    CipherSuite::DheRsaAes128GcmSha256,
    CipherSuite::DheRsaAes256CbcSha,
    CipherSuite::DheRsaAes128CbcSha,
    CipherSuite::RsaAes256GcmSha384,
    CipherSuite::RsaAes128GcmSha256,
    CipherSuite::RsaAes256CbcSha256,
    CipherSuite::RsaAes128CbcSha256,
    CipherSuite::RsaAes256CbcSha,
    CipherSuite::RsaAes128CbcSha,
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaAes128GcmSha256,
    CipherSuite::EcdheEcdsaAes256CbcSha384,
    CipherSuite::EcdheEcdsaAes128CbcSha256,
    CipherSuite::EcdheEcdsaAes256CbcSha,
    CipherSuite::EcdheEcdsaAes128CbcSha,
    CipherSuite::DheDssAes256CbcSha256,
    CipherSuite::DheDssAes128CbcSha256,
    CipherSuite::DheDssAes256CbcSha,
    CipherSuite::DheDssAes128CbcSha,
    CipherSuite::Rsa3DesEdeCbcSha,
    CipherSuite::DheDss3DesEdeCbcSha,
];

/// AppGwSslPolicy20170401 and AppGwSslPolicy20170401S.
const SUITES_2017: [CipherSuite; 16] = [
    CipherSuite::EcdheEcdsaAes128GcmSha256,
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaAes128CbcSha,
    CipherSuite::EcdheEcdsaAes256CbcSha,
    CipherSuite::EcdheEcdsaAes128CbcSha256,
    CipherSuite::EcdheEcdsaAes256CbcSha384,
    CipherSuite::EcdheRsaAes256GcmSha384,
    CipherSuite::EcdheRsaAes128GcmSha256,
    CipherSuite::EcdheRsaAes128CbcSha,
    CipherSuite::EcdheRsaAes256CbcSha,
    CipherSuite::RsaAes256GcmSha384,
    CipherSuite::RsaAes128GcmSha256,
    CipherSuite::RsaAes256CbcSha256,
    CipherSuite::RsaAes128CbcSha256,
    CipherSuite::RsaAes256CbcSha,
    CipherSuite::RsaAes128CbcSha,
];

/// AppGwSslPolicy20220101.
const SUITES_2022: [CipherSuite; 8] = [
    CipherSuite::EcdheEcdsaAes128GcmSha256,
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheRsaAes128GcmSha256,
    CipherSuite::EcdheRsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaAes128CbcSha256,
    CipherSuite::EcdheEcdsaAes256CbcSha384,
    CipherSuite::EcdheRsaAes128CbcSha256,
    CipherSuite::EcdheRsaAes256CbcSha384,
];

/// AppGwSslPolicy20220101S.
const SUITES_2022_STRICT: [CipherSuite; 4] = [
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaAes128GcmSha256,
    CipherSuite::EcdheRsaAes256GcmSha384,
    CipherSuite::EcdheRsaAes128GcmSha256,
];

impl SslPolicyName {
    /// The policy of a gateway that names none, from api-version 2023-02-01 on.
    pub const DEFAULT: Self = Self::AppGwSslPolicy20220101;
    /// The same before that version.
    pub const FORMER_DEFAULT: Self = Self::AppGwSslPolicy20150501;

    /// The suites up to TLS 1.2, in the service's order.
    pub fn cipher_suites(self) -> &'static [CipherSuite] {
        match self {
            Self::AppGwSslPolicy20150501 => &SUITES_2015,
            Self::AppGwSslPolicy20170401 | Self::AppGwSslPolicy20170401S => &SUITES_2017,
            Self::AppGwSslPolicy20220101 => &SUITES_2022,
            Self::AppGwSslPolicy20220101S => &SUITES_2022_STRICT,
        }
    }

    /// The lowest version that is negotiated.
    pub fn min_protocol_version(self) -> SslProtocol {
        match self {
            Self::AppGwSslPolicy20150501 => SslProtocol::TlsV1_0,
            Self::AppGwSslPolicy20170401 => SslProtocol::TlsV1_1,
            Self::AppGwSslPolicy20170401S
            | Self::AppGwSslPolicy20220101
            | Self::AppGwSslPolicy20220101S => SslProtocol::TlsV1_2,
        }
    }

    /// The highest version that is negotiated. With TLS 1.3 come its suites, which no list has.
    pub fn max_protocol_version(self) -> SslProtocol {
        match self {
            Self::AppGwSslPolicy20150501
            | Self::AppGwSslPolicy20170401
            | Self::AppGwSslPolicy20170401S => SslProtocol::TlsV1_2,
            Self::AppGwSslPolicy20220101 | Self::AppGwSslPolicy20220101S => SslProtocol::TlsV1_3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_policy_has_every_suite_and_the_others_have_some_of_them() {
        let mut all = SUITES_2015.to_vec();
        all.sort_unstable();
        all.dedup();
        let mut known = CipherSuite::ALL.to_vec();
        known.sort_unstable();
        assert_eq!(all, known);
        for name in SslPolicyName::ALL {
            let mut suites = name.cipher_suites().to_vec();
            suites.sort_unstable();
            suites.dedup();
            assert_eq!(suites.len(), name.cipher_suites().len(), "{name}");
        }
    }

    #[test]
    fn a_stricter_policy_has_nothing_that_its_sibling_lacks() {
        use SslPolicyName::{AppGwSslPolicy20220101, AppGwSslPolicy20220101S};
        let loose = AppGwSslPolicy20220101.cipher_suites();
        for suite in AppGwSslPolicy20220101S.cipher_suites() {
            assert!(loose.contains(suite), "{suite}");
        }
        for name in SslPolicyName::ALL {
            let (low, high) = (name.min_protocol_version(), name.max_protocol_version());
            assert!(low <= high, "{name}");
        }
    }
}
