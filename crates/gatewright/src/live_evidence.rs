//! What a running node knows of one of its gateways, as the files of an evidence folder, so that it
//! is diagnosed as any other gateway is.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gatewright_arm::{ApplicationGateway, WriteOptions, write};
use gatewright_dataplane::{ServerState, UpstreamState};
use gatewright_telemetry::{
    AccessLogEncoder, Failure, Health, HealthMessage, ProbeRecord, RecordBatch, RequestRecord,
    StageName,
};
use serde_json::{Map, Value, json};

use crate::backend_health::key_of;
use crate::evidence_source::{file_at, files_of_network};
use crate::secrets::Cleaner;
use crate::site::{Served, key};
use crate::status::{Board, Seen};
use crate::times;

/// How far back requests count, in microseconds: what failed before that may be mended.
const WINDOW_MICROS: u64 = 15 * 60 * 1_000_000;
/// Most servers whose certificates are told of.
const HANDSHAKES_MAX: usize = 200;
/// Most requests that are told of.
const REQUESTS_MAX: usize = 500;

/// The files, each by its name: those of JSON as values, others as texts.
///
/// # Errors
/// When `wanted` is not the name or id of one gateway: a sentence.
pub(crate) fn files(board: &Board, wanted: &str) -> Result<Value, String> {
    let mut seen = board.seen();
    let served = find(&seen, wanted)?;
    let gateway = &served.gateway;
    let health = mem::take(&mut seen.health).of_gateway(key(gateway));
    let mut files = Map::new();
    let (network, origins) = files_of_network(seen.site.network());
    let origins = origins.into_iter();
    let mut sources: BTreeMap<String, String> = origins
        .filter_map(|(at, origin)| Some((at, file_at(origin)?)))
        .collect();
    let own = served.file.as_deref().filter(|_| served.document.is_some());
    sources.extend(own.map(|path| ("gateway.json".to_owned(), path.to_owned())));
    let mut put = |name: &str, value: Value| files.insert(name.to_owned(), value);
    put(
        "collected.json",
        json!({
            "as_of": times::rfc3339(seen.at_micros),
            "node": true,
            "sources": sources,
        }),
    );
    put(
        "gateway.json",
        match &served.document {
            Some(document) => {
                let mut document = Value::clone(document);
                let cleaner = Cleaner::new().map_err(|why| why.to_string())?;
                cleaner.clean(&mut document);
                document
            }
            None => write(&as_stored(&seen, gateway), &WriteOptions::default()),
        },
    );
    put("backend-health.json", health.as_service_answers());
    for (name, documents) in network {
        put(name, Value::Array(documents));
    }
    put("observations.json", observations(&seen, gateway));
    put("access-logs.json", requests(board, &seen, &served));
    if let Some(error) = last_error(&seen, gateway) {
        put("last-error.json", error);
    }
    Ok(Value::Object(files))
}

/// The gateway that is meant: served, or stored and with nothing of it to serve.
fn find(seen: &Seen, wanted: &str) -> Result<Served, String> {
    let unserved = || {
        let mut failed = seen.failed.iter().map(|failed| &failed.gateway);
        let gateway = failed.find(|gateway| {
            gateway.name.eq_ignore_ascii_case(wanted) || is_same_id(gateway, wanted)
        })?;
        Some(Served {
            gateway: gateway.clone(),
            since_micros: 0,
            file: None,
            document: None,
        })
    };
    match seen.site.find(wanted) {
        Ok(served) => Ok(served.clone()),
        Err(why) => unserved().ok_or(why),
    }
}

fn is_same_id(gateway: &ApplicationGateway, id: &str) -> bool {
    let own = gateway.id.as_deref().filter(|own| !own.is_empty());
    own.is_some_and(|own| own.eq_ignore_ascii_case(id))
}

/// Of one that is not served as it is stored, what is stored.
fn as_stored(seen: &Seen, served: &ApplicationGateway) -> ApplicationGateway {
    let id = served.id.as_deref().unwrap_or_default();
    let mut failed = seen.failed.iter();
    let stored = failed.find(|failed| is_same_id(&failed.gateway, id));
    stored.map_or(served, |failed| &failed.gateway).clone()
}

/// What name servers answered, how connections went, and what was presented.
fn observations(seen: &Seen, gateway: &ApplicationGateway) -> Value {
    let is_own = |one: &&UpstreamState| {
        key_of(&one.gateway_id, &one.gateway).eq_ignore_ascii_case(key(gateway))
    };
    let own = seen.upstreams.iter().filter(is_own);
    let servers: Vec<&ServerState> = own.flat_map(|one| &one.servers).collect();
    json!({
        "dns": names(&servers),
        "tcp": connections(&servers),
        "tls": handshakes(&servers),
    })
}

fn names(servers: &[&ServerState]) -> Vec<Value> {
    let mut names: BTreeMap<&str, (BTreeSet<String>, bool)> = BTreeMap::new();
    let is_name = |server: &&&ServerState| server.member.parse::<std::net::IpAddr>().is_err();
    for server in servers.iter().filter(is_name) {
        let (answers, is_missing) = names.entry(&server.member).or_default();
        answers.extend(server.logical.map(|at| at.ip().to_string()));
        *is_missing |= server.has_no_such_name;
    }
    let told = names.into_iter().map(|(name, (answers, is_missing))| {
        let error = match (answers.is_empty(), is_missing) {
            (false, _) => Value::Null,
            (true, true) => "NXDOMAIN".into(),
            (true, false) => "no answer".into(),
        };
        let server = "the name servers of the gateway's VNet";
        json!({"name": name, "server": server, "answers": answers, "error": error})
    });
    told.collect()
}

