//! The numbers of a run: rounds, their medians and spreads, ratios, and changes between runs.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cases::Regime;
use crate::engines::{Engine, Installed};
use crate::machine::Machine;

/// A median this far beyond the spread of an earlier run is a change, not noise.
const NOISE: f64 = 0.05;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub date: String,
    pub machine: Machine,
    pub proxies: Vec<ProxyFacts>,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProxyFacts {
    pub engine: Engine,
    pub version: String,
}

/// One proxy in one case on one regime.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    pub regime: Regime,
    pub case: String,
    pub engine: Engine,
    pub requests_per_round: u64,
    pub rounds: Vec<Round>,
    pub errors: u64,
    pub first_error: Option<String>,
    /// Absent when no round succeeded.
    pub cpu_us: Option<Spread>,
    /// CPU per request over HAProxy's in the same round, regime and case.
    pub ratio: Option<Spread>,
    pub aim: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Round {
    pub cpu_us: f64,
    pub requests_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// The spread of some numbers; none of nothing.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: (lower + upper) / 2.0,
            min,
            max,
        })
    }
}

/// The rounds' CPU per request, each over HAProxy's in the same round, so that the moods of the
/// machine are in both; over HAProxy's median where one of them lacks a round.
fn ratio(cell: &Cell, haproxy: &Cell) -> Option<Spread> {
    let divisor = haproxy.cpu_us?.median;
    let is_paired = cell.rounds.len() == haproxy.rounds.len();
    let divisors = haproxy.rounds.iter().map(|round| match is_paired {
        true => round.cpu_us,
        false => divisor,
    });
    let divisors = divisors.chain(std::iter::repeat(divisor));
    let pairs = cell.rounds.iter().zip(divisors);
    Spread::of(pairs.map(|(round, divisor)| round.cpu_us / divisor))
}

impl Cell {
    pub fn new(regime: Regime, case: &str, engine: Engine, aim: Option<f64>) -> Self {
        Self {
            regime,
            case: case.to_owned(),
            engine,
            requests_per_round: 0,
            rounds: Vec::new(),
            errors: 0,
            first_error: None,
            cpu_us: None,
            ratio: None,
            // Only our own proxy has aims.
            aim: aim.filter(|_| engine == Engine::Gatewright),
        }
    }

    pub fn fail(&mut self, errors: u64, error: Option<String>) {
        self.errors += errors;
        self.first_error = self.first_error.take().or(error);
    }

    /// The median over the rounds of one of their numbers.
    pub fn median_of(&self, number: impl Fn(&Round) -> f64) -> Option<f64> {
        Spread::of(self.rounds.iter().map(number)).map(|spread| spread.median)
    }

    /// Whether the aim is met; `None` where there is no aim or no ratio.
    pub fn meets_its_aim(&self) -> Option<bool> {
        Some(self.ratio?.median <= self.aim?)
    }
}

/// How a cell stands beside the same cell of an earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub regime: Regime,
    pub case: String,
    pub engine: Engine,
    /// `ratio to HAProxy` or `CPU µs`.
    pub measure: &'static str,
    pub before: Spread,
    pub now: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Dearer,
    Cheaper,
    Same,
}

impl Report {
    pub fn new(machine: Machine, installed: &[Installed], cells: Vec<Cell>) -> Self {
        let facts = |one: &Installed| ProxyFacts {
            engine: one.engine,
            version: one.version.clone(),
        };
        let proxies = installed.iter().map(facts).collect();
        let mut report = Self {
            date: now(),
            machine,
            proxies,
            cells,
        };
        report.sum_up();
        report
    }

    fn sum_up(&mut self) {
        for cell in &mut self.cells {
            cell.cpu_us = Spread::of(cell.rounds.iter().map(|round| round.cpu_us));
        }
        let haproxy: Vec<Cell> = self
            .cells
            .iter()
            .filter(|cell| cell.engine == Engine::Haproxy)
            .cloned()
            .collect();
        for cell in &mut self.cells {
            let beside = haproxy
                .iter()
                .find(|one| one.regime == cell.regime && one.case == cell.case);
            cell.ratio = beside.and_then(|beside| ratio(cell, beside));
        }
    }

    pub fn errors(&self) -> u64 {
        self.cells.iter().map(|cell| cell.errors).sum()
    }

    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no report", path.display()))
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Every cell that an earlier run has too. Ratios are compared where both runs have HAProxy,
    /// because the mood of the machine is in both numbers of a ratio; CPU time otherwise.
    pub fn changes_since(&self, earlier: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for cell in &self.cells {
            let same = |old: &&Cell| {
                (old.regime, &old.case, old.engine) == (cell.regime, &cell.case, cell.engine)
            };
            let Some(old) = earlier.cells.iter().find(same) else {
                continue;
            };
            let has_ratio = cell.engine != Engine::Haproxy;
            let ratios = cell.ratio.zip(old.ratio).filter(|_| has_ratio);
            let times = cell.cpu_us.zip(old.cpu_us);
            let (measure, pair) = match ratios {
                Some(pair) => ("ratio to HAProxy", pair),
                None => match times {
                    Some(pair) => ("CPU µs", pair),
                    None => continue,
                },
            };
            let (now, before) = pair;
            changes.push(Change {
                regime: cell.regime,
                case: cell.case.clone(),
                engine: cell.engine,
                measure,
                before,
                now: now.median,
                verdict: verdict(before, now.median),
            });
        }
        changes
    }
}

fn verdict(before: Spread, now: f64) -> Verdict {
    if now > before.max * (1.0 + NOISE) {
        Verdict::Dearer
    } else if now < before.min * (1.0 - NOISE) {
        Verdict::Cheaper
    } else {
        Verdict::Same
    }
}

/// The date and time in UTC, to the second.
fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    now.format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
