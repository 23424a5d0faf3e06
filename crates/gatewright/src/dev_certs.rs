//! Development certificates: stand-ins for those whose private key is not at hand.

use std::collections::HashMap;

use gatewright_compile::{CertificateId, Identity, KeylessCertificate};
use gatewright_snapshot::PrivateKey;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::sentence::Sentence;

/// From a day ago, for clients whose clock is behind.
const VALID_BEFORE: Duration = Duration::days(1);
const VALID_AFTER: Duration = Duration::days(365);

/// Most names in one certificate.
const NAMES_MAX: usize = 100;

/// What every development certificate is good for besides its own names.
const LOCAL_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The certificates that this process has made. A reload gets the same ones again as long as the
/// names stay, so that clients which trusted one are not asked twice.
#[derive(Debug, Default)]
pub(crate) struct DevCertificates {
    made: HashMap<CertificateId, (Vec<String>, Identity)>,
}

impl DevCertificates {
    /// A certificate for each of `keyless`.
    ///
    /// # Errors
    /// When no key can be made.
    pub(crate) fn provide(
        &mut self,
        keyless: &[KeylessCertificate],
    ) -> Result<HashMap<CertificateId, Identity>, Sentence> {
        let mut provided = HashMap::new();
        for one in keyless {
            let names = names(&one.host_names);
            let identity = match self.made.get(&one.id) {
                Some((known, identity)) if *known == names => identity.clone(),
                _ => {
                    let identity = mint(&names).map_err(|error| {
                        Sentence::new(format!(
                            "no development certificate can be made for '{}': {error}",
                            one.certificate
                        ))
                    })?;
                    self.made.insert(one.id.clone(), (names, identity.clone()));
                    identity
                }
            };
            provided.insert(one.id.clone(), identity);
        }
        Ok(provided)
    }
}

/// The names that a certificate can carry, and the local ones.
fn names(host_names: &[String]) -> Vec<String> {
    let fits = |name: &&String| {
        let bare = name.strip_prefix("*.").unwrap_or(name);
        name.is_ascii() && !bare.is_empty() && !bare.contains(['*', '?', ' ', '/'])
    };
    let mut names: Vec<String> = host_names
        .iter()
        .filter(fits)
        .take(NAMES_MAX)
        .cloned()
        .collect();
    for local in LOCAL_NAMES {
        if !names.iter().any(|name| name == local) {
            names.push(local.to_owned());
        }
    }
    names
}

fn mint(names: &[String]) -> Result<Identity, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(names)?;
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - VALID_BEFORE;
    parameters.not_after = now + VALID_AFTER;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Gatewright development certificate");
    parameters.distinguished_name = subject;
    let certificate = parameters.self_signed(&key)?;
    Ok(Identity {
        chain: vec![certificate.der().to_vec()],
        key: PrivateKey::new(key.serialize_der()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyless(host_names: &[&str]) -> KeylessCertificate {
        KeylessCertificate {
            id: CertificateId::new("contoso", "site"),
            gateway: "contoso".into(),
            certificate: "site".into(),
            listeners: vec!["https".into()],
            host_names: host_names.iter().map(|name| (*name).into()).collect(),
        }
    }

    #[test]
    fn names_are_those_that_a_certificate_can_carry_and_the_local_ones() {
        let given = [
            "*.contoso.com",
            "shop?.contoso.com",
            "localhost",
            "a.*.com",
            "contoso.com",
        ];
        let given: Vec<String> = given.iter().map(|name| (*name).into()).collect();
        let expected = ["*.contoso.com", "localhost", "contoso.com", "127.0.0.1"];
        assert_eq!(names(&given), expected);
    }

    #[test]
    fn a_reload_gets_the_same_certificate_until_the_names_change() {
        let mut certificates = DevCertificates::default();
        let mut leaf = |names: &[&str]| {
            let provided = certificates.provide(&[keyless(names)]).unwrap();
            provided[&CertificateId::new("CONTOSO", "Site")].chain[0].clone()
        };
        let first = leaf(&["contoso.com"]);
        assert_eq!(leaf(&["contoso.com"]), first);
        assert_ne!(leaf(&["contoso.com", "contoso.org"]), first);
    }
}