/// Each server's last probe, where it tells how the connection went.
fn connections(servers: &[&ServerState]) -> Vec<Value> {
    let mut told: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for (at, record) in probed(servers) {
        let result = match record.message {
            HealthMessage::ConnectRefused => "refused",
            HealthMessage::ConnectTimedOut => "timed out",
            HealthMessage::ConnectReset => "reset",
            HealthMessage::AddressUnreachable => "unreachable",
            _ if is_connected(record) => "open",
            _ => continue,
        };
        let port = record.request.port;
        told.insert(SocketAddr::new(at.ip(), port), result);
    }
    let told = told.into_iter();
    told.map(|(at, result)| json!({"from": "gateway", "to": at.to_string(), "result": result}))
        .collect()
}

fn is_connected(record: &ProbeRecord) -> bool {
    let mut stages = record.stages.iter();
    stages.any(|stage| stage.name == StageName::Tcp && stage.ok)
}

fn handshakes(servers: &[&ServerState]) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    // Of many servers, those that are not well are of interest.
    let (bad, good): (Vec<&ServerState>, Vec<&ServerState>) = servers
        .iter()
        .copied()
        .partition(|server| server.health != Health::Healthy);
    for server in bad.into_iter().chain(good) {
        if told.len() == HANDSHAKES_MAX {
            break;
        }
        let Some(record) = server.record.as_deref() else {
            continue;
        };
        let is_old = record.message == HealthMessage::TlsVersion;
        if record.certificates.is_empty() && !is_old {
            continue;
        }
        let chain: Vec<String> = record
            .certificates
            .iter()
            .map(|one| pem(&one.der))
            .collect();
        let one = json!({
            "address": server.member,
            "port": record.request.port,
            "sni": record.request.sni,
            "presented_chain": chain,
            "versions_accepted": is_old.then_some(["TLSv1.1 or older"]),
        });
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told
}

fn pem(der: &[u8]) -> String {
    const LINE_CHARS: usize = 64;
    let text = BASE64.encode(der);
    let lines = text.as_bytes().chunks(LINE_CHARS);
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    let body = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn probed<'a>(servers: &'a [&ServerState]) -> impl Iterator<Item = (SocketAddr, &'a ProbeRecord)> {
    servers
        .iter()
        .filter_map(|server| Some((server.logical?, server.record.as_deref()?)))
}

/// Rows of the access log: those since the gateway is as it is now, at most of the last quarter of
/// an hour. Without queries, which may hold what nobody else should see.
fn requests(board: &Board, seen: &Seen, served: &Served) -> Value {
    let (recent, labels) = board.recent();
    let gateway = &served.gateway;
    let id = gateway.id.as_deref().unwrap_or_default();
    let from = served
        .since_micros
        .max(seen.at_micros.saturating_sub(WINDOW_MICROS));
    let is_meant = |record: &RequestRecord| {
        let is_own = || {
            labels
                .resolve(record.labels)
                .resource_id
                .eq_ignore_ascii_case(id)
        };
        record.started_unix_micros >= from && is_own()
    };
    let mut encoder = AccessLogEncoder::new(labels.clone());
    let rows = recent.list(REQUESTS_MAX, is_meant);
    let mut rows: Vec<Value> = rows
        .iter()
        .filter_map(|one| row(&mut encoder, one))
        .collect();
    rows.sort_by_cached_key(|row| row["timeStamp"].to_string());
    Value::Array(rows)
}

/// A request as the access log has it, without its query, and with what only a node knows.
pub(crate) fn row(encoder: &mut AccessLogEncoder, kept: &RecordBatch) -> Option<Value> {
    let record = kept.records().first()?;
    let mut line = Vec::new();
    encoder.encode(kept, record, &mut line);
    let mut row: Value = serde_json::from_slice(&line).ok()?;
    let properties = row.get_mut("properties")?.as_object_mut()?;
    properties.insert("requestQuery".to_owned(), "".into());
    // What the log has no columns for, and the diagnosis knows what to do with.
    properties.insert(
        "failure".to_owned(),
        json!(record.failure.map(Failure::code)),
    );
    let last = record.attempts.iter().flatten().next_back();
    properties.insert(
        "connectionReused".to_owned(),
        json!(last.map(|one| one.reused)),
    );
    if let Some(Value::String(uri)) = properties.get_mut("originalRequestUriWithArgs")
        && let Some(at) = uri.find('?')
    {
        uri.truncate(at);
    }
    Some(row)
}

/// Why what is served is not what is stored, or what the files say.
fn last_error(seen: &Seen, gateway: &ApplicationGateway) -> Option<Value> {
    let id = gateway.id.as_deref().unwrap_or_default();
    let mut failed = seen.failed.iter();
    let own = failed.find(|failed| is_same_id(&failed.gateway, id));
    let refused = || {
        let why = seen.refused.as_deref()?;
        let message = format!("The files were not taken when they changed: {why}");
        Some(json!({"error": {"code": "ReloadRefused", "message": message}}))
    };
    own.map(|failed| failed.error.to_body()).or_else(refused)
}
