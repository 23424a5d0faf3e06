//! `gatewright diagnose`.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use gatewright_diagnosis::{
    Evidence, Outcome, Report, Severity, Suppression, Unreadable, diagnose,
};

use crate::cli::{DiagnoseArguments, DiagnoseFormat, FailOn};
use crate::commands::{collect, fix};
use crate::evidence_source::Files;
use crate::exit::{Refused, UNAVAILABLE, UNREADABLE};
use crate::output;
use crate::paint;
use crate::sentence::Sentence;

/// Exit statuses beside 0, healthy, and 1, a root cause was found.
const INCONCLUSIVE: u8 = 2;

/// What was found, by what evidence.
pub(crate) struct Diagnosed {
    pub(crate) report: Report,
    pub(crate) evidence: Evidence,
}

/// Diagnoses what the files say.
///
/// # Errors
/// The first file that is not what its name says.
pub(crate) fn diagnosed(files: Files, known: &[Suppression]) -> Result<Diagnosed, Unreadable> {
    let (evidence, collected) = files.read()?;
    let verdict = diagnose(&evidence, collected);
    let report = Report::new(verdict, &evidence, known);
    Ok(Diagnosed { report, evidence })
}

pub(crate) fn run(arguments: &DiagnoseArguments) -> Result<ExitCode, Sentence> {
    let of_folder = |folder: &Path| judge(Files::of_folder(folder), arguments);
    let judgement = match &arguments.evidence {
        Some(folder) => of_folder(folder),
        None if arguments.azure => return collect::then(arguments, of_folder),
        None => match files_of_node(arguments) {
            Ok(files) => judge(Ok(files), arguments),
            Err(why) => return Ok(Refused(UNAVAILABLE, why).tell()),
        },
    };
    judgement.map(|one| one.status)
}

fn files_of_node(arguments: &DiagnoseArguments) -> Result<Files, Sentence> {
    let gateway = arguments.gateway.as_deref().unwrap_or_default();
    Files::of_node(arguments.admin_address()?, gateway)
}

/// What came of a diagnosis.
pub(crate) struct Judgement {
    pub(crate) status: ExitCode,
    /// Whether the evidence could be read, and says that all is well or what the cause is.
    pub(crate) is_decided: bool,
}

fn judge(
    files: Result<Files, Unreadable>,
    arguments: &DiagnoseArguments,
) -> Result<Judgement, Sentence> {
    let diagnosed = match files.and_then(|files| diagnosed(files, &arguments.suppress)) {
        Ok(diagnosed) => diagnosed,
        Err(unreadable) => {
            output::error(&Sentence::new(unreadable.to_string()));
            return Ok(Judgement {
                status: ExitCode::from(UNREADABLE),
                is_decided: false,
            });
        }
    };
    let report = &diagnosed.report;
    for unused in &report.unused {
        output::remark(format_args!("warning: {}", idle(unused, report)));
    }
    show(report, arguments)?;
    let status = match arguments.fix {
        true => fix::run(arguments, &diagnosed)?,
        false => {
            offer_to_mend(&diagnosed, arguments);
            status(report, arguments.fail_on)
        }
    };
    Ok(Judgement {
        status,
        is_decided: report.verdict.outcome != Outcome::Inconclusive,
    })
}

/// A node mends by itself what the az commands are told for.
fn offer_to_mend(diagnosed: &Diagnosed, arguments: &DiagnoseArguments) {
    let is_text = arguments.output == DiagnoseFormat::Text;
    let is_able = fix::remedies(&diagnosed.report.verdict).is_ok();
    if is_text && is_able && diagnosed.evidence.is_of_node() {
        output::line(
            "\nThis node can do it by itself: run this again with --fix, which shows each change \
             and asks first; where a control plane stores it, with --data-dir DIR, too.",
        );
    }
}

fn show(report: &Report, arguments: &DiagnoseArguments) -> Result<(), Sentence> {
    let shown = match arguments.output {
        DiagnoseFormat::Text => Ok(paint::lines(
            &report.lines(arguments.explain),
            paint::is_coloured(arguments.color),
        )),
        DiagnoseFormat::Json => serde_json::to_string_pretty(report).map_err(io::Error::from),
        DiagnoseFormat::Sarif => {
            serde_json::to_string_pretty(&report.sarif()).map_err(io::Error::from)
        }
        DiagnoseFormat::Junit => report.junit(),
        DiagnoseFormat::Markdown => Ok(report.markdown()),
    };
    let shown = shown.map_err(|error| Sentence::new(format!("it cannot be shown: {error}")))?;
    output::line(shown.trim_end());
    Ok(())
}

fn status(report: &Report, fail_on: FailOn) -> ExitCode {
    match (report.verdict.outcome, fail_on) {
        (Outcome::Healthy, _) | (_, FailOn::Never) => ExitCode::SUCCESS,
        (Outcome::Inconclusive, _) => ExitCode::from(INCONCLUSIVE),
        (Outcome::RootCause, FailOn::Warning) => ExitCode::FAILURE,
        (Outcome::RootCause, FailOn::Error) => match report.worst() {
            Some(Severity::Error) => ExitCode::FAILURE,
            Some(Severity::Warning) | None => ExitCode::SUCCESS,
        },
    }
}

/// Why a suppression did nothing.
fn idle(unused: &Suppression, report: &Report) -> String {
    let name = unused.cause.name();
    let suppressed = report.suppressed.iter().map(|one| &one.finding);
    let mut findings = report.verdict.findings.iter().chain(suppressed);
    let why = match findings.any(|finding| finding.cause == unused.cause) {
        true => format!("{name} was found elsewhere"),
        false => format!("{name} was not found"),
    };
    // It was typed, and may have anything.
    let typed = unused.to_string();
    format!(
        "--suppress {} suppressed nothing: {why}",
        typed.escape_debug()
    )
}
