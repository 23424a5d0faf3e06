//! `gatewright health`: which servers may take traffic, and why the others may not.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backend_health::{BackendHealth, PoolHealth, ServerHealth};
use crate::cli::{HealthArguments, HealthFormat};
use crate::client::{self, Answer, OK, Question};
use crate::output;
use crate::sentence::Sentence;
use crate::times::span;
use crate::yaml;

const HEALTHY: &str = "Healthy";
/// How many pools under a setting `--now` has probed at once.
const PROBED_AT_ONCE: usize = 16;
/// How often `--watch` looks.
const WATCH_PAUSE: Duration = Duration::from_secs(1);
/// Moves the cursor home and clears the screen (ECMA-48).
const CLEAR_SCREEN: &str = "\u{1b}[H\u{1b}[2J";

pub(crate) fn run(arguments: &HealthArguments) -> Result<ExitCode, Sentence> {
    let mut shown = None;
    loop {
        let report = ask(arguments)?;
        let text = show(&report, arguments.output);
        let state = Some(without_spans(&report));
        // Spans grow every second; who watches a table on a screen wants to see them do so.
        let is_on_screen = arguments.watch && io::stdout().is_terminal();
        if is_on_screen {
            output::line(format_args!("{CLEAR_SCREEN}{text}"));
        } else if shown != state {
            output::line(&text);
        }
        if !arguments.watch {
            return Ok(exit_code(&report));
        }
        shown = state;
        thread::sleep(WATCH_PAUSE);
    }
}

/// A node's report, narrowed as the arguments say.
///
/// # Errors
/// When no node answers, or nothing has the names.
pub(crate) fn ask(arguments: &HealthArguments) -> Result<BackendHealth, Sentence> {
    let mut report = report(client::ask(arguments.admin, Question::Get("/health"))?)?;
    choose(&mut report, arguments)?;
    match arguments.now {
        true => probe_now(arguments, &report),
        false => Ok(report),
    }
}

/// What a node says of its servers.
///
/// # Errors
/// When it refuses, or says something else.
pub(crate) fn report(answer: Answer) -> Result<BackendHealth, Sentence> {
    let Answer { status, body } = answer;
    if let Some(error) = body["error"].as_str() {
        return Err(Sentence::new(format!("the node refuses: {error}")));
    }
    match serde_json::from_value(body) {
        Ok(report) if status == OK => Ok(report),
        Ok(_) | Err(_) => Err(Sentence::new(format!(
            "the node answers with status {status}, and not with its health; is it of another \
             version than this command?"
        ))),
    }
}

/// Leaves what the flags name.
fn choose(report: &mut BackendHealth, arguments: &HealthArguments) -> Result<(), Sentence> {
    let is_named = |wanted: &Option<String>, name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    report
        .pools
        .retain(|pool| is_named(&arguments.gateway, &pool.gateway));
    if let Some(wanted) = arguments
        .gateway
        .as_ref()
        .filter(|_| report.pools.is_empty())
    {
        return Err(Sentence::new(format!(
            "the node serves no gateway '{wanted}' with a backend pool; `gatewright status` lists \
             its gateways"
        )));
    }
    report
        .pools
        .retain(|pool| is_named(&arguments.pool, &pool.pool));
    if let Some(setting) = &arguments.setting {
        for pool in &mut report.pools {
            pool.settings
                .retain(|one| one.setting.eq_ignore_ascii_case(setting));
        }
        report.pools.retain(|pool| !pool.settings.is_empty());
    }
    let is_chosen = arguments.pool.is_some() || arguments.setting.is_some();
    if is_chosen && report.pools.is_empty() {
        return Err(Sentence::new(
            "no pool under a setting has these names; `gatewright health` lists them",
        ));
    }
    Ok(())
}

