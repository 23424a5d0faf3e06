//! TLS policies: what a listener negotiates, out of what its policy asks for.
//!
//! What the predefined policies ask for is `arm`'s to say. The suites that this gateway does not
//! have are all CBC, static-RSA, DHE or 3DES; a client that needs one of them gets a handshake
//! failure, so a warning names them. TLS 1.0 and 1.1 are never served, whatever
//! the policy: a warning says so.

use gatewright_arm::model::{
    CipherSuite as ArmSuite, SslPolicy, SslPolicyName, SslPolicyType, SslProtocol,
};
use gatewright_snapshot::{CipherSuite, TlsPolicy, TlsVersion};

use crate::codes;
use crate::scope::Scope;

/// Always on where TLS 1.3 is, and not selectable.
const TLS13: [CipherSuite; 2] = [
    CipherSuite::Tls13Aes128GcmSha256,
    CipherSuite::Tls13Aes256GcmSha384,
];

/// What a policy becomes here, and what is left out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resolved {
    /// `None` when nothing is left that could be negotiated.
    policy: Option<TlsPolicy>,
    /// The policy's name, for messages.
    name: String,
    /// Suites that the policy asks for and this gateway does not have, by their IANA names.
    missing_suites: Vec<&'static str>,
    /// Versions that the policy asks for and this gateway never has.
    old_versions: Vec<&'static str>,
}

/// A policy as it is asked for.
struct Wanted {
    name: String,
    minimum: SslProtocol,
    maximum: SslProtocol,
    suites: Vec<CipherSuite>,
    missing: Vec<ArmSuite>,
}

/// The policy as it is served, reporting what is left out; `None` after an error. `pointer` is the
/// policy's place in the document.
pub(crate) fn compile(
    scope: &mut Scope<'_>,
    policy: Option<&SslPolicy>,
    default: Option<SslPolicyName>,
    pointer: &str,
) -> Option<TlsPolicy> {
    let resolved = resolve(policy, default);
    let name = &resolved.name;
    if resolved.policy.is_none() {
        scope.findings.error(
            codes::E_TLS_POLICY,
            pointer,
            format!("Nothing of the TLS policy {name} can be negotiated here."),
            "Set AppGwSslPolicy20220101, or name an ECDHE suite with GCM.",
        );
    }
    warn_of_old_versions(scope, &resolved, pointer);
    if resolved.policy.is_some() && !resolved.missing_suites.is_empty() {
        scope.findings.warning(
            codes::W_TLS_SUITES,
            pointer,
            format!(
                "Of the TLS policy {name}, these cipher suites are not negotiated here: {}.",
                resolved.missing_suites.join(", ")
            ),
            "Clients that have no ECDHE suite with GCM fail the handshake.",
        );
    }
    resolved.policy
}

/// Says what becomes of the clients that a policy lets in with TLS 1.0 or 1.1.
fn warn_of_old_versions(scope: &mut Scope<'_>, resolved: &Resolved, pointer: &str) {
    let (Some(policy), false) = (&resolved.policy, resolved.old_versions.is_empty()) else {
        return;
    };
    let served = match (policy.minimum, policy.maximum) {
        (TlsVersion::Tls12, TlsVersion::Tls12) => "TLS 1.2 only",
        (TlsVersion::Tls13, _) => "TLS 1.3 only",
        _ => "TLS 1.2 and 1.3 only",
    };
    scope.findings.warning(
        codes::W_TLS_VERSIONS,
        pointer,
        format!(
            "The TLS policy {} asks for {}, which is never served here: {served}.",
            resolved.name,
            resolved.old_versions.join(" and ")
        ),
        "Clients that have nothing newer fail the handshake.",
    );
}

/// What `policy` means; without one, or with one that names nothing, `default` holds (the
/// document's `defaultPredefinedSslPolicy`), or AppGwSslPolicy20220101.
fn resolve(policy: Option<&SslPolicy>, default: Option<SslPolicyName>) -> Resolved {
    let default = default.unwrap_or(SslPolicyName::DEFAULT);
    let wanted = match policy {
        None => predefined(default),
        Some(policy) => match policy.policy_type {
            Some(SslPolicyType::Custom) => custom(policy, SslProtocol::TlsV1_2),
            Some(SslPolicyType::CustomV2) => custom(policy, SslProtocol::TlsV1_3),
            _ => predefined(policy.policy_name.unwrap_or(default)),
        },
    };
    let disabled = policy.map_or(&[][..], |policy| &policy.disabled_ssl_protocols);
    finish(wanted, disabled)
}

fn predefined(name: SslPolicyName) -> Wanted {
    let maximum = name.max_protocol_version();
    let (suites, mut missing) = sort_out(name.cipher_suites(), maximum);
    missing.retain(|suite| !is_withdrawn(*suite));
    Wanted {
        name: name.to_string(),
        minimum: name.min_protocol_version(),
        maximum,
        suites,
        missing,
    }
}

