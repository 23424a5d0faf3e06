//! The head that a client gets: the backend's, with its framing and hop-by-hop fields replaced by
//! those of this connection.

use gatewright_telemetry::HttpVersion;

use super::request_head::push_number;
use crate::http::fields::{copy_fields, is_named_by_connection};
use crate::http::framing::BodyLength;
use crate::http::names::{ResponseField, response_field};
use crate::http::response::ResponseHead;

/// What the answer's framing depends on besides the backend's head.
pub(super) struct Context<'a> {
    pub(super) client_version: HttpVersion,
    pub(super) keep_alive: bool,
    /// The affinity cookie to set: its name and value.
    pub(super) set_affinity: Option<(&'a str, &'a [u8; 32])>,
    /// Whether the gateway's generation marks a second cookie for cross-site use.
    pub(super) cors_affinity: bool,
}

/// Whether the body leaves in chunks of our own.
pub(super) fn is_chunked_to_client(body: BodyLength, client: HttpVersion) -> bool {
    let unknown_length = matches!(body, BodyLength::Chunked | BodyLength::UntilClose);
    unknown_length && client == HttpVersion::Http11
}

/// Writes the head onto `text`. `bytes` is the backend's whole head, of which `head` was parsed.
pub(super) fn write(
    text: &mut Vec<u8>,
    bytes: &[u8],
    head: &ResponseHead<'_, '_>,
    context: &Context<'_>,
) {
    write_status_line(text, head);
    copy_fields(text, bytes, head.fields, |field| crosses(field, head));
    if is_chunked_to_client(head.body, context.client_version) {
        text.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if let Some(length) = head.content_length {
        text.extend_from_slice(b"Content-Length: ");
        push_number(text, length);
        text.extend_from_slice(b"\r\n");
    }
    if let Some((name, value)) = context.set_affinity {
        write_affinity(text, name, value, context.cors_affinity);
    }
    text.extend_from_slice(connection_field(context.client_version, context.keep_alive));
    text.extend_from_slice(b"\r\n");
}

/// An interim answer (1xx), which has neither a body nor an end of the connection.
pub(super) fn write_interim(text: &mut Vec<u8>, bytes: &[u8], head: &ResponseHead<'_, '_>) {
    write_status_line(text, head);
    copy_fields(text, bytes, head.fields, |field| crosses(field, head));
    text.extend_from_slice(b"\r\n");
}

/// The Connection field that tells a client what its version does not take for granted.
pub(super) fn connection_field(version: HttpVersion, keep_alive: bool) -> &'static [u8] {
    match (version, keep_alive) {
        (HttpVersion::Http11, true) => b"",
        (HttpVersion::Http10, true) => b"Connection: keep-alive\r\n",
        (_, false) => b"Connection: close\r\n",
    }
}

fn write_status_line(text: &mut Vec<u8>, head: &ResponseHead<'_, '_>) {
    text.extend_from_slice(b"HTTP/1.1 ");
    push_number(text, u64::from(head.status));
    text.push(b' ');
    text.extend_from_slice(head.reason);
    text.extend_from_slice(b"\r\n");
}

fn crosses(field: &httparse::Header<'_>, head: &ResponseHead<'_, '_>) -> bool {
    let name = field.name.as_bytes();
    match response_field(name) {
        ResponseField::ContentLength
        | ResponseField::TransferEncoding
        | ResponseField::Connection
        | ResponseField::HopByHop => false,
        ResponseField::ContentType => true,
        // The service documents that answers' names may have any symbol but the underscore.
        ResponseField::Other => {
            let is_named =
                head.connection_names_fields && is_named_by_connection(name, head.fields);
            !is_named && !name.contains(&b'_')
        }
    }
}

fn write_affinity(text: &mut Vec<u8>, name: &str, value: &[u8; 32], cors: bool) {
    if cors {
        text.extend_from_slice(b"Set-Cookie: ");
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"CORS=");
        text.extend_from_slice(value);
        text.extend_from_slice(b"; Path=/; SameSite=None; Secure\r\n");
    }
    text.extend_from_slice(b"Set-Cookie: ");
    text.extend_from_slice(name.as_bytes());
    text.push(b'=');
    text.extend_from_slice(value);
    text.extend_from_slice(b"; Path=/\r\n");
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::http::response::{FIELDS_MAX, parse};

    fn check(sent: &str, version: HttpVersion, keep_alive: bool, expected: &str) {
        let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = parse(sent.as_bytes(), false, &mut storage).unwrap();
        let context = Context {
            client_version: version,
            keep_alive,
            set_affinity: None,
            cors_affinity: true,
        };
        let mut text = Vec::new();
        write(&mut text, sent.as_bytes(), &head, &context);
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn framing_is_written_afresh() {
        check(
            "HTTP/1.0 200 Fine\r\nA: b\r\nContent-Length: 03\r\nKeep-Alive: x\r\nC: d\r\n\r\n",
            HttpVersion::Http11,
            true,
            "HTTP/1.1 200 Fine\r\nA: b\r\nC: d\r\nContent-Length: 3\r\n\r\n",
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close, X\r\nX: y\r\n\r\n",
            HttpVersion::Http11,
            true,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA_b: c\r\n\r\n",
            HttpVersion::Http10,
            false,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        );
    }
}
