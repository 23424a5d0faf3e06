//! Probes: what it costs to probe many servers, and whether traffic feels it.
//!
//! The same gateway runs twice: with one server, and with many more that are probed as the default
//! probe does, all at one backend. What the second costs beyond the first is the prober's.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Regime};
use crate::cpu::{CpuTime, resident_bytes};
use crate::engines::Installed;
use crate::report::Spread;
use crate::stage::{CONNECTIONS, Run, Stage};

/// The interval of the default probe: every server is probed once in it.
const INTERVAL: Duration = Duration::from_secs(30);
/// First probes come at twice the steady pace, and then find their rhythm.
const SETTLING: Duration = Duration::from_secs(50);
/// Two intervals without a request.
const WATCHED: Duration = Duration::from_secs(60);
const TRAFFIC: &str = "get-1k-5krps";
const TRAFFIC_ROUNDS: usize = 5;
/// Aims: part of one core, and bytes.
const CPU_AIM: f64 = 0.05;
const MEMORY_AIM_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// A gateway with so many servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    pub servers: usize,
    /// CPU time per second while there was no request.
    pub cores: f64,
    pub resident_bytes: u64,
    /// Of requests at a fixed rate, in µs.
    pub p50_us: Spread,
    pub p99_us: Spread,
    pub errors: u64,
}

pub fn run(
    folder: &Path,
    installed: &Installed,
    targets: usize,
    tell: &dyn Fn(&str),
) -> anyhow::Result<[Point; 2]> {
    let mut stage = Stage::build(folder)?;
    let mut measure = |more| {
        tell(&format!("{} servers", more + 1));
        measure(&mut stage, installed, more)
    };
    Ok([measure(0)?, measure(targets)?])
}

fn measure(stage: &mut Stage, installed: &Installed, more: usize) -> anyhow::Result<Point> {
    let (proxy_cpus, cpus) = (Regime::TwoCores.proxy_cpus(), Regime::TwoCores.other_cpus());
    let backends = stage.backends(&[cpus])?;
    let proxy = stage.proxy_with(installed, &backends, proxy_cpus, 1, CONNECTIONS, more)?;
    let root = proxy.program.pid();
    std::thread::sleep(SETTLING);
    let before = CpuTime::of_tree(root)?;
    std::thread::sleep(WATCHED);
    let spent = CpuTime::of_tree(root)?.since(&before)?;
    let resident = resident_bytes(root)?;
    let case = Case::named(TRAFFIC).with_context(|| format!("there is no case {TRAFFIC}"))?;
    let run = Run {
        case,
        requests: case.requests,
        warm_up: case.requests / 10,
    };
    let (mut p50, mut p99, mut errors) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TRAFFIC_ROUNDS {
        let mut load = stage.load(&proxy, &run, cpus)?;
        load.go()?;
        let outcome = load.outcome()?;
        p50.push(outcome.p50_us);
        p99.push(outcome.p99_us);
        errors += outcome.errors;
    }
    Ok(Point {
        servers: more + 1,
        cores: spent.as_secs_f64() / WATCHED.as_secs_f64(),
        resident_bytes: resident,
        p50_us: Spread::of(p50).context("no rounds")?,
        p99_us: Spread::of(p99).context("no rounds")?,
        errors,
    })
}

pub fn show(points: &[Point; 2]) -> String {
    let [few, many] = points;
    let mut text = format!(
        "# Probing {} servers, each every {} s\n\n\
         | servers | % of a core | resident MiB | p50 µs | p99 µs | errors |\n\
         |---|---|---|---|---|---|\n",
        many.servers,
        INTERVAL.as_secs()
    );
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    for point in points {
        let Point {
            servers, errors, ..
        } = point;
        let _infallible = writeln!(
            text,
            "| {servers} | {:.2} | {:.1} | {:.0} ({:.0}–{:.0}) | {:.0} ({:.0}–{:.0}) | {errors} |",
            100.0 * point.cores,
            mib(point.resident_bytes as f64),
            point.p50_us.median,
            point.p50_us.min,
            point.p50_us.max,
            point.p99_us.median,
            point.p99_us.min,
            point.p99_us.max,
        );
    }
    let cores = many.cores - few.cores;
    let bytes = many.resident_bytes as f64 - few.resident_bytes as f64;
    let verdict = |is_met: bool| if is_met { "met" } else { "**missed**" };
    let _infallible = writeln!(
        text,
        "\nThe prober: {:.2} % of a core (≤ {:.0} {}), {:.1} MiB (≤ {:.0} {}).",
        100.0 * cores,
        100.0 * CPU_AIM,
        verdict(cores <= CPU_AIM),
        mib(bytes),
        mib(MEMORY_AIM_BYTES),
        verdict(bytes <= MEMORY_AIM_BYTES),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prober_is_what_is_beyond_a_gateway_with_one_server() {
        let spread = || Spread::of(vec![70.0]).expect("a round");
        let point = |servers, cores, mib: u64| Point {
            servers,
            cores,
            resident_bytes: mib * 1024 * 1024,
            p50_us: spread(),
            p99_us: spread(),
            errors: 0,
        };
        let text = show(&[point(1, 0.01, 20), point(10_001, 0.04, 50)]);
        assert!(
            text.ends_with("The prober: 3.00 % of a core (≤ 5 met), 30.0 MiB (≤ 64 met).\n"),
            "{text}"
        );
        let text = show(&[point(1, 0.01, 20), point(10_001, 0.08, 90)]);
        assert_eq!(text.matches("**missed**").count(), 2, "{text}");
    }
}
