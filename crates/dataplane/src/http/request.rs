//! The head of a request: parsed once, judged once, never repaired.

use std::mem::MaybeUninit;

use gatewright_telemetry::{Failure, HttpVersion};

use super::framing::{BodyLength, FramingError, LengthFields};
use super::host::parse_host;
use super::names::{RequestField, list_elements, request_field};

/// Longest target, in bytes (the service's documented URL limit).
pub(crate) const TARGET_BYTES_MAX: usize = 32 * 1024;
/// Longest header section, in bytes (the service's documented limit for HTTP/1.x).
pub(crate) const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Most header fields of a request.
pub(crate) const FIELDS_MAX: usize = 128;
/// Largest request body, in bytes (the service's documented upload limits).
pub(crate) const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
pub(crate) const BODY_BYTES_MAX_V1: u64 = 2 * 1024 * 1024 * 1024;
/// Longest method, in bytes; the longest registered one has 16.
pub(crate) const METHOD_BYTES_MAX: usize = 32;
pub(crate) type FieldStorage<'b> = [MaybeUninit<httparse::Header<'b>>; FIELDS_MAX];

/// What a request asks for, and of whom.
#[derive(Debug)]
pub(crate) struct Asked<'b> {
    pub(crate) method: &'b [u8],
    /// As sent; `/` where an absolute target has none; `*` for OPTIONS.
    pub(crate) path: &'b [u8],
    pub(crate) query: Option<&'b [u8]>,
    pub(crate) version: HttpVersion,
    /// With the port, as sent.
    pub(crate) host: &'b [u8],
    /// Without the port.
    pub(crate) host_name: &'b [u8],
    pub(crate) user_agent: &'b [u8],
}

/// A head that may be served. `'b` is the buffer, `'s` the storage of its fields.
#[derive(Debug)]
pub(crate) struct RequestHead<'b, 's> {
    pub(crate) asked: Asked<'b>,
    pub(crate) fields: &'s [httparse::Header<'b>],
    pub(crate) body: BodyLength,
    pub(crate) keep_alive: bool,
    /// Whether Connection names fields that must not cross.
    pub(crate) connection_names_fields: bool,
    pub(crate) wants_websocket: bool,
    pub(crate) expects_continue: bool,
}

/// What the fields said, gathered in one pass over them.
#[derive(Default)]
struct Gathered<'b> {
    lengths: LengthFields,
    host: Option<&'b [u8]>,
    user_agent: &'b [u8],
    authorized: bool,
    close: bool,
    keep_alive: bool,
    connection_names_fields: bool,
    upgrades: bool,
    upgrade_to_h2c: bool,
    upgrade_to_websocket: bool,
    expects_continue: bool,
}

/// A head that must be refused, and the connection closed: where the next request would begin is
/// not known.
#[derive(Debug)]
pub(crate) struct Refusal<'b> {
    /// What the head amounts to.
    pub(crate) failure: Failure,
    /// Where it has a sound request line and one sound Host: enough to know whose it is.
    pub(crate) asked: Option<Asked<'b>>,
}

/// Parses a whole head, empty line included.
///
/// # Errors
/// When the head must not be served.
pub(crate) fn parse<'b, 's>(
    head: &'b [u8],
    storage: &'s mut FieldStorage<'b>,
) -> Result<RequestHead<'b, 's>, Refusal<'b>> {
    let mut request = httparse::Request::new(&mut []);
    let unknown = |failure| Refusal {
        failure,
        asked: None,
    };
    match request.parse_with_uninit_headers(head, storage) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(unknown(Failure::RequestMalformed)),
        Err(error) => return Err(unknown(explain(head, error))),
    }
    let parsed = Parsed {
        method: request.method.unwrap_or_default().as_bytes(),
        target: request.path.unwrap_or_default().as_bytes(),
        is_http_10: request.version == Some(0),
        fields: request.headers,
        bytes: head.len(),
    };
    judge(&parsed).map_err(|failure| Refusal {
        failure,
        asked: parsed.asked(),
    })
}

/// A head in its parts, about which nothing has been said yet.
struct Parsed<'b, 's> {
    method: &'b [u8],
    target: &'b [u8],
    is_http_10: bool,
    fields: &'s [httparse::Header<'b>],
    /// Of the whole head.
    bytes: usize,
}

impl<'b, 's> Parsed<'b, 's> {
    fn version(&self) -> HttpVersion {
        match self.is_http_10 {
            true => HttpVersion::Http10,
            false => HttpVersion::Http11,
        }
    }

