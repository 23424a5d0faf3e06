//! A client that can say anything: HTTP/1.1 over a raw socket, plain or TLS.
//!
//! It sends the bytes it is given, in the portions it is told, and reads answers strictly. Every
//! wait is bounded: five seconds unless [`RawClient::patience`] says otherwise. Every error says
//! what had been received.
//!
//! ```
//! use gatewright_testkit::backend::{Backend, Manners};
//! use gatewright_testkit::client::RawClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let backend = Backend::start(Manners::Echo).await.expect("a port is free");
//! let mut client = RawClient::connect(backend.address()).await.expect("it listens");
//! client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
//! let answer = client.read_response().await.expect("it answers");
//! assert_eq!(answer.json()["headers"][0][1], "a");
//!
//! client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n").await.expect("it reads");
//! assert_eq!(client.read_response().await.expect("it answers").status, 400);
//! assert_eq!(backend.violations()[0].what, "a header name that is no token");
//! # }
//! ```

mod error;
mod response;

use response::{BodyEnd, body_end, parse_fields, parse_head};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use error::{ClientError, ErrorKind};
pub use response::{Interim, Response};

/// How long each operation may take unless [`RawClient::patience`] says otherwise.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest head that is read, in bytes.
pub const MAX_HEAD: usize = 1024 * 1024;
/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 256 * 1024 * 1024;
/// The most interim answers that are read before a final one.
pub const MAX_INTERIM: usize = 1_000;

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn tls(&self) -> Option<&rustls::ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream.get_ref().1),
        }
    }

    async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        buffer.reserve(16 * 1024);
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }
}

/// How a connection stood when reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side closed it.
    Closed,
    /// It was reset, or otherwise broken (a TLS stream cut without a goodbye included).
    Broken,
    /// It is still open.
    Open,
}

/// What was left to read on a connection, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The end.
    pub ending: Ending,
}

/// One connection to a server. Dropped, it is closed.
pub struct RawClient {
    stream: Stream,
    address: SocketAddr,
    patience: Duration,
    /// Bytes that were read and not yet used.
    buffer: Vec<u8>,
}

impl RawClient {
    /// Opens a TCP connection, within [`DEFAULT_PATIENCE`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it is refused, [`ErrorKind::Timeout`] if nothing happens.
    pub async fn connect(address: SocketAddr) -> Result<Self, ClientError> {
        Self::connect_within(address, DEFAULT_PATIENCE).await
    }

    /// As [`RawClient::connect`], with another bound for the connect, which also becomes the
    /// bound for what follows.
    ///
    /// # Errors
    ///
    /// As [`RawClient::connect`].
    pub async fn connect_within(
        address: SocketAddr,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        let what = "connecting";
        let stream = bounded(patience, what, &[], TcpStream::connect(address)).await?;
        stream
            .set_nodelay(true)
            .map_err(|error| ClientError::new(ErrorKind::Io(error), what, &[]))?;
        Ok(Self {
            stream: Stream::Plain(stream),
            address,
            patience,
            buffer: Vec::new(),
        })
    }

    /// Goes on in TLS, after anything already sent in plain. `name` (a DNS name or an IP address)
    /// is what the certificate is checked against; it is sent as SNI if it is a DNS name and
    /// `config.enable_sni` holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] with the alert or the verification error, or [`ErrorKind::Timeout`].
    ///
    /// # Panics
    ///
    /// When `name` is neither a DNS name nor an IP address, or the connection is in TLS already.
    pub async fn tls(self, name: &str, config: Arc<ClientConfig>) -> Result<Self, ClientError> {
        let Stream::Plain(stream) = self.stream else {
            panic!("the connection is in TLS already")
        };
        let name = ServerName::try_from(name.to_owned()).expect("a DNS name or an IP address");
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = bounded(self.patience, "the TLS handshake", &[], handshake).await?;
        Ok(Self {
            stream: Stream::Tls(Box::new(stream)),
            buffer: Vec::new(),
            ..self
        })
    }

