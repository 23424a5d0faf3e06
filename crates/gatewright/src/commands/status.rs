//! `gatewright status`: what a running node serves, since when, and how its files and its log are.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::StatusArguments;
use crate::client::{self, OK, Question};
use crate::output::{self, Format};
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// Warnings that people are shown; the JSON has all.
const WARNINGS_MAX: usize = 20;

pub(crate) fn run(arguments: &StatusArguments) -> Result<ExitCode, Sentence> {
    let report = report(arguments.admin)?;
    match arguments.output {
        Format::Json => output::line(&report),
        Format::Text => output::line(output::folded(&render(&report).join("\n"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// A node's report.
///
/// # Errors
/// When no node answers.
pub(crate) fn report(admin: Option<AdminAddress>) -> Result<Value, Sentence> {
    let answer = client::ask(admin, Question::Get("/status"))?;
    match answer.status {
        OK => Ok(answer.body),
        status => Err(Sentence::new(format!(
            "the node answers {status}: {}",
            text(&answer.body["error"])
        ))),
    }
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
pub(crate) fn render(report: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: revision {} since {} (version {})",
        text(&report["status"]),
        text(&report["revision"]),
        text(&report["since"]),
        text(&report["version"]),
    )];
    lines.extend(list(&report["gateways"]).flat_map(|one| gateway(one, report)));
    lines.extend(list(&report["insights"]).map(insight));
    lines.extend(warnings(&report["findings"]));
    lines.push(reload(&report["last_reload"]));
    lines.push(requests(report));
    lines.push(handshakes(&report["failed_handshakes"]));
    lines.push(access_log(&report["access_log"]));
    lines
}

/// A gateway, with where it listens and what it leads to.
fn gateway(gateway: &Value, report: &Value) -> Vec<String> {
    let (name, id) = (text(&gateway["name"]), text(&gateway["resource_id"]));
    let key = if id.is_empty() { &name } else { &id };
    let own = |one: &&Value| text(&one["gateway"]).eq_ignore_ascii_case(key);
    let mut lines = vec![headline(gateway, &name, &id)];
    let endpoints = list(&report["endpoints"]).filter(own).map(endpoint);
    let upstreams = list(&report["upstreams"]).filter(own).map(upstream);
    lines.extend(endpoints.chain(upstreams).map(|line| format!("  {line}")));
    lines
}

/// With the resource group, where it is known: names are unique within one.
fn headline(gateway: &Value, name: &str, id: &str) -> String {
    let mut segments = id.split('/');
    let group = segments
        .find(|segment| segment.eq_ignore_ascii_case("resourceGroups"))
        .and_then(|_| segments.next())
        .map_or_else(String::new, |group| format!(" of group {group}"));
    let state = match text(&gateway["state"]).as_str() {
        "running" | "-" => String::new(),
        state => format!(", {state}"),
    };
    format!(
        "gateway {name}{group} ({}{state})",
        text(&gateway["generation"])
    )
}

fn endpoint(endpoint: &Value) -> String {
    format!(
        "listens on {}://{} (frontend {}, port {})",
        text(&endpoint["scheme"]),
        text(&endpoint["address"]),
        text(&endpoint["frontend"]),
        text(&endpoint["port"]),
    )
}

fn upstream(upstream: &Value) -> String {
    let servers: Vec<String> = list(&upstream["servers"]).map(server).collect();
    let servers = match servers.is_empty() {
        true => "no server".to_owned(),
        false => servers.join(", "),
    };
    let (pool, setting) = (text(&upstream["pool"]), text(&upstream["setting"]));
    format!("pool {pool} with setting {setting}: {servers}")
}

/// As the network knows it, and where it is reached instead, by a mapping.
fn server(server: &Value) -> String {
    let member = text(&server["member"]);
    let Some(address) = server["address"].as_str() else {
        return format!("{member} (has no address)");
    };
    let logical = server["logical"].as_str().unwrap_or(address);
    let is_by_ip = logical
        .rsplit_once(':')
        .is_some_and(|(ip, _)| ip.trim_matches(['[', ']']) == member);
    let shown = match is_by_ip {
        true => logical.to_owned(),
        false => format!("{member} ({logical})"),
    };
    match logical == address {
        true => shown,
        false => format!("{shown} reached at {address}"),
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
            "gateways": [
                {
                    "name": "gw", "generation": "v2", "state": "running",
                    "resource_id": "/subscriptions/s/resourceGroups/rg1/providers/n/gw",
                },
                { "name": "gw", "generation": "v2", "state": "stopped", "resource_id": "" },
            ],
            "endpoints": [
                {
                    "gateway": "gw", "scheme": "http", "address": "0.0.0.0:8080",
                    "frontend": "public", "port": 80,
                },
                {
                    "gateway": "/subscriptions/s/resourcegroups/rg1/providers/n/gw",
                    "scheme": "https", "address": "0.0.0.0:8443", "frontend": "own", "port": 443,
                },
            ],
            "upstreams": [
                { "gateway": "gw", "pool": "p", "setting": "s", "servers": [
                    { "member": "10.0.0.4", "logical": "10.0.0.4:80", "address": "10.0.0.4:80" },
                    { "member": "10.0.0.5", "logical": "10.0.0.5:80", "address": "127.0.0.1:9001" },
                    { "member": "fd00::1", "logical": "[fd00::1]:80", "address": "[fd00::1]:80" },
                    { "member": "app.test", "logical": null, "address": null },
                ] },
                {
                    "gateway": "/subscriptions/s/resourceGroups/rg1/providers/n/gw",
                    "pool": "q", "setting": "s", "servers": [
                        { "member": "a.test", "logical": "10.0.0.6:80", "address": "10.0.0.6:80" },
                    ],
                },
                { "gateway": "gw", "pool": "empty", "setting": "s", "servers": [] },
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
            "gateway gw of group rg1 (v2)",
            "  listens on https://0.0.0.0:8443 (frontend own, port 443)",
            "  pool q with setting s: a.test (10.0.0.6:80)",
            "gateway gw (v2, stopped)",
            "  listens on http://0.0.0.0:8080 (frontend public, port 80)",
            "  pool p with setting s: 10.0.0.4:80, 10.0.0.5:80 reached at 127.0.0.1:9001, \
             [fd00::1]:80, app.test (has no address)",
            "  pool empty with setting s: no server",
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
