//! How a probe's result is told.

use gatewright_telemetry::{CertificateNote, FaultyPart, HealthMessage, ProbeRecord};
use serde_json::{Value, json};

use super::plan::Wanted;
use crate::backend_health;
use crate::times::rfc3339_of_seconds;

type Results<'a> = [(&'a Wanted, ProbeRecord)];

/// One object, or a list where several servers were probed.
pub(super) fn json(results: &Results<'_>) -> String {
    let mut objects: Vec<Value> = results
        .iter()
        .map(|(wanted, record)| object(wanted, record))
        .collect();
    match objects.len() {
        1 => format!("{:#}", objects.remove(0)),
        _ => format!("{:#}", Value::from(objects)),
    }
}

fn object(wanted: &Wanted, record: &ProbeRecord) -> Value {
    let mut object = json!({
        "target": wanted.title,
        "health": health(record),
        "healthProbeLog": record.log,
        "healthProbeErrorName": record.message.error_name(),
        "detail": record.detail,
        "status": record.status,
    });
    let parts = backend_health::probe(record);
    for name in ["request", "stages", "certificates"] {
        object[name] = parts[name].clone();
    }
    object["remedy"] = match record.is_healthy {
        true => Value::Null,
        false => record.message.remedy().into(),
    };
    object
}

fn health(record: &ProbeRecord) -> &'static str {
    match (record.is_healthy, record.message) {
        (true, _) => "Healthy",
        // As the report has it: nobody can know.
        (false, HealthMessage::NameUnanswered) => "Unknown",
        (false, _) => "Unhealthy",
    }
}

pub(super) fn text(results: &Results<'_>) -> String {
    let told: Vec<String> = results
        .iter()
        .map(|(wanted, record)| lines(wanted, record).join("\n"))
        .collect();
    told.join("\n\n")
}

fn lines(wanted: &Wanted, record: &ProbeRecord) -> Vec<String> {
    let mut lines = vec![wanted.title.clone(), request(record), String::new()];
    for stage in &record.stages {
        let verdict = if stage.ok { "ok    " } else { "FAILED" };
        let milliseconds = stage.micros as f64 / 1_000.0;
        let name = stage.name.as_str();
        lines.push(format!(
            "  {name:<4}  {verdict}  {milliseconds:>9.1} ms  {}",
            stage.detail
        ));
    }
    lines.push(String::new());
    lines.push(format!("  {}", blocks(record)));
    if !record.certificates.is_empty() {
        lines.push(String::new());
        lines.push("  certificates, as presented:".to_owned());
        for (position, note) in record.certificates.iter().enumerate() {
            lines.extend(certificate(position, note, record.detail.as_deref()));
        }
    }
    lines.push(String::new());
    lines.push(format!("{}: {}", health(record), record.log));
    if !record.is_healthy {
        // What a step tells already is not told twice.
        let is_told = |detail: &&String| record.stages.iter().any(|one| one.detail == **detail);
        let details = record.detail.iter().filter(|detail| !is_told(detail));
        lines.extend(details.map(|detail| format!("seen: {detail}")));
        lines.push(format!("to do: {}", record.message.remedy()));
    }
    lines
}

fn request(record: &ProbeRecord) -> String {
    let request = &record.request;
    let name = match (&request.sni, request.is_encrypted) {
        (_, false) => String::new(),
        (Some(name), true) => format!(", TLS name {name}"),
        (None, true) => ", no TLS name".to_owned(),
    };
    format!(
        "GET {} to port {}, Host {}{name}",
        request.path, request.port, request.host
    )
}

/// Client, gateway and server, with the part marked that has to change.
fn blocks(record: &ProbeRecord) -> &'static str {
    match record.message.faulty_part() {
        FaultyPart::Nothing => "client ---- gateway ---- backend",
        FaultyPart::Gateway => {
            "client ---- [! gateway !] ---- backend      mend the gateway's configuration"
        }
        FaultyPart::Connection => {
            "client ---- gateway --[!]-- backend      mend the way between them, or its end"
        }
        FaultyPart::Backend => "client ---- gateway ---- [! backend !]      mend the server",
    }
}

/// `fault`: what the probe failed of.
fn certificate(position: usize, note: &CertificateNote, fault: Option<&str>) -> Vec<String> {
    let names = match note.names.is_empty() {
        true => "no name".to_owned(),
        false => note.names.join(", "),
    };
    let (first, last) = (
        rfc3339_of_seconds(note.not_before),
        rfc3339_of_seconds(note.not_after),
    );
    vec![
        format!("  {position:>3}  {}", note.subject),
        format!("       issued by {}", note.issuer),
        format!("       for {names}; from {first} to {last}"),
        format!(
            "       {}",
            match note.defect.as_deref() {
                None => "nothing wrong",
                Some(defect) if Some(defect) == fault => "[!] what TLS failed of, above",
                Some(defect) => defect,
            }
        ),
    ]
}
