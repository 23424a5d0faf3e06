//! `gatewright diagnose --fix`: a remedy is shown, applied to what a node serves, and verified.

mod arm;
mod files;

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use gatewright_diagnosis::{Cause, Evidence, Fix, Patch, Replay, Verdict, diagnose};

use crate::cli::DiagnoseArguments;
use crate::commands::diagnose::Diagnosed;
use crate::control_plane::NodeFile;
use crate::evidence_source::{Files, Sources};
use crate::output;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// How long a remedy has to show: probes of a long interval take their time.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// A gateway of a node, and where what it serves is kept.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) admin: Option<AdminAddress>,
    /// The folder of the node's control plane, where one is named.
    pub(crate) data_dir: Option<PathBuf>,
    /// Its name or id; empty for the only one.
    pub(crate) gateway: String,
}

/// Offers the remedies of the root cause that a node can apply by itself, one after the other, and
/// applies the first that is agreed to.
///
/// # Errors
/// When there is none, nobody agrees, it cannot be applied, or the cause is found still.
pub(crate) fn run(
    arguments: &DiagnoseArguments,
    diagnosed: &Diagnosed,
) -> Result<ExitCode, Sentence> {
    let (cause, remedies) = remedies(&diagnosed.report.verdict)?;
    let target = Target {
        admin: arguments.admin_address()?,
        data_dir: arguments.data_dir.clone(),
        gateway: arguments.gateway.clone().unwrap_or_default(),
    };
    for remedy in remedies {
        output::line(format!("\n{}", shown(remedy, &diagnosed.evidence)));
        if !is_agreed(arguments)? {
            continue;
        }
        apply(&target, remedy, &diagnosed.sources, &mut |told| {
            output::line(told);
        })?;
        output::line("Applied. Waiting for probes and requests to show it…");
        output::line(verify(&target, cause)?);
        return Ok(ExitCode::SUCCESS);
    }
    Err(Sentence::new("nothing was changed"))
}

/// The root cause, and those of its remedies that are changes of documents, and of which the replay
/// says that they are enough.
///
/// # Errors
/// When there is no cause, or no such remedy.
pub(crate) fn remedies(verdict: &Verdict) -> Result<(Cause, Vec<&Fix>), Sentence> {
    let Some(root) = verdict.findings.first() else {
        return Err(Sentence::new("there is no root cause, and nothing to mend"));
    };
    let can_be_applied = |fix: &&Fix| {
        let is_enough = fix.replay != Some(Replay::Remains);
        !fix.whole_patches().is_empty() && is_enough
    };
    let remedies: Vec<&Fix> = root.fixes.iter().filter(can_be_applied).collect();
    match remedies.is_empty() {
        true => Err(Sentence::new(
            "none of its remedies can be applied by this node: run the commands above, or mend it \
             at its owner",
        )),
        false => Ok((root.cause, remedies)),
    }
}

/// What is about to be done: each change of a document with what stands there now.
pub(crate) fn shown(remedy: &Fix, evidence: &Evidence) -> String {
    let mut out = remedy.summary.clone();
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

/// Changes what documents are from, one after the other, and tells of each. `sources`: where the
/// documents of the evidence are kept.
///
/// # Errors
/// At the first that cannot be changed; those before it are.
pub(crate) fn apply(
    target: &Target,
    remedy: &Fix,
    sources: &Sources,
    tell: &mut dyn FnMut(String),
) -> Result<(), Sentence> {
    for patch in remedy.whole_patches() {
        tell(apply_one(target, patch, sources)?);
    }
    Ok(())
}

/// What a remedy changes: files by their paths, what is stored by its id.
///
/// # Errors
/// When there is something that cannot be changed with what is known of the node.
pub(crate) fn places(
    target: &Target,
    remedy: &Fix,
    sources: &Sources,
) -> Result<Vec<String>, Sentence> {
    let patches = remedy.whole_patches().iter();
    let places = patches.map(|patch| {
        Ok(match place_of(target, patch, sources)? {
            Kept::File(path) => path.display().to_string(),
            Kept::Stored(_) => name_of(patch).to_owned(),
        })
    });
    places.collect()
}

/// Where a document is kept.
enum Kept<'a> {
    File(&'a Path),
    /// By the control plane of this folder.
    Stored(&'a Path),
}

fn place_of<'a>(
    target: &'a Target,
    patch: &Patch,
    sources: &'a Sources,
) -> Result<Kept<'a>, Sentence> {
    if let Some(path) = sources.of(&patch.file, &patch.at) {
        return Ok(Kept::File(path));
    }
    let folder = target.data_dir.as_deref().ok_or_else(|| {
        Sentence::new(format!(
            "{} is stored by the node's control plane: name its folder with --data-dir, as given \
             to `serve`",
            name_of(patch)
        ))
    })?;
    Ok(Kept::Stored(folder))
}

/// Changes the file that a document is from, or the resource that the control plane stores.
fn apply_one(target: &Target, patch: &Patch, sources: &Sources) -> Result<String, Sentence> {
    match place_of(target, patch, sources)? {
        Kept::File(path) => files::apply(target.admin, patch, path),
        Kept::Stored(folder) => arm::apply(&NodeFile::read(folder)?, patch),
    }
}

fn name_of(patch: &Patch) -> &str {
    match patch.resource.as_str() {
        "" => &patch.file,
        id => id,
    }
}

/// Waits until the node's own diagnosis does not find the cause any more, and says after how long.
///
/// # Errors
/// When it is found still, or the node does not answer.
pub(crate) fn verify(target: &Target, cause: Cause) -> Result<String, Sentence> {
    let began = Instant::now();
    loop {
        thread::sleep(PAUSE);
        let files = Files::of_node(target.admin, &target.gateway)?;
        let read = files.read().map_err(|why| Sentence::new(why.to_string()))?;
        let verdict = diagnose(&read.0, read.1);
        let is_found = verdict.findings.iter().any(|one| one.cause == cause);
        let code = cause.code();
        if !is_found && !is_settling(&verdict) {
            let seconds = began.elapsed().as_secs_f64();
            return Ok(format!(
                "{code} is not found any more, after {seconds:.1} s."
            ));
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

#[cfg(test)]
mod tests {
    use gatewright_diagnosis::{Content, File, Owner};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_about_to_be_done_is_shown_with_its_risk_and_each_change() {
        let document = json!({"name": "gw", "properties": {"enableHttp2": true}});
        let file = File {
            name: "gateway.json".to_owned(),
            content: Content::Json(document),
        };
        let evidence = Evidence::read(vec![file]).unwrap();
        let operations = json!([
            {"op": "test", "path": "/name", "value": "gw"},
            {"op": "replace", "path": "/properties/enableHttp2", "value": false},
            {"op": "add", "path": "/properties/zone", "value": "1\n2"},
        ]);
        let patch = Patch {
            resource: String::new(),
            file: "gateway.json".to_owned(),
            at: String::new(),
            operations: serde_json::from_value(operations).unwrap(),
        };
        let fix = Fix {
            owner: Owner::Gateway,
            summary: "Do it.".to_owned(),
            commands: Vec::new(),
            risk: "It hurts.".to_owned(),
            verify: Vec::new(),
            patches: vec![patch],
            is_partial: false,
            replay: None,
        };
        let expected = [
            "Do it.",
            "  Mind: It hurts.",
            "  gateway.json /properties/enableHttp2: false instead of true",
            r#"  gateway.json /properties/zone: "1\n2""#,
        ];
        assert_eq!(shown(&fix, &evidence), expected.join("\n"));
    }
}
