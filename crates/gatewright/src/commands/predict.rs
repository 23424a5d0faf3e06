//! `gatewright predict`.

use std::process::ExitCode;

use gatewright_diagnosis::{Evidence, File, Outcome, Verdict, predict, prediction};
use serde_json::{Value, json};

use crate::cli::{Color, PredictArguments};
use crate::documents::Document;
use crate::evidence_source::{Files, files_of_network};
use crate::exit::UNREADABLE;
use crate::findings::{errors_last, has_errors};
use crate::network::NetworkFolder;
use crate::output::{self, Format};
use crate::paint;
use crate::plan::unix_now;
use crate::sentence::Sentence;
use crate::templates::Parameters;

/// The files of an evidence folder that are what somebody wrote, and not what was seen.
const WRITTEN: [&str; 6] = [
    "gateway.json",
    "subnet.json",
    "vnet.json",
    "backend-subnet.json",
    "nsgs.json",
    "route-tables.json",
];

pub(crate) fn run(arguments: &PredictArguments) -> Result<ExitCode, Sentence> {
    let parameters = Parameters::load(arguments.parameters.as_deref());
    let document = Document::load(&arguments.gateway, &parameters);
    let mut network = NetworkFolder::load(arguments.network.as_deref());
    network.add_of(&document);
    let findings: Vec<_> = document
        .findings
        .iter()
        .chain(&network.findings)
        .cloned()
        .collect();
    errors_last(&findings).for_each(output::remark);
    if has_errors(&findings) {
        return Ok(ExitCode::from(UNREADABLE));
    }
    let mut foretold = Vec::new();
    for gateway in &document.gateways {
        let body = document.body_of(gateway);
        match evidence(&body, &network) {
            Ok(evidence) => foretold.push((gateway.name.clone(), predict(&evidence, unix_now()))),
            Err(why) => {
                output::error(&why);
                return Ok(ExitCode::from(UNREADABLE));
            }
        }
    }
    match arguments.output {
        Format::Json => output::line(format!("{:#}", told(&foretold))),
        Format::Text => {
            for (name, verdict) in &foretold {
                let lines = prediction(name, verdict, arguments.explain);
                output::line(paint::lines(&lines, paint::is_coloured(Color::Auto)));
            }
        }
    }
    let is_well = |(_, verdict): &(String, Verdict)| verdict.outcome == Outcome::Healthy;
    Ok(match foretold.iter().all(is_well) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One gateway's answer by itself, several as a list.
fn told(foretold: &[(String, Verdict)]) -> Value {
    match foretold {
        [(_, only)] => json!(only),
        several => several.iter().map(|(_, verdict)| json!(verdict)).collect(),
    }
}

/// What is foretold of the gateway of an evidence folder, by what was written alone: as if nothing
/// had been seen of it yet.
///
/// # Errors
/// When a file is not what its name says.
pub(crate) fn of_files(mut files: Files) -> Result<Verdict, Sentence> {
    files.files.retain(|file| WRITTEN.contains(&&*file.name));
    let read = Evidence::read(files.files);
    let evidence = read.map_err(|error| Sentence::new(error.to_string()))?;
    Ok(predict(&evidence, unix_now()))
}

/// The gateway and its network as the files of an evidence folder.
pub(crate) fn evidence(gateway: &Value, network: &NetworkFolder) -> Result<Evidence, Sentence> {
    let (documents, _) = files_of_network(network.bodies());
    let documents = documents.into_iter();
    let documents = documents.map(|(name, list)| File::of_value(name, Value::Array(list)));
    let gateway = File::of_value("gateway.json", gateway.clone());
    let files = [gateway].into_iter().chain(documents);
    Evidence::read(files).map_err(|error| Sentence::new(error.to_string()))
}
