//! `gatewright diagnose`.

use std::process::ExitCode;

use gatewright_diagnosis::{Outcome, diagnose, text};

use crate::cli::DiagnoseArguments;
use crate::commands::fix;
use crate::evidence_source::Files;
use crate::output::{self, Format};
use crate::sentence::Sentence;

/// Exit statuses beside 0, healthy, and 1, a root cause was found.
const INCONCLUSIVE: u8 = 2;
const UNREADABLE: u8 = 65;

pub(crate) fn run(arguments: &DiagnoseArguments) -> Result<ExitCode, Sentence> {
    let files = match &arguments.evidence {
        Some(folder) => Files::of_folder(folder),
        None => {
            let gateway = arguments.gateway.as_deref().unwrap_or_default();
            Ok(Files::of_node(arguments.admin_address()?, gateway)?)
        }
    };
    let sources = files.as_ref().map(Files::sources).unwrap_or_default();
    let (evidence, collected) = match files.and_then(Files::read) {
        Ok(read) => read,
        Err(unreadable) => {
            output::error(&Sentence::new(unreadable.to_string()));
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let verdict = diagnose(&evidence, collected);
    match arguments.output {
        Format::Text => output::line(text(&verdict, arguments.explain).trim_end()),
        Format::Json => {
            let json = serde_json::to_string_pretty(&verdict);
            let json =
                json.map_err(|error| Sentence::new(format!("it cannot be shown: {error}")))?;
            output::line(json);
        }
    }
    if arguments.fix {
        return fix::run(arguments, &evidence, &verdict, &sources);
    }
    Ok(match verdict.outcome {
        Outcome::Healthy => ExitCode::SUCCESS,
        Outcome::RootCause => ExitCode::FAILURE,
        Outcome::Inconclusive => ExitCode::from(INCONCLUSIVE),
    })
}
