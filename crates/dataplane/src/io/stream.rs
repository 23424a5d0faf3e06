//! A connection's bytes, encrypted or not.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Inbox, Socket, Timer};
use crate::tls::TlsStream;

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// Why bytes did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamError {
    TimedOut,
    /// Reset, or refused by TLS.
    Broken,
}

impl Stream {
    pub(crate) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_receive(context, room),
            Self::Tls(session) => session.poll_receive(context, room),
        }
    }

    /// What broke the connection, where that was the peer's TLS.
    pub(crate) fn tls_fault(&self) -> Option<rustls::Error> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(session) => session.fault(),
        }
    }

    /// Receives into `inbox`; 0 is the end.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<io::Result<usize>> {
        inbox.poll_fill(context, |context, room| self.poll_receive(context, room))
    }

    /// Receives into `inbox` before the timer's deadline; 0 is the end.
    pub(crate) async fn fill(
        &self,
        inbox: &mut Inbox,
        timer: &Timer,
    ) -> Result<usize, StreamError> {
        poll_fn(|context| match self.poll_fill(context, inbox) {
            Poll::Ready(received) => Poll::Ready(received.map_err(|_| StreamError::Broken)),
            Poll::Pending => timer.poll(context).map(|()| Err(StreamError::TimedOut)),
        })
        .await
    }

    /// Sends all of `pieces`, counting in `sent` what left, or is on its way out. Each time that
    /// the system takes nothing, the peer has `patience` to make room for something.
    pub(crate) async fn send_all(
        &self,
        pieces: &mut [IoSlice<'_>],
        sent: &mut usize,
        timer: &Timer,
        patience: Duration,
    ) -> Result<(), StreamError> {
        let mut left = pieces;
        // What the system had taken when the wait began. Not what was sent: of that, TLS takes
        // everything at once.
        let mut waiting_since = None;
        poll_fn(|context| {
            match self.poll_send_all(context, &mut left, sent) {
                Poll::Ready(sent) => return Poll::Ready(sent.map_err(|_| StreamError::Broken)),
                Poll::Pending => {}
            }
            let taken = Some(self.socket().taken());
            if std::mem::replace(&mut waiting_since, taken) != taken {
                timer.start(patience);
            }
            timer.poll(context).map(|()| Err(StreamError::TimedOut))
        })
        .await
    }

    fn poll_send_all(
        &self,
        context: &mut Context<'_>,
        left: &mut &mut [IoSlice<'_>],
        sent: &mut usize,
    ) -> Poll<io::Result<()>> {
        while !left.is_empty() {
            let taken = match self {
                Self::Plain(socket) => ready!(socket.poll_send(context, left))?,
                Self::Tls(session) => ready!(session.poll_send(context, left))?,
            };
            if taken == 0 && left.iter().any(|piece| !piece.is_empty()) {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += taken;
            IoSlice::advance_slices(left, taken);
        }
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(session) => session.poll_flush(context),
        }
    }

    /// Waits until the system has everything that was sent, before the timer's deadline.
    pub(crate) async fn flush(&self, timer: &Timer) -> Result<(), StreamError> {
        poll_fn(|context| match self.socket().poll_flush(context) {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => timer.poll(context).map(|()| Err(StreamError::TimedOut)),
        })
        .await
    }

    /// Whether an idle connection is still open and silent.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            Self::Tls(session) => session.is_quiet(),
        }
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn finish_sending(&self) {
        match self {
            Self::Plain(socket) => socket.finish_sending(),
            Self::Tls(session) => session.finish_sending(),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(session) => session.socket(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use gatewright_testkit::certificates::{Leaf, client_trusting_anything};
    use rustls::crypto::aws_lc_rs;
    use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::io::{Acceptor, TICK, Timers, run};

    /// How much is sent, in bytes; a slow peer needs a multiple of `PATIENCE` for it.
    const LENGTH: usize = 2 * 1024 * 1024;
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Reads 32 KB at a time, with a pause before each.
    fn read_slowly(mut peer: impl Read) -> usize {
        let (mut count, mut room) = (0, vec![0; 32 * 1024]);
        while count < LENGTH {
            thread::sleep(Duration::from_millis(50));
            match peer.read(&mut room) {
                Ok(more @ 1..) => count += more,
                Ok(0) | Err(_) => break,
            }
        }
        count
    }

    fn slow_client(address: SocketAddr, is_tls: bool) -> usize {
        let socket = TcpStream::connect(address).unwrap();
        if !is_tls {
            return read_slowly(socket);
        }
        let name = "a.test".try_into().unwrap();
        let session = ClientConnection::new(client_trusting_anything(), name).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        stream.flush().unwrap();
        read_slowly(stream)
    }

    async fn accept(acceptor: &Acceptor, is_tls: bool, timer: &Timer) -> Stream {
        let (socket, _) = acceptor.accept().await.unwrap();
        if !is_tls {
            return Stream::Plain(socket);
        }
        let identity = Leaf::named("a.test").self_signed();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        let mut session = ServerConnection::new(Arc::new(config)).unwrap();
        session.set_buffer_limit(None);
        let stream = TlsStream::new(socket, session.into(), Vec::new());
        timer.start(Duration::from_secs(10));
        stream.handshake(timer).await.unwrap();
        Stream::Tls(Box::new(stream))
    }

    #[test]
    fn whoever_takes_something_in_time_may_be_slow() {
        for is_tls in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            // Small: what is sent is to wait for the peer, not in here.
            socket2::SockRef::from(&listener)
                .set_send_buffer_size(64 * 1024)
                .unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let client = thread::spawn(move || slow_client(address, is_tls));
            let timers = Rc::new(Timers::default());
            let ticking = Rc::clone(&timers);
            let (done, is_done) = channel();
            let main = async move {
                let acceptor = Acceptor::new(listener).unwrap();
                let timer = timers.timer();
                let stream = accept(&acceptor, is_tls, &timer).await;
                let bytes = vec![7; LENGTH];
                let (mut sent, mut pieces) = (0, [IoSlice::new(&bytes)]);
                let outcome = stream
                    .send_all(&mut pieces, &mut sent, &timer, PATIENCE)
                    .await;
                done.send((outcome, sent)).unwrap();
            };
            run(main, TICK, move || ticking.advance()).unwrap();
            let outcome = is_done.recv().unwrap();
            assert_eq!(outcome, (Ok(()), LENGTH), "TLS: {is_tls}");
            assert_eq!(client.join().unwrap(), LENGTH);
        }
    }
}
