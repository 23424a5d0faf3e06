//! Where the two readers may differ, reason by reason.
//!
//! Each reason is looked for in the bytes anew, with a reading so simple that it can be checked by
//! eye, and never by asking the parser that gave it.

use gatewright_telemetry::Failure;

use super::ours::Refusal;
use super::{Framing, Message};
use crate::http::{request, response};

/// A head, split at its line ends and at the first colon of each line.
struct Plain<'b> {
    words: Vec<&'b [u8]>,
    fields: Vec<(Vec<u8>, &'b [u8])>,
    /// All of it, its empty line included.
    head: &'b [u8],
    body: &'b [u8],
}

impl<'b> Plain<'b> {
    fn split(bytes: &'b [u8]) -> Option<Self> {
        let mut bytes = bytes;
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
        }
        let end = position(bytes, b"\r\n\r\n")?;
        let mut lines = Vec::new();
        let mut rest = &bytes[..end];
        while let Some(at) = position(rest, b"\r\n") {
            lines.push(&rest[..at]);
            rest = &rest[at + 2..];
        }
        lines.push(rest);
        let words = lines[0].split(|byte| *byte == b' ').collect();
        let fields = lines[1..].iter().map(|line| {
            let colon = position(line, b":").unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            (line[..colon].to_ascii_lowercase(), value.trim_ascii())
        });
        Some(Self {
            words,
            fields: fields.collect(),
            head: &bytes[..end + 4],
            body: &bytes[end + 4..],
        })
    }

    fn values(&self, name: &str) -> Vec<&'b [u8]> {
        let named = self.fields.iter().filter(|(n, _)| n == name.as_bytes());
        named.map(|(_, value)| *value).collect()
    }

    fn method(&self) -> &'b [u8] {
        self.words.first().copied().unwrap_or_default()
    }

    fn target(&self) -> &'b [u8] {
        self.words.get(1).copied().unwrap_or_default()
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|here| here == wanted)
}

/// The reason for which we refuse a request that hyper takes, when it is one of those meant.
pub(super) fn stricter_request(bytes: &[u8], refusal: Refusal) -> Option<&'static str> {
    let failure = match refusal {
        Refusal::BareLineEnd => return has_bare_line_end(bytes).then_some("bare CR or LF"),
        Refusal::NoEnd => return None,
        Refusal::Judged(failure) => failure,
    };
    let plain = Plain::split(bytes)?;
    let line_bytes = plain.method().len() + plain.target().len();
    let lengths = plain.values("content-length");
    let codings = plain.values("transfer-encoding");
    let hosts = plain.values("host");
    let (holds, reason) = match failure {
        Failure::MethodTrace => (plain.method() == b"TRACE", "TRACE"),
        Failure::MethodConnect => (plain.method() == b"CONNECT", "CONNECT"),
        Failure::MethodInvalid => (
            plain.method().len() > request::METHOD_BYTES_MAX
                || plain
                    .method()
                    .iter()
                    .any(|byte| !byte.is_ascii_uppercase() && !b"-_".contains(byte)),
            "a method that is misspelt or too long",
        ),
        Failure::TargetTooLong => (
            plain.target().len() > request::TARGET_BYTES_MAX,
            "a long target",
        ),
        Failure::TargetInvalid => (
            is_odd_target(plain.method(), plain.target()),
            "an odd target",
        ),
        Failure::HeaderTooLarge => (
            plain.head.len() - line_bytes > request::HEADER_BYTES_MAX
                || plain.fields.len() > request::FIELDS_MAX,
            "too large a header section",
        ),
        Failure::HeaderInvalid => (
            plain.fields.iter().any(|(_, value)| !value.is_ascii()),
            "a value that is not ASCII",
        ),
        Failure::HostMissing => (hosts.iter().all(|host| host.is_empty()), "no Host"),
        Failure::HostInvalid if hosts.len() > 1 => (true, "a repeated Host"),
        Failure::HostInvalid => {
            let host = hosts.first()?;
            let authority = authority_of(plain.target()).unwrap_or(host);
            let disagree = !authority.eq_ignore_ascii_case(host);
            (disagree || !is_plain_host(host), "an odd Host")
        }
        Failure::ContentLengthInvalid => (
            is_odd_length(&lengths) || !codings.is_empty(),
            "an odd Content-Length",
        ),
        Failure::BodyTooLarge => (is_beyond(&lengths, request::BODY_BYTES_MAX), "a long body"),
        Failure::TransferEncodingInvalid => (is_odd_coding(&codings), "an odd Transfer-Encoding"),
        Failure::FramingAmbiguous => (
            !lengths.is_empty() && !codings.is_empty(),
            "both a length and chunks",
        ),
        Failure::LengthRequired => (
            plain.method() == b"POST" && lengths.is_empty() && codings.is_empty(),
            "a POST without a length",
        ),
        Failure::UpgradeRefused => (names(&plain.values("upgrade"), "h2c"), "an upgrade to h2c"),
        Failure::ExpectationUnknown => (
            plain
                .values("expect")
                .iter()
                .any(|value| !value.eq_ignore_ascii_case(b"100-continue")),
            "an unknown expectation",
        ),
        Failure::HeaderRepeated => (
            plain.values("authorization").len() > 1,
            "a repeated Authorization",
        ),
        _ => return None,
    };
    holds.then_some(reason)
}

