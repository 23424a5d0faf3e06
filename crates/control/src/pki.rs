//! The authority of this installation, and the certificate that the control plane presents.
//!
//! The authority is made at the first start and kept, sealed. It can vouch for the names of this
//! control plane alone, so that whoever makes a machine trust it, or steals it, has not made every
//! other site of the world impersonable. When the operator names more, it gets a new certificate
//! for the same key, and clients need the new file.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long the authority is good.
const CA_YEARS: i64 = 10;

/// What must be left of that at a start: longer than any server certificate.
const CA_LEFT_DAYS: i64 = 2 * SERVER_DAYS;

/// How long a server certificate is good: browsers and Go refuse one that is good for longer than
/// 398 days.
const SERVER_DAYS: i64 = 397;

/// A server certificate is made anew, with a new key, when it has fewer days left than this. One is
/// made at each start too.
const RENEWED_DAYS: i64 = 90;

/// Clocks of clients may be behind by this much.
const BACKDATED: Duration = Duration::hours(1);

/// Random bytes of a serial number; with the highest bit off, it is positive in as many.
const SERIAL_BYTES: usize = 16;

/// What is spoken after the handshake.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The authority as it is stored, sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Authority {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM.
    key: String,
    /// What it can vouch for: DNS names and addresses.
    #[serde(default)]
    names: Vec<String>,
    /// Seconds since the Unix epoch.
    #[serde(default)]
    good_until: i64,
}

impl Authority {
    /// A new one, for these names.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn generate(names: &[String], now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        Self::certify(&KeyPair::generate()?, names, now)
    }

    fn certify(key: &KeyPair, names: &[String], now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named("Gatewright local authority");
        params.serial_number = Some(serial()?);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names.iter().map(|name| subtree(name)).collect(),
            excluded_subtrees: Vec::new(),
        });
        params.not_before = now - BACKDATED;
        params.not_after = now + Duration::days(365 * CA_YEARS);
        let certificate = params.self_signed(key)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            names: names.to_vec(),
            good_until: params.not_after.unix_timestamp(),
        })
    }

    /// The same key with a new certificate, where this one lacks a name, or ends soon.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn renewed(
        &self,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Option<Self>, rcgen::Error> {
        let has = |name: &String| self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        let left = Duration::seconds(self.good_until - now.unix_timestamp());
        if names.iter().all(has) && left > Duration::days(CA_LEFT_DAYS) {
            return Ok(None);
        }
        Self::certify(&KeyPair::from_pem(&self.key)?, names, now).map(Some)
    }

    /// A new key, and a certificate for `names`, DNS names or addresses.
    ///
    /// # Errors
    /// When the authority is damaged, or a name is none.
    fn issue(&self, names: &[String], now: OffsetDateTime) -> Result<Issued, String> {
        let text = |error: rcgen::Error| error.to_string();
        let ca_key = KeyPair::from_pem(&self.key).map_err(text)?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, ca_key).map_err(text)?;
        let key = KeyPair::generate().map_err(text)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(text)?;
        params.distinguished_name = named("Gatewright control plane");
        params.serial_number = Some(serial().map_err(text)?);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = now - BACKDATED;
        params.not_after = now + Duration::days(SERVER_DAYS);
        let certificate = params.signed_by(&key, &issuer).map_err(text)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = CryptoProvider::get_default().ok_or("no cryptography was chosen")?;
        let chain = vec![certificate.der().clone()];
        let certified = CertifiedKey::from_der(chain, key, provider);
        Ok(Issued {
            certified: Arc::new(certified.map_err(|error| error.to_string())?),
            good_until: params.not_after,
        })
    }
}

/// A server certificate with its key.
struct Issued {
    certified: Arc<CertifiedKey>,
    good_until: OffsetDateTime,
}

/// What the front door presents.
pub(crate) struct Presented {
    authority: Authority,
    names: Vec<String>,
    issued: RwLock<Issued>,
}

impl Presented {
    /// # Errors
    /// When the authority is damaged, or a name is none.
    pub(crate) fn new(
        authority: Authority,
        names: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Arc<Self>, String> {
        let issued = RwLock::new(authority.issue(&names, now)?);
        Ok(Arc::new(Self {
            authority,
            names,
            issued,
        }))
    }

    /// TLS 1.2 and 1.3, and HTTP/1.1 alone inside.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Arc::new(config)
    }

