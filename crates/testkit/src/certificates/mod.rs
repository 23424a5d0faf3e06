//! A certificate workshop: authorities, chains and every way in which a chain can be wrong.
//!
//! Everything here is made in memory and differs from run to run, apart from the RSA keys, which
//! are made once per process because they are slow to find (see [`KeyKind::Rsa2048`]).
//!
//! ```
//! use gatewright_testkit::certificates::{Authority, Leaf, Validity};
//!
//! let root = Authority::new("Contoso Root");
//! let issuing = root.intermediate("Contoso Issuing");
//! let good = issuing.issue(Leaf::named("app.contoso.test"));
//! let expired = issuing.issue(Leaf::named("app.contoso.test").valid(Validity::expired()));
//! let incomplete = good.without_intermediates();
//! assert_eq!((good.chain.len(), incomplete.chain.len()), (2, 1));
//! # let _ = expired;
//! ```

mod identity;
mod spoilt;
mod trust;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, RsaKeySize,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, OnceLock};
use time::{Duration, OffsetDateTime};

pub use identity::{Identity, PfxCipher, pem_of};
pub(crate) use trust::provider;
pub use trust::{
    client_presenting, client_trusting, client_trusting_anything, client_trusting_blindly,
    client_trusting_roots,
};

/// Which kind of key pair a certificate is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256, made afresh for each certificate.
    #[default]
    P256,
    /// RSA of 2048 bits.
    ///
    /// All RSA leaves of a process share one key pair, and all RSA authorities another, since
    /// finding one takes up to seconds. [`Authority::twin`] of an RSA authority gets its own.
    Rsa2048,
}

/// The span of time in which a certificate holds; whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant at which the certificate holds.
    pub not_before: OffsetDateTime,
    /// The last instant at which the certificate holds.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// From an hour ago for 90 days.
    pub fn current() -> Self {
        Self::hours_from_now(-1, 24 * 90)
    }

    /// For 90 days that ended an hour ago.
    pub fn expired() -> Self {
        Self::hours_from_now(-24 * 90, -1)
    }

    /// For 90 days that begin in a day.
    pub fn not_yet() -> Self {
        Self::hours_from_now(24, 24 * 91)
    }

    /// From an hour from now to an hour ago: it ends before it begins.
    pub fn inverted() -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            not_before: now + Duration::hours(1),
            not_after: now - Duration::hours(1),
        }
    }

    /// From `first` to `last`, both in hours relative to now.
    ///
    /// # Panics
    ///
    /// When `first` lies after `last`.
    pub fn hours_from_now(first: i64, last: i64) -> Self {
        assert!(first <= last, "a certificate cannot end before it begins");
        let now = OffsetDateTime::now_utc();
        Self {
            not_before: now + Duration::hours(first),
            not_after: now + Duration::hours(last),
        }
    }
}

/// What a server's (or client's) certificate shall say.
#[derive(Clone, Debug)]
pub struct Leaf {
    names: Vec<String>,
    common_name: Option<String>,
    validity: Validity,
    key: KeyKind,
    is_authority: bool,
    is_for_clients_only: bool,
    has_unknown_demand: bool,
}

/// An extension that nobody knows, of the enterprise that is set aside for examples (RFC 5612).
const UNKNOWN_EXTENSION: [u64; 8] = [1, 3, 6, 1, 4, 1, 32473, 1];

impl Leaf {
    /// A certificate for one name: a DNS name (`*.` allowed) or an IP address. The name is both
    /// the only subject alternative name and the common name.
    pub fn named(name: &str) -> Self {
        Self::for_names(&[name])
    }