    /// Sets how long each operation that follows may take.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// This end's address: what the server sees, and writes into its logs.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().local_addr()
    }

    /// The certificates that the server showed, leaf first; empty without TLS.
    pub fn server_certificates(&self) -> Vec<CertificateDer<'static>> {
        let shown = self.stream.tls().and_then(|tls| tls.peer_certificates());
        shown
            .unwrap_or_default()
            .iter()
            .map(|der| der.clone().into_owned())
            .collect()
    }

    /// The TLS version agreed on (`TLSv1_2`, `TLSv1_3`); none without TLS.
    pub fn tls_version(&self) -> Option<String> {
        let version = self.stream.tls().and_then(|tls| tls.protocol_version());
        version.map(|version| format!("{version:?}"))
    }

    /// The protocol agreed on by ALPN, if any.
    pub fn alpn(&self) -> Option<String> {
        let protocol = self.stream.tls().and_then(|tls| tls.alpn_protocol());
        protocol.map(|protocol| String::from_utf8_lossy(protocol).into_owned())
    }

    /// Sends these bytes, whatever they are, all at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the connection is broken, [`ErrorKind::Timeout`] if the server does
    /// not read.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        bounded(
            self.patience,
            "sending",
            &self.buffer,
            self.stream.write(bytes),
        )
        .await
    }

    /// Sends these bytes `step` at a time, with `interval` between two sends.
    ///
    /// # Errors
    ///
    /// As [`RawClient::send`]; the time of each send is bounded, not that of all.
    ///
    /// # Panics
    ///
    /// When `step` is 0.
    pub async fn send_slowly(
        &mut self,
        bytes: &[u8],
        step: usize,
        interval: Duration,
    ) -> Result<(), ClientError> {
        for piece in bytes.chunks(step) {
            self.send(piece).await?;
            tokio::time::sleep(interval).await;
        }
        Ok(())
    }

    /// Sends no more (FIN, behind TLS close_notify), and can go on reading.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the connection is broken.
    pub async fn finish_sending(&mut self) -> Result<(), ClientError> {
        bounded(
            self.patience,
            "closing",
            &self.buffer,
            self.stream.shutdown(),
        )
        .await
    }

    /// Ends the connection with a reset.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn reset(self) -> io::Result<()> {
        SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO))
    }

    /// Reads the answer to a request other than HEAD, with the interim answers before it. A 101
    /// is final, and what follows it is for [`RawClient::read_exactly`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] and [`ErrorKind::Io`] if the connection ends before the answer does,
    /// [`ErrorKind::Malformed`] if it is no strict HTTP/1.1, [`ErrorKind::Timeout`].
    pub async fn read_response(&mut self) -> Result<Response, ClientError> {
        self.read_answer(false).await
    }

    /// Reads the answer to a HEAD request, which has no body whatever it says.
    ///
    /// # Errors
    ///
    /// As [`RawClient::read_response`].
    pub async fn read_response_to_head(&mut self) -> Result<Response, ClientError> {
        self.read_answer(true).await
    }

    /// Reads exactly this many bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Io`] or [`ErrorKind::Timeout`] if they do not come.
    pub async fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>, ClientError> {
        let deadline = Instant::now() + self.patience;
        self.fill_to(length, "reading bytes", deadline).await?;
        Ok(self.buffer.drain(..length).collect())
    }

    /// Reads until the connection ends, or for `limit` at most, and says how it stands then.
    pub async fn read_to_end(&mut self, limit: Duration) -> Rest {
        let ending = self.read_until_end(Instant::now() + limit).await;
        Rest {
            bytes: std::mem::take(&mut self.buffer),
            ending,
        }
    }

    /// Whether the connection ends within `limit`. What comes before the end is kept for reading.
    pub async fn is_closed_within(&mut self, limit: Duration) -> bool {
        self.read_until_end(Instant::now() + limit).await != Ending::Open
    }

    async fn read_until_end(&mut self, deadline: Instant) -> Ending {
        loop {
            let read = self.stream.read(&mut self.buffer);
            match tokio::time::timeout_at(deadline, read).await {
                Err(_) => return Ending::Open,
                Ok(Ok(0)) => return Ending::Closed,
                Ok(Ok(_)) if self.buffer.len() > MAX_BODY => return Ending::Open,
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Ending::Broken,
            }
        }
    }

    async fn read_answer(&mut self, is_head: bool) -> Result<Response, ClientError> {
        let deadline = Instant::now() + self.patience;
        let mut interim = Vec::new();
        let mut response = loop {
            let raw = self.read_head(deadline).await?;
            let response = parse_head(&raw).map_err(|what| self.malformed(what, &raw))?;
            if !(100..200).contains(&response.status) || response.status == 101 {
                break response;
            }
            if interim.len() >= MAX_INTERIM {
                return Err(self.malformed("more than 1000 interim answers", &raw));
            }
            interim.push(response.into_interim());
        };
        response.interim = interim;
        let end = body_end(&response, is_head)
            .map_err(|what| self.malformed(what, &response.raw_head))?;
        match end {
            BodyEnd::None => {}
            BodyEnd::Length(length) => {
                self.fill_to(length, "reading a body with Content-Length", deadline)
                    .await?;
                response.body = self.buffer.drain(..length).collect();
            }
            BodyEnd::Chunked => {
                (response.body, response.trailers) = self.read_chunks(deadline).await?;
            }
            BodyEnd::Close => {
                while self
                    .read_more("reading a body up to the close", deadline)
                    .await?
                {}
                response.body = std::mem::take(&mut self.buffer);
            }
        }
        Ok(response)
    }

    async fn read_head(&mut self, deadline: Instant) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(self.buffer.drain(..end + 4).collect());
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(self.malformed("a head of more than 1 MiB", &[]));
            }
            self.need_more("reading a head", deadline).await?;
        }
    }

    async fn read_chunks(
        &mut self,
        deadline: Instant,
    ) -> Result<(Vec<u8>, Vec<(String, String)>), ClientError> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line(deadline).await?;
            let size = response::chunk_size(&line).map_err(|what| self.malformed(what, &line))?;
            if size == 0 {
                return Ok((body, self.read_trailers(deadline).await?));
            }
            if body.len() + size > MAX_BODY {
                return Err(self.malformed("a body of more than 256 MiB", &line));
            }
            self.fill_to(size + 2, "reading a chunk", deadline).await?;
            body.extend(self.buffer.drain(..size));
            let end: Vec<u8> = self.buffer.drain(..2).collect();
            if end != b"\r\n" {
                return Err(self.malformed("a chunk longer than its size", &end));
            }
        }
    }

    async fn read_trailers(
        &mut self,
        deadline: Instant,
    ) -> Result<Vec<(String, String)>, ClientError> {
        let mut text = Vec::new();
        loop {
            let line = self.read_line(deadline).await?;
            if line.is_empty() {
                return parse_fields(&text).map_err(|what| self.malformed(what, &text));
            }
            text.extend(line);
            text.extend(b"\r\n");
            if text.len() > MAX_HEAD {
                return Err(self.malformed("trailers of more than 1 MiB", &[]));
            }
        }
    }

    async fn read_line(&mut self, deadline: Instant) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(line);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(self.malformed("a line of more than 1 MiB", &[]));
            }
            self.need_more("reading a chunk size or a trailer", deadline)
                .await?;
        }
    }

    async fn fill_to(
        &mut self,
        length: usize,
        what: &'static str,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        while self.buffer.len() < length {
            self.need_more(what, deadline).await?;
        }
        Ok(())
    }

    /// Reads more; an end is an error.
    async fn need_more(
        &mut self,
        what: &'static str,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        match self.read_more(what, deadline).await? {
            true => Ok(()),
            false => Err(ClientError::new(ErrorKind::Closed, what, &self.buffer)),
        }
    }

    /// Reads more; `false` if the connection was closed.
    async fn read_more(
        &mut self,
        what: &'static str,
        deadline: Instant,
    ) -> Result<bool, ClientError> {
        if self.buffer.len() > MAX_BODY + MAX_HEAD {
            return Err(self.malformed("a body of more than 256 MiB", &[]));
        }
        match tokio::time::timeout_at(deadline, self.stream.read(&mut self.buffer)).await {
            Ok(Ok(length)) => Ok(length > 0),
            Ok(Err(error)) => Err(ClientError::new(ErrorKind::Io(error), what, &self.buffer)),
            Err(_) => {
                let kind = ErrorKind::Timeout(self.patience);
                Err(ClientError::new(kind, what, &self.buffer))
            }
        }
    }

    fn malformed(&self, what: &'static str, seen: &[u8]) -> ClientError {
        let received = [seen, &self.buffer].concat();
        ClientError::new(ErrorKind::Malformed(what), "reading an answer", &received)
    }
}

