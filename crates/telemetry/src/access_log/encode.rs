//! One request, one line: the access log of a v2 gateway, field for field.
//!
//! The proxy pays for every line out of its own time, so lines are put together from pieces: the
//! names of a route are escaped once, the date is formatted once a second, and keys come with the
//! punctuation around them.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::json::{push_escaped, push_integer, push_seconds, two_digits};
use crate::labels::{LabelId, LabelRegistry, Labels};
use crate::record::{HttpVersion, RecordBatch, RequestRecord, UpstreamAttempt};
use crate::{ErrorInfo, Failure};

/// Usual length of a line, in bytes: room that is made before each.
const LINE_BYTES: usize = 1_536;

/// Writes records as lines of JSON with the schema of the service's `ApplicationGatewayAccessLog`.
///
/// `timeStamp` is when the request began, in UTC. Where two servers were tried, the line tells of
/// the second, as the answer does.
#[derive(Debug)]
pub struct AccessLogEncoder {
    registry: Arc<LabelRegistry>,
    /// By the number of the [`LabelId`]; empty where it has not been seen yet.
    names: Vec<Box<[u8]>>,
    clock: SecondText,
}

impl AccessLogEncoder {
    /// `registry` must be the one that the records' labels are from.
    pub fn new(registry: Arc<LabelRegistry>) -> Self {
        Self {
            registry,
            names: Vec::new(),
            clock: SecondText::default(),
        }
    }

    /// Appends the line of `record`, a record of `batch`, with its line feed.
    pub fn encode(&mut self, batch: &RecordBatch, record: &RequestRecord, out: &mut Vec<u8>) {
        out.reserve(LINE_BYTES);
        out.extend_from_slice(b"{\"timeStamp\":\"");
        out.extend_from_slice(self.clock.text(record.started_unix_micros / 1_000_000));
        out.extend_from_slice(b"+00:00\"");
        self.push_names(record.labels, out);
        push_request(batch, record, out);
        push_tls(record, out);
        push_server(record, out);
        push_end(batch, record, out);
    }

    fn push_names(&mut self, labels: LabelId, out: &mut Vec<u8>) {
        let at = labels.number();
        if self.names.get(at).is_none_or(|names| names.is_empty()) {
            if self.names.len() <= at {
                self.names.resize_with(at + 1, Box::default);
            }
            self.names[at] = envelope(&self.registry.resolve(labels));
        }
        out.extend_from_slice(&self.names[at]);
    }
}

/// The part of a line that depends on nothing but its labels.
fn envelope(labels: &Labels) -> Box<[u8]> {
    let mut out = Vec::new();
    for (key, value) in [
        ("resourceId", &labels.resource_id),
        ("listenerName", &labels.listener),
        ("ruleName", &labels.rule),
        ("backendPoolName", &labels.pool),
        ("backendSettingName", &labels.setting),
    ] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":\"");
        push_escaped(&mut out, value.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(
        b",\"operationName\":\"ApplicationGatewayAccess\",\
        \"category\":\"ApplicationGatewayAccessLog\",\
        \"properties\":{\"instanceId\":\"appgw_0\"",
    );
    out.into()
}

fn push_request(batch: &RecordBatch, record: &RequestRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"clientIP\":\"");
    push_ip(out, record.client.ip());
    out.extend_from_slice(b"\",\"clientPort\":");
    push_integer(out, record.client.port().into());
    out.extend_from_slice(b",\"httpMethod\":\"");
    push_escaped(out, batch.resolve(record.method));
    out.extend_from_slice(b"\",\"originalRequestUriWithArgs\":\"");
    push_escaped(out, batch.resolve(record.target));
    out.extend_from_slice(b"\",\"requestUri\":\"");
    push_escaped(out, batch.resolve(record.sent_path));
    out.extend_from_slice(b"\",\"requestQuery\":\"");
    push_escaped(out, batch.resolve(record.query));
    out.extend_from_slice(b"\",\"userAgent\":\"");
    push_escaped(out, batch.resolve(record.user_agent));
    out.extend_from_slice(b"\",\"httpStatus\":");
    push_integer(out, record.status.into());
    out.extend_from_slice(match record.version {
        HttpVersion::Http10 => b",\"httpVersion\":\"HTTP/1.0\",\"receivedBytes\":",
        HttpVersion::Http11 => b",\"httpVersion\":\"HTTP/1.1\",\"receivedBytes\":",
    });
    push_integer(out, record.received_bytes);
    out.extend_from_slice(b",\"sentBytes\":");
    push_integer(out, record.sent_bytes);
    out.extend_from_slice(b",\"clientResponseTime\":");
    push_seconds(out, record.answer_micros);
    out.extend_from_slice(b",\"timeTaken\":");
    push_seconds(out, record.total_micros);
    out.extend_from_slice(b",\"transactionId\":\"");
    out.extend_from_slice(&record.trace.to_hex());
}

