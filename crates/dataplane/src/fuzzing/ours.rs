//! Our reading: scanner, head parser, framing and chunked decoder, put together as the exchange
//! does it, and each tried with other pieces of the same bytes.

use std::mem::MaybeUninit;

use gatewright_telemetry::{Failure, HttpVersion};

use super::{Asked, Disagreement, End, Framing, Message, Start};
use crate::http::chunked::{ChunkedDecoder, ChunkedError};
use crate::http::framing::BodyLength;
use crate::http::scan::{HeadScanner, Scan};
use crate::http::{request, response};

/// Why we refused a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BareLineEnd,
    NoEnd,
    Judged(Failure),
}

/// A request, and its Host; or why it is none.
pub(super) type RequestReading = Result<(Message, Vec<u8>), Refusal>;

pub(super) fn read_request(bytes: &[u8]) -> Result<RequestReading, Disagreement> {
    // The client's side skips empty lines before it scans.
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let head = match find_head(&bytes[start..])? {
        Ok(length) => &bytes[start..start + length],
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut storage = [const { MaybeUninit::uninit() }; request::FIELDS_MAX];
    let parsed = match request::parse(head, &mut storage) {
        Ok(parsed) => parsed,
        Err(refusal) => {
            // What a refused head's record is made of must not panic either.
            let _ = request::line_for_record(head);
            return Ok(Err(Refusal::Judged(refusal.failure)));
        }
    };
    if parsed.body == BodyLength::UntilClose {
        return Err(Disagreement::new(
            "a request's body ends with the connection",
        ));
    }
    let start_line = Start::Request {
        method: parsed.asked.method.to_vec(),
        path: parsed.asked.path.to_vec(),
        query: parsed.asked.query.map(<[u8]>::to_vec),
        minor_version: u8::from(parsed.asked.version == HttpVersion::Http11),
    };
    let fields = fields_of(parsed.fields);
    let host = parsed.asked.host.to_vec();
    let message = read_body(bytes, start + head.len(), parsed.body, start_line, fields)?;
    Ok(Ok((message, host)))
}

pub(super) fn read_response(
    bytes: &[u8],
    asked: Asked,
) -> Result<Result<Message, Refusal>, Disagreement> {
    let mut start = 0;
    loop {
        let head = match find_head(&bytes[start..])? {
            Ok(length) => &bytes[start..start + length],
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut storage = [const { MaybeUninit::uninit() }; response::FIELDS_MAX];
        let parsed = match response::parse(head, asked == Asked::Head, &mut storage) {
            Ok(parsed) => parsed,
            Err(failure) => return Ok(Err(Refusal::Judged(failure))),
        };
        start += head.len();
        if parsed.status < 200 && parsed.status != 101 {
            continue;
        }
        let minor_version = u8::from(!head.starts_with(b"HTTP/1.0"));
        let start_line = Start::Response {
            status: parsed.status,
            reason: parsed.reason.to_vec(),
            minor_version,
        };
        // The exchange takes what follows a 101 for no body of it.
        let body = match parsed.status {
            101 => BodyLength::Empty,
            _ => parsed.body,
        };
        let fields = fields_of(parsed.fields);
        return read_body(bytes, start, body, start_line, fields).map(Ok);
    }
}

/// The length of the head that `bytes` begin with: the same at once and byte by byte.
fn find_head(bytes: &[u8]) -> Result<Result<usize, Refusal>, Disagreement> {
    let at_once = HeadScanner::default().scan(bytes);
    let mut scanner = HeadScanner::default();
    let by_byte = (1..=bytes.len())
        .map(|length| scanner.scan(&bytes[..length]))
        .find(|scan| *scan != Scan::Partial)
        .unwrap_or(Scan::Partial);
    if at_once != by_byte {
        let what = format!("the scanner finds {at_once:?} at once, {by_byte:?} byte by byte");
        return Err(Disagreement::new(what));
    }
    Ok(match at_once {
        Scan::Complete(length) => Ok(length),
        Scan::Partial => Err(Refusal::NoEnd),
        Scan::BareLineEnd => Err(Refusal::BareLineEnd),
    })
}

fn fields_of(fields: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> = fields
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

fn read_body(
    bytes: &[u8],
    start: usize,
    length: BodyLength,
    start_line: Start,
    fields: Vec<(String, Vec<u8>)>,
) -> Result<Message, Disagreement> {
    let body = &bytes[start..];
    let whole = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    let (framing, end, taken, payload) = match length {
        BodyLength::Empty => (Framing::Empty, End::Complete, 0, Vec::new()),
        BodyLength::Exact(length) if whole(length) <= body.len() => {
            let payload = body[..whole(length)].to_vec();
            (
                Framing::Exact(length),
                End::Complete,
                payload.len(),
                payload,
            )
        }
        BodyLength::Exact(length) => {
            let framing = Framing::Exact(length);
            (framing, End::Incomplete, body.len(), body.to_vec())
        }
        BodyLength::UntilClose => (Framing::Open, End::Complete, body.len(), body.to_vec()),
        BodyLength::Chunked => match decode_in_all_ways(body)? {
            Err(ChunkedError) => (Framing::Open, End::Broken, 0, Vec::new()),
            Ok(Unchunked {
                payload,
                taken,
                is_done,
            }) => {
                let end = match is_done {
                    true => End::Complete,
                    false => End::Incomplete,
                };
                (Framing::Open, end, taken, payload)
            }
        },
    };
    Ok(Message {
        start: start_line,
        fields,
        framing,
        end,
        payload,
        consumed: start + taken,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Unchunked {
    payload: Vec<u8>,
    taken: usize,
    is_done: bool,
}

/// Decodes a chunked body at once, byte by byte, and in pieces whose sizes the bytes themselves
/// choose, which a fuzzer can steer.
fn decode_in_all_ways(body: &[u8]) -> Result<Result<Unchunked, ChunkedError>, Disagreement> {
    let at_once = decode(body, |_| usize::MAX);
    let by_byte = decode(body, |_| 1);
    let uneven = decode(body, |byte| usize::from(byte % 13) + 1);
    if at_once != by_byte || at_once != uneven {
        let what = format!(
            "a chunked body decodes to {at_once:?} at once, {by_byte:?} byte by byte, \
             {uneven:?} in uneven pieces"
        );
        return Err(Disagreement::new(what));
    }
    Ok(at_once)
}

fn decode(body: &[u8], piece: impl Fn(u8) -> usize) -> Result<Unchunked, ChunkedError> {
    let mut decoder = ChunkedDecoder::default();
    let (mut payload, mut taken) = (Vec::new(), 0);
    while let Some(first) = body.get(taken)
        && !decoder.is_done()
    {
        let end = piece(*first).saturating_add(taken).min(body.len());
        let mut buffer = body[taken..end].to_vec();
        let decoded = decoder.decode(&mut buffer)?;
        payload.extend_from_slice(&buffer[..decoded.payload]);
        taken += decoded.consumed;
    }
    Ok(Unchunked {
        payload,
        taken,
        is_done: decoder.is_done(),
    })
}
