//! TLS towards clients: which certificate and policy answer which name.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use gatewright_snapshot::{Certificate, CipherSuite, TlsPolicy, TlsVersion};
use gatewright_telemetry::HandshakeFailure;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{Accepted, Acceptor, NoServerSessionStorage};
use rustls::{ServerConfig, SupportedCipherSuite};

use super::ja4;
use super::stream::{TlsFailure, TlsStream};
use crate::io::{Inbox, Socket, Timer};

/// Longest ClientHello, in bytes, that is waited for.
const HELLO_BYTES_MAX: usize = 64 * 1024;

/// What a listener negotiates, ready for use. Kept across reloads while nothing of it changes.
#[derive(Clone, Debug)]
pub(crate) struct ListenerTls {
    certificate: Certificate,
    policy: TlsPolicy,
    config: Arc<ServerConfig>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "certificate {certificate:?} of listener {listener:?} cannot be used: {reason}; \
     upload a certificate whose private key is RSA of at least 2,048 bits or ECDSA P-256/P-384"
)]
pub(crate) struct ListenerTlsError {
    listener: String,
    certificate: String,
    reason: rustls::Error,
}

impl ListenerTls {
    /// # Errors
    /// When the key is of a kind that cannot be used, or does not belong to the certificate.
    pub(crate) fn new(
        listener: &str,
        certificate: &Certificate,
        policy: &TlsPolicy,
    ) -> Result<Self, ListenerTlsError> {
        let config = server_config(certificate, policy).map_err(|reason| ListenerTlsError {
            listener: listener.to_owned(),
            certificate: certificate.name.clone(),
            reason,
        })?;
        Ok(Self {
            certificate: certificate.clone(),
            policy: policy.clone(),
            config: Arc::new(config),
        })
    }

    pub(crate) fn is_for(&self, certificate: &Certificate, policy: &TlsPolicy) -> bool {
        self.certificate == *certificate && self.policy == *policy
    }
}

fn server_config(
    certificate: &Certificate,
    policy: &TlsPolicy,
) -> Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider {
        cipher_suites: policy
            .suites
            .iter()
            .map(|suite| supported(*suite))
            .collect(),
        kx_groups: key_exchanges(),
        ..aws_lc_rs::default_provider()
    };
    let mut versions = Vec::new();
    if policy.maximum >= TlsVersion::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if policy.minimum <= TlsVersion::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    let chain = certificate
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let key = PrivatePkcs8KeyDer::from(certificate.key.pkcs8_der().to_vec());
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key))?;
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets alone resume sessions: nothing to store, nothing to share between threads.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    // One is enough for a client that resumes; each costs the handshake an encryption.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// X25519 first: the cheapest. The post-quantum hybrid for clients that offer a share of it.
fn key_exchanges() -> Vec<&'static dyn SupportedKxGroup> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    vec![X25519, X25519MLKEM768, SECP256R1, SECP384R1]
}

fn supported(suite: CipherSuite) -> SupportedCipherSuite {
    use aws_lc_rs::cipher_suite as suites;
    match suite {
        CipherSuite::Tls13Aes256GcmSha384 => suites::TLS13_AES_256_GCM_SHA384,
        CipherSuite::Tls13Aes128GcmSha256 => suites::TLS13_AES_128_GCM_SHA256,
        CipherSuite::EcdheEcdsaAes256GcmSha384 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheEcdsaAes128GcmSha256 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256GcmSha384 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaAes128GcmSha256 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    }
}

/// What answers a client's hello.
pub(crate) struct Chosen {
    pub(crate) config: Arc<ServerConfig>,
    /// Whether backends are told the client's fingerprint.
    pub(crate) wants_ja4: bool,
}

/// How accepting a TLS connection ended.
pub(crate) enum TlsAccept {
    Session {
        stream: Box<TlsStream>,
        ja4: Option<Box<str>>,
    },
    /// The client spoke plain HTTP.
    PlainHttp(Socket),
    Failed(HandshakeError),
}

/// Why there was no session, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the client closed the connection")]
    Closed,
    #[error("the client did not finish in time")]
    TimedOut,
    #[error("the client's hello is longer than 64 KiB")]
    TooLong,
    #[error("no listener has the name that the client asked for")]
    NoSuchName,
    #[error("{0}")]
    Tls(rustls::Error),
}

impl HandshakeError {
    /// What it is counted as.
    pub(crate) fn failure(&self) -> HandshakeFailure {
        match self {
            Self::Closed => HandshakeFailure::Closed,
            Self::TimedOut => HandshakeFailure::TimedOut,
            Self::TooLong => HandshakeFailure::HelloTooLong,
            Self::NoSuchName => HandshakeFailure::NameUnknown,
            Self::Tls(rustls::Error::AlertReceived(_)) => HandshakeFailure::Alert,
            Self::Tls(rustls::Error::PeerIncompatible(_)) => HandshakeFailure::Incompatible,
            Self::Tls(_) => HandshakeFailure::Invalid,
        }
    }
}