fn push_tls(record: &RequestRecord, out: &mut Vec<u8>) {
    let Some(tls) = record.tls else {
        out.extend_from_slice(
            b"\",\"sslEnabled\":\"off\",\"sslCipher\":\"\",\"sslProtocol\":\"\",\
            \"sslClientVerify\":\"\",",
        );
        return;
    };
    out.extend_from_slice(b"\",\"sslEnabled\":\"on\",\"sslCipher\":\"");
    out.extend_from_slice(tls.cipher.as_bytes());
    out.extend_from_slice(b"\",\"sslProtocol\":\"");
    out.extend_from_slice(tls.protocol.as_bytes());
    out.extend_from_slice(b"\",\"sslClientVerify\":\"NONE\",");
}

fn push_server(record: &RequestRecord, out: &mut Vec<u8>) {
    let Some(attempt) = last_attempt(record) else {
        out.extend_from_slice(
            b"\"serverRouted\":\"\",\"serverStatus\":\"\",\"serverResponseLatency\":\"0.000\",\
            \"serverConnectTime\":\"\",\"serverHeaderTime\":\"\",\"upstreamSourcePort\":\"",
        );
        return;
    };
    let connected = attempt.source_port != 0;
    out.extend_from_slice(b"\"serverRouted\":\"");
    push_address(out, attempt.server);
    out.extend_from_slice(b"\",\"serverStatus\":\"");
    if let Some(status) = attempt.status {
        push_integer(out, status.into());
    }
    // Zero without a connection: by this the log's readers know that no server was reached.
    out.extend_from_slice(b"\",\"serverResponseLatency\":\"");
    push_seconds(out, if connected { attempt.total_micros } else { 0 });
    out.extend_from_slice(b"\",\"serverConnectTime\":\"");
    if connected {
        push_seconds(out, attempt.connect_micros);
    }
    out.extend_from_slice(b"\",\"serverHeaderTime\":\"");
    if let Some(head) = attempt.head_micros {
        push_seconds(out, head);
    }
    out.extend_from_slice(b"\",\"upstreamSourcePort\":\"");
    if connected {
        push_integer(out, attempt.source_port.into());
    }
}

fn push_end(batch: &RecordBatch, record: &RequestRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\",\"originalHost\":\"");
    push_escaped(out, batch.resolve(record.host));
    out.extend_from_slice(b"\",\"host\":\"");
    push_escaped(out, batch.resolve(record.sent_host));
    out.extend_from_slice(b"\",\"error_info\":\"");
    let info = record
        .failure
        .map_or(ErrorInfo::NoError, Failure::error_info);
    out.extend_from_slice(info.as_str().as_bytes());
    out.extend_from_slice(b"\",\"contentType\":\"");
    push_escaped(out, batch.resolve(record.content_type));
    out.extend_from_slice(b"\",\"connectionSerialNumber\":");
    push_integer(out, record.connection);
    out.extend_from_slice(b",\"noOfConnectionRequests\":");
    push_integer(out, record.connection_request.into());
    out.extend_from_slice(b"}}\n");
}

fn last_attempt(record: &RequestRecord) -> Option<&UpstreamAttempt> {
    let [first, second] = &record.attempts;
    second.as_ref().or(first.as_ref())
}

fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            push_integer(out, a.into());
            for octet in [b, c, d] {
                out.push(b'.');
                push_integer(out, octet.into());
            }
        }
        // Writing to a vector does not fail.
        IpAddr::V6(ip) => write!(out, "{ip}").unwrap_or_default(),
    }
}

fn push_address(out: &mut Vec<u8>, address: SocketAddr) {
    let brackets = address.ip().to_canonical().is_ipv6();
    if brackets {
        out.push(b'[');
    }
    push_ip(out, address.ip());
    if brackets {
        out.push(b']');
    }
    out.push(b':');
    push_integer(out, address.port().into());
}

/// `2021-10-14T22:17:11`, formatted when the second changes.
#[derive(Debug)]
struct SecondText {
    unix_seconds: u64,
    text: [u8; 19],
}

impl Default for SecondText {
    fn default() -> Self {
        Self {
            unix_seconds: 0,
            text: *b"1970-01-01T00:00:00",
        }
    }
}

impl SecondText {
    fn text(&mut self, unix_seconds: u64) -> &[u8; 19] {
        if self.unix_seconds != unix_seconds {
            self.unix_seconds = unix_seconds;
            self.format();
        }
        &self.text
    }

    fn format(&mut self) {
        let (year, month, day) = civil_date(self.unix_seconds / 86_400);
        let second = self.unix_seconds % 86_400;
        let fields = [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, second / 3_600),
            (14, second / 60 % 60),
            (17, second % 60),
        ];
        for (at, number) in fields {
            self.text[at..at + 2].copy_from_slice(&two_digits(number));
        }
    }
}

/// Year, month and day of a day since the Unix epoch, in the Gregorian calendar, counted in eras of
/// 400 years that begin in March so that the leap day comes last.
fn civil_date(unix_days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = unix_days + DAYS_FROM_MARCH_OF_YEAR_0;
    let era = days / DAYS_PER_ERA;
    let day_of_era = days % DAYS_PER_ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
