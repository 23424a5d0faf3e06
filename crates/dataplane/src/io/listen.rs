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
    let socket = socket(address)?;
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

/// Whether nobody listens on an address, or on one that it is part of. Sockets that share their
/// address share it with every program of this user, another node of ours too, and the system
/// would deal the connections out among them: so this is asked before the first of them.
///
/// # Errors
/// As the operating system refuses a socket that shares nothing.
pub(crate) fn is_free(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}
