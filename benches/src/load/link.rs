//! One connection of the load generator: plain or TLS, never blocking.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConnection;
use rustls::client::ClientConfig;
use rustls::pki_types::ServerName;

use super::response::Response;

/// What the bytes of one event came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is complete yet.
    More,
    /// The response is whole.
    Answered,
    /// The server closed, after its response was whole.
    Closed,
}

pub(super) struct Link {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    response: Response,
    /// Bytes of the request that have left (plain only: rustls keeps its own).
    sent: usize,
    answered: bool,
    /// When the request was issued, or was due by the schedule.
    pub(super) started: Instant,
    /// What epoll watches this connection for, beside reading.
    pub(super) watched_for_writing: bool,
}

impl Link {
    /// Begins to connect; over loopback the connection usually stands when this returns.
    pub(super) fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let kind = socket2::Type::STREAM.nonblocking();
        let socket = socket2::Socket::new(domain, kind, Some(socket2::Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
            Err(error) => return Err(error),
        }
        let tls = tls.map(|config| {
            let name = ServerName::IpAddress(address.ip().into());
            let mut session =
                ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            // The default limit would cut a large request short.
            session.set_buffer_limit(None);
            Ok::<_, io::Error>(Box::new(session))
        });
        Ok(Self {
            stream: socket.into(),
            tls: tls.transpose()?,
            response: Response::new(),
            sent: 0,
            answered: true,
            started: Instant::now(),
            watched_for_writing: false,
        })
    }

    /// Begins a request; false when not all of it could leave yet.
    pub(super) fn begin(&mut self, request: &[u8], started: Instant) -> io::Result<bool> {
        self.response = Response::new();
        self.sent = 0;
        self.answered = false;
        self.started = started;
        if let Some(session) = &mut self.tls {
            session.writer().write_all(request)?;
        }
        self.send(request)
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Sends what is still to send; false when the socket takes no more for now.
    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        loop {
            let written = match &mut self.tls {
                Some(session) if !session.wants_write() => return Ok(true),
                Some(session) => session.write_tls(&mut self.stream),
                None if self.sent >= request.len() => return Ok(true),
                None => self
                    .stream
                    .write(request.get(self.sent..).unwrap_or_default()),
            };
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives once, which is enough: epoll tells again while bytes are waiting.
    pub(super) fn receive(&mut self, buffer: &mut [u8], body: u64) -> Result<Progress, String> {
        let received = match &mut self.tls {
            Some(session) => session.read_tls(&mut self.stream),
            None => self.stream.read(buffer),
        };
        let count = match received {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::More),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Progress::More),
            Err(error) => return Err(format!("receive: {error}")),
        };
        if count == 0 {
            return self.end();
        }
        if self.tls.is_some() {
            return self.decrypt(buffer, body);
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        self.take(bytes, body)
    }

    fn decrypt(&mut self, buffer: &mut [u8], body: u64) -> Result<Progress, String> {
        let Some(session) = &mut self.tls else {
            return Ok(Progress::More);
        };
        let state = session
            .process_new_packets()
            .map_err(|error| format!("TLS: {error}"))?;
        let closed = state.peer_has_closed();
        let mut progress = Progress::More;
        for _ in 0..=state.plaintext_bytes_to_read() {
            let Some(session) = &mut self.tls else { break };
            let count = match session.reader().read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("TLS: {error}")),
            };
            progress = self.take(buffer.get(..count).unwrap_or_default(), body)?;
        }
        if closed { self.end() } else { Ok(progress) }
    }

    fn take(&mut self, bytes: &[u8], body: u64) -> Result<Progress, String> {
        if self.answered {
            return Err(format!("{} bytes beyond the response", bytes.len()));
        }
        self.answered = self.response.feed(bytes, body)?;
        Ok(if self.answered {
            Progress::Answered
        } else {
            Progress::More
        })
    }

    fn end(&self) -> Result<Progress, String> {
        if self.answered {
            Ok(Progress::Closed)
        } else {
            Err("closed before the response was whole".to_owned())
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
