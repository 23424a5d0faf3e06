//! `gatewright diagnose --fix`: a remedy is shown, applied to what a node serves, and verified.

mod arm;
mod files;

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use gatewright_diagnosis::{Cause, Evidence, Finding, Fix, Patch, Replay, Verdict, diagnose};

use crate::cli::DiagnoseArguments;
use crate::control_plane::NodeFile;
use crate::evidence_source::{Files, Sources};
use crate::output;
use crate::sentence::Sentence;

/// How long a remedy has to show: probes of a long interval take their time.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// Offers the remedies of the root cause that a node can apply by itself, one after the other, and
/// applies the first that is agreed to. `sources`: where the documents of the evidence are kept.
///
/// # Errors
/// When there is none, nobody agrees, it cannot be applied, or the cause is found still.
pub(crate) fn run(
    arguments: &DiagnoseArguments,
    evidence: &Evidence,
    verdict: &Verdict,
    sources: &Sources,
) -> Result<ExitCode, Sentence> {
    let Some(root) = verdict.findings.first() else {
        return Err(Sentence::new("there is no root cause, and nothing to mend"));
    };
    let remedies: Vec<&Fix> = remedies(root).collect();
    if remedies.is_empty() {
        return Err(Sentence::new(
            "none of its remedies can be applied by this node: run the commands above, or mend it \
             at its owner",
        ));
    }
    for remedy in remedies {
        output::line(shown(remedy, evidence));
        if !is_agreed(arguments)? {
            continue;
        }
        for patch in remedy.whole_patches() {
            apply(arguments, patch, sources)?;
        }
        return verify(arguments, root.cause);
    }
    Err(Sentence::new("nothing was changed"))
}

/// Those that are changes of documents, and of which the replay says that they are enough.
fn remedies(root: &Finding) -> impl Iterator<Item = &Fix> {
    root.fixes.iter().filter(|fix| {
        let is_enough = fix.replay != Some(Replay::Remains);
        !fix.whole_patches().is_empty() && is_enough
    })
}

/// What is about to be done: each change of a document with what stands there now.
fn shown(remedy: &Fix, evidence: &Evidence) -> String {
    let mut out = format!("\n{}", remedy.summary);
    if !remedy.risk.is_empty() {
        let _ = write!(out, "\n  Mind: {}", remedy.risk);
    }
    for patch in remedy.whole_patches() {
        for change in patch.changes(evidence) {
            let _ = write!(out, "\n  {change}");
        }
    }
    out
}

fn is_agreed(arguments: &DiagnoseArguments) -> Result<bool, Sentence> {
    if arguments.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Sentence::new(
            "nobody is there to agree: standard input is no terminal; say --yes to apply the first \
             remedy unasked",
        ));
    }
    output::line("Apply it? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Sentence::new(format!("the answer cannot be read: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Changes the file that a document is from, or the resource that the control plane stores.
fn apply(arguments: &DiagnoseArguments, patch: &Patch, sources: &Sources) -> Result<(), Sentence> {
    if let Some(path) = sources.of(&patch.file, &patch.at) {
        return files::apply(arguments, patch, path);
    }
    let Some(folder) = &arguments.data_dir else {
        return Err(Sentence::new(format!(
            "{} is stored by the node's control plane: name its folder with --data-dir, as given \
             to `serve`",
            name_of(patch)
        )));
    };
    arm::apply(&NodeFile::read(folder)?, patch)
}

fn name_of(patch: &Patch) -> &str {
    match patch.resource.as_str() {
        "" => &patch.file,
        id => id,
    }
}

/// Waits until the node's own diagnosis does not find the cause any more.
fn verify(arguments: &DiagnoseArguments, cause: Cause) -> Result<ExitCode, Sentence> {
    let began = Instant::now();
    output::line("Applied. Waiting for probes and requests to show it…");
    loop {
        thread::sleep(PAUSE);
        let gateway = arguments.gateway.as_deref().unwrap_or_default();
        let files = Files::of_node(arguments.admin_address()?, gateway)?;
        let read = files.read().map_err(|why| Sentence::new(why.to_string()))?;
        let verdict = diagnose(&read.0, read.1);
        let is_found = verdict.findings.iter().any(|one| one.cause == cause);
        let code = cause.code();
        if !is_found && !is_settling(&verdict) {
            let seconds = began.elapsed().as_secs_f64();
            output::line(format!(
                "{code} is not found any more, after {seconds:.1} s."
            ));
            return Ok(ExitCode::SUCCESS);
        }
        if began.elapsed() > PATIENCE {
            return Err(Sentence::new(format!(
                "{code} is found still, {} s after the change",
                PATIENCE.as_secs()
            )));
        }
    }
}

/// Whether servers are still to be probed with what was changed.
fn is_settling(verdict: &Verdict) -> bool {
    use gatewright_diagnosis::Outcome;
    verdict.outcome == Outcome::Inconclusive
}
