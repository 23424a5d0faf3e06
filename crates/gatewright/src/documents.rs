//! Gateway files: read, judged, and turned into a snapshot.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use gatewright_arm::{
    ApplicationGateway, Context, Diagnostic, MAX_DOCUMENT_BYTES, NetworkReadError,
    NetworkResources, ReadError, ReadReport, WriteOptions, parse_text, read_gateways, read_network,
    validate, write,
};
use gatewright_compile::{Options, compile_validated};
use gatewright_control::Judged;
use gatewright_snapshot::Snapshot;
use gatewright_template::{read_printed, read_text};
use serde_json::Value;

use crate::evidence_source::joined;
use crate::findings::{Finding, Level, has_errors};
use crate::network::NetworkFolder;
use crate::templates::{self, Deployed, Parameters};

/// How standard input is named on the command line.
const STDIN: &str = "-";

/// The code for a gateway that two documents have, as for one that is twice in one document.
const DUPLICATE_GATEWAY: &str = "GW-E-duplicate-gateway";

/// The JSON of a file. Comments, and what else a template may have that JSON has not, stop nobody:
/// people write them into their exports.
///
/// # Errors
/// Of the strict reader and the lenient one, what the one says that came further.
pub(crate) fn read_json(text: &[u8]) -> Result<Value, ReadError> {
    parse_text(text).or_else(|strict| {
        let ReadError::Malformed { line, column, .. } = strict else {
            return Err(strict);
        };
        let printed = read_printed(text).and_then(|documents| {
            // What is no gateway behind one is a mistake: it says where the second one begins.
            match documents
                .iter()
                .all(|one| one.is_object() || one.is_array())
            {
                true => Ok(joined(documents)),
                false => read_text(text),
            }
        });
        printed.map_err(|lenient| match lenient {
            gatewright_template::ReadError::Malformed {
                line: other_line,
                column: other_column,
                reason,
            } if (other_line as usize, other_column as usize) > (line, column) => {
                ReadError::Malformed {
                    line: other_line as usize,
                    column: other_column as usize,
                    reason,
                }
            }
            _ => strict,
        })
    })
}

/// One file's gateways, and what was found in it so far.
#[derive(Debug)]
pub(crate) struct Document {
    /// As the user named it.
    pub(crate) file: String,
    /// Empty when the file could not be read.
    pub(crate) gateways: Vec<ApplicationGateway>,
    /// The JSON of a document that is a single gateway, as it was read.
    pub(crate) body: Option<Arc<Value>>,
    /// What a template has beside gateways.
    pub(crate) network: Option<(NetworkResources, Arc<Value>)>,
    pub(crate) findings: Vec<Finding>,
    /// What it was compiled to, once it was checked without an error.
    snapshot: Option<Snapshot>,
}

impl Document {
    /// Reads the file at `path`; `-` is standard input. Never fails: what is wrong is
    /// in the findings. `parameters` are for a template.
    pub(crate) fn load(path: &Path, parameters: &Parameters) -> Self {
        let is_stdin = path.as_os_str() == STDIN;
        let file = if is_stdin {
            "stdin".to_owned()
        } else {
            path.display().to_string()
        };
        let bytes = if is_stdin {
            read_bounded(io::stdin())
        } else {
            read_file(path)
        };
        match bytes {
            Ok(bytes) => {
                let mut document = Self::read(file, &bytes, parameters);
                let stem = path.file_stem().filter(|_| !is_stdin);
                document.name_gateways(stem.and_then(OsStr::to_str));
                document
            }
            Err(error) => {
                let message = match error.kind() {
                    io::ErrorKind::NotFound => "there is no such file; name an existing one".into(),
                    io::ErrorKind::IsADirectory => {
                        "this is a folder; name the gateway's JSON file in it".into()
                    }
                    _ => format!("the file cannot be read: {error}"),
                };
                Self::unreadable(file, "GW-E-file", message)
            }
        }
    }

