//! `gatewright validate`.

use std::path::Path;
use std::process::ExitCode;

use gatewright_compile::{Options, keyless_certificates};

use crate::cli::ValidateArguments;
use crate::dev_certs::DevCertificates;
use crate::documents::Document;
use crate::findings::{Finding, Level, errors_last};
use crate::output::{self, Format};
use crate::plan::unix_now;
use crate::sentence::Sentence;
use crate::templates::Parameters;

/// What `compile` says of a listener with a stand-in certificate.
const STAND_IN: &str = "GW-W-development-certificate";

pub(crate) fn run(arguments: &ValidateArguments) -> Result<ExitCode, Sentence> {
    let mut stand_ins = DevCertificates::default();
    let mut findings = Vec::new();
    let mut count = 0;
    let parameters = Parameters::load(arguments.parameters.as_deref());
    for path in &arguments.files {
        let document = judge(
            path,
            &parameters,
            arguments.ignore_unsupported,
            &mut stand_ins,
        )?;
        count += document.gateways.len();
        findings.extend(document.findings);
    }
    let number = |level| {
        findings
            .iter()
            .filter(|finding| finding.severity == level)
            .count()
    };
    let (errors, warnings) = (number(Level::Error), number(Level::Warning));
    match arguments.output {
        Format::Json => output::line(as_json(&findings)?),
        Format::Text => {
            errors_last(&findings).for_each(output::line);
            output::line(format_args!(
                "{}, {}, {}",
                counted(count, "gateway"),
                counted(errors, "error"),
                counted(warnings, "warning")
            ));
        }
    }
    let is_good = errors == 0 && (warnings == 0 || !arguments.strict);
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn as_json(findings: &[Finding]) -> Result<String, Sentence> {
    serde_json::to_string_pretty(findings)
        .map_err(|error| Sentence::new(format!("the findings cannot be shown: {error}")))
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The document at `path` with all its findings. An export never has private keys, so stand-ins
/// take their place, and a note says so.
fn judge(
    path: &Path,
    parameters: &Parameters,
    ignore_unsupported: bool,
    stand_ins: &mut DevCertificates,
) -> Result<Document, Sentence> {
    let mut document = Document::load(path, parameters);
    let mut options = Options {
        now: unix_now(),
        allow_unsupported: ignore_unsupported,
        ..Options::default()
    };
    let keyless = keyless_certificates(&document.gateways, &options);
    options.development_certificates = stand_ins.provide(&keyless)?;
    document.check(&options);
    let stand_ins = document
        .findings
        .iter_mut()
        .filter(|finding| finding.code == STAND_IN);
    stand_ins.for_each(soften);
    Ok(document)
}

/// Turns "a stand-in is presented" into "there is no private key", which is no fault of an export.
fn soften(finding: &mut Finding) {
    finding.severity = Level::Note;
    finding.code = "GW-N-certificate-without-key".to_owned();
    finding.message =
        "The private key of this certificate is not in the file; an export never has it.".into();
    let remedy = finding.help.take().unwrap_or_default();
    finding.help = Some(
        format!("{remedy} To serve without it, use --dev-certs.")
            .trim()
            .into(),
    );
}
