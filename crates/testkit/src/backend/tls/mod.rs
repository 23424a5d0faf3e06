//! TLS in front of a backend: with a given identity, or failing in a given way.

mod accident;

use super::wire::close_in_good_order;
use crate::certificates::{Identity, provider};
use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

pub use accident::{
    ALERT_HANDSHAKE_FAILURE, ALERT_INTERNAL_ERROR, ALERT_PROTOCOL_VERSION, ALERT_UNRECOGNIZED_NAME,
    OldTls, TlsAccident,
};
use accident::{PLAIN_HTTP, fail};

/// The content type with which a client hello begins (RFC 8446 §5.1).
pub(crate) const RECORD_HANDSHAKE: u8 = 22;

/// What a backend's TLS insists on and shows.
#[derive(Clone, Debug)]
pub struct TlsManners {
    identity: Option<Identity>,
    by_name: Vec<(String, Identity)>,
    accident: Option<TlsAccident>,
    versions: Vec<&'static SupportedProtocolVersion>,
    required_name: Option<String>,
    refuses_nameless: bool,
    answers_plain_speech: bool,
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

    /// Shows this identity to those who send this server name, case aside, and the other one to
    /// everybody else.
    ///
    /// # Panics
    ///
    /// When the handshake fails anyway: [`TlsManners::failing`] shows nothing.
    pub fn for_name(mut self, name: &str, identity: Identity) -> Self {
        assert!(self.identity.is_some(), "a failing handshake shows nothing");
        self.by_name.push((name.to_ascii_lowercase(), identity));
        self
    }

    /// Answers one who begins without a TLS handshake in plain: status 400. Otherwise such a one
    /// gets an alert.
    pub fn answering_plain_speech(mut self) -> Self {
        self.answers_plain_speech = true;
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
            by_name: Vec::new(),
            accident: None,
            versions: rustls::ALL_VERSIONS.to_vec(),
            required_name: None,
            refuses_nameless: false,
            answers_plain_speech: false,
            alpn: Vec::new(),
        }
    }
}

/// One TLS handshake as the backend saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The connection; the first of a backend is 1.
    pub connection: u64,
    /// The server name of the client hello; none also if there was no readable client hello, or
    /// an IP address in place of a name, which is not allowed there (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The protocols that the client offered.
    pub alpn: Vec<String>,
    /// The version agreed on (`TLSv1_2`, `TLSv1_3`), or why there was none.
    pub outcome: Result<String, String>,
    /// When it ended.
    pub at: Instant,
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
            outcome: Err(String::new()),
            at: Instant::now(),
        };
        let stream = match self.shake_hands(stream, &mut seen).await {
            Ok(stream) => {
                let version = stream.get_ref().1.protocol_version();
                seen.outcome = Ok(version.map_or_else(String::new, |it| format!("{it:?}")));
                Some(Box::new(stream))
            }
            Err(what) => {
                seen.outcome = Err(what);
                None
            }
        };
        seen.at = Instant::now();
        (seen, stream)
    }

    async fn shake_hands(
        &self,
        mut stream: TcpStream,
        seen: &mut Handshake,
    ) -> Result<TlsStream<TcpStream>, String> {
        if self.manners.answers_plain_speech && !begins_a_handshake(&stream).await {
            let _ = stream.write_all(PLAIN_HTTP).await;
            close_in_good_order(&mut stream).await;
            return Err("no client hello, but plain speech".to_owned());
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
        let start = start.map_err(|error| format!("no client hello: {error}"))?;
        let hello = start.client_hello();
        seen.server_name = hello.server_name().map(str::to_ascii_lowercase);
        seen.alpn = alpn_of(&hello);
        if let Some(accident) = self.accident_for(seen.server_name.as_deref()) {
            fail(start.io, accident).await;
            return Err(format!("on purpose: {accident:?}"));
        }
        let config = self
            .config
            .clone()
            .expect("without an identity there is an accident");
        let stream = start.into_stream(config).await;
        stream.map_err(|error| error.to_string())
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

/// Whether the first byte is that of a handshake; it is left to be read.
async fn begins_a_handshake(stream: &TcpStream) -> bool {
    let mut first = [0];
    // One who has left without a word is for the acceptor to find out about.
    matches!(stream.peek(&mut first).await, Ok(0) | Err(_)) || first == [RECORD_HANDSHAKE]
}

fn server_config(identity: &Identity, manners: &TlsManners) -> Arc<ServerConfig> {
    let provider = provider();
    let wardrobe = Wardrobe {
        by_name: manners
            .by_name
            .iter()
            .map(|(name, identity)| (name.clone(), certified(identity, &provider)))
            .collect(),
        for_others: certified(identity, &provider),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&manners.versions)
        .expect("the provider knows the versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(wardrobe));
    config.alpn_protocols = manners.alpn.clone();
    Arc::new(config)
}

/// Not checked against the chain: an identity may be wrong on purpose.
fn certified(identity: &Identity, provider: &CryptoProvider) -> Arc<CertifiedKey> {
    let key = provider
        .key_provider
        .load_private_key(identity.key.clone_key())
        .expect("the identity's key can sign");
    Arc::new(CertifiedKey::new(identity.chain.clone(), key))
}

/// What is shown to whom.
#[derive(Debug)]
struct Wardrobe {
    by_name: Vec<(String, Arc<CertifiedKey>)>,
    for_others: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Wardrobe {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name();
        let theirs = self
            .by_name
            .iter()
            .find(|(name, _)| wanted.is_some_and(|it| it.eq_ignore_ascii_case(name)));
        let shown = theirs.map_or(&self.for_others, |(_, shown)| shown);
        Some(Arc::clone(shown))
    }
}
