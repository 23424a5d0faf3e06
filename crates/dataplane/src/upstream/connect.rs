//! Makes a connection to a server: TCP, and TLS where the setting asks for it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use gatewright_telemetry::Failure;

use super::{Backend, ServerSlot};
use crate::io::{Inbox, Socket, Stream, Timer, connect};
use crate::network::Obstacle;
use crate::time_out::time_out;
use crate::tls::{BackendTls, backend_handshake, backend_name};

/// Longest time for a server to accept a connection; the request timeout, where that is shorter.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to `slot`'s server. `obstacle`: what drops connections to it on their way. `tls`: the
/// security to use and the name to ask for.
///
/// # Errors
/// The failure, as finely as the system and TLS tell it.
pub(crate) async fn open(
    slot: &Rc<ServerSlot>,
    obstacle: Option<&Obstacle>,
    tls: Option<(&BackendTls, Option<&str>)>,
    timer: &Timer,
    request_timeout: Duration,
) -> Result<Backend, Failure> {
    timer.start(CONNECT_TIMEOUT.min(request_timeout));
    let socket = connect_in_time(slot.address, obstacle, timer).await?;
    let local_port = socket.local_port();
    let (stream, name) = match tls {
        None => (Stream::Plain(socket), None),
        Some((tls, name)) => {
            timer.start(CONNECT_TIMEOUT.min(request_timeout));
            let server_name = backend_name(name, slot.address);
            let session = backend_handshake(tls, server_name, socket, timer)
                .await
                .map_err(|fault| fault.failure)?;
            (Stream::Tls(session), name.map(Rc::from))
        }
    };
    let slot = Rc::clone(slot);
    Ok(Backend {
        slot,
        stream,
        inbox: Inbox::default(),
        name,
        local_port,
        is_reused: false,
    })
}

/// Connects before the timer's deadline. Where there is an obstacle nothing leaves, and the time
/// runs out.
///
/// # Errors
/// The failure, as finely as the system tells it.
pub(crate) async fn connect_in_time(
    address: SocketAddr,
    obstacle: Option<&Obstacle>,
    timer: &Timer,
) -> Result<Socket, Failure> {
    if obstacle.is_some() {
        poll_fn(|context| timer.poll(context)).await;
        return Err(time_out(timer, Failure::ConnectTimedOut));
    }
    let mut connecting = pin!(connect(address));
    poll_fn(|context| match connecting.as_mut().poll(context) {
        Poll::Ready(connected) => Poll::Ready(connected.map_err(|error| connect_failure(&error))),
        Poll::Pending => {
            (timer.poll(context)).map(|()| Err(time_out(timer, Failure::ConnectTimedOut)))
        }
    })
    .await
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::ConnectRefused,
        io::ErrorKind::TimedOut => Failure::ConnectTimedOut,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Failure::ConnectReset,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::PermissionDenied
        // An address of another family or without its scope.
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported => Failure::Unreachable,
        // Ports, descriptors, memory: what is left that a connect can fail with is this machine's.
        _ => Failure::ConnectResources,
    }
}
