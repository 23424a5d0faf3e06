//! The well-behaved answers, and the pen that all answers are written with.

use super::manners::{Manners, pattern};
use super::request::Head;
use super::rude;
use super::wire::Wire;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The pattern is written in blocks of this many bytes: a multiple of its period of 251.
const BLOCK: usize = 251 * 256;

/// What happens to a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It stays for the next request.
    Next,
    /// It is closed in good order: TLS says goodbye, and what still comes is read for a while.
    Close,
    /// It is closed without a goodbye of TLS.
    Drop,
    /// It is reset.
    Reset,
}

/// One request and its circumstances.
pub(crate) struct Turn<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body_length: u64,
    /// The name of the backend.
    pub(crate) name: &'a str,
    pub(crate) connection: u64,
    pub(crate) ordinal: u64,
    /// Whether a polite answer says `Connection: close`.
    pub(crate) says_close: bool,
}

impl Turn<'_> {
    pub(crate) fn is_head(&self) -> bool {
        self.head.method == "HEAD"
    }
}

/// Writes to a connection, slowly if asked to.
pub(crate) struct Pen<'a> {
    pub(crate) wire: &'a mut dyn Wire,
    /// Bytes at a time, and the time between two sends.
    pub(crate) pace: Option<(usize, Duration)>,
}

impl Pen<'_> {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((step, interval)) = self.pace else {
            self.wire.write_all(bytes).await?;
            return self.wire.flush().await;
        };
        for piece in bytes.chunks(step) {
            self.wire.write_all(piece).await?;
            self.wire.flush().await?;
            tokio::time::sleep(interval).await;
        }
        Ok(())
    }
}

/// How an answer says where its body ends.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
    NoBody,
}

/// The head of an answer, with its empty line.
pub(crate) fn head(
    status: u16,
    headers: &[(String, String)],
    framing: Framing,
    says_close: bool,
) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match framing {
        Framing::Length(length) => text.push_str(&format!("Content-Length: {length}\r\n")),
        Framing::Chunked => text.push_str("Transfer-Encoding: chunked\r\n"),
        Framing::UntilClose | Framing::NoBody => {}
    }
    if says_close || matches!(framing, Framing::UntilClose) {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// One chunk, or the last one without trailers if `data` is empty.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend(data);
    bytes.extend(b"\r\n");
    bytes
}

/// Answers one request as `manners` (not a combined one) say.
pub(crate) async fn answer(
    manners: &Manners,
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
    left_over: &[u8],
) -> io::Result<After> {
    match manners {
        Manners::Echo | Manners::SpeakFirst(_) => {
            whole(
                200,
                &content_type("application/json"),
                &echo(turn),
                turn,
                pen,
            )
            .await
        }
        Manners::Named => {
            whole(
                200,
                &content_type("text/plain"),
                turn.name.as_bytes(),
                turn,
                pen,
            )
            .await
        }
        Manners::Status(status) => {
            let body = format!("{status} {}\n", reason(*status));
            whole(
                *status,
                &content_type("text/plain"),
                body.as_bytes(),
                turn,
                pen,
            )
            .await
        }
        Manners::Fixed {
            status,
            headers,
            body,
        } => whole(*status, headers, body, turn, pen).await,
        Manners::Chunked { chunks, trailers } => chunked(chunks, trailers, turn, pen).await,
        Manners::CloseDelimited { body } => {
            pen.write(&head(200, &[], Framing::UntilClose, true))
                .await?;
            if !turn.is_head() {
                pen.write(body).await?;
            }
            Ok(After::Close)
        }
        Manners::Http10 { body, with_length } => http10(body, *with_length, turn, pen).await,
        Manners::Large { .. } | Manners::LargeUntilClose { .. } | Manners::DribbleBody { .. } => {
            at_length(manners, turn, pen).await
        }
        Manners::Upgrade { greeting } => upgrade(greeting, turn, pen, left_over).await,
        Manners::StaticBytes { bytes, close } => {
            pen.write(bytes).await?;
            Ok(if *close { After::Close } else { After::Next })
        }
        rude => rude::answer(rude, turn, pen).await,
    }
}

