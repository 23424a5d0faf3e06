//! TLS towards clients and towards backends, both on rustls, driven from the exchange's own loop.

mod client;
mod ja4;
mod server;
mod stream;

pub use client::trust_as_well_known;
pub(crate) use client::{
    BackendTls, HandshakeFault, backend_handshake, backend_name, well_known_roots,
};
pub(crate) use server::{HandshakeError, ListenerTls, ListenerTlsError, TlsAccept, accept};
pub(crate) use stream::TlsStream;

/// The `error` with which a TLS layer's refusal travels through `std::io`.
pub(crate) fn as_io(error: rustls::Error) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}
