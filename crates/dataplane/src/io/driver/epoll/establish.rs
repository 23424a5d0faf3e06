//! How sockets come to be: accepted, or connected.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::task::{Context, Poll};

use rustix::net::SocketFlags;
use socket2::{Domain, Protocol, Type};

use super::socket::Socket;
use super::source::Registration;

/// Connections that are accepted before others get their turn.
const ACCEPTS_MAX: usize = 64;

/// A listening socket of one thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    registration: Registration,
    /// Accepted without a pause.
    in_a_row: Cell<usize>,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        let registration = Registration::new(&listener, false)?;
        Ok(Self {
            listener,
            registration,
            in_a_row: Cell::new(0),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        if !self.registration.poll_readable() {
            return Poll::Pending;
        }
        if self.in_a_row.replace(self.in_a_row.get() + 1) >= ACCEPTS_MAX {
            self.in_a_row.set(0);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match rustix::net::acceptfrom_with(&self.listener, flags) {
            Ok((socket, peer)) => {
                let stream = TcpStream::from(socket);
                let peer = match peer.map(SocketAddr::try_from) {
                    Some(Ok(peer)) => peer,
                    Some(Err(_)) | None => stream.peer_addr()?,
                };
                let registration = Registration::new(&stream, true)?;
                Poll::Ready(Ok((Socket::new(stream, registration, false), peer)))
            }
            Err(rustix::io::Errno::AGAIN) => {
                self.in_a_row.set(0);
                self.registration.wait_readable();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

/// Connects; the caller bounds the time.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) => return Err(error),
    }
    let registration = Registration::new(&socket, false)?;
    let writable = poll_fn(|_| match registration.poll_writable() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    writable.await;
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(Socket::new(socket.into(), registration, true)),
    }
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