/// Has every pool under every setting of `report` probed, some at once.
fn probe_now(
    arguments: &HealthArguments,
    report: &BackendHealth,
) -> Result<BackendHealth, Sentence> {
    let bodies: Vec<Value> = report.pools.iter().flat_map(bodies).collect();
    let mut fresh = BackendHealth::default();
    for some in bodies.chunks(PROBED_AT_ONCE) {
        let reports: Vec<Result<BackendHealth, Sentence>> = thread::scope(|scope| {
            let asked: Vec<_> = some
                .iter()
                .map(|body| scope.spawn(|| ask_on_demand(arguments, body)))
                .collect();
            let ended = asked.into_iter().map(thread::ScopedJoinHandle::join);
            let died = |_| Err(Sentence::new("a thread that asked the node has panicked"));
            ended.map(|ended| ended.unwrap_or_else(died)).collect()
        });
        for report in reports {
            fresh.take(report?);
        }
    }
    Ok(fresh)
}

fn ask_on_demand(arguments: &HealthArguments, body: &Value) -> Result<BackendHealth, Sentence> {
    let question = Question::Post("/health/on-demand", Some(body));
    report(client::ask(arguments.admin, question)?)
}

/// The bodies that ask for a pool's servers under each of its settings.
fn bodies(pool: &PoolHealth) -> impl Iterator<Item = Value> {
    let owner = match pool.gateway_id.as_str() {
        "" => format!("/applicationGateways/{}", pool.gateway),
        id => id.to_owned(),
    };
    pool.settings.iter().map(move |setting| {
        let setting = &setting.setting;
        json!({
            "backendAddressPool": { "id": format!("{owner}/backendAddressPools/{}", pool.pool) },
            "backendHttpSettings": {
                "id": format!("{owner}/backendHttpSettingsCollection/{setting}"),
            },
        })
    })
}

/// Without what changes by the mere passing of time.
fn without_spans(report: &BackendHealth) -> BackendHealth {
    let mut report = report.clone();
    let settings = report.pools.iter_mut().flat_map(|pool| &mut pool.settings);
    for server in settings.flat_map(|setting| &mut setting.servers) {
        server.for_seconds = None;
        server.probed_at = None;
        // It may tell the time, such as that of a certificate's end.
        server.detail = None;
        server.in_a_row = 0;
        server.probe = None;
    }
    report
}

fn exit_code(report: &BackendHealth) -> ExitCode {
    let is_well = report.servers().all(|server| server.health == HEALTHY)
        && report.empty_pools().next().is_none()
        && report.idle_gateways().is_empty();
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn show(report: &BackendHealth, format: HealthFormat) -> String {
    match format {
        HealthFormat::Json => format!("{:#}", report.as_az_prints()),
        HealthFormat::Yaml => yaml::write(&report.as_az_prints()).trim_end().to_owned(),
        HealthFormat::Table => output::folded(&table(report).join("\n")),
    }
}

const HEADINGS: [&str; 6] = ["POOL", "SETTING", "SERVER", "HEALTH", "LAST", "FOR"];

/// A row for each server, and under it, where it is not well, what was seen and what mends it.
pub(crate) fn table(report: &BackendHealth) -> Vec<String> {
    let rows = rows(report);
    let cells = rows.iter().map(|(cells, _)| cells);
    let mut widths = HEADINGS.map(str::len);
    for row in cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = vec![aligned(&HEADINGS.map(str::to_owned), &widths)];
    for (cells, notes) in &rows {
        lines.push(aligned(cells, &widths));
        lines.extend(notes.iter().map(|note| format!("    {note}")));
    }
    lines.push(String::new());
    lines.extend(reasons(report));
    lines.push(summary(report));
    lines
}

type Row = ([String; HEADINGS.len()], Vec<String>);

fn rows(report: &BackendHealth) -> Vec<Row> {
    let mut rows = Vec::new();
    let has_many = report
        .pools
        .iter()
        .any(|pool| pool.gateway != report.pools[0].gateway);
    for pool in &report.pools {
        let name = match has_many {
            true => format!("{}/{}", pool.gateway, pool.pool),
            false => pool.pool.clone(),
        };
        let empty = |setting: &str, what: &str| -> Row {
            let dash = || "-".to_owned();
            let cells = [
                name.clone(),
                setting.to_owned(),
                what.to_owned(),
                dash(),
                dash(),
                dash(),
            ];
            (cells, Vec::new())
        };
        if pool.settings.is_empty() {
            rows.push(empty("-", "(no rule leads here)"));
        }
        for setting in &pool.settings {
            if setting.servers.is_empty() {
                rows.push(empty(&setting.setting, "(the pool is empty)"));
            }
            for server in &setting.servers {
                rows.push((cells(&name, &setting.setting, server), notes(server)));
            }
        }
    }
    rows
}

fn cells(pool: &str, setting: &str, server: &ServerHealth) -> [String; HEADINGS.len()] {
    let endpoint = server.endpoint.as_deref().unwrap_or_default();
    let is_by_ip = endpoint
        .rsplit_once(':')
        .is_some_and(|(ip, _)| ip.trim_matches(['[', ']']) == server.address);
    let shown = match (endpoint, is_by_ip) {
        ("", _) => server.address.clone(),
        (endpoint, true) => endpoint.to_owned(),
        (endpoint, false) => format!("{} ({endpoint})", server.address),
    };
    [
        pool.to_owned(),
        setting.to_owned(),
        shown,
        server.health.clone(),
        server
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string()),
        server.for_seconds.map_or_else(|| "-".to_owned(), span),
    ]
}

