//! The head of a backend's answer.

use std::mem::MaybeUninit;

use gatewright_telemetry::Failure;

use super::framing::{BodyLength, FramingError, LengthFields};
use super::names::{ResponseField, list_elements, response_field};

/// Longest head of an answer, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header fields of an answer: as many as fit into a head of average ones.
pub(crate) const FIELDS_MAX: usize = 512;

pub(crate) type FieldStorage<'b> = [MaybeUninit<httparse::Header<'b>>; FIELDS_MAX];

/// A head that may be passed on. `'b` is the buffer, `'s` the storage of its fields.
#[derive(Debug)]
pub(crate) struct ResponseHead<'b, 's> {
    pub(crate) status: u16,
    pub(crate) reason: &'b [u8],
    pub(crate) fields: &'s [httparse::Header<'b>],
    pub(crate) body: BodyLength,
    /// As sent, also where there is no body: a HEAD's answer tells it, and a 304. Not for a 204,
    /// which may not have one: whoever believes it would wait for a body.
    pub(crate) content_length: Option<u64>,
    pub(crate) keep_alive: bool,
    pub(crate) connection_names_fields: bool,
    pub(crate) content_type: &'b [u8],
}

/// Whether these bytes could be the beginning of an answer: what speaks another protocol need not
/// be waited for.
pub(crate) fn begins_like_http(bytes: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"HTTP/1.";
    let mut pairs = bytes.iter().zip(BEGINNING);
    pairs.all(|(seen, wanted)| seen == wanted)
}

/// Parses a whole head, empty line included. `to_head`: whether it answers a HEAD request.
///
/// # Errors
/// When the bytes are no answer that two readers would take alike: nothing of it is passed on.
pub(crate) fn parse<'b, 's>(
    head: &'b [u8],
    to_head: bool,
    storage: &'s mut FieldStorage<'b>,
) -> Result<ResponseHead<'b, 's>, Failure> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        head,
        storage,
    );
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::BackendHeadTooLarge),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Failure::BackendHeadInvalid),
    }
    let status = response.code.unwrap_or_default();
    if !(100..=599).contains(&status) {
        return Err(Failure::BackendHeadInvalid);
    }
    let is_http_10 = response.version == Some(0);
    let fields: &'s [httparse::Header<'b>] = response.headers;
    let mut lengths = LengthFields::default();
    let (mut close, mut keep_alive, mut names) = (false, false, false);
    let mut content_type: &[u8] = b"";
    for field in fields {
        match response_field(field.name.as_bytes()) {
            ResponseField::ContentLength => {
                lengths
                    .add_content_length(field.value)
                    .map_err(framing_failure)?;
            }
            ResponseField::TransferEncoding => {
                lengths
                    .add_transfer_encoding(field.value)
                    .map_err(framing_failure)?;
            }
            ResponseField::Connection => {
                for option in list_elements(field.value) {
                    if option.eq_ignore_ascii_case(b"close") {
                        close = true;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        keep_alive = true;
                    } else {
                        names = true;
                    }
                }
            }
            ResponseField::ContentType => content_type = field.value,
            ResponseField::HopByHop | ResponseField::Other => {}
        }
    }
    Ok(ResponseHead {
        status,
        reason: response.reason.unwrap_or_default().as_bytes(),
        fields,
        body: lengths
            .of_response(status, to_head, is_http_10)
            .map_err(framing_failure)?,
        content_length: lengths.content_length().filter(|_| status != 204),
        keep_alive: if is_http_10 { keep_alive } else { !close },
        connection_names_fields: names,
        content_type,
    })
}

fn framing_failure(_: FramingError) -> Failure {
    Failure::BackendFramingAmbiguous
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, expected: Result<(u16, BodyLength, bool), Failure>) {
        let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let parsed = parse(head.as_bytes(), false, &mut storage);
        let seen = parsed.map(|head| (head.status, head.body, head.keep_alive));
        assert_eq!(seen, expected, "{head:?}");
    }

    #[test]
    fn answers_are_read() {
        check(
            "HTTP/1.1 200 OK\r\n\r\n",
            Ok((200, BodyLength::UntilClose, true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
            Ok((200, BodyLength::Exact(2), false)),
        );
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            Ok((200, BodyLength::Empty, false)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Ok((200, BodyLength::Chunked, true)),
        );
    }

    #[test]
    fn doubtful_answers_are_not() {
        let ambiguous = Err(Failure::BackendFramingAmbiguous);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            ambiguous,
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            Err(Failure::BackendFramingAmbiguous),
        );
        check(
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            Err(Failure::BackendHeadInvalid),
        );
        check("HTTP/1.1 999 OK\r\n\r\n", Err(Failure::BackendHeadInvalid));
        check("SSH-2.0-OpenSSH\r\n\r\n", Err(Failure::BackendHeadInvalid));
        let many = "A: b\r\n".repeat(FIELDS_MAX + 1);
        check(
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            Err(Failure::BackendHeadTooLarge),
        );
    }
}