    /// Looked for once the head is refused, which is rare.
    fn asked(&self) -> Option<Asked<'b>> {
        check_method(self.method).ok()?;
        let target = Target::parse(self.target, self.method).ok()?;
        let values = |wanted| {
            let is_wanted =
                move |field: &&httparse::Header<'b>| request_field(field.name.as_bytes()) == wanted;
            self.fields
                .iter()
                .filter(is_wanted)
                .map(|field| field.value)
        };
        let mut hosts = values(RequestField::Host);
        let host = hosts.next().filter(|_| hosts.next().is_none())?;
        let host_name = parse_host(host)?;
        if !target.is_of(host) {
            return None;
        }
        Some(Asked {
            method: self.method,
            path: target.path,
            query: target.query,
            version: self.version(),
            host,
            host_name,
            user_agent: values(RequestField::UserAgent)
                .next_back()
                .unwrap_or_default(),
        })
    }
}

fn judge<'b, 's>(parsed: &Parsed<'b, 's>) -> Result<RequestHead<'b, 's>, Failure> {
    let Parsed {
        method,
        target,
        is_http_10,
        fields,
        bytes,
    } = *parsed;
    let header_bytes = bytes.saturating_sub(method.len() + target.len());
    if header_bytes > HEADER_BYTES_MAX {
        return Err(Failure::HeaderTooLarge);
    }
    check_method(method)?;
    let target = Target::parse(target, method)?;
    let gathered = gather(fields)?;
    let host = gathered
        .host
        .filter(|host| !host.is_empty())
        .ok_or(Failure::HostMissing)?;
    let host_name = parse_host(host).ok_or(Failure::HostInvalid)?;
    if !target.is_of(host) {
        return Err(Failure::HostInvalid);
    }
    let body = gathered
        .lengths
        .of_request(method, is_http_10)
        .map_err(framing_failure)?;
    if matches!(body, BodyLength::Exact(length) if length > BODY_BYTES_MAX) {
        return Err(Failure::BodyTooLarge);
    }
    // Whatever Connection says of it (the service's documentation).
    if gathered.upgrade_to_h2c {
        return Err(Failure::UpgradeRefused);
    }
    Ok(RequestHead {
        asked: Asked {
            method,
            path: target.path,
            query: target.query,
            version: parsed.version(),
            host,
            host_name,
            user_agent: gathered.user_agent,
        },
        fields,
        body,
        keep_alive: if is_http_10 {
            gathered.keep_alive
        } else {
            !gathered.close
        },
        connection_names_fields: gathered.connection_names_fields,
        wants_websocket: gathered.upgrades && gathered.upgrade_to_websocket,
        expects_continue: gathered.expects_continue && !is_http_10,
    })
}

fn gather<'b>(fields: &[httparse::Header<'b>]) -> Result<Gathered<'b>, Failure> {
    let mut gathered = Gathered::default();
    for field in fields {
        let value = field.value;
        // The service refuses non-ASCII text in headers.
        if !value.is_ascii() {
            return Err(Failure::HeaderInvalid);
        }
        match request_field(field.name.as_bytes()) {
            RequestField::Host => {
                if gathered.host.replace(value).is_some() {
                    return Err(Failure::HostInvalid);
                }
            }
            RequestField::ContentLength => {
                gathered
                    .lengths
                    .add_content_length(value)
                    .map_err(framing_failure)?;
            }
            RequestField::TransferEncoding => {
                gathered
                    .lengths
                    .add_transfer_encoding(value)
                    .map_err(framing_failure)?;
            }
            RequestField::Connection => gathered.connection(value),
            RequestField::Upgrade => gathered.upgrade(value),
            RequestField::Expect if value.eq_ignore_ascii_case(b"100-continue") => {
                gathered.expects_continue = true;
            }
            RequestField::Expect => return Err(Failure::ExpectationUnknown),
            RequestField::UserAgent => gathered.user_agent = value,
            RequestField::Authorization => {
                if std::mem::replace(&mut gathered.authorized, true) {
                    return Err(Failure::HeaderRepeated);
                }
            }
            RequestField::Cookie
            | RequestField::XForwardedFor
            | RequestField::HopByHop
            | RequestField::GatewayOwn
            | RequestField::Other => {}
        }
    }
    Ok(gathered)
}

impl Gathered<'_> {
    fn connection(&mut self, value: &[u8]) {
        for option in list_elements(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrades = true;
            } else {
                self.connection_names_fields = true;
            }
        }
    }

    fn upgrade(&mut self, value: &[u8]) {
        for protocol in list_elements(value) {
            self.upgrade_to_h2c |= protocol.eq_ignore_ascii_case(b"h2c");
            self.upgrade_to_websocket |= protocol.eq_ignore_ascii_case(b"websocket");
        }
    }
}

fn check_method(method: &[u8]) -> Result<(), Failure> {
    match method {
        b"TRACE" => Err(Failure::MethodTrace),
        b"CONNECT" => Err(Failure::MethodConnect),
        _ if is_method(method) => Ok(()),
        _ => Err(Failure::MethodInvalid),
    }
}

