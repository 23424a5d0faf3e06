//! Handshakes that fail, written by hand: no TLS library would.

use super::super::rude::wait_until_left;
use super::super::wire::{close_in_good_order, reset_on_drop};
use super::RECORD_HANDSHAKE;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The alert of a server that has no cipher, group or signature in common with the client
/// (RFC 8446 §6.2).
pub const ALERT_HANDSHAKE_FAILURE: u8 = 40;
/// The alert with which a server refuses a protocol version (RFC 8446 §6.2).
pub const ALERT_PROTOCOL_VERSION: u8 = 70;
/// The alert of a server that is broken inside (RFC 8446 §6.2).
pub const ALERT_INTERNAL_ERROR: u8 = 80;
/// The alert with which a server refuses a server name (RFC 6066 §3).
pub const ALERT_UNRECOGNIZED_NAME: u8 = 112;

/// What a server on a TLS port says that speaks plain HTTP.
pub(super) const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\nContent-Length: 16\r\n\r\nplain HTTP here\n";

/// The content type of alerts (RFC 5246 §6.2.1).
const RECORD_ALERT: u8 = 21;
/// The type of a handshake message (RFC 5246 §7.4).
const SERVER_HELLO: u8 = 2;
/// An alert that ends the connection.
const FATAL: u8 = 2;
/// TLS_RSA_WITH_AES_128_CBC_SHA, which every implementation of TLS 1.1 has (RFC 4346 §9 demands
/// its elder with 3DES).
const OLD_CIPHER: [u8; 2] = [0x00, 0x2f];

/// How a TLS handshake fails, each after the client hello has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAccident {
    /// A fatal alert of this description. [`ALERT_PROTOCOL_VERSION`] is what a server that knows
    /// no more than TLS 1.1 says to a client that knows no less than 1.2,
    /// [`ALERT_HANDSHAKE_FAILURE`] what one says that has no cipher in common with it.
    Alert(u8),
    /// A server hello of an old version: what a server that knows no more says to a client that
    /// did not tell, or was not asked, its least. Then nothing, until the client leaves.
    OldHello(OldTls),
    /// Plain text in place of a server hello: what an HTTP server on a TLS port says.
    Garbage,
    /// Nothing, until the client leaves.
    Silence,
    /// Half a server hello, then nothing until the client leaves.
    SilenceMidHello,
    /// The connection is closed.
    Close,
    /// The connection is closed after half a server hello.
    CloseMidHello,
    /// The connection is reset.
    Reset,
}

/// A version of TLS that was withdrawn (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldTls {
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
}

impl OldTls {
    /// As it is on the wire.
    fn number(self) -> [u8; 2] {
        match self {
            Self::Tls10 => [3, 1],
            Self::Tls11 => [3, 2],
        }
    }
}

/// Lets the handshake fail.
pub(super) async fn fail(mut stream: TcpStream, accident: TlsAccident) {
    let (bytes, end) = script(accident);
    // A client that has left already has had its accident.
    let _ = stream.write_all(&bytes).await;
    match end {
        End::Close => close_in_good_order(&mut stream).await,
        End::Reset => {
            let _ = reset_on_drop(&stream);
        }
        End::Wait => wait_until_left(&mut stream).await,
    }
}

/// What follows the last byte.
enum End {
    Close,
    Reset,
    Wait,
}

fn script(accident: TlsAccident) -> (Vec<u8>, End) {
    match accident {
        TlsAccident::Alert(description) => {
            // The record's version is that of TLS 1.1: an old server would say so, and clients
            // ignore it.
            let alert = record(RECORD_ALERT, OldTls::Tls11, &[FATAL, description]);
            (alert, End::Close)
        }
        TlsAccident::OldHello(version) => (server_hello(version), End::Wait),
        TlsAccident::Garbage => (PLAIN_HTTP.to_vec(), End::Close),
        TlsAccident::Silence => (Vec::new(), End::Wait),
        TlsAccident::SilenceMidHello => (half_a_hello(), End::Wait),
        TlsAccident::Close => (Vec::new(), End::Close),
        TlsAccident::CloseMidHello => (half_a_hello(), End::Close),
        TlsAccident::Reset => (Vec::new(), End::Reset),
    }
}

fn half_a_hello() -> Vec<u8> {
    let mut hello = server_hello(OldTls::Tls11);
    hello.truncate(hello.len() / 2);
    hello
}

/// A whole server hello (RFC 4346 §7.4.1.3) in a record of its own: without a session to resume,
/// without compression, without extensions.
fn server_hello(version: OldTls) -> Vec<u8> {
    // A random number that a test need not guess. An old server's has no mark at its end: that is
    // for newer ones that step down (RFC 8446 §4.1.3).
    let random = [0x5a; 32];
    let (session, compression) = ([0], [0]);
    let body = [
        version.number().as_slice(),
        &random,
        &session,
        &OLD_CIPHER,
        &compression,
    ]
    .concat();
    let length = u8::try_from(body.len()).expect("a hello of 38 bytes");
    let message = [&[SERVER_HELLO, 0, 0, length], body.as_slice()].concat();
    record(RECORD_HANDSHAKE, version, &message)
}

fn record(content_type: u8, version: OldTls, content: &[u8]) -> Vec<u8> {
    let [major, minor] = version.number();
    let length = u8::try_from(content.len()).expect("a short record");
    [&[content_type, major, minor, 0, length], content].concat()
}