/// The DHE and 3DES suites, which the service lists and does not negotiate itself: no client can be
/// missing them.
fn is_withdrawn(suite: ArmSuite) -> bool {
    let name = suite.as_str();
    name.starts_with("TLS_DHE_") || name.contains("_3DES_")
}

/// `Custom` ends at TLS 1.2; `CustomV2` always has TLS 1.3.
fn custom(policy: &SslPolicy, maximum: SslProtocol) -> Wanted {
    let (suites, missing) = sort_out(&policy.cipher_suites, maximum);
    let kind = policy.policy_type.unwrap_or(SslPolicyType::Custom);
    Wanted {
        name: kind.to_string(),
        minimum: policy.min_protocol_version.unwrap_or(SslProtocol::TlsV1_2),
        maximum,
        suites,
        missing,
    }
}

/// The suites that this gateway has, in the order in which they are asked for, behind those of TLS
/// 1.3 where that is the highest version; and those that it does not have.
fn sort_out(asked: &[ArmSuite], maximum: SslProtocol) -> (Vec<CipherSuite>, Vec<ArmSuite>) {
    let mut suites = Vec::new();
    if maximum == SslProtocol::TlsV1_3 {
        suites.extend(TLS13);
    }
    let mut missing = Vec::new();
    for asked in asked {
        match CipherSuite::from_iana_name(asked.as_str()) {
            Some(suite) if !suites.contains(&suite) => suites.push(suite),
            Some(_) => {}
            None => missing.push(*asked),
        }
    }
    (suites, missing)
}