/// Answers that take their time.
async fn at_length(manners: &Manners, turn: &Turn<'_>, pen: &mut Pen<'_>) -> io::Result<After> {
    match manners {
        Manners::Large { bytes, chunked } => {
            let framing = match chunked {
                true => Framing::Chunked,
                false => Framing::Length(*bytes),
            };
            large(*bytes, framing, turn, pen).await
        }
        Manners::LargeUntilClose { bytes } => {
            large(*bytes, Framing::UntilClose, turn, pen).await?;
            Ok(After::Close)
        }
        Manners::DribbleBody {
            body,
            step,
            interval,
        } => dribble_body(body, *step, *interval, turn, pen).await,
        other => unreachable!("{other:?} is answered elsewhere"),
    }
}

/// An answer whose whole body is at hand.
pub(crate) async fn whole(
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let has_no_body = matches!(status, 204 | 304);
    let framing = if has_no_body {
        Framing::NoBody
    } else {
        Framing::Length(body.len() as u64)
    };
    let mut bytes = head(status, headers, framing, turn.says_close);
    if !has_no_body && !turn.is_head() {
        bytes.extend(body);
    }
    pen.write(&bytes).await?;
    Ok(After::Next)
}

fn content_type(value: &str) -> [(String, String); 1] {
    [("Content-Type".to_owned(), value.to_owned())]
}

fn echo(turn: &Turn<'_>) -> Vec<u8> {
    let echo = serde_json::json!({
        "backend": turn.name,
        "method": turn.head.method,
        "target": turn.head.target,
        "version": turn.head.version,
        "headers": turn.head.headers,
        "body_length": turn.body_length,
        "connection": turn.connection,
        "ordinal": turn.ordinal,
    });
    echo.to_string().into_bytes()
}

async fn chunked(
    chunks: &[Vec<u8>],
    trailers: &[(String, String)],
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    pen.write(&head(200, &[], Framing::Chunked, turn.says_close))
        .await?;
    if turn.is_head() {
        return Ok(After::Next);
    }
    for data in chunks.iter().filter(|data| !data.is_empty()) {
        pen.write(&chunk(data)).await?;
    }
    let mut end = String::from("0\r\n");
    for (name, value) in trailers {
        end.push_str(&format!("{name}: {value}\r\n"));
    }
    end.push_str("\r\n");
    pen.write(end.as_bytes()).await?;
    Ok(After::Next)
}

async fn http10(
    body: &[u8],
    with_length: bool,
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let mut bytes = b"HTTP/1.0 200 OK\r\n".to_vec();
    if with_length {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend(b"\r\n");
    if !turn.is_head() {
        bytes.extend(body);
    }
    pen.write(&bytes).await?;
    Ok(After::Close)
}

async fn large(
    length: u64,
    framing: Framing,
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let is_chunked = matches!(framing, Framing::Chunked);
    pen.write(&head(200, &[], framing, turn.says_close)).await?;
    if turn.is_head() {
        return Ok(After::Next);
    }
    let block = pattern(BLOCK);
    let mut left = length;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        if is_chunked {
            pen.write(&chunk(&block[..size])).await?;
        } else {
            pen.write(&block[..size]).await?;
        }
        left -= size as u64;
    }
    if is_chunked {
        pen.write(&chunk(b"")).await?;
    }
    Ok(After::Next)
}

async fn dribble_body(
    body: &[u8],
    step: usize,
    interval: Duration,
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
) -> io::Result<After> {
    let framing = Framing::Length(body.len() as u64);
    pen.write(&head(200, &[], framing, turn.says_close)).await?;
    if turn.is_head() {
        return Ok(After::Next);
    }
    for piece in body.chunks(step) {
        tokio::time::sleep(interval).await;
        pen.write(piece).await?;
    }
    Ok(After::Next)
}

async fn upgrade(
    greeting: &[u8],
    turn: &Turn<'_>,
    pen: &mut Pen<'_>,
    left_over: &[u8],
) -> io::Result<After> {
    let Some(protocol) = turn.head.values("upgrade").next() else {
        return whole(426, &[], b"Upgrade required\n", turn, pen).await;
    };
    let mut bytes = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend(greeting);
    bytes.extend(left_over);
    pen.write(&bytes).await?;
    let mut buffer = [0u8; 16 * 1024];
    loop {
        let length = pen.wire.read(&mut buffer).await?;
        if length == 0 {
            return Ok(After::Close);
        }
        pen.write(&buffer[..length]).await?;
    }
}

pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