/// Whether these bytes could be a method, or begin one: the service, like nginx, knows none with
/// lower-case letters, and refuses `get` as misspelt.
pub(crate) fn is_method(bytes: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    bytes.len() <= METHOD_BYTES_MAX && bytes.iter().all(is_part)
}

struct Target<'b> {
    /// Of an absolute target, with the port that its scheme leaves out.
    authority: Option<(&'b [u8], &'static [u8])>,
    path: &'b [u8],
    query: Option<&'b [u8]>,
}

impl<'b> Target<'b> {
    fn parse(target: &'b [u8], method: &[u8]) -> Result<Self, Failure> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(Failure::TargetTooLong);
        }
        if !target
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'#')
        {
            return Err(Failure::TargetInvalid);
        }
        if target == b"*" && method == b"OPTIONS" {
            return Ok(Self {
                authority: None,
                path: target,
                query: None,
            });
        }
        let (authority, rest) = match target.first() {
            Some(b'/') => (None, target),
            _ => split_absolute(target).ok_or(Failure::TargetInvalid)?,
        };
        let (path, query) = match memchr::memchr(b'?', rest) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        Ok(Self {
            authority,
            path: if path.is_empty() { b"/" } else { path },
            query,
        })
    }

    /// Whether the target names no other host than the Host field, or none at all.
    fn is_of(&self, host: &[u8]) -> bool {
        self.authority.is_none_or(|(authority, port)| {
            let bare = |text: &'_ [u8]| text.strip_suffix(port).unwrap_or(text).len();
            let (own, other) = (&authority[..bare(authority)], &host[..bare(host)]);
            own.eq_ignore_ascii_case(other)
        })
    }
}

/// A target's authority, with the port that its scheme leaves out, and what follows it.
type Absolute<'b> = (Option<(&'b [u8], &'static [u8])>, &'b [u8]);

/// `http://authority/path?query` into its authority and the rest.
fn split_absolute(target: &[u8]) -> Option<Absolute<'_>> {
    const SCHEMES: [(&str, &[u8]); 2] = [("http://", b":80"), ("https://", b":443")];
    let (after, port) = SCHEMES.iter().find_map(|(scheme, port)| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        let is_it = start.eq_ignore_ascii_case(scheme.as_bytes());
        is_it.then_some((rest, *port))
    })?;
    let end = after
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if authority.is_empty() {
        None
    } else {
        Some((Some((authority, port)), rest))
    }
}

fn framing_failure(error: FramingError) -> Failure {
    match error {
        FramingError::ContentLength => Failure::ContentLengthInvalid,
        FramingError::TransferEncoding => Failure::TransferEncodingInvalid,
        FramingError::Ambiguous => Failure::FramingAmbiguous,
        FramingError::LengthRequired => Failure::LengthRequired,
    }
}

/// The failure behind a head that does not parse. The request line is looked at again, because
/// the log has names for its defects.
fn explain(head: &[u8], error: httparse::Error) -> Failure {
    if matches!(error, httparse::Error::TooManyHeaders) {
        return Failure::HeaderTooLarge;
    }
    match explain_line(first_line(head)) {
        Some(failure) => failure,
        None => Failure::HeaderInvalid,
    }
}

