//! Why the client has no answer, and what it had received by then.

use std::fmt;
use std::io;
use std::time::Duration;

/// How many of the received bytes an error shows.
const MAX_SHOWN: usize = 512;

/// An operation of the client that failed.
#[derive(Debug)]
pub struct ClientError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What was being done, as a phrase.
    pub during: &'static str,
    /// What had been received and not yet given out; all of it.
    pub received: Vec<u8>,
}

/// What went wrong.
#[derive(Debug)]
pub enum ErrorKind {
    /// Nothing (more) came within this time.
    Timeout(Duration),
    /// The other side closed the connection in good order, too early.
    Closed,
    /// The connection was refused, reset or otherwise broken, or TLS failed.
    Io(io::Error),
    /// What came is no strict HTTP/1.1; the phrase says why.
    Malformed(&'static str),
}

impl ClientError {
    pub(crate) fn new(kind: ErrorKind, during: &'static str, received: &[u8]) -> Self {
        Self {
            kind,
            during,
            received: received.to_vec(),
        }
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, ErrorKind::Timeout(_))
    }

    /// Whether the server closed the connection in good order, too early.
    pub fn is_closed(&self) -> bool {
        matches!(self.kind, ErrorKind::Closed)
    }

    /// Whether the connect was refused.
    pub fn is_refused(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::ConnectionRefused)
    }

    /// Whether the connection was reset.
    pub fn is_reset(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::ConnectionReset)
    }

    /// The error of the TLS library, if there is one underneath.
    pub fn tls(&self) -> Option<&rustls::Error> {
        match &self.kind {
            ErrorKind::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            ErrorKind::Timeout(_) | ErrorKind::Closed | ErrorKind::Malformed(_) => None,
        }
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error.kind()),
            ErrorKind::Timeout(_) | ErrorKind::Closed | ErrorKind::Malformed(_) => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.during)?;
        match &self.kind {
            ErrorKind::Timeout(limit) => write!(formatter, "not done within {limit:?}")?,
            ErrorKind::Closed => write!(formatter, "the connection was closed")?,
            ErrorKind::Io(error) => write!(formatter, "{error}")?,
            ErrorKind::Malformed(what) => write!(formatter, "{what}")?,
        }
        if self.received.is_empty() {
            return write!(formatter, "; nothing was received");
        }
        let shown = &self.received[..self.received.len().min(MAX_SHOWN)];
        let length = self.received.len();
        write!(
            formatter,
            "; received {length} bytes: \"{}\"",
            shown.escape_ascii()
        )
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Timeout(_) | ErrorKind::Closed | ErrorKind::Malformed(_) => None,
        }
    }
}
