//! Reading requests, more strictly than any server should: what a gateway sends must be beyond
//! doubt, and a test must see it when it is not.

use super::tls::RECORD_HANDSHAKE;
use std::net::SocketAddr;
use std::time::Instant;

/// The longest head, and the longest trailer section, that is read; bytes.
pub(crate) const MAX_HEAD: usize = 256 * 1024;

/// How a request said where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFraming {
    /// Neither Content-Length nor Transfer-Encoding: no body.
    Absent,
    /// Content-Length, in bytes.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// One request as it came. It is written down once its head is complete, and grows with its body.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The request target, unaltered.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// Names and values in the order and the spelling of the wire; values without the white space
    /// around them, bytes beyond UTF-8 replaced (the raw head has them).
    pub headers: Vec<(String, String)>,
    /// The head exactly as it came, with the empty line that ends it.
    pub raw_head: Vec<u8>,
    /// How the body was framed.
    pub framing: RequestFraming,
    /// The body without its framing: the first [`MAX_KEPT_BODY`](super::MAX_KEPT_BODY) bytes.
    pub body: Vec<u8>,
    /// The whole length of the body so far, in bytes.
    pub body_length: u64,
    /// The trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its end.
    pub complete: bool,
    /// The connection it came on; the first of a backend is 1.
    pub connection: u64,
    /// Its place among the requests of its connection; the first is 1.
    pub ordinal: u64,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The name in the TLS client hello, if any.
    pub server_name: Option<String>,
    /// When the head was complete.
    pub at: Instant,
}

impl SeenRequest {
    /// The value of the Host header.
    pub fn host(&self) -> Option<&str> {
        self.header("host")
    }

    /// The value of the first header of that name, case aside.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).first().copied()
    }

    /// The values of all headers of that name, case aside, in order.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// A breach of the rules by the client of a backend, which answers it with 400 and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The connection it happened on; the first of a backend is 1.
    pub connection: u64,
    /// The place of the offending request on its connection; the first is 1, and 0 is what comes
    /// before it.
    pub ordinal: u64,
    /// What was wrong, as a phrase.
    pub what: &'static str,
    /// Up to 4 KiB of the bytes that were being read.
    pub bytes: Vec<u8>,
}

/// A parsed request head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: RequestFraming,
    pub(crate) raw: Vec<u8>,
}

impl Head {
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client leaves the connection open for another request.
    pub(crate) fn keeps_alive(&self) -> bool {
        match self.version.as_str() {
            "HTTP/1.0" => self.has_token("connection", "keep-alive"),
            _ => !self.has_token("connection", "close"),
        }
    }
}

/// Where the head at the start of `bytes` ends, if it does; lines must end in CR LF.
pub(crate) fn head_end(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    if bytes.first() == Some(&RECORD_HANDSHAKE) {
        return Err("a TLS handshake in place of a request");
    }
    let mut line_start = 0;
    while let Some(length) = bytes[line_start..].iter().position(|&byte| byte == b'\n') {
        let line_end = line_start + length;
        if line_end == line_start || bytes[line_end - 1] != b'\r' {
            return Err("a line feed without a carriage return");
        }
        if line_end - line_start == 1 {
            return match line_start {
                0 => Err("an empty line before the request line"),
                _ => Ok(Some(line_end + 1)),
            };
        }
        line_start = line_end + 1;
    }
    if bytes.len() > MAX_HEAD {
        Err("a head of more than 256 KiB")
    } else {
        Ok(None)
    }
}

/// Parses a head that [`head_end`] delimited.
pub(crate) fn parse_head(raw: &[u8]) -> Result<Head, &'static str> {
    let text = raw
        .strip_suffix(b"\r\n\r\n")
        .ok_or("a head without an end")?;
    let mut lines = split_lines(text);
    let (method, target, version) = request_line(lines.next().unwrap_or_default())?;
    let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    let framing = framing_of(&headers, &version)?;
    let hosts = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .count();
    if hosts > 1 {
        return Err("more than one Host");
    }
    if hosts == 0 && version == "HTTP/1.1" {
        return Err("no Host in HTTP/1.1");
    }
    Ok(Head {
        method,
        target,
        version,
        headers,
        framing,
        raw: raw.to_vec(),
    })
}

/// Parses a trailer section without the empty line that ends it.
pub(crate) fn parse_trailers(text: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    match text.strip_suffix(b"\r\n") {
        None => Ok(Vec::new()),
        Some(text) => split_lines(text).map(field).collect(),
    }
}