    /// A certificate whose subject alternative names are `names`, DNS names and IP addresses
    /// mixed; the first is also the common name. No names: no extension and no common name.
    pub fn for_names(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            common_name: names.first().map(|name| (*name).to_owned()),
            validity: Validity::current(),
            key: KeyKind::P256,
            is_authority: false,
            is_for_clients_only: false,
            has_unknown_demand: false,
        }
    }

    /// A certificate that names its server in the common name only: no alternative names.
    pub fn common_name_only(common_name: &str) -> Self {
        Self::for_names(&[]).common_name(common_name)
    }

    /// Replaces the common name.
    pub fn common_name(mut self, common_name: &str) -> Self {
        self.common_name = Some(common_name.to_owned());
        self
    }

    /// Replaces the span of validity, which is [`Validity::current`] otherwise.
    pub fn valid(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Replaces the kind of key, which is [`KeyKind::P256`] otherwise.
    pub fn key(mut self, key: KeyKind) -> Self {
        self.key = key;
        self
    }

    /// Says `CA:TRUE`, as the self-signed certificates of many a how-to do.
    pub fn as_authority(mut self) -> Self {
        self.is_authority = true;
        self
    }

    /// Is good for clients only: its extended key usage leaves servers out.
    pub fn for_clients_only(mut self) -> Self {
        self.is_for_clients_only = true;
        self
    }

    /// Has a critical extension that nobody knows, for which it must be refused (RFC 5280 §4.2).
    pub fn with_unknown_demand(mut self) -> Self {
        self.has_unknown_demand = true;
        self
    }

    /// Makes the certificate signed by its own key, with nobody's word for it.
    pub fn self_signed(self) -> Identity {
        let key = leaf_key(self.key);
        let certificate = self
            .params()
            .self_signed(&key)
            .expect("a leaf can sign itself");
        Identity::new(vec![certificate.into()], private_key(&key))
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone())
            .expect("subject alternative names must be DNS names or IP addresses");
        params.distinguished_name = distinguished_name(self.common_name.as_deref());
        params.not_before = self.validity.not_before;
        params.not_after = self.validity.not_after;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !self.is_for_clients_only {
            let usages = &mut params.extended_key_usages;
            usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        if self.has_unknown_demand {
            // The content is an ASN.1 NULL.
            let mut extension = CustomExtension::from_oid_content(&UNKNOWN_EXTENSION, vec![5, 0]);
            extension.set_criticality(true);
            params.custom_extensions.push(extension);
        }
        params.use_authority_key_identifier_extension = true;
        params
    }
}

