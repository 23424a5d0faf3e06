//! Scale: what a second worker adds.
//!
//! A machine of two cores cannot show it directly: two workers, two backends and two load
//! generators share both cores. So what is compared is the capacity that follows from the CPU
//! per request: workers ÷ CPU per request. It shows what workers cost each other (shared lines,
//! locks, hand-offs); it does not show what memory bandwidth or a third core would. Nothing pins
//! the workers: a single one is moved between the cores and pays for it, so that a gain a little
//! above 2 is possible.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::cases::Case;
use crate::cpu::CpuTime;
use crate::engines::{Engine, Installed, Proxy};
use crate::plan::LoadOutcome;
use crate::report::Spread;
use crate::stage::{CONNECTIONS, Load, Run, Stage};

const CPUS: [&[usize]; 2] = [&[0], &[1]];
const BOTH: &[usize] = &[0, 1];
const WORKERS: [usize; 2] = [1, 2];
const AIM: f64 = 1.8;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scaling {
    pub engine: Engine,
    /// With one worker, and with two.
    pub by_workers: Vec<Point>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    pub workers: usize,
    pub cpu_us: Spread,
    pub requests_per_second: Spread,
    pub errors: u64,
}

impl Point {
    /// Requests per second if every worker had a core of its own and nothing else to wait for.
    fn capacity(&self) -> f64 {
        self.workers as f64 * 1e6 / self.cpu_us.median
    }
}

impl Scaling {
    pub fn errors(&self) -> u64 {
        self.by_workers.iter().map(|point| point.errors).sum()
    }

    /// How often the capacity of one worker two workers have.
    pub fn gain(&self) -> Option<f64> {
        let [one, two] = self.by_workers.as_slice() else {
            return None;
        };
        Some(two.capacity() / one.capacity())
    }
}

pub fn run(
    folder: &Path,
    installed: &[Installed],
    rounds: usize,
    shortened: u64,
    tell: &dyn Fn(&str),
) -> anyhow::Result<Vec<Scaling>> {
    ensure!(
        std::thread::available_parallelism()?.get() >= BOTH.len(),
        "this needs two CPUs at least"
    );
    let mut stage = Stage::build(folder)?;
    let mut scalings = Vec::new();
    for one in installed {
        let mut by_workers = Vec::new();
        for workers in WORKERS {
            tell(&format!("{} with {workers} workers", one.engine.name()));
            by_workers.push(measure(&mut stage, one, workers, rounds, shortened)?);
        }
        scalings.push(Scaling {
            engine: one.engine,
            by_workers,
        });
    }
    Ok(scalings)
}

fn measure(
    stage: &mut Stage,
    installed: &Installed,
    workers: usize,
    rounds: usize,
    shortened: u64,
) -> anyhow::Result<Point> {
    let backends = stage.backends(&CPUS)?;
    let proxy = stage.proxy(installed, &backends, BOTH, workers, CONNECTIONS)?;
    let case = Case::named("get-1k").context("there is no case get-1k")?;
    let requests = case.requests / shortened;
    let run = Run {
        case,
        requests,
        warm_up: requests / 10,
    };
    let (mut cpu, mut rate, mut errors) = (Vec::new(), Vec::new(), 0);
    // The first round warms up, and is discarded.
    for round in 0..=rounds {
        let (outcomes, spent, elapsed) = round_of(stage, &proxy, &run)?;
        let successes: u64 = outcomes.iter().map(|outcome| outcome.successes).sum();
        errors += outcomes.iter().map(|outcome| outcome.errors).sum::<u64>();
        ensure!(successes > 0, "no request succeeded");
        if round > 0 {
            cpu.push(spent.as_secs_f64() * 1e6 / successes as f64);
            rate.push(successes as f64 / elapsed.as_secs_f64());
        }
    }
    Ok(Point {
        workers,
        cpu_us: Spread::of(cpu).context("no rounds")?,
        requests_per_second: Spread::of(rate).context("no rounds")?,
        errors,
    })
}

/// One round with a load generator on each core.
fn round_of(
    stage: &Stage,
    proxy: &Proxy,
    run: &Run<'_>,
) -> anyhow::Result<(Vec<LoadOutcome>, Duration, Duration)> {
    let loads: anyhow::Result<Vec<Load>> = CPUS
        .iter()
        .map(|cpus| stage.load(proxy, run, cpus))
        .collect();
    let mut loads = loads?;
    let before = CpuTime::of_tree(proxy.program.pid())?;
    let start = Instant::now();
    loads.iter_mut().try_for_each(Load::go)?;
    let outcomes: anyhow::Result<Vec<LoadOutcome>> = loads.iter_mut().map(Load::outcome).collect();
    let elapsed = start.elapsed();
    let spent = CpuTime::of_tree(proxy.program.pid())?.since(&before)?;
    Ok((outcomes?, spent, elapsed))
}

pub fn show(scalings: &[Scaling]) -> String {
    let mut text = String::from(
        "# One worker and two (get-1k, a load generator and a backend on each of two cores)\n\n\
         The gain is (2 ÷ CPU per request with two workers) ÷ (1 ÷ that with one): what workers\n\
         cost each other. Limits: load and backends share the two cores, so the rate says less\n\
         than the gain; one worker alone is moved between the cores and pays for it, so a gain\n\
         can exceed 2; and nothing here says how a third core would do.\n\n\
         | proxy | workers | CPU µs | requests per CPU second | req/s | errors | gain |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for scaling in scalings {
        for point in &scaling.by_workers {
            let gain = scaling.gain().filter(|_| point.workers > 1);
            let aim = match (scaling.engine, gain) {
                (Engine::Gatewright, Some(gain)) if gain >= AIM => " (≥ 1.80 met)",
                (Engine::Gatewright, Some(_)) => " (≥ 1.80 **missed**)",
                _ => "",
            };
            let Spread { median, min, max } = point.cpu_us;
            let _infallible = writeln!(
                text,
                "| {} | {} | {median:.2} ({min:.2}–{max:.2}) | {:.0} | {:.0} | {} | {}{aim} |",
                scaling.engine.name(),
                point.workers,
                1e6 / median,
                point.requests_per_second.median,
                point.errors,
                gain.map_or("–".to_owned(), |gain| format!("{gain:.2}")),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(workers: usize, cpu_us: f64) -> Point {
        let spread = Spread {
            median: cpu_us,
            min: cpu_us,
            max: cpu_us,
        };
        Point {
            workers,
            cpu_us: spread,
            requests_per_second: spread,
            errors: 0,
        }
    }

    #[test]
    fn a_second_worker_that_costs_nothing_more_doubles_the_capacity() {
        let scaling = |second| Scaling {
            engine: Engine::Gatewright,
            by_workers: vec![point(1, 10.0), point(2, second)],
        };
        assert_eq!(scaling(10.0).gain(), Some(2.0));
        assert_eq!(scaling(20.0).gain(), Some(1.0));
        assert!(show(&[scaling(11.0)]).contains("met"));
        assert!(show(&[scaling(11.2)]).contains("missed"));
    }
}
