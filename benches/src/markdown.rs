//! A report as Markdown, for people.

use std::fmt::Write;

use crate::cases::Regime;
use crate::engines::Engine;
use crate::report::{Cell, Change, Report, Spread, Verdict};

pub fn show(report: &Report) -> String {
    let mut text = String::from("# CPU per proxied request\n\n");
    facts(report, &mut text);
    for regime in Regime::ALL {
        let cells: Vec<&Cell> = report
            .cells
            .iter()
            .filter(|one| one.regime == regime)
            .collect();
        if !cells.is_empty() {
            table(regime, &cells, &mut text);
        }
    }
    aims(report, &mut text);
    errors(report, &mut text);
    text
}

/// Writing to a string cannot fail.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _infallible = text.write_fmt(line);
    text.push('\n');
}

fn facts(report: &Report, text: &mut String) {
    let machine = &report.machine;
    line(text, format_args!("- {}", report.date));
    line(
        text,
        format_args!(
            "- {} × {}, {} MiB, kernel {}, {}",
            machine.cpus,
            machine.cpu,
            machine.memory_mib,
            machine.kernel,
            machine.congestion_control
        ),
    );
    if let Some(floor) = machine.floor_us {
        line(
            text,
            format_args!("- floor: {floor:.2} µs for the four system calls of a 1 KiB request"),
        );
    }
    for proxy in &report.proxies {
        line(
            text,
            format_args!("- {}: {}", proxy.engine.name(), proxy.version),
        );
    }
    if let Some(cell) = report.cells.first() {
        let (rounds, requests) = (cell.rounds.len(), cell.requests_per_round);
        let case = &cell.case;
        line(
            text,
            format_args!("- {rounds} rounds; {requests} requests in each of {case}"),
        );
    }
    text.push_str(
        "\nCPU is the time that the proxy's processes ran, divided by successful requests:\n\
         median (least to most) over the rounds. The ratio is to HAProxy of the same round,\n\
         in the median.\n\
         Gatewright writes its access log; the peers write none.\n",
    );
}

fn table(regime: Regime, cells: &[&Cell], text: &mut String) {
    let placed = match regime {
        Regime::OneCore => "proxy, backend and load on CPU 0",
        Regime::TwoCores => "proxy on CPU 0, backend and load on CPU 1",
    };
    line(text, format_args!("\n## {} ({placed})\n", regime.name()));
    text.push_str(
        "| case | proxy | CPU µs | ratio | aim | req/s | p50 µs | p99 µs | errors |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for cell in cells {
        row(cell, text);
    }
}

fn row(cell: &Cell, text: &mut String) {
    let cpu = cell
        .cpu_us
        .map_or("–".to_owned(), |Spread { median, min, max }| {
            format!("{median:.2} ({min:.2}–{max:.2})")
        });
    let ratio = cell
        .ratio
        .map_or("–".to_owned(), |ratio| format!("{:.2}", ratio.median));
    let aim = match (cell.aim, cell.meets_its_aim()) {
        (Some(aim), Some(true)) => format!("≤ {aim:.2} met"),
        (Some(aim), Some(false)) => format!("≤ {aim:.2} **missed**"),
        (Some(aim), None) => format!("≤ {aim:.2}"),
        (None, _) => "–".to_owned(),
    };
    let whole = |number: Option<f64>| number.map_or("–".to_owned(), |n| format!("{n:.0}"));
    line(
        text,
        format_args!(
            "| {} | {} | {cpu} | {ratio} | {aim} | {} | {} | {} | {} |",
            cell.case,
            cell.engine.name(),
            whole(cell.median_of(|round| round.requests_per_second)),
            whole(cell.median_of(|round| round.p50_us)),
            whole(cell.median_of(|round| round.p99_us)),
            cell.errors,
        ),
    );
}

fn aims(report: &Report, text: &mut String) {
    let verdicts: Vec<bool> = report
        .cells
        .iter()
        .filter_map(Cell::meets_its_aim)
        .collect();
    if !verdicts.is_empty() {
        let met = verdicts.iter().filter(|met| **met).count();
        line(
            text,
            format_args!("\n{met} of {} aims met.", verdicts.len()),
        );
    }
}

fn errors(report: &Report, text: &mut String) {
    for cell in report.cells.iter().filter(|cell| cell.errors > 0) {
        let (name, case) = (cell.engine.name(), &cell.case);
        let error = cell.first_error.as_deref().unwrap_or("unknown");
        let (count, regime) = (cell.errors, cell.regime.name());
        line(
            text,
            format_args!("\n**{count} errors** of {name} in {case}, {regime}: {error}"),
        );
    }
}

/// What changed since an earlier run, with what did not.
pub fn show_changes(changes: &[Change], since: &str) -> String {
    let mut text = format!("\n## Since {since}\n\n");
    text.push_str(
        "| regime | case | proxy | measure | before | now | |\n|---|---|---|---|---|---|---|\n",
    );
    for change in changes {
        let verdict = match (change.verdict, change.engine) {
            (Verdict::Dearer, Engine::Gatewright) => "**REGRESSION**",
            (Verdict::Dearer, _) => "dearer",
            (Verdict::Cheaper, _) => "cheaper",
            (Verdict::Same, _) => "",
        };
        let Spread { median, min, max } = change.before;
        line(
            &mut text,
            format_args!(
                "| {} | {} | {} | {} | {median:.2} ({min:.2}–{max:.2}) | {:.2} | {verdict} |",
                change.regime.name(),
                change.case,
                change.engine.name(),
                change.measure,
                change.now,
            ),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::Round;

    fn cell(engine: Engine, cpu_us: f64) -> Cell {
        let mut cell = Cell::new(Regime::OneCore, "get-1k", engine, Some(0.6));
        cell.rounds = vec![Round {
            cpu_us,
            requests_per_second: 50_000.4,
            p50_us: 1_200.0,
            p99_us: 2_000.0,
        }];
        cell
    }

    #[test]
    fn the_table_shows_ratio_aim_and_errors() {
        let mut own = cell(Engine::Gatewright, 6.5);
        own.fail(2, Some("status 502".to_owned()));
        let cells = vec![cell(Engine::Haproxy, 10.0), own];
        let text = show(&Report::new(Machine::read(), &[], cells));
        let expected = "| get-1k | gatewright | 6.50 (6.50–6.50) | 0.65 | ≤ 0.60 **missed** | \
                        50000 | 1200 | 2000 | 2 |";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("0 of 1 aims met."), "{text}");
        assert!(text.contains("**2 errors** of gatewright in get-1k, one-core: status 502"));
        assert!(
            !text.contains("two-cores"),
            "a regime that was not run has no table"
        );
    }
}
