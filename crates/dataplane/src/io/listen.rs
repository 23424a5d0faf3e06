//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted, per listening socket.
const BACKLOG: i32 = 4096;

/// A listening socket that shares its address with those of the other threads.
///
/// # Errors
/// As the operating system gives them.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Not TCP_DEFER_ACCEPT, which would spare a wake-up per connection: neither socket2 nor rustix
    // has it, the standard library only unstable, and `unsafe` is out of the question. With it a
    // client that says nothing would not be known to us, and a drain could not tell it goodbye.
    // Accepted sockets inherit it: one call less per connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
