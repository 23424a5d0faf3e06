//! TLS towards backends: whose certificate is accepted, and under which name.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use gatewright_snapshot::{BackendTrust, BackendVerification};
use gatewright_telemetry::Failure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::stream::{TlsFailure, TlsStream};
use crate::io::{Socket, Timer};
use crate::time_out::time_out;

/// How connections to one upstream are made secure. Kept across reloads while it does not change.
#[derive(Clone, Debug)]
pub(crate) struct BackendTls {
    verification: BackendVerification,
    config: Arc<ClientConfig>,
}

impl BackendTls {
    pub(crate) fn new(verification: &BackendVerification) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = BackendVerifier {
            provider: Arc::clone(&provider),
            roots: roots(&verification.trust),
            verification: verification.clone(),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider's suites cover TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self {
            verification: verification.clone(),
            config: Arc::new(config),
        }
    }

    pub(crate) fn verification(&self) -> &BackendVerification {
        &self.verification
    }

    pub(crate) fn is_for(&self, verification: &BackendVerification) -> bool {
        self.verification == *verification
    }
}

/// The name that is sent and checked. Without a usable one the server's address stands in, which
/// sends no SNI.
pub(crate) fn backend_name(name: Option<&str>, server: SocketAddr) -> ServerName<'static> {
    let by_name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    by_name.unwrap_or_else(|| ServerName::IpAddress(server.ip().into()))
}

/// Why a handshake with a backend came to nothing.
#[derive(Debug)]
pub(crate) struct HandshakeFault {
    pub(crate) failure: Failure,
    /// What the TLS library says, where it was the one that gave up.
    pub(crate) error: Option<Error>,
    /// The certificates that were refused, as presented (DER).
    pub(crate) presented: Vec<Vec<u8>>,
}

impl From<Failure> for HandshakeFault {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            error: None,
            presented: Vec::new(),
        }
    }
}

/// Makes a fresh connection secure.
///
/// # Errors
/// The failure, named as finely as TLS tells it.
pub(crate) async fn backend_handshake(
    tls: &BackendTls,
    name: ServerName<'static>,
    socket: Socket,
    timer: &Timer,
) -> Result<Box<TlsStream>, HandshakeFault> {
    let mut connection = ClientConnection::new(Arc::clone(&tls.config), name)
        .map_err(|_| HandshakeFault::from(Failure::BackendTlsProtocol))?;
    connection.set_buffer_limit(None);
    let stream = Box::new(TlsStream::new(socket, connection.into(), Vec::new()));
    match stream.handshake(timer).await {
        Ok(()) => Ok(stream),
        Err(TlsFailure::TimedOut) => Err(time_out(timer, Failure::BackendTlsTimedOut).into()),
        Err(TlsFailure::Closed) => Err(Failure::BackendTlsClosed.into()),
        Err(TlsFailure::Protocol(error)) => Err(HandshakeFault {
            failure: handshake_failure(&error),
            error: Some(error),
            presented: REFUSED.take(),
        }),
    }
}

fn handshake_failure(error: &Error) -> Failure {
    let Error::InvalidCertificate(reason) = error else {
        return match error {
            Error::AlertReceived(_) => Failure::BackendTlsAlert,
            _ => Failure::BackendTlsProtocol,
        };
    };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Failure::BackendCertificateName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Failure::BackendCertificateDates,
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::ApplicationVerificationFailure => Failure::BackendCertificateUntrusted,
        _ => Failure::BackendCertificateInvalid,
    }
}

static WELL_KNOWN: OnceLock<Arc<RootCertStore>> = OnceLock::new();

/// The public authorities: this machine's, or where it has none, those that Mozilla lists.
pub(crate) fn well_known_roots() -> &'static Arc<RootCertStore> {
    WELL_KNOWN.get_or_init(|| Arc::new(public_roots()))
}

fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Has the gateways of this process trust `authority` (PEM) as they trust the public authorities.
/// To be said before anything is served.
///
/// # Errors
/// When it is no certificate, or it is too late; in a clause.
pub fn trust_as_well_known(authority: &str) -> Result<(), String> {
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes());
    let certificate = certificate.map_err(|error| format!("it is no certificate: {error}"))?;
    let mut roots = public_roots();
    let added = roots.add(certificate);
    added.map_err(|error| format!("it cannot vouch for others: {error}"))?;
    let set = WELL_KNOWN.set(Arc::new(roots));
    set.map_err(|_| "backends are judged by others already".to_owned())
}

