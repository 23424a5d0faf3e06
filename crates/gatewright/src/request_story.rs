//! What became of one request: every step of its way, and how the servers that it came to were
//! then.

use std::sync::Arc;

use gatewright_telemetry::{
    AccessLogEncoder, Failure, Labels, Phase, RecordBatch, RequestRecord, Side, TextSpan, TraceId,
    UpstreamAttempt,
};
use serde_json::{Map, Value, json};

use crate::live_evidence::row;
use crate::status::Board;
use crate::times;

/// Failures that are listed.
const LISTED_MAX: usize = 20;

/// The story of the request that `trace` identifies.
///
/// # Errors
/// When it is none, or the request is not kept (any more): a sentence.
pub(crate) fn tell(board: &Board, trace: &str) -> Result<Value, String> {
    let trace = TraceId::from_hex(trace.trim()).ok_or_else(|| {
        "a trace id is 32 hexadecimal digits, as in the header X-AppGw-Trace-Id of a request at \
         its server, and as transactionId in the access log"
            .to_owned()
    })?;
    let (recent, registry) = board.recent();
    let kept = recent.find(trace).ok_or_else(|| {
        "this request is not kept: the last 2,048 that failed are, the last 1,024 that were \
         refused, and of the others up to 100 of each second, 1,024 in all"
            .to_owned()
    })?;
    let record = kept.records().first().copied();
    let record = record.ok_or_else(|| "this request is not kept".to_owned())?;
    let labels = registry.resolve(record.labels);
    let mut encoder = AccessLogEncoder::new(Arc::clone(registry));
    Ok(json!({
        "trace": trace.to_string(),
        "at": times::rfc3339_millis(record.started_unix_micros),
        "request": request(&kept, &record),
        "answer": {
            "status": record.status,
            "milliseconds": milliseconds(record.total_micros),
            "bytes": record.sent_bytes,
        },
        "route": route(&labels),
        "attempts": attempts(board, &record, &labels),
        "failure": record.failure.map(failure),
        "servers_as_then": are_as_then(board, &record, &labels),
        "row": row(&mut encoder, &kept),
    }))
}

/// The last requests that failed or were refused, the newest first.
pub(crate) fn failures(board: &Board) -> Value {
    let (recent, _) = board.recent();
    let is_failure = |record: &RequestRecord| record.status >= 400 || record.failure.is_some();
    let kept = recent.newest(LISTED_MAX, is_failure);
    let told = kept.iter().filter_map(|one| {
        let record = one.records().first()?;
        Some(json!({
            "trace": record.trace.to_string(),
            "at": times::rfc3339_millis(record.started_unix_micros),
            "request": request(one, record),
            "status": record.status,
            "failure": record.failure.map(failure),
        }))
    });
    Value::Array(told.collect())
}

/// Whether the servers that the request could come to have been in their present state since before
/// it began, so that what is known of them now was so then.
fn are_as_then(board: &Board, record: &RequestRecord, labels: &Labels) -> bool {
    let upstreams = board.dataplane().upstreams();
    let own = upstreams.iter().filter(|one| {
        one.gateway_id == labels.resource_id
            && one.pool == labels.pool
            && one.setting == labels.setting
    });
    let mut servers = own.flat_map(|one| &one.servers);
    servers.all(|server| {
        let since = server.since_micros;
        since.is_some_and(|since| since <= record.started_unix_micros)
    })
}

/// Without the query, which may hold what nobody else should see.
fn request(kept: &RecordBatch, record: &RequestRecord) -> Value {
    let text = |span: TextSpan| String::from_utf8_lossy(kept.resolve(span)).into_owned();
    let target = text(record.target);
    let path = target.split('?').next().unwrap_or_default();
    json!({
        "method": text(record.method),
        "host": text(record.host),
        "path": path,
        "client": record.client.to_string(),
        "tls": record.tls.map(|tls| tls.protocol),
        "sent_host": text(record.sent_host),
        "sent_path": text(record.sent_path),
    })
}

/// What routing decided, as far as the request got.
fn route(labels: &Labels) -> Value {
    let mut route = Map::new();
    for (name, value) in [
        ("gateway", &labels.resource_id),
        ("listener", &labels.listener),
        ("rule", &labels.rule),
        ("path_rule", &labels.path_rule),
        ("pool", &labels.pool),
        ("setting", &labels.setting),
    ] {
        let value = (!value.is_empty()).then_some(value.as_str());
        route.insert(name.to_owned(), json!(value));
    }
    Value::Object(route)
}

fn attempts(board: &Board, record: &RequestRecord, labels: &Labels) -> Vec<Value> {
    let attempts = record.attempts.iter().flatten();
    attempts
        .map(|one| attempt(board, (record, one), labels))
        .collect()
}

fn attempt(
    board: &Board,
    (record, attempt): (&RequestRecord, &UpstreamAttempt),
    labels: &Labels,
) -> Value {
    let is_connected = attempt.source_port != 0;
    let probes =
        board
            .dataplane()
            .probe_outcomes(&labels.resource_id, &labels.setting, attempt.server);
    let ended = record.started_unix_micros + u64::from(record.total_micros);
    let then = probes.iter().filter(|probe| probe.at_micros <= ended);
    let probes = then.map(|probe| {
        json!({
            "at": times::rfc3339(probe.at_micros),
            "healthy": probe.is_healthy,
            "code": probe.message.code(),
            "status": probe.status,
        })
    });
    json!({
        "server": attempt.server.to_string(),
        "connected": is_connected,
        "reused": attempt.reused,
        "connect_milliseconds": is_connected.then(|| milliseconds(attempt.connect_micros)),
        "first_byte_milliseconds": attempt.head_micros.map(milliseconds),
        "milliseconds": milliseconds(attempt.total_micros),
        "status": attempt.status,
        "failure": attempt.failure.map(failure),
        "probes": probes.collect::<Vec<_>>(),
    })
}

fn milliseconds(micros: u32) -> f64 {
    f64::from(micros) / 1_000.0
}

fn failure(failure: Failure) -> Value {
    json!({
        "code": failure.code(),
        "fact": failure.fact(),
        "side": match failure.side() {
            Side::Client => "client",
            Side::Gateway => "gateway",
            Side::Backend => "backend",
        },
        "phase": match failure.phase() {
            Phase::Accept => "accept",
            Phase::Tls => "tls",
            Phase::Head => "head",
            Phase::Select => "select",
            Phase::Dns => "dns",
            Phase::Connect => "connect",
            Phase::BackendTls => "backend-tls",
            Phase::Send => "send",
            Phase::HeadWait => "head-wait",
            Phase::Body => "body",
        },
    })
}