fn notes(server: &ServerHealth) -> Vec<String> {
    let is_well = server.remedy.is_none();
    if is_well {
        return Vec::new();
    }
    let mut notes = vec![server.health_probe_log.clone()];
    notes.extend(server.detail.iter().map(|detail| format!("seen: {detail}")));
    if let Some(at) = &server.reached_at {
        notes.push(format!("reached at {at}, by a mapping"));
    }
    if server.is_kept {
        notes.push("It takes traffic all the same: the probe's minServers keeps it.".to_owned());
    }
    if let (HEALTHY, false, Some(most)) = (
        server.health.as_str(),
        server.is_kept,
        server.unhealthy_threshold,
    ) {
        let failed = server.in_a_row;
        notes.push(format!(
            "failed {failed} of {most} times: at {most} in a row the server is Unhealthy"
        ));
    }
    notes.extend(
        server
            .remedy
            .iter()
            .map(|remedy| format!("to do: {remedy}")),
    );
    notes
}

fn aligned(cells: &[String; HEADINGS.len()], widths: &[usize; HEADINGS.len()]) -> String {
    let padded = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn summary(report: &BackendHealth) -> String {
    let all = report.servers().count();
    let bad = report.servers().filter(|one| one.health != HEALTHY).count();
    match (all, bad) {
        (0, _) => "no rule leads to a server".to_owned(),
        (1, 0) => "the only server is healthy".to_owned(),
        (1, _) => "the only server is not healthy".to_owned(),
        (all, 0) => format!("all {all} servers are healthy"),
        (all, 1) => format!("1 of {all} servers is not healthy"),
        (all, bad) => format!("{bad} of {all} servers are not healthy"),
    }
}

/// Why requests are answered with 502 whatever the servers do.
fn reasons(report: &BackendHealth) -> Vec<String> {
    let empty = report.empty_pools().map(|(pool, setting)| {
        format!(
            "pool {} has no server, and a rule leads to it with setting {setting}: its requests \
             are answered with 502",
            pool.pool
        )
    });
    let idle = report.idle_gateways().into_iter().map(|(name, state)| {
        let why = match state {
            "failed" => "is in a failed state, with no earlier configuration to serve",
            _ => "is stopped",
        };
        format!("gateway {name} {why}: every request is answered with 502")
    });
    empty.chain(idle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend_health::SettingHealth;

    fn report() -> BackendHealth {
        let good = ServerHealth {
            address: "10.0.0.4".to_owned(),
            endpoint: Some("10.0.0.4:80".to_owned()),
            health: HEALTHY.to_owned(),
            status: Some(200),
            for_seconds: Some(75),
            ..ServerHealth::default()
        };
        let bad = ServerHealth {
            address: "app.contoso.com".to_owned(),
            endpoint: Some("10.0.0.5:80".to_owned()),
            reached_at: Some("127.0.0.1:9001".to_owned()),
            health: "Unhealthy".to_owned(),
            status: Some(500),
            for_seconds: Some(3),
            health_probe_log: "Status code did not match.".to_owned(),
            detail: Some("the answer's status is 500".to_owned()),
            remedy: Some("Mend the page.".to_owned()),
            ..ServerHealth::default()
        };
        let pool = |pool: &str, settings| PoolHealth {
            gateway: "gw".to_owned(),
            gateway_id: String::new(),
            idle: None,
            pool: pool.to_owned(),
            settings,
        };
        let setting = |servers| SettingHealth {
            setting: "http".to_owned(),
            servers,
        };
        BackendHealth {
            pools: vec![
                pool("web", vec![setting(vec![good, bad])]),
                pool("empty", vec![setting(Vec::new())]),
                pool("unused", Vec::new()),
            ],
        }
    }

    #[test]
    fn what_is_not_well_is_told_with_what_was_seen_and_what_mends_it() {
        let expected = [
            "POOL    SETTING  SERVER                         HEALTH     LAST  FOR",
            "web     http     10.0.0.4:80                    Healthy    200   1 min 15 s",
            "web     http     app.contoso.com (10.0.0.5:80)  Unhealthy  500   3 s",
            "    Status code did not match.",
            "    seen: the answer's status is 500",
            "    reached at 127.0.0.1:9001, by a mapping",
            "    to do: Mend the page.",
            "empty   http     (the pool is empty)            -          -     -",
            "unused  -        (no rule leads here)           -          -     -",
            "",
            "pool empty has no server, and a rule leads to it with setting http: its requests are \
             answered with 502",
            "1 of 2 servers is not healthy",
        ];
        assert_eq!(table(&report()), expected);
    }

    #[test]
    fn scripts_learn_of_it_by_the_exit_status() {
        let mut report = report();
        assert_eq!(exit_code(&report), ExitCode::FAILURE);
        report.pools[0].settings[0].servers.truncate(1);
        assert_eq!(exit_code(&report), ExitCode::FAILURE, "a pool is empty");
        report.pools.remove(1);
        assert_eq!(exit_code(&report), ExitCode::SUCCESS);
        report.pools[0].idle = Some("stopped".to_owned());
        assert_eq!(
            exit_code(&report),
            ExitCode::FAILURE,
            "the gateway is stopped"
        );
        let expected = "gateway gw is stopped: every request is answered with 502";
        assert!(table(&report).iter().any(|line| line == expected));
        report.pools[0].idle = Some("failed".to_owned());
        assert_eq!(exit_code(&report), ExitCode::FAILURE);
        let told = table(&report).join("\n");
        assert!(told.contains("\ngateway gw is in a failed state"), "{told}");
    }

    #[test]
    fn a_server_that_begins_to_fail_is_told_before_it_is_unhealthy() {
        let mut report = report();
        let server = &mut report.pools[0].settings[0].servers[1];
        server.health = HEALTHY.to_owned();
        (server.in_a_row, server.unhealthy_threshold) = (2, Some(3));
        let told = table(&report).join("\n");
        let expected = "\n    failed 2 of 3 times: at 3 in a row the server is Unhealthy\n";
        assert!(told.contains(expected), "{told}");
        report.pools[0].settings[0].servers[1].health = "Unhealthy".to_owned();
        assert!(!table(&report).join("\n").contains("in a row"));
    }
}