/// One who signs certificates: a root, or an intermediate under one. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<Issuer<'static, KeyPair>>,
    common_name: String,
    key: KeyKind,
    /// This authority's certificate first, then its issuers, the root last.
    path: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("common_name", &self.common_name)
            .field("depth", &(self.path.len() - 1))
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// A root with a P-256 key that holds for ten years.
    pub fn new(common_name: &str) -> Self {
        Self::with(common_name, KeyKind::P256, ca_validity())
    }

    /// A root with the key kind and validity given.
    pub fn with(common_name: &str, key: KeyKind, validity: Validity) -> Self {
        Self::root(common_name, key, validity, authority_key(key))
    }

    /// A root of the same distinguished name and kind of key, but another key: what a server
    /// shows when it was re-issued and the uploaded root was not.
    pub fn twin(&self) -> Self {
        Self::root(
            &self.common_name,
            self.key,
            ca_validity(),
            fresh_key(self.key),
        )
    }

    /// An intermediate signed by this authority, of the same kind of key, for ten years.
    pub fn intermediate(&self, common_name: &str) -> Self {
        self.intermediate_valid(common_name, ca_validity())
    }

    /// As [`Authority::intermediate`], with the validity given.
    pub fn intermediate_valid(&self, common_name: &str, validity: Validity) -> Self {
        self.subordinate(common_name, ca_params(common_name, validity))
    }

    /// As [`Authority::intermediate`], with at most `depth` more intermediates beneath it; zero
    /// means that it signs leaves only. What is made beneath it nonetheless is not valid.
    pub fn intermediate_of_depth(&self, common_name: &str, depth: u8) -> Self {
        let mut params = ca_params(common_name, ca_validity());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
        self.subordinate(common_name, params)
    }

    /// As [`Authority::intermediate`], but its certificate says `CA:FALSE`: a server that signs
    /// for others with its own certificate.
    pub fn impostor(&self, common_name: &str) -> Self {
        let mut params = ca_params(common_name, ca_validity());
        params.is_ca = IsCa::ExplicitNoCa;
        self.subordinate(common_name, params)
    }

    /// The same distinguished name and the same key in a new certificate, signed by itself: a
    /// root that was renewed. What the old one signed, the new one vouches for.
    pub fn renewed(&self, validity: Validity) -> Self {
        Self::root(&self.common_name, self.key, validity, self.copy_of_key())
    }

    /// The same distinguished name and the same key in a certificate that `other` signed: a
    /// second path for what this authority signs.
    pub fn cross_signed_by(&self, other: &Self) -> Self {
        let params = ca_params(&self.common_name, ca_validity());
        other.subordinate_with(&self.common_name, params, self.copy_of_key())
    }

    /// What a server shows that was given an authority's certificate and key in place of its own:
    /// this authority's certificate and its issuers' up to, but without, the root.
    pub fn identity(&self) -> Identity {
        let issuers = self.path.len().saturating_sub(1).max(1);
        Identity::new(
            self.path[..issuers].to_vec(),
            private_key(self.issuer.key()),
        )
    }

    /// Signs a leaf. The identity's chain is the leaf, then every intermediate up to, but
    /// without, the root: complete and in order, as a server should send it.
    pub fn issue(&self, leaf: Leaf) -> Identity {
        let key = leaf_key(leaf.key);
        let certificate = leaf
            .params()
            .signed_by(&key, &self.issuer)
            .expect("it can sign");
        self.identity_of(certificate.into(), &key)
    }

    /// Signs a leaf as X.509 version 1, which has no extensions: of the names only the common
    /// name is left.
    pub fn issue_v1(&self, leaf: Leaf) -> Identity {
        let key = leaf_key(leaf.key);
        let certificate = leaf
            .params()
            .signed_by(&key, &self.issuer)
            .expect("it can sign");
        let certificate = spoilt::as_version_1(certificate.der(), self.issuer.key());
        self.identity_of(certificate, &key)
    }

    /// This authority's own certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.path[0].clone()
    }

    /// The certificate of the root above (the same as [`Authority::certificate`] for a root).
    pub fn root_certificate(&self) -> CertificateDer<'static> {
        self.path[self.path.len() - 1].clone()
    }

    /// This authority's own certificate as one PEM block.
    pub fn cert_pem(&self) -> String {
        pem_of("CERTIFICATE", &self.path[0])
    }

    /// The common name.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    fn identity_of(&self, certificate: CertificateDer<'static>, key: &KeyPair) -> Identity {
        let mut chain = vec![certificate];
        chain.extend(self.path[..self.path.len() - 1].iter().cloned());
        Identity::new(chain, private_key(key))
    }

    fn copy_of_key(&self) -> KeyPair {
        let der = self.issuer.key().serialize_der();
        KeyPair::try_from(der.as_slice()).expect("a key of our own can be read again")
    }

    fn subordinate(&self, common_name: &str, params: CertificateParams) -> Self {
        // Never the cached key: an intermediate with its root's key would verify by accident.
        self.subordinate_with(common_name, params, fresh_key(self.key))
    }

    fn subordinate_with(
        &self,
        common_name: &str,
        params: CertificateParams,
        key_pair: KeyPair,
    ) -> Self {
        let certificate = params
            .signed_by(&key_pair, &self.issuer)
            .expect("an authority can sign");
        let mut path = vec![certificate.into()];
        path.extend(self.path.iter().cloned());
        Self {
            issuer: Arc::new(Issuer::new(params, key_pair)),
            common_name: common_name.to_owned(),
            key: self.key,
            path,
        }
    }

    fn root(common_name: &str, key: KeyKind, validity: Validity, key_pair: KeyPair) -> Self {
        let params = ca_params(common_name, validity);
        let certificate = params
            .self_signed(&key_pair)
            .expect("a root can sign itself");
        Self {
            issuer: Arc::new(Issuer::new(params, key_pair)),
            common_name: common_name.to_owned(),
            key,
            path: vec![certificate.into()],
        }
    }
}

fn ca_validity() -> Validity {
    Validity::hours_from_now(-24, 24 * 365 * 10)
}

fn ca_params(common_name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(Some(common_name));
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

fn distinguished_name(common_name: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(common_name) = common_name {
        name.push(DnType::CommonName, common_name);
    }
    name
}

fn leaf_key(kind: KeyKind) -> KeyPair {
    static LEAF_RSA: OnceLock<Vec<u8>> = OnceLock::new();
    cached_key(kind, &LEAF_RSA)
}

fn authority_key(kind: KeyKind) -> KeyPair {
    static AUTHORITY_RSA: OnceLock<Vec<u8>> = OnceLock::new();
    cached_key(kind, &AUTHORITY_RSA)
}

fn cached_key(kind: KeyKind, rsa: &OnceLock<Vec<u8>>) -> KeyPair {
    match kind {
        KeyKind::P256 => fresh_key(kind),
        KeyKind::Rsa2048 => {
            let der = rsa.get_or_init(|| fresh_key(kind).serialize_der());
            KeyPair::try_from(der.as_slice()).expect("a key of our own can be read again")
        }
    }
}

fn fresh_key(kind: KeyKind) -> KeyPair {
    match kind {
        KeyKind::P256 => KeyPair::generate(),
        KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
    }
    .expect("the system gives randomness")
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}
