//! `gatewright status`: what a running node serves, since when, and how its files and its log are.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::StatusArguments;
use crate::client::{self, Question};
use crate::output::{self, Format};
use crate::sentence::Sentence;

const OK: u16 = 200;

/// Warnings that people are shown; the JSON has all.
const WARNINGS_MAX: usize = 20;

pub(crate) fn run(arguments: &StatusArguments) -> Result<ExitCode, Sentence> {
    let answer = client::ask(arguments.admin, Question::Get("/status"))?;
    if answer.status != OK {
        return Err(Sentence::new(format!(
            "the node answers {}: {}",
            answer.status,
            text(&answer.body["error"])
        )));
    }
    match arguments.output {
        Format::Json => output::line(&answer.body),
        Format::Text => output::line(output::folded(&render(&answer.body).join("\n"))),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The report as lines for people. Whatever a member is missing is shown as `-`.
fn render(report: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: revision {} since {} (version {})",
        text(&report["status"]),
        text(&report["revision"]),
        text(&report["since"]),
        text(&report["version"]),
    )];
    for gateway in list(&report["gateways"]) {
        let state = match text(&gateway["state"]).as_str() {
            "running" | "-" => String::new(),
            state => format!(", {state}"),
        };
        let generation = text(&gateway["generation"]);
        lines.push(format!(
            "gateway {} ({generation}{state})",
            text(&gateway["name"])
        ));
    }
    for endpoint in list(&report["endpoints"]) {
        lines.push(format!(
            "listens on {}://{} (frontend {}, port {})",
            text(&endpoint["scheme"]),
            text(&endpoint["address"]),
            text(&endpoint["frontend"]),
            text(&endpoint["port"]),
        ));
    }
    for upstream in list(&report["upstreams"]) {
        let servers: Vec<String> = list(&upstream["servers"]).map(server).collect();
        let (pool, setting) = (text(&upstream["pool"]), text(&upstream["setting"]));
        let servers = if servers.is_empty() {
            "no server".into()
        } else {
            servers.join(", ")
        };
        lines.push(format!("pool {pool} with setting {setting}: {servers}"));
    }
    lines.extend(list(&report["insights"]).map(insight));
    lines.extend(warnings(&report["findings"]));
    lines.push(reload(&report["last_reload"]));
    lines.push(requests(report));
    lines.push(handshakes(&report["failed_handshakes"]));
    lines.push(access_log(&report["access_log"]));
    lines
}

fn server(server: &Value) -> String {
    let (member, address) = (text(&server["member"]), &server["address"]);
    match address.as_str() {
        None => format!("{member} (has no address)"),
        Some(address) if address.rsplit_once(':').is_some_and(|(ip, _)| ip == member) => {
            address.to_owned()
        }
        Some(address) => format!("{member} at {address}"),
    }
}

/// A server or a gateway that is not well.
fn insight(insight: &Value) -> String {
    let what = match insight["BackendServerAddress"].as_str() {
        Some(server) => format!("server {server} of gateway"),
        None => "gateway".to_owned(),
    };
    format!(
        "{what} {} is {} since {}: {}",
        text(&insight["GatewayName"]),
        text(&insight["HealthStatus"]),
        text(&insight["CurrentTime"]),
        text(&insight["ErrorDetails"]),
    )
}

/// What is served otherwise than it is written, and what is odd.
fn warnings(findings: &Value) -> Vec<String> {
    let all: Vec<&Value> = list(findings)
        .filter(|finding| finding["severity"] == "warning")
        .collect();
    let shown = all.iter().take(WARNINGS_MAX).map(|finding| {
        let (code, message) = (text(&finding["code"]), text(&finding["message"]));
        format!("warning {code}: {message} ({})", text(&finding["file"]))
    });
    let mut lines: Vec<String> = shown.collect();
    if let Some(more) = all.len().checked_sub(WARNINGS_MAX + 1) {
        lines.push(format!("{} more warnings: -o json lists all", more + 1));
    }
    lines
}

fn reload(last: &Value) -> String {
    match (&last["ok"], text(&last["at"])) {
        (Value::Bool(true), at) => format!("last reload: {at}, taken"),
        (Value::Bool(false), at) => {
            format!("last reload: {at}, refused: {}", text(&last["error"]))
        }
        _ => "last reload: none yet".to_owned(),
    }
}

fn requests(report: &Value) -> String {
    let requests = &report["requests"];
    let mut line = format!("requests: {}", text(&requests["total"]));
    let kinds = [
        counts(&requests["by_status"]),
        counts(&requests["by_failure"]),
    ];
    for kind in kinds.iter().filter(|kind| !kind.is_empty()) {
        line.push_str(&format!("; {}", kind.join(", ")));
    }
    line.push_str(&format!(
        "; {} connections open",
        text(&report["connections"])
    ));
    line
}

