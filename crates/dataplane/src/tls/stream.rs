//! A TLS session over a socket. One receive per event: a whole buffer of ciphertext is taken in at
//! once and decrypted from memory.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use gatewright_telemetry::TlsSession;

use crate::io::{Buffer, Socket, Timer};

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(crate) enum TlsFailure {
    TimedOut,
    /// The peer closed the connection, or it was reset.
    Closed,
    Protocol(rustls::Error),
}

/// A connection on which a handshake is done, or under way.
#[derive(Debug)]
pub(crate) struct TlsStream {
    socket: Socket,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    connection: rustls::Connection,
    /// Ciphertext that rustls had no room for yet.
    unread: Vec<u8>,
    ended: bool,
    /// What the peer did that no session survives.
    fault: Option<rustls::Error>,
}

impl TlsStream {
    /// `unread`: what was received before the session took over the socket.
    pub(crate) fn new(socket: Socket, connection: rustls::Connection, unread: Vec<u8>) -> Self {
        Self {
            socket,
            state: RefCell::new(State {
                connection,
                unread,
                ended: false,
                fault: None,
            }),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Goes through the handshake, until application data may flow.
    pub(crate) async fn handshake(&self, timer: &Timer) -> Result<(), TlsFailure> {
        poll_fn(|context| {
            let done = self.poll_handshake(context);
            if done.is_pending() && timer.poll(context).is_ready() {
                return Poll::Ready(Err(TlsFailure::TimedOut));
            }
            done
        })
        .await
    }

    fn poll_handshake(&self, context: &mut Context<'_>) -> Poll<Result<(), TlsFailure>> {
        let state = &mut *self.state.borrow_mut();
        loop {
            // Before anything else, so that an alert leaves even if the handshake has failed.
            match state.poll_flush(&self.socket, context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(TlsFailure::Closed)),
                Poll::Pending => return Poll::Pending,
            }
            if !state.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match ready!(state.poll_take_in(&self.socket, context)) {
                Ok(0) => return Poll::Ready(Err(TlsFailure::Closed)),
                Ok(_) => {}
                Err(error) => {
                    let _ = state.poll_flush(&self.socket, context);
                    return Poll::Ready(Err(handshake_failure(error)));
                }
            }
        }
    }

    pub(crate) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.state.borrow_mut();
        loop {
            let count = state.read_plaintext(room)?;
            if count > 0 || state.ended || room.is_empty() {
                return Poll::Ready(Ok(count));
            }
            if ready!(state.poll_take_in(&self.socket, context))? == 0 {
                state.ended = true;
            }
            // Key updates and the like want an answer; if the socket is full, it goes out later.
            // If it is broken, what came before that is still to be read.
            let _ = state.poll_flush(&self.socket, context);
        }
    }

    /// Takes all of `pieces` unless earlier output is still blocked;
    /// [`poll_flush`](Self::poll_flush) sees them out.
    pub(crate) fn poll_send(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.state.borrow_mut();
        ready!(state.poll_flush(&self.socket, context))?;
        let count = state.connection.writer().write_vectored(pieces)?;
        // If it fails, it will fail again when the rest is flushed. Until then these bytes count
        // as sent, since some of them may have left.
        let _ = state.poll_flush(&self.socket, context);
        Poll::Ready(Ok(count))
    }

    /// Why the session is of no use any more, where the peer's TLS is the reason.
    pub(crate) fn fault(&self) -> Option<rustls::Error> {
        self.state.borrow().fault.clone()
    }

    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.borrow_mut().poll_flush(&self.socket, context)
    }

    /// Whether an idle session is still open and silent. Session tickets that arrive late do not
    /// count as noise.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = &mut *self.state.borrow_mut();
        if !self.socket.is_quiet() {
            let mut context = Context::from_waker(std::task::Waker::noop());
            let took_in = state.poll_take_in(&self.socket, &mut context);
            // Something is there: it must have been taken in, and have been all.
            if !matches!(took_in, Poll::Ready(Ok(1..))) || !self.socket.is_quiet() {
                return false;
            }
        }
        let plaintext = state.connection.reader().read(&mut [0]);
        state.unread.is_empty()
            && matches!(plaintext, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Tells the peer that nothing more comes. Best effort: a full socket is not waited for.
    pub(crate) fn finish_sending(&self) {
        let state = &mut *self.state.borrow_mut();
        state.connection.send_close_notify();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = state.poll_flush(&self.socket, &mut context);
        self.socket.finish_sending();
    }

    /// The peer's certificates in the order in which it sent them (DER).
    pub(crate) fn presented(&self) -> Vec<Vec<u8>> {
        let state = self.state.borrow();
        let certificates = state.connection.peer_certificates().unwrap_or_default();
        certificates.iter().map(|der| der.to_vec()).collect()
    }

    /// What was negotiated, for the log.
    pub(crate) fn session(&self) -> Option<TlsSession> {
        let state = self.state.borrow();
        let suite = state.connection.negotiated_cipher_suite()?;
        let protocol = match state.connection.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some(TlsSession {
            protocol,
            cipher: openssl_name(suite.suite()),
        })
    }
}