fn roots(trust: &BackendTrust) -> Arc<RootCertStore> {
    let well_known = well_known_roots();
    let BackendTrust::Roots(uploaded) = trust else {
        return Arc::clone(well_known);
    };
    let mut roots = RootCertStore::clone(well_known);
    let uploaded = uploaded.iter().map(|der| CertificateDer::from(der.clone()));
    roots.add_parsable_certificates(uploaded);
    Arc::new(roots)
}

thread_local! {
    /// The chain that was refused last on this thread. A handshake learns of a refusal within the
    /// same poll, so that it is its own.
    static REFUSED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct BackendVerifier {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    verification: BackendVerification,
}

impl ServerCertVerifier for BackendVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.judge(end_entity, intermediates, server_name, now);
        if judged.is_err() {
            let presented = std::iter::once(end_entity).chain(intermediates);
            REFUSED.set(presented.map(|der| der.to_vec()).collect());
        }
        judged.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl BackendVerifier {
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        if let BackendTrust::Pinned(pinned) = &self.verification.trust {
            return check_pinned(end_entity, pinned);
        }
        if self.verification.check_chain {
            self.check_chain(end_entity, intermediates, now)?;
        }
        if self.verification.check_name {
            check_name(end_entity, server_name)?;
        }
        Ok(())
    }

    fn check_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if let BackendTrust::Roots(uploaded) = &self.verification.trust
            && uploaded
                .iter()
                .any(|root| root.as_slice() == end_entity.as_ref())
        {
            // A self-signed certificate that was uploaded is trusted by that, CA or not.
            return check_dates(end_entity, now);
        }
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )
        .map_err(|error| match error {
            // A self-signed certificate that calls itself an authority, which is what many tools
            // make, is refused for that alone; what is wrong is that nobody trusts it.
            Error::InvalidCertificate(CertificateError::Other(_)) => {
                CertificateError::UnknownIssuer.into()
            }
            error => error,
        })
    }
}

/// v1 trusts exactly the uploaded certificates, by their public key.
fn check_pinned(end_entity: &CertificateDer<'_>, pinned: &[Vec<u8>]) -> Result<(), Error> {
    let key = |der: &CertificateDer<'_>| {
        Some(
            ParsedCertificate::try_from(der)
                .ok()?
                .subject_public_key_info()
                .as_ref()
                .to_vec(),
        )
    };
    let presented = key(end_entity).ok_or(CertificateError::BadEncoding)?;
    let matches =
        |der: &Vec<u8>| key(&CertificateDer::from(der.as_slice())).as_ref() == Some(&presented);
    if pinned.iter().any(matches) {
        Ok(())
    } else {
        Err(CertificateError::UnknownIssuer.into())
    }
}

fn check_dates(end_entity: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, certificate) =
        X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < certificate.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > certificate.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// The alternative names decide; the common name counts only where there are none (RFC 6125).
fn check_name(end_entity: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    let Err(error) = verify_server_name(&parsed, name) else {
        return Ok(());
    };
    let (_, certificate) =
        X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
    let alternative_names = certificate.subject_alternative_name().ok().flatten();
    let has_alternative_names =
        alternative_names.is_some_and(|names| !names.value.general_names.is_empty());
    let expected = match name {
        ServerName::DnsName(name) => name.as_ref().to_owned(),
        ServerName::IpAddress(address) => IpAddr::from(*address).to_string(),
        _ => return Err(error),
    };
    let common_name_matches = certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok())
        .any(|common_name| common_name_covers(common_name, &expected));
    if !has_alternative_names && common_name_matches {
        Ok(())
    } else {
        Err(error)
    }
}

/// Equal, or a wildcard for the whole first label.
fn common_name_covers(common_name: &str, expected: &str) -> bool {
    if common_name.eq_ignore_ascii_case(expected) {
        return true;
    }
    let Some(parent) = common_name.strip_prefix("*.") else {
        return false;
    };
    expected
        .split_once('.')
        .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_covers_one_label_by_wildcard() {
        assert!(common_name_covers("A.contoso.com", "a.contoso.com"));
        assert!(common_name_covers("*.contoso.com", "a.contoso.com"));
        assert!(!common_name_covers("*.contoso.com", "a.b.contoso.com"));
        assert!(!common_name_covers("*.contoso.com", "contoso.com"));
    }
}