    fn read(file: String, text: &[u8], parameters: &Parameters) -> Self {
        match templates::deployed(&file, text, parameters) {
            None => Self::parse(file, text),
            Some(Ok(deployed)) => Self::deployed(file, deployed),
            Some(Err(finding)) => Self::failed(file, vec![finding]),
        }
    }

    fn deployed(file: String, deployed: Deployed) -> Self {
        let report = read_gateways(&deployed.gateways);
        let mut document = Self::of_report(file, report);
        let Some(others) = deployed.others else {
            return document;
        };
        match read_network(&others) {
            Ok(report) => {
                document.add(report.warnings);
                document.network = Some((report.resources, Arc::new(others)));
            }
            Err(NetworkReadError::Invalid(found)) => document.add(found),
            // Nothing that is of any meaning here.
            Err(NetworkReadError::NoResource(_) | NetworkReadError::Text(_)) => {}
        }
        document
    }

    pub(crate) fn parse(file: String, text: &[u8]) -> Self {
        let read = read_json(text).and_then(|body| Ok((read_gateways(&body)?, body)));
        match read {
            Ok((report, body)) => {
                let gateways = report.gateways.as_slice();
                let is_whole = matches!(gateways, [only] if only.source.pointer().is_empty());
                let mut document = Self::of_report(file, Ok(report));
                document.body = is_whole.then(|| Arc::new(body));
                document
            }
            Err(error) => Self::of_report(file, Err(error)),
        }
    }

    /// The JSON of one of its gateways: as it was read where that can be, as the service would
    /// write it else.
    pub(crate) fn body_of(&self, gateway: &ApplicationGateway) -> Value {
        match &self.body {
            Some(body) => Value::clone(body),
            None => write(gateway, &WriteOptions::default()),
        }
    }

    fn of_report(file: String, report: Result<ReadReport, ReadError>) -> Self {
        match report {
            Ok(report) if report.gateways.is_empty() => {
                let message = "the document holds no gateway; one is expected".to_owned();
                Self::unreadable(file, "GW-E-no-gateway", message)
            }
            Ok(report) => {
                let convert = |diagnostic| Finding::from_diagnostic(&file, diagnostic);
                let findings = report.warnings.into_iter().map(convert).collect();
                Self {
                    gateways: report.gateways,
                    ..Self::failed(file, findings)
                }
            }
            Err(ReadError::Invalid(diagnostics)) => {
                let convert = |diagnostic| Finding::from_diagnostic(&file, diagnostic);
                let findings = diagnostics.into_iter().map(convert).collect();
                Self::failed(file, findings)
            }
            Err(
                error @ (ReadError::TooLarge { .. }
                | ReadError::Malformed { .. }
                | ReadError::NotAGateway(_)),
            ) => Self::unreadable(file, "InvalidJson", error.to_string()),
        }
    }

    /// Gives the only gateway the name of its file where it has none, as in the body of a PUT.
    fn name_gateways(&mut self, stem: Option<&str>) {
        let is_alone = self.gateways.len() == 1;
        let stem = stem.filter(|stem| is_alone && is_name(stem));
        for gateway in &mut self.gateways {
            if !gateway.name.is_empty() {
                continue;
            }
            let (severity, code, message) = match stem {
                Some(stem) => {
                    gateway.name = stem.to_owned();
                    let message = format!("The gateway has no name, so it is called '{stem}' here");
                    (Level::Note, "GW-N-name-of-file", message + ", as its file.")
                }
                None => {
                    let message = "The gateway has no name.".to_owned();
                    (Level::Error, "GW-E-no-name", message)
                }
            };
            self.findings.push(Finding {
                pointer: format!("{}/name", gateway.source.pointer()),
                help: Some("Add a `name` beside `properties`.".to_owned()),
                ..Finding::of_file(&self.file, severity, code, message)
            });
        }
    }