impl State {
    /// Moves decrypted bytes into `room`: as many as there are, or as fit.
    fn read_plaintext(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < room.len() {
            match self.connection.reader().read(&mut room[count..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.unread.is_empty() {
                        break;
                    }
                    let unread = std::mem::take(&mut self.unread);
                    self.take_in(&unread)?;
                }
                // Without a close_notify: whoever reads knows by the framing whether all is there.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.ended = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Receives ciphertext once, and decrypts it.
    fn poll_take_in(
        &mut self,
        socket: &Socket,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            self.take_in(&unread)?;
            return Poll::Ready(Ok(unread.len()));
        }
        let mut buffer = Buffer::take();
        let count = ready!(socket.poll_receive(context, &mut buffer))?;
        if count == 0 {
            // rustls wants to know, to tell a clean end from a cut.
            self.connection.read_tls(&mut io::empty())?;
        } else {
            self.take_in(&buffer[..count])?;
        }
        Poll::Ready(Ok(count))
    }

    fn take_in(&mut self, mut ciphertext: &[u8]) -> io::Result<()> {
        while !ciphertext.is_empty() {
            match self.connection.read_tls(&mut ciphertext) {
                Ok(0) => break,
                Ok(_) => {}
                // Its plaintext buffer is full: the rest waits until that has been read.
                Err(error) if error.kind() == io::ErrorKind::Other => {
                    self.unread = ciphertext.to_vec();
                    break;
                }
                Err(error) => return Err(error),
            }
            if let Err(error) = self.connection.process_new_packets() {
                self.fault = Some(error.clone());
                return Err(super::as_io(error));
            }
        }
        Ok(())
    }

    fn poll_flush(&mut self, socket: &Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            let mut output = Output { socket, context };
            match self.connection.write_tls(&mut output) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A socket as `std::io::Write`, which is what rustls writes to.
struct Output<'a, 'c> {
    socket: &'a Socket,
    context: &'a mut Context<'c>,
}

impl Write for Output<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.poll_send(self.context, pieces) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn handshake_failure(error: io::Error) -> TlsFailure {
    match error.downcast::<rustls::Error>() {
        Ok(error) => TlsFailure::Protocol(error),
        Err(_) => TlsFailure::Closed,
    }
}

/// The suite in the naming of OpenSSL, which is what access logs have.
fn openssl_name(suite: rustls::CipherSuite) -> &'static str {
    use rustls::CipherSuite as S;
    match suite {
        S::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        S::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        S::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        S::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        S::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        // No policy can name another.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::Duration;

    use gatewright_testkit::certificates::{Leaf, client_trusting_anything};
    use rustls::crypto::aws_lc_rs;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;
    use crate::io::{TICK, Timers, connect, run};

    /// A TLS server that says `greeting`, and resets the connection when it is told to.
    fn serve(listener: &TcpListener, greeting: &[u8], end: &Receiver<()>) {
        let identity = Leaf::named("a.test").self_signed();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        let mut session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut socket: TcpStream = listener.accept().unwrap().0;
        // What is said must have left before the reset, which would take it along.
        socket.set_nodelay(true).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        session.writer().write_all(greeting).unwrap();
        session.complete_io(&mut socket).unwrap();
        let _ = end.recv();
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(&socket).set_linger(linger).unwrap();
    }

    /// What comes of `work` with a session to a server that says `greeting`.
    fn with_session<F, T>(
        greeting: &'static [u8],
        work: impl FnOnce(TlsStream, Sender<()>) -> F + 'static,
    ) -> T
    where
        F: Future<Output = T>,
        T: 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (end, is_over) = channel();
        let server = thread::spawn(move || serve(&listener, greeting, &is_over));
        let (done, is_done) = channel();
        let main = async move {
            let timers = Rc::new(Timers::default());
            let socket = connect(address).await.unwrap();
            let name = "a.test".try_into().unwrap();
            let session = ClientConnection::new(client_trusting_anything(), name).unwrap();
            let stream = TlsStream::new(socket, session.into(), Vec::new());
            stream.handshake(&timers.timer()).await.unwrap();
            done.send(work(stream, end).await).unwrap();
        };
        run(main, TICK, || {}).unwrap();
        server.join().unwrap();
        is_done.recv().unwrap()
    }

    async fn receive(stream: &TlsStream, most: usize) -> io::Result<usize> {
        let mut room = vec![0; most];
        poll_fn(|context| stream.poll_receive(context, &mut room)).await
    }

    #[test]
    fn decrypted_bytes_that_wait_are_noise() {
        let seen = with_session(b"0123456789", |stream, end| async move {
            let first = receive(&stream, 4).await.ok();
            let with_more = stream.is_quiet();
            let rest = receive(&stream, 16).await.is_ok();
            let without = stream.is_quiet();
            drop(end);
            (first, with_more, rest, without)
        });
        assert_eq!(seen, (Some(4), false, true, true));
    }

    #[test]
    fn what_came_before_a_broken_send_can_be_received() {
        let received = with_session(b"answer", |stream, end| async move {
            drop(end);
            let pieces = [IoSlice::new(b"POST")];
            while poll_fn(|context| stream.poll_flush(context)).await.is_ok() {
                let _ = poll_fn(|context| stream.poll_send(context, &pieces)).await;
            }
            receive(&stream, 16).await.ok()
        });
        assert_eq!(received, Some(6));
    }

    #[test]
    fn what_may_have_left_counts_as_sent() {
        let (sent, flushed) = with_session(b"x", |stream, end| async move {
            drop(end);
            while matches!(receive(&stream, 16).await, Ok(1..)) {}
            let pieces = [IoSlice::new(b"POST")];
            let sent = poll_fn(|context| stream.poll_send(context, &pieces)).await;
            let flushed = poll_fn(|context| stream.poll_flush(context)).await;
            (sent.ok(), flushed.is_ok())
        });
        assert_eq!((sent, flushed), (Some(4), false));
    }
}