/// The reason for which we refuse an answer that hyper takes, when it is one of those meant.
/// hyper skips interim answers as we do, so the reason may be in any head up to the final one.
pub(super) fn stricter_response(
    bytes: &[u8],
    refusal: Refusal,
    theirs: &Message,
) -> Option<&'static str> {
    let failure = match refusal {
        Refusal::BareLineEnd => return has_bare_line_end(bytes).then_some("bare CR or LF"),
        Refusal::NoEnd => return None,
        Refusal::Judged(failure) => failure,
    };
    let mut rest = bytes;
    loop {
        if failure == Failure::BackendHeadInvalid && rest.starts_with(b"\r\n") {
            // Only before a request are empty lines allowed.
            return Some("an empty line before an answer");
        }
        let plain = Plain::split(rest)?;
        let lengths = plain.values("content-length");
        let codings = plain.values("transfer-encoding");
        let is_http_10 = plain.head.starts_with(b"HTTP/1.0");
        let (holds, reason) = match failure {
            Failure::BackendHeadTooLarge => {
                (plain.fields.len() > response::FIELDS_MAX, "too many fields")
            }
            Failure::BackendHeadInvalid => (
                plain.target().first().is_none_or(|digit| *digit > b'5'),
                "a status beyond 599",
            ),
            Failure::BackendFramingAmbiguous => (
                is_odd_length(&lengths)
                    || is_odd_coding(&codings)
                    || (!lengths.is_empty() && !codings.is_empty())
                    // hyper does not look at the lengths of a message that can have no body.
                    || (theirs.framing == Framing::Empty && is_http_10 && !codings.is_empty()),
                "odd lengths",
            ),
            _ => return None,
        };
        if holds {
            return Some(reason);
        }
        rest = plain.body;
    }
}

/// The reason for which we take a request that hyper refuses, when it is known to do no harm, and
/// the request without what hyper objects to, which both must take alike.
pub(super) fn looser_request(bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let plain = Plain::split(bytes)?;
    // Clients do send these bytes unescaped. They end neither a target nor a line for anyone, and
    // the target is passed on as one piece, so where the request ends is not in doubt.
    let is_unescaped = |byte: &u8| b"<>\"`\\^{|}".contains(byte);
    let before = bytes.len() - plain.head.len() - plain.body.len();
    let start = before + plain.method().len() + 1;
    let end = start + plain.target().len();
    if plain.target().iter().any(is_unescaped) {
        let mut bytes = bytes.to_vec();
        for byte in bytes[start..end]
            .iter_mut()
            .filter(|byte| is_unescaped(byte))
        {
            *byte = b'x';
        }
        return Some(("unescaped bytes in the target", bytes));
    }
    None
}

