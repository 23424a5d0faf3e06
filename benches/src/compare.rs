//! The comparison: every proxy in every case, interleaved, with the order turned each round.

use std::path::Path;

use crate::cases::{Case, PROXY_CPUS, Regime};
use crate::engines::{Installed, Proxy};
use crate::floor;
use crate::machine::Machine;
use crate::report::{Cell, Report, Round};
use crate::stage::{self, CONNECTIONS, Run, Stage};

/// Every round begins with this part of its requests unmeasured: connections and caches settle.
const WARM_UP_PART: u64 = 10;

pub struct Comparison {
    pub cases: Vec<&'static Case>,
    pub regimes: Vec<Regime>,
    pub rounds: usize,
    /// Each round's requests are divided by this.
    pub shortened: u64,
}

impl Comparison {
    /// Runs everything; `tell` hears of the progress.
    pub fn run(
        &self,
        folder: &Path,
        installed: &[Installed],
        tell: &dyn Fn(&str),
    ) -> anyhow::Result<Report> {
        let mut stage = Stage::build(folder)?;
        let mut cells = Vec::new();
        for regime in &self.regimes {
            cells.extend(self.run_regime(*regime, &mut stage, installed, tell)?);
        }
        let mut machine = Machine::read();
        // Measured last, with the proxies gone; a run is worth keeping without it.
        let [proxy_cpu] = PROXY_CPUS;
        match floor::measure(proxy_cpu) {
            Ok(floor_us) => machine.floor_us = Some(floor_us),
            Err(error) => tell(&format!("{error:#}")),
        }
        Ok(Report::new(machine, installed, cells))
    }

    fn run_regime(
        &self,
        regime: Regime,
        stage: &mut Stage,
        installed: &[Installed],
        tell: &dyn Fn(&str),
    ) -> anyhow::Result<Vec<Cell>> {
        let backends = stage.backends(&[regime.other_cpus()])?;
        let mut proxies = Vec::new();
        for one in installed {
            let cpus = regime.proxy_cpus();
            proxies.push(stage.proxy(one, &backends, cpus, 1, CONNECTIONS)?);
        }
        let mut cells = Vec::new();
        for case in &self.cases {
            cells.extend(self.run_case(case, regime, stage, &proxies, tell));
        }
        Ok(cells)
    }

    fn run_case(
        &self,
        case: &Case,
        regime: Regime,
        stage: &Stage,
        proxies: &[Proxy],
        tell: &dyn Fn(&str),
    ) -> Vec<Cell> {
        let new_cell = |proxy: &Proxy| Cell::new(regime, case.name, proxy.engine, case.aim(regime));
        let mut cells: Vec<Cell> = proxies.iter().map(new_cell).collect();
        let requests = (case.requests / self.shortened).max(case.connections as u64);
        let run = Run {
            case,
            requests,
            warm_up: requests / WARM_UP_PART,
        };
        for cell in &mut cells {
            cell.requests_per_round = requests;
        }
        // Round 0 is the warm-up of each proxy, and is discarded.
        for round in 0..=self.rounds {
            let mut pairs: Vec<_> = proxies.iter().zip(&mut cells).collect();
            if round % 2 == 1 {
                pairs.reverse();
            }
            for (proxy, cell) in pairs {
                // A proxy that failed here once would fail again, and say no more.
                if cell.errors == 0 {
                    run_round(stage, proxy, &run, regime, cell);
                }
            }
            if round == 0 {
                cells.iter_mut().for_each(|cell| cell.rounds.clear());
            }
        }
        for cell in &cells {
            tell(&summary(cell));
        }
        cells
    }
}

fn run_round(stage: &Stage, proxy: &Proxy, run: &Run<'_>, regime: Regime, cell: &mut Cell) {
    let outcome = stage
        .load(proxy, run, regime.other_cpus())
        .and_then(|mut load| stage::measure(&mut load, proxy.program.pid()));
    match outcome {
        Err(error) => cell.fail(1, Some(format!("{error:#}"))),
        Ok((outcome, spent)) => {
            cell.fail(outcome.errors, outcome.first_error);
            if outcome.successes > 0 {
                cell.rounds.push(Round {
                    cpu_us: spent.as_secs_f64() * 1e6 / outcome.successes as f64,
                    requests_per_second: outcome.successes as f64 / outcome.seconds,
                    p50_us: outcome.p50_us,
                    p99_us: outcome.p99_us,
                });
            }
        }
    }
}

fn summary(cell: &Cell) -> String {
    let cpu = cell.median_of(|round| round.cpu_us).unwrap_or(f64::NAN);
    let (regime, case, engine) = (cell.regime.name(), &cell.case, cell.engine.name());
    format!(
        "{regime} {case:<13} {engine:<10} {cpu:>8.2} µs, {} errors",
        cell.errors
    )
}
