//! `gatewright diff`.

use std::path::Path;
use std::process::ExitCode;

use gatewright_arm::ApplicationGateway;
use gatewright_diagnosis::{Difference, diff, predict};
use serde_json::json;

use crate::cli::{Color, DiffArguments};
use crate::commands::predict::evidence;
use crate::documents::Document;
use crate::exit::UNREADABLE;
use crate::findings::{Finding, Level, errors_last, has_errors};
use crate::network::NetworkFolder;
use crate::output::{self, Format};
use crate::paint;
use crate::plan::unix_now;
use crate::sentence::Sentence;
use crate::templates::{self, Parameters};

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, Sentence> {
    let new_parameters = arguments.new_parameters.as_deref();
    let new_parameters = new_parameters.or(arguments.parameters.as_deref());
    let network = NetworkFolder::load(arguments.network.as_deref());
    let is_readable = told(&network.findings);
    let old = Side::load(&arguments.old, arguments.parameters.as_deref(), &network);
    let new = Side::load(&arguments.new, new_parameters, &network);
    let (Some(old), Some(new), true) = (old, new, is_readable) else {
        return Ok(ExitCode::from(UNREADABLE));
    };
    let pairs = paired(&old.document.gateways, &new.document.gateways);
    let mut differences = Vec::new();
    for (was, now) in &pairs.both {
        let mut difference = diff(was, now);
        if !difference.is_empty() {
            match (old.evidence(was), new.evidence(now)) {
                (Ok(before), Ok(after)) => {
                    let moment = unix_now();
                    difference.foretell(&predict(&before, moment), &predict(&after, moment));
                }
                (Err(why), _) | (_, Err(why)) => {
                    output::error(&why);
                    return Ok(ExitCode::from(UNREADABLE));
                }
            }
        }
        differences.push(difference);
    }
    match arguments.output {
        Format::Json => output::line(format!("{:#}", pairs.json(&differences))),
        Format::Text => output::line(pairs.text(&differences)),
    }
    let is_same = pairs.gone.is_empty() && pairs.come.is_empty();
    Ok(
        match is_same && differences.iter().all(Difference::is_empty) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

/// Tells of what is wrong with what was read; whether it can be worked with.
fn told(findings: &[Finding]) -> bool {
    // That a file gives a name is no news to whoever compares two files.
    let findings = findings.iter().filter(|one| one.severity != Level::Note);
    let findings: Vec<Finding> = findings.cloned().collect();
    errors_last(&findings).for_each(output::remark);
    !has_errors(&findings)
}

/// One of the two documents, with the network around it.
struct Side {
    document: Document,
    network: NetworkFolder,
}

impl Side {
    /// `None` where it cannot be read, which is told then.
    fn load(file: &Path, parameters: Option<&Path>, around: &NetworkFolder) -> Option<Self> {
        let mut document = Document::load(file, &Parameters::load(parameters));
        let is_readable = told(&document.findings);
        let mut network = NetworkFolder::default();
        network.join(around);
        network.add_of(&document);
        for gateway in &mut document.gateways {
            // Where a template is deployed, only its deployment tells.
            gateway.location = gateway
                .location
                .take()
                .filter(|at| at != templates::LOCATION);
        }
        is_readable.then_some(Self { document, network })
    }

    fn evidence(
        &self,
        gateway: &ApplicationGateway,
    ) -> Result<gatewright_diagnosis::Evidence, Sentence> {
        evidence(&self.document.body_of(gateway), &self.network)
    }
}

/// The gateways of both documents by name.
struct Pairs<'a> {
    both: Vec<(&'a ApplicationGateway, &'a ApplicationGateway)>,
    gone: Vec<&'a str>,
    come: Vec<&'a str>,
}

/// Where each document has one, those two are compared, whatever they are called.
fn paired<'a>(old: &'a [ApplicationGateway], new: &'a [ApplicationGateway]) -> Pairs<'a> {
    if let ([was], [now]) = (old, new) {
        return Pairs {
            both: vec![(was, now)],
            gone: Vec::new(),
            come: Vec::new(),
        };
    }
    let of = |list: &'a [ApplicationGateway], name: &str| {
        let mut list = list.iter();
        list.find(|one| one.name.eq_ignore_ascii_case(name))
    };
    let names = |list: &'a [ApplicationGateway], other: &'a [ApplicationGateway]| -> Vec<&'a str> {
        let left = list.iter().filter(|one| of(other, &one.name).is_none());
        left.map(|one| one.name.as_str()).collect()
    };
    let both = new
        .iter()
        .filter_map(|now| Some((of(old, &now.name)?, now)));
    Pairs {
        both: both.collect(),
        gone: names(old, new),
        come: names(new, old),
    }
}

impl Pairs<'_> {
    fn json(&self, differences: &[Difference]) -> serde_json::Value {
        let gateways: Vec<_> = differences.iter().filter(|one| !one.is_empty()).collect();
        json!({"gateways": gateways, "removed": self.gone, "added": self.come})
    }

    fn text(&self, differences: &[Difference]) -> String {
        let mut parts = Vec::new();
        let is_coloured = paint::is_coloured(Color::Auto);
        let shown = |name: &str| {
            name.chars()
                .filter(|one| !one.is_control())
                .collect::<String>()
        };
        for name in &self.gone {
            parts.push(format!("The gateway {} is not in NEW.", shown(name)));
        }
        for name in &self.come {
            parts.push(format!("The gateway {} is only in NEW.", shown(name)));
        }
        for difference in differences {
            parts.push(paint::lines(&difference.lines(), is_coloured));
        }
        let has_more = differences.iter().any(|one| !one.is_empty());
        parts.join(if has_more { "\n\n" } else { "\n" })
    }
}