fn finish(wanted: Wanted, disabled: &[SslProtocol]) -> Resolved {
    let asked = |version: &SslProtocol| {
        (wanted.minimum..=wanted.maximum).contains(version) && !disabled.contains(version)
    };
    let old = [
        (SslProtocol::TlsV1_0, "TLS 1.0"),
        (SslProtocol::TlsV1_1, "TLS 1.1"),
    ];
    let old_versions = old.iter().filter(|(version, _)| asked(version));
    let old_versions = old_versions.map(|(_, name)| *name).collect();
    let versions: Vec<TlsVersion> = [
        (SslProtocol::TlsV1_2, TlsVersion::Tls12),
        (SslProtocol::TlsV1_3, TlsVersion::Tls13),
    ]
    .into_iter()
    .filter(|(version, _)| asked(version))
    .map(|(_, version)| version)
    .filter(|version| {
        wanted
            .suites
            .iter()
            .any(|suite| suite.version() == *version)
    })
    .collect();
    let mut suites = wanted.suites;
    suites.retain(|suite| versions.contains(&suite.version()));
    let policy = match (versions.first(), versions.last()) {
        (Some(&minimum), Some(&maximum)) => Some(TlsPolicy {
            name: wanted.name.clone(),
            minimum,
            maximum,
            suites,
        }),
        _ => None,
    };
    Resolved {
        policy,
        name: wanted.name,
        missing_suites: wanted.missing.into_iter().map(ArmSuite::as_str).collect(),
        old_versions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &SslPolicy, expected: Option<(TlsVersion, TlsVersion, &[CipherSuite])>) {
        let resolved = resolve(Some(policy), None).policy;
        let found = resolved.map(|one| (one.minimum, one.maximum, one.suites));
        let expected = expected.map(|(low, high, suites)| (low, high, suites.to_vec()));
        assert_eq!(found, expected, "{policy:?}");
    }

    fn custom_policy(kind: SslPolicyType, minimum: SslProtocol, suites: &[ArmSuite]) -> SslPolicy {
        SslPolicy {
            policy_type: Some(kind),
            min_protocol_version: Some(minimum),
            cipher_suites: suites.to_vec(),
            ..SslPolicy::default()
        }
    }

    fn named(name: SslPolicyName) -> SslPolicy {
        SslPolicy {
            policy_type: Some(SslPolicyType::Predefined),
            policy_name: Some(name),
            ..SslPolicy::default()
        }
    }

    /// The suites of the predefined policies of 2015, 2017, 2022 and 2022S that are served here.
    const OF_2015: [CipherSuite; 4] = [
        CipherSuite::EcdheRsaAes256GcmSha384,
        CipherSuite::EcdheRsaAes128GcmSha256,
        CipherSuite::EcdheEcdsaAes256GcmSha384,
        CipherSuite::EcdheEcdsaAes128GcmSha256,
    ];
    const OF_2017: [CipherSuite; 4] = [
        CipherSuite::EcdheEcdsaAes128GcmSha256,
        CipherSuite::EcdheEcdsaAes256GcmSha384,
        CipherSuite::EcdheRsaAes256GcmSha384,
        CipherSuite::EcdheRsaAes128GcmSha256,
    ];
    const OF_2022: [CipherSuite; 6] = [
        CipherSuite::Tls13Aes128GcmSha256,
        CipherSuite::Tls13Aes256GcmSha384,
        CipherSuite::EcdheEcdsaAes128GcmSha256,
        CipherSuite::EcdheEcdsaAes256GcmSha384,
        CipherSuite::EcdheRsaAes128GcmSha256,
        CipherSuite::EcdheRsaAes256GcmSha384,
    ];
    const OF_2022_STRICT: [CipherSuite; 6] = [
        CipherSuite::Tls13Aes128GcmSha256,
        CipherSuite::Tls13Aes256GcmSha384,
        CipherSuite::EcdheEcdsaAes256GcmSha384,
        CipherSuite::EcdheEcdsaAes128GcmSha256,
        CipherSuite::EcdheRsaAes256GcmSha384,
        CipherSuite::EcdheRsaAes128GcmSha256,
    ];

    #[test]
    fn predefined_policies_are_served_in_the_services_order() {
        use SslPolicyName::*;
        use TlsVersion::{Tls12, Tls13};
        for (name, expected, missing) in [
            (AppGwSslPolicy20150501, (Tls12, Tls12, &OF_2015[..]), 14),
            (AppGwSslPolicy20170401, (Tls12, Tls12, &OF_2017[..]), 12),
            (AppGwSslPolicy20170401S, (Tls12, Tls12, &OF_2017[..]), 12),
            (AppGwSslPolicy20220101, (Tls12, Tls13, &OF_2022[..]), 4),
            (AppGwSslPolicy20220101S, (Tls12, Tls13, &OF_2022_STRICT), 0),
        ] {
            check(&named(name), Some(expected));
            let resolved = resolve(Some(&named(name)), None);
            assert_eq!(resolved.missing_suites.len(), missing, "{name}");
        }
    }

    #[test]
    fn without_a_policy_the_documents_default_holds_else_that_of_2022() {
        let name = |policy, default| resolve(policy, default).name;
        let old = Some(SslPolicyName::AppGwSslPolicy20150501);
        assert_eq!(name(None, None), "AppGwSslPolicy20220101");
        assert_eq!(name(None, old), "AppGwSslPolicy20150501");
        assert_eq!(
            name(Some(&SslPolicy::default()), old),
            "AppGwSslPolicy20150501"
        );
    }

    #[test]
    fn custom_ends_at_1_2_and_keeps_the_order_of_the_document() {
        let asked = [
            ArmSuite::EcdheEcdsaAes128GcmSha256,
            ArmSuite::RsaAes128CbcSha,
            ArmSuite::EcdheRsaAes256GcmSha384,
            ArmSuite::EcdheEcdsaAes128GcmSha256,
        ];
        let kept = [
            CipherSuite::EcdheEcdsaAes128GcmSha256,
            CipherSuite::EcdheRsaAes256GcmSha384,
        ];
        let policy = custom_policy(SslPolicyType::Custom, SslProtocol::TlsV1_0, &asked);
        check(&policy, Some((TlsVersion::Tls12, TlsVersion::Tls12, &kept)));
        let missing = resolve(Some(&policy), None).missing_suites;
        assert_eq!(missing, ["TLS_RSA_WITH_AES_128_CBC_SHA"]);
        let none = [ArmSuite::RsaAes128CbcSha];
        check(
            &custom_policy(SslPolicyType::Custom, SslProtocol::TlsV1_2, &none),
            None,
        );
    }

    #[test]
    fn custom_v2_always_has_1_3() {
        use TlsVersion::{Tls12, Tls13};
        let (suite, own) = (
            ArmSuite::EcdheRsaAes128GcmSha256,
            CipherSuite::EcdheRsaAes128GcmSha256,
        );
        let both = [TLS13[0], TLS13[1], own];
        let v2 = |minimum, suites: &[_]| custom_policy(SslPolicyType::CustomV2, minimum, suites);
        check(
            &v2(SslProtocol::TlsV1_2, &[suite]),
            Some((Tls12, Tls13, &both)),
        );
        check(
            &v2(SslProtocol::TlsV1_3, &[suite]),
            Some((Tls13, Tls13, &TLS13)),
        );
        let cbc = ArmSuite::EcdheRsaAes256CbcSha384;
        check(
            &v2(SslProtocol::TlsV1_2, &[cbc]),
            Some((Tls13, Tls13, &TLS13)),
        );
    }

    #[test]
    fn disabled_versions_are_taken_out() {
        let policy = |disabled: &[SslProtocol]| SslPolicy {
            disabled_ssl_protocols: disabled.to_vec(),
            ..SslPolicy::default()
        };
        let old = [SslProtocol::TlsV1_0, SslProtocol::TlsV1_1];
        check(
            &policy(&old),
            Some((TlsVersion::Tls12, TlsVersion::Tls13, &OF_2022)),
        );
        let no_1_2 = policy(&[SslProtocol::TlsV1_2]);
        check(
            &no_1_2,
            Some((TlsVersion::Tls13, TlsVersion::Tls13, &TLS13)),
        );
        check(&policy(&[SslProtocol::TlsV1_2, SslProtocol::TlsV1_3]), None);
    }
}
