//! `gatewright diagnose --fix`: a remedy is shown, applied to what a node serves, and verified.

mod arm;
mod files;

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use gatewright_diagnosis::{
    Cause, Confidence, Evidence, Fix, Outcome, Patch, Replay, Verdict, diagnose,
};

use crate::backend_health::PoolHealth;
use crate::cli::{DiagnoseArguments, DiagnoseFormat};
use crate::client::{self, Question};
use crate::commands::diagnose::Diagnosed;
use crate::commands::health;
use crate::control_plane::NodeFile;
use crate::evidence_source::{Files, Source};
use crate::output;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;
use crate::times;

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
    if arguments.output != DiagnoseFormat::Text {
        return Err(Sentence::new(
            "--fix tells what it does in text: leave -o away, or diagnose first and then --fix",
        ));
    }
    let (cause, remedies) = remedies(&diagnosed.report.verdict)?;
    let target = Target {
        admin: arguments.admin_address()?,
        data_dir: arguments.data_dir.clone(),
        gateway: arguments.gateway.clone().unwrap_or_default(),
    };
    for remedy in remedies {
        output::line(format!("\n{}", shown(remedy, &diagnosed.evidence)));
        if arguments.yes && remedy.weakens {
            output::line(
                "  Skipped: --yes does not stand for a remedy that makes a check weaker. Run this \
                 without --yes to agree to it.",
            );
            continue;
        }
        if !is_agreed(arguments)? {
            continue;
        }
        let changes = changes(&target, remedy, &diagnosed.evidence)?;
        apply(&target, &changes, &mut |told| output::line(told))?;
        output::line("Applied. Looking whether it helps…");
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
    let root = match (verdict.outcome, verdict.findings.first()) {
        (Outcome::RootCause, Some(root)) if root.confidence < Confidence::Likely => Err(
            "its root cause is not more than possible: a change would be a guess, so that none is \
             made",
        ),
        (Outcome::RootCause, Some(root)) => Ok(root),
        (Outcome::Inconclusive, _) => Err("what is known does not decide why requests fail"),
        (Outcome::RootCause | Outcome::Healthy, _) => {
            Err("there is no root cause that is not suppressed, and nothing to mend")
        }
    };
    let root = root.map_err(Sentence::new)?;
    let can_be_applied = |fix: &&Fix| {
        let proofs = [Some(Replay::Gone), Some(Replay::GoneWhenTriedAgain)];
        !fix.whole_patches().is_empty() && proofs.contains(&fix.replay)
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

/// A change of a document, and where that is kept.
pub(crate) struct Change {
    patch: Patch,
    kept: Kept,
}

enum Kept {
    File(Source),
    /// By the control plane of this folder.
    Stored(PathBuf),
}

/// What a remedy changes.
///
/// # Errors
/// When there is something that cannot be changed with what is known of the node.
pub(crate) fn changes(
    target: &Target,
    remedy: &Fix,
    evidence: &Evidence,
) -> Result<Vec<Change>, Sentence> {
    let patches = remedy.whole_patches().iter();
    let changes = patches.map(|patch| {
        let kept = match (Source::of(evidence, patch), &target.data_dir) {
            (Some(source), _) => Kept::File(source),
            (None, Some(folder)) => Kept::Stored(folder.clone()),
            (None, None) => {
                return Err(Sentence::new(format!(
                    "{} is stored by the node's control plane: name its folder with --data-dir, \
                     as given to `serve`",
                    name_of(patch)
                )));
            }
        };
        let patch = patch.clone();
        Ok(Change { patch, kept })
    });
    changes.collect()
}

impl Change {
    /// A file by its path, what is stored by its id.
    pub(crate) fn place(&self) -> String {
        match &self.kept {
            Kept::File(source) => source.path.display().to_string(),
            Kept::Stored(_) => name_of(&self.patch).to_owned(),
        }
    }
}

/// Makes changes, one after the other, and tells of each.
///
/// # Errors
/// At the first that cannot be made; those before it are.
pub(crate) fn apply(
    target: &Target,
    changes: &[Change],
    tell: &mut dyn FnMut(String),
) -> Result<(), Sentence> {
    for Change { patch, kept } in changes {
        tell(match kept {
            Kept::File(source) => files::apply(target.admin, patch, source)?,
            Kept::Stored(folder) => arm::apply(&NodeFile::read(folder)?, patch)?,
        });
    }
    Ok(())
}

fn name_of(patch: &Patch) -> &str {
    match patch.resource.as_str() {
        "" => &patch.file,
        id => id,
    }
}

/// Categories of causes that requests show, and no probe.
const OF_REQUESTS: [&str; 4] = ["E", "H", "I", "O"];

/// Waits until every server has been probed since and the node's own diagnosis does not find the
/// cause any more, and says after how long. Of a cause that requests show, it says that it is not
/// known yet.
///
/// # Errors
/// When it is found still, or the node does not answer.
pub(crate) fn verify(target: &Target, cause: Cause) -> Result<String, Sentence> {
    if OF_REQUESTS.contains(&cause.category()) {
        return Ok(
            "Requests will show whether it helps: those before the change no longer count. \
             Run `gatewright diagnose` again once some have come."
                .to_owned(),
        );
    }
    let began = Instant::now();
    let changed = times::unix_micros() / 1_000_000;
    loop {
        thread::sleep(PAUSE);
        if began.elapsed() < PATIENCE && !are_probed_since(target, changed)? {
            continue;
        }
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

/// Whether the last probe of every server of the gateway ended after a moment, in seconds since the
/// Unix epoch. Those that are not probed do not count.
fn are_probed_since(target: &Target, moment: u64) -> Result<bool, Sentence> {
    let answer = client::ask(target.admin, Question::Get("/health"))?;
    let mut report = health::report(answer)?;
    let is_own = |pool: &PoolHealth| {
        let names = [&pool.gateway, &pool.gateway_id];
        target.gateway.is_empty()
            || names
                .iter()
                .any(|own| own.eq_ignore_ascii_case(&target.gateway))
    };
    report.pools.retain(is_own);
    let mut servers = report.servers();
    Ok(servers.all(|server| {
        let probed = server.probed_at.as_deref().and_then(times::unix_seconds);
        server.unhealthy_threshold.is_none() || probed.is_some_and(|probed| probed > moment)
    }))
}

/// Whether servers are still to be probed with what was changed.
fn is_settling(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Inconclusive
}

#[cfg(test)]
mod tests {
    use gatewright_diagnosis::{Content, File, Finding, Owner};
    use serde_json::json;

    use super::*;

    fn fix() -> Fix {
        let operations = json!([
            {"op": "replace", "path": "/properties/enableHttp2", "value": false},
        ]);
        let patch = Patch {
            resource: String::new(),
            file: "gateway.json".to_owned(),
            at: String::new(),
            operations: serde_json::from_value(operations).unwrap(),
        };
        Fix {
            owner: Owner::Gateway,
            summary: "Do it.".to_owned(),
            commands: Vec::new(),
            risk: "It hurts.".to_owned(),
            verify: Vec::new(),
            patches: vec![patch],
            is_partial: false,
            weakens: false,
            replay: Some(Replay::Gone),
        }
    }

    fn verdict(confidence: Confidence, fixes: Vec<Fix>) -> Verdict {
        Verdict {
            outcome: Outcome::RootCause,
            as_of: 0,
            findings: vec![Finding {
                cause: Cause::named("probe-404").unwrap(),
                confidence,
                title: String::new(),
                because: Vec::new(),
                contradicts: None,
                assumes: None,
                fixes,
            }],
            ruled_out: Vec::new(),
            needs: Vec::new(),
            walk: Vec::new(),
            ignored: Vec::new(),
        }
    }

    #[test]
    fn only_a_likely_cause_is_mended_and_only_with_what_was_tried() {
        let likely = verdict(Confidence::Likely, vec![fix()]);
        assert_eq!(remedies(&likely).unwrap().1, [&fix()]);
        let possible = verdict(Confidence::Possible, vec![fix()]);
        let why = remedies(&possible).unwrap_err().to_string();
        assert!(why.contains("would be a guess"), "{why}");
        for replay in [None, Some(Replay::Remains)] {
            let untried = Fix { replay, ..fix() };
            let certain = verdict(Confidence::Certain, vec![untried]);
            let why = remedies(&certain).unwrap_err().to_string();
            assert!(why.contains("none of its remedies"), "{why}");
        }
    }

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
        let mut fix = fix();
        fix.patches[0].operations = serde_json::from_value(operations).unwrap();
        let expected = [
            "Do it.",
            "  Mind: It hurts.",
            "  gateway.json /properties/enableHttp2: false instead of true",
            r#"  gateway.json /properties/zone: "1\n2""#,
        ];
        assert_eq!(shown(&fix, &evidence), expected.join("\n"));
    }
}