fn handshakes(handshakes: &Value) -> String {
    let mut line = format!("failed TLS handshakes: {}", text(&handshakes["total"]));
    let failures = counts(&handshakes["by_failure"]);
    if !failures.is_empty() {
        line.push_str(&format!("; {}", failures.join(", ")));
    }
    line
}

/// The members that are not 0, each as "3 name".
fn counts(members: &Value) -> Vec<String> {
    let members = members.as_object().into_iter().flatten();
    members
        .filter(|(_, n)| **n != 0)
        .map(|(name, n)| format!("{n} {name}"))
        .collect()
}

fn access_log(log: &Value) -> String {
    let [written, lost, dropped] = ["written", "lost", "dropped"].map(|name| text(&log[name]));
    let error = match log["error"].as_str() {
        Some(error) => format!("; cannot be written: {error}"),
        None => String::new(),
    };
    format!("access log: {written} lines written, {lost} lost, {dropped} dropped{error}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_report_is_told_in_lines() {
        let report = json!({
            "status": "serving", "version": "0.1.0", "revision": 2, "since": "2026-01-01T00:00:00Z",
            "gateways": [{ "name": "gw", "generation": "v2", "state": "stopped" }],
            "endpoints": [{
                "scheme": "http", "address": "0.0.0.0:8080", "frontend": "public", "port": 80,
            }],
            "upstreams": [
                { "pool": "p", "setting": "s", "servers": [
                    { "member": "10.0.0.4", "address": "10.0.0.4:80" },
                    { "member": "10.0.0.5", "address": "127.0.0.1:9001" },
                    { "member": "app.test", "address": null },
                ] },
                { "pool": "empty", "setting": "s", "servers": [] },
            ],
            "insights": [
                {
                    "GatewayName": "gw", "CurrentTime": "2026-01-01T00:00:02Z",
                    "BackendServerAddress": "10.0.0.5", "HealthStatus": "Unhealthy",
                    "ErrorDetails": "It is slow.",
                },
                {
                    "GatewayName": "gw", "CurrentTime": "2026-01-01T00:00:01Z",
                    "BackendServerAddress": null, "HealthStatus": "Failed",
                    "ErrorDetails": "gw.json: bad",
                },
            ],
            "findings": [
                { "severity": "note", "code": "N", "message": "No matter.", "file": "gw.json" },
                { "severity": "warning", "code": "W", "message": "Odd.", "file": "gw.json" },
            ],
            "last_reload": { "ok": false, "error": "gw.json: bad", "at": "2026-01-01T00:00:01Z" },
            "connections": 3,
            "requests": {
                "total": 5, "by_status": { "2xx": 4, "5xx": 1, "3xx": 0 },
                "by_failure": { "connect-refused": 1 },
            },
            "failed_handshakes": {
                "total": 3, "by_failure": { "handshake-alert": 2, "handshake-closed": 1 },
            },
            "access_log": { "written": 4, "lost": 1, "dropped": 0, "error": "disk full" },
        });
        let expected = [
            "serving: revision 2 since 2026-01-01T00:00:00Z (version 0.1.0)",
            "gateway gw (v2, stopped)",
            "listens on http://0.0.0.0:8080 (frontend public, port 80)",
            "pool p with setting s: 10.0.0.4:80, 10.0.0.5 at 127.0.0.1:9001, \
             app.test (has no address)",
            "pool empty with setting s: no server",
            "server 10.0.0.5 of gateway gw is Unhealthy since 2026-01-01T00:00:02Z: It is slow.",
            "gateway gw is Failed since 2026-01-01T00:00:01Z: gw.json: bad",
            "warning W: Odd. (gw.json)",
            "last reload: 2026-01-01T00:00:01Z, refused: gw.json: bad",
            "requests: 5; 4 2xx, 1 5xx; 1 connect-refused; 3 connections open",
            "failed TLS handshakes: 3; 2 handshake-alert, 1 handshake-closed",
            "access log: 4 lines written, 1 lost, 0 dropped; cannot be written: disk full",
        ];
        assert_eq!(render(&report), expected);
    }

    #[test]
    fn many_warnings_are_counted() {
        let one = json!({ "severity": "warning", "code": "W", "message": "Odd.", "file": "a" });
        for (count, lines, last) in [
            (20, 20, "warning W: Odd. (a)"),
            (23, 21, "3 more warnings: -o json lists all"),
        ] {
            let told = warnings(&Value::Array(vec![one.clone(); count]));
            assert_eq!(told.len(), lines);
            assert_eq!(told.last().unwrap(), last);
        }
    }
}