/// The reason for which we refuse a chunked body that hyper takes, or still waits for.
pub(super) fn stricter_body(body: &[u8]) -> Option<&'static str> {
    let mut rest = body;
    loop {
        let end = position(rest, b"\r").unwrap_or(rest.len());
        let line = &rest[..end];
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let digits = digits.count();
        if digits > 15 {
            return Some("a chunk size of many digits");
        }
        if line.len() > 250 {
            return Some("a long chunk-size line");
        }
        if line.iter().any(|byte| is_control(*byte)) {
            return Some("a control byte in a chunk extension");
        }
        let text = std::str::from_utf8(&line[..digits]).ok()?;
        let size = usize::from_str_radix(text, 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return is_odd_trailer(rest).then_some("an odd trailer section");
        }
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

/// hyper reads a trailer section when all of it is there, we as it comes.
fn is_odd_trailer(section: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    let is_odd_line = |line: &[u8]| {
        let name = line.iter().take_while(|byte| is_name(byte)).count();
        let is_named = name == line.len() || (name > 0 && line[name] == b':');
        !is_named || line.iter().any(|byte| is_control(*byte))
    };
    let end = position(section, b"\r\n\r\n").map_or(section.len(), |end| end + 4);
    let mut rest = &section[..end];
    while let Some(at) = position(rest, b"\r\n") {
        // Nothing stands in the empty line at the end, and there alone a name may be missing.
        let has_colon = at == 0 || rest[..at].contains(&b':');
        if !has_colon || is_odd_line(&rest[..at]) {
            return true;
        }
        rest = &rest[at + 2..];
    }
    end > 8 * 1024 || is_odd_line(rest)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

fn has_bare_line_end(bytes: &[u8]) -> bool {
    let mut previous = b'\0';
    for byte in bytes {
        if (*byte == b'\n') != (previous == b'\r') {
            return true;
        }
        previous = *byte;
    }
    false
}

fn is_odd_target(method: &[u8], target: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    let is_star = target == b"*" && method == b"OPTIONS";
    let is_known = target.starts_with(b"/") || is_star || authority_of(target).is_some();
    !is_known || !target.iter().all(is_plain)
}

/// The authority of an absolute target.
fn authority_of(target: &[u8]) -> Option<&[u8]> {
    let after = position(target, b"://")? + 3;
    let scheme = &target[..after];
    let is_http =
        scheme.eq_ignore_ascii_case(b"http://") || scheme.eq_ignore_ascii_case(b"https://");
    let authority = target[after..]
        .split(|byte| b"/?".contains(byte))
        .next()
        .filter(|authority| !authority.is_empty())?;
    is_http.then_some(authority)
}

/// Whether two hosts differ at most in letter case, and in a port that a URL leaves out.
pub(super) fn is_same_host(one: &[u8], other: &[u8]) -> bool {
    let name = |host: &[u8]| -> Vec<u8> {
        let text = host.to_ascii_lowercase();
        let bare = [b":80".as_slice(), b":443"];
        let bare = bare.iter().find_map(|port| text.strip_suffix(*port));
        bare.map_or_else(|| text.clone(), <[u8]>::to_vec)
    };
    name(one) == name(other)
}

/// A Host that we must take: a name or an address as every library knows them, and a port.
fn is_plain_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "80"),
    };
    let is_address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .is_some_and(|name| name.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let has_empty_label = name.starts_with('.') || name.contains("..");
    let is_domain = !name.is_empty() && name.len() <= 253 && name.chars().all(is_name);
    let is_domain = is_domain && !has_empty_label;
    let is_port = port.len() <= 5 && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port && (is_address || is_domain)
}

fn is_odd_length(lengths: &[&[u8]]) -> bool {
    lengths.len() > 1
        || lengths.iter().any(|length| {
            length.is_empty() || length.len() > 18 || !length.iter().all(u8::is_ascii_digit)
        })
}

fn is_odd_coding(codings: &[&[u8]]) -> bool {
    codings.len() > 1
        || codings
            .iter()
            .any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
}

fn is_beyond(lengths: &[&[u8]], most: u64) -> bool {
    lengths.iter().any(|length| {
        std::str::from_utf8(length)
            .ok()
            .and_then(|length| length.parse::<u64>().ok())
            .is_some_and(|length| length > most)
    })
}

fn names(values: &[&[u8]], wanted: &str) -> bool {
    values
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
}
