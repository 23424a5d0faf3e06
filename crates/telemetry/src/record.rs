//! The record of one request: written once by its exchange, read by the access log and others.

use std::fmt;
use std::net::SocketAddr;

use crate::{Failure, LabelId};

/// Identifies a request: `X-AppGw-Trace-Id`, and `transactionId` in the access log. Shown as 32
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// The 32 digits, in lower case.
    pub fn to_hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// The identity whose 32 digits these are, in either letter case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? << 4 | low?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_hex()
            .iter()
            .try_for_each(|digit| write!(formatter, "{}", char::from(*digit)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http10,
    Http11,
}

/// What a client negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// The suite in OpenSSL's naming, e.g. `ECDHE-RSA-AES256-GCM-SHA384`.
    pub cipher: &'static str,
}

/// A text in the arena of the record's [`RecordBatch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSpan {
    start: u32,
    length: u32,
}

/// One try to get an answer from a server. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamAttempt {
    /// The server as routing knows it, before any address mapping.
    pub server: SocketAddr,
    /// The gateway's own port on the connection; 0 when none was made.
    pub source_port: u16,
    /// Whether an idle connection was used again.
    pub reused: bool,
    /// To connect, TLS included; 0 on a reused connection.
    pub connect_micros: u32,
    /// From the start of the attempt to the end of the answer's head; `None` without one.
    pub head_micros: Option<u32>,
    /// From the start of the attempt to the last byte of the answer, or to the failure.
    pub total_micros: u32,
    /// The server's status; `None` without an answer.
    pub status: Option<u16>,
    pub failure: Option<Failure>,
}

/// Everything that is told of one request. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// When the first byte of the request came, in microseconds since the Unix epoch.
    pub started_unix_micros: u64,
    pub trace: TraceId,
    pub labels: LabelId,
    pub client: SocketAddr,
    /// Serial number of the client's connection in this process.
    pub connection: u64,
    /// Which request of its connection this is, from 1.
    pub connection_request: u32,
    pub tls: Option<TlsSession>,
    pub version: HttpVersion,
    pub method: TextSpan,
    /// The target as received: path and query.
    pub target: TextSpan,
    /// The path sent to the backend, or the received one where nothing was sent.
    pub sent_path: TextSpan,
    pub query: TextSpan,
    /// `Host` as received.
    pub host: TextSpan,
    /// `Host` as sent to the backend.
    pub sent_host: TextSpan,
    pub user_agent: TextSpan,
    pub content_type: TextSpan,
    /// The status that the client saw; 499 when it left before.
    pub status: u16,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// From the first byte of the request to the last of the answer.
    pub total_micros: u32,
    /// From the first to the last byte of the answer.
    pub answer_micros: u32,
    /// In order; the first `None` ends them. Never more than two.
    pub attempts: [Option<UpstreamAttempt>; 2],
    pub failure: Option<Failure>,
}

impl RequestRecord {
    fn texts_mut(&mut self) -> [&mut TextSpan; 8] {
        [
            &mut self.method,
            &mut self.target,
            &mut self.sent_path,
            &mut self.query,
            &mut self.host,
            &mut self.sent_host,
            &mut self.user_agent,
            &mut self.content_type,
        ]
    }
}

/// Some records with the arena that holds their texts. Reused, so that filling it again does not
/// allocate.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    records: Vec<RequestRecord>,
    texts: Vec<u8>,
}

impl RecordBatch {
    /// Room for this many records before the batch should be handed over.
    pub const RECORDS_MAX: usize = 256;
    /// Room for this many bytes of texts before the batch should be handed over.
    pub const TEXT_BYTES_MAX: usize = 256 * 1024;

    /// Puts a text into the arena for the next record. Cut at 65,535 bytes: heads are bounded
    /// below that.
    pub fn text(&mut self, bytes: &[u8]) -> TextSpan {
        let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(bytes);
        TextSpan {
            start,
            length: bytes.len() as u32,
        }
    }

    pub fn push(&mut self, record: RequestRecord) {
        self.records.push(record);
    }

    /// Adds a copy of `record`, a record of `batch`, with the first `text_bytes_max` bytes of each
    /// of its texts.
    pub(crate) fn push_copy(
        &mut self,
        batch: &Self,
        record: &RequestRecord,
        text_bytes_max: usize,
    ) {
        let mut copy = *record;
        for span in copy.texts_mut() {
            let text = batch.resolve(*span);
            *span = self.text(text.get(..text_bytes_max).unwrap_or(text));
        }
        self.push(copy);
    }

    /// Whether it is time to hand the batch over.
    pub fn is_full(&self) -> bool {
        self.records.len() >= Self::RECORDS_MAX || self.texts.len() >= Self::TEXT_BYTES_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    /// The text of a span of this batch; empty for a span of another.
    pub fn resolve(&self, span: TextSpan) -> &[u8] {
        let start = span.start as usize;
        self.texts
            .get(start..start + span.length as usize)
            .unwrap_or_default()
    }

    /// Forgets the records, keeps the room.
    pub fn clear(&mut self) {
        self.records.clear();
        self.texts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_its_32_digits() {
        let trace = TraceId(*b"Y-\x16I\xf7Z\x8dH\x0aM\xc6\xa9u0\x9d\x01");
        let text = trace.to_string();
        assert_eq!(TraceId::from_hex(&text), Some(trace));
        assert_eq!(TraceId::from_hex(&text.to_uppercase()), Some(trace));
        for bad in [
            "",
            "12",
            &text[1..],
            &format!("{text}0"),
            &text.replace('1', "g"),
        ] {
            assert_eq!(TraceId::from_hex(bad), None, "{bad}");
        }
    }
}
