//! TCP, by way of tokio's reactor.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Connections that wait to be accepted, per listening socket.
const BACKLOG: i32 = 4096;

/// A connected socket. Receiving and sending take `&self`, so that one task can do both at once.
#[derive(Debug)]
pub(crate) struct Socket(RefCell<TcpStream>);

impl Socket {
    /// Receives what is there, with one system call; 0 is the end.
    pub(crate) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        // By way of AsyncRead, not try_read: it knows that a receive that did not fill the room
        // emptied the socket, and spares the call that would only say so.
        let received = Pin::new(&mut *self.0.borrow_mut()).poll_read(context, &mut room);
        received.map_ok(|()| room.filled().len())
    }

    /// Sends as much of `pieces` as the socket takes, with one system call.
    pub(crate) fn poll_send(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.borrow_mut();
        match pieces {
            [only] => Pin::new(&mut *stream).poll_write(context, only),
            _ => Pin::new(&mut *stream).poll_write_vectored(context, pieces),
        }
    }

    /// Whether an idle connection is still open and silent. Costs a system call only when
    /// something has happened to it.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let stream = self.0.borrow();
        match stream.poll_read_ready(&mut context) {
            Poll::Pending => true,
            Poll::Ready(_) => {
                let mut byte = [0];
                matches!(stream.try_read(&mut byte),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// Tells the peer that nothing more comes; it can still be received from.
    pub(crate) fn finish_sending(&self) {
        // An error means that the connection is gone, which is as good.
        let _ = SockRef::from(&*self.0.borrow()).shutdown(std::net::Shutdown::Write);
    }

    /// Makes the coming close a reset: the peer learns that what it received is not all.
    pub(crate) fn reset_on_close(&self) {
        let _ = SockRef::from(&*self.0.borrow()).set_linger(Some(std::time::Duration::ZERO));
    }

    /// This side's port; 0 when the connection is gone.
    pub(crate) fn local_port(&self) -> u16 {
        self.0
            .borrow()
            .local_addr()
            .map_or(0, |address| address.port())
    }
}

/// A listening socket of one thread.
#[derive(Debug)]
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(listener)?))
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Socket(RefCell::new(stream)), peer))
    }
}

/// A listening socket that shares its address with those of the other threads.
///
/// # Errors
/// As the operating system gives them.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit it: one call less per connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects; the caller bounds the time.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Socket(RefCell::new(stream)))
}
