//! The head that a backend gets: the client's, with what must not cross taken out and what the
//! gateway has to say added.
//!
//! Runs of fields that stay are copied as they are; no header map is ever built.

use std::ops::Range;

use gatewright_snapshot::{Scheme, decoded_prefix_length};
use gatewright_telemetry::TraceId;

use crate::http::fields::{copy_fields, is_named_by_connection};
use crate::http::framing::BodyLength;
use crate::http::names::{RequestField, is_forwardable_request_name, request_field};
use crate::http::request::RequestHead;

/// What the gateway knows that the client's head does not say.
pub(super) struct Context<'a> {
    /// The Host to send; `None` for the client's own.
    pub(super) host: Option<&'a [u8]>,
    /// The client's `ip:port`.
    pub(super) forwarded_for: &'a str,
    pub(super) scheme: Scheme,
    /// The frontend port.
    pub(super) port: u16,
    pub(super) trace: TraceId,
    pub(super) ja4: Option<&'a str>,
    pub(super) override_path: Option<&'a str>,
    /// How much of the decoded path the route's pattern spelled out.
    pub(super) literal_length: usize,
    /// Whether paths are matched decoded, as v2 does.
    pub(super) decodes_paths: bool,
}

/// A whole head for a backend, the empty line included.
#[derive(Debug)]
pub(super) struct Outbound {
    text: Vec<u8>,
    host: Range<usize>,
    overridden: Option<Range<usize>>,
}

impl Outbound {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn host(&self) -> &[u8] {
        &self.text[self.host.clone()]
    }

    /// For upstreams whose servers get a Host of their own each.
    pub(super) fn replace_host(&mut self, host: &[u8]) {
        self.text.splice(self.host.clone(), host.iter().copied());
        self.host.end = self.host.start + host.len();
    }

    /// The path, where it is another than the client's.
    pub(super) fn overridden_path(&self) -> Option<&[u8]> {
        self.overridden.clone().map(|range| &self.text[range])
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }
}

/// `bytes` is the client's whole head, of which `head` was parsed.
pub(super) fn write(
    mut text: Vec<u8>,
    bytes: &[u8],
    head: &RequestHead<'_, '_>,
    context: &Context<'_>,
) -> Outbound {
    text.extend_from_slice(head.asked.method);
    text.push(b' ');
    let path_start = text.len();
    // OPTIONS of the server as a whole has no path.
    let of_path = context.override_path.filter(|_| head.asked.path != b"*");
    let overridden = of_path.map(|path| {
        let cut = match context.decodes_paths {
            true => decoded_prefix_length(head.asked.path, context.literal_length),
            false => context.literal_length,
        };
        override_path(
            &mut text,
            path,
            head.asked.path.get(cut..).unwrap_or_default(),
        );
        path_start..text.len()
    });
    if overridden.is_none() {
        text.extend_from_slice(head.asked.path);
    }
    if let Some(query) = head.asked.query {
        text.push(b'?');
        text.extend_from_slice(query);
    }
    text.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    let host_start = text.len();
    text.extend_from_slice(context.host.unwrap_or(head.asked.host));
    let host = host_start..text.len();
    text.extend_from_slice(b"\r\n");
    copy_fields(&mut text, bytes, head.fields, |field| crosses(field, head));
    add_fields(&mut text, head, context);
    Outbound {
        text,
        host,
        overridden,
    }
}

fn crosses(field: &httparse::Header<'_>, head: &RequestHead<'_, '_>) -> bool {
    let name = field.name.as_bytes();
    match request_field(name) {
        RequestField::Host
        | RequestField::ContentLength
        | RequestField::TransferEncoding
        | RequestField::Connection
        | RequestField::Upgrade
        | RequestField::Expect
        | RequestField::XForwardedFor
        | RequestField::HopByHop
        | RequestField::GatewayOwn => false,
        RequestField::Cookie
        | RequestField::UserAgent
        | RequestField::Authorization
        | RequestField::Other => {
            is_forwardable_request_name(name)
                && !(head.connection_names_fields && is_named_by_connection(name, head.fields))
        }
    }
}

fn add_fields(text: &mut Vec<u8>, head: &RequestHead<'_, '_>, context: &Context<'_>) {
    match head.body {
        BodyLength::Exact(length) => {
            text.extend_from_slice(b"Content-Length: ");
            push_number(text, length);
            text.extend_from_slice(b"\r\n");
        }
        BodyLength::Chunked => text.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        // Told to methods that usually have one, so that no server waits for it.
        BodyLength::Empty if matches!(head.asked.method, b"POST" | b"PUT" | b"PATCH") => {
            text.extend_from_slice(b"Content-Length: 0\r\n");
        }
        BodyLength::Empty | BodyLength::UntilClose => {}
    }
    text.extend_from_slice(b"X-Forwarded-For: ");
    for field in head.fields {
        if request_field(field.name.as_bytes()) == RequestField::XForwardedFor
            && !field.value.is_empty()
        {
            text.extend_from_slice(field.value);
            text.extend_from_slice(b", ");
        }
    }
    text.extend_from_slice(context.forwarded_for.as_bytes());
    text.extend_from_slice(match context.scheme {
        Scheme::Http => b"\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: ",
        Scheme::Https => b"\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: ",
    });
    push_number(text, u64::from(context.port));
    text.extend_from_slice(b"\r\nX-Original-Host: ");
    text.extend_from_slice(head.asked.host);
    text.extend_from_slice(b"\r\nX-Original-URL: ");
    text.extend_from_slice(head.asked.path);
    if let Some(query) = head.asked.query {
        text.push(b'?');
        text.extend_from_slice(query);
    }
    text.extend_from_slice(b"\r\nX-AppGw-Trace-Id: ");
    text.extend_from_slice(&context.trace.to_hex());
    if let Some(ja4) = context.ja4 {
        text.extend_from_slice(b"\r\nX-Azure-JA4-Fingerprint: ");
        text.extend_from_slice(ja4.as_bytes());
    }
    text.extend_from_slice(b"\r\n\r\n");
}

