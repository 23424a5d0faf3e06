//! Chains of every shape at a fixed time, and what webpki thinks of them.

use std::sync::Arc;

use gatewright_chain::{
    Anchor, Certificate, Checks, Presented, ServerName, Trust, Verdict, examine,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, NameConstraints,
};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use time::{Duration, OffsetDateTime};

/// The time of all tests: 2027-01-15T08:00:00Z.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const HOST: &str = "shop.contoso.com";

/// What a certificate shall say. Current, of version 3.
#[derive(Clone)]
pub(crate) struct Recipe(pub(crate) CertificateParams);

impl Recipe {
    pub(crate) fn leaf() -> Self {
        Self::leaf_for(&[HOST])
    }

    pub(crate) fn leaf_for(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self(params).common(&common).days(-10, 80)
    }

    pub(crate) fn authority(common: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(params).common(common).days(-1_000, 1_000)
    }

    pub(crate) fn common(mut self, common: &str) -> Self {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, common);
        self.0.distinguished_name = name;
        self.0.use_authority_key_identifier_extension = true;
        self
    }

    pub(crate) fn days(mut self, first: i64, last: i64) -> Self {
        let now = OffsetDateTime::from_unix_timestamp(NOW).expect("a time");
        self.0.not_before = now + Duration::days(first);
        self.0.not_after = now + Duration::days(last);
        self
    }

    pub(crate) fn expired(self) -> Self {
        self.days(-90, -1)
    }

    pub(crate) fn constrained(mut self, constraints: NameConstraints) -> Self {
        self.0.name_constraints = Some(constraints);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn root(self) -> Party {
        let key = Arc::new(KeyPair::generate().expect("a key"));
        self.root_with(&key)
    }

    pub(crate) fn root_with(self, key: &Arc<KeyPair>) -> Party {
        let certificate = self.0.self_signed(&**key).expect("signed");
        Party {
            der: certificate.der().to_vec(),
            params: self.0,
            key: Arc::clone(key),
        }
    }
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) der: Vec<u8>,
    pub(crate) params: CertificateParams,
    pub(crate) key: Arc<KeyPair>,
}

impl Party {
    pub(crate) fn sign(&self, recipe: Recipe) -> Self {
        self.sign_key(recipe, &Arc::new(KeyPair::generate().expect("a key")))
    }

    /// A certificate for a key that has one already, as cross-signing makes.
    pub(crate) fn sign_key(&self, recipe: Recipe, key: &Arc<KeyPair>) -> Self {
        let issuer = Issuer::from_params(&self.params, &*self.key);
        let certificate = recipe.0.signed_by(&**key, &issuer).expect("signed");
        Self {
            der: certificate.der().to_vec(),
            params: recipe.0,
            key: Arc::clone(key),
        }
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::read(&self.der).expect("a certificate")
    }
}

/// Root, issuing authority, leaf.
pub(crate) struct House {
    pub(crate) root: Party,
    pub(crate) issuing: Party,
    pub(crate) leaf: Party,
}

pub(crate) fn house(name: &str) -> House {
    house_of(name, Recipe::leaf())
}

pub(crate) fn house_of(name: &str, leaf: Recipe) -> House {
    let root = Recipe::authority(&format!("{name} Root")).root();
    let issuing = root.sign(Recipe::authority(&format!("{name} Issuing")));
    let leaf = issuing.sign(leaf);
    House {
        root,
        issuing,
        leaf,
    }
}

/// What is trusted, in a form that both sides of a comparison are made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trusted {
    pub(crate) well_known: Vec<Vec<u8>>,
    pub(crate) uploaded: Option<Vec<Vec<u8>>>,
}

impl Trusted {
    pub(crate) fn well_known(parties: &[&Party]) -> Self {
        Self {
            well_known: parties.iter().map(|party| party.der.clone()).collect(),
            uploaded: None,
        }
    }

    pub(crate) fn uploaded(parties: &[&Party]) -> Self {
        Self {
            well_known: Vec::new(),
            uploaded: Some(parties.iter().map(|party| party.der.clone()).collect()),
        }
    }

    fn store(&self, with_uploads: bool) -> RootCertStore {
        let mut store = RootCertStore::empty();
        let uploaded = self.uploaded.iter().flatten().filter(|_| with_uploads);
        let all = self.well_known.iter().chain(uploaded);
        store.add_parsable_certificates(all.map(|der| CertificateDer::from(der.clone())));
        store
    }
}

pub(crate) fn chain(parties: &[&Party]) -> Vec<Vec<u8>> {
    parties.iter().map(|party| party.der.clone()).collect()
}

/// Our verdict under the name [`HOST`], everything checked.
pub(crate) fn verdict(chain: &[Vec<u8>], trusted: &Trusted) -> Verdict {
    verdict_for(chain, trusted, ServerName::Dns(HOST), Checks::ALL)
}

pub(crate) fn verdict_for(
    chain: &[Vec<u8>],
    trusted: &Trusted,
    name: ServerName<'_>,
    checks: Checks,
) -> Verdict {
    let presented = Presented::read(chain.iter().map(Vec::as_slice));
    // As the data plane will: well-known authorities come as rustls keeps them.
    let store = trusted.store(false);
    let anchors: Vec<Anchor<'_>> = store
        .roots
        .iter()
        .map(|root| Anchor {
            subject: root.subject.as_ref(),
            key: root.subject_public_key_info.as_ref(),
            constraints: root.name_constraints.as_ref().map(|der| der.as_ref()),
        })
        .collect();
    let anchors = anchors.as_slice();
    let roots: Option<Vec<Certificate>> = trusted.uploaded.as_ref().map(|roots| {
        let read = |der: &Vec<u8>| Certificate::read(der).ok();
        roots.iter().filter_map(read).collect()
    });
    let trust = match &roots {
        None => Trust::WellKnown { anchors },
        Some(roots) => Trust::Uploaded { anchors, roots },
    };
    examine(&presented, &trust, name, NOW, checks)
}

/// webpki's verdict on the chain, without the name.
pub(crate) fn webpki_chain(chain: &[Vec<u8>], trusted: &Trusted) -> Result<(), String> {
    let ders: Vec<CertificateDer<'_>> = chain
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let (leaf, rest) = ders.split_first().ok_or("nothing")?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW as u64));
    let leaf = ParsedCertificate::try_from(leaf).map_err(|error| error.to_string())?;
    verify_server_cert_signed_by_trust_anchor(
        &leaf,
        &trusted.store(true),
        rest,
        now,
        provider.signature_verification_algorithms.all,
    )
    .map_err(|error| format!("{error:?}"))
}

/// webpki's verdict on the name alone.
pub(crate) fn webpki_name(leaf: &[u8], name: &str) -> Result<(), String> {
    let leaf = CertificateDer::from(leaf);
    let leaf = ParsedCertificate::try_from(&leaf).map_err(|error| error.to_string())?;
    let name = rustls::pki_types::ServerName::try_from(name).map_err(|error| error.to_string())?;
    verify_server_name(&leaf, &name).map_err(|error| format!("{error:?}"))
}