/// Takes a new connection through the handshake. `choose` finds the listener for the name that the
/// client asks for; `None` ends the handshake with `unrecognized_name`, as the service does for a
/// listener that is disabled.
pub(crate) async fn accept(
    socket: Socket,
    timer: &Timer,
    choose: impl FnOnce(Option<&str>) -> Option<Chosen>,
) -> TlsAccept {
    let mut acceptor = Acceptor::default();
    let mut hello = Vec::new();
    let mut inbox = Inbox::default();
    loop {
        let arrival = poll_fn(|context| {
            let arrival =
                inbox.poll_fill(context, |context, room| socket.poll_receive(context, room));
            match arrival {
                Poll::Ready(Ok(1..)) => Poll::Ready(Ok(())),
                Poll::Ready(_) => Poll::Ready(Err(HandshakeError::Closed)),
                Poll::Pending => timer.poll(context).map(|()| Err(HandshakeError::TimedOut)),
            }
        });
        if let Err(failure) = arrival.await {
            return TlsAccept::Failed(failure);
        }
        let mut bytes = inbox.bytes();
        if hello.is_empty() && bytes.first().is_some_and(u8::is_ascii_alphabetic) {
            return TlsAccept::PlainHttp(socket);
        }
        hello.extend_from_slice(bytes);
        match read_hello(&mut acceptor, &mut bytes, &socket).await {
            Ok(Some(accepted)) => {
                let arrived = Arrived {
                    accepted,
                    hello,
                    unread: bytes.to_vec(),
                };
                return finish(socket, timer, arrived, choose).await;
            }
            Ok(None) if hello.len() < HELLO_BYTES_MAX => inbox.clear(),
            Ok(None) => return TlsAccept::Failed(HandshakeError::TooLong),
            Err(error) => return TlsAccept::Failed(HandshakeError::Tls(error)),
        }
    }
}

async fn read_hello(
    acceptor: &mut Acceptor,
    bytes: &mut &[u8],
    socket: &Socket,
) -> Result<Option<Accepted>, rustls::Error> {
    while !bytes.is_empty() {
        let read = acceptor.read_tls(bytes);
        read.map_err(|error| rustls::Error::General(error.to_string()))?;
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Ok(Some(accepted)),
            Err((error, mut alert)) => {
                let mut text = Vec::new();
                let _ = alert.write_all(&mut text);
                send_briefly(socket, &text).await;
                return Err(error);
            }
        }
    }
    Ok(None)
}

/// A whole hello.
struct Arrived {
    accepted: Accepted,
    /// Its bytes, and whatever came with them.
    hello: Vec<u8>,
    /// What came behind it.
    unread: Vec<u8>,
}

async fn finish(
    socket: Socket,
    timer: &Timer,
    arrived: Arrived,
    choose: impl FnOnce(Option<&str>) -> Option<Chosen>,
) -> TlsAccept {
    let Arrived {
        accepted,
        hello,
        unread,
    } = arrived;
    let Some(chosen) = choose(accepted.client_hello().server_name()) else {
        // A fatal unrecognized_name alert, in a record of its own.
        send_briefly(&socket, &[0x15, 3, 3, 0, 2, 2, 112]).await;
        return TlsAccept::Failed(HandshakeError::NoSuchName);
    };
    let mut connection = match accepted.into_connection(chosen.config) {
        Ok(connection) => connection,
        Err((error, mut alert)) => {
            let mut text = Vec::new();
            let _ = alert.write_all(&mut text);
            send_briefly(&socket, &text).await;
            return TlsAccept::Failed(HandshakeError::Tls(error));
        }
    };
    // Its own limit would cut large writes; what the exchange writes is bounded already.
    connection.set_buffer_limit(None);
    let stream = Box::new(TlsStream::new(socket, connection.into(), unread));
    match stream.handshake(timer).await {
        Ok(()) => {
            let ja4 = chosen.wants_ja4.then(|| ja4::fingerprint(&hello)).flatten();
            TlsAccept::Session {
                stream,
                ja4: ja4.map(Into::into),
            }
        }
        Err(TlsFailure::TimedOut) => TlsAccept::Failed(HandshakeError::TimedOut),
        Err(TlsFailure::Closed) => TlsAccept::Failed(HandshakeError::Closed),
        Err(TlsFailure::Protocol(error)) => TlsAccept::Failed(HandshakeError::Tls(error)),
    }
}

/// Sends a few bytes if the socket takes them at once, which a fresh one does.
async fn send_briefly(socket: &Socket, bytes: &[u8]) {
    let pieces = [std::io::IoSlice::new(bytes)];
    poll_fn(|context| {
        let _ = socket.poll_send(context, &pieces);
        Poll::Ready(())
    })
    .await;
}

impl ListenerTls {
    pub(crate) fn chosen(&self) -> Chosen {
        // The service passes the fingerprint on with its policies of 2022 and later.
        let name = self.policy.name.as_str();
        let wants_ja4 = name.starts_with("AppGwSslPolicy2022") || name == "CustomV2";
        Chosen {
            config: Arc::clone(&self.config),
            wants_ja4,
        }
    }
}