    /// Makes the certificate anew when it ends soon: a control plane may run for years. Whether it
    /// did.
    ///
    /// # Errors
    /// As [`Presented::new`].
    pub(crate) fn renew(&self, now: OffsetDateTime) -> Result<bool, String> {
        let good_until = {
            let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
            issued.good_until
        };
        if good_until - now > Duration::days(RENEWED_DAYS) {
            return Ok(false);
        }
        let issued = self.authority.issue(&self.names, now)?;
        *self.issued.write().unwrap_or_else(PoisonError::into_inner) = issued;
        Ok(true)
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&issued.certified))
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Presented({})", self.names.join(", "))
    }
}

/// A random one: two certificates of the authority's one key must not share it.
fn serial() -> Result<SerialNumber, rcgen::Error> {
    let mut bytes = [0; SERIAL_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// Nothing but this name, and what is below it.
fn subtree(name: &str) -> GeneralSubtree {
    match name.parse() {
        Ok(IpAddr::V4(address)) => {
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32))
        }
        Ok(IpAddr::V6(address)) => {
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(address.octets(), 128))
        }
        Err(_) => GeneralSubtree::DnsName(name.trim_start_matches("*.").to_owned()),
    }
}

/// The names that the certificate has: those of this machine's loopback, and the operator's.
pub(crate) fn names(more: &[String]) -> Vec<String> {
    let loopback = ["localhost", "127.0.0.1", "::1"];
    let mut names: Vec<String> = loopback.map(str::to_owned).to_vec();
    for name in more {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_ascii_lowercase());
        }
    }
    names
}

/// The names with the port, as clients write them in URLs and in Host.
pub(crate) fn authorities(names: &[String], port: u16) -> Vec<String> {
    let authority = |name: &String| match name.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{}:{port}", name.to_ascii_lowercase()),
    };
    let mut all: Vec<String> = names.iter().map(authority).collect();
    if port == 443 {
        // Clients leave the scheme's own port out.
        all.extend(names.iter().map(|name| name.to_ascii_lowercase()));
    }
    all
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_names_with_the_port() {
        let names = names(&["Gw.contoso.test".into(), "LOCALHOST".into()]);
        assert_eq!(
            authorities(&names, 9443),
            [
                "localhost:9443",
                "127.0.0.1:9443",
                "[::1]:9443",
                "gw.contoso.test:9443"
            ]
        );
        assert!(authorities(&names, 443).contains(&"gw.contoso.test".to_owned()));
    }

    fn authority(names: &[String], now: OffsetDateTime) -> Authority {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Authority::generate(names, now).unwrap()
    }

    #[test]
    fn a_certificate_is_made_anew_before_it_ends_and_not_sooner() {
        let (names, now) = (names(&[]), OffsetDateTime::now_utc());
        let presented = Presented::new(authority(&names, now), names, now).unwrap();
        let shown = || Arc::clone(&presented.issued.read().unwrap().certified);
        let first = shown();
        let days = |days| now + Duration::days(days);
        assert!(
            !presented
                .renew(days(SERVER_DAYS - RENEWED_DAYS - 1))
                .unwrap()
        );
        assert!(Arc::ptr_eq(&first, &shown()));
        assert!(presented.renew(days(SERVER_DAYS - RENEWED_DAYS)).unwrap());
        assert_ne!(first.cert, shown().cert);
        assert!(
            !presented.renew(days(SERVER_DAYS)).unwrap(),
            "the new one is good"
        );
    }

    #[test]
    fn the_authority_keeps_its_key_when_it_needs_another_name() {
        let (few, now) = (names(&[]), OffsetDateTime::now_utc());
        let first = authority(&few, now);
        assert!(first.renewed(&few, now).unwrap().is_none());
        let more = names(&["gw.contoso.test".to_owned()]);
        let second = first.renewed(&more, now).unwrap().unwrap();
        assert_eq!(first.key, second.key);
        assert_ne!(first.certificate, second.certificate);
        assert!(
            second.renewed(&few, now).unwrap().is_none(),
            "it can do more than it must"
        );
        let later = now + Duration::days(365 * CA_YEARS - CA_LEFT_DAYS);
        assert!(second.renewed(&more, later).unwrap().is_some());
    }
}