    fn unreadable(file: String, code: &str, message: String) -> Self {
        let finding = Finding::of_file(&file, Level::Error, code, message);
        Self::failed(file, vec![finding])
    }

    /// One with these findings, and no gateway.
    fn failed(file: String, findings: Vec<Finding>) -> Self {
        Self {
            file,
            gateways: Vec::new(),
            body: None,
            network: None,
            findings,
            snapshot: None,
        }
    }

    /// Validates and compiles this document alone, to know what is wrong with it and with no other.
    /// Stops at the first step with an error: a later one would only say the same in other words.
    pub(crate) fn check(&mut self, options: &Options) {
        if has_errors(&self.findings) {
            return;
        }
        let (found, snapshot) = compiled(&self.gateways, validated(&self.gateways), options);
        self.snapshot = snapshot;
        self.add(found);
    }

    fn add(&mut self, diagnostics: Vec<Diagnostic>) {
        let convert = |diagnostic| Finding::from_diagnostic(&self.file, diagnostic);
        let findings: Vec<_> = diagnostics.into_iter().map(convert).collect();
        self.findings.extend(findings);
    }
}

/// What validation finds in gateways that are about to be served.
fn validated(gateways: &[ApplicationGateway]) -> Vec<Diagnostic> {
    let context = Context::default();
    let found = gateways
        .iter()
        .flat_map(|gateway| validate(gateway, &context));
    found.filter(|finding| !is_about_data(finding)).collect()
}

/// Gateways in which validation found this; nothing after an error.
fn compiled(
    gateways: &[ApplicationGateway],
    mut found: Vec<Diagnostic>,
    options: &Options,
) -> (Vec<Diagnostic>, Option<Snapshot>) {
    if found.iter().any(Diagnostic::is_error) {
        return (found, None);
    }
    match compile_validated(gateways, options) {
        Ok(compiled) => {
            found.extend(compiled.diagnostics);
            (found, Some(compiled.snapshot))
        }
        Err(diagnostics) => {
            found.extend(diagnostics);
            (found, None)
        }
    }
}

/// Whether the service would take `text` as a gateway's name.
fn is_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 80
        && text.starts_with(is_word)
        && text.ends_with(is_word)
        && text.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

/// Whether it says that a certificate comes without its data. That is for a PUT: a file may leave
/// the key to `--certificate`, and compiling says so where nothing else gives it.
fn is_about_data(finding: &Diagnostic) -> bool {
    matches!(
        &*finding.code,
        "ApplicationGatewaySslCertificateDataMustBeSpecified"
            | "ApplicationGatewayCertificateDataOrKeyVaultSecretIdMustBeSpecified"
    ) && finding
        .pointer
        .split('/')
        .any(|part| part.eq_ignore_ascii_case("sslCertificates"))
}

/// A stored gateway, compiled by itself.
#[derive(Debug)]
pub(crate) struct Part {
    /// Compared by address: a gateway that is written anew is another one.
    gateway: Arc<ApplicationGateway>,
    findings: Vec<Finding>,
    /// Nothing after an error.
    snapshot: Option<Snapshot>,
}

/// The stored gateways that were compiled before, by id in lower case.
#[derive(Debug, Default)]
pub(crate) struct Parts(HashMap<String, Arc<Part>>);

impl Parts {
    /// Those of `gateways`, each compiled where that was not done before; others are forgotten.
    pub(crate) fn take(
        &mut self,
        gateways: &[(String, Judged)],
        options: &Options,
    ) -> Vec<Arc<Part>> {
        let mut known = std::mem::take(&mut self.0);
        let taken: Vec<Arc<Part>> = gateways
            .iter()
            .map(|(id, judged)| {
                let before = known.remove(id);
                let before = before.filter(|part| Arc::ptr_eq(&part.gateway, &judged.gateway));
                let part = before.unwrap_or_else(|| Arc::new(Part::compile(id, judged, options)));
                self.0.insert(id.clone(), Arc::clone(&part));
                part
            })
            .collect();
        taken
    }

