//! TLS client configurations for tests: whom a client believes, and what it shows.

use super::{Authority, Identity};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;

/// A client that believes what the root above `authority` vouches for, and nothing else; TLS 1.2
/// and 1.3, no client certificate, no ALPN. Clone the inner value to alter it.
pub fn client_trusting(authority: &Authority) -> Arc<ClientConfig> {
    client_trusting_roots(&[authority.root_certificate()])
}

/// As [`client_trusting`], with the trusted certificates given.
///
/// # Panics
///
/// When one of them is no certificate.
pub fn client_trusting_roots(roots: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let config = builder()
        .with_root_certificates(root_store(roots))
        .with_no_client_auth();
    Arc::new(config)
}

/// A client that believes what `authority` vouches for, and shows `identity` when asked.
///
/// # Panics
///
/// When the identity's key does not belong to its certificate.
pub fn client_presenting(authority: &Authority, identity: &Identity) -> Arc<ClientConfig> {
    let config = builder()
        .with_root_certificates(root_store(&[authority.root_certificate()]))
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .expect("the identity's key belongs to its certificate");
    Arc::new(config)
}

/// A client that believes anyone. It still checks that the server holds the key of the
/// certificate it shows. For tests and the demonstration only.
pub fn client_trusting_anything() -> Arc<ClientConfig> {
    believing(true)
}

/// A client that believes anyone and does not even check that the server holds the key of the
/// certificate it shows, to look at what a server shows. For tests only.
pub fn client_trusting_blindly() -> Arc<ClientConfig> {
    believing(false)
}

fn believing(checks_signatures: bool) -> Arc<ClientConfig> {
    let verifier = Arc::new(Credulous {
        provider: provider(),
        checks_signatures,
    });
    let config = builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config)
}

/// The provider is always named: a test must not depend on a process-wide default.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
}

fn root_store(roots: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).expect("a root is a certificate");
    }
    store
}

#[derive(Debug)]
struct Credulous {
    provider: Arc<CryptoProvider>,
    checks_signatures: bool,
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.checks_signatures {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.checks_signatures {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
