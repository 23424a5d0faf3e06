//! The answers that nobody wants, and those that never come.

use super::answer::{After, Framing, Pen, Turn, chunk, head, whole};
use super::manners::{FLOOD_LIMIT, Flood, Manners, pattern};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

const HALF_A_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/pl";
/// How long a half answer has to be read before the reset.
const BEFORE_A_RESET: Duration = Duration::from_millis(20);

/// Answers one request as `manners` say; those that are not rude are not for here.
pub(crate) async fn answer(
    manners: &Manners,
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    match manners {
        Manners::BlackHole => {
            wait_until_left(&mut *pen.wire).await;
            Ok(After::Close)
        }
        Manners::CloseBeforeAnswer => Ok(After::Close),
        Manners::ResetBeforeAnswer => Ok(After::Reset),
        Manners::EarlyAnswer { status } => {
            whole(*status, &[], b"Enough.\n", turn, pen).await?;
            Ok(After::Close)
        }
        Manners::CloseMidHead
        | Manners::ResetMidHead
        | Manners::SilenceMidHead
        | Manners::CloseMidAnswer { .. }
        | Manners::ResetMidAnswer { .. }
        | Manners::SilenceMidAnswer { .. } => half(manners, pen).await,
        Manners::Garbage => {
            pen.write(b"\x00\xff\x01\xfe this was never HTTP \x7f\r\n\r\n\x00")
                .await?;
            Ok(After::Close)
        }
        Manners::Flood(flood) => pour(*flood, pen).await,
        Manners::ExcessBytes {
            body,
            excess,
            after,
        } => excess_bytes(body, excess, *after, pen).await,
        Manners::BothFramings => {
            let headers = [
                pair("Content-Length", "4"),
                pair("Transfer-Encoding", "chunked"),
            ];
            contradiction(&headers, b"4\r\nbody\r\n0\r\n\r\n", pen).await
        }
        Manners::TwoContentLengths => {
            let headers = [pair("Content-Length", "4"), pair("Content-Length", "8")];
            contradiction(&headers, b"body", pen).await
        }
        Manners::BadChunkSize => {
            let headers = [pair("Transfer-Encoding", "chunked")];
            contradiction(&headers, b"4\r\nbody\r\nsize?\r\nbody\r\n0\r\n\r\n", pen).await
        }
        other => unreachable!("{other:?} is answered elsewhere"),
    }
}

/// Half an answer, and one of the ends that it can have.
async fn half(manners: &Manners, pen: &mut Pen<'_>) -> io::Result<After> {
    match manners {
        Manners::CloseMidHead => {
            pen.write(HALF_A_HEAD).await?;
            Ok(After::Drop)
        }
        Manners::ResetMidHead => {
            pen.write(HALF_A_HEAD).await?;
            let_it_arrive().await;
            Ok(After::Reset)
        }
        Manners::SilenceMidHead => {
            pen.write(HALF_A_HEAD).await?;
            wait_until_left(&mut *pen.wire).await;
            Ok(After::Close)
        }
        Manners::CloseMidAnswer { sent, promised } => {
            half_a_body(*sent, *promised, pen).await?;
            Ok(After::Drop)
        }
        Manners::ResetMidAnswer { sent, promised } => {
            half_a_body(*sent, *promised, pen).await?;
            let_it_arrive().await;
            Ok(After::Reset)
        }
        Manners::SilenceMidAnswer { sent, promised } => {
            half_a_body(*sent, *promised, pen).await?;
            wait_until_left(&mut *pen.wire).await;
            Ok(After::Close)
        }
        other => unreachable!("{other:?} is answered elsewhere"),
    }
}

/// Reads and throws away until the other side closes, or resets.
pub(crate) async fn wait_until_left(wire: &mut (impl AsyncRead + Unpin + ?Sized)) {
    let mut buffer = [0u8; 16 * 1024];
    while matches!(wire.read(&mut buffer).await, Ok(1..)) {}
}

/// A reset throws away what is still on its way here; on loopback that is nothing, but a reader
/// that is told of the reset first would not see the half.
async fn let_it_arrive() {
    tokio::time::sleep(BEFORE_A_RESET).await;
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn half_a_body(sent: usize, promised: Option<u64>, pen: &mut Pen<'_>) -> io::Result<()> {
    let body = pattern(sent);
    let (framing, body) = match promised {
        Some(length) => (Framing::Length(length), body),
        None if body.is_empty() => (Framing::Chunked, body),
        None => (Framing::Chunked, chunk(&body)),
    };
    let mut bytes = head(200, &[], framing, false);
    bytes.extend(body);
    pen.write(&bytes).await
}

async fn contradiction(
    headers: &[(String, String)],
    body: &[u8],
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let mut bytes = head(200, headers, Framing::NoBody, false);
    bytes.extend(body);
    pen.write(&bytes).await?;
    Ok(After::Next)
}

async fn excess_bytes(
    body: &[u8],
    excess: &[u8],
    after: Duration,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let mut bytes = head(200, &[], Framing::Length(body.len() as u64), false);
    bytes.extend(body);
    if after.is_zero() {
        bytes.extend(excess);
        pen.write(&bytes).await?;
    } else {
        pen.write(&bytes).await?;
        tokio::time::sleep(after).await;
        pen.write(excess).await?;
    }
    Ok(After::Next)
}

/// A beginning, and then the same bytes again and again.
async fn pour(flood: Flood, pen: &mut Pen<'_>) -> io::Result<After> {
    let (beginning, drop): (&[u8], &[u8]) = match flood {
        Flood::Headers => (b"HTTP/1.1 200 OK\r\n", b"X-Flood: more\r\n"),
        Flood::OneHeader => (b"HTTP/1.1 200 OK\r\nX-Flood: ", b"more"),
        Flood::Interim => (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        Flood::Body => (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"more"),
        Flood::LongBody => (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n",
            b"more",
        ),
        Flood::Chunks => (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"4\r\nmore\r\n",
        ),
        Flood::ChunkExtension => (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;flood=",
            b"more",
        ),
        Flood::Trailers => (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n",
            b"X-Flood: more\r\n",
        ),
    };
    let wave = drop.repeat(16 * 1024 / drop.len());
    pen.write(beginning).await?;
    let mut sent = 0;
    while sent < FLOOD_LIMIT {
        pen.write(&wave).await?;
        sent += wave.len() as u64;
    }
    Ok(After::Drop)
}