/// Reads a chunk-size line without its CR LF. Extensions are legal, and refused: a gateway that
/// frames bodies itself sends none, so one that arrives was copied.
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    if line.contains(&b';') {
        return Err("a chunk extension");
    }
    if line.is_empty() || line.len() > 16 || !line.iter().all(u8::is_ascii_hexdigit) {
        return Err("a chunk size that is not 1 to 16 hexadecimal digits");
    }
    let digits = std::str::from_utf8(line).map_err(|_| "a chunk size that is not ASCII")?;
    u64::from_str_radix(digits, 16).map_err(|_| "a chunk size that is no number")
}

fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    // `head_end` made sure that each line feed follows a carriage return.
    text.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn request_line(line: &[u8]) -> Result<(String, String, String), &'static str> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("a request line that is not three words with single spaces");
    };
    if !is_token(method) {
        return Err("a method that is no token");
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err("a target with other than visible ASCII characters");
    }
    if version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        return Err("a version that is neither HTTP/1.1 nor HTTP/1.0");
    }
    Ok((lossy(method), lossy(target), lossy(version)))
}

fn field(line: &[u8]) -> Result<(String, String), &'static str> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err("a folded header line");
    }
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or("a header without a colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err("a header name that is no token");
    }
    if value
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err("a control character in a header value");
    }
    Ok((lossy(name), lossy(value.trim_ascii())))
}

fn framing_of(headers: &[(String, String)], version: &str) -> Result<RequestFraming, &'static str> {
    let values = |wanted: &str| {
        let named = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    match (
        values("transfer-encoding").as_slice(),
        values("content-length").as_slice(),
    ) {
        ([], []) => Ok(RequestFraming::Absent),
        ([], [length]) => content_length(length).map(RequestFraming::Length),
        ([], _) => Err("more than one Content-Length"),
        ([_], []) if version != "HTTP/1.1" => Err("Transfer-Encoding in HTTP/1.0"),
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(RequestFraming::Chunked),
        (_, []) => Err("a Transfer-Encoding other than one `chunked`"),
        (_, _) => Err("both Content-Length and Transfer-Encoding"),
    }
}

fn content_length(value: &str) -> Result<u64, &'static str> {
    if value.is_empty() || value.len() > 19 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a Content-Length that is not 1 to 19 digits");
    }
    value
        .parse()
        .map_err(|_| "a Content-Length that is no number")
}

fn is_token(bytes: &[u8]) -> bool {
    let is_token_byte =
        |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !bytes.is_empty() && bytes.iter().all(is_token_byte)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(raw: &str) -> &'static str {
        match head_end(raw.as_bytes()) {
            Err(what) => what,
            Ok(end) => {
                let end = end.expect("the head is complete");
                parse_head(&raw.as_bytes()[..end]).expect_err("the head is refused")
            }
        }
    }

    #[test]
    fn each_ambiguity_is_refused_by_its_name() {
        let cases = [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", "a line feed without"),
            (
                "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "an empty line before",
            ),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "not three words"),
            (
                "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
                "method that is no token",
            ),
            ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", "visible ASCII"),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "neither HTTP/1.1"),
            (
                "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                "name that is no token",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "folded"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
                "control character",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "without a colon"),
            ("GET / HTTP/1.1\r\n\r\n", "no Host"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
                "more than one Host",
            ),
        ];
        for (raw, expected) in cases {
            let what = refusal(raw);
            assert!(what.contains(expected), "{raw:?}: {what}");
        }
    }

    #[test]
    fn each_ambiguous_framing_is_refused_by_its_name() {
        let cases = [
            (
                "Content-Length: 1\r\nContent-Length: 1",
                "more than one Content-Length",
            ),
            ("Content-Length: 1, 1", "1 to 19 digits"),
            ("Content-Length: +1", "1 to 19 digits"),
            ("Content-Length: 12345678901234567890", "1 to 19 digits"),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", "both"),
            ("Transfer-Encoding: gzip, chunked", "other than one"),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "other than one",
            ),
            ("Transfer-Encoding: xchunked", "other than one"),
        ];
        for (headers, expected) in cases {
            let what = refusal(&format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n"));
            assert!(what.contains(expected), "{headers:?}: {what}");
        }
        let old = refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(old.contains("in HTTP/1.0"), "{old}");
    }

    #[test]
    fn chunk_sizes_are_hexadecimal_digits_and_nothing_else() {
        assert_eq!(chunk_size(b"fF"), Ok(255));
        assert_eq!(chunk_size(b"ffffffffffffffff"), Ok(u64::MAX));
        for bad in ["", "0x1", "1 ", "-1", "11111111111111111", "1;a=b", "g"] {
            assert!(chunk_size(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unfinished_head_waits_and_an_endless_one_is_refused() {
        assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
        assert!(head_end(&vec![b'a'; MAX_HEAD + 1]).is_err());
    }
}
