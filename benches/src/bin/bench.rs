//! The driver of the bench; `cargo xtask bench` builds what it needs and runs it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks on its standard streams"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};

use gatewright_benches::cases::{self, Case, Regime};
use gatewright_benches::compare::Comparison;
use gatewright_benches::control::{self, Effort};
use gatewright_benches::engines::{Engine, Installed};
use gatewright_benches::report::{Change, Report, Verdict};
use gatewright_benches::{markdown, memory, probes, scale};

const QUICK_PART: u64 = 4;
const QUICK_ROUNDS: usize = 3;
const SMOKE_PART: u64 = 50;
const SMOKE_CASES: [&str; 3] = ["get-1k", "post-16k", "tls-new-p256"];

/// CPU per request of Gatewright and its peers, over loopback, on this machine.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Command {
    #[command(subcommand)]
    experiment: Option<Experiment>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Experiment {
    /// Resident memory per idle keep-alive connection, plain and TLS.
    Memory {
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// CPU per request with one worker and with two.
    Scale,
    /// What probing many servers costs, and whether traffic feels it (Gatewright alone).
    Probes {
        #[arg(long, default_value_t = 10_000)]
        targets: usize,
    },
    /// How long a change of the control plane takes to be live, with few gateways and with many,
    /// and a minute of mixed load (Gatewright alone).
    Control {
        /// Gateways beside the one that is changed.
        #[arg(long, default_value_t = 1_000)]
        gateways: usize,
        /// Changes that are measured with few gateways, and with many.
        #[arg(long, default_value_t = 300)]
        changes: usize,
        /// Seconds of mixed load.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

#[derive(Args)]
struct Options {
    /// Only these cases.
    #[arg(long, value_delimiter = ',', global = true)]
    cases: Vec<String>,
    /// Only this regime; both by default.
    #[arg(long, value_enum, global = true)]
    regime: Option<Regime>,
    /// Measured rounds of each proxy in each case, after one that is discarded.
    #[arg(long, default_value_t = 5, global = true)]
    rounds: usize,
    /// The proxies beside Gatewright.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "haproxy,nginx,envoy",
        global = true
    )]
    peers: Vec<String>,
    /// Envoy's program, which no distribution carries.
    #[arg(long, global = true)]
    envoy: Option<PathBuf>,
    /// Gatewright's program.
    #[arg(long, global = true)]
    gatewright: Option<PathBuf>,
    /// Peers alone.
    #[arg(long, global = true)]
    no_gatewright: bool,
    /// Keep the numbers here, for a later --compare.
    #[arg(long, global = true)]
    save: Option<PathBuf>,
    /// Show what changed since a saved run, and fail on a regression.
    #[arg(long, global = true)]
    compare: Option<PathBuf>,
    /// Settings, logs and results; a folder of the system's temporary one by default.
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    /// Three rounds of a quarter of the requests.
    #[arg(long, global = true)]
    quick: bool,
    /// One very short round of three cases on one core: does everything work?
    #[arg(long, global = true)]
    smoke: bool,
}

fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let options = &command.options;
    let out = options.out.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("gatewright-bench-{}", std::process::id()))
    });
    let installed = options.installed()?;
    match command.experiment {
        None => compare(options, &out, &installed)?,
        Some(Experiment::Memory { connections }) => {
            let footprints = memory::run(&out, &installed, connections, &tell)?;
            keep(&out, "memory", &footprints, &memory::show(&footprints))?;
            ensure!(
                footprints.iter().all(|one| one.error.is_none()),
                "a proxy failed"
            );
        }
        Some(Experiment::Scale) => {
            let (rounds, part) = options.effort();
            let scalings = scale::run(&out, &installed, rounds, part, &tell)?;
            keep(&out, "scale", &scalings, &scale::show(&scalings))?;
            ensure!(
                scalings.iter().all(|one| one.errors() == 0),
                "some requests failed"
            );
        }
        Some(Experiment::Probes { targets }) => {
            let own = installed
                .iter()
                .find(|one| one.engine == Engine::Gatewright);
            let own = own.context("this measures Gatewright, which is not wanted")?;
            let points = probes::run(&out, own, targets, &tell)?;
            keep(&out, "probes", &points, &probes::show(&points))?;
            let errors: u64 = points.iter().map(|point| point.errors).sum();
            ensure!(errors == 0, "{errors} requests failed");
        }
        Some(Experiment::Control {
            gateways,
            changes,
            seconds,
        }) => {
            let own = installed
                .iter()
                .find(|one| one.engine == Engine::Gatewright);
            let own = own.context("this measures Gatewright, which is not wanted")?;
            let effort = Effort {
                gateways,
                rounds: changes,
                load: Duration::from_secs(seconds),
            };
            let outcome = control::run(&out, own, effort, &tell)?;
            keep(&out, "control", &outcome, &control::show(&outcome))?;
        }
    }
    eprintln!("everything of this run: {}", out.display());
    Ok(())
}

