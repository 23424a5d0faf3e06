//! A connection of a backend, plain or TLS, and how it can end.

use socket2::SockRef;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// How long a closing backend reads on, so that the kernel does not turn the close into a reset,
/// which could take the answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// A byte stream over TCP.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Makes the connection end with a reset when it is dropped.
pub(crate) fn reset_on_drop(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Says goodbye, and listens for the other side's for a second at most.
pub(crate) async fn close_in_good_order(wire: &mut dyn Wire) {
    if wire.shutdown().await.is_err() {
        return;
    }
    let mut buffer = [0u8; 16 * 1024];
    let drain = async { while matches!(wire.read(&mut buffer).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(LINGER, drain).await;
}
