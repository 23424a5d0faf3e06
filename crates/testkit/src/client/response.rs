//! Answers, parsed strictly, and where their bodies end.

use super::MAX_BODY;

/// An answer before the final one: 100, 103 and their like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interim {
    /// The status, 100 to 199.
    pub status: u16,
    /// Names and values in order.
    pub headers: Vec<(String, String)>,
    /// The head exactly as it came.
    pub raw_head: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The text after the status, perhaps empty.
    pub reason: String,
    /// Names and values in the order and the spelling of the wire; values without the white space
    /// around them, bytes beyond UTF-8 replaced (the raw head has them).
    pub headers: Vec<(String, String)>,
    /// The trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The head exactly as it came, with the empty line that ends it.
    pub raw_head: Vec<u8>,
    /// The interim answers that came before, in order.
    pub interim: Vec<Interim>,
}

impl Response {
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

    /// The body as text; bytes beyond UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none; the message shows it.
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in a body that should be JSON: {}", self.text()),
        }
    }

    pub(crate) fn into_interim(self) -> Interim {
        Interim {
            status: self.status,
            headers: self.headers,
            raw_head: self.raw_head,
        }
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    None,
    Length(usize),
    Chunked,
    Close,
}

/// Where the body of an answer ends (RFC 9112 §6.3); ambiguity is refused.
pub(crate) fn body_end(response: &Response, is_to_head: bool) -> Result<BodyEnd, &'static str> {
    let codings = response.headers_named("transfer-encoding");
    let lengths = response.headers_named("content-length");
    let end = match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => BodyEnd::Close,
        ([], [length]) => BodyEnd::Length(content_length(length)?),
        ([], _) => return Err("more than one Content-Length"),
        ([_], []) if response.version != "HTTP/1.1" => {
            return Err("Transfer-Encoding in HTTP/1.0");
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => BodyEnd::Chunked,
        (_, []) => return Err("a Transfer-Encoding other than one `chunked`"),
        (_, _) => return Err("both Content-Length and Transfer-Encoding"),
    };
    let never_has_a_body = is_to_head || matches!(response.status, 101 | 204 | 304);
    Ok(if never_has_a_body { BodyEnd::None } else { end })
}

pub(crate) fn parse_head(raw: &[u8]) -> Result<Response, &'static str> {
    let end = raw
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or("no status line")?;
    let line = raw[..end]
        .strip_suffix(b"\r")
        .ok_or("a line feed without a carriage return")?;
    let line = std::str::from_utf8(line).map_err(|_| "a status line that is not UTF-8")?;
    let (version, rest) = line
        .split_once(' ')
        .ok_or("a status line without a space")?;
    if version != "HTTP/1.1" && version != "HTTP/1.0" {
        return Err("a version that is neither HTTP/1.1 nor HTTP/1.0");
    }
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a status that is not three digits");
    }
    let fields = raw[end + 1..]
        .strip_suffix(b"\r\n")
        .ok_or("a head without an end")?;
    Ok(Response {
        version: version.to_owned(),
        status: status.parse().map_err(|_| "a status that is no number")?,
        reason: reason.to_owned(),
        headers: parse_fields(fields)?,
        trailers: Vec::new(),
        body: Vec::new(),
        raw_head: raw.to_vec(),
        interim: Vec::new(),
    })
}

/// Parses header or trailer lines, each with its CR LF.
pub(crate) fn parse_fields(text: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    text.split_inclusive(|&byte| byte == b'\n')
        .map(field)
        .collect()
}

fn field(line: &[u8]) -> Result<(String, String), &'static str> {
    let line = line
        .strip_suffix(b"\r\n")
        .ok_or("a line feed without a carriage return")?;
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or("a header without a colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return Err("a header name that is no token");
    }
    if value
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err("a control character in a header value");
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
    Ok((text(name), text(value)))
}

fn content_length(value: &str) -> Result<usize, &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a Content-Length that is not digits");
    }
    match value.parse() {
        Ok(length) if length <= MAX_BODY => Ok(length),
        _ => Err("a Content-Length of more than 256 MiB"),
    }
}

/// Reads a chunk-size line without its CR LF; extensions are legal, and passed over.
pub(crate) fn chunk_size(line: &[u8]) -> Result<usize, &'static str> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let digits = std::str::from_utf8(digits).map_err(|_| "a chunk size that is not ASCII")?;
    let digits = digits.trim_end_matches([' ', '\t']);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a chunk size that is not hexadecimal digits");
    }
    match usize::from_str_radix(digits, 16) {
        Ok(size) if size <= MAX_BODY => Ok(size),
        _ => Err("a chunk of more than 256 MiB"),
    }
}