/// The first line of a head, without its line end.
pub(crate) fn first_line(head: &[u8]) -> &[u8] {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What is wrong with a request line, if anything is.
pub(crate) fn explain_line(line: &[u8]) -> Option<Failure> {
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    if method.is_empty() || !is_method(method) {
        return Some(Failure::MethodInvalid);
    }
    let Some(target) = words.next() else {
        return Some(Failure::RequestMalformed);
    };
    let Some(version) = words.next() else {
        return Some(Failure::VersionMissing);
    };
    if words.next().is_some() || target.is_empty() {
        return Some(Failure::RequestMalformed);
    }
    if version != b"HTTP/1.1" && version != b"HTTP/1.0" {
        return Some(Failure::VersionInvalid);
    }
    if !target.iter().all(u8::is_ascii_graphic) {
        return Some(Failure::TargetInvalid);
    }
    None
}

/// The method, the target and the version of a head that was refused, for its record; empty where
/// there is none.
pub(crate) fn line_for_record(head: &[u8]) -> (&[u8], &[u8], HttpVersion) {
    let mut words = first_line(head).split(|byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target) = (word(), word());
    let version = match word() {
        b"HTTP/1.0" => HttpVersion::Http10,
        _ => HttpVersion::Http11,
    };
    (
        &method[..method.len().min(METHOD_BYTES_MAX)],
        &target[..target.len().min(TARGET_BYTES_MAX)],
        version,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, expected: Result<(&str, &str, BodyLength), Failure>) {
        let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let parsed = parse(head.as_bytes(), &mut storage);
        let parsed = parsed.map_err(|refusal| refusal.failure);
        let seen = parsed.map(|head| {
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            (text(head.asked.host_name), text(head.asked.path), head.body)
        });
        assert_eq!(seen, expected, "{head:?}");
    }

    fn check_refused(lines: &str, expected: Failure) {
        check(&format!("{lines}\r\n\r\n"), Err(expected));
    }

    #[test]
    fn plain_requests_are_read() {
        check(
            "GET /a?b=c HTTP/1.1\r\nHost: Contoso.com:8080\r\n\r\n",
            Ok(("Contoso.com", "/a", BodyLength::Empty)),
        );
        check(
            "PUT / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\n",
            Ok(("[::1]", "/", BodyLength::Exact(3))),
        );
        check(
            "GET http://a.com?x HTTP/1.1\r\nHost: A.com\r\n\r\n",
            Ok(("A.com", "/", BodyLength::Empty)),
        );
        check(
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(("a", "*", BodyLength::Empty)),
        );
    }

    #[test]
    fn request_lines_are_named_for_their_defect() {
        check_refused("GE(T / HTTP/1.1\r\nHost: a", Failure::MethodInvalid);
        check_refused("TRACE / HTTP/1.1\r\nHost: a", Failure::MethodTrace);
        check_refused("CONNECT a:1 HTTP/1.1\r\nHost: a:1", Failure::MethodConnect);
        check_refused("GET /", Failure::VersionMissing);
        check_refused("GET / HTTP/2.0\r\nHost: a", Failure::VersionInvalid);
        check_refused("GET / http/1.1\r\nHost: a", Failure::VersionInvalid);
        check_refused("GET  / HTTP/1.1\r\nHost: a", Failure::RequestMalformed);
        check_refused("GET /a b HTTP/1.1\r\nHost: a", Failure::RequestMalformed);
        check_refused("GET /\u{e9} HTTP/1.1\r\nHost: a", Failure::TargetInvalid);
        check_refused("GET /a#b HTTP/1.1\r\nHost: a", Failure::TargetInvalid);
        check_refused("GET a HTTP/1.1\r\nHost: a", Failure::TargetInvalid);
        check_refused("GET * HTTP/1.1\r\nHost: a", Failure::TargetInvalid);
        let long = format!("GET /{} HTTP/1.1\r\nHost: a", "a".repeat(TARGET_BYTES_MAX));
        check_refused(&long, Failure::TargetTooLong);
    }

    #[test]
    fn hosts_are_one_and_well_formed() {
        check_refused("GET / HTTP/1.1", Failure::HostMissing);
        check_refused("GET / HTTP/1.1\r\nHost:", Failure::HostMissing);
        check_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a", Failure::HostInvalid);
        check_refused("GET http://b/ HTTP/1.1\r\nHost: a", Failure::HostInvalid);
        for bad in [
            "a:b", "a:1:2", "u@a", "a/b", "[::1", "[]", "[::1]x", "a b", "a:123456", ":80",
        ] {
            check_refused(
                &format!("GET / HTTP/1.1\r\nHost: {bad}"),
                Failure::HostInvalid,
            );
        }
    }

    #[test]
    fn fields_that_smuggle_are_refused() {
        let field = |line: &str, expected| {
            check_refused(&format!("PUT / HTTP/1.1\r\nHost: a\r\n{line}"), expected);
        };
        field(
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            Failure::FramingAmbiguous,
        );
        field(
            "Content-Length: 1\r\nContent-Length: 1",
            Failure::ContentLengthInvalid,
        );
        field(
            "Transfer-Encoding: identity",
            Failure::TransferEncodingInvalid,
        );
        field("Transfer-Encoding : chunked", Failure::HeaderInvalid);
        field("A: b\r\n c", Failure::HeaderInvalid);
        field(" A: b", Failure::HeaderInvalid);
        field("A b", Failure::HeaderInvalid);
        field("A\u{e9}: b", Failure::HeaderInvalid);
        field("A: \u{e9}", Failure::HeaderInvalid);
        field("A: b\0c", Failure::HeaderInvalid);
        field("Expect: more", Failure::ExpectationUnknown);
        field(
            "Authorization: a\r\nAuthorization: b",
            Failure::HeaderRepeated,
        );
        field(
            "Connection: Upgrade\r\nUpgrade: h2c",
            Failure::UpgradeRefused,
        );
        field("Content-Length: 4294967297", Failure::BodyTooLarge);
    }

    #[test]
    fn fields_are_bounded() {
        let many = "A: b\r\n".repeat(FIELDS_MAX);
        check_refused(
            &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}A: b"),
            Failure::HeaderTooLarge,
        );
        let big = "b".repeat(HEADER_BYTES_MAX);
        check_refused(
            &format!("GET / HTTP/1.1\r\nHost: a\r\nA: {big}"),
            Failure::HeaderTooLarge,
        );
    }
}
