//! The authority of this installation, and the certificate that the control plane presents.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long the authority is good.
const CA_YEARS: i64 = 10;

/// How long a server certificate is good: it is made anew at each start, and browsers and Go refuse
/// one that is good for longer than 398 days.
const SERVER_DAYS: i64 = 397;

/// Clocks of clients may be behind by this much.
const BACKDATED: Duration = Duration::hours(1);

/// The authority as it is stored, sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Authority {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM.
    key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn generate(now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named("Gatewright local authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = now - BACKDATED;
        params.not_after = now + Duration::days(365 * CA_YEARS);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// What the front door presents: a new key, and a certificate for `names`, DNS names or
    /// addresses.
    ///
    /// # Errors
    /// When the authority is damaged, or a name is none.
    pub(crate) fn server_config(
        &self,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Arc<ServerConfig>, String> {
        let text = |error: rcgen::Error| error.to_string();
        let ca_key = KeyPair::from_pem(&self.key).map_err(text)?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, ca_key).map_err(text)?;
        let key = KeyPair::generate().map_err(text)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(text)?;
        params.distinguished_name = named("Gatewright control plane");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = now - BACKDATED;
        params.not_after = now + Duration::days(SERVER_DAYS);
        let certificate = params.signed_by(&key, &issuer).map_err(text)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(config))
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
}