/// Puts the override in the place of what the pattern spelled out, with one slash between it and
/// the rest.
fn override_path(text: &mut Vec<u8>, path: &str, rest: &[u8]) {
    text.extend_from_slice(path.as_bytes());
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    if !rest.is_empty() && !path.ends_with('/') {
        text.push(b'/');
    }
    text.extend_from_slice(rest);
}

/// Appends a number in decimal digits.
pub(super) fn push_number(text: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut start, mut rest) = (digits.len(), number);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::http::request::{FIELDS_MAX, parse};

    fn written(sent: &str, override_path: Option<&str>, literal_length: usize) -> String {
        let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = parse(sent.as_bytes(), &mut storage).unwrap();
        let context = Context {
            host: None,
            forwarded_for: "9.9.9.9:1234",
            scheme: Scheme::Http,
            port: 80,
            trace: TraceId([0xab; 16]),
            ja4: None,
            override_path,
            literal_length,
            decodes_paths: true,
        };
        let outbound = write(Vec::new(), sent.as_bytes(), &head, &context);
        String::from_utf8(outbound.into_text()).unwrap()
    }

    fn fields_of(sent: &str) -> Vec<String> {
        let text = written(&format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n"), None, 0);
        let end = text.find("X-Forwarded-For").unwrap();
        text[25..end].lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_gateway_adds_what_it_knows() {
        let text = written(
            "GET /a?b HTTP/1.1\r\nHost: c:81\r\nX-Forwarded-For: 1.1.1.1\r\n\
            x-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n\r\n",
            None,
            0,
        );
        assert_eq!(
            text,
            "GET /a?b HTTP/1.1\r\nHost: c:81\r\n\
            X-Forwarded-For: 1.1.1.1, 2.2.2.2, 9.9.9.9:1234\r\nX-Forwarded-Proto: http\r\n\
            X-Forwarded-Port: 80\r\nX-Original-Host: c:81\r\nX-Original-URL: /a?b\r\n\
            X-AppGw-Trace-Id: abababababababababababababababab\r\n\r\n"
        );
    }

    #[test]
    fn hop_by_hop_fields_and_odd_names_do_not_cross() {
        let check = |sent: &str, expected: &[&str]| assert_eq!(fields_of(sent), expected, "{sent}");
        check("A: b\r\nC: d\r\n", &["A: b", "C: d"]);
        check(
            "A: b\r\nConnection: close, C\r\nC: d\r\nE: f\r\n",
            &["A: b", "E: f"],
        );
        check(
            "Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nTrailer: T\r\nA: b\r\n",
            &["A: b"],
        );
        check("A_b: c\r\nA.b: c\r\nA: b\r\n", &["A: b"]);
        check(
            "Upgrade: other\r\nX-AppGw-Trace-Id: forged\r\nX-Original-URL: /x\r\n",
            &[],
        );
        check(
            "Cookie: a=b\r\nUser-Agent: c\r\nAuthorization: d\r\n",
            &["Cookie: a=b", "User-Agent: c", "Authorization: d"],
        );
    }

    #[test]
    fn bodies_are_announced_afresh() {
        let put = |field: &str| {
            written(
                &format!("PUT / HTTP/1.1\r\nHost: a\r\n{field}\r\n"),
                None,
                0,
            )
        };
        assert!(put("Content-Length: 012\r\n").contains("\r\nContent-Length: 12\r\n"));
        assert!(
            put("Transfer-Encoding: Chunked\r\n").contains("\r\nTransfer-Encoding: chunked\r\n")
        );
        assert!(put("").contains("\r\nContent-Length: 0\r\n"));
    }

    /// The table of the service's documentation on the override path.
    #[test]
    fn the_override_path_replaces_what_the_pattern_spells() {
        let check = |pattern: &str, sent: &str, expected: &str| {
            let literal = pattern.trim_end_matches('*');
            let length = if sent.starts_with(literal) {
                literal.len()
            } else {
                0
            };
            let head = format!("GET {sent} HTTP/1.1\r\nHost: a\r\n\r\n");
            let text = written(&head, Some("/override/"), length);
            assert_eq!(text.split(' ').nth(1), Some(expected), "{pattern} {sent}");
        };
        check("", "/home/", "/override/home/");
        check("", "/home/secondhome/", "/override/home/secondhome/");
        check(
            "/pathrule*",
            "/pathrule/home/secondhome/",
            "/override/home/secondhome/",
        );
        check(
            "/pathrule*",
            "/home/secondhome/",
            "/override/home/secondhome/",
        );
        check("/pathrule*", "/pathrule/home/", "/override/home/");
        check("/pathrule*", "/home/", "/override/home/");
        check("/pathrule/home*", "/pathrule/home/", "/override/");
        check(
            "/pathrule/home*",
            "/pathrule/home/secondhome/",
            "/override/secondhome/",
        );
        check("/pathrule/", "/pathrule/", "/override/");
    }

    #[test]
    fn an_override_without_a_slash_gets_one() {
        let text = written("GET /%61pi/x?q HTTP/1.1\r\nHost: a\r\n\r\n", Some("/v2"), 5);
        assert!(text.starts_with("GET /v2/x?q HTTP/1.1\r\n"), "{text}");
    }
}