    /// What the options say is not what it was.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Part {
    /// One that was validated when it was written is not validated again.
    fn compile(id: &str, judged: &Judged, options: &Options) -> Self {
        let gateways = std::slice::from_ref(&*judged.gateway);
        let found = match &judged.findings {
            Some(findings) => findings.to_vec(),
            None => validated(gateways),
        };
        let (found, snapshot) = compiled(gateways, found, options);
        let convert = |diagnostic| Finding::from_diagnostic(id, diagnostic);
        Self {
            gateway: Arc::clone(&judged.gateway),
            findings: found.into_iter().map(convert).collect(),
            snapshot,
        }
    }
}

/// All documents, and then all parts, in one snapshot, and the findings of all, in that order.
///
/// # Errors
/// The findings, when one of them is an error.
pub(crate) fn compile(
    mut documents: Vec<Document>,
    parts: &[Arc<Part>],
    network: &NetworkFolder,
    options: &Options,
) -> Result<(Snapshot, Vec<Finding>), Vec<Finding>> {
    for document in &mut documents {
        document.check(options);
    }
    let of_documents = documents.iter().map(|one| &one.findings);
    let of_parts = parts.iter().map(|one| &one.findings);
    let mut findings: Vec<Finding> = of_documents.chain(of_parts).flatten().cloned().collect();
    findings.extend(network.findings.iter().cloned());
    if has_errors(&findings) {
        return Err(findings);
    }
    // In the order of the snapshot's rows.
    let gateways = documents.iter().flat_map(|one| &one.gateways);
    let stored = parts.iter().map(|one| &*one.gateway);
    let gateways: Vec<&ApplicationGateway> = gateways.chain(stored).collect();
    let origins = documents
        .iter()
        .flat_map(|one| one.gateways.iter().map(|_| &*one.file));
    let stored = parts
        .iter()
        .map(|one| one.gateway.id.as_deref().unwrap_or_default());
    let origins: Vec<&str> = origins.chain(stored).collect();
    refuse_duplicates(&gateways, &origins)?;
    let policy = match network.compile(&gateways, &origins) {
        Ok((policy, more)) => {
            findings.extend(more);
            policy
        }
        Err(more) => {
            findings.extend(more);
            return Err(findings);
        }
    };
    let mut snapshot = Snapshot::default();
    let of_documents = documents.iter().filter_map(|one| one.snapshot.as_ref());
    let of_parts = parts.iter().filter_map(|one| one.snapshot.as_ref());
    of_documents
        .chain(of_parts)
        .for_each(|part| snapshot.append(part));
    snapshot.network = policy;
    Ok((snapshot, findings))
}

/// Each document was compiled by itself; this is what can be wrong between them.
fn refuse_duplicates(
    gateways: &[&ApplicationGateway],
    origins: &[&str],
) -> Result<(), Vec<Finding>> {
    let mut first: HashMap<String, &str> = HashMap::new();
    for (gateway, origin) in gateways.iter().zip(origins) {
        let id = gateway.id.as_deref().filter(|id| !id.is_empty());
        let key = id
            .unwrap_or(&gateway.name)
            .trim_end_matches('/')
            .to_ascii_lowercase();
        let Some(other) = first.insert(key, origin) else {
            continue;
        };
        let message = format!(
            "The gateway '{}' is given twice: in {other} too.",
            gateway.name
        );
        return Err(vec![Finding {
            pointer: gateway.source.pointer().to_owned(),
            ..Finding::of_file(origin, Level::Error, DUPLICATE_GATEWAY, message)
        }]);
    }
    Ok(())
}

pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    read_bounded(file)
}

/// One byte more than is taken, so that a longer text is told from one that just fits.
fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(MAX_DOCUMENT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