fn tell(progress: &str) {
    eprintln!("{progress}");
}

/// Prints the text and writes it, with its numbers, into the run's folder.
fn keep(out: &Path, name: &str, numbers: &impl serde::Serialize, text: &str) -> anyhow::Result<()> {
    println!("{text}");
    std::fs::write(out.join(format!("{name}.md")), text)?;
    std::fs::write(
        out.join(format!("{name}.json")),
        serde_json::to_vec_pretty(numbers)?,
    )?;
    Ok(())
}

fn compare(options: &Options, out: &Path, installed: &[Installed]) -> anyhow::Result<()> {
    // Read first: a run of many minutes must not end in a mistyped name.
    let earlier = options.compare.as_deref().map(Report::read).transpose()?;
    let (rounds, shortened) = options.effort();
    let comparison = Comparison {
        cases: options.cases()?,
        regimes: options.regimes(),
        rounds,
        shortened,
    };
    let report = comparison.run(out, installed, &tell)?;
    let mut text = markdown::show(&report);
    let mut changes = Vec::new();
    if let (Some(earlier), Some(path)) = (&earlier, &options.compare) {
        changes = report.changes_since(earlier);
        text.push_str(&markdown::show_changes(
            &changes,
            &path.display().to_string(),
        ));
    }
    keep(out, "report", &report, &text)?;
    if let Some(path) = &options.save {
        report.write(path)?;
    }
    ensure!(report.errors() == 0, "{} requests failed", report.errors());
    let regressions = changes
        .iter()
        .filter(|change| is_regression(change))
        .count();
    ensure!(regressions == 0, "{regressions} regressions");
    Ok(())
}

/// A peer that is dearer than before tells of the machine, not of us.
fn is_regression(change: &Change) -> bool {
    change.engine == Engine::Gatewright && change.verdict == Verdict::Dearer
}

impl Options {
    /// Rounds, and the part of each case's requests.
    fn effort(&self) -> (usize, u64) {
        match (self.smoke, self.quick) {
            (true, _) => (1, SMOKE_PART),
            (false, true) => (self.rounds.min(QUICK_ROUNDS), QUICK_PART),
            (false, false) => (self.rounds.max(1), 1),
        }
    }

    fn cases(&self) -> anyhow::Result<Vec<&'static Case>> {
        if self.cases.is_empty() {
            let wanted = |case: &&Case| !self.smoke || SMOKE_CASES.contains(&case.name);
            return Ok(cases::ALL.iter().filter(wanted).collect());
        }
        let known = || cases::ALL.each_ref().map(|case| case.name).join(", ");
        let case = |name: &String| {
            Case::named(name).with_context(|| format!("no case is named `{name}`; {}", known()))
        };
        self.cases.iter().map(case).collect()
    }

    fn regimes(&self) -> Vec<Regime> {
        match self.regime {
            Some(regime) => vec![regime],
            None if self.smoke => vec![Regime::OneCore],
            None => Regime::ALL.to_vec(),
        }
    }

    /// Gatewright must be there unless it is not wanted; a peer that is missing is named.
    fn installed(&self) -> anyhow::Result<Vec<Installed>> {
        let mut installed = Vec::new();
        if !self.no_gatewright {
            installed.push(Installed::find(
                Engine::Gatewright,
                self.gatewright.as_deref(),
            )?);
        }
        for name in self.peers.iter().filter(|name| !name.is_empty()) {
            let engine = Engine::named(name)?;
            let path = self.envoy.as_deref().filter(|_| engine == Engine::Envoy);
            match Installed::find(engine, path) {
                Ok(found) => installed.push(found),
                Err(error) => tell(&format!("skipped: {error:#}")),
            }
        }
        ensure!(!installed.is_empty(), "there is nothing to measure");
        Ok(installed)
    }
}