/// GET in plain HTTP/1.1 on a connection of its own, with `Connection: close`.
///
/// # Errors
///
/// As [`RawClient::connect`] and [`RawClient::read_response`].
pub async fn get(address: SocketAddr, host: &str, target: &str) -> Result<Response, ClientError> {
    get_on(RawClient::connect(address).await?, host, target).await
}

/// GET behind TLS on a connection of its own; `host` is the Host header and the server's name.
///
/// # Errors
///
/// As [`RawClient::connect`], [`RawClient::tls`] and [`RawClient::read_response`].
pub async fn get_tls(
    address: SocketAddr,
    host: &str,
    target: &str,
    config: Arc<ClientConfig>,
) -> Result<Response, ClientError> {
    let client = RawClient::connect(address).await?.tls(host, config).await?;
    get_on(client, host, target).await
}

async fn get_on(mut client: RawClient, host: &str, target: &str) -> Result<Response, ClientError> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    client.send(request.as_bytes()).await?;
    client.read_response().await
}

async fn bounded<T>(
    patience: Duration,
    what: &'static str,
    received: &[u8],
    operation: impl Future<Output = io::Result<T>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(patience, operation).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ClientError::new(ErrorKind::Io(error), what, received)),
        Err(_) => Err(ClientError::new(
            ErrorKind::Timeout(patience),
            what,
            received,
        )),
    }
}
