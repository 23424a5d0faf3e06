//! TLS in front of a backend: with a given identity, or failing in a given way.

use super::rude::wait_until_left;
use super::wire::reset_on_drop;
use crate::certificates::{Identity, provider};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// The alert with which a server refuses a protocol version (RFC 8446 §6.2).
pub const ALERT_PROTOCOL_VERSION: u8 = 70;
/// The alert with which a server refuses a server name (RFC 6066 §3).
pub const ALERT_UNRECOGNIZED_NAME: u8 = 112;

/// How a TLS handshake fails, each after the client hello has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAccident {
    /// A fatal alert of this description. [`ALERT_PROTOCOL_VERSION`] is what a server that knows
    /// no more than TLS 1.1 says to a client that knows no less than 1.2.
    Alert(u8),
    /// Plain text in place of a server hello: what an HTTP server on a TLS port says.
    Garbage,
    /// Nothing, until the client leaves.
    Silence,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

/// What a backend's TLS insists on and shows.
#[derive(Clone, Debug)]
pub struct TlsManners {
    identity: Option<Identity>,
    accident: Option<TlsAccident>,
    versions: Vec<&'static SupportedProtocolVersion>,
    required_name: Option<String>,
    refuses_nameless: bool,
    alpn: Vec<Vec<u8>>,
}

impl TlsManners {
    /// TLS 1.2 and 1.3 with this identity, any server name or none, no ALPN. The identity is
    /// shown as it is, however wrong.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: Some(identity),
            accident: None,
            ..Self::blank()
        }
    }

    /// A handshake that fails in this way, always.
    pub fn failing(accident: TlsAccident) -> Self {
        Self {
            identity: None,
            accident: Some(accident),
            ..Self::blank()
        }
    }

    /// Only TLS 1.2.
    pub fn only_tls12(mut self) -> Self {
        self.versions = vec![&rustls::version::TLS12];
        self
    }

    /// Only TLS 1.3.
    pub fn only_tls13(mut self) -> Self {
        self.versions = vec![&rustls::version::TLS13];
        self
    }

    /// Refuses any client hello but one with this server name: alert unrecognized_name.
    pub fn requiring_name(mut self, name: &str) -> Self {
        self.required_name = Some(name.to_ascii_lowercase());
        self
    }

    /// Refuses a client hello without a server name: alert unrecognized_name.
    pub fn requiring_any_name(mut self) -> Self {
        self.refuses_nameless = true;
        self
    }

    /// Negotiates one of these protocols. A client that offers only others is refused, one that
    /// offers none is not.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        self
    }

    fn blank() -> Self {
        Self {
            identity: None,
            accident: None,
            versions: rustls::ALL_VERSIONS.to_vec(),
            required_name: None,
            refuses_nameless: false,
            alpn: Vec::new(),
        }
    }
}

/// One TLS handshake as the backend saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The connection; the first of a backend is 1.
    pub connection: u64,
    /// The server name of the client hello; none also if there was no readable client hello.
    pub server_name: Option<String>,
    /// The protocols that the client offered.
    pub alpn: Vec<String>,
    /// The version agreed on (`TLSv1_2`, `TLSv1_3`), or why there was none.
    pub outcome: Result<String, String>,
}

/// [`TlsManners`] ready for use.
pub(crate) struct Terminator {
    config: Option<Arc<ServerConfig>>,
    manners: TlsManners,
}

impl Terminator {
    /// # Panics
    ///
    /// When the identity's key is of a kind that the TLS library cannot sign with.
    pub(crate) fn new(manners: TlsManners) -> Self {
        let config = manners
            .identity
            .as_ref()
            .map(|identity| server_config(identity, &manners));
        Self { config, manners }
    }

    /// Performs, or fails, the handshake. The stream is there if it succeeded.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        connection: u64,
    ) -> (Handshake, Option<Box<TlsStream<TcpStream>>>) {
        let mut seen = Handshake {
            connection,
            server_name: None,
            alpn: Vec::new(),
            outcome: Err("no client hello".to_owned()),
        };
        let start = match LazyConfigAcceptor::new(Acceptor::default(), stream).await {
            Ok(start) => start,
            Err(error) => {
                seen.outcome = Err(format!("no client hello: {error}"));
                return (seen, None);
            }
        };
        let hello = start.client_hello();
        seen.server_name = hello.server_name().map(str::to_ascii_lowercase);
        seen.alpn = alpn_of(&hello);
        if let Some(accident) = self.accident_for(seen.server_name.as_deref()) {
            seen.outcome = Err(format!("on purpose: {accident:?}"));
            fail(start.io, accident).await;
            return (seen, None);
        }
        let config = self
            .config
            .clone()
            .expect("without an identity there is an accident");
        match start.into_stream(config).await {
            Ok(stream) => {
                let version = stream.get_ref().1.protocol_version();
                seen.outcome = Ok(version.map_or_else(String::new, |it| format!("{it:?}")));
                (seen, Some(Box::new(stream)))
            }
            Err(error) => {
                seen.outcome = Err(error.to_string());
                (seen, None)
            }
        }
    }

    fn accident_for(&self, name: Option<&str>) -> Option<TlsAccident> {
        let is_wrong = self
            .manners
            .required_name
            .as_deref()
            .is_some_and(|it| Some(it) != name);
        if is_wrong || (self.manners.refuses_nameless && name.is_none()) {
            return Some(TlsAccident::Alert(ALERT_UNRECOGNIZED_NAME));
        }
        self.manners.accident
    }
}

fn alpn_of(hello: &ClientHello<'_>) -> Vec<String> {
    let protocols = hello.alpn().into_iter().flatten();
    protocols
        .map(|protocol| String::from_utf8_lossy(protocol).into_owned())
        .collect()
}

fn server_config(identity: &Identity, manners: &TlsManners) -> Arc<ServerConfig> {
    let provider = provider();
    let key = provider
        .key_provider
        .load_private_key(identity.key.clone_key())
        .expect("the identity's key can sign");
    // Not checked against the chain: an identity may be wrong on purpose.
    let shown = Arc::new(CertifiedKey::new(identity.chain.clone(), key));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&manners.versions)
        .expect("the provider knows the versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(shown)));
    config.alpn_protocols = manners.alpn.clone();
    Arc::new(config)
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

async fn fail(mut stream: TcpStream, accident: TlsAccident) {
    match accident {
        TlsAccident::Alert(description) => {
            // An alert record (21) of two bytes: fatal (2), and its description. The record's
            // version is that of TLS 1.1: an old server would say so, and clients ignore it.
            let _ = stream.write_all(&[21, 3, 2, 0, 2, 2, description]).await;
            super::wire::close_in_good_order(&mut stream).await;
        }
        TlsAccident::Garbage => {
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nplain HTTP here\n")
                .await;
            super::wire::close_in_good_order(&mut stream).await;
        }
        TlsAccident::Silence => wait_until_left(&mut stream).await,
        TlsAccident::Close => super::wire::close_in_good_order(&mut stream).await,
        TlsAccident::Reset => {
            let _ = reset_on_drop(&stream);
        }
    }
}
